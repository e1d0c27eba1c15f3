"""Random arrays in Keras's words, drawn by `jax.random`.

Each function takes `seed`: an integer (the same numbers at each call), a `SeedGenerator` (the next ones),
a key of `jax.random`, or None (the scope's next key inside a model's function, the global seed's outside).
"""

import threading
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.core.codec import Configurable, Registry
from keryx.core.seeds import as_seed, next_seed, set_seed
from keryx.errors import ConfigError, ShapeError

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "next_seed",
    "normal",
    "randint",
    "set_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

registry = Registry("source of seeds", "keras.random")

Shape = Sequence[int]
Seed = Any


_counting = threading.Lock()


@registry.register()
class SeedGenerator(Configurable):
    """A sequence of keys of its own: (seed, 0), (seed, 1), ...

    Inside a model's function the keys come from the scope, folded with `seed`, so that each step draws anew.

    Args:
        seed: Where the sequence starts; None draws a start from the global seed.
        name: For your own use.

    >>> generator = SeedGenerator(1)
    >>> bool(uniform((), seed=generator) == uniform((), seed=generator))
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        self.seed, self.name = seed if seed is None else as_seed(seed), name
        self._start = _mixed(*next_seed()) if seed is None else as_seed(seed)
        self._counter = 0

    def next_seed(self) -> tuple[int, int]:
        """The next pair (seed, counter), for draws on the host."""
        with _counting:
            pair = (self._start, self._counter)
            self._counter += 1
        return pair

    def next(self, ordered: bool = True) -> jax.Array:
        """The next key. `ordered` is ignored: the keys always come in order."""
        if not isinstance(jnp.zeros(()), jax.core.Tracer):  # that is, nothing is being traced
            return _key(*self.next_seed())
        from keryx.core import scope

        return jax.random.fold_in(scope.random_key(), self._start & 0xFFFFFFFF)


def normal(shape: Shape, mean=0.0, stddev=1.0, dtype=None, seed: Seed = None) -> jax.Array:
    """Normal numbers of this mean and standard deviation.

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    dtype = _float(dtype)
    return jax.random.normal(key_of(seed), tuple(shape), dtype) * stddev + mean


def truncated_normal(shape: Shape, mean=0.0, stddev=1.0, dtype=None, seed: Seed = None) -> jax.Array:
    """Normal numbers, none farther than two `stddev` from `mean`; their own deviation is 0.88 `stddev`."""
    dtype = _float(dtype)
    return jax.random.truncated_normal(key_of(seed), -2.0, 2.0, tuple(shape), dtype) * stddev + mean


def uniform(shape: Shape, minval=0.0, maxval=1.0, dtype=None, seed: Seed = None) -> jax.Array:
    """Numbers spread evenly over [minval, maxval)."""
    dtype = _float(dtype)
    return jax.random.uniform(key_of(seed), tuple(shape), dtype, minval, maxval)


def randint(shape: Shape, minval, maxval, dtype="int32", seed: Seed = None) -> jax.Array:
    """Integers spread evenly over minval, ..., maxval - 1.

    >>> bool(randint((100,), 0, 3, seed=1).max())
    True
    """
    if not jnp.issubdtype(jnp.dtype(dtype), jnp.integer):
        raise ConfigError(f"randint() draws integers; got dtype={jnp.dtype(dtype).name!r}. Use uniform().")
    return jax.random.randint(key_of(seed), tuple(shape), minval, maxval, dtype)


def categorical(logits, num_samples: int, dtype="int32", seed: Seed = None) -> jax.Array:
    """Class numbers drawn with probability softmax(logits): (batch, classes) -> (batch, num_samples).

    >>> categorical([[0.0, -1e9]], 4, seed=1).tolist()
    [[0, 0, 0, 0]]
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 2:
        raise ShapeError(f"categorical() wants logits (batch, classes); got {logits.shape}.")
    drawn = jax.random.categorical(key_of(seed), logits[..., None], axis=1, shape=(len(logits), num_samples))
    return drawn.astype(dtype)


def dropout(inputs, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Seed = None) -> jax.Array:
    """`inputs` with a share `rate` set to 0 and the rest divided by 1 - rate (arXiv:1207.0580).

    Args:
        inputs: Any shape.
        rate: From 0 to 1.
        noise_shape: The shape of the mask, which is broadcast; None as a size stands for the input's own.
        seed: See the module.
    """
    inputs = jnp.asarray(inputs)
    if rate == 0:
        return inputs
    if rate == 1:
        return jnp.zeros_like(inputs)
    sizes = noise_shape or inputs.shape
    shape = tuple(own if size is None else size for size, own in zip(sizes, inputs.shape, strict=True))
    kept = jax.random.bernoulli(key_of(seed), 1 - rate, shape)
    return jnp.where(kept, inputs / (1 - rate), jnp.zeros((), inputs.dtype))


def shuffle(x, axis: int = 0, seed: Seed = None) -> jax.Array:
    """`x` with the entries along `axis` in random order, each row in an order of its own.

    >>> sorted(shuffle([3, 1, 2], seed=1).tolist())
    [1, 2, 3]
    """
    return jax.random.permutation(key_of(seed), jnp.asarray(x), axis, independent=True)


def gamma(shape: Shape, alpha, dtype=None, seed: Seed = None) -> jax.Array:
    """Numbers of the gamma distribution with shape `alpha` and scale 1."""
    return jax.random.gamma(key_of(seed), jnp.asarray(alpha), tuple(shape), _float(dtype))


def beta(shape: Shape, alpha, beta, dtype=None, seed: Seed = None) -> jax.Array:
    """Numbers of the beta distribution."""
    return jax.random.beta(key_of(seed), jnp.asarray(alpha), jnp.asarray(beta), tuple(shape), _float(dtype))


def binomial(shape: Shape, counts, probabilities, dtype=None, seed: Seed = None) -> jax.Array:
    """How many of `counts` trials succeed, each with probability `probabilities`."""
    counts, probabilities = jnp.asarray(counts), jnp.asarray(probabilities)
    return jax.random.binomial(key_of(seed), counts, probabilities, tuple(shape), _float(dtype))


def _float(dtype) -> Any:
    dtype = jnp.dtype(dtype or config.floatx())
    if not config.is_float(dtype):
        raise ConfigError(f"These random numbers are floats; got dtype={dtype.name!r}. For whole ones, use randint().")
    return dtype


def key_of(seed: Seed) -> jax.Array:
    """The key that a seed stands for: None is the next one of the step, a SeedGenerator's its next, a key is itself."""
    if seed is None:
        from keryx.core import scope

        return scope.random_key()
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, jax.Array) and seed.ndim + jnp.issubdtype(seed.dtype, jax.dtypes.prng_key) == 1:
        return seed
    return _key(as_seed(seed), 0)


def _key(seed: int, counter: int) -> jax.Array:
    # The two words of the key are Keras's too, hence the same numbers for the same seed.
    words = jnp.asarray(np.array([seed & 0xFFFFFFFF, counter & 0xFFFFFFFF], np.uint32))
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _mixed(*words: int) -> int:
    return int(np.random.SeedSequence([word % 2**64 for word in words]).generate_state(1)[0])
