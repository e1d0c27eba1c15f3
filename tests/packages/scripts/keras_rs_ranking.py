"""Keras RS: a deep and cross network, and the retrieval of the nearest candidates."""

import keras
import keras_rs
import numpy as np

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x = random.normal(size=(256, 6)).astype("float32")
y = x[:, :1] * x[:, 1:2]
inputs = keras.Input((6,))
crossed = keras_rs.layers.FeatureCross()(inputs, inputs)
crossed = keras_rs.layers.FeatureCross()(inputs, crossed)
model = keras.Model(inputs, keras.layers.Dense(1)(crossed))
model.compile(keras.optimizers.Adam(0.02), "mse")
losses = model.fit(x, y, epochs=15, verbose=0).history["loss"]
model.save("crossed.keras")
custom = {"FeatureCross": keras_rs.layers.FeatureCross}
again = keras.models.load_model("crossed.keras", custom_objects=custom)

candidates = random.normal(size=(20, 4)).astype("float32")
scores, places = keras_rs.layers.BruteForceRetrieval(candidate_embeddings=candidates, k=3)(candidates[:2])
result = {
    "losses": [losses[0], losses[-1]],
    "distance": float(np.abs(again.predict(x, verbose=0) - model.predict(x, verbose=0)).max()),
    "places": np.asarray(places).tolist(),
    "nearest": np.argsort(-candidates[:2] @ candidates.T)[:, :3].tolist(),
    "gain": float(keras_rs.metrics.NDCG()(np.array([[1.0, 0, 2]]), np.array([[0.1, 0.3, 0.2]]))),
}
