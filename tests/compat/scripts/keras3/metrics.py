import keras
import numpy as np

m = keras.metrics.Mean()
m.update_state([1, 3, 5, 7])
assert float(m.result()) == 4.0
auc = keras.metrics.AUC(num_thresholds=3)
auc.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
assert abs(float(auc.result()) - 0.75) < 1e-6
precision = keras.metrics.Precision()
precision.update_state(np.array([0, 1, 1, 1]), np.array([1, 0, 1, 1]))
assert abs(float(precision.result()) - 2 / 3) < 1e-6
