"""LSTM whose products with kernels are convolutions."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import kernels, random
from keryx.core import scope
from keryx.errors import ConfigError, ShapeError
from keryx.layers.base.sizes import layout, padding_mode, sizes
from keryx.layers.layer import InputSpec, registry
from keryx.layers.recurrent.cell import CellLayer, make_cell
from keryx.layers.recurrent.lstm import LSTMCell


@registry.register()
class ConvLSTMCell(LSTMCell):
    """One step of `ConvLSTM2D` and its like: an LSTMCell with `conv(x, kernel) + conv(h, recurrent_kernel) + bias`.

    The convolution of the state has padding `same` and steps of 1, so that the state keeps its size.

    Args:
        rank: The number of axes of space.
        filters: The channels of h and c.
        kernel_size: The window of both kernels.
        **kwargs: As in `ConvLSTM2D`.

    Source: Shi et al., https://arxiv.org/abs/1506.04214.

    >>> import jax.numpy as jnp, keryx
    >>> cell = ConvLSTMCell(rank=1, filters=4, kernel_size=3)
    >>> output, (h, c) = cell(jnp.ones((2, 8, 3)), [jnp.zeros((2, 6, 4)), jnp.zeros((2, 6, 4))])
    >>> output.shape
    (2, 6, 4)
    """

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        **kwargs,
    ):
        super().__init__(filters, activation, recurrent_activation, **kwargs)
        where = f"ConvLSTM{rank}D()"
        self.rank, self.filters = rank, self.units
        self.kernel_size = sizes(where, "kernel_size", kernel_size, rank)
        self.strides = sizes(where, "strides", strides, rank)
        self.padding = padding_mode(where, padding)
        self.data_format = layout(where, data_format)
        self.dilation_rate = sizes(where, "dilation_rate", dilation_rate, rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            both = f"{self.strides} and {self.dilation_rate}"
            raise ConfigError(f"{where} takes strides or dilation_rate above 1, not both; got {both}.")
        self._channels = -1 if self.data_format == "channels_last" else -rank - 1  # with an axis of time and without
        self.state_shape: tuple[int, ...] | None = None

    @property
    def state_size(self) -> list[Any]:
        """The shapes of h and c without the batch axis, once they are known."""
        return [self.state_shape, self.state_shape]

    def kernel_shapes(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(*kernel_size, channels, 4 * filters), (*kernel_size, filters, 4 * filters)."""
        if None in input_shape[1:]:
            raise ShapeError(f"{self.title} wants a known size of all axes but the batch; got {input_shape}.")
        x = jax.ShapeDtypeStruct((1, *input_shape[1:]), self.compute_dtype)
        shape = (*self.kernel_size, x.shape[self._channels], self.gates * self.filters)
        kernel = jax.ShapeDtypeStruct(shape, self.compute_dtype)
        z = jax.eval_shape(lambda x, kernel: self.convolve(x, kernel, 1), x, kernel)
        state = [*z.shape[1:]]
        state[self._channels] = self.filters
        self.state_shape = tuple(state)
        return shape, (*self.kernel_size, self.filters, self.gates * self.filters)

    def get_initial_state(self, batch_size: int) -> list[jax.Array]:
        """Zeros."""
        assert self.state_shape is not None
        return [jnp.zeros((batch_size, *self.state_shape), self.compute_dtype)] * 2

    def convolve(self, x: jax.Array, kernel: jax.Array, groups: int, bias: Any = None) -> jax.Array:
        """(batch, *space, channels) -> (batch, *space, 4 * filters)."""
        slide = self.strides, self.padding, self.dilation_rate
        return kernels.conv(x, kernel, *slide, groups, self.data_format, bias)

    def drive(self, x: jax.Array, training: bool) -> jax.Array:
        """What inputs add to the gates: of one step, or of all steps, (batch, time, *space, channels), at once."""
        steps, groups = x.shape[: x.ndim - self.rank - 1], 1
        if training and self.dropout:  # by another mask for each gate, that is the same at all steps
            x, groups = self.dropped(x, self.dropout, len(steps) == 2), self.gates
        frames = x.reshape(-1, *x.shape[len(steps) :])
        z = self.convolve(frames, self.kernel.value, groups, self.value("bias"))
        return z.reshape(*steps, *z.shape[1:])

    def dropped(self, x: jax.Array, rate: float, of_time: bool = False) -> jax.Array:
        """What dropout leaves for each gate, side by side in the channels, as a convolution in groups wants it."""
        noise_shape = (x.shape[0], 1, *x.shape[2:]) if of_time else x.shape
        kept = [random.dropout(x, rate, noise_shape, scope.random_key(self.seed)) for _ in range(self.gates)]
        return jnp.concatenate(kept, self._channels)

    def advance(self, z: jax.Array, states: Any, training: bool) -> tuple[jax.Array, list[jax.Array]]:
        """What the inputs add to the gates, [h, c] -> h, [h, c]."""
        h, c = states
        groups = 1
        if training and self.recurrent_dropout:
            h, groups = self.dropped(h, self.recurrent_dropout), self.gates
        z = z + kernels.conv(h, self.recurrent_kernel.value, 1, "same", 1, groups, self.data_format)
        i, f, g, o = jnp.split(z, self.gates, self._channels)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]

    def call(self, inputs: jax.Array, states: Any, training: bool = False) -> tuple[jax.Array, list[jax.Array]]:
        """(batch, *space, channels), [h, c] -> h, [h, c]."""
        return self.advance(self.drive(inputs, training), states, training)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        del config["units"]
        return config


