"""Where a name of Keras stands in Keryx: the rules by which paths below `keras` are found."""

import importlib
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

from keryx import later
from keryx.compat.keras_names import NAMES
from keryx.errors import did_you_mean, listing

NAMESPACES = frozenset(NAMES) - {""}

# Other ways to write a namespace, as they stand in people's imports; of two that fit the first holds.
ROOTS = {
    "keras._tf_keras.keras": "keras",
    "keras.api._v2.keras": "keras",
    "keras.api": "keras",
    "tensorflow.keras.experimental": "keras.optimizers.schedules",
    "tensorflow.keras.layers.experimental.preprocessing": "keras.layers",
    "tensorflow.keras.layers.experimental": "keras.layers",
    "tensorflow.keras.mixed_precision.experimental": "keras.mixed_precision",
    "tensorflow.keras.optimizers.experimental": "keras.optimizers",
    "tensorflow.keras": "keras",
    "tensorflow.python.keras": "keras.src",
}

# Below `keras.src`: folders without a namespace of their own, and modules that are not called as what is in them.
_FOLDERS = frozenset(
    [
        *("backend.common", "engine", "legacy.preprocessing", "testing", "trainers", "trainers.data_adapters"),
        *("layers.activations", "layers.attention", "layers.convolutional", "layers.core", "layers.merging"),
        *("layers.normalization", "layers.pooling", "layers.preprocessing", "layers.regularization"),
        *("layers.preprocessing.image_preprocessing", "layers.preprocessing.image_preprocessing.bounding_boxes"),
        *("layers.reshaping", "layers.rnn"),
    ]
)
_FILES = frozenset(
    [
        *("clahe", "cloning", "converters", "core", "dtypes", "einops", "functional", "global_state"),
        *(
            "grouped_query_attention",
            "keras_saveable",
            "linalg",
            "math",
            "max_num_bounding_box",
            "model_visualization",
            "naming",
        ),
        *("object_registration", "operation", "optimizer_schedule", "remat", "saved_model", "serialization"),
        *("spatial_dropout", "trainer", "tracking", "variables", "version"),
    ]
)
_ENDINGS = ("_adapter", "_api", "_editor", "_initializers", "_layer", "_lib", "_map", "_metrics", "_utils", "_wrapper")
_ELSEWHERE = {  # where the public things of a private folder stand
    "backend.common": "backend",
    "backend.image": "ops.image",
    "backend.linalg": "ops.linalg",
    "backend.nn": "ops.nn",
    "backend.numpy": "ops.numpy",
    "backend.random": "random",
    "layers.preprocessing.image_preprocessing.bounding_boxes": "utils.bounding_boxes",
    "trainers.data_adapters": "utils",
}
# Private things that programs import all the same, by what they are here; by path where the name is public too.
_PRIVATE = {
    "GroupedQueryAttention": "layers.GroupQueryAttention",
    "KerasVariable": "Variable",
    "LossFunctionWrapper": "losses.base.LossFunctionWrapper",
    "class_weight_to_sample_weights": "compat.private.class_weight_to_sample_weights",
    "distribution.distribution_lib.distribution": "compat.private.distribution",
    "get_keras_mask": "core.scope.mask_of",
    "in_grain_data_pipeline": "compat.private.in_grain_data_pipeline",
    "in_safe_mode": "compat.private.in_safe_mode",
    "no_automatic_dependency_tracking": "compat.private.no_automatic_dependency_tracking",
    "set_keras_mask": "core.scope.set_mask",
}


def namespace(path: str) -> Any:
    """Keryx's module for a namespace of Keras, "" for the root; AttributeError where it is not here yet.

    >>> namespace("optimizers.schedules").__name__
    'keryx.optimizers.schedules'
    """
    found: Any = importlib.import_module("keryx")
    for part in path.split(".") if path else ():
        found = getattr(found, part)
    return found


def public(path: str) -> list[str]:
    """The names of a namespace of Keras that Keryx has, of things and of namespaces in it.

    >>> "Dense" in public("layers"), "np" in public("backend"), "schedules" in public("optimizers")
    (True, False, True)
    """
    inner = [space.rpartition(".")[2] for space in NAMESPACES if space.rpartition(".")[0] == path]
    return sorted(name for name in (*NAMES[path], *inner) if later.reason(_joined(path, name)) is None)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}".strip(".")


