"""The simple recurrent layer."""

from typing import Any

import jax

from keryx import kernels
from keryx.layers.layer import registry
from keryx.layers.recurrent.cell import Cell, CellLayer, make_cell


@registry.register()
class SimpleRNNCell(Cell):
    """One step of `SimpleRNN`: `h' = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units: The size of h.
        activation: The activation.
        **kwargs: As in `SimpleRNN`.

    >>> import jax.numpy as jnp, keryx
    >>> output, states = keryx.layers.SimpleRNNCell(4)(jnp.ones((2, 3)), [jnp.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    def call(self, inputs: jax.Array, states: Any, training: bool = False) -> tuple[jax.Array, list[jax.Array]]:
        """(batch, features), [h] -> h, [h]."""
        h = states[0] if isinstance(states, (list, tuple)) else states
        z = kernels.matmul(self.drop(inputs, self.dropout, training), self.kernel.value)  # (batch, units)
        z = z + kernels.matmul(self.drop(h, self.recurrent_dropout, training), self.recurrent_kernel.value)
        h = self.activation(z + self.bias if self.use_bias else z)
        return h, [h]


@registry.register()
class SimpleRNN(CellLayer):
    """A layer whose output is fed back: `SimpleRNNCell` run over time.

    Args:
        units: The size of the outputs.
        activation: The activation of the state.
        use_bias: Whether a bias is added.
        *_initializer, *_regularizer, *_constraint: For the kernel of the inputs, the recurrent one and the bias.
        dropout: The share of the inputs that is set to 0 in training.
        recurrent_dropout: The share of the state that is set to 0 on its way into the gates.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned too.
        go_backwards: Whether time runs backwards; the outputs then stand in that order.
        stateful: Whether a batch begins with the states in which the last one ended.
        unroll: Whether the loop over time is written out.
        seed: Where the random numbers of dropout begin.
        zero_output_for_mask: Whether the output at a masked step is 0, or the one before.

    Shapes: (batch, time, features) -> (batch, units), or (batch, time, units) with `return_sequences`.

    >>> import keryx
    >>> keryx.layers.SimpleRNN(4)(keryx.Input((10, 3))).shape
    (None, 4)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs,
    ):
        cell = make_cell(SimpleRNNCell, locals(), kwargs)
        kwargs["activity_regularizer"] = activity_regularizer
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, unroll, **kwargs)

    def run(self, x: jax.Array, states: list[Any], mask: Any, training: bool) -> tuple[jax.Array, list[Any]]:
        """All steps at once, where the kernel does what the cell does."""
        if not self.fast(training):
            return super().run(x, states, mask, training)
        cell = self.cell
        x = cell.drop(x, cell.dropout, training)
        weights = cell.value("kernel"), cell.value("recurrent_kernel"), cell.value("bias")
        outputs, h = kernels.simple_rnn(x, *weights, states[0], mask, self.go_backwards)
        return outputs, [h]
