"""Layers that move, repeat, add or cut elements, and compute nothing."""

from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import kernels
from keryx.errors import ConfigError, ShapeError
from keryx.layers.base.sizes import choice, layout, pairs, sizes, spatial_axes, whole
from keryx.layers.layer import InputSpec, Layer, registry


@registry.register()
class Flatten(Layer):
    """All axes but the batch axis as one.

    Args:
        data_format: `channels_last` or `channels_first`; channels come last in the outputs either way.

    Shapes: (batch, ...) -> (batch, features).

    >>> import keryx
    >>> keryx.layers.Flatten()(keryx.Input((4, 4, 3))).shape
    (None, 48)
    """

    def __init__(self, data_format: str | None = None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = layout("Flatten()", data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, ...) -> (batch, features)."""
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = jnp.moveaxis(inputs, 1, -1)
        return inputs.reshape(inputs.shape[0], prod(inputs.shape[1:]))


@registry.register()
class Reshape(Layer):
    """The same elements under another shape.

    Args:
        target_shape: The shape of a sample; one size may be -1, and follows from the others.

    Raises:
        ShapeError: Where the number of elements differs.

    >>> import keryx
    >>> keryx.layers.Reshape((-1, 2))(keryx.Input((3, 4))).shape
    (None, 6, 2)
    """

    def __init__(self, target_shape: Any, **kwargs):
        super().__init__(**kwargs)
        given = tuple(target_shape) if np.ndim(target_shape) else (target_shape,)
        self.target_shape = tuple(-1 if n is None else whole("Reshape()", "target_shape", n, least=-1) for n in given)
        if self.target_shape.count(-1) > 1:
            raise ConfigError(f"Reshape() wants integers, at most one of them -1; got {target_shape!r}.")

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, ...) -> (batch, *target_shape)."""
        given, wanted = prod(inputs.shape[1:]), prod(n for n in self.target_shape if n != -1)
        if given % wanted if -1 in self.target_shape and wanted else given != wanted:
            from keryx.core import ways_out

            raise ShapeError(
                f"{self.title} cannot bring samples of {inputs.shape[1:]}, {given} elements, into {self.target_shape}."
                + ways_out.of_sample(inputs.shape[1:], self.target_shape)
            )
        return inputs.reshape(inputs.shape[0], *self.target_shape)


@registry.register()
class Permute(Layer):
    """The axes of a sample in another order.

    Args:
        dims: Which axis comes where, counted from 1: `(2, 1)` exchanges two.

    >>> import keryx
    >>> keryx.layers.Permute((2, 1))(keryx.Input((3, 4))).shape
    (None, 4, 3)
    """

    def __init__(self, dims: Any, **kwargs):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ConfigError(f"Permute() wants each of 1 to {len(self.dims)} once; got {dims!r}.")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, ...) -> (batch, ...)."""
        return inputs.transpose(0, *self.dims)


@registry.register()
class RepeatVector(Layer):
    """The inputs, n times.

    Args:
        n: How often.

    Shapes: (batch, features) -> (batch, n, features).

    >>> import keryx
    >>> keryx.layers.RepeatVector(5)(keryx.Input((3,))).shape
    (None, 5, 3)
    """

    def __init__(self, n: int, **kwargs):
        super().__init__(**kwargs)
        (self.n,) = sizes("RepeatVector()", "n", n, 1)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, features) -> (batch, n, features)."""
        return jnp.broadcast_to(inputs[:, None], (inputs.shape[0], self.n, inputs.shape[1]))


