"""Whole models in one HDF5 file, as Keras of every age wrote them, and as Keras 3 writes them."""

import json
import os
from collections.abc import Mapping
from typing import Any

from keryx import losses
from keryx.core import plain, registered
from keryx.core.codec import deserialize, serialize
from keryx.core.lending import put, reading
from keryx.core.names import snake_case, untaken
from keryx.core.variable import made_later
from keryx.errors import FileError
from keryx.layers.layer import registry
from keryx.models.model import Model
from keryx.saving import atomic, hdf5, hdf5_writer, layout
from keryx.saving.old import training, weights_h5
from keryx.saving.old.groups import groups, in_pieces
from keryx.saving.old.translate import to_today


def read(
    path: str | os.PathLike,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    data: memoryview | None = None,
) -> Model:
    """The model of a file: its graph, weights, what it was compiled with, and the state of its optimizer.

    Args:
        path: The file.
        custom_objects: Classes and functions of yours that it names.
        compile: Whether the model is compiled as it was.
        safe_mode: Ignored: no code of a file is run.
        data: Its bytes, where they are in memory already.

    Raises:
        FileError: Where it is damaged, or holds no whole model.
        ConfigError: Where it names what there is not, or holds code. Both before anything is built.
    """
    root = hdf5.read(path if data is None else data)
    name = str(path)
    config, trained = (_json(root, word, name) for word in ("model_config", "training_config"))
    group = root.get("model_weights")
    if config is None or not isinstance(group, hdf5.Group):
        way = (
            "It holds weights alone: build the model, and call model.load_weights(path)."
            if weights_h5.is_old(root)
            else ""
        )
        raise FileError(f"{name} holds no whole model. {way}".rstrip())
    version = _version(root, group)
    origin = weights_h5.origin_of(group, weights_h5.layers_of(group))
    with registered.custom_object_scope(dict(custom_objects or {})):
        today = to_today(config, version)
        arguments = training.compile_arguments(trained, version) if compile and trained is not None else None
        with made_later():
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
                training.restore_optimizer(model, state, group, origin)
    with reading(model.variables):  # makes those that no file holds
        pass
    return model


def write(model: Model, path: str | os.PathLike) -> None:
    """Write a model as Keras 3 writes `.h5` files: its config, weights, how it was compiled, the optimizer's state.

    Raises:
        FileError: Where the file cannot be written.
        ConfigError: Where the model holds what has no config.
    """
    about = {"backend": "jax", "keras_version": KERAS_VERSION, "model_config": json.dumps(serialize(model))}
    compiled: Any = model.get_compile_config() if model.compiled else {}
    kept: dict[str, Any] = {}
    if compiled.get("optimizer") is not None:
        trained = {key: _in_full(value) for key, value in compiled.items() if key != "optimizer"}
        about["training_config"] = json.dumps(trained | {"optimizer_config": compiled["optimizer"]})
        taken: dict[str, int] = {}
        state = (value for name, value in layout.kept_by(model.optimizer).items() if name.startswith(layout.VARIABLES))
        kept = {untaken(getattr(value, "path", "unused"), taken): value for value in state}
    with groups(model, KERAS_VERSION) as weights, layout.at_one_moment(kept) as arrays:
        root = hdf5_writer.Group({"model_weights": weights}, about)
        if arrays:
            state = hdf5_writer.Group(attributes=in_pieces("weight_names", list(arrays)))
            for name, array in arrays.items():
                state.put(name, array)
            root.members["optimizer_weights"] = state
        with atomic.writing(path) as file:
            hdf5_writer.write(file, root)


def _in_full(value: Any) -> Any:
    """What compile() was given, spelled out: Keras 3 does not read `mse` out of its own `.h5` files."""
    if isinstance(value, dict):
        return value if "class_name" in value else {key: _in_full(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_in_full(v) for v in value]
    found = losses.registry.table.get(value) if isinstance(value, str) else None
    return value if found is None else snake_case(found.__name__)


KERAS_VERSION = "3.15.1"  # whose files they are like


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
