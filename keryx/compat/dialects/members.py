"""Members that layers, optimizers and variables had in Keras 1 and 2, beside the constructors."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

import jax

from keryx.callbacks import Callback
from keryx.compat.dialects.backend.functions import get_updates
from keryx.compat.dialects.backend.state import PHASE
from keryx.compat.dialects.backend.words import Shape
from keryx.compat.dialects.patches import by_keryx
from keryx.compat.dialects.training import files
from keryx.compat.dialects.training import optimizers as old_optimizers
from keryx.compat.dialects.training.methods import of_batch, params_of_age, validation_data
from keryx.compat.dialects.words import calls
from keryx.compat.dialects.words.signatures import SIGNATURES
from keryx.core.call_plan import plan_of
from keryx.core.graph import symbols_in
from keryx.core.owner import Owner
from keryx.core.symbol import SymbolicTensor
from keryx.core.variable import Variable
from keryx.layers import InputLayer
from keryx.layers.layer import Layer
from keryx.models import Model, Sequential
from keryx.optimizers import Optimizer


def _add_weight(version: int, original: Callable) -> Callable:
    """`layer.add_weight` in the order of the age; Keras 2 took that of Keras 1 too, where the shape stands first."""

    @functools.wraps(original)
    def add_weight(self: Any, *args: Any, **kwargs: Any) -> Any:
        if by_keryx(1):
            return original(self, *args, **kwargs)
        shape_first = bool(args) and not isinstance(args[0], (str, type(None)))
        words = SIGNATURES[1 if shape_first else version]["add_weight"].split()
        return original(self, **calls.bound("add_weight()", words, args, kwargs))

    return add_weight


def _add_update(self: Any, updates: Any = None, inputs: Any = None) -> None:
    """Nothing to do: what a call assigns in training is taken over."""


def _weights(name: str, trainable: bool) -> property:
    """A list of weights that can be set, as layers of the user's own did; attributes are found by themselves."""
    today: Any = vars(Owner)[name]

    def get(self: Any) -> Any:
        return today.fget(self)

    def put(self: Any, variables: Any) -> None:
        for variable in variables:
            variable.trainable = trainable
        kept = vars(self).setdefault("_listed", [])
        kept += [variable for variable in variables if not any(variable is one for one in kept)]

    return property(get, put, doc=today.__doc__)


def _called_in_phase(original: Callable) -> Callable:
    @functools.wraps(original)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        fixed = PHASE.fixed is not None and "training" not in kwargs and symbols_in((args, kwargs))
        if fixed and plan_of(type(self).call).training is not None:
            kwargs["training"] = bool(PHASE.fixed)
        return original(self, *args, **kwargs)

    return __call__


class _Read:
    """An attribute that is worked out where a layer has not set one of this name itself.

    Args:
        read: What works it out.
    """

    def __init__(self, read: Callable):
        self.read = read

    def __get__(self, layer: Any, owner: Any = None) -> Any:
        return self if layer is None else self.read(layer)


def _shape_of(what: str) -> _Read:
    return _Read(lambda layer: jax.tree.map(lambda symbol: symbol.shape, getattr(layer, what)))


def _history(symbol: Any) -> tuple[Any, int, int]:
    """The layer that a symbol comes from, which of its calls, and which of the results."""
    layer = symbol.node.operation
    return layer, getattr(layer, "nodes", [symbol.node]).index(symbol.node), symbol.index


def _weight(*names: str) -> _Read:
    """A weight by the letter that Keras 1 had for it."""

    def read(layer: Any) -> Any:
        found = [getattr(layer, name) for name in names if hasattr(layer, name)]
        if not found:
            raise AttributeError(f"{type(layer).__name__} has no weight {' or '.join(names)}.")
        return found[0]

    return _Read(read)


