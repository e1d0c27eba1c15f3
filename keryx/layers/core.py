"""The layers that most models are made of: Dense, Activation, Masking, Lambda, Identity."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keryx import activations, constraints, initializers, regularizers
from keryx.core.call_plan import accepted_arguments
from keryx.errors import ArgumentError, ShapeError
from keryx.kernels.dense import dense
from keryx.layers.base.sizes import whole
from keryx.layers.layer import InputSpec, Layer, registry


@registry.register()
class Dense(Layer):
    """A product with a matrix, plus a bias: `activation(inputs @ kernel + bias)`.

    Args:
        units: The size of the outputs' last axis.
        activation: A name or function; None is none.
        use_bias: Whether a bias is added.
        kernel_initializer: How the kernel (features, units) begins.
        bias_initializer: How the bias (units,) begins.
        kernel_regularizer: A penalty of the kernel.
        bias_regularizer: A penalty of the bias.
        activity_regularizer: A penalty of the outputs.
        kernel_constraint: A projection of the kernel after each step.
        bias_constraint: A projection of the bias after each step.

    Shapes: (batch, ..., features) -> (batch, ..., units).

    >>> import keryx
    >>> keryx.layers.Dense(64, activation="relu")(keryx.Input((784,))).shape
    (None, 64)
    """

    supports_masking = True
    bias: Any = None

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = whole("Dense()", "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the kernel (features, units) and the bias (units,)."""
        features = input_shape[-1]
        if features is None:
            raise ShapeError(f"{self.title} wants a known last size; got {input_shape}. Give Input(...) the size.")
        self.kernel = self.add_weight(
            (features, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: jax.Array) -> jax.Array:
        """(batch, ..., features) -> (batch, ..., units)."""
        name = activations.FUSED.get(self.activation)
        outputs = dense(inputs, self.kernel.value, self.bias.value if self.use_bias else None, name)
        return outputs if self.activation in activations.FUSED else self.activation(outputs)


@registry.register()
class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: A name or function.

    >>> import keryx
    >>> keryx.layers.Activation("relu")(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return self.activation(inputs)


@registry.register()
class Identity(Layer):
    """The inputs, as they are.

    >>> import keryx
    >>> keryx.layers.Identity()(keryx.Input((3,))).shape
    (None, 3)
    """

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Shape in, same shape out."""
        return inputs


@registry.register()
class Masking(Layer):
    """Mark the steps whose features all equal `mask_value` as padding, and set them to 0.

    Args:
        mask_value: What padding holds; default 0.

    Shapes: (batch, time, ...) -> the same, with a mask (batch, time) beside it.

    >>> import keryx
    >>> keryx.layers.Masking(-1.0)(keryx.Input((10, 3))).shape
    (None, 10, 3)
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        return jnp.where(self.compute_mask(inputs)[..., None], inputs, 0)

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> jax.Array:
        """True where a feature differs from mask_value."""
        return jnp.any(inputs != self.mask_value, axis=-1)


@registry.register()
class Lambda(Layer):
    """Any function as a layer: `function(inputs, **arguments)`.

    A model that holds one can be saved where the function has a name, for code is never read from a file: who loads
    it hands the function over in `custom_objects`, or has registered it.

    Args:
        function: A function of the inputs, written in jax.numpy; it is handed `mask` and `training` if it
            takes them.
        output_shape: Ignored; the shape is found by tracing.
        mask: The mask of the outputs, or a function (inputs, mask) that gives it; by default there is none.
        arguments: More keyword arguments of the function.

    >>> import keryx
    >>> keryx.layers.Lambda(lambda x: x[:, :2])(keryx.Input((3,))).shape
    (None, 2)
    """

    def __init__(
        self,
        function: Callable,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise ArgumentError(f"Lambda() wants a function; got {function!r}.")
        self.function, self.output_shape, self.mask = function, output_shape, mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """What the function makes of it."""
        names, _ = accepted_arguments(self.function)
        more = {name: value for name, value in (("mask", mask), ("training", training)) if name in names}
        return self.function(inputs, **self.arguments | more)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask that was given, or what its function gives."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask
