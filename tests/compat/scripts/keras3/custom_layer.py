import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("mine")
class Linear(keras.layers.Layer):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return {**super().get_config(), "units": self.units}


layer = Linear(2)
x = np.ones((4, 5), "float32")
np.testing.assert_allclose(np.asarray(layer(x)), x @ layer.w.numpy(), rtol=1e-5)
again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
assert isinstance(again, Linear) and again.units == 2
