import keras
import numpy as np


class Block(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.first = keras.layers.Dense(units, activation="relu")
        self.second = keras.layers.Dense(units)
        self.norm = keras.layers.LayerNormalization()

    def call(self, x):
        return self.norm(x + self.second(self.first(x)))


model = Block(4)
out = model(np.random.rand(2, 4))
assert out.shape == (2, 4) and len(model.trainable_weights) == 6
np.testing.assert_allclose(np.asarray(out).mean(-1), 0, atol=1e-5)
