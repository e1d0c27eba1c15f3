"""Layers that bring activations to mean 0 and variance 1, or to length 1. All compute in float32 at least."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import constraints, initializers, regularizers
from keryx.core import scope
from keryx.errors import ConfigError, ShapeError
from keryx.layers.base.sizes import known_size, whole
from keryx.layers.layer import InputSpec, Layer, registry


def wide(x: jax.Array) -> jax.Array:
    """In float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, "float32"))


@contextmanager
def whole_weights() -> Iterator[None]:
    """A block in which weights keep their own dtype: statistics in bfloat16 would hardly move."""
    running = scope.current()
    if running is None:
        yield
        return
    before, running.autocast = running.autocast, None
    try:
        yield
    finally:
        running.autocast = before


def _scale_and_shift(
    x: jax.Array, mean: jax.Array, variance: jax.Array, epsilon: float, gamma: Any, beta: Any
) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, as one product and one sum an element."""
    factor = jax.lax.rsqrt(variance + epsilon)
    factor = factor if gamma is None else factor * gamma
    offset = -mean * factor
    return x * factor + (offset if beta is None else offset + beta)


class Affine(Layer):
    """A normalization whose outputs are scaled by gamma and shifted by beta."""

    supports_masking = True

    gamma: Any = None
    beta: Any = None

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def add_gamma_and_beta(self, shape: tuple[int, ...], scale: bool | None = None, center: bool | None = None) -> None:
        """Add the scale and the shift, if there are to be any."""
        if self.scale if scale is None else scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                None,
                True,
                self.gamma_regularizer,
                self.gamma_constraint,
                "gamma",
            )
        if self.center if center is None else center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, None, True, self.beta_regularizer, self.beta_constraint, "beta"
            )

    def normalize(self, x: jax.Array, mean: Any, variance: jax.Array, shape: list[int]) -> jax.Array:
        """Normalize, scale and shift; `shape` is that in which gamma and beta broadcast against x."""
        gamma, beta = (None if w is None else w.value.reshape(shape) for w in (self.gamma, self.beta))
        return _scale_and_shift(x, mean, variance, self.epsilon, gamma, beta).astype(self.compute_dtype)


def _axes(where: str, axis: Any) -> Any:
    try:
        return [operator.index(a) for a in axis] if np.ndim(axis) else operator.index(axis)
    except TypeError:
        raise ConfigError(f"{where} wants axis= as an integer or a list of them; got {axis!r}.") from None


@registry.register()
class LayerNormalization(Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with the moments of each sample and step.

    Args:
        axis: The axis, or axes, that mean and variance are taken over; default the last.
        epsilon: Keeps the division finite; default 0.001.
        center: Whether beta is added.
        scale: Whether gamma multiplies.
        beta_initializer: How beta, of the shape of the axes, begins; default zeros.
        gamma_initializer: How gamma begins; default ones.
        beta_regularizer: A penalty of beta.
        gamma_regularizer: A penalty of gamma.
        beta_constraint: A projection of beta after each step.
        gamma_constraint: A projection of gamma after each step.
        rms_scaling: An old word of Keras, with True: `gamma * x / sqrt(variance + epsilon)`, which is not yet what
            RMSNormalization does.

    Source: Ba et al., Layer Normalization, 2016.

    >>> import keryx
    >>> keryx.layers.LayerNormalization()(keryx.Input((10, 3))).shape
    (None, 10, 3)
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        rms_scaling: bool = False,
        **kwargs,
    ):
        beta_and_gamma = beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        super().__init__(epsilon, center, scale, *beta_and_gamma, beta_constraint, gamma_constraint, **kwargs)
        self.axis, self.rms_scaling = _axes("LayerNormalization()", axis), rms_scaling
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add gamma and beta, of the shape of the axes."""
        axes = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        sizes = {axis: known_size(self.title, input_shape, axis) for axis in axes}
        scale, center = self.scale or self.rms_scaling, self.center and not self.rms_scaling
        self.add_gamma_and_beta(tuple(sizes.values()), scale, center)
        self.input_spec = InputSpec(axes=sizes)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        x = wide(inputs)
        axes = tuple(a % x.ndim for a in ([self.axis] if isinstance(self.axis, int) else self.axis))
        shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        with whole_weights():
            mean = 0.0 if self.rms_scaling else x.mean(axes, keepdims=True)
            return self.normalize(x, mean, x.var(axes, keepdims=True), shape)


