# Callbacks and what they are told.
import os
import tempfile
import numpy as np
from keras.callbacks import Callback, EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau, CSVLogger
from keras.models import Sequential, load_model
from keras.layers import Dense
from keras.optimizers import SGD


class LossHistory(Callback):
    def on_train_begin(self, logs={}):
        self.losses = []
        self.epochs = []

    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get('loss'))

    def on_epoch_end(self, epoch, logs={}):
        self.epochs.append((logs.get('acc'), logs['val_acc']))


folder = tempfile.mkdtemp()
path = os.path.join(folder, 'weights.{epoch:02d}-{val_loss:.2f}.hdf5')
model = Sequential([Dense(2, input_dim=3, activation='softmax')])
model.compile(SGD(lr=0.5), 'categorical_crossentropy', ['accuracy'])
x = np.random.rand(20, 3)
y = np.eye(2)[(x[:, 0] > 0.5).astype(int)]
history = LossHistory()
rates = LearningRateScheduler(lambda epoch: 0.5 if epoch < 2 else 0.1)
model.fit(x, y, batch_size=10, nb_epoch=4, verbose=0, validation_data=(x, y),
          callbacks=[history, rates, ModelCheckpoint(path, period=2, save_weights_only=True),
                     ModelCheckpoint(os.path.join(folder, 'best'), monitor='val_acc', save_best_only=True),
                     ReduceLROnPlateau(monitor='val_loss', epsilon=0.001, patience=9),
                     EarlyStopping(monitor='val_loss', patience=9), CSVLogger(os.path.join(folder, 'log.csv'))])
assert len(history.losses) == 8 and len(history.epochs) == 4
assert abs(float(model.optimizer.lr.get_value()) - 0.1) < 1e-7
saved = sorted(name for name in os.listdir(folder) if name.startswith('weights'))
assert [name[:10] for name in saved] == ['weights.02', 'weights.04']
model.load_weights(os.path.join(folder, saved[-1]))
assert load_model(os.path.join(folder, 'best')).predict(x).shape == (20, 2)
