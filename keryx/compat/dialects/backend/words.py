"""Functions of `keras.backend` in the words of Keras 1 and 2, and those that are refused."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from keryx.compat.dialects import age
from keryx.core import graph
from keryx.core.lending import Cell
from keryx.errors import ArgumentError, did_you_mean

# What arguments were called in Keras 1, where today's function has the other word.
RENAMED = {
    "border_mode": "padding",
    "dim": "axis",
    "dim_ordering": "data_format",
    "filter_dilation": "dilation_rate",
    "rate": "dilation_rate",
    "high": "maxval",
    "low": "minval",
    "nb_classes": "num_classes",
    "std": "stddev",
    "stride": "strides",
    "subsample": "strides",
    "X": "x",
}
_ASIDE = {"image_shape", "filter_shape", "volume_shape"}
_FORMATS = {"th": "channels_first", "tf": "channels_last", "default": None}

NAMES: dict[str, Callable] = {}  # the functions by name


class Shape(tuple):
    """The shape of a symbol: a tuple of sizes, None where one is not known, and a tensor to reckon with.

    Args:
        tensor: The symbol of the sizes.
    """

    tensor: Any

    def as_list(self) -> list[int | None]:
        """The sizes in a list."""
        return list(self)


def function(*names: str, symbolic: bool = True) -> Callable:
    """A decorator that enters a function under its own name and `names`, taking the words of both ages.

    Args:
        names: More names.
        symbolic: Whether a call on symbolic tensors is written down as an operation of their graph.
    """

    def enter(plain: Callable) -> Callable:
        lifted = _of_shapes(graph.lift(plain, plain.__name__.rstrip("_"))) if symbolic else plain
        known = inspect.signature(plain).parameters

        @functools.wraps(plain)
        def called(*args: Any, **kwargs: Any) -> Any:
            return lifted(*args, **_today(plain.__name__, kwargs, known))

        for name in (plain.__name__.rstrip("_"), *names):
            NAMES[name] = called
        return called

    return enter


def _of_shapes(function: Callable) -> Callable:
    """`function`, which reckons with the tensor of a Shape that is its first argument."""

    def called(first: Any, *args: Any, **kwargs: Any) -> Any:
        return function(first.tensor if isinstance(first, Shape) else first, *args, **kwargs)

    return called


def _today(name: str, kwargs: dict[str, Any], known: Any) -> dict[str, Any]:
    made = {}
    for word, value in kwargs.items():
        new = word if word in known else RENAMED.get(word, word)
        if new not in known:
            if word in _ASIDE:
                continue
            raise ArgumentError(f"K.{name.rstrip('_')}() has no argument {word!r}.{did_you_mean(word, known)}")
        made[new] = data_format(value) if new == "data_format" else value
    return made


def data_format(value: Any) -> Any:
    """A data format in today's words."""
    return _FORMATS.get(value, value) if isinstance(value, str) else value


def in_keras_1() -> bool:
    """Whether the words of Keras 1 are taken."""
    return age.active() == 1


def is_variable(x: Any) -> bool:
    """Whether `x` is a Variable."""
    return isinstance(x, Cell)


_SESSION = "there is no session: values are arrays, and K.get_value(x) reads a variable. Leave it out"
_OF_TENSORFLOW = "write it with the functions of K, or with jax.numpy"
REFUSED = {
    "get_session": _SESSION,
    "set_session": _SESSION,
    "get_variable_shape_op": _OF_TENSORFLOW,
    "tf": _OF_TENSORFLOW,
    "manual_variable_initialization": "variables have their values when they are made. Leave it out",
    "set_legacy_weight_ordering": "weights are in today's order",
    "legacy_weight_ordering": "weights are in today's order",
    **dict.fromkeys(
        ("ctc_cost", "ctc_create_skip_idxs", "ctc_interleave_blanks", "ctc_path_probs", "ctc_update_log_p"),
        "it was a part of K.ctc_batch_cost on Theano: call that",
    ),
    **dict.fromkeys(("local_conv1d", "local_conv2d"), "use the layers LocallyConnected1D and LocallyConnected2D"),
    "ifelse": "write K.switch(condition, a, b)",
    "th_sparse_module": "there are no sparse tensors: K.to_dense(x) gives dense ones",
    "RandomStreams": "write K.random_uniform(shape) and its kin",
}


def _refused(name: str, way: str) -> Callable:
    def gone(*args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"keras.backend.{name}() is not offered: {way}.")

    gone.__name__ = name
    return gone


NAMES.update({name: _refused(name, way) for name, way in REFUSED.items()})
