import keras
import numpy as np
from keras import layers, ops


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(shape=ops.shape(z_mean), seed=self.seed_generator)
        self.add_loss(-0.5 * ops.mean(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var)))
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


inputs = keras.Input((6,))
x = layers.Dense(4, activation="relu")(inputs)
z = Sampling()([layers.Dense(2)(x), layers.Dense(2)(x)])
vae = keras.Model(inputs, layers.Dense(6, activation="sigmoid")(z))
vae.compile(optimizer="adam", loss="binary_crossentropy")
data = (np.random.rand(16, 6) > 0.5).astype("float32")
assert np.isfinite(vae.fit(data, data, epochs=2, verbose=0).history["loss"]).all()
