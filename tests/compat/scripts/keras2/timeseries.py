# Weather: TimeseriesGenerator and a GRU.
import numpy as np
np.random.seed(0)
from keras.models import Sequential
from keras import layers
from keras.optimizers import RMSprop
from keras.preprocessing.sequence import TimeseriesGenerator

data = np.sin(np.arange(60) / 5.0)[:, None]
generator = TimeseriesGenerator(data, data[:, 0], length=6, sampling_rate=2, batch_size=9)
assert len(generator) == 6 and generator[0][0].shape == (9, 3, 1)
assert np.array_equal(generator[0][0][0, :, 0], data[[0, 2, 4], 0]) and generator[0][1][0] == data[6, 0]
model = Sequential()
model.add(layers.GRU(4, dropout=0.1, recurrent_dropout=0.1, input_shape=(None, 1)))
model.add(layers.Dense(1))
model.compile(optimizer=RMSprop(lr=0.01), loss='mae')
history = model.fit_generator(generator, steps_per_epoch=6, epochs=3, verbose=0)
assert history.history['loss'][-1] < history.history['loss'][0]
assert model.evaluate_generator(generator) > 0
