# Callbacks, the learning rate as a variable, decay.
import os
import tempfile
import numpy as np
from keras import backend as K
from keras.callbacks import EarlyStopping, LambdaCallback, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau, History
from keras.models import Sequential, load_model
from keras.layers import Dense
from keras.optimizers import Adam, SGD

model = Sequential([Dense(2, activation='softmax', input_shape=(3,))])
model.compile(loss='categorical_crossentropy', optimizer=Adam(lr=0.01, decay=0.1), metrics=['accuracy'])
x = np.random.rand(20, 3)
y = np.eye(2)[(x[:, 0] > 0.5).astype(int)]
seen = []
path = os.path.join(tempfile.mkdtemp(), 'best.hdf5')
callbacks = [EarlyStopping(monitor='val_loss', patience=5, restore_best_weights=True),
             ModelCheckpoint(path, monitor='val_accuracy', save_best_only=True, mode='max'),
             LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs['acc']), on_batch_end=lambda batch, logs: None)]
model.fit(x, y, epochs=3, batch_size=10, validation_data=(x, y), callbacks=callbacks, verbose=0)
assert len(seen) == 3 and os.path.exists(path)
assert load_model(path).predict(x).shape == (20, 2)
assert abs(K.get_value(model.optimizer.lr) - 0.01) < 1e-8
assert abs(float(model.optimizer.learning_rate) - 0.01 / (1 + 0.1 * 6)) < 1e-8
K.set_value(model.optimizer.lr, 0.02)
assert abs(K.get_value(model.optimizer.lr) - 0.02) < 1e-8

model.compile('sgd', 'categorical_crossentropy')
assert abs(K.get_value(model.optimizer.lr) - 0.01) < 1e-8
K.set_value(model.optimizer.lr, 0.5)
model.fit(x, y, epochs=2, verbose=0, callbacks=[LearningRateScheduler(lambda epoch, lr: lr * 0.5, verbose=0)])
assert abs(K.get_value(model.optimizer.lr) - 0.125) < 1e-7
