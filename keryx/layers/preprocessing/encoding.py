"""Integers as vectors: one hot, multi-hot and counted; and the layer CategoryEncoding."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.errors import ConfigError, ShapeError, did_you_mean, listing
from keryx.layers.layer import Layer, registry

_OLD_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def mode_of(layer: str, mode: Any, known: Iterable[str]) -> str:
    """An output mode in today's words.

    >>> mode_of("Layer", "binary", ["int", "multi_hot"])
    'multi_hot'
    """
    mode = _OLD_MODES.get(mode, mode)
    if mode not in known:
        raise ConfigError(f"{layer}: output_mode is {listing(known)}; got {mode!r}.{did_you_mean(mode, known)}")
    return mode


def refuse_sparse(layer: str, sparse: Any, what: str = "sparse") -> None:
    """Raise ConfigError where sparse or ragged tensors are asked for."""
    if sparse:
        raise ConfigError(
            f"{layer}({what}=True) would give a {what} tensor, which is not offered: leave it out. "
            f"{'The rows are padded with 0' if what == 'ragged' else 'The outputs are dense arrays'} instead."
        )


def encode(ids: Any, mode: str, depth: int, dtype: Any, weights: Any = None) -> Any:
    """Integers as vectors of `depth` numbers; those that are none of 0 ... depth - 1 are passed over.

    Args:
        ids: Integers, of NumPy or JAX, which the result is of as well.
        mode: `one_hot`: a vector each; a last axis of size 1 is taken off first. `multi_hot` and `count`: one for all
            elements along axis 1, or along the only one there is.
        depth: The size of the vectors.
        dtype: Their dtype.
        weights: How much each element counts.

    >>> encode(np.array([[0, 2, 2, -1]]), "count", 3, "int32").tolist()
    [[1, 0, 2]]
    """
    host = isinstance(ids, np.ndarray)
    ids = ids.reshape(1) if ids.ndim == 0 else ids
    if mode == "one_hot":
        ids = ids.reshape(ids.shape[:-1]) if ids.ndim > 1 and ids.shape[-1] == 1 else ids
        return (ids[..., None] == (np if host else jnp).arange(depth)).astype(dtype)
    axis = min(1, ids.ndim - 1)
    if host:
        ids = np.moveaxis(ids, axis, -1)
        rows = np.repeat(np.arange(math.prod(ids.shape[:-1])), ids.shape[-1])
        given = None if weights is None else np.moveaxis(np.broadcast_to(weights, ids.shape), axis, -1).ravel()
        return counted(rows, ids.ravel(), ids.shape[:-1], depth, mode, dtype, given)

    def one(ids: jax.Array, amounts: jax.Array) -> jax.Array:
        places = jnp.where(ids < 0, depth, ids)  # past the end, where it is dropped
        empty = jnp.zeros(depth, dtype).at[places]
        return empty.max(amounts, mode="drop") if mode == "multi_hot" else empty.add(amounts, mode="drop")

    amounts = jnp.ones_like(ids, dtype) if weights is None else jnp.broadcast_to(weights, ids.shape).astype(dtype)
    ids, amounts = jnp.moveaxis(ids, axis, -1), jnp.moveaxis(amounts, axis, -1)
    for _ in range(ids.ndim - 1):
        one = jax.vmap(one)
    return one(ids.astype("int32"), amounts)


def counted(rows: Any, ids: Any, shape: tuple, depth: int, mode: str, dtype: Any, weights: Any = None) -> np.ndarray:
    """How often each integer stands in each row, (*shape, depth), or whether it does."""
    valid = (ids >= 0) & (ids < depth)
    places, count = rows[valid] * depth + ids[valid], math.prod(shape) * depth
    if mode == "multi_hot":
        result = np.zeros(count, dtype)
        result[places] = 1
    else:
        result = np.bincount(places, None if weights is None else weights[valid], count).astype(dtype)
    return result.reshape(*shape, depth)


@registry.register()
class CategoryEncoding(Layer):
    """Integers as vectors: `one_hot`, `multi_hot` or `count`.

    Integers below 0 and from `num_tokens` on are passed over.

    Args:
        num_tokens: The size of the vectors: the integers go from 0 to `num_tokens - 1`.
        output_mode: `"multi_hot"` (default): 1 for each integer that a row has; `"one_hot"`: a vector for each integer;
            `"count"`: how often a row has it.
        sparse: Not offered: True raises.

    Shapes: `(batch, size)` gives `(batch, num_tokens)`; with `one_hot` `(batch, size, num_tokens)`, where a last axis
    of size 1 is taken off first.

    Raises:
        ConfigError: Without `num_tokens`, or for an unknown mode.

    >>> import keryx, numpy as np
    >>> layer = keryx.layers.CategoryEncoding(4, output_mode="count")
    >>> layer(np.array([[0, 1], [2, 2]]), count_weights=np.array([[0.5, 1.0], [1.0, 1.0]])).tolist()
    [[0.5, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if num_tokens is None or num_tokens < 1:
            raise ConfigError(
                f"CategoryEncoding wants num_tokens, 1 or more; got {num_tokens!r}. Where nobody knows how many there "
                "are, IntegerLookup finds out."
            )
        refuse_sparse("CategoryEncoding", sparse)
        self.num_tokens, self.sparse = num_tokens, sparse
        self.output_mode = mode_of("CategoryEncoding", output_mode, ("multi_hot", "one_hot", "count"))

    def call(self, inputs: jax.Array, count_weights: jax.Array | None = None) -> jax.Array:
        """Integers, and how much each of them counts."""
        if count_weights is not None and self.output_mode != "count":
            raise ConfigError(f"{self.title}: count_weights go with output_mode='count'; this is {self.output_mode!r}.")
        if count_weights is not None and count_weights.shape != inputs.shape:
            raise ShapeError(f"{self.title} wants count_weights of {inputs.shape}; got {count_weights.shape}.")
        return encode(jnp.asarray(inputs), self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def get_config(self) -> dict[str, Any]:
        """Keras's, which does not tell of `sparse`."""
        return {name: value for name, value in super().get_config().items() if name != "sparse"}
