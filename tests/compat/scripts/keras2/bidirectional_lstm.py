# Bidirectional LSTM, and what its defaults were.
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, Embedding, LSTM, Bidirectional, GRU, CuDNNLSTM, TimeDistributed

model = Sequential()
model.add(Embedding(10, 4, input_length=5, mask_zero=True))
model.add(Bidirectional(LSTM(3, return_sequences=True), merge_mode='sum'))
model.add(TimeDistributed(Dense(2)))
x = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]])
assert model.predict(x).shape == (2, 5, 2)

gru = GRU(2)
assert gru.recurrent_activation.__name__ == 'old_hard_sigmoid' and not gru.reset_after
assert CuDNNLSTM(2).recurrent_activation.__name__ == 'sigmoid'

# one step of an LSTM by hand, with the hard sigmoid of its time
lstm = Sequential([LSTM(2, input_shape=(1, 3), use_bias=True)])
kernel, recurrent, bias = lstm.get_weights()
v = np.random.randn(1, 3)
i, f, c, o = np.split(v.dot(kernel) + bias, 4, axis=-1)
hard = lambda t: np.clip(0.2 * t + 0.5, 0, 1)
expected = hard(o) * np.tanh(hard(i) * np.tanh(c))
assert np.allclose(lstm.predict(v[:, None, :]), expected, atol=1e-5)
