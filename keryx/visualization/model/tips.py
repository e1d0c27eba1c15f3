"""What is said of a box where the mouse rests on it: its weights, how it was made."""

import inspect
import re
from typing import Any

import jax
import numpy as np

from keryx.core import graph
from keryx.core.variable import Variable
from keryx.visualization.model.picture import Box, model_within
from keryx.visualization.model.text import clipped

_LONGEST = 72
_MOST_WEIGHTS = 12
_PASSED_OVER = {"name", "dtype", "trainable", "layer", "cell", "forward_layer", "backward_layer"}


def tip(box: Box) -> str:
    """Some lines of text on a box.

    >>> import keryx
    >>> layer = keryx.layers.Dense(2, activation="relu", name="first")
    >>> _ = layer(keryx.Input((3,)))
    >>> print(tip(Box("0", "first", "Dense", "layer", layer)))
    first (Dense)
    kernel (3, 2) float32
    bias (2,) float32
    8 parameters
    units=2, activation=relu
    """
    thing = box.thing
    lines = [f"{box.name} ({box.kind})"]
    if box.role == "input":
        return f"{lines[0]}\n{thing.dtype}"
    if isinstance(thing, graph.Op):
        return lines[0]
    inner = model_within(thing)
    if inner is not None:
        lines.append(f"{len(inner.layers)} layers")
    elif getattr(thing, "built", False):
        lines += _weights(thing)
    if getattr(thing, "built", False) and (count := thing.count_params()):
        lines.append(f"{count:,} parameters" + ("" if thing.trainable else ", frozen"))
    return "\n".join([*lines, *([_config(thing)] if inner is None else [])]).rstrip()


def _weights(layer: Any) -> list[str]:
    named = list(layer.named_variables.items())
    lines = [f"{path} {tuple(weight.shape)} {weight.dtype}" for path, weight in named[:_MOST_WEIGHTS]]
    return lines + [f"and {len(named) - _MOST_WEIGHTS} more"] * (len(named) > _MOST_WEIGHTS)


def _config(layer: Any) -> str:
    """The arguments that it was made with, but those that are as they always are.

    They are read off its attributes, of the same names: a config may hold arrays as large as its weights.
    """
    told = []
    for name, usual in _arguments(type(layer)).items():
        word = _word(getattr(layer, name, None))
        if word is not None and _plain(word) != _plain(usual):
            told.append(f"{name}={clipped(word, _LONGEST)}")
    return ", ".join(told)


def _word(value: Any) -> str | None:
    """A value in a word; None where there is nothing to say of it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return None if value is None else str(value)
    if isinstance(value, (tuple, list)):
        words = [_word(part) for part in value[:8]]
        return None if None in words else f"({', '.join(map(str, words))})"
    if isinstance(value, (np.ndarray, jax.Array, Variable)):
        return None
    return getattr(value, "__name__", type(value).__name__)


def _plain(word: Any) -> str:
    """`glorot_uniform` and `GlorotUniform` are one; so are lists and tuples."""
    return re.sub(r"[^a-z0-9.-]", "", str(word).lower())


def _arguments(cls: type) -> dict[str, Any]:
    """The arguments that it takes, with their defaults."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if "__init__" in vars(base) and base is not object:
            named = [p for p in inspect.signature(base).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
            found |= {p.name: p.default for p in named if p.name not in _PASSED_OVER}
    return found
