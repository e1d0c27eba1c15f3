"""Noise that is added in training only, and penalties of what passes through."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import regularizers
from keryx.core import scope
from keryx.errors import ConfigError
from keryx.layers.base.sizes import fraction, layout
from keryx.layers.layer import InputSpec, Layer, registry


def _noise_shape(where: str, shape: Any) -> tuple[int | None, ...] | None:
    if shape is None:
        return None
    if isinstance(shape, (str, int)) or any(n is not None and (not isinstance(n, int) or n < 1) for n in shape):
        raise ConfigError(f"{where} wants noise_shape= as sizes above 0 or None, one an axis; got {shape!r}.")
    return tuple(shape)


def _filled(noise_shape: tuple[int | None, ...] | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The noise's shape at these inputs, whose sizes stand in for None."""
    if noise_shape is None:
        return shape
    return tuple(size if n is None else n for n, size in zip(noise_shape, shape, strict=True))


def dropout(x: jax.Array, rate: float, shape: tuple[int, ...], seed: int | None) -> jax.Array:
    """`x / (1 - rate)`, with a share `rate` of elements at 0; `shape`, that of the draw, broadcasts."""
    if rate >= 1:
        return jnp.zeros_like(x)
    kept = jax.random.bernoulli(scope.random_key(seed), 1 - rate, shape)
    return jnp.where(kept, x / (1 - rate), 0).astype(x.dtype)


@registry.register()
class Dropout(Layer):
    """In training, each element is 0 with probability `rate`, else `x / (1 - rate)`.

    Args:
        rate: The share that is dropped, from 0 to 1.
        noise_shape: The shape of the draw, None for an axis as in the inputs: `(None, 1, None)` drops the
            same features at each step.
        seed: Sets this layer's draws apart from others'.

    Raises:
        ConfigError: Where rate is not from 0 to 1.

    Source: Srivastava et al., Dropout, 2014.

    >>> import keryx
    >>> keryx.layers.Dropout(0.5)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.rate = fraction(where, "rate", rate)
        self.noise_shape, self.seed = _noise_shape(where, noise_shape), seed

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        """Shape in, same shape out."""
        if not training or self.rate == 0:
            return inputs
        return dropout(inputs, self.rate, self.draw_shape(inputs.shape), self.seed)

    def draw_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the draw for inputs of this shape."""
        return _filled(self.noise_shape, shape)


class _SpatialDropout(Dropout):
    rank = 1

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs,
    ):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = layout(f"{type(self).__name__}()", data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def draw_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One draw a sample and channel."""
        ones = (1,) * self.rank
        return (*shape[:2], *ones) if self.data_format == "channels_first" else (shape[0], *ones, shape[-1])

    def get_config(self) -> dict[str, Any]:
        """The arguments that Keras takes; nothing here can be trained."""
        config = super().get_config()
        unknown = ("noise_shape", "trainable", "activity_regularizer")
        return {name: value for name, value in config.items() if name not in unknown}


@registry.register()
class SpatialDropout1D(_SpatialDropout):
    """In training, drop whole channels of (batch, time, channels).

    Args:
        rate: The share of channels that is dropped, from 0 to 1.
        seed: Sets this layer's draws apart from others'.

    >>> import keryx
    >>> keryx.layers.SpatialDropout1D(0.5)(keryx.Input((10, 3))).shape
    (None, 10, 3)
    """

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None, **kwargs):
        super().__init__(rate, "channels_last", seed, name, dtype, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config()
        config.pop("data_format", None)
        return config


@registry.register()
class SpatialDropout2D(_SpatialDropout):
    """In training, drop whole channels of images (batch, height, width, channels).

    Args:
        rate: The share of channels that is dropped, from 0 to 1.
        data_format: `channels_last` or `channels_first`.
        seed: Sets this layer's draws apart from others'.

    >>> import keryx
    >>> keryx.layers.SpatialDropout2D(0.5)(keryx.Input((8, 8, 3))).shape
    (None, 8, 8, 3)
    """

    rank = 2


@registry.register()
class SpatialDropout3D(_SpatialDropout):
    """In training, drop whole channels of volumes (batch, depth, height, width, channels).

    Args:
        rate: The share of channels that is dropped, from 0 to 1.
        data_format: `channels_last` or `channels_first`.
        seed: Sets this layer's draws apart from others'.

    >>> import keryx
    >>> keryx.layers.SpatialDropout3D(0.5)(keryx.Input((4, 4, 4, 3))).shape
    (None, 4, 4, 4, 3)
    """

    rank = 3


@registry.register()
class GaussianDropout(Layer):
    """In training, multiply by normal noise of mean 1 and variance `rate / (1 - rate)`.

    Args:
        rate: From 0 to below 1.
        seed: Sets this layer's draws apart from others'.

    Source: Srivastava et al., Dropout, 2014.

    >>> import keryx
    >>> keryx.layers.GaussianDropout(0.5)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = fraction("GaussianDropout()", "rate", rate), seed
        if rate == 1:
            raise ConfigError("GaussianDropout() wants rate= below 1: its noise has the variance rate / (1 - rate).")

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        """Shape in, same shape out."""
        if not training or self.rate == 0:
            return inputs
        noise = jax.random.normal(scope.random_key(self.seed), inputs.shape, inputs.dtype)
        return inputs * (1 + (self.rate / (1 - self.rate)) ** 0.5 * noise)


@registry.register()
class GaussianNoise(Layer):
    """In training, add normal noise of mean 0.

    Args:
        stddev: The standard deviation of the noise.
        seed: Sets this layer's draws apart from others'.

    >>> import keryx
    >>> keryx.layers.GaussianNoise(0.1)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(stddev, (int, float)) or stddev < 0:
            raise ConfigError(f"GaussianNoise() wants stddev= of at least 0; got {stddev!r}.")
        self.stddev, self.seed = stddev, seed

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        """Shape in, same shape out."""
        if not training or self.stddev == 0:
            return inputs
        return inputs + self.stddev * jax.random.normal(scope.random_key(self.seed), inputs.shape, inputs.dtype)


@registry.register()
class AlphaDropout(Layer):
    """Dropout that keeps mean 0 and variance 1, for `selu`: what is dropped becomes selu's lower bound.

    Args:
        rate: The share that is dropped, from 0 to 1.
        noise_shape: The shape of the draw, None for an axis as in the inputs.
        seed: Sets this layer's draws apart from others'.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.

    >>> import keryx
    >>> keryx.layers.AlphaDropout(0.5)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = fraction("AlphaDropout()", "rate", rate), seed
        self.noise_shape = _noise_shape("AlphaDropout()", noise_shape)

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        """Shape in, same shape out."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return jnp.zeros_like(inputs)
        lowest = -1.6732632423543772 * 1.0507009873554805  # selu at minus infinity
        shape = _filled(self.noise_shape, inputs.shape)
        kept = jax.random.bernoulli(scope.random_key(self.seed), 1 - self.rate, shape)
        scale = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        return scale * (jnp.where(kept, inputs, lowest) - lowest * self.rate).astype(inputs.dtype)


@registry.register()
class ActivityRegularization(Layer):
    """The inputs as they are; `l1 * sum(|x|) + l2 * sum(x²)` is added to the loss.

    Args:
        l1: The weight of the absolute values; default 0.
        l2: The weight of the squares; default 0.

    >>> import keryx
    >>> keryx.layers.ActivityRegularization(l2=0.01)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments, of which the regularizer is made."""
        config = super().get_config()
        config.pop("activity_regularizer")
        return config
