# A deep autoencoder, and the half of it that encodes.
import numpy as np
np.random.seed(0)
from keras.layers import Input, Dense
from keras.models import Model
from keras import regularizers

encoding_dim = 3
input_img = Input(shape=(12,))
encoded = Dense(encoding_dim, activation='relu', activity_regularizer=regularizers.activity_l1(10e-5))(input_img)
decoded = Dense(12, activation='sigmoid')(encoded)
autoencoder = Model(input=input_img, output=decoded)
encoder = Model(input=input_img, output=encoded)
encoded_input = Input(shape=(encoding_dim,))
decoder = Model(input=encoded_input, output=autoencoder.layers[-1](encoded_input))
autoencoder.compile(optimizer='adadelta', loss='binary_crossentropy')
x_train = np.random.rand(40, 12)
hist = autoencoder.fit(x_train, x_train, nb_epoch=4, batch_size=8, shuffle=True, validation_data=(x_train, x_train),
                       verbose=0)
assert hist.history['val_loss'][-1] < hist.history['val_loss'][0]
assert np.allclose(decoder.predict(encoder.predict(x_train)), autoencoder.predict(x_train), atol=1e-5)
