# What a layer in the midst computes, by K.function, with dropout on and off.
import numpy as np
import keras
from keras import backend as K
from keras.models import Sequential, Model
from keras.layers import Dense, Dropout, Activation

model = Sequential()
model.add(Dense(16, input_dim=4, name='hidden'))
model.add(Activation('tanh'))
model.add(Dropout(0.5))
model.add(Dense(2))
x = np.random.rand(6, 4).astype('float32')
get_3rd_layer_output = K.function([model.layers[0].input, K.learning_phase()], [model.layers[2].output])
test = get_3rd_layer_output([x, 0])[0]
train = get_3rd_layer_output([x, 1])[0]
W, b = model.layers[0].get_weights()
assert np.allclose(test, np.tanh(x.dot(W) + b), atol=1e-5)
assert (train == 0).mean() > 0.2
kept = train != 0
assert np.allclose(train[kept], 2 * test[kept], atol=1e-4)
intermediate = Model(input=model.input, output=model.get_layer('hidden').output)
assert np.allclose(intermediate.predict(x), x.dot(W) + b, atol=1e-5)
assert keras.__version__.startswith('1.')
gradient = K.gradients(K.mean(model.output[:, 0]), [model.input])[0]
assert K.function([model.input, K.learning_phase()], [gradient])([x, 0])[0].shape == (6, 4)
