"""Recurrence over time in JAX, as XLA's CPU compiler likes it: lean scans, one product a weight gradient.

The definitions of the three recurrences, which JAX can differentiate, and their backward passes written by hand. Only
what depends on the step before stays inside the scans. The backward scans carry cotangents of the states; the factors
that multiply them are known beforehand and computed for all time steps at once. All arrays are (batch, time, ...).
"""

import jax
import jax.numpy as jnp
from jax import lax

Arrays = tuple[jax.Array, ...]


def _swap(x):
    """(batch, time, ...) <-> (time, batch, ...). Pre-activations are swapped, not inputs: they are the smaller ones."""
    return jnp.swapaxes(x, 0, 1)


def _time_major(mask):
    return _swap(mask[0])[..., None] if mask else None  # (time, batch, 1)


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
    """`sum(a[t, n, :, None] * b[t, n, None, :])`: one product over all samples and steps."""
    return jnp.tensordot(a, b, ((0, 1), (0, 1)))


def lstm(from_x, recurrent_kernel, bias, h, c, *mask, reverse: bool) -> Arrays:
    """Outputs, last h and c; then h, c and the gates of all steps."""
    units = h.shape[-1]
    # sigmoid(z) = tanh(z / 2) / 2 + 1/2: one tanh over all gates costs less than two functions over parts of them.
    is_g = jnp.arange(4 * units) // units == 2
    scale = jnp.where(is_g, 1.0, 0.5).astype(from_x.dtype)
    shift = 1 - scale
    scaled_kernel = recurrent_kernel * scale

    def step(states, at):
        (h, c), (z, valid) = states, at
        gates = jnp.tanh(z + h @ scaled_kernel) * scale + shift
        i, f, g, o = jnp.split(gates, 4, -1)  # (batch, units) each
        c = _keep(valid, f * c + i * g, c)
        h = _keep(valid, o * jnp.tanh(c), h)
        return (h, c), (h, c, gates)

    z = _swap((from_x + bias) * scale)  # (time, batch, 4 * units)
    (h, c), all_steps = lax.scan(step, (h, c), (z, _time_major(mask)), reverse=reverse)
    hs, cs, gates = map(_swap, all_steps)
    return hs, h, c, hs, cs, gates


def lstm_backward(from_x, recurrent_kernel, bias, h, c, *rest, reverse: bool) -> Arrays:
    """The cotangents of `from_x` to `c`; `rest` is the mask if there is one, what `lstm` saved, and cotangents."""
    *mask, hs, cs, gates, d_outputs, dh, dc = rest
    hs, cs, gates, d_outputs = map(_swap, (hs, cs, gates, d_outputs))
    h_before, c_before, valid = _before(h, hs, reverse), _before(c, cs, reverse), _time_major(mask)
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

    (dh, dc), dz = lax.scan(step, (dh, dc), (d_outputs, by_c, by_h, c_by_h, f, valid), reverse=not reverse)
    return _swap(dz), _weight_gradient(h_before, dz), dz.sum((0, 1)), dh, dc


def gru(from_x, recurrent_kernel, bias, h, *mask, reverse: bool) -> Arrays:
    """Outputs, last h; then of all steps h, the gates z, r, g, and what of g came from h."""
    units = h.shape[-1]

    def step(h, at):
        from_x, valid = at
        from_h = h @ recurrent_kernel + bias[1]  # (batch, 3 * units)
        gates = _sigmoid(from_x[:, : 2 * units] + from_h[:, : 2 * units])
        z, r = jnp.split(gates, 2, -1)
        h_g = from_h[:, 2 * units :]
        g = jnp.tanh(from_x[:, 2 * units :] + r * h_g)
        h = _keep(valid, z * h + (1 - z) * g, h)
        return h, (h, gates, g, h_g)

    from_x = _swap(from_x + bias[0])  # (time, batch, 3 * units)
    h, all_steps = lax.scan(step, h, (from_x, _time_major(mask)), reverse=reverse)
    hs, gates, g, h_g = map(_swap, all_steps)
    return hs, h, hs, jnp.concatenate([gates, g], -1), h_g


def _sigmoid(z):
    return 0.5 * jnp.tanh(0.5 * z) + 0.5


def gru_backward(from_x, recurrent_kernel, bias, h, *rest, reverse: bool) -> Arrays:
    """The cotangents of `from_x` to `h`; `rest` is the mask if there is one, what `gru` saved, and cotangents."""
    *mask, hs, gates, h_g, d_outputs, dh = rest
    hs, gates, h_g, d_outputs = map(_swap, (hs, gates, h_g, d_outputs))
    h_before, valid = _before(h, hs, reverse), _time_major(mask)
    z, r, g = jnp.split(gates, 3, -1)
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

    dh, dhs = lax.scan(step, dh, (d_outputs, from_h, z), reverse=not reverse)
    d_from_h, d_from_x = _times(from_h, dhs), _times(from_x, dhs)
    d_bias = jnp.stack([d_from_x.sum((0, 1)), d_from_h.sum((0, 1))])
    return _swap(d_from_x), _weight_gradient(h_before, d_from_h), d_bias, dh


def simple_rnn(from_x, recurrent_kernel, bias, h, *mask, reverse: bool) -> Arrays:
    """Outputs, last h; then h of all steps."""

    def step(h, at):
        z, valid = at
        h = _keep(valid, jnp.tanh(z + h @ recurrent_kernel), h)
        return h, h

    h, hs = lax.scan(step, h, (_swap(from_x + bias), _time_major(mask)), reverse=reverse)
    hs = _swap(hs)
    return hs, h, hs


def simple_rnn_backward(from_x, recurrent_kernel, bias, h, *rest, reverse: bool) -> Arrays:
    """The cotangents of `from_x` to `h`; `rest` is the mask if there is one, what was saved, and cotangents."""
    *mask, hs, d_outputs, dh = rest
    hs, d_outputs, valid = _swap(hs), _swap(d_outputs), _time_major(mask)
    transposed = recurrent_kernel.T

    def step(dh, at):
        dy, slope, valid = at
        dh = dh + dy
        dz = dh * slope
        dh_before = dz @ transposed
        return dh_before if valid is None else dh_before + jnp.where(valid, 0, dh), dz

    slopes = _keep(valid, 1 - hs * hs, 0)
    dh, dz = lax.scan(step, dh, (d_outputs, slopes, valid), reverse=not reverse)
    return _swap(dz), _weight_gradient(_before(h, hs, reverse), dz), dz.sum((0, 1)), dh
