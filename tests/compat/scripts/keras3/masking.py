import keras
import numpy as np
from keras import layers

padded_inputs = np.array([[711, 632, 71, 0, 0, 0], [73, 8, 3215, 55, 927, 0]])
embedding = layers.Embedding(input_dim=5000, output_dim=4, mask_zero=True)
masked_output = embedding(padded_inputs)
mask = embedding.compute_mask(padded_inputs)
np.testing.assert_array_equal(np.asarray(mask), padded_inputs != 0)
short = layers.GlobalAveragePooling1D()(masked_output)
np.testing.assert_allclose(np.asarray(short)[0], np.asarray(masked_output)[0, :3].mean(0), rtol=1e-5)
