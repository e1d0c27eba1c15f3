"""What Keras's applications are made of: names, connections, weights and settings of the layers, in short.

    python tests/applications_facts.py

writes tests/files/applications.json anew from the Keras that is installed.
"""

import contextlib
import hashlib
import json
import math
import os
from pathlib import Path
from unittest import mock

import numpy as np

FILE = Path(__file__).parent / "files" / "applications.json"
# Keys that only one of the two writes down, and that say nothing that the others do not.
UNSAID = {
    "activity_regularizer",
    "quantization_config",
    "build_input_shape",
    "build_config",
    "sparse",
    "ragged",
    "optional",
}


def plain(value):
    """A config without what tells Keras and Keryx apart: None, tuples, how an axis is written, modules of classes."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        if value["class_name"] == "DTypePolicy":
            return value["config"]["name"]
        return [value["class_name"], plain(value["config"])]
    if isinstance(value, dict):
        kept = {k: [v] if k == "axis" and isinstance(v, int) else v for k, v in value.items() if k not in UNSAID}
        return {k: plain(v) for k, v in sorted(kept.items()) if v is not None}
    if isinstance(value, (list, tuple)):  # Keras counts the input of a nested model among its layers
        return [plain(v) for v in value if not (isinstance(v, dict) and v.get("class_name") == "InputLayer")]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def sources(value):
    """The names of the layers whose outputs a call takes."""
    if isinstance(value, dict) and "keras_history" in value.get("config", {}):
        return [value["config"]["keras_history"][0]]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [name for v in inner for name in sources(v)]


def connections(model) -> dict:
    """By layer and operation: its class and what it takes."""
    entries = model.get_config()["layers"]
    return {e["name"]: [e["class_name"], *map(sources, e["inbound_nodes"])] for e in entries}


def arrays(model) -> list:
    """By layer, in order: the names and shapes of its weights, and which are trained."""
    trained = {id(w) for w in model.trainable_weights}

    def name(weight):  # Keras numbers those that nobody named
        return "variable" if weight.name.startswith("variable_") else weight.name

    return [[layer.name, [[name(w), list(w.shape), id(w) in trained] for w in layer.weights]] for layer in model.layers]


def settings(model) -> list:
    """By layer, in order, its config."""
    return [[layer.name, plain(layer.get_config())] for layer in model.layers]


def facts(model) -> dict:
    """All of it as numbers and checksums."""
    weights = [shape for _, layer in arrays(model) for _, shape, _ in layer]
    told = {"connections": connections(model), "arrays": arrays(model), "settings": settings(model)}
    return {
        "name": model.name,
        "layers": len(model.layers),
        "arrays of weights": len(weights),
        "weights": sum(map(math.prod, weights)),
        **{f"checksum of {k}": _checksum(v) for k, v in told.items()},
    }


def _checksum(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


# The smallest of each family, as small as it takes images.
SMALLEST = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "Xception": 71,
}
# Calls for weights that are in files of their own.
VARIANTS = [
    *(("MobileNet", {"alpha": alpha, "input_shape": (128, 128, 3)}) for alpha in (0.25, 0.5, 0.75, 1.0)),
    ("MobileNet", {"alpha": 0.25, "input_shape": (64, 64, 3), "include_top": False}),
    *(("MobileNetV2", {"alpha": alpha, "input_shape": (96, 96, 3)}) for alpha in (0.35, 0.5, 1.4)),
    ("MobileNetV2", {"alpha": 0.35, "input_shape": (96, 128, 3), "include_top": False}),
    *(
        (f"MobileNetV3{size}", {"include_top": top, **more})
        for size in ("Small", "Large")
        for top in (True, False)
        for more in ({"alpha": 0.75}, {"minimalistic": True})
    ),
]


def outputs(application, size: int) -> list[float]:
    """What a network without a top gives for one image, its weights drawn by NumPy: the first eight features."""
    model = application(weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3))
    draw_weights(model)
    image = np.random.default_rng(0).uniform(0, 255, (1, size, size, 3)).astype("float32")
    return np.asarray(model(image))[0, :8].tolist()


def draw_weights(model) -> None:
    """Weights with which the features neither vanish nor grow."""
    rng = np.random.default_rng(1)

    def drawn(weight):
        shape = tuple(weight.shape)
        values = rng.normal(size=shape)
        if len(shape) > 1:
            values *= math.sqrt(2 / math.prod(shape[:-1]))
        else:
            values = 1 + 0.2 * abs(values) if weight.name in ("gamma", "moving_variance", "variance") else 0.1 * values
        return values.astype(weight.dtype)

    model.set_weights([drawn(weight) for weight in model.weights])


@contextlib.contextmanager
def drawn_quickly():
    """A block in which Keras's initializers give zeros, which takes no compilation."""
    from keras.src.initializers import random_initializers

    with contextlib.ExitStack() as stack:
        for cls in vars(random_initializers).values():
            if isinstance(cls, type) and "__call__" in vars(cls):
                zeros = lambda self, shape, dtype=None, **_: np.zeros(shape, dtype or "float32")  # noqa: E731
                stack.enter_context(mock.patch.object(cls, "__call__", zeros))
        yield


def main():
    os.environ["KERAS_BACKEND"] = "jax"
    import keras
    from keras.src.utils import file_utils

    asked = []

    def get_file(name, url, cache_subdir, file_hash=None):
        assert cache_subdir == "models"
        asked.append([name, url, file_hash])

    found = {}
    applications = {k: v for k, v in sorted(vars(keras.applications).items()) if k[0].isupper()}
    get_file, load = mock.patch.object(file_utils, "get_file", get_file), mock.patch.object(keras.Model, "load_weights")
    with drawn_quickly(), get_file, load:
        for name, make in applications.items():
            keras.utils.clear_session()
            asked.clear()
            told = facts(make())
            make(include_top=False)
            found[name] = {**told, "files": list(asked)}
            if name in SMALLEST:
                found[name]["outputs"] = outputs(make, SMALLEST[name])
            print(name, found[name], flush=True)
        asked.clear()
        for name, more in VARIANTS:
            applications[name](**more)
        found["variants"] = list(asked)
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in found]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
