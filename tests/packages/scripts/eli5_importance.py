"""ELI5: how much worse a classifier is without each input, by permutation."""

import eli5
import keras
import numpy as np
from eli5.sklearn import PermutationImportance
from scikeras.wrappers import KerasClassifier

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(200, 3)).astype("float32")
y = (x[:, 1] > 0).astype("int64")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
estimator = KerasClassifier(
    model, loss="binary_crossentropy", optimizer=keras.optimizers.Adam(0.1), epochs=15, verbose=0
)
importance = PermutationImportance(estimator.fit(x, y), n_iter=2, random_state=0).fit(x, y)
result = {"importances": importance.feature_importances_.tolist(), "told": eli5.explain_weights(importance).method}
