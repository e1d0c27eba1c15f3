'''Trains a simple deep net on digits.'''
from __future__ import print_function

import numpy as np
np.random.seed(0)
import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout
from keras.optimizers import RMSprop

batch_size, num_classes, epochs = 16, 4, 6
templates = np.random.rand(num_classes, 36)
y_train = np.random.randint(0, num_classes, 64)
x_train = templates[y_train] + 0.1 * np.random.randn(64, 36)
y_train = keras.utils.to_categorical(y_train, num_classes)

model = Sequential()
model.add(Dense(24, activation='relu', input_shape=(36,)))
model.add(Dropout(0.2))
model.add(Dense(num_classes, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer=RMSprop(lr=0.01), metrics=['accuracy'])
history = model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=0,
                    validation_data=(x_train, y_train))
score = model.evaluate(x_train, y_train, verbose=0)
print('Test accuracy:', score[1])
assert score[1] > 0.7
assert history.history['acc'] == history.history['accuracy']
assert 'val_acc' in history.history and history.epoch == list(range(epochs))
