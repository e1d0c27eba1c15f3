"""`keras.backend`: variables, random numbers, the learning phase, settings."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import backend, config, random
from keryx.backend import get_value as value_of
from keryx.compat.dialects.backend.words import data_format, function
from keryx.core import scope
from keryx.core.symbol import SymbolicTensor
from keryx.core.variable import Variable
from keryx.errors import SymbolicError
from keryx.layers.input import Input

# -- variables ---------------------------------------------------------------------------------------------------------


@function(symbolic=False)
def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A new variable with a first value."""
    value = np.asarray(value)
    return Variable(value.astype(dtype or config.floatx()), name=name, constraint=constraint)


@function(symbolic=False)
def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> jax.Array:
    """An array."""
    made = jnp.asarray(value, dtype or config.floatx())
    return made if shape is None else jnp.broadcast_to(made, tuple(shape))


@function(symbolic=False)
def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


@function(symbolic=False)
def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return variable(np.ones(shape), dtype, name)


@function(symbolic=False)
def eye(size: int, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable: the identity matrix."""
    return variable(np.eye(size), dtype, name)


@function(symbolic=False)
def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable that begins between two numbers."""
    return variable(random.uniform(shape, low, high, seed=seed), dtype, name)


@function(symbolic=False)
def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable that begins normally distributed."""
    return variable(random.normal(shape, mean, scale, seed=seed), dtype, name)


@function(symbolic=False)
def placeholder(
    shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False, name: str | None = None
) -> SymbolicTensor:
    """A symbolic tensor that a value is given for when a function runs."""
    shape = (None,) * (ndim or 0) if shape is None else tuple(shape)
    return Input(batch_shape=shape, dtype=dtype, name=name)


@function(symbolic=False)
def is_placeholder(x: Any) -> bool:
    """Whether `x` is a symbol that nothing computes."""
    return isinstance(x, SymbolicTensor) and (x.node is None or not x.node.inputs)


@function("eval", symbolic=False)
def get_value(x: Any) -> np.ndarray:
    """The value of a variable or array, as a NumPy array."""
    if isinstance(x, SymbolicTensor):
        raise SymbolicError(
            f"{x.name!r} has no value of its own: it follows from inputs. K.function([inputs], [tensor]) computes it."
        )
    return value_of(x)


@function(symbolic=False)
def set_value(x: Any, value: Any) -> None:
    """Give a variable a value."""
    x.store(np.asarray(value))


@function(symbolic=False)
def batch_get_value(xs: Any) -> list[np.ndarray]:
    """The values of variables."""
    return [get_value(x) for x in xs]


@function(symbolic=False)
def batch_set_value(tuples: Any) -> None:
    """Give variables values, in pairs."""
    for x, value in tuples:
        set_value(x, value)


@function(symbolic=False)
def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(x.shape))


class Update(tuple):
    """A variable and what it is to become, as `K.function(updates=)` takes them."""


def _updated(x: Any, new: Any) -> Any:
    """A new value: at once where there is one, and never by a layer that is not training, as of old."""
    if isinstance(new, SymbolicTensor):
        return Update((x, new))
    running = scope.current()
    if running is None or running.training:
        x.assign(new)
    return x


@function(symbolic=False)
def update(x: Any, new_x: Any) -> Any:
    """Let a variable become `new_x`."""
    return _updated(x, new_x)


@function(symbolic=False)
def update_add(x: Any, increment: Any) -> Any:
    """Add to a variable."""
    return _updated(x, x + increment)


@function(symbolic=False)
def update_sub(x: Any, decrement: Any) -> Any:
    """Take off a variable."""
    return _updated(x, x - decrement)


@function(symbolic=False)
def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """`x = x * momentum + value * (1 - momentum)`."""
    return _updated(x, x * momentum + value * (1.0 - momentum))


# -- random numbers ----------------------------------------------------------------------------------------------------


@function(symbolic=False)
def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> jax.Array:
    """Normally distributed numbers."""
    return random.normal(tuple(shape), mean, stddev, dtype, seed)


@function(symbolic=False)
def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: int | None = None
) -> jax.Array:
    """Numbers between two others."""
    return random.uniform(tuple(shape), minval, maxval, dtype, seed)


@function(symbolic=False)
def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: int | None = None) -> jax.Array:
    """1 with probability `p`, else 0."""
    return (random.uniform(tuple(shape), seed=seed) < p).astype(dtype or config.floatx())


@function(symbolic=False)
def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> jax.Array:
    """Normally distributed numbers within two deviations."""
    return random.truncated_normal(tuple(shape), mean, stddev, dtype, seed)


# -- the learning phase ------------------------------------------------------------------------------------------------


class LearningPhase:
    """Whether what runs is training: 0 or 1 to `K.function`, and within a layer's call what the model does."""

    fixed: int | None = None

    def __bool__(self) -> bool:
        running = scope.current()
        return bool(self.fixed if self.fixed is not None else running is not None and running.training)

    def __int__(self) -> int:
        return int(bool(self))

    def __eq__(self, other: object) -> bool:
        return int(self) == other

    def __hash__(self) -> int:
        return id(self)


PHASE = LearningPhase()


@function(symbolic=False)
def learning_phase() -> Any:
    """The phase, which `K.function` takes a value for; a number where `set_learning_phase` has fixed it."""
    return PHASE if PHASE.fixed is None else PHASE.fixed


@function(symbolic=False)
def set_learning_phase(value: Any) -> None:
    """Fix the phase: layers that are called from here on train (1) or do not (0), whatever the model does."""
    PHASE.fixed = int(value)


@function(symbolic=False)
def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, else `alt`; functions are called for what they return."""
    x, alt = (part() if callable(part) else part for part in (x, alt))
    if training is not None and not isinstance(training, LearningPhase):
        return x if training else alt
    return _in_phase(x, alt)


@function(symbolic=False)
def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` in training, else `x`."""
    return in_train_phase(alt, x, training)


@function()
def _in_phase(x: Any, alt: Any) -> Any:
    return x if PHASE else jnp.asarray(alt)


# -- settings ----------------------------------------------------------------------------------------------------------

_ORDERINGS = {"channels_first": "th", "channels_last": "tf"}


@function(symbolic=False)
def image_dim_ordering() -> str:
    """`th` where the channels come first, `tf` where they come last."""
    return _ORDERINGS[config.image_data_format()]


@function(symbolic=False)
def set_image_dim_ordering(dim_ordering: str) -> None:
    """Let the channels of images come first (`th`) or last (`tf`) from here on."""
    config.set_image_data_format(data_format(dim_ordering))


@function(symbolic=False)
def normalize_data_format(value: Any) -> str:
    """A data format, or the one that is set."""
    return data_format(value) or config.image_data_format()


@function(symbolic=False)
def reset_uids() -> None:
    """Begin to count anew."""
    backend._uids.clear()
