'''Convolution1D for text classification.'''
import numpy as np
np.random.seed(0)
from keras.preprocessing import sequence
from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation
from keras.layers import Embedding
from keras.layers import Conv1D, GlobalMaxPooling1D

max_features, maxlen = 20, 8
x = [list(np.random.randint(1, max_features, np.random.randint(4, 10))) for _ in range(40)]
y = np.array([int(5 in words[-maxlen:]) for words in x])
x = sequence.pad_sequences(x, maxlen=maxlen)
model = Sequential()
model.add(Embedding(max_features, 6, input_length=maxlen))
model.add(Dropout(0.2))
model.add(Conv1D(6, 3, padding='valid', activation='relu', strides=1))
model.add(GlobalMaxPooling1D())
model.add(Dense(1))
model.add(Activation('sigmoid'))
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
hist = model.fit(x, y, batch_size=8, epochs=5, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]
assert model.layers[0].output_shape == (None, maxlen, 6)
