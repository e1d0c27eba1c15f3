# The custom loss that speaks of z_mean and z_log_var, made by a function.
import numpy as np
np.random.seed(1)
from keras import backend as K
from keras.layers import Input, Dense, concatenate
from keras.models import Model

x = Input(shape=(6,))
z_mean = Dense(2, name='mean')(x)
z_log_var = Dense(2, name='log_var')(x)
y = Dense(6)(concatenate([z_mean, z_log_var]))
vae = Model(x, y)


def make_loss(weight):
    def kl(_):
        return -0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)

    def loss(y_true, y_pred):
        return K.mean(K.square(y_true - y_pred), axis=-1) + weight * kl(None)
    return loss


vae.compile('sgd', loss=make_loss(0.1))
data = np.random.rand(16, 6)
value = vae.evaluate(data, data, verbose=0)
mean, log_var = Model(x, [z_mean, z_log_var]).predict(data)
kl = -0.5 * np.sum(1 + log_var - mean ** 2 - np.exp(log_var), axis=-1).mean()
expected = np.mean((data - vae.predict(data)) ** 2) + 0.1 * kl
assert abs(value - expected) < 1e-5
vae.fit(data, data, epochs=5, batch_size=4, verbose=0)
assert vae.evaluate(data, data, verbose=0) < value
