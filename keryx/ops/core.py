"""Making tensors, asking what they are, casting them, and putting values into them."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import kernels
from keryx.core import host
from keryx.core.dtypes import standardize_dtype
from keryx.core.graph import lift
from keryx.core.symbol import Shape
from keryx.errors import ArgumentError
from keryx.ops.table import as_array


@functools.partial(lift, of_sizes=True)
def cast(x, dtype):
    """`x` in another dtype.

    >>> cast([1.7, -0.5], "int32").tolist()
    [1, 0]
    """
    return jnp.asarray(x).astype(standardize_dtype(dtype))


@lift
def saturate_cast(x, dtype):
    """`x` in another dtype; what does not fit becomes the nearest that does.

    >>> saturate_cast([-3.0, 300.0], "uint8").tolist()
    [0, 255]
    """
    x, dtype = jnp.asarray(x), standardize_dtype(dtype)
    if dtype == "bool" or x.dtype == bool:
        return x.astype(dtype)
    low, high = _range(dtype)
    least, most = _range(x.dtype)
    least, most = (np.array(n).astype(x.dtype) for n in (max(low, least), min(high, most)))
    x = jnp.clip(x, least, most)
    if jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(dtype, jnp.integer):
        # The float nearest to the greatest integer may lie above it, and no rule says what a cast makes of that one.
        return jnp.where(x == most, np.array(high, dtype), jnp.where(x == most, 0, x).astype(dtype))
    return x.astype(dtype)


def _range(dtype) -> tuple[Any, Any]:
    whole = jnp.issubdtype(dtype, jnp.integer)
    info = jnp.iinfo(dtype) if whole else jnp.finfo(dtype)
    return (int(info.min), int(info.max)) if whole else (float(info.min), float(info.max))


@functools.partial(lift, of_sizes=True)
def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """`x` as a tensor; text as an array of NumPy's, for it stays on the host."""
    if host.is_text(x) or (isinstance(x, np.ndarray) and x.dtype.kind in "USOT"):
        return host.as_text(x)
    return jnp.asarray(x, None if dtype is None else standardize_dtype(dtype))


def convert_to_numpy(x) -> np.ndarray:
    """The values of `x` as a NumPy array, which may be written to; a NumPy array as it is."""
    array = np.asarray(x)
    return array if array.flags.writeable or isinstance(x, np.ndarray) else array.copy()


def is_tensor(x) -> bool:
    """Whether `x` is a tensor with values."""
    return isinstance(x, jax.Array)


def shape(x) -> Shape:
    """The sizes of `x`; None where a size is not known yet.

    >>> import keryx
    >>> shape(keryx.Input((3,)))
    (None, 3)
    """
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x) -> int:
    """The number of axes."""
    return len(shape(x))


def dtype(x) -> str:
    """The name of the dtype of `x`."""
    return standardize_dtype(x.dtype if hasattr(x, "dtype") else jnp.asarray(x).dtype)


@lift
def view(x, dtype=None):
    """The same bits, read as another dtype; by default as they are."""
    x = jnp.asarray(x)
    return x if dtype is None else x.view(standardize_dtype(dtype))


@lift
def stop_gradient(variable):
    """The same values, a tensor or a nest of them, through which no gradient flows."""
    return jax.tree.map(lambda x: jax.lax.stop_gradient(jnp.asarray(x)), variable)


@lift
def slice(inputs, start_indices, shape):
    """The block of this shape that starts at `start_indices`; a size of -1 reaches to the end of its axis.

    >>> slice([[1, 2, 3], [4, 5, 6]], [1, 1], [-1, -1]).tolist()
    [[5, 6]]
    """
    x, starts = jnp.asarray(inputs), tuple(start_indices)
    sizes = [n if size == -1 else size for n, size in zip(x.shape, shape, strict=True)]
    if -1 in tuple(shape):
        starts = tuple(map(int, starts))
        ends = zip(x.shape, starts, shape, strict=True)
        sizes = [n - start if size == -1 else size for n, start, size in ends]
    return jax.lax.dynamic_slice(x, starts, sizes)


@lift
def take(x, indices, axis=None):
    """The slices of `x` along an axis that `indices` number; from the end where negative, NaN where there is none.

    >>> take([[1.0, 2.0], [3.0, 4.0]], [1, 5, -1], axis=0).tolist()
    [[3.0, 4.0], [nan, nan], [3.0, 4.0]]
    """
    x, ids = jnp.asarray(x), jnp.asarray(indices)
    if axis == 0 and x.ndim == 2 and jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(ids.dtype, jnp.integer):
        return kernels.embedding(x, jnp.where(ids < 0, ids + x.shape[0], ids))
    return jnp.take(x, ids, axis)


@lift
def slice_update(inputs, start_indices, updates):
    """`inputs` with the block at `start_indices` replaced."""
    return jax.lax.dynamic_update_slice(as_array(inputs), as_array(updates), tuple(start_indices))


@lift
def scatter(indices, values, shape):
    """Zeros of this shape, with `values` added at `indices`.

    >>> scatter([[0], [2], [2]], [1.0, 2.0, 3.0], (3,)).tolist()
    [1.0, 0.0, 5.0]
    """
    values = jnp.asarray(values)
    return jnp.zeros(shape, values.dtype).at[_place(indices)].add(values)


@lift
def scatter_update(inputs, indices, updates, reduction=None):
    """`inputs` with `updates` put in at `indices`: in place of what is there, or joined with it.

    Args:
        reduction: None, `add`, `mul`, `max` or `min`.
    """
    methods = {None: "set", "add": "add", "mul": "multiply", "max": "max", "min": "min"}
    if reduction not in methods:
        raise ArgumentError(f"scatter_update wants reduction None, add, mul, max or min; got {reduction!r}.")
    return getattr(jnp.asarray(inputs).at[_place(indices)], methods[reduction])(as_array(updates))


def _place(indices: Any) -> tuple:
    return tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))


@lift
def unstack(x, num=None, axis=0):
    """The list of the slices along `axis`."""
    return list(jnp.unstack(as_array(x), axis=axis))


def custom_gradient(f):
    """`f` with a gradient of its own: it returns the result and the function that maps a gradient back."""
    return lift(jax.custom_gradient(f), "custom_gradient")


def jvp(fun, primals: Sequence, tangents: Sequence, has_aux: bool = False):
    """The result of `fun`, and its derivative along `tangents`."""
    return jax.jvp(fun, tuple(map(as_array, primals)), tuple(map(as_array, tangents)), has_aux=has_aux)
