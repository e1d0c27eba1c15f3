'''The functional API of its time: merge(), Model(input=, output=), several outputs.'''
import numpy as np
from keras.layers import Input, Embedding, LSTM, Dense, merge
from keras.models import Model

main_input = Input(shape=(5,), dtype='int32', name='main_input')
x = Embedding(output_dim=4, input_dim=10, input_length=5)(main_input)
lstm_out = LSTM(4)(x)
auxiliary_loss = Dense(1, activation='sigmoid', name='aux_output')(lstm_out)
auxiliary_input = Input(shape=(2,), name='aux_input')
x = merge([lstm_out, auxiliary_input], mode='concat')
x = Dense(6, activation='relu')(x)
main_loss = Dense(1, activation='sigmoid', name='main_output')(x)
model = Model(input=[main_input, auxiliary_input], output=[main_loss, auxiliary_loss])
model.compile(optimizer='rmsprop', loss={'main_output': 'binary_crossentropy', 'aux_output': 'binary_crossentropy'},
              loss_weights={'main_output': 1., 'aux_output': 0.2}, metrics=['accuracy'])
headline = np.random.randint(0, 10, (24, 5))
extra = np.random.rand(24, 2)
labels = (extra[:, :1] > 0.5).astype(int)
hist = model.fit({'main_input': headline, 'aux_input': extra}, {'main_output': labels, 'aux_output': labels},
                 nb_epoch=3, batch_size=8, verbose=0)
assert 'main_output_acc' in hist.history and 'aux_output_loss' in hist.history
assert model.output_shape == [(None, 1), (None, 1)]
