# Architectures as JSON, weights as HDF5, whole models, and weights given to layers.
import os
import tempfile
import numpy as np
from keras.models import Sequential, model_from_json, load_model
from keras.layers import Dense, Embedding, Flatten

embedding_matrix = np.random.rand(7, 3)
model = Sequential()
model.add(Embedding(7, 3, weights=[embedding_matrix], input_length=4, trainable=False))
model.add(Flatten())
W, b = np.random.rand(12, 2), np.zeros(2)
model.add(Dense(2, weights=[W, b], activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam', metrics=['accuracy'])
x = np.random.randint(0, 7, (5, 4))
out = model.predict(x)
logits = embedding_matrix[x].reshape(5, 12).dot(W)
expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
assert np.allclose(out, expected, atol=1e-5)

folder = tempfile.mkdtemp()
model.save_weights(os.path.join(folder, 'weights'), overwrite=True)
model.save(os.path.join(folder, 'model.h5'))
other = model_from_json(model.to_json())
other.load_weights(os.path.join(folder, 'weights'))
assert np.allclose(other.predict(x), out, atol=1e-6)
whole = load_model(os.path.join(folder, 'model.h5'))
assert np.allclose(whole.predict(x), out, atol=1e-6)
assert whole.optimizer.get_config()['epsilon'] == 1e-8
