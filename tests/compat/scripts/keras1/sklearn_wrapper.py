# A model as an estimator of scikit-learn, searched over.
import numpy as np
np.random.seed(4)
from keras.models import Sequential
from keras.layers import Dense
from keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor


def create_model(init='uniform', neurons=4):
    model = Sequential()
    model.add(Dense(neurons, input_dim=3, init=init, activation='relu'))
    model.add(Dense(1, init=init, activation='sigmoid'))
    model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
    return model


X = np.random.rand(30, 3)
Y = (X[:, 0] > 0.5).astype(int)
model = KerasClassifier(build_fn=create_model, nb_epoch=3, batch_size=10, neurons=6, verbose=0)
model.fit(X, Y)
assert model.predict(X).shape == (30,) and model.predict_proba(X).shape == (30, 2)
assert 0 <= model.score(X, Y) <= 1
assert model.get_params()['neurons'] == 6
assert model.model.layers[0].output_shape == (None, 6)


def regressor():
    model = Sequential([Dense(1, input_dim=3)])
    model.compile('sgd', 'mse')
    return model


estimator = KerasRegressor(build_fn=regressor, nb_epoch=2, batch_size=10, verbose=0)
estimator.fit(X, X.sum(1))
assert estimator.predict(X).shape == (30,) and estimator.score(X, X.sum(1)) < 0
