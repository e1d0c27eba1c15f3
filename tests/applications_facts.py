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
    """By layer, in order: the shapes of its weights, and which are trained."""
    trained = {id(w) for w in model.trainable_weights}
    return [[layer.name, [[list(w.shape), id(w) in trained] for w in layer.weights]] for layer in model.layers]


def settings(model) -> list:
    """By layer, in order, its config."""
    return [[layer.name, plain(layer.get_config())] for layer in model.layers]


def facts(model) -> dict:
    """All of it as numbers and checksums."""
    weights = [shape for _, layer in arrays(model) for shape, _ in layer]
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


@contextlib.contextmanager
def drawn_quickly():
    """A block in which Keras's initializers give zeros, which takes no compilation."""
    import numpy as np
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

    found = {}
    with drawn_quickly():
        for name, make in sorted(vars(keras.applications).items()):
            if name[0].isupper():
                keras.utils.clear_session()
                found[name] = facts(make(weights=None))
                print(name, found[name], flush=True)
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in found]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