class _ZeroPadding(Layer):
    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.padding = pairs(where, "padding", padding, self.rank)
        self.data_format = layout(where, data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out with larger axes of space."""
        added = dict(zip(spatial_axes(self.data_format, self.rank), self.padding, strict=True))
        return jnp.pad(inputs, [added.get(axis, (0, 0)) for axis in range(inputs.ndim)])


@registry.register()
class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after (batch, time, channels).

    Args:
        padding: How many at each end, or (before, after).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.ZeroPadding1D((2, 0))(keryx.Input((10, 3))).shape
    (None, 12, 3)
    """

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs):
        both = sizes("ZeroPadding1D()", "padding", padding, 2, least=0)
        super().__init__([both], data_format, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return super().get_config() | {"padding": self.padding[0]}


@registry.register()
class ZeroPadding2D(_ZeroPadding):
    """Zeros around images (batch, height, width, channels).

    Args:
        padding: How many on each side, or (high, wide), or ((top, bottom), (left, right)).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.ZeroPadding2D(1)(keryx.Input((8, 8, 3))).shape
    (None, 10, 10, 3)
    """

    rank = 2


@registry.register()
class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes (batch, depth, height, width, channels).

    Args:
        padding: How many on each side, or three numbers, or three pairs.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.ZeroPadding3D(1)(keryx.Input((4, 4, 4, 3))).shape
    (None, 6, 6, 6, 3)
    """

    rank = 3


class _Cropping(Layer):
    rank = 1

    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.cropping = pairs(where, "cropping", cropping, self.rank)
        self.data_format = layout(where, data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out with smaller axes of space."""
        index = [slice(None)] * inputs.ndim
        for axis, (before, after) in zip(spatial_axes(self.data_format, self.rank), self.cropping, strict=True):
            size = inputs.shape[axis]
            if before + after >= size:
                raise ShapeError(f"{self.title} cannot cut {before} + {after} from the {size} in axis {axis}.")
            index[axis] = slice(before, size - after)
        return inputs[tuple(index)]


@registry.register()
class Cropping1D(_Cropping):
    """(batch, time, channels) without its first and last steps.

    Args:
        cropping: How many are cut at each end, or (before, after).

    >>> import keryx
    >>> keryx.layers.Cropping1D((2, 0))(keryx.Input((10, 3))).shape
    (None, 8, 3)
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs):
        super().__init__([sizes("Cropping1D()", "cropping", cropping, 2, least=0)], "channels_last", **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config() | {"cropping": self.cropping[0]}
        config.pop("data_format", None)
        return config


@registry.register()
class Cropping2D(_Cropping):
    """Images (batch, height, width, channels) without their edges.

    Args:
        cropping: How many are cut on each side, or (high, wide), or ((top, bottom), (left, right)).
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.Cropping2D(1)(keryx.Input((8, 8, 3))).shape
    (None, 6, 6, 3)
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs):
        super().__init__(cropping, data_format, **kwargs)


@registry.register()
class Cropping3D(_Cropping):
    """Volumes (batch, depth, height, width, channels) without their edges.

    Args:
        cropping: How many are cut on each side, or three numbers, or three pairs.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.Cropping3D(1)(keryx.Input((4, 4, 4, 3))).shape
    (None, 2, 2, 2, 3)
    """

    rank = 3


class _UpSampling(Layer):
    rank = 1

    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs):
        super().__init__(**kwargs)
        where = f"{type(self).__name__}()"
        self.size = sizes(where, "size", size, self.rank)
        self.data_format = layout(where, data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out with axes of space `size` times as large."""
        for axis, times in zip(spatial_axes(self.data_format, self.rank), self.size, strict=True):
            inputs = jnp.repeat(inputs, times, axis)
        return inputs


@registry.register()
class UpSampling1D(_UpSampling):
    """Each step of (batch, time, channels), `size` times.

    Args:
        size: How often; default 2.

    >>> import keryx
    >>> keryx.layers.UpSampling1D(3)(keryx.Input((10, 3))).shape
    (None, 30, 3)
    """

    def __init__(self, size: int = 2, **kwargs):
        super().__init__(size, "channels_last", **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        config = super().get_config() | {"size": self.size[0]}
        config.pop("data_format", None)
        return config


@registry.register()
class UpSampling2D(_UpSampling):
    """Images (batch, height, width, channels), `size` times as large.

    Args:
        size: How many times, or (high, wide); default 2.
        data_format: `channels_last` or `channels_first`.
        interpolation: `nearest`, `bilinear`, `bicubic`, `lanczos3` or `lanczos5`.

    >>> import keryx
    >>> keryx.layers.UpSampling2D()(keryx.Input((8, 8, 3))).shape
    (None, 16, 16, 3)
    """

    rank = 2

    def __init__(self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs):
        super().__init__(size, data_format, **kwargs)
        known = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        self.interpolation = choice("UpSampling2D()", "interpolation", str(interpolation).lower(), known)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out with axes of space `size` times as large."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        times = dict(zip(spatial_axes(self.data_format, 2), self.size, strict=True))
        shape = [size * times.get(axis, 1) for axis, size in enumerate(inputs.shape)]
        return kernels.resize(inputs, shape, self.interpolation)


@registry.register()
class UpSampling3D(_UpSampling):
    """Volumes (batch, depth, height, width, channels), `size` times as large.

    Args:
        size: How many times, or three numbers; default 2.
        data_format: `channels_last` or `channels_first`.

    >>> import keryx
    >>> keryx.layers.UpSampling3D()(keryx.Input((4, 4, 4, 3))).shape
    (None, 8, 8, 8, 3)
    """

    rank = 3
