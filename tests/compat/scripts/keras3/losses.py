import keras
import numpy as np

bce = keras.losses.BinaryCrossentropy(from_logits=True)
assert abs(float(bce(np.array([0, 1, 0, 0]), np.array([-18.6, 0.51, 2.94, -12.8]))) - 0.865) < 1e-3
kl = keras.losses.kl_divergence(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))
assert abs(float(kl[0]) - 0.5 * np.log(4 / 3)) < 1e-5
huber = keras.losses.Huber(delta=1.0, reduction="sum")
assert float(huber(np.array([[0.0, 3.0]]), np.array([[0.5, 0.0]]))) == (0.125 + 2.5) / 2
