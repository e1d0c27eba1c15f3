"""Recurrence over time: one product for all inputs, a lean scan, one product a weight gradient.

Only what depends on the step before stays inside the scans. The backward scans carry cotangents of the states; the
factors that multiply them are known beforehand and computed for all time steps at once.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax


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
    return _lstm(x, kernel, recurrent_kernel, bias, h, c, mask, reverse)


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
    return _gru(x, kernel, recurrent_kernel, bias, h, mask, reverse)


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
    return _simple_rnn(x, kernel, recurrent_kernel, bias, h, mask, reverse)


# -- what the three share ------------------------------------------------------------------------------------------


def _swap(x):
    """(batch, time, ...) <-> (time, batch, ...). Pre-activations are swapped, not inputs: they are the smaller ones."""
    return jnp.swapaxes(x, 0, 1)


def _time_major(mask):
    return None if mask is None else _swap(mask)[..., None]  # (time, batch, 1)


def _keep(valid, new, old):
    return new if valid is None else jnp.where(valid, new, old)


def _before(first, states, reverse):
    """The state that each step began with."""
    first = first[None]
    return jnp.concatenate([states[1:], first] if reverse else [first, states[:-1]])


def _times(coefficients, d):
    """Each gate's coefficients times the one cotangent: (batch, gates * units) by (batch, units)."""
    return coefficients * jnp.tile(d, coefficients.shape[-1] // d.shape[-1])


def _weight_gradient(a, b):
    """`sum(a[n, t, :, None] * b[n, t, None, :])`: one product over all samples and steps."""
    return jnp.tensordot(a, b, ((0, 1), (0, 1)))


# -- LSTM ----------------------------------------------------------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(7,))
def _lstm(x, kernel, recurrent_kernel, bias, h, c, mask, reverse):
    return _lstm_forward(x, kernel, recurrent_kernel, bias, h, c, mask, reverse)[0]


def _lstm_forward(x, kernel, recurrent_kernel, bias, h, c, mask, reverse):
    units = h.shape[-1]
    # sigmoid(z) = tanh(z / 2) / 2 + 1/2: one tanh over all gates costs less than two functions over parts of them.
    is_g = jnp.arange(4 * units) // units == 2
    scale = jnp.where(is_g, 1.0, 0.5).astype(x.dtype)
    shift = 1 - scale
    scaled_kernel = recurrent_kernel * scale

    def step(states, at):
        (h, c), (z, valid) = states, at
        gates = jnp.tanh(z + h @ scaled_kernel) * scale + shift
        i, f, g, o = jnp.split(gates, 4, -1)  # (batch, units) each
        c = _keep(valid, f * c + i * g, c)
        h = _keep(valid, o * jnp.tanh(c), h)
        return (h, c), (h, c, gates)

    z = _swap((x @ kernel + bias) * scale)  # (time, batch, 4 * units)
    valid = _time_major(mask)
    states, (hs, cs, gates) = lax.scan(step, (h, c), (z, valid), reverse=reverse)
    return (_swap(hs), *states), (x, kernel, recurrent_kernel, h, c, hs, cs, gates, valid)


def _lstm_backward(reverse, saved, cotangents):
    x, kernel, recurrent_kernel, h, c, hs, cs, gates, valid = saved
    d_outputs, dh, dc = cotangents
    h_before, c_before = _before(h, hs, reverse), _before(c, cs, reverse)
    i, f, g, o = jnp.split(gates, 4, -1)  # (time, batch, units) each
    tanh_c = jnp.tanh(cs)
    by_c = jnp.concatenate([g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g)], -1)
    by_h = tanh_c * o * (1 - o)
    c_by_h = o * (1 - tanh_c * tanh_c)
    # A masked step passes both cotangents on and adds nothing.
    by_c, by_h, c_by_h, f = (_keep(valid, factor, past) for factor, past in ((by_c, 0), (by_h, 0), (c_by_h, 0), (f, 1)))
    transposed = recurrent_kernel.T

    def step(cotangents, at):
        (dh, dc), (dy, by_c, by_h, c_by_h, f, valid) = cotangents, at
        dh = dh + dy
        dc = dc + dh * c_by_h
        dz = jnp.concatenate([_times(by_c, dc), by_h * dh], -1)  # (batch, 4 * units)
        dh_before = dz @ transposed
        return (dh_before if valid is None else dh_before + jnp.where(valid, 0, dh), dc * f), dz

    at = (_swap(d_outputs), by_c, by_h, c_by_h, f, valid)
    (dh, dc), dz = lax.scan(step, (dh, dc), at, reverse=not reverse)
    d_recurrent = _weight_gradient(h_before, dz)
    dz = _swap(dz)  # (batch, time, 4 * units)
    return dz @ kernel.T, _weight_gradient(x, dz), d_recurrent, dz.sum((0, 1)), dh, dc, None


