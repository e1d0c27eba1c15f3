# A layer of one's own, as the documentation of its time has it.
import numpy as np
from keras import backend as K
from keras.engine.topology import Layer
from keras.models import Sequential


class MyLayer(Layer):
    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super(MyLayer, self).__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[1], self.output_dim), initializer='uniform', trainable=True)
        super(MyLayer, self).build(input_shape)

    def call(self, x, mask=None):
        return K.dot(x, self.W)

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.output_dim)


class Older(Layer):
    def build(self, input_shape):
        self.gain = K.variable(np.ones(input_shape[1]), name='gain')
        self.shift = K.zeros((input_shape[1],))
        self.trainable_weights = [self.gain, self.shift]

    def call(self, x, mask=None):
        return x * self.gain + self.shift


model = Sequential()
model.add(MyLayer(3, input_shape=(4,)))
model.add(Older())
model.compile('sgd', 'mse')
assert model.output_shape == (None, 3)
assert [w.shape for w in model.get_weights()] == [(4, 3), (3,), (3,)]
x, y = np.random.rand(16, 4), np.random.rand(16, 3)
first = model.evaluate(x, y, verbose=0)
model.fit(x, y, nb_epoch=5, batch_size=4, verbose=0)
assert model.evaluate(x, y, verbose=0) < first
assert not np.allclose(model.get_weights()[1], 1)
