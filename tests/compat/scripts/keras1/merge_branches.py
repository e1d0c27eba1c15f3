# Two branches, merged in a Sequential.
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, Merge, Activation

left_branch = Sequential()
left_branch.add(Dense(8, input_dim=5, init='uniform', activation='relu'))
right_branch = Sequential()
right_branch.add(Dense(8, input_dim=3))

final_model = Sequential()
final_model.add(Merge([left_branch, right_branch], mode='concat'))
final_model.add(Dense(4, activation='softmax'))
final_model.compile(optimizer='rmsprop', loss='categorical_crossentropy')
a, b = np.random.rand(32, 5), np.random.rand(32, 3)
labels = np.eye(4)[np.argmax(np.hstack([a[:, :2], b[:, :2]]), 1)]
hist = final_model.fit([a, b], labels, nb_epoch=6, batch_size=8, verbose=0)
assert final_model.output_shape == (None, 4)
assert hist.history['loss'][-1] < hist.history['loss'][0]

summed = Sequential()
summed.add(Merge([left_branch, right_branch], mode='sum'))
expected = left_branch.predict(a) + right_branch.predict(b)
assert np.allclose(summed.predict([a, b]), expected, atol=1e-5)
