"""Whole models in one HDF5 file, as Keras of every age wrote them, and as Keras 3 writes them."""

import os
from collections.abc import Mapping
from typing import Any

from keryx.core import plain, registered
from keryx.core.codec import deserialize
from keryx.core.lending import put
from keryx.errors import FileError
from keryx.layers.layer import registry
from keryx.models.model import Model
from keryx.saving import hdf5
from keryx.saving.old import training, weights_h5
from keryx.saving.old.translate import to_today


def read(
    path: str | os.PathLike,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model of a file: its graph, weights, what it was compiled with, and the state of its optimizer.

    Args:
        path: The file.
        custom_objects: Classes and functions of yours that it names.
        compile: Whether the model is compiled as it was.
        safe_mode: Ignored: no code of a file is run.

    Raises:
        FileError: Where it is damaged, or holds no whole model.
        ConfigError: Where it names what there is not, or holds code. Both before anything is built.
    """
    root = hdf5.read(path)
    name = str(path)
    for _ in root.walk():  # the whole file is checked
        pass
    config, trained = (_json(root, word, name) for word in ("model_config", "training_config"))
    group = root.get("model_weights")
    if config is None or not isinstance(group, hdf5.Group):
        way = "It holds weights alone: build the model, and call model.load_weights(path)." if weights_h5.is_old(root) else ""
        raise FileError(f"{name} holds no whole model. {way}".rstrip())
    version = _version(root, group)
    with registered.custom_object_scope(dict(custom_objects or {})):
        today = to_today(config, version)
        arguments = training.compile_arguments(trained, version) if compile and trained is not None else None
        model = deserialize(today, registry)
        if not isinstance(model, Model):
            raise FileError(f"{name} holds a {type(model).__name__}, not a model.")
        matching = weights_h5.match(group, model, names_first=True)
        wrong = {**matching.missing, **matching.unused}
        if wrong:
            told = "; ".join(f"{place}: {why}" for place, why in list(wrong.items())[:10])
            raise FileError(f"The weights of {name} do not fit the model that it describes: {told}.")
        variables = list(matching.found)
        put(variables, [v.owned(value) for v, value in matching.found.items()])
        if arguments is not None:
            model.compile(**arguments)
            state = root.get("optimizer_weights")
            if isinstance(state, hdf5.Group):
                training.restore_optimizer(model, state, weights_h5.origin_of(group, weights_h5.layers_of(group)))
    return model


def _json(root: hdf5.Group, word: str, name: str) -> Any:
    text = root.attributes.get(word)
    if text is None:
        return None
    if not isinstance(text, str):
        raise FileError(f"What {name} says under {word!r} is no text: damaged.")
    return plain.loads(text, f"{name}, in {word!r}")


def _version(root: hdf5.Group, group: hdf5.Group) -> str | None:
    """Who wrote it; Keras 1 said so for the model alone."""
    found = [where.attributes.get("keras_version") for where in (root, group)]
    versions = [version for version in found if isinstance(version, str)]
    return versions[0] if versions else None
