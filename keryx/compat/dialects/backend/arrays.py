"""`keras.backend`: arithmetic, reductions and shapes of tensors."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config, ops
from keryx.compat.dialects.backend.words import NAMES, Shape, function
from keryx.core import graph
from keryx.core.symbol import SymbolicTensor

# The same function by another name, or by the same one.
_SAME = """abs all any cast cos dot equal exp greater greater_equal less less_equal log logsumexp max
maximum mean min minimum not_equal prod round sigmoid sign sin softplus softsign sqrt square squeeze stack std
sum tanh tile var"""
_PAIRS = """dot equal greater greater_equal less less_equal lesser lesser_equal maximum minimum not_equal"""
# What the arguments were called, where not as today.
_WORDS = {**dict.fromkeys(_PAIRS.split(), ("x", "y")), "pow": ("x", "a"), "tile": ("x", "n")}
_OTHERWISE = {"lesser": "less", "lesser_equal": "less_equal", "pow": "power"}


def _same(name: str, other: str) -> None:
    found, words = getattr(ops, other), _WORDS.get(name, ())

    def called(*args: Any, **kwargs: Any) -> Any:
        args += tuple(kwargs.pop(word) for word in words[len(args) :] if word in kwargs)
        return found(*(one.tensor if isinstance(one, Shape) else one for one in args), **kwargs)

    called.__name__, called.__wrapped__ = name, found  # type: ignore[attr-defined]
    if words:
        named = [inspect.Parameter(word, inspect.Parameter.POSITIONAL_OR_KEYWORD) for word in words]
        called.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    called.__doc__ = f"The same as `keryx.ops.{other}`."
    function(symbolic=False)(called)


for _name, _other in ({name: name for name in _SAME.split()} | _OTHERWISE).items():
    _same(_name, _other)


@function(symbolic=False)
def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Tensors side by side along an axis."""
    return ops.concatenate(tensors, axis)


@function()
def batch_dot(x: Any, y: Any, axes: Any = None) -> jax.Array:
    """The dot product of each sample of `x` with that of `y`, along an axis of both, or one of each.

    >>> batch_dot(jnp.ones((2, 3)), jnp.ones((2, 3)), axes=1).shape
    (2, 1)
    """
    if axes is None:
        axes = (x.ndim - 1, y.ndim - 1 if y.ndim == 2 else y.ndim - 2)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % x.ndim, second % y.ndim
    result = jax.lax.dot_general(x, y, (((first,), (second,)), ((0,), (0,))))
    return result[:, None] if result.ndim == 1 else result


@function()
def argmax(x: Any, axis: int = -1) -> jax.Array:
    """The place of the largest along an axis."""
    return jnp.argmax(x, axis)


@function()
def argmin(x: Any, axis: int = -1) -> jax.Array:
    """The place of the smallest along an axis."""
    return jnp.argmin(x, axis)


@function()
def cumsum(x: Any, axis: int = 0) -> jax.Array:
    """The sums of what comes before, along an axis."""
    return jnp.cumsum(x, axis)


@function()
def cumprod(x: Any, axis: int = 0) -> jax.Array:
    """The products of what comes before, along an axis."""
    return jnp.cumprod(x, axis)


@function()
def clip(x: Any, min_value: Any, max_value: Any) -> jax.Array:
    """`x`, no less than one and no more than the other."""
    return jnp.clip(x, min_value, max_value)


@function()
def expand_dims(x: Any, axis: int = -1) -> jax.Array:
    """`x` with an axis of size 1."""
    return jnp.expand_dims(x, axis)


@function()
def transpose(x: Any) -> jax.Array:
    """All axes in the opposite order."""
    return jnp.transpose(x)


@function()
def permute_dimensions(x: Any, pattern: Any) -> jax.Array:
    """The axes in another order."""
    return jnp.transpose(x, tuple(pattern))


@function()
def gather(reference: Any, indices: Any) -> jax.Array:
    """The rows of `reference` at `indices`."""
    return jnp.take(reference, jnp.asarray(indices).astype("int32"), axis=0)


@function()
def repeat_elements(x: Any, rep: int, axis: int) -> jax.Array:
    """Each element along an axis `rep` times."""
    return jnp.repeat(x, rep, axis=axis)


@function()
def repeat(x: Any, n: int) -> jax.Array:
    """(batch, size) as (batch, n, size)."""
    return jnp.repeat(x[:, None, :], n, axis=1)


@function()
def flatten(x: Any) -> jax.Array:
    """All elements along one axis, the batch as well."""
    return jnp.reshape(x, (-1,))


@function()
def batch_flatten(x: Any) -> jax.Array:
    """(batch, ...) as (batch, size)."""
    return jnp.reshape(x, (x.shape[0], -1))


