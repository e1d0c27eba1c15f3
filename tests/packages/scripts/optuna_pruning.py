"""Optuna: a study whose trials are pruned by the callback of optuna-integration."""

import keras
import numpy as np
import optuna
from optuna_integration import KerasPruningCallback

optuna.logging.set_verbosity(optuna.logging.WARNING)
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)


def objective(trial):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    model.compile(keras.optimizers.SGD(rate), "mse")
    pruning = KerasPruningCallback(trial, "val_loss")
    history = model.fit(x, y, epochs=5, validation_split=0.25, callbacks=[pruning], verbose=0)
    return history.history["val_loss"][-1]


pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1)
study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=1))
study.optimize(objective, n_trials=10)
result = {
    "states": [trial.state.name for trial in study.trials],
    "reported": [len(trial.intermediate_values) for trial in study.trials],
    "best": study.best_params["learning_rate"],
    "highest": max(trial.params["learning_rate"] for trial in study.trials),
}
