"""Long short-term memory."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import activations, kernels
from keryx.layers.layer import registry
from keryx.layers.recurrent.cell import Cell, CellLayer, make_cell


@registry.register()
class LSTMCell(Cell):
    """One step of `LSTM`.

    `i, f, g, o = split(x @ kernel + h @ recurrent_kernel + bias)`,
    `c' = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)`,
    `h' = recurrent_activation(o) * activation(c')`.

    Args:
        units: The size of h and c.
        activation: The activation of g and c.
        recurrent_activation: The activation of i, f and o.
        unit_forget_bias: Whether the bias of f begins at 1.
        **kwargs: As in `LSTM`.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997.

    >>> import jax.numpy as jnp, keryx
    >>> states = [jnp.zeros((2, 4)), jnp.zeros((2, 4))]
    >>> output, (h, c) = keryx.layers.LSTMCell(4)(jnp.ones((2, 3)), states)
    >>> output.shape
    (2, 4)
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    @property
    def state_size(self) -> list[int]:
        """The sizes of h and c."""
        return [self.units, self.units]

    def first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> jax.Array:
        """How the bias begins: at 1 for f where asked for."""
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        size = self.units
        i, *g_and_o = (self.bias_initializer((n,), dtype=dtype) for n in (size, 2 * size))
        return jnp.concatenate([i, jnp.ones((size,), dtype), *g_and_o])

    def call(self, inputs: jax.Array, states: Any, training: bool = False) -> tuple[jax.Array, list[jax.Array]]:
        """(batch, features), [h, c] -> h, [h, c]."""
        h, c = states
        z = kernels.matmul(self.drop(inputs, self.dropout, training), self.kernel.value)  # (batch, 4 * units)
        z = z + kernels.matmul(self.drop(h, self.recurrent_dropout, training), self.recurrent_kernel.value)
        z = z + self.bias if self.use_bias else z
        i, f, g, o = jnp.split(z, 4, -1)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]


@registry.register()
class LSTM(CellLayer):
    """Long short-term memory: `LSTMCell` run over time.

    Args:
        units: The size of the outputs.
        activation: The activation of the state.
        recurrent_activation: The activation of the gates.
        use_bias: Whether a bias is added.
        *_initializer, *_regularizer, *_constraint: For the kernel of the inputs, the recurrent one and the bias.
        unit_forget_bias: Whether the bias of the forget gate begins at 1.
        dropout: The share of the inputs that is set to 0 in training.
        recurrent_dropout: The share of the state that is set to 0 on its way into the gates.
        seed: Where the random numbers of dropout begin.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned too.
        go_backwards: Whether time runs backwards; the outputs then stand in that order.
        stateful: Whether a batch begins with the states in which the last one ended.
        unroll: Whether the loop over time is written out.
        use_cudnn: Taken as Keras takes it.
        zero_output_for_mask: Whether the output at a masked step is 0, or the one before.

    Shapes: (batch, time, features) -> (batch, units), or (batch, time, units) with `return_sequences`.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997.

    >>> import keryx
    >>> keryx.layers.LSTM(4)(keryx.Input((140, 256))).shape
    (None, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs,
    ):
        cell = make_cell(LSTMCell, locals(), kwargs)
        kwargs["activity_regularizer"] = activity_regularizer
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, unroll, **kwargs)
        self.use_cudnn = use_cudnn

    def run(self, x: jax.Array, states: list[Any], mask: Any, training: bool) -> tuple[jax.Array, list[Any]]:
        """All steps at once, where the kernel does what the cell does."""
        if not self.fast(training):
            return super().run(x, states, mask, training)
        cell = self.cell
        x = cell.drop(x, cell.dropout, training)
        weights = cell.value("kernel"), cell.value("recurrent_kernel"), cell.value("bias")
        outputs, h, c = kernels.lstm(x, *weights, states[0], states[1], mask, self.go_backwards)
        return outputs, [h, c]