@function()
def one_hot(indices: Any, num_classes: int) -> jax.Array:
    """1 at the index along a new last axis, 0 elsewhere."""
    return jax.nn.one_hot(jnp.asarray(indices).astype("int32"), num_classes)


@function()
def reverse(x: Any, axes: Any) -> jax.Array:
    """The other way round along axes."""
    return jnp.flip(x, tuple(axes) if isinstance(axes, (list, tuple)) else axes)


@function("slice")
def slice_(x: Any, start: Any, size: Any) -> jax.Array:
    """`size` elements from `start` on, along every axis; -1 is all that there are."""
    sizes = [length - first if n == -1 else n for first, n, length in zip(start, size, x.shape, strict=True)]
    return jax.lax.slice(x, tuple(start), tuple(first + n for first, n in zip(start, sizes, strict=True)))


@function()
def l2_normalize(x: Any, axis: Any = None) -> jax.Array:
    """`x / |x|` along an axis."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, axis=axis, keepdims=True), 1e-12))


@function(symbolic=False)
def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """The one where the condition holds, the other elsewhere; functions are called for what they return."""
    return _chosen(condition, *(part() if callable(part) else part for part in (then_expression, else_expression)))


@function()
def _chosen(condition: Any, first: Any, second: Any) -> jax.Array:
    condition = jnp.asarray(condition).astype(bool)
    wanted = max(jnp.ndim(first), jnp.ndim(second))
    return jnp.where(condition.reshape(condition.shape + (1,) * (wanted - condition.ndim)), first, second)


@function(symbolic=False)
def arange(start: Any, stop: Any = None, step: int = 1, dtype: str = "int32") -> jax.Array:
    """The numbers from `start`, or 0, up to `stop`."""
    return jnp.arange(start, stop, step, dtype) if stop is not None else jnp.arange(0, start, step, dtype)


@function()
def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> jax.Array:
    """Zeros of the shape of `x`."""
    return jnp.zeros_like(x, dtype)


@function()
def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> jax.Array:
    """Ones of the shape of `x`."""
    return jnp.ones_like(x, dtype)


@function()
def identity(x: Any, name: str | None = None) -> jax.Array:
    """`x` itself."""
    return jnp.asarray(x)


@function()
def stop_gradient(variables: Any) -> Any:
    """The same values, which are constants to a gradient."""
    return jax.tree.map(jax.lax.stop_gradient, variables)


@function("to_dense", "pattern_broadcast")
def _as_it_is(x: Any, broadcastable: Any = None) -> Any:
    """`x` itself."""
    return x


@function()
def print_tensor(x: Any, message: str = "") -> Any:
    """`x` itself, whose values are printed when it is computed."""
    jax.debug.print(message.replace("{", "{{").replace("}", "}}") + " {}", x)
    return x


@function(symbolic=False)
def cast_to_floatx(x: Any) -> Any:
    """A NumPy array of the dtype `floatx()`."""
    import numpy as np

    return np.asarray(x, dtype=config.floatx())


@function(symbolic=False)
def shape(x: Any) -> Any:
    """The shape, as a tuple, which functions of K reckon with as with a tensor; sizes may be None in a symbol's."""
    found = Shape(x.shape)
    found.tensor = _sizes(x) if isinstance(x, SymbolicTensor) else jnp.asarray(x.shape)
    return found


_sizes = graph.lift(lambda x: jnp.asarray(x.shape), "shape")


@function()
def reshape(x: Any, shape: Any) -> jax.Array:
    """The same elements in another shape; a size that is not known is worked out."""
    return jnp.reshape(x, tuple(-1 if size is None else size for size in shape))


@function(symbolic=False)
def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape, as a tuple; sizes that are not known are None."""
    return tuple(x.shape)


@function(symbolic=False)
def ndim(x: Any) -> int:
    """The number of axes."""
    return len(x.shape)


@function(symbolic=False)
def dtype(x: Any) -> str:
    """The name of the dtype."""
    return str(x.dtype)


@function("get_variable_shape", symbolic=False)
def _variable_shape(x: Any) -> tuple[int, ...]:
    """The shape of a variable."""
    return tuple(x.shape)


@function("is_sparse", symbolic=False)
def _is_sparse(tensor: Any) -> bool:
    """False: there are no sparse tensors."""
    return False


@function(symbolic=False)
def is_tensor(x: Any) -> bool:
    """Whether `x` is an array of JAX's, a symbol or a variable."""
    return ops.is_tensor(x)


for _private in ("_as_it_is", "_variable_shape", "_is_sparse", "_chosen"):
    NAMES.pop(_private, None)
