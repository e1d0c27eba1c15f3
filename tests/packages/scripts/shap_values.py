"""SHAP: what each input has to do with a prediction."""

import keras
import numpy as np
import shap

keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
weights = np.array([1.0, 2.0, 0.0, -1.0])
x = random.normal(size=(64, 4)).astype("float32")
inputs = keras.Input((4,))
model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
model.set_weights([weights[:, None], np.zeros(1)])


def predict(rows):
    return model.predict(rows, verbose=0)[:, 0]


background, rows = x[:16], x[16:19]
explainers = {
    "kernel": lambda: shap.KernelExplainer(predict, background).shap_values(rows, silent=True),
    "kernel of a model": lambda: shap.KernelExplainer(model, background).shap_values(rows, silent=True)[:, :, 0],
    "exact": lambda: shap.explainers.Exact(predict, background)(rows).values,
}
result = {name: np.asarray(explain()).tolist() for name, explain in explainers.items()}
# For a linear function they are known.
result["known"] = (weights * (rows - background.mean(axis=0))).tolist()
result["refused"] = {}
for name in ("DeepExplainer", "GradientExplainer"):
    try:
        getattr(shap, name)(model, background).shap_values(rows)
    except Exception as error:
        result["refused"][name] = [type(error).__name__, str(error)]
