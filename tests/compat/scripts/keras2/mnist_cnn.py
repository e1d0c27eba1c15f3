'''A simple convnet.'''
import numpy as np
np.random.seed(0)
import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout, Flatten
from keras.layers import Conv2D, MaxPooling2D
from keras import backend as K

img_rows, img_cols = 8, 8
x_train = np.random.rand(32, img_rows, img_cols)
y_train = keras.utils.to_categorical((x_train[:, :4].sum((1, 2)) > x_train[:, 4:].sum((1, 2))).astype(int), 2)
if K.image_data_format() == 'channels_first':
    x_train = x_train.reshape(x_train.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    x_train = x_train.reshape(x_train.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)
model = Sequential()
model.add(Conv2D(4, kernel_size=(3, 3), activation='relu', input_shape=input_shape))
model.add(Conv2D(4, (3, 3), activation='relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(2, activation='softmax'))
model.compile(loss=keras.losses.categorical_crossentropy, optimizer=keras.optimizers.Adadelta(), metrics=['accuracy'])
hist = model.fit(x_train, y_train, batch_size=16, epochs=4, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]
assert model.predict_classes(x_train).shape == (32,)
assert model.count_params() == 40 + 148 + 34
