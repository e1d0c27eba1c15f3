'''An LSTM on sequences of words.'''
from __future__ import print_function
import numpy as np
np.random.seed(1337)

from keras.preprocessing import sequence
from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation, Embedding
from keras.layers import LSTM

max_features = 20
maxlen = 6
X = [list(np.random.randint(1, max_features, np.random.randint(3, 9))) for _ in range(48)]
y = np.array([1 if 3 in x[-maxlen:] or 7 in x[-maxlen:] else 0 for x in X])
X = sequence.pad_sequences(X, maxlen=maxlen)
print('X shape:', X.shape)

model = Sequential()
model.add(Embedding(max_features, 8, input_length=maxlen, dropout=0.))
model.add(LSTM(8, dropout_W=0.1, dropout_U=0.1, inner_activation='hard_sigmoid', consume_less='gpu'))
model.add(Dense(1))
model.add(Activation('sigmoid'))
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
hist = model.fit(X, y, batch_size=16, nb_epoch=6, validation_data=(X, y), verbose=0)
score, acc = model.evaluate(X, y, batch_size=16, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]
assert set(np.unique(model.predict_classes(X, verbose=0))) <= {0, 1}
assert sorted(hist.history) == ['acc', 'loss', 'val_acc', 'val_loss']
