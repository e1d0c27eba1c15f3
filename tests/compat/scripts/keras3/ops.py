import keras
import numpy as np
from keras import ops

x = ops.arange(6, dtype="float32")
assert ops.reshape(x, (2, 3)).shape == (2, 3)
np.testing.assert_allclose(np.asarray(ops.softmax(x)).sum(), 1, rtol=1e-6)
np.testing.assert_array_equal(np.asarray(ops.where(x > 2, x, 0 * x)), [0, 0, 0, 3, 4, 5])
total = ops.scan(lambda carry, value: (carry + value, carry), ops.zeros(()), x)
assert float(total[0]) == 15
assert keras.backend.backend() == "jax"
symbol = keras.KerasTensor((None, 3))
assert ops.mean(symbol, axis=-1).shape == (None,)
