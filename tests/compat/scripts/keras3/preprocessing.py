import keras
import numpy as np
from keras import layers

vectorize = layers.TextVectorization(output_mode="int", output_sequence_length=4)
vectorize.adapt(["foo bar", "bar baz"])
assert np.asarray(vectorize(["bar qux"])).tolist() == [[2, 1, 0, 0]]
normalizer = layers.Normalization(axis=-1)
normalizer.adapt(np.array([[1.0], [3.0]]))
np.testing.assert_allclose(np.asarray(normalizer(np.array([[1.0], [3.0]]))), [[-1], [1]], atol=1e-4)
assert keras.utils.pad_sequences([[1], [2, 3]], padding="post").tolist() == [[1, 0], [2, 3]]
assert keras.utils.to_categorical([0, 2], 3).tolist() == [[1, 0, 0], [0, 0, 1]]
