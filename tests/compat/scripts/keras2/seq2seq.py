'''Sequence to sequence with states that are handed on.'''
import numpy as np
np.random.seed(0)
from keras.models import Model
from keras.layers import Input, LSTM, Dense

num_tokens, latent_dim = 5, 6
encoder_inputs = Input(shape=(None, num_tokens))
encoder = LSTM(latent_dim, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]
decoder_inputs = Input(shape=(None, num_tokens))
decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_dense = Dense(num_tokens, activation='softmax')
decoder_outputs = decoder_dense(decoder_outputs)
model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer='rmsprop', loss='categorical_crossentropy')
words = np.eye(num_tokens)[np.random.randint(0, num_tokens, (16, 3))]
target = words[:, ::-1]
shifted = np.concatenate([np.zeros((16, 1, num_tokens)), target[:, :-1]], axis=1)
hist = model.fit([words, shifted], target, batch_size=8, epochs=3, verbose=0)
assert hist.history['loss'][-1] < hist.history['loss'][0]

encoder_model = Model(encoder_inputs, encoder_states)
state_inputs = [Input(shape=(latent_dim,)), Input(shape=(latent_dim,))]
outputs, h, c = decoder_lstm(decoder_inputs, initial_state=state_inputs)
decoder_model = Model([decoder_inputs] + state_inputs, [decoder_dense(outputs), h, c])
states = encoder_model.predict(words[:1])
first, h, c = decoder_model.predict([np.zeros((1, 1, num_tokens))] + states)
assert np.allclose(first, model.predict([words[:1], np.zeros((1, 1, num_tokens))]), atol=1e-5)
