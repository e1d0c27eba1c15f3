'''A variational autoencoder, whose loss speaks of tensors of the model.'''
import numpy as np
np.random.seed(1)
from keras.layers import Input, Dense, Lambda
from keras.models import Model
from keras import backend as K
from keras import objectives

batch_size = 8
original_dim = 10
latent_dim = 2
intermediate_dim = 8
epsilon_std = 1.0

x = Input(batch_shape=(batch_size, original_dim))
h = Dense(intermediate_dim, activation='relu')(x)
z_mean = Dense(latent_dim)(h)
z_log_var = Dense(latent_dim)(h)


def sampling(args):
    z_mean, z_log_var = args
    epsilon = K.random_normal(shape=(batch_size, latent_dim), mean=0., std=epsilon_std)
    return z_mean + K.exp(z_log_var / 2) * epsilon


z = Lambda(sampling, output_shape=(latent_dim,))([z_mean, z_log_var])
decoder_h = Dense(intermediate_dim, activation='relu')
decoder_mean = Dense(original_dim, activation='sigmoid')
x_decoded_mean = decoder_mean(decoder_h(z))


def vae_loss(x, x_decoded_mean):
    xent_loss = original_dim * objectives.binary_crossentropy(x, x_decoded_mean)
    kl_loss = - 0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
    return xent_loss + kl_loss


vae = Model(x, x_decoded_mean)
vae.compile(optimizer='rmsprop', loss=vae_loss)
x_train = (np.random.rand(48, original_dim) > 0.7).astype('float32')
hist = vae.fit(x_train, x_train, shuffle=True, nb_epoch=8, batch_size=batch_size, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]

# the loss is what the formula says, with the noise left out
encoder = Model(x, [z_mean, z_log_var])
mean, log_var = encoder.predict(x_train[:8], batch_size=8)
kl = -0.5 * np.sum(1 + log_var - mean ** 2 - np.exp(log_var), axis=-1).mean()
assert vae.evaluate(x_train[:8], x_train[:8], batch_size=8, verbose=0) > kl

decoder_input = Input(shape=(latent_dim,))
generator = Model(decoder_input, decoder_mean(decoder_h(decoder_input)))
assert generator.predict(np.zeros((1, latent_dim))).shape == (1, original_dim)