@registry.register()
class GroupNormalization(Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with the moments of each group of channels.

    Args:
        groups: The number of groups; 1 is like LayerNormalization, -1 is a group a channel. Default 32.
        axis: The axis of the channels; default the last.
        epsilon: Keeps the division finite; default 0.001.
        center: Whether beta is added.
        scale: Whether gamma multiplies.
        beta_initializer: How beta, a number a channel, begins; default zeros.
        gamma_initializer: How gamma begins; default ones.
        beta_regularizer: A penalty of beta.
        gamma_regularizer: A penalty of gamma.
        beta_constraint: A projection of beta after each step.
        gamma_constraint: A projection of gamma after each step.

    Source: Wu and He, Group Normalization, 2018.

    >>> import keryx
    >>> keryx.layers.GroupNormalization(4)(keryx.Input((8, 8, 16))).shape
    (None, 8, 8, 16)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs,
    ):
        beta_and_gamma = beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        super().__init__(epsilon, center, scale, *beta_and_gamma, beta_constraint, gamma_constraint, **kwargs)
        if groups == 0:
            raise ConfigError(f"GroupNormalization() wants groups= above 0, or -1; got {groups!r}.")
        self.groups, self.axis = whole("GroupNormalization()", "groups", groups, least=-1), axis
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add gamma and beta, a number a channel each."""
        channels = known_size(self.title, input_shape, self.axis, "number of channels")
        if channels % self.groups:
            raise ShapeError(f"{self.title} cannot share {channels} channels among {self.groups} groups evenly.")
        self.add_gamma_and_beta((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        x, axis = wide(inputs), self.axis % inputs.ndim
        channels = x.shape[axis]
        groups = channels if self.groups == -1 else self.groups
        split = groups, channels // groups
        x = x.reshape(*x.shape[:axis], *split, *x.shape[axis + 1 :])  # (batch, ..., groups, channels a group, ...)
        over = tuple(a for a in range(1, x.ndim) if a != axis)
        shape = [1] * axis + list(split) + [1] * (x.ndim - axis - 2)
        with whole_weights():
            outputs = self.normalize(x, x.mean(over, keepdims=True), x.var(over, keepdims=True), shape)
        return outputs.reshape(inputs.shape)


@registry.register()
class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x²) + epsilon)`.

    Args:
        axis: The axis, or axes, that the mean is taken over; default the last.
        epsilon: Keeps the division finite; default 1e-6.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> import keryx
    >>> keryx.layers.RMSNormalization()(keryx.Input((10, 3))).shape
    (None, 10, 3)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.epsilon = _axes("RMSNormalization()", axis), epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the scale, of the shape of the axes."""
        axes = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        sizes = {axis: known_size(self.title, input_shape, axis) for axis in axes}
        self.scale = self.add_weight(tuple(sizes.values()), "ones", name="scale")
        self.input_spec = InputSpec(axes=sizes)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        x = wide(inputs)
        axes = tuple(a % x.ndim for a in ([self.axis] if isinstance(self.axis, int) else self.axis))
        shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        x = x * jax.lax.rsqrt((x * x).mean(axes, keepdims=True) + self.epsilon)
        return (x * self.scale.value.reshape(shape)).astype(inputs.dtype)


@registry.register()
class UnitNormalization(Layer):
    """`x / |x|`: each vector has length 1.

    Args:
        axis: The axis, or axes, of the vectors; default the last.

    >>> import keryx
    >>> keryx.layers.UnitNormalization()(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs):
        super().__init__(**kwargs)
        self.axis = _axes("UnitNormalization()", axis)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        x = wide(inputs)
        axes = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        square = (x * x).sum(axes, keepdims=True)
        return (x * jax.lax.rsqrt(jnp.maximum(square, 1e-24))).astype(inputs.dtype)
