import keras
import numpy as np

base = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization()])
base.trainable = False
inputs = keras.Input(shape=(6, 6, 3))
x = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
model = keras.Model(inputs, keras.layers.Dense(1)(x))
assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 6
before = base.get_weights()
model.compile(optimizer=keras.optimizers.Adam(), loss=keras.losses.BinaryCrossentropy(from_logits=True))
model.fit(np.random.rand(4, 6, 6, 3), np.ones((4, 1)), verbose=0)
assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights()))
