"""SciKeras: models as estimators of scikit-learn, in pipelines and searches, pickled and trained further."""

import pickle

import keras
from scikeras.wrappers import KerasClassifier, KerasRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import shuffle

x, y = shuffle(*load_iris(return_X_y=True), random_state=0)


def classifier(hidden, meta, compile_kwargs):
    model = keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(hidden, activation="relu")])
    model.add(keras.layers.Dense(meta["n_classes_"], activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=compile_kwargs["optimizer"], metrics=["accuracy"])
    return model


estimator = KerasClassifier(
    classifier,
    hidden=8,
    optimizer="adam",
    optimizer__learning_rate=0.03,
    epochs=12,
    batch_size=16,
    verbose=0,
    random_state=0,
    callbacks=keras.callbacks.EarlyStopping,
    callbacks__monitor="loss",
    callbacks__patience=5,
)
search = GridSearchCV(make_pipeline(StandardScaler(), estimator), {"kerasclassifier__hidden": [2, 16]}, cv=2)
search.fit(x, y)
fitted = search.best_estimator_[-1]
scaled = search.best_estimator_[0].transform(x)
again = pickle.loads(pickle.dumps(fitted))
epochs = len(fitted.history_["loss"])
again.partial_fit(scaled, y)

x, y = load_diabetes(return_X_y=True)


def regressor():
    return keras.Sequential([keras.Input((10,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])


regression = KerasRegressor(regressor, loss="mse", optimizer="rmsprop", optimizer__learning_rate=0.01, verbose=0)
regression.set_params(epochs=30, random_state=0).fit(x, (y - y.mean()) / y.std())
twice = [KerasRegressor(regressor, loss="mse", verbose=0, random_state=7).fit(x, y).predict(x[:3]) for _ in range(2)]
result = {
    "hidden": search.best_params_["kerasclassifier__hidden"],
    "score": search.best_score_,
    "rate": float(fitted.model_.optimizer.learning_rate.numpy()),
    "classes": fitted.classes_.tolist(),
    "same": bool((pickle.loads(pickle.dumps(fitted)).predict_proba(scaled) == fitted.predict_proba(scaled)).all()),
    "same again": bool((twice[0] == twice[1]).all()),
    "epochs": [epochs, len(again.history_["loss"])],
    "explained": regression.score(x, (y - y.mean()) / y.std()),
}