@cache
def _homes() -> dict[str, list[str]]:
    """By name, the namespaces that have it."""
    found: dict[str, list[str]] = {}
    for path, words in NAMES.items():
        for name in words:
            found.setdefault(name, []).append(path)
    return found


@cache
def _spelled() -> frozenset[str]:
    """The public classes as modules spell them, but for underscores."""
    return frozenset(word.lower() for word in _homes() if word[0].isupper())


def nearest(source: str) -> str:
    """The namespace that a path below `keras.src` belongs to.

    >>> nearest("layers.core.dense"), nearest("backend.nn"), nearest("trainers.trainer")
    ('layers', 'ops.nn', '')
    """
    for path in _upwards(source):
        if path in _ELSEWHERE or path in NAMESPACES:
            return _ELSEWHERE.get(path, path)
    return ""


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]


def is_source(path: str) -> bool:
    """Whether Keras may have a module of this path below `keras.src` that holds anything public.

    >>> is_source("layers.core.dense"), is_source("utils.numerical_utils"), is_source("utils.nothing")
    (True, True, False)
    """
    folder, _, leaf = path.rpartition(".")
    if is_source_file(path):
        return True
    named = leaf.replace("_", "") in _spelled() or nearest(folder) in _homes().get(leaf, ())
    return named and leaf.islower() and _is_folder(folder)


def is_source_file(path: str) -> bool:
    """Whether a path below `keras.src` is known to be a module, not only spelled as one."""
    folder, _, leaf = path.rpartition(".")
    called = leaf in _FILES or leaf.endswith(_ENDINGS) or leaf == folder.rpartition(".")[2]
    return _is_folder(path) or (called and _is_folder(folder))


def _is_folder(path: str) -> bool:
    return not path or path in NAMESPACES or path in _FOLDERS or path in _ELSEWHERE


def find_public(path: str, name: str) -> Any:
    """A name of a public namespace; AttributeError, with what is there, where Keras has none or Keryx has not yet.

    >>> find_public("layers", "Dense").__name__
    'Dense'
    >>> find_public("layers", "Dens")
    Traceback (most recent call last):
    AttributeError: keras.layers has no 'Dens'. Did you mean 'Dense'?
    """
    if name in NAMES[path] or _joined(path, name) in NAMESPACES:
        return getattr(namespace(path), name)  # which says why, where it is for later
    found = None if name[0] == "_" else getattr(namespace(path), name, None)
    if found is None or isinstance(found, ModuleType):
        raise AttributeError(f"{_called(path)} has no {name!r}.{_hint(path, name)}")
    return found


def _called(path: str) -> str:
    return f"keras.{path}" if path else "keras"


def _hint(path: str, name: str) -> str:
    elsewhere = [home for home in _homes().get(name, ()) if later.reason(_joined(home, name)) is None]
    return f" There is {_called(elsewhere[0])}.{name}." if elsewhere else did_you_mean(name, public(path))


def find_source(path: str, name: str) -> Any:
    """The public thing of a name that is asked for below `keras.src`: the nearest of that name.

    >>> find_source("layers.core.dense", "Dense") is find_public("layers", "Dense")
    True
    >>> find_source("backend.nn", "relu") is find_public("ops.nn", "relu")
    True
    """
    own = nearest(path)
    private = _PRIVATE.get(f"{path}.{name}", _PRIVATE.get(name))
    if private is not None:
        home, _, inner = private.rpartition(".")
        return getattr(importlib.import_module(f"keryx.{home}".rstrip(".")), inner)
    for home in (own, *list(_upwards(own))[1:], ""):
        if name in NAMES[home]:
            return find_public(home, name)
    found: dict[int, tuple[str, Any]] = {}
    for home in _homes().get(name, ()):
        if later.reason(_joined(home, name)) is None:
            value = find_public(home, name)
            found.setdefault(id(value), (home, value))
    if len(found) == 1:
        return next(iter(found.values()))[1]
    asked = _called(_joined("src", path))
    if found:
        homes = listing(f"{_called(home)}.{name}" for home, _ in found.values())
        raise AttributeError(f"{asked} leads to several things called {name!r}: import one of {homes}.")
    raise AttributeError(
        f"{asked}.{name} is private to Keras, and Keryx has only what Keras makes public; what is near is in "
        f"{_called(own)}.{did_you_mean(name, public(own))}"
    )
