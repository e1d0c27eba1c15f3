import os
import tempfile

import keras
import numpy as np

inputs = keras.Input(shape=(4,))
model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
x = np.random.rand(3, 4)
folder = tempfile.mkdtemp()
model.save(os.path.join(folder, "model.keras"))
loaded = keras.models.load_model(os.path.join(folder, "model.keras"))
np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
model.save_weights(os.path.join(folder, "model.weights.h5"))
clone = keras.models.clone_model(model)
clone.load_weights(os.path.join(folder, "model.weights.h5"))
np.testing.assert_array_equal(clone.get_weights()[0], model.get_weights()[0])
