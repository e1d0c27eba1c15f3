# A base that is frozen, a head that is trained, then the last of the base thawed.
import numpy as np
np.random.seed(0)
from keras.models import Model, Sequential
from keras.layers import Dense, GlobalAveragePooling2D, Conv2D, Input, BatchNormalization, Activation
from keras.optimizers import SGD

inputs = Input(shape=(6, 6, 3))
x = Conv2D(4, (3, 3), name='block1')(inputs)
x = Activation('relu')(x)
x = Conv2D(4, (3, 3), name='block2')(x)
base_model = Model(inputs=inputs, outputs=x)

x = GlobalAveragePooling2D()(base_model.output)
predictions = Dense(2, activation='softmax')(Dense(4, activation='relu')(x))
model = Model(inputs=base_model.input, outputs=predictions)
for layer in base_model.layers:
    layer.trainable = False
model.compile(optimizer='rmsprop', loss='categorical_crossentropy')
data, labels = np.random.rand(12, 6, 6, 3), np.eye(2)[np.random.randint(0, 2, 12)]
before = [w.copy() for w in base_model.get_weights()]
model.fit(data, labels, epochs=1, batch_size=6, verbose=0)
assert all(np.array_equal(a, b) for a, b in zip(before, base_model.get_weights()))
for layer in model.layers[:2]:
    layer.trainable = False
model.get_layer('block2').trainable = True
model.compile(optimizer=SGD(lr=0.1, momentum=0.9), loss='categorical_crossentropy')
model.fit(data, labels, epochs=1, batch_size=6, verbose=0)
assert np.array_equal(before[0], base_model.get_weights()[0])
assert not np.array_equal(before[2], base_model.get_weights()[2])
