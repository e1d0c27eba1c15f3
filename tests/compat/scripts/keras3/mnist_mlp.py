import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
y_train = np.random.randint(0, 3, 48)
x_train = np.eye(3)[y_train].repeat(4, axis=1) + 0.1 * np.random.randn(48, 12)
model = keras.Sequential([
    keras.Input(shape=(12,)),
    layers.Dense(16, activation="relu"),
    layers.Dropout(0.1),
    layers.Dense(3, activation="softmax"),
])
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=16, epochs=8, validation_split=0.25, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
assert set(history.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
