"""Steps in Optax's style that Optax does not have, or has with other numbers than Keras.

Each is `init(params) -> state` and `update(updates, state, params, *, learning_rate) -> (updates, state)`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Tree = Any


def descend() -> optax.GradientTransformationExtraArgs:
    """`-learning_rate * u`. Last in a rule, but before a momentum that Keras feeds with whole steps."""

    def update(updates, state, params=None, *, learning_rate, **_):
        return jax.tree.map(lambda u: -learning_rate.astype(u.dtype) * u, updates), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


class MomentsState(NamedTuple):
    step: jax.Array  # () int32
    mu: Tree  # as the weights: the mean of the gradient
    nu: Tree  # as the weights: the mean of its square, or its largest magnitude
    peak: Tree = None  # as the weights: the largest nu so far, for amsgrad


def correction(b1: float, b2: float, step: jax.Array) -> jax.Array:
    """What both means of Adam lack in the first steps, as they begin with zeros, in one factor."""
    return jnp.sqrt(1 - _power(b2, step)) / (1 - _power(b1, step))


def scale_by_adam(b1: float, b2: float, eps: float, amsgrad: bool = False) -> optax.GradientTransformation:
    """`mu / (sqrt(nu) + eps)`, times the corrections: eps joins before nu is corrected, unlike in Optax.

    The "epsilon hat" of section 2 in Kingma & Ba 2015.
    """

    def init(params):
        mu, nu = _zeros(params), _zeros(params)
        return MomentsState(jnp.zeros((), jnp.int32), mu, nu, _zeros(params) if amsgrad else None)

    def update(updates, state, params=None):
        step = state.step + 1
        mu = _mean(updates, state.mu, b1)
        nu = _mean_square(updates, state.nu, b2)
        top = peak = jax.tree.map(jnp.maximum, state.peak, nu) if amsgrad else nu
        factor = correction(b1, b2, step)
        updates = jax.tree.map(lambda m, v: m * factor.astype(m.dtype) / (jnp.sqrt(v) + eps), mu, top)
        return updates, MomentsState(step, mu, nu, peak if amsgrad else None)

    return optax.GradientTransformation(init, update)


def scale_by_adamax(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """`mu / ((1 - b1 ** t) * (largest magnitude + eps))`: Optax adds eps to each gradient instead."""

    def init(params):
        return MomentsState(jnp.zeros((), jnp.int32), _zeros(params), _zeros(params))

    def update(updates, state, params=None):
        step = state.step + 1
        mu = _mean(updates, state.mu, b1)
        nu = jax.tree.map(lambda g, u: jnp.maximum(b2 * u, jnp.abs(g)), updates, state.nu)
        correction = 1 - _power(b1, step)
        updates = jax.tree.map(lambda m, u: m / (correction.astype(m.dtype) * (u + eps)), mu, nu)
        return updates, MomentsState(step, mu, nu)

    return optax.GradientTransformation(init, update)


class NadamState(NamedTuple):
    step: jax.Array  # () int32
    product: jax.Array  # () float32: the product of all momenta so far
    mu: Tree  # as the weights
    nu: Tree  # as the weights


def scale_by_nadam(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Adam with Nesterov's look ahead and the momentum schedule of Dozat 2016, which Optax leaves out."""

    def momentum(step):
        return b1 * (1 - 0.5 * _power(0.96, step))

    def init(params):
        return NadamState(jnp.zeros((), jnp.int32), jnp.ones(()), _zeros(params), _zeros(params))

    def update(updates, state, params=None):
        step = state.step + 1
        now, ahead = momentum(step), momentum(step + 1)
        product = state.product * now
        mu = _mean(updates, state.mu, b1)
        nu = _mean_square(updates, state.nu, b2)
        of_mu, of_gradient = ahead / (1 - product * ahead), (1 - now) / (1 - product)
        bias = 1 - _power(b2, step)

        def direction(g, m, v):
            mean = m * of_mu.astype(m.dtype) + g * of_gradient.astype(g.dtype)
            return mean / (jnp.sqrt(v / bias.astype(v.dtype)) + eps)

        return jax.tree.map(direction, updates, mu, nu), NadamState(step, product, mu, nu)

    return optax.GradientTransformation(init, update)


class FtrlState(NamedTuple):
    squares: Tree  # as the weights: the sum of the squared gradients
    linear: Tree  # as the weights


def ftrl(power: float, initial: float, l1: float, l2: float, shrinkage: float, beta: float):
    """Follow the regularised leader: the new weight is worked out whole, not as a step from the old one."""

    def init(params):
        return FtrlState(jax.tree.map(lambda p: jnp.full_like(p, initial), params), _zeros(params))

    def update(updates, state, params, *, learning_rate, **_):
        def one(g, w, squares, linear):
            rate = learning_rate.astype(w.dtype)
            grown = squares + g * g
            sigma = (grown**-power - squares**-power) / rate
            linear = linear + g + 2 * shrinkage * w - sigma * w
            quadratic = grown**-power / rate + 2 * (l2 + beta / (2 * rate))
            return (jnp.clip(linear, -l1, l1) - linear) / quadratic - w, grown, linear

        new = jax.tree.map(one, updates, params, state.squares, state.linear)
        steps, squares, linear = jax.tree.transpose(jax.tree.structure(updates), jax.tree.structure((0, 0, 0)), new)
        return steps, FtrlState(squares, linear)

    return optax.GradientTransformationExtraArgs(init, update)


def _zeros(params):
    return jax.tree.map(jnp.zeros_like, params)


def _mean(updates, mean, b):
    return jax.tree.map(lambda g, m: m + (g - m) * (1 - b), updates, mean)


def _mean_square(updates, mean, b):
    return jax.tree.map(lambda g, v: v + (g * g - v) * (1 - b), updates, mean)


def _power(base, step):
    # In float32 whatever the weights are: in bfloat16 0.999 is 1.
    return jnp.float32(base) ** step.astype(jnp.float32)
