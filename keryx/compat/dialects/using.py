"""What happens when a dialect begins and ends."""

import functools
import json
import sys
from typing import Any

import numpy as np

from keryx import callbacks as callbacks
from keryx import config, constraints, initializers, layers, old_words, optimizers, regularizers
from keryx.callbacks import csv_logger
from keryx.compat.dialects import age, members, modules, written
from keryx.compat.dialects.backend.state import PHASE
from keryx.compat.dialects.patches import Patches, by_keryx, constructor, method
from keryx.compat.dialects.training import files, metrics
from keryx.compat.dialects.training import methods as training
from keryx.compat.dialects.training import optimizers as old_optimizers
from keryx.compat.dialects.words import values
from keryx.compat.dialects.words.signatures import SIGNATURES
from keryx.compat.dropin import Face
from keryx.compat.surroundings import settings_file
from keryx.core import codec, graph, registered, seeds
from keryx.errors import ConfigError
from keryx.layers.layer import Layer
from keryx.models import Model, Sequential
from keryx.training import identifiers

_patches = Patches()
VERSIONS = {1: "1.2.2", 2: "2.2.4"}  # of Keras, as far as a dialect goes


class Block:
    """What `use` returns: as a context manager it goes back to what was before when the block ends.

    Args:
        before: The age that was active, or None.
    """

    def __init__(self, before: int | None):
        self.before = before

    def __enter__(self) -> "Block":
        return self

    def __exit__(self, *error: object) -> None:
        _become(self.before)


def use(version: int | None = None) -> Block:
    """From here on take the words of an age of Keras, and what they meant; in a `with` statement, within its block.

    Args:
        version: 1 for Keras 1 (as of 1.2.2), 2 for Keras 2 (as of 2.2.4, which took the words of Keras 1 as well);
            3 or None for today's words alone.

    Raises:
        ConfigError: For another number.

    >>> import keryx
    >>> __name__ = "a program"  # whose words are translated, unlike those of Keryx's own modules
    >>> with use(1):
    ...     layer = keryx.layers.Dense(3, "uniform", "relu", W_regularizer=None, input_dim=4)
    >>> layer.units, layer.activation.__name__
    (3, 'relu')
    """
    if version not in (1, 2, 3, None) or isinstance(version, bool):
        raise ConfigError(f"use() takes 1, 2 or 3 for Keras 1, 2 or 3, or None; got {version!r}.")
    block = Block(age.active())
    _become(None if version == 3 else version)
    return block


def _become(version: int | None) -> None:
    if version == age.active():
        return
    if age.active() is not None:
        _patches.undo()
        PHASE.fixed = None
        config.set_image_data_format(_format_before.pop())
    age.become(version)
    if version is not None:
        _format_before.append(config.image_data_format())
        try:
            _begin(version)
        except BaseException:
            _become(None)
            raise


_format_before: list[str] = []


def _begin(version: int) -> None:
    check, of_layers = old_words.check_layer_arguments, old_words.layer_class

    @functools.wraps(check)
    def check_layer_arguments(cls: type, args: tuple, kwargs: dict[str, Any]) -> None:
        if by_keryx(2):  # a call from outside is checked where it is translated
            check(cls, args, kwargs)

    @functools.wraps(of_layers)
    def layer_class(name: str, known: Any) -> Any:
        found = modules.own(version, "keras.layers", name)
        return of_layers(name, known) if found is None else found

    _patches.set(old_words, "check_layer_arguments", check_layer_arguments)
    _patches.set(old_words, "layer_class", layer_class)
    _patches.set(codec, "_serialize_function", written.naming(codec._serialize_function))
    _patches.set(registered, "find", written.finding(version, registered.find))
    for cls in _classes(version):
        _patches.set(cls, "__init__", constructor(version, cls))
    for name, translate in _METHODS.items():
        original = getattr(Model, name)
        _patches.set(Model, name, method(version, name, original, translate))
    _patches.set(Model, "predict_classes", training.predict_classes)
    _patches.set(Model, "predict_proba", training.predict_proba)
    for owner, name, value in members.of_age(version):
        _patches.set(owner, name, value)
    for module, name, value in modules.in_keryx(version):
        _patches.set(module, name, value)
    _patches.set(graph, "unique_name", _numbered_from_1(version, graph.unique_name))
    if isinstance(face := sys.modules.get("keras"), Face):
        _patches.set(face, "__version__", VERSIONS[version])
    _patches.set(identifiers, "MeanMetricWrapper", metrics.OfColumns)
    _patches.set(csv_logger, "_columns", sorted)  # of what there is, without places for a later validation
    _patches.set(np.random, "seed", _sowing(np.random.seed))
    if version == 1 and _ordering_of_keras_json() == "th":
        config.set_image_data_format("channels_first")


def _numbered_from_1(version: int, original: Any) -> Any:
    """The names of layers that are not named: `dense_1`, `dense_2`, ..."""

    @functools.wraps(original)
    def unique_name(base: str) -> str:
        base = values.name_of(version, base)
        name = original(base)
        return f"{base}_{1 if name == base else int(name.rpartition('_')[2]) + 1}"

    return unique_name


def _sowing(original: Any) -> Any:
    """`np.random.seed`, from which Keras 1 and 2 drew the first weights and their own seeds."""

    @functools.wraps(original)
    def seed(value: Any = None) -> None:
        original(value)
        if isinstance(value, (int, np.integer)) and not by_keryx(1):
            seeds.set_seed(int(value))

    return seed


_METHODS = {
    "compile": training.compile_,
    "fit": training.fit,
    "evaluate": training.evaluate,
    "train_on_batch": training.train_on_batch,
    "predict": training.predict,
    "fit_generator": training.fit_generator,
    "evaluate_generator": training.evaluate_generator,
    "predict_generator": training.predict_generator,
    "save": files.save,
    "save_weights": files.save_weights,
    "load_weights": files.load_weights,
}


def _classes(version: int) -> list[type]:
    """The classes whose constructors translate: all that have arguments of their own, or had."""
    families = layers, optimizers, initializers, regularizers, constraints
    for name in SIGNATURES[1] | SIGNATURES[2]:  # some are imported when they are asked for
        layers.registry.known(name)
    found = {thing for family in families for thing in family.registry.table.values() if isinstance(thing, type)}
    found |= {Layer, Model, Sequential, *old_optimizers.NAMES.values(), *modules.own_classes(version)}
    found |= {getattr(callbacks, name) for name in _CALLBACKS}
    # What is below first, so that it stands behind nothing that translates already.
    return sorted(found, key=lambda cls: (len(cls.__mro__), cls.__qualname__), reverse=True)


_CALLBACKS = ("LambdaCallback", "ReduceLROnPlateau", "TensorBoard")


def _ordering_of_keras_json() -> str | None:
    """The `image_dim_ordering` that the settings of Keras 1 in the user's home say, if there are any."""
    try:
        settings = json.loads(settings_file().read_text())
    except (OSError, ValueError):
        return None
    found = settings.get("image_dim_ordering") if isinstance(settings, dict) else None
    return found if isinstance(found, str) else None
