'''Trains a small multilayer perceptron on digits of 8 x 8 points.'''
from __future__ import print_function

import numpy as np
np.random.seed(1337)

from keras.models import Sequential
from keras.layers.core import Dense, Dropout, Activation
from keras.optimizers import RMSprop
from keras.utils import np_utils

batch_size = 16
nb_classes = 4
nb_epoch = 8

templates = np.random.rand(nb_classes, 64)
y = np.random.randint(0, nb_classes, 96)
X = (templates[y] + 0.1 * np.random.randn(96, 64)).astype('float32')
Y = np_utils.to_categorical(y, nb_classes)
print(X.shape[0], 'train samples')

model = Sequential()
model.add(Dense(32, input_shape=(64,)))
model.add(Activation('relu'))
model.add(Dropout(0.2))
model.add(Dense(nb_classes))
model.add(Activation('softmax'))
model.summary()

model.compile(loss='categorical_crossentropy', optimizer=RMSprop(lr=0.01), metrics=['accuracy'])
history = model.fit(X, Y, batch_size=batch_size, nb_epoch=nb_epoch, verbose=0, validation_data=(X[:16], Y[:16]))
score = model.evaluate(X, Y, verbose=0)
print('Test score:', score[0])
print('Test accuracy:', score[1])
assert len(history.history['val_acc']) == nb_epoch
assert score[1] > 0.8 and history.history['loss'][-1] < history.history['loss'][0]
