"""EinsumDense: a Dense layer over any axes."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import activations, constraints, initializers, regularizers
from keryx.core.symbol import Shape
from keryx.errors import ConfigError, ShapeError
from keryx.layers.layer import InputSpec, Layer, registry


@registry.register()
class EinsumDense(Layer):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: Inputs, kernel and outputs as letters, `"abc,cd->abd"`; `...` stands for more axes of the
            inputs, at their beginning or end.
        output_shape: The shape of the outputs without the batch axis and `...`; None where a size follows.
        activation: A name or function; None is none.
        bias_axes: The letters of the outputs' axes that the bias has; None is no bias.
        kernel_initializer: How the kernel begins.
        bias_initializer: How the bias begins.
        kernel_regularizer: A penalty of the kernel.
        bias_regularizer: A penalty of the bias.
        kernel_constraint: A projection of the kernel after each step.
        bias_constraint: A projection of the bias after each step.

    >>> import keryx
    >>> keryx.layers.EinsumDense("abc,cde->abde", (None, 8, 64), bias_axes="de")(keryx.Input((10, 512))).shape
    (None, 10, 8, 64)
    """

    bias: Any = None

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.equation, self.bias_axes = equation, bias_axes
        self.output_shape = tuple(output_shape) if np.ndim(output_shape) else (output_shape,)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Shape) -> None:
        """Add the kernel and, with bias_axes, the bias."""
        kernel_shape, bias_shape, fans = weight_shapes(
            self.equation, self.bias_axes, tuple(input_shape), self.output_shape
        )
        inputs, kernel = re.split(",|->", self.equation)[:2]
        letters = inputs.replace("...", "." * (len(input_shape) - len(inputs) + 3))
        sizes = enumerate(zip(letters, input_shape, strict=True))
        self.input_spec = InputSpec(
            ndim=len(input_shape), axes={axis: size for axis, (letter, size) in sizes if letter in kernel}
        )
        self.kernel = self.add_weight(
            kernel_shape,
            _with_fans(self.kernel_initializer, *fans),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if bias_shape is not None:
            self.bias = self.add_weight(
                bias_shape,
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def call(self, inputs: jax.Array) -> jax.Array:
        """What the equation says."""
        outputs = jnp.einsum(self.equation, inputs, self.kernel.value)
        if self.bias_axes is not None:
            outputs = outputs + self.bias
        return self.activation(outputs)


def _with_fans(initializer: Any, input_axes: list[int], output_axes: list[int]) -> Any:
    """Tell an initializer that scales by the inputs and outputs which axes of the kernel those are."""
    if not hasattr(initializer, "input_axes") or initializer.input_axes is not None:
        return initializer
    return type(initializer).from_config(
        initializer.get_config() | {"input_axes": input_axes, "output_axes": output_axes}
    )


def weight_shapes(
    equation: str, bias_axes: str | None, input_shape: Shape, output_shape: Shape
) -> tuple[tuple, tuple | None, tuple[list[int], list[int]]]:
    """The shapes of kernel and bias, and the axes of the kernel that are summed over and that are put out.

    >>> weight_shapes("abc,cd->abd", "d", (None, 10, 32), (None, 64))
    ((32, 64), (64,), ([0], [1]))
    """
    parts = re.fullmatch(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?", equation)
    if not parts or parts[1] != parts[5] or parts[3] != parts[7] or (parts[1] and parts[3]):
        raise ConfigError(
            f"EinsumDense() wants an equation like 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'; got {equation!r}."
        )
    inputs, kernel, outputs, leading = parts[2], parts[4], parts[6], bool(parts[1])
    more = len(input_shape) - len(inputs)
    if more < 0 or (more and not (parts[1] or parts[3])):
        raise ShapeError(f"EinsumDense with {equation!r} wants inputs of {len(inputs)} axes; got {input_shape}.")
    size = dict(zip(outputs, _named_sizes(outputs, output_shape, more if leading else 0), strict=True))
    for letter, n in zip(inputs, input_shape[more:] if leading else input_shape, strict=False):
        if n is not None and size.get(letter) not in (n, None):
            raise ShapeError(
                f"EinsumDense with {equation!r} wants {size[letter]} along {letter!r}, by its output_shape=; "
                f"got {input_shape}."
            )
        size[letter] = n if size.get(letter) is None else size[letter]
    strangers = [x for x in kernel + (bias_axes or "") if x not in size]
    strangers += [x for x in bias_axes or "" if x not in outputs]
    if strangers:
        raise ConfigError(f"EinsumDense with {equation!r} cannot tell what {strangers[0]!r} is.")
    kernel_shape = tuple(size[letter] for letter in kernel)
    fans = (
        [i for i, x in enumerate(kernel) if x not in outputs],
        [i for i, x in enumerate(kernel) if x in outputs],
    )
    if bias_axes is None:
        return kernel_shape, None, fans
    first = min(outputs.index(letter) for letter in bias_axes)
    bias_shape = tuple(size[letter] if letter in bias_axes else 1 for letter in outputs[first:])
    return kernel_shape, bias_shape + (1,) * (0 if leading else more), fans


def _named_sizes(outputs: str, output_shape: Shape, leading: int) -> list[int | None]:
    """The sizes of the outputs' letters, the first of them the batch axis, unless `...` stands for that."""
    named = list(output_shape) if leading else [None, *output_shape]
    if len(named) != len(outputs):
        raise ShapeError(f"EinsumDense has outputs {outputs!r}, and an output_shape= {output_shape} of another length.")
    return named
