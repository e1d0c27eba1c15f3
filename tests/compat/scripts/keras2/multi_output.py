# Several inputs and outputs, with losses by name.
import numpy as np
np.random.seed(0)
import keras
from keras.layers import Input, Embedding, Flatten, Dense, concatenate, Add, Multiply, Dot
from keras.models import Model

main_input = Input(shape=(3,), dtype='int32', name='main_input')
x = Flatten()(Embedding(output_dim=4, input_dim=10, input_length=3)(main_input))
auxiliary_output = Dense(1, activation='sigmoid', name='aux_output')(x)
auxiliary_input = Input(shape=(2,), name='aux_input')
x = keras.layers.concatenate([x, auxiliary_input])
main_output = Dense(1, activation='sigmoid', name='main_output')(Dense(4, activation='relu')(x))
model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])
model.compile(optimizer='rmsprop', metrics={'main_output': 'accuracy'},
              loss={'main_output': 'binary_crossentropy', 'aux_output': 'mse'},
              loss_weights={'main_output': 1., 'aux_output': 0.2})
a, b, y = np.random.randint(0, 10, (16, 3)), np.random.rand(16, 2), np.random.randint(0, 2, (16, 1))
hist = model.fit({'main_input': a, 'aux_input': b}, {'main_output': y, 'aux_output': y}, epochs=2, batch_size=8, verbose=0)
assert sorted(hist.history) == ['aux_output_loss', 'loss', 'main_output_acc', 'main_output_loss']
total = model.evaluate([a, b], [y, y], verbose=0)
assert abs(total[0] - (total[1] + 0.2 * total[2])) < 1e-5
