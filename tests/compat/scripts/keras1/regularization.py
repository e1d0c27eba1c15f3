# Penalties, constraints and noise.
import numpy as np
from keras.models import Sequential
from keras.layers.core import Dense, Dropout, MaxoutDense, Highway
from keras.layers.noise import GaussianNoise
from keras.layers.normalization import BatchNormalization
from keras.layers.advanced_activations import LeakyReLU, PReLU, SReLU, ThresholdedReLU
from keras.regularizers import l2, l1l2, WeightRegularizer
from keras.constraints import maxnorm, nonneg

model = Sequential()
model.add(Dense(6, input_dim=4, W_regularizer=l2(0.01), b_regularizer=WeightRegularizer(l1=0.1), W_constraint=maxnorm(2)))
model.add(BatchNormalization(mode=0, epsilon=1e-5))
model.add(LeakyReLU(alpha=0.1))
model.add(GaussianNoise(sigma=0.01))
model.add(Dropout(p=0.1))
model.add(MaxoutDense(5, nb_feature=2))
model.add(Highway(activation='relu'))
model.add(PReLU())
model.add(SReLU())
model.add(ThresholdedReLU(theta=0.0))
model.add(Dense(1, W_constraint=nonneg(), init='one', W_regularizer=l1l2(l1=0.01, l2=0.01), bias=False))
model.compile(loss='mse', optimizer='adagrad')
x = np.random.rand(24, 4)
hist = model.fit(x, x.sum(1), nb_epoch=3, batch_size=8, verbose=0)
assert np.isfinite(hist.history['loss']).all()
assert model.get_weights()[-1].min() >= 0
assert np.linalg.norm(model.get_weights()[0], axis=0).max() <= 2 + 1e-5
penalty = model.layers[0].W_regularizer if hasattr(model.layers[0], 'W_regularizer') else model.layers[0].kernel_regularizer
assert float(penalty(np.ones(3, 'float32'))) == np.float32(0.03)