def _at(what: str, shape: bool) -> Callable:
    def get(layer: Any, node_index: int) -> Any:
        """What went into a call, or came out of it, by the number of the call."""
        node = layer.nodes[node_index]
        found = node.outputs if what == "output" or not node.args else node.args[0]
        return jax.tree.map(lambda symbol: symbol.shape, found) if shape else found

    return get


def _set_value(self: Any, value: Any) -> None:
    """Give the variable a value."""
    self.assign(value)


def _get_value(self: Any) -> Any:
    """Its value, as a NumPy array."""
    return self.numpy()


def _set_params(original: Callable) -> Callable:
    @functools.wraps(original)
    def set_params(self: Any, params: dict[str, Any]) -> None:
        original(self, params_of_age(params))
        self.validation_data = validation_data()

    return set_params


_popped: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()


class _Layers(list):
    """The layers of a model, as a list of its own: what is popped is gone from it, and the model computes as before."""

    def __init__(self, model: Any, layers: list[Any]):
        super().__init__(layers)
        self.model = model

    def pop(self, index: Any = -1) -> Any:
        """Take a layer off."""
        layer = super().pop(index)
        _popped.setdefault(self.model, []).append(layer)
        return layer


def _layers(today: Any) -> property:
    def get(self: Any) -> Any:
        found = today.fget(self)
        if by_keryx(1):
            return found
        return _Layers(self, [layer for layer in found if not any(layer is one for one in _popped.get(self, ()))])

    return property(get, doc=today.__doc__)


def _told_of_batch(original: Callable) -> Callable:
    @functools.wraps(original)
    def on_train_batch(self: Any, batch: int, logs: dict[str, Any] | None = None) -> None:
        original(self, batch, {**(logs or {}), **of_batch(batch)})

    return on_train_batch


def of_age(version: int) -> list[tuple[type, str, Any]]:
    """Class, name and member, of all that is added while a dialect is active."""
    made: list[tuple[type, str, Any]] = [
        (Optimizer, "lr", old_optimizers.lr),
        (Optimizer, "decay", old_optimizers.decay),
        (Optimizer, "rated", old_optimizers.rated),
        (Optimizer, "get_updates", get_updates),
        (Layer, "add_weight", _add_weight(version, Layer.add_weight)),
        (Layer, "add_update", _add_update),
        (Callback, "set_params", _set_params(Callback.set_params)),
        (Callback, "on_train_batch_begin", _told_of_batch(Callback.on_train_batch_begin)),
        (Callback, "on_train_batch_end", _told_of_batch(Callback.on_train_batch_end)),
        (Layer, "__call__", _called_in_phase(Layer.__call__)),
        (Layer, "trainable_weights", _weights("trainable_weights", True)),
        (Layer, "non_trainable_weights", _weights("non_trainable_weights", False)),
        (InputLayer, "input", _Read(lambda layer: layer.output)),
        (Layer, "input_shape", _shape_of("input")),
        (Layer, "output_shape", _shape_of("output")),
        (Layer, "inbound_nodes", _Read(lambda layer: layer.nodes)),
        (SymbolicTensor, "_keras_shape", _Read(lambda symbol: symbol.shape)),
        (SymbolicTensor, "_keras_history", _Read(_history)),
        (SymbolicTensor, "get_shape", lambda symbol: Shape(symbol.shape)),
        (Model, "to_yaml", files.to_yaml),
        *[(cls, "layers", _layers(vars(cls)["layers"])) for cls in (Model, Sequential) if "layers" in vars(cls)],
        (Variable, "get_value", _get_value),
        (Variable, "set_value", _set_value),
        (Variable, "eval", _get_value),
    ]
    made += [(Layer, f"get_{what}_at", _at(what, shape=False)) for what in ("input", "output")] + [
        (Layer, f"get_{what}_shape_at", _at(what, shape=True)) for what in ("input", "output")
    ]
    if version == 1:
        letters = {"W": ("kernel", "embeddings"), "U": ("recurrent_kernel",), "b": ("bias",)}
        made += [(Layer, letter, _weight(*names)) for letter, names in letters.items()]
    return made