_lstm.defvjp(_lstm_forward, _lstm_backward)


# -- GRU -----------------------------------------------------------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(6,))
def _gru(x, kernel, recurrent_kernel, bias, h, mask, reverse):
    return _gru_forward(x, kernel, recurrent_kernel, bias, h, mask, reverse)[0]


def _gru_forward(x, kernel, recurrent_kernel, bias, h, mask, reverse):
    units = h.shape[-1]

    def step(h, at):
        from_x, valid = at
        from_h = h @ recurrent_kernel + bias[1]  # (batch, 3 * units)
        z, r = jnp.split(_sigmoid(from_x[:, : 2 * units] + from_h[:, : 2 * units]), 2, -1)
        h_g = from_h[:, 2 * units :]
        g = jnp.tanh(from_x[:, 2 * units :] + r * h_g)
        h = _keep(valid, z * h + (1 - z) * g, h)
        return h, (h, z, r, g, h_g)

    from_x = _swap(x @ kernel + bias[0])  # (time, batch, 3 * units)
    valid = _time_major(mask)
    last, (hs, *gates) = lax.scan(step, h, (from_x, valid), reverse=reverse)
    return (_swap(hs), last), (x, kernel, recurrent_kernel, h, hs, gates, valid)


def _sigmoid(z):
    return 0.5 * jnp.tanh(0.5 * z) + 0.5


def _gru_backward(reverse, saved, cotangents):
    x, kernel, recurrent_kernel, h, hs, (z, r, g, h_g), valid = saved
    d_outputs, dh = cotangents
    h_before = _before(h, hs, reverse)
    by_g = (1 - z) * (1 - g * g)
    by_z, by_r = (h_before - g) * z * (1 - z), by_g * h_g * r * (1 - r)
    from_x = _keep(valid, jnp.concatenate([by_z, by_r, by_g], -1), 0)  # (time, batch, 3 * units)
    from_h = _keep(valid, jnp.concatenate([by_z, by_r, by_g * r], -1), 0)
    z = _keep(valid, z, 1)
    transposed = recurrent_kernel.T

    def step(dh, at):
        dy, from_h, z = at
        dh = dh + dy
        return z * dh + _times(from_h, dh) @ transposed, dh

    dh, dhs = lax.scan(step, dh, (_swap(d_outputs), from_h, z), reverse=not reverse)
    d_from_h, d_from_x = _times(from_h, dhs), _swap(_times(from_x, dhs))
    d_bias = jnp.stack([d_from_x.sum((0, 1)), d_from_h.sum((0, 1))])
    d_kernel, d_recurrent = _weight_gradient(x, d_from_x), _weight_gradient(h_before, d_from_h)
    return d_from_x @ kernel.T, d_kernel, d_recurrent, d_bias, dh, None


_gru.defvjp(_gru_forward, _gru_backward)


# -- simple RNN ----------------------------------------------------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(6,))
def _simple_rnn(x, kernel, recurrent_kernel, bias, h, mask, reverse):
    return _simple_rnn_forward(x, kernel, recurrent_kernel, bias, h, mask, reverse)[0]


def _simple_rnn_forward(x, kernel, recurrent_kernel, bias, h, mask, reverse):
    def step(h, at):
        z, valid = at
        h = _keep(valid, jnp.tanh(z + h @ recurrent_kernel), h)
        return h, h

    z = _swap(x @ kernel + bias)  # (time, batch, units)
    valid = _time_major(mask)
    last, hs = lax.scan(step, h, (z, valid), reverse=reverse)
    return (_swap(hs), last), (x, kernel, recurrent_kernel, h, hs, valid)


def _simple_rnn_backward(reverse, saved, cotangents):
    x, kernel, recurrent_kernel, h, hs, valid = saved
    d_outputs, dh = cotangents
    transposed = recurrent_kernel.T

    def step(dh, at):
        dy, slope, valid = at
        dh = dh + dy
        dz = dh * slope
        dh_before = dz @ transposed
        return dh_before if valid is None else dh_before + jnp.where(valid, 0, dh), dz

    slopes = _keep(valid, 1 - hs * hs, 0)
    dh, dz = lax.scan(step, dh, (_swap(d_outputs), slopes, valid), reverse=not reverse)
    d_recurrent = _weight_gradient(_before(h, hs, reverse), dz)
    dz = _swap(dz)  # (batch, time, units)
    return dz @ kernel.T, _weight_gradient(x, dz), d_recurrent, dz.sum((0, 1)), dh, None


_simple_rnn.defvjp(_simple_rnn_forward, _simple_rnn_backward)
