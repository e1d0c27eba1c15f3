import keras
import numpy as np
from keras import layers

model = keras.Sequential(
    [
        keras.Input(shape=(8, 8, 1)),
        layers.Conv2D(4, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
assert model.output_shape == (None, 10) and model.count_params() == 40 + 370
probabilities = model.predict(np.random.rand(3, 8, 8, 1), verbose=0)
np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)
