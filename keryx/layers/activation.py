"""Activation functions that have arguments, or weights, as layers."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import activations, constraints, initializers, regularizers
from keryx.errors import ConfigError, ShapeError
from keryx.layers.layer import InputSpec, Layer, registry


def _not_negative(where: str, **arguments: float | None) -> None:
    for name, value in arguments.items():
        if value is None or value < 0:
            raise ConfigError(f"{where} wants {name}= of at least 0; got {value!r}.")


@registry.register()
class ReLU(Layer):
    """`max_value` above it, `x` from `threshold` on, `negative_slope * (x - threshold)` below.

    Args:
        max_value: Where it saturates; None is nowhere.
        negative_slope: The slope below the threshold; default 0.
        threshold: Where it begins; default 0.

    >>> import keryx
    >>> keryx.layers.ReLU(6.0)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        _not_negative("ReLU()", negative_slope=negative_slope, threshold=threshold)
        if max_value is not None:
            _not_negative("ReLU()", max_value=max_value)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@registry.register()
class LeakyReLU(Layer):
    """`x` above 0, `negative_slope * x` below.

    Args:
        negative_slope: Default 0.3.

    >>> import keryx
    >>> keryx.layers.LeakyReLU(0.1)(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True
    renamed_arguments = {"alpha": ("negative_slope",)}

    def __init__(self, negative_slope: float = 0.3, **kwargs):
        super().__init__(**kwargs)
        _not_negative("LeakyReLU()", negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return activations.leaky_relu(inputs, self.negative_slope)


@registry.register()
class PReLU(Layer):
    """`x` above 0, `alpha * x` below, where alpha is trained.

    Args:
        alpha_initializer: How alpha, of the shape of a sample, begins; default zeros.
        alpha_regularizer: A penalty of alpha.
        alpha_constraint: A projection of alpha after each step.
        shared_axes: Axes along which alpha is the same, such as `[1, 2]` for images.

    Source: He et al., Delving Deep into Rectifiers, 2015.

    >>> import keryx
    >>> keryx.layers.PReLU(shared_axes=[1, 2])(keryx.Input((None, None, 3))).shape
    (None, None, None, 3)
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add alpha, of the shape of a sample, 1 along the shared axes."""
        shared = self.shared_axes or []
        if any(not 0 < axis < len(input_shape) for axis in shared):
            raise ShapeError(
                f"{self.title} wants shared_axes= from 1 to {len(input_shape) - 1}, the axes of {input_shape} without "
                f"that of the batch; got {shared}."
            )
        shape: Any = tuple(1 if axis in shared else size for axis, size in enumerate(input_shape))[1:]
        if None in shape:
            raise ShapeError(
                f"{self.title} has a weight for each element, and the size of an axis of {input_shape} is not "
                "known: name it in shared_axes=."
            )
        self.alpha = self.add_weight(
            shape, self.alpha_initializer, None, True, self.alpha_regularizer, self.alpha_constraint, "alpha"
        )
        axes = {axis: size for axis, size in enumerate(input_shape) if axis > 0 and axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return jax.nn.relu(inputs) - self.alpha * jax.nn.relu(-inputs)


@registry.register()
class ELU(Layer):
    """`x` above 0, `alpha * (exp(x) - 1)` below.

    Args:
        alpha: Default 1.

    Source: Clevert et al., ELUs, 2016.

    >>> import keryx
    >>> keryx.layers.ELU()(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return activations.elu(inputs, self.alpha)


@registry.register()
class Softmax(Layer):
    """`exp(x) / sum(exp(x))`, over the elements that a mask leaves.

    Args:
        axis: The axis, or axes, over which the outputs sum to 1; default the last.

    >>> import keryx
    >>> keryx.layers.Softmax()(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """Shape in, same shape out; a masked element gives 0."""
        return masked_softmax(inputs, self.axis, mask)


def masked_softmax(x: jax.Array, axis: Any, mask: jax.Array | None = None) -> jax.Array:
    """Softmax over the elements where `mask` is True, 0 elsewhere, also where none is left."""
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    if mask is None:
        return jax.nn.softmax(x, axis)
    if mask.ndim > x.ndim or any(m not in (1, n) for m, n in zip(mask.shape[::-1], x.shape[::-1], strict=False)):
        raise ShapeError(f"A mask {mask.shape} cannot be laid over the inputs {x.shape} of a softmax.")
    mask = mask if mask.dtype == bool else mask > 0.5
    lowest = -3e4 if x.dtype == "float16" else -1e9
    return jnp.where(mask, jax.nn.softmax(jnp.where(mask, x, lowest), axis), 0)
