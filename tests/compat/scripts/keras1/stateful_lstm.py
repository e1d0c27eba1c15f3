'''A stateful LSTM that copies a wave.'''
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, LSTM

tsteps, batch_size, epochs = 1, 4, 2
x = np.cos(np.arange(16) / 3.0).reshape(16, 1, 1)
y = np.roll(x[:, :, 0], -1)
model = Sequential()
model.add(LSTM(5, batch_input_shape=(batch_size, tsteps, 1), return_sequences=True, stateful=True))
model.add(LSTM(5, batch_input_shape=(batch_size, tsteps, 1), return_sequences=False, stateful=True))
model.add(Dense(1))
model.compile(loss='mse', optimizer='rmsprop')
for i in range(epochs):
    model.fit(x, y, batch_size=batch_size, verbose=0, nb_epoch=1, shuffle=False)
    model.reset_states()
once = model.predict(x[:4], batch_size=batch_size)
again = model.predict(x[:4], batch_size=batch_size)
assert not np.allclose(once, again)
model.reset_states()
assert np.allclose(model.predict(x[:4], batch_size=batch_size), once, atol=1e-6)
