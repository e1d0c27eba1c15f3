"""What stood in which module of Keras 1 and 2, beside what Keryx has under the same name."""

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from keryx.errors import ArgumentError

_LAYERS = (
    "core convolutional convolutional_recurrent cudnn_recurrent recurrent embeddings normalization "
    "advanced_activations merge noise local pooling wrappers containers"
)
_ENGINE = "topology training base_layer input_layer network sequential"

# The module of Keryx that a path goes on to, and the function of the age that says what there is beside it.
_PATHS: dict[str, tuple[str | None, str]] = {
    "keras": (None, "top"),
    "keras.layers": ("keryx.layers", "layers"),
    **{f"keras.layers.{part}": ("keryx.layers", "layers") for part in _LAYERS.split()},
    "keras.legacy.layers": ("keryx.layers", "layers"),
    "keras.models": ("keryx.models", "models"),
    "keras.engine": ("keryx.layers", "engine"),
    **{f"keras.engine.{part}": ("keryx.layers", "engine") for part in _ENGINE.split()},
    "keras.optimizers": ("keryx.optimizers", "optimizers"),
    "keras.losses": ("keryx.losses", "losses"),
    "keras.objectives": ("keryx.losses", "losses"),
    "keras.metrics": ("keryx.metrics", "metrics"),
    "keras.regularizers": ("keryx.regularizers", "regularizers"),
    "keras.constraints": ("keryx.constraints", "constraints"),
    "keras.initializers": ("keryx.initializers", "initializers"),
    "keras.initializations": ("keryx.initializers", "initializers"),
    "keras.activations": ("keryx.activations", "activations"),
    "keras.callbacks": ("keryx.callbacks", "callbacks"),
    "keras.backend": ("keryx.backend", "backend"),
    **{f"keras.backend.{part}": ("keryx.backend", "backend") for part in ("tensorflow_backend", "theano_backend")},
    "keras.backend.common": ("keryx.backend", "backend"),
    "keras.utils.np_utils": ("keryx.utils", "np_utils"),
    "keras.utils": ("keryx.utils", "utils"),
    "keras.utils.generic_utils": ("keryx.utils", "utils"),
    "keras.utils.data_utils": ("keryx.utils", "utils"),
    "keras.utils.io_utils": ("keryx.utils", "utils"),
    "keras.utils.layer_utils": ("keryx.utils", "utils"),
    "keras.utils.training_utils": ("keryx.utils", "utils"),
    "keras.utils.vis_utils": ("keryx.utils", "pictures"),
    "keras.utils.visualize_util": ("keryx.utils", "pictures"),
    "keras.preprocessing.text": (None, "text"),
    "keras.preprocessing.sequence": ("keryx.preprocessing.sequence", "sequence"),
    "keras.preprocessing.image": ("keryx.preprocessing.image", "image"),
    "keras.wrappers.scikit_learn": (None, "scikit_learn"),
    "keras.datasets.imdb": ("keryx.datasets.imdb", "imdb"),
    "keras.datasets.reuters": ("keryx.datasets.reuters", "reuters"),
}


class Contents(Mapping[str, Any]):
    """What a module of an age has: its own names, then those of Keryx's module.

    Args:
        own: What is the age's.
        base: The module of Keryx that it goes on to.
    """

    def __init__(self, own: dict[str, Any], base: Any):
        self.own, self.base = own, base

    def __getitem__(self, name: str) -> Any:
        if name in self.own:
            return self.own[name]
        if self.base is None or name.startswith("__"):
            raise KeyError(name)
        try:
            return getattr(self.base, name)
        except AttributeError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        others = [] if self.base is None else [name for name in dir(self.base) if name[0] != "_"]
        return iter(dict.fromkeys([*self.own, *others]))

    def __len__(self) -> int:
        return len(list(iter(self)))


@functools.lru_cache(200)
def contents(age: int, path: str) -> Contents | None:
    """What the module at a path has in an age, or None where there was no such module."""
    if path not in _PATHS:
        return None
    base, builder = _PATHS[path]
    return Contents(_builders()[builder](age), None if base is None else importlib.import_module(base))


def find(age: int, path: str, name: str) -> Any:
    """What a name of a module stands for in an age; what cannot be is a function that says what to write.

    Raises:
        AttributeError: Where it stands for nothing.
    """
    found = contents(age, path)
    if found is None or name not in found:
        raise AttributeError(f"{path} of Keras {age} has no {name!r}.")
    return found[name]


def own(age: int, path: str, name: str) -> Any:
    """The same, without what Keryx has under that path today; None where there is nothing."""
    found = contents(age, path)
    return None if found is None else found.own.get(name)


def in_keryx(age: int) -> Iterator[tuple[Any, str, Any]]:
    """Module, name and thing, of what Keryx's own modules have beside their own while a dialect is active.

    Layers come when they are asked for, and what Keryx itself uses stays as it is.
    """
    for path in ("keras.callbacks", "keras.optimizers", "keras.backend"):
        found = contents(age, path)
        assert found is not None
        for name, thing in found.own.items():
            if path == "keras.backend" or isinstance(thing, type) or not hasattr(found.base, name):
                yield found.base, name, thing


def own_classes(age: int) -> set[type]:
    """The classes of an age whose constructors translate too."""
    found = contents(age, "keras.layers")
    assert found is not None
    return {thing for thing in found.own.values() if isinstance(thing, type)}


@functools.cache
def _builders() -> dict[str, Callable[[int], dict[str, Any]]]:
    from keryx.compat.dialects.names import contents as inner
    from keryx.compat.dialects.names import libraries as around

    return {name: getattr(inner, name, None) or getattr(around, name) for _, name in _PATHS.values()}


def gone(name: str, way: str) -> Callable:
    """A function that stands for what cannot be, and says what to write."""

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"{name} is not offered: {way}.")

    refused.__name__ = name.rpartition(".")[2]
    return refused
