'''A convolutional net on images, channels where the backend wants them.'''
import numpy as np
np.random.seed(1337)

from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation, Flatten
from keras.layers import Convolution2D, MaxPooling2D
from keras.utils import np_utils
from keras import backend as K

img_rows, img_cols = 8, 8
nb_filters = 4
pool_size = (2, 2)
kernel_size = (3, 3)

X_train = np.random.rand(48, img_rows, img_cols)
y_train = (X_train[:, :4].mean((1, 2)) > X_train[:, 4:].mean((1, 2))).astype(int)
if K.image_dim_ordering() == 'th':
    X_train = X_train.reshape(X_train.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    X_train = X_train.reshape(X_train.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)
Y_train = np_utils.to_categorical(y_train, 2)

model = Sequential()
model.add(Convolution2D(nb_filters, kernel_size[0], kernel_size[1], border_mode='valid', input_shape=input_shape))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=pool_size))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(2, init='he_normal', activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adadelta', metrics=['accuracy'])
hist = model.fit(X_train, Y_train, 16, 4, verbose=0)
assert model.layers[0].output_shape == (None, 6, 6, 4)
assert hist.history['loss'][-1] < hist.history['loss'][0]
assert abs(model.predict_proba(X_train[:5], verbose=0).sum(1) - 1).max() < 1e-5
