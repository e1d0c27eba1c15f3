"""Layers of Keras 1 and 2 that Keras 3 has dropped."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import activations, config, constraints, initializers, regularizers
from keryx.errors import ShapeError
from keryx.layers import Layer
from keryx.layers.merging import Merge


class _Affine(Layer):
    """What the layers around `x @ kernel + bias` share: how their weights begin, are penalized and kept in bounds."""

    def __init__(
        self,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.activation, self.use_bias = activations.get(activation), use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _add(self, what: str, shape: tuple[int, ...], initializer: Any = None) -> Any:
        """The kernel or the bias."""
        return self.add_weight(
            shape,
            initializer or getattr(self, f"{what}_initializer"),
            regularizer=getattr(self, f"{what}_regularizer"),
            constraint=getattr(self, f"{what}_constraint"),
            name=what,
        )

    def _activated(self, outputs: jax.Array) -> jax.Array:
        return outputs if self.activation is None else self.activation(outputs)


class MaxoutDense(_Affine):
    """The largest of several affine functions: `max_k (x @ kernel[k] + bias[k])`. Goodfellow et al. 2013.

    Args:
        units: The size of the output.
        nb_feature: The number of functions, 4.
        **kwargs: `use_bias`, and how kernel (nb_feature, inputs, units) and bias (nb_feature, units) begin, are
            penalized and kept in bounds, as in `Dense`.

    Shapes: (batch, inputs) -> (batch, units).

    >>> import keryx
    >>> MaxoutDense(3)(keryx.Input((5,))).shape
    (None, 3)
    """

    def __init__(self, units: int, nb_feature: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.nb_feature = units, nb_feature

    def build(self, input_shape: Any) -> None:
        """Add kernel (nb_feature, inputs, units) and bias (nb_feature, units)."""
        self.kernel = self._add("kernel", (self.nb_feature, input_shape[-1], self.units))
        self.bias = self._add("bias", (self.nb_feature, self.units)) if self.use_bias else None

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, inputs) -> (batch, units)."""
        outputs = jnp.einsum("bi,kio->bko", inputs, self.kernel.value)
        return jnp.max(outputs if self.bias is None else outputs + self.bias.value, axis=1)


class Highway(_Affine):
    """A dense layer with a gate that lets the input pass: `g * f(x @ kernel + bias) + (1 - g) * x`.

    `g = sigmoid(x @ carry_kernel + carry_bias)`. Srivastava et al. 2015.

    Args:
        activation: f, by default the identity.
        **kwargs: As in `Dense`.

    Shapes: (batch, inputs) -> (batch, inputs).

    >>> import keryx
    >>> Highway(activation="relu")(keryx.Input((5,))).shape
    (None, 5)
    """

    def build(self, input_shape: Any) -> None:
        """Add the kernels (inputs, inputs) and biases (inputs,); the gate's bias begins at 1."""
        size = input_shape[-1]
        self.kernel = self._add("kernel", (size, size))
        self.carry_kernel = self.add_weight((size, size), self.kernel_initializer, name="carry_kernel")
        self.bias = self._add("bias", (size,)) if self.use_bias else None
        self.carry_bias = self.add_weight((size,), "ones", name="carry_bias") if self.use_bias else None

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, inputs) -> (batch, inputs)."""
        gate, outputs = inputs @ self.carry_kernel.value, inputs @ self.kernel.value
        if self.bias is not None and self.carry_bias is not None:
            gate, outputs = gate + self.carry_bias.value, outputs + self.bias.value
        gate = jax.nn.sigmoid(gate)
        return gate * self._activated(outputs) + (1 - gate) * inputs


class _LocallyConnected(_Affine):
    """A convolution whose kernel is another at every place.

    Args:
        filters: The number of outputs at a place.
        kernel_size: The size of the window.
        strides: From place to place.
        padding: `"valid"`; there is no other.
        data_format: Where the channels are.
        **kwargs: As in `Conv2D`.
    """

    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if padding != "valid":
            raise ShapeError(f"{self.title}: padding is 'valid'; got {padding!r}.")
        self.filters, self.padding = filters, padding
        self.kernel_size, self.strides = self._sizes(kernel_size), self._sizes(strides)
        self.data_format = data_format or (config.image_data_format() if self.rank > 1 else "channels_last")

    def _sizes(self, size: Any) -> tuple[int, ...]:
        return (size,) * self.rank if isinstance(size, int) else tuple(size)

    def build(self, input_shape: Any) -> None:
        """Add kernel (places, window * channels, filters) and bias (*places, filters)."""
        first = self.data_format == "channels_first"
        channels, *space = input_shape[1:] if first else (input_shape[-1], *input_shape[1:-1])
        if None in space:
            raise ShapeError(f"{self.title} has weights for every place, so it wants all sizes; got {input_shape}.")
        sizes = zip(space, self.kernel_size, self.strides, strict=True)
        self.places = tuple((n - k) // s + 1 for n, k, s in sizes)
        count = window = 1
        for n, k in zip(self.places, self.kernel_size, strict=True):
            count, window = count * n, window * k
        self.kernel = self._add("kernel", (count, window * channels, self.filters))
        self.bias = self._add("bias", (*self.places, self.filters)) if self.use_bias else None

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, *space, channels) -> (batch, *places, filters), or with the channels first."""
        first = self.data_format == "channels_first"
        x = inputs if first else jnp.moveaxis(inputs, -1, 1)
        channels = x.shape[1]
        patches = jax.lax.conv_general_dilated_patches(x, self.kernel_size, self.strides, "VALID")
        patches = patches.reshape(x.shape[0], channels, -1, self.kernel.shape[0])  # (batch, channels, window, places)
        patches = patches if first else jnp.swapaxes(patches, 1, 2)
        kernel = self.kernel.value.reshape(self.kernel.shape[0], *patches.shape[1:3], self.filters)
        outputs = jnp.einsum("bxyp,pxyf->bpf", patches, kernel)
        outputs = outputs.reshape(x.shape[0], *self.places, self.filters)
        outputs = self._activated(outputs if self.bias is None else outputs + self.bias.value)
        return jnp.moveaxis(outputs, -1, 1) if first else outputs


