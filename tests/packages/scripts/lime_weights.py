"""LIME: the inputs that speak for a class."""

import keras
import numpy as np
from lime.lime_tabular import LimeTabularExplainer

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
model.set_weights([np.array([[0, 0], [0, 3.0], [0, 0], [0, -1.0]]), np.zeros(2)])
explainer = LimeTabularExplainer(x, feature_names=list("abcd"), discretize_continuous=False, random_state=0)
told = explainer.explain_instance(x[0], lambda rows: model.predict(rows, verbose=0), num_samples=500)
result = dict(told.as_list())
