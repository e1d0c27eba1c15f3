import keras
import numpy as np


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.per_batch_losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.per_batch_losses.append(logs.get("loss"))


model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.1), loss="mse")
history = LossHistory()
stop = keras.callbacks.EarlyStopping(monitor="loss", patience=1, min_delta=1e3)
log = model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4, epochs=5, verbose=0, callbacks=[history, stop])
assert len(log.epoch) == 2 and len(history.per_batch_losses) == 4
