# Batches from a Sequence, with the words of its workers; and words of Keras 1 that Keras 2 took as well.
import numpy as np
import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout, LocallyConnected1D, Flatten, Convolution1D, MaxPooling1D


class DataGenerator(keras.utils.Sequence):
    def __init__(self, list_IDs, batch_size=4, shuffle=True):
        self.batch_size, self.list_IDs, self.shuffle = batch_size, list_IDs, shuffle
        self.epochs = 0
        self.on_epoch_end()

    def __len__(self):
        return int(np.floor(len(self.list_IDs) / self.batch_size))

    def __getitem__(self, index):
        ids = self.list_IDs[index * self.batch_size:(index + 1) * self.batch_size]
        X = np.stack([np.full((6, 2), i / 16.0) for i in ids])
        return X, np.array([i / 16.0 for i in ids])

    def on_epoch_end(self):
        self.epochs += 1


training_generator = DataGenerator(list(range(16)))
model = Sequential()
model.add(LocallyConnected1D(3, 3, input_shape=(6, 2)))
model.add(Convolution1D(nb_filter=2, filter_length=2, border_mode='same'))
model.add(MaxPooling1D(pool_length=2))
model.add(Flatten())
model.add(Dropout(p=0.0))
model.add(Dense(output_dim=1, init='uniform'))
model.compile(optimizer='sgd', loss='mse')
hist = model.fit_generator(generator=training_generator, validation_data=DataGenerator([1, 2, 3, 4]), epochs=3,
                           use_multiprocessing=False, workers=1, max_queue_size=2, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]
assert training_generator.epochs == 4
assert [w.shape for w in model.layers[0].get_weights()] == [(4, 6, 3), (4, 3)]
