"""Recurrence over time: LSTM, GRU and simple RNN, each a product for all inputs and a kernel for all steps."""

import jax
import jax.numpy as jnp

from keryx.kernels import native
from keryx.kernels import recurrent_xla as xla
from keryx.kernels.dense import dense
from keryx.kernels.kernel import Kernel, Trained


def lstm(
    x: jax.Array,
    kernel: jax.Array,
    recurrent_kernel: jax.Array,
    bias: jax.Array | None,
    h: jax.Array,
    c: jax.Array,
    mask: jax.Array | None = None,
    reverse: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Long short-term memory: `c' = f * c + i * g`, `h' = o * tanh(c')`; gates of `x @ kernel + h @ recurrent_kernel`.

    Args:
        x: (batch, time, features).
        kernel: (features, 4 * units), the gates in the order i, f, g, o.
        recurrent_kernel: (units, 4 * units).
        bias: (4 * units,) or None.
        h: (batch, units).
        c: (batch, units).
        mask: (batch, time), False where the states are carried over.
        reverse: Whether time runs from the last step to the first.

    Returns:
        h at each step (batch, time, units), and h and c after the last step in time's direction.

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997.

    >>> ones = jnp.ones
    >>> outputs, h, c = lstm(ones((2, 5, 3)), ones((3, 16)), ones((4, 16)), None, ones((2, 4)), ones((2, 4)))
    >>> outputs.shape, h.shape
    ((2, 5, 4), (2, 4))
    """
    bias = jnp.zeros(kernel.shape[-1:], kernel.dtype) if bias is None else bias
    outputs, h, c = _lstm(dense(x, kernel), recurrent_kernel, bias, h, c, *_given(mask), reverse=reverse)
    return outputs, h, c


def gru(
    x: jax.Array,
    kernel: jax.Array,
    recurrent_kernel: jax.Array,
    bias: jax.Array | None,
    h: jax.Array,
    mask: jax.Array | None = None,
    reverse: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Gated recurrent unit, the reset gate after the product: `h' = z * h + (1 - z) * tanh(x_g + r * h_g)`.

    Args:
        x: (batch, time, features).
        kernel: (features, 3 * units), the gates in the order z, r, g.
        recurrent_kernel: (units, 3 * units).
        bias: (2, 3 * units), for the two products, or None.
        h: (batch, units).
        mask: (batch, time), False where the state is carried over.
        reverse: Whether time runs from the last step to the first.

    Returns:
        h at each step (batch, time, units), and h after the last step in time's direction.

    Source: Cho et al., https://arxiv.org/abs/1406.1078, version 1.
    """
    bias = jnp.zeros((2, kernel.shape[-1]), kernel.dtype) if bias is None else bias
    outputs, h = _gru(dense(x, kernel), recurrent_kernel, bias, h, *_given(mask), reverse=reverse)
    return outputs, h


def simple_rnn(
    x: jax.Array,
    kernel: jax.Array,
    recurrent_kernel: jax.Array,
    bias: jax.Array | None,
    h: jax.Array,
    mask: jax.Array | None = None,
    reverse: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """`h' = tanh(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        x: (batch, time, features).
        kernel: (features, units).
        recurrent_kernel: (units, units).
        bias: (units,) or None.
        h: (batch, units).
        mask: (batch, time), False where the state is carried over.
        reverse: Whether time runs from the last step to the first.

    Returns:
        h at each step (batch, time, units), and h after the last step in time's direction.
    """
    bias = jnp.zeros(kernel.shape[-1:], kernel.dtype) if bias is None else bias
    outputs, h = _simple_rnn(dense(x, kernel), recurrent_kernel, bias, h, *_given(mask), reverse=reverse)
    return outputs, h


def _given(mask):
    return () if mask is None else (jnp.asarray(mask, bool),)


# -- the kernels ---------------------------------------------------------------------------------------------------
# They take x @ kernel, not x: its derivatives are then those of a product, and what nobody asks for is left out.


def _has_steps(from_x, *others, **static) -> bool:
    return from_x.shape[1] > 0 and others[0].shape[0] > 0


def _or_none(mask):
    """No mask is one of no steps to native code."""
    return mask[0] if mask else jnp.zeros((0, 0), bool)


def _last(hs, reverse):
    return hs[:, 0 if reverse else -1]


def _outputs(saving, count):
    """The kernel that saves nothing."""
    return lambda *arrays, **static: saving(*arrays, **static)[:count]


def _lstm_native(from_x, recurrent_kernel, bias, h, c, *mask, reverse):
    states = jax.ShapeDtypeStruct((*from_x.shape[:2], h.shape[-1]), from_x.dtype)
    arrays = from_x, recurrent_kernel, bias, h, c, _or_none(mask)
    hs, cs, gates = native.call("keryx_lstm_1", (states, states, from_x), *arrays, aliases={0: 2}, reverse=reverse)
    return hs, _last(hs, reverse), _last(cs, reverse), hs, cs, gates


def _lstm_backward_native(from_x, recurrent_kernel, bias, h, c, *rest, reverse):
    *mask, hs, cs, gates, d_outputs, dh, dc = rest
    arrays = recurrent_kernel, h, c, _or_none(mask), hs, cs, gates, d_outputs, dh, dc
    results = from_x, recurrent_kernel, bias, h, c
    return native.call("keryx_lstm_backward_1", results, *arrays, aliases={6: 0}, reverse=reverse)


def _gru_native(from_x, recurrent_kernel, bias, h, *mask, reverse):
    states = jax.ShapeDtypeStruct((*from_x.shape[:2], h.shape[-1]), from_x.dtype)
    arrays = from_x, recurrent_kernel, bias, h, _or_none(mask)
    hs, gates, h_g = native.call("keryx_gru_1", (states, from_x, states), *arrays, aliases={0: 1}, reverse=reverse)
    return hs, _last(hs, reverse), hs, gates, h_g


def _gru_backward_native(from_x, recurrent_kernel, bias, h, *rest, reverse):
    *mask, hs, gates, h_g, d_outputs, dh = rest
    arrays = recurrent_kernel, h, _or_none(mask), hs, gates, h_g, d_outputs, dh
    results = from_x, h_g, recurrent_kernel, bias, h
    d_from_x, _, *others = native.call("keryx_gru_backward_1", results, *arrays, aliases={4: 0, 5: 1}, reverse=reverse)
    return d_from_x, *others


def _simple_rnn_native(from_x, recurrent_kernel, bias, h, *mask, reverse):
    arrays = from_x, recurrent_kernel, bias, h, _or_none(mask)
    (hs,) = native.call("keryx_simple_rnn_1", (from_x,), *arrays, aliases={0: 0}, reverse=reverse)
    return hs, _last(hs, reverse), hs


def _simple_rnn_backward_native(from_x, recurrent_kernel, bias, h, *rest, reverse):
    *mask, hs, d_outputs, dh = rest
    arrays = recurrent_kernel, h, _or_none(mask), hs, d_outputs, dh
    results = from_x, recurrent_kernel, bias, h
    return native.call("keryx_simple_rnn_backward_1", results, *arrays, aliases={4: 0}, reverse=reverse)


def _recurrence(name, way, back, native_way, native_back, states):
    """The kernel of a cell with so many states."""
    outputs = 1 + states
    saving = Kernel(f"{name}_saving", way, {"cpu": [native.way(native_way, _has_steps)]})
    backward = Kernel(f"{name}_backward", back, {"cpu": [native.way(native_back, _has_steps)]})
    ways = {"cpu": [native.way(_outputs(native_way, outputs), _has_steps)]}
    return Trained(name, _outputs(way, outputs), saving, backward, outputs, 3 + states, ways)


_lstm = _recurrence("lstm", xla.lstm, xla.lstm_backward, _lstm_native, _lstm_backward_native, 2)
_gru = _recurrence("gru", xla.gru, xla.gru_backward, _gru_native, _gru_backward_native, 1)
_simple_rnn = _recurrence(
    "simple_rnn", xla.simple_rnn, xla.simple_rnn_backward, _simple_rnn_native, _simple_rnn_backward_native, 1
)
