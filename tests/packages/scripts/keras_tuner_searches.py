"""Keras Tuner: a search of each kind, what it finds, and a search that is taken up again."""

import keras
import keras_tuner
from sklearn.datasets import load_iris

x, y = load_iris(return_X_y=True)
keras.utils.set_random_seed(0)
order = keras.random.shuffle(keras.ops.arange(len(x)), seed=0)
x, y = x[order], y[order]


def build(hp):
    model = keras.Sequential([keras.Input((4,))])
    for i in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Choice(f"units_{i}", [4, 16]), activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Sized(keras_tuner.HyperModel):
    """The size of a batch is searched too."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 50]), **kwargs)


searches = {
    "random": (keras_tuner.RandomSearch, Sized(), {"max_trials": 3}),
    "bayesian": (keras_tuner.BayesianOptimization, build, {"max_trials": 3, "num_initial_points": 2}),
    "hyperband": (keras_tuner.Hyperband, build, {"max_epochs": 4, "factor": 3}),
}
result = {}
for name, (search, model, settings) in searches.items():
    settings = {"objective": "val_accuracy", "seed": 1, "directory": "searches", "project_name": name, **settings}
    tuner = search(model, **settings)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=3)
    tuner.search(x, y, epochs=6, validation_split=0.2, callbacks=[stop], verbose=0)
    best = tuner.get_best_models()[0]
    again = search(model, **settings, overwrite=False)
    result[name] = {
        "states": sorted({trial.status for trial in tuner.oracle.trials.values()}),
        "trials": len(tuner.oracle.trials),
        "known again": len(again.oracle.trials),
        "values": tuner.get_best_hyperparameters()[0].values,
        "score": tuner.oracle.get_best_trials()[0].score,
        "accuracy": best.evaluate(x[-30:], y[-30:], verbose=0)[1],
    }
space = keras_tuner.HyperParameters()
network = keras_tuner.applications.HyperResNet(input_shape=(32, 32, 3), classes=3).build(space)
result["network"] = [list(network.output_shape), sorted(space.values)[:2]]
