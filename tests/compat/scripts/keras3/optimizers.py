import keras
import numpy as np

schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
optimizer = keras.optimizers.Adam(learning_rate=schedule, clipnorm=1.0)
v = keras.Variable(np.ones(2, "float32"))
optimizer.apply([np.array([1.0, -1.0])], [v])
np.testing.assert_allclose(np.asarray(v), [0.9, 1.1], atol=1e-4)
assert optimizer.get_config()["clipnorm"] == 1.0
