"""Keras TCN: a temporal convolutional network, trained, saved and loaded; in the words of Keras 2."""

import numpy as np
from tcn import TCN
from tensorflow import keras

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(128, 20, 2)).astype("float32")
y = x[:, -4:, 0].mean(axis=1, keepdims=True)
network = TCN(nb_filters=8, kernel_size=2, dilations=(1, 2, 4), return_sequences=False)
model = keras.Sequential([keras.Input((20, 2)), network, keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse")
losses = model.fit(x, y, epochs=8, verbose=0).history["loss"]
model.save("network.keras")
again = keras.models.load_model("network.keras", custom_objects={"TCN": TCN})
result = {
    "losses": [losses[0], losses[-1]],
    "reach": int(network.receptive_field),
    "distance": float(np.abs(again.predict(x, verbose=0) - model.predict(x, verbose=0)).max()),
}
