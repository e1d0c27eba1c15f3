# Adds numbers that are written as characters: an encoder, RepeatVector, a decoder.
import numpy as np
from keras.models import Sequential
from keras.layers import Activation, TimeDistributed, Dense, RepeatVector, recurrent

RNN = recurrent.LSTM
digits, chars = 1, '0123456789+ '
table = dict((c, i) for i, c in enumerate(chars))


def encode(text, length):
    X = np.zeros((length, len(chars)))
    for i, c in enumerate(text):
        X[i, table[c]] = 1
    return X


questions = [(a, b) for a in range(6) for b in range(4)]
X = np.array([encode('%d+%d' % q, 3) for q in questions])
y = np.array([encode('%2d' % sum(q), 2) for q in questions])
model = Sequential()
model.add(RNN(8, input_shape=(3, len(chars))))
model.add(RepeatVector(digits + 1))
model.add(RNN(8, return_sequences=True))
model.add(TimeDistributed(Dense(len(chars))))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam', metrics=['accuracy'])
hist = model.fit(X, y, batch_size=12, nb_epoch=4, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]
preds = model.predict_classes(X[:2], verbose=0)
assert preds.shape == (2, 2)
