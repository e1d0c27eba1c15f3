# Shared layers: is it the same digit?
import numpy as np
from keras.models import Model
from keras.layers import Input, Dense, Lambda
from keras import backend as K
from keras.optimizers import RMSprop


def euclidean_distance(vects):
    x, y = vects
    return K.sqrt(K.maximum(K.sum(K.square(x - y), axis=1, keepdims=True), K.epsilon()))


def eucl_dist_output_shape(shapes):
    shape1, shape2 = shapes
    return (shape1[0], 1)


def contrastive_loss(y_true, y_pred):
    margin = 1
    return K.mean(y_true * K.square(y_pred) + (1 - y_true) * K.square(K.maximum(margin - y_pred, 0)))


shared = Dense(4, activation='relu')
input_a, input_b = Input(shape=(6,)), Input(shape=(6,))
distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)([shared(input_a), shared(input_b)])
model = Model(input=[input_a, input_b], output=distance)
model.compile(loss=contrastive_loss, optimizer=RMSprop())
a = np.random.rand(32, 6)
same = np.random.randint(0, 2, (32, 1))
b = np.where(same, a + 0.01, np.random.rand(32, 6))
first = model.evaluate([a, b], same, verbose=0)
model.fit([a, b], same, batch_size=8, nb_epoch=5, verbose=0)
assert model.evaluate([a, b], same, verbose=0) < first
assert len(model.trainable_weights) == 2
