# Convolutions with the channels first, as on Theano.
import numpy as np
from keras import backend as K
K.set_image_dim_ordering('th')
from keras.models import Sequential
from keras.layers.convolutional import Convolution2D, MaxPooling2D, ZeroPadding2D
from keras.layers.core import Dense, Flatten
from keras.optimizers import SGD

model = Sequential()
model.add(ZeroPadding2D((1, 1), input_shape=(3, 6, 6)))
model.add(Convolution2D(4, 3, 3, activation='relu'))
model.add(MaxPooling2D((2, 2), strides=(2, 2)))
model.add(Flatten())
model.add(Dense(2, activation='softmax'))
sgd = SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(optimizer=sgd, loss='categorical_crossentropy')
assert model.layers[1].output_shape == (None, 4, 6, 6)
assert model.layers[2].output_shape == (None, 4, 3, 3)
out = model.predict(np.zeros((2, 3, 6, 6)))
assert np.allclose(out, 0.5)
# Flatten keeps the elements in the order in which they are
flat = K.function([model.layers[2].output], [model.layers[3].output])
x = np.random.rand(2, 4, 3, 3).astype('float32')
assert np.array_equal(flat([x])[0], x.reshape(2, -1))
K.set_image_dim_ordering('tf')