class _ConvLSTM(CellLayer):
    rank = 1

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs,
    ):
        cell = make_cell(ConvLSTMCell, locals() | {"rank": self.rank}, kwargs)
        kwargs["activity_regularizer"] = activity_regularizer
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, **kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def run(self, x: jax.Array, states: list[Any], mask: Any, training: bool) -> tuple[jax.Array, list[Any]]:
        """The convolutions of all inputs at once, then step by step what depends on the state."""
        return super().run(self.cell.drive(x, training), states, mask, training)

    def _call_cell(self, x, states, training):
        return self.cell.advance(x, states, training)


@registry.register()
class ConvLSTM1D(_ConvLSTM):
    """LSTM over time with convolutions over one axis of space: `ConvLSTMCell` run over time.

    Args:
        filters: The channels of the outputs.
        kernel_size: The elements that the kernels span.
        **kwargs: As in `ConvLSTM2D`, with one number.

    Shapes: (batch, time, space, channels) -> (batch, space, filters), or with time where `return_sequences`.

    >>> import keryx
    >>> keryx.layers.ConvLSTM1D(4, 3)(keryx.Input((5, 8, 3))).shape
    (None, 6, 4)
    """

    rank = 1


@registry.register()
class ConvLSTM2D(_ConvLSTM):
    """LSTM over sequences of images, with convolutions in place of products: `ConvLSTMCell` run over time.

    `i, f, g, o = split(conv(x, kernel) + conv(h, recurrent_kernel) + bias)`,
    `c' = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)`,
    `h' = recurrent_activation(o) * activation(c')`.

    Args:
        filters: The channels of the outputs.
        kernel_size: The height and width of both kernels, or one number for both.
        strides: The step from one output to the next in the inputs.
        padding: `valid` or `same`, of the inputs.
        data_format: `channels_last` or `channels_first`.
        dilation_rate: The step from one tap of the kernel to the next, in the inputs.
        activation: The activation of the state.
        recurrent_activation: The activation of the gates.
        use_bias: Whether a bias is added.
        *_initializer, *_regularizer, *_constraint: For the kernel of the inputs, the recurrent one and the bias.
        unit_forget_bias: Whether the bias of the forget gate begins at 1.
        dropout: The share of the inputs that is set to 0 in training, for each gate by itself.
        recurrent_dropout: The share of the state that is set to 0 on its way into each gate.
        seed: Where the random numbers of dropout begin.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned too.
        go_backwards: Whether time runs backwards; the outputs then stand in that order.
        stateful: Whether a batch begins with the states in which the last one ended.

    Shapes: (batch, time, height, width, channels) -> (batch, height, width, filters), or with time where
    `return_sequences`. The size of the images has to be known.

    Source: Shi et al., https://arxiv.org/abs/1506.04214.

    >>> import keryx
    >>> keryx.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)(keryx.Input((5, 8, 8, 3))).shape
    (None, 5, 8, 8, 4)
    """

    rank = 2


@registry.register()
class ConvLSTM3D(_ConvLSTM):
    """LSTM over sequences of volumes: `ConvLSTMCell` run over time.

    Args:
        filters: The channels of the outputs.
        kernel_size: The depth, height and width of both kernels, or one number for all.
        **kwargs: As in `ConvLSTM2D`, with one number or three.

    Shapes: (batch, time, depth, height, width, channels) -> (batch, depth, height, width, filters), or with time where
    `return_sequences`.

    >>> import keryx
    >>> keryx.layers.ConvLSTM3D(4, 2)(keryx.Input((5, 4, 4, 4, 3))).shape
    (None, 3, 3, 3, 4)
    """

    rank = 3
