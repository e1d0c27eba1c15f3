"""Keras Tuner: a search that a chief hands out to workers, each a process; the environment says which this is."""

import os

import keras
import keras_tuner
import numpy as np

x = np.ones((32, 4), "float32")


def build(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 8)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


settings = {"objective": "val_loss", "max_trials": 3, "directory": "searches", "project_name": "shared"}
tuner = keras_tuner.RandomSearch(build, **settings)
tuner.search(x, x[:, :1], epochs=1, validation_split=0.25, verbose=0)
result = [os.environ["KERASTUNER_TUNER_ID"], len(tuner.oracle.get_best_trials(10))]
