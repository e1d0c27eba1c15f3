'''Generates text, character by character.'''
from keras.models import Sequential
from keras.layers import Dense, Activation
from keras.layers import LSTM
from keras.optimizers import RMSprop
import numpy as np
np.random.seed(3)

text = 'the cat sat on the mat. ' * 4
chars = sorted(list(set(text)))
char_indices = dict((c, i) for i, c in enumerate(chars))
indices_char = dict((i, c) for i, c in enumerate(chars))
maxlen, step = 6, 3
sentences, next_chars = [], []
for i in range(0, len(text) - maxlen, step):
    sentences.append(text[i: i + maxlen])
    next_chars.append(text[i + maxlen])
X = np.zeros((len(sentences), maxlen, len(chars)), dtype=bool)
y = np.zeros((len(sentences), len(chars)), dtype=bool)
for i, sentence in enumerate(sentences):
    for t, char in enumerate(sentence):
        X[i, t, char_indices[char]] = 1
    y[i, char_indices[next_chars[i]]] = 1

model = Sequential()
model.add(LSTM(8, input_shape=(maxlen, len(chars))))
model.add(Dense(len(chars)))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer=RMSprop(lr=0.01))


def sample(preds, temperature=1.0):
    preds = np.log(np.asarray(preds).astype('float64') + 1e-9) / temperature
    exp_preds = np.exp(preds)
    return np.argmax(np.random.multinomial(1, exp_preds / np.sum(exp_preds), 1))


first = model.evaluate(X, y, verbose=0)
model.fit(X, y, batch_size=16, nb_epoch=4, verbose=0)
generated = text[:maxlen]
for i in range(5):
    x = np.zeros((1, maxlen, len(chars)))
    for t, char in enumerate(generated[-maxlen:]):
        x[0, t, char_indices[char]] = 1.
    generated += indices_char[sample(model.predict(x, verbose=0)[0], 0.5)]
assert len(generated) == maxlen + 5
assert model.evaluate(X, y, verbose=0) < first
