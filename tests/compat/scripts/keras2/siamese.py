'''A Siamese MLP with a loss and an accuracy of its own.'''
import numpy as np
np.random.seed(0)
from keras.models import Model
from keras.layers import Input, Flatten, Dense, Dropout, Lambda
from keras.optimizers import RMSprop
from keras import backend as K


def euclidean_distance(vects):
    x, y = vects
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def contrastive_loss(y_true, y_pred):
    square_pred = K.square(y_pred)
    margin_square = K.square(K.maximum(1 - y_pred, 0))
    return K.mean(y_true * square_pred + (1 - y_true) * margin_square)


def accuracy(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


def create_base_network(input_shape):
    input = Input(shape=input_shape)
    x = Flatten()(input)
    x = Dense(8, activation='relu')(x)
    x = Dropout(0.1)(x)
    return Model(input, Dense(4, activation='relu')(x))


base_network = create_base_network((3, 3))
input_a, input_b = Input(shape=(3, 3)), Input(shape=(3, 3))
distance = Lambda(euclidean_distance, output_shape=lambda s: (s[0][0], 1))([base_network(input_a), base_network(input_b)])
model = Model([input_a, input_b], distance)
model.compile(loss=contrastive_loss, optimizer=RMSprop(), metrics=[accuracy])
a = np.random.rand(32, 3, 3)
same = np.random.randint(0, 2, 32)
b = np.where(same[:, None, None], a, np.random.rand(32, 3, 3))
hist = model.fit([a, b], same, batch_size=8, epochs=5, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0] and 'accuracy' in hist.history
