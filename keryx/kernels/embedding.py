"""Rows of a table, whose gradient is summed row by row without a look at every number."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from keryx.kernels import native
from keryx.kernels.kernel import Kernel, linear


def embedding(table: jax.Array, ids: jax.Array) -> jax.Array:
    """`table[ids]`; an id outside the table, a negative one too, gives NaN, and its gradient goes nowhere.

    Args:
        table: (rows, width).
        ids: (batch, ...), integers.

    >>> embedding(jnp.eye(3), jnp.array([2, 0, -1])).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [nan, nan, nan]]
    """
    (rows,) = _TAKE(table, ids.reshape(-1), nan=True)
    return rows.reshape(*ids.shape, table.shape[1])


def pick_rows(array: jax.Array, ids: jax.Array) -> jax.Array:
    """`array[ids]` of ids that are all inside.

    Args:
        array: (rows, ...), of any dtype.
        ids: (batch,), integers from 0 to rows - 1.

    >>> pick_rows(jnp.eye(3), jnp.array([2, 0])).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if array.ndim < 2 or not array.size:
        return _plain_pick(array, ids)[0]
    (rows,) = _PICK(array.reshape(array.shape[0], -1), ids)
    return rows.reshape(*ids.shape, *array.shape[1:])


def _plain_pick(array, ids):
    return (array.at[ids].get(mode="promise_in_bounds"),)


def _take(table, ids, nan):
    ids = jnp.where(ids < 0, table.shape[0], ids)  # take would count a negative id from the end
    return (jnp.take(table, ids, axis=0, mode="fill", fill_value=jnp.nan if nan else 0),)


def _add(dy, ids, rows):
    ids = jnp.where(ids < 0, rows, ids)
    return (jnp.zeros((rows, dy.shape[1]), dy.dtype).at[ids].add(dy, mode="drop"),)


def _native_take(table, ids, nan):
    result = jax.ShapeDtypeStruct((ids.shape[0], table.shape[1]), table.dtype)
    return native.call("keryx_take_rows_1", [result], table, ids, nan=nan)


def _native_add(dy, ids, rows):
    result = jax.ShapeDtypeStruct((rows, dy.shape[1]), dy.dtype)
    return native.call("keryx_add_rows_1", [result], dy, ids)


def _takes(array, ids, **static):
    return array.dtype == jnp.float32 and ids.dtype == jnp.int32


# Numbers written from which on native code is the faster, up to 3 times; XLA is as fast with less, and may fuse.
_LARGE = 2**18


def _take_wins(table, ids, **static):
    return ids.shape[0] * table.shape[1] >= _LARGE


def _add_wins(dy, ids, rows):
    return rows * dy.shape[1] >= _LARGE


def _jvp(primals, tangents, nan):
    (table, ids), (change, _) = primals, tangents
    return _TAKE(table, ids, nan=nan), _TAKE(ad.instantiate_zeros(change), ids, nan=False)


_TAKE = Kernel("take_rows", _take, {"cpu": [native.way(_native_take, _takes, _take_wins)]})
_PICK = Kernel("pick_rows", _plain_pick, {"cpu": [native.way(partial(_native_take, nan=False), _takes, _take_wins)]})
_ADD = Kernel("add_rows", _add, {"cpu": [native.way(_native_add, _takes, _add_wins)]})
linear(_TAKE, lambda dy, ids, table, nan: _ADD(dy, ids, rows=table.shape[0])[0])
linear(_ADD, lambda change, ids, dy, rows: _TAKE(change, ids, nan=False)[0])
ad.primitive_jvps[_TAKE.primitive] = _jvp