class LocallyConnected1D(_LocallyConnected):
    """A convolution over time whose kernel is another at every step. The arguments are those of `Conv1D`.

    Shapes: (batch, time, channels) -> (batch, places, filters).

    >>> import keryx
    >>> LocallyConnected1D(4, 3)(keryx.Input((8, 2))).shape
    (None, 6, 4)
    """

    rank = 1


class LocallyConnected2D(_LocallyConnected):
    """A convolution of images whose kernel is another at every place. The arguments are those of `Conv2D`.

    Shapes: (batch, rows, columns, channels) -> (batch, places, places, filters), or with the channels first.

    >>> import keryx
    >>> LocallyConnected2D(4, 3)(keryx.Input((8, 8, 2))).shape
    (None, 6, 6, 4)
    """

    rank = 2


class ThresholdedReLU(Layer):
    """`x` where it is above theta, else 0. Konda et al. 2015.

    Args:
        theta: 1.

    >>> import keryx
    >>> ThresholdedReLU(0.5)(jnp.array([0.4, 0.6])).tolist()
    [0.0, 0.6000000238418579]
    """

    supports_masking = True

    def __init__(self, theta: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.theta = float(theta)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Every element by itself."""
        return jnp.where(inputs > self.theta, inputs, jnp.zeros_like(inputs))


class ParametricSoftplus(Layer):
    """`alpha * log(1 + exp(beta * x))`, with trained alpha and beta for every element. McFarland et al. 2013.

    Args:
        alpha_init: The first alpha, 0.2.
        beta_init: The first beta, 5.
        shared_axes: Axes along which they are the same.

    >>> import keryx
    >>> ParametricSoftplus()(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, alpha_init: float = 0.2, beta_init: float = 5.0, shared_axes: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha_init, self.beta_init, self.shared_axes = alpha_init, beta_init, shared_axes

    def build(self, input_shape: Any) -> None:
        """Add alpha and beta, of the shape of a sample."""
        shape = _shared(input_shape, self.shared_axes)
        self.alpha = self.add_weight(shape, initializers.Constant(self.alpha_init), name="alpha")
        self.beta = self.add_weight(shape, initializers.Constant(self.beta_init), name="beta")

    def call(self, inputs: jax.Array) -> jax.Array:
        """Every element by itself."""
        return self.alpha.value * jax.nn.softplus(self.beta.value * inputs)


class SReLU(Layer):
    """Three lines, joined where it says: their slopes left and right, and the places, are trained. Jin et al. 2015.

    Args:
        t_left_init: How the left place begins.
        a_left_init: How the left slope begins.
        t_right_init: How the distance to the right place begins.
        a_right_init: How the right slope begins.
        shared_axes: Axes along which they are the same.

    >>> import keryx
    >>> SReLU()(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(
        self,
        t_left_init: Any = "zeros",
        a_left_init: Any = "glorot_uniform",
        t_right_init: Any = "glorot_uniform",
        a_right_init: Any = "ones",
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.t_left_init, self.a_left_init = t_left_init, a_left_init
        self.t_right_init, self.a_right_init = t_right_init, a_right_init
        self.shared_axes = shared_axes

    def build(self, input_shape: Any) -> None:
        """Add the places and slopes, of the shape of a sample."""
        shape = _shared(input_shape, self.shared_axes)
        self.t_left = self.add_weight(shape, self.t_left_init, name="t_left")
        self.a_left = self.add_weight(shape, self.a_left_init, name="a_left")
        self.t_right = self.add_weight(shape, self.t_right_init, name="t_right")
        self.a_right = self.add_weight(shape, self.a_right_init, name="a_right")

    def call(self, inputs: jax.Array) -> jax.Array:
        """Every element by itself."""
        left, right = self.t_left.value, self.t_left.value + jnp.abs(self.t_right.value)
        below = left + self.a_left.value * (inputs - left)
        above = right + self.a_right.value * (inputs - right)
        return jnp.where(inputs < left, below, jnp.where(inputs < right, inputs, above))


class _Merge(Merge):
    """The base of layers that merge tensors, whose maths was `_merge_function(inputs)`; today it is `merge`."""

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """[(batch, ...), ...] -> (batch, ...)."""
        return self._merge_function(inputs)

    def _merge_function(self, inputs: list[jax.Array]) -> jax.Array:
        raise NotImplementedError(f"{type(self).__name__} wants a method _merge_function(inputs).")


def _shared(input_shape: Any, axes: Any) -> tuple[int, ...]:
    axes = () if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return tuple(1 if axis in axes else size for axis, size in enumerate(input_shape) if axis > 0)
