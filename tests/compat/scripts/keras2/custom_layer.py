# A layer and a model's config with it.
import numpy as np
from keras import backend as K
from keras.layers import Layer, Dense, Input, InputSpec
from keras.models import Model, model_from_json
from keras import initializers, regularizers, activations


class Scaled(Layer):
    def __init__(self, units, activation=None, kernel_initializer='he_normal', **kwargs):
        if 'input_shape' not in kwargs and 'input_dim' in kwargs:
            kwargs['input_shape'] = (kwargs.pop('input_dim'),)
        super(Scaled, self).__init__(**kwargs)
        self.units = units
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)

    def build(self, input_shape):
        assert len(input_shape) >= 2
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        self.kernel = self.add_weight(name='kernel', shape=(input_shape[1], self.units),
                                      initializer=self.kernel_initializer, trainable=True)
        self.scale = self.add_weight('scale', (self.units,), None, 'ones')
        super(Scaled, self).build(input_shape)

    def call(self, x):
        return self.activation(K.bias_add(K.dot(x, self.kernel) * self.scale, K.zeros_like(self.scale)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    def get_config(self):
        config = {'units': self.units, 'activation': activations.serialize(self.activation),
                  'kernel_initializer': initializers.serialize(self.kernel_initializer)}
        base_config = super(Scaled, self).get_config()
        return dict(list(base_config.items()) + list(config.items()))


inputs = Input(shape=(4,))
model = Model(inputs, Dense(1)(Scaled(3, activation='relu')(inputs)))
assert model.layers[1].output_shape == (None, 3)
other = model_from_json(model.to_json(), custom_objects={'Scaled': Scaled})
other.set_weights(model.get_weights())
x = np.random.rand(5, 4)
assert np.allclose(model.predict(x), other.predict(x), atol=1e-6)
