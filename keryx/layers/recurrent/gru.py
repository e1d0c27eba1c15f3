"""The gated recurrent unit."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import activations, kernels
from keryx.layers.layer import registry
from keryx.layers.recurrent.cell import Cell, CellLayer, make_cell


@registry.register()
class GRUCell(Cell):
    """One step of `GRU`.

    `z, r = recurrent_activation(x_zr + h_zr)`, `g = activation(x_g + r * h_g)`, `h' = z * h + (1 - z) * g`, where
    `x_* = x @ kernel + bias[0]` and `h_* = h @ recurrent_kernel + bias[1]`. Without `reset_after` there is one bias,
    and `(r * h) @ recurrent_kernel_g` stands in place of `r * h_g`.

    Args:
        units: The size of h.
        activation: The activation of g.
        recurrent_activation: The activation of z and r.
        reset_after: Whether the reset gate comes after the product with the recurrent kernel.
        **kwargs: As in `GRU`.

    Source: Cho et al., https://arxiv.org/abs/1406.1078.

    >>> import jax.numpy as jnp, keryx
    >>> output, states = keryx.layers.GRUCell(4)(jnp.ones((2, 3)), [jnp.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        *,
        reset_after: bool = True,
        **kwargs,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One bias for both products, or one for each."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: jax.Array, states: Any, training: bool = False) -> tuple[jax.Array, list[jax.Array]]:
        """(batch, features), [h] -> h, [h]."""
        before = states[0] if isinstance(states, (list, tuple)) else states
        h = self.drop(before, self.recurrent_dropout, training)
        kernel, (x_bias, h_bias) = self.value("recurrent_kernel"), self._biases()
        from_x = (
            kernels.matmul(self.drop(inputs, self.dropout, training), self.kernel.value) + x_bias
        )  # (batch, 3 * units)
        x_z, x_r, x_g = jnp.split(from_x, 3, -1)
        gates = 2 * self.units
        h_z, h_r = jnp.split(kernels.matmul(h, kernel[:, :gates]) + h_bias[..., :gates], 2, -1)
        z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
        if self.reset_after:
            h_g = r * (kernels.matmul(h, kernel[:, gates:]) + h_bias[..., gates:])
        else:
            h_g = kernels.matmul(r * h, kernel[:, gates:])
        h = z * before + (1 - z) * self.activation(x_g + h_g)
        return h, [h]

    def _biases(self):
        bias = self.value("bias")
        none = jnp.zeros((3 * self.units,), self.compute_dtype)
        if bias is None:
            return none, none
        return bias if self.reset_after else (bias, none)


@registry.register()
class GRU(CellLayer):
    """Gated recurrent unit: `GRUCell` run over time.

    Args:
        units: The size of the outputs.
        activation: The activation of the candidate state.
        recurrent_activation: The activation of the gates.
        use_bias: Whether a bias is added.
        *_initializer, *_regularizer, *_constraint: For the kernel of the inputs, the recurrent one and the bias.
        dropout: The share of the inputs that is set to 0 in training.
        recurrent_dropout: The share of the state that is set to 0 on its way into the gates.
        seed: Where the random numbers of dropout begin.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned too.
        go_backwards: Whether time runs backwards; the outputs then stand in that order.
        stateful: Whether a batch begins with the states in which the last one ended.
        unroll: Whether the loop over time is written out.
        reset_after: Whether the reset gate comes after the product with the recurrent kernel.
        use_cudnn: Taken as Keras takes it.
        zero_output_for_mask: Whether the output at a masked step is 0, or the one before.

    Shapes: (batch, time, features) -> (batch, units), or (batch, time, units) with `return_sequences`.

    Source: Cho et al., https://arxiv.org/abs/1406.1078.

    >>> import keryx
    >>> keryx.layers.GRU(4, return_sequences=True)(keryx.Input((10, 3))).shape
    (None, 10, 4)
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
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs,
    ):
        cell = make_cell(GRUCell, locals(), kwargs)
        kwargs["activity_regularizer"] = activity_regularizer
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, unroll, **kwargs)
        self.use_cudnn = use_cudnn

    def run(self, x: jax.Array, states: list[Any], mask: Any, training: bool) -> tuple[jax.Array, list[Any]]:
        """All steps at once, where the kernel does what the cell does."""
        if not (self.fast(training) and self.cell.reset_after):
            return super().run(x, states, mask, training)
        cell = self.cell
        x = cell.drop(x, cell.dropout, training)
        weights = cell.value("kernel"), cell.value("recurrent_kernel"), cell.value("bias")
        outputs, h = kernels.gru(x, *weights, states[0], mask, self.go_backwards)
        return outputs, [h]
