"""The layers that most models are made of: Dense, Activation."""

from typing import Any

import jax

from keryx import activations, constraints, initializers, regularizers
from keryx.errors import ArgumentError, ShapeError
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
        if not isinstance(units, int) or units <= 0:
            raise ArgumentError(f"Dense() wants a whole number of units above 0; got {units!r}.")
        self.units = units
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
            raise ShapeError(f"{self.title} wants a known last size; got {input_shape}.")
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
        outputs = inputs @ self.kernel  # (batch, ..., units)
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)


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
