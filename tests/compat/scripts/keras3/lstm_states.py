import keras
import numpy as np
from keras import layers

encoder_input = layers.Input(shape=(None, 3))
output, state_h, state_c = layers.LSTM(4, return_state=True)(encoder_input)
decoder_output = layers.LSTM(4)(layers.RepeatVector(2)(output), initial_state=[state_h, state_c])
model = keras.Model(encoder_input, decoder_output)
assert model.predict(np.ones((2, 5, 3)), verbose=0).shape == (2, 4)
assert keras.layers.LSTM(2).recurrent_activation is keras.activations.sigmoid
assert keras.layers.GRU(2).reset_after
