"""Adafactor: Adam's second moment from one row and one column of each matrix."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.optimizers.base import registry
from keryx.optimizers.pure import State
from keryx.optimizers.rules import WeightRule


@registry.register("adafactor")
class Adafactor(WeightRule):
    """The gradient over the root of a second moment that is kept as row means and column means. Shazeer & Stern 2018.

    `b = 1 - t ** beta_2_decay`; over the last two axes of a weight, with `s = g ** 2 + epsilon_1`,
    `r = b * r + (1 - b) * mean(s, -1)`, `c = b * c + (1 - b) * mean(s, -2)`, `v = r * c / mean(r)`; for a vector or a
    scalar `v = b * v + (1 - b) * s`. Then `u = g / sqrt(v)`, and
    `w = w - max(epsilon_2, rms(w)) * min(lr, 1 / sqrt(t)) * u / max(1, rms(u) / clip_threshold)`.

    Optax's rule of the name factors the two longest axes, and only above a size; this one is Keras's.

    Args:
        learning_rate: 0.001.
        beta_2_decay: -0.8.
        epsilon_1: 1e-30, beside the square of the gradient.
        epsilon_2: 1e-3, the least size that a weight counts as.
        clip_threshold: 1, the highest root mean square of u.
        relative_step: As in Keras it changes nothing: no step is longer than 1 / sqrt(t) in either case.
        **base: The arguments of `Optimizer`.

    >>> optimizer, weights = Adafactor(0.5), [jnp.ones((2, 3))]
    >>> weights, state = optimizer.update([jnp.ones((2, 3))], optimizer.init(weights), weights)
    >>> weights[0][0].tolist(), state["r"][0].shape, state["c"][0].shape
    ([0.5, 0.5, 0.5], (2,), (3,))
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **base: Any,
    ):
        super().__init__(learning_rate, **base)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def slots(self) -> dict[str, float]:
        return {"r": 0.0, "c": 0.0, "velocity": 0.0}

    def init_rule(self, weights: Any) -> State:
        def means(axis: int) -> Any:
            # Keras keeps a number, which serves nothing, of what has no two axes.
            return jax.tree.map(lambda w: jnp.zeros_like(w.mean(axis)) if w.ndim > 1 else jnp.zeros(()), weights)

        return {"r": means(-1), "c": means(-2), "velocity": jax.tree.map(jnp.zeros_like, weights)}

    def step(self, rate, t, w, g, r, c, v):
        t = t.astype(jnp.float32)
        old = (1 - t**self.beta_2_decay).astype(w.dtype)
        square = g * g + self.epsilon_1
        if w.ndim > 1:
            r = old * r + (1 - old) * square.mean(-1)
            c = old * c + (1 - old) * square.mean(-2)
            v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
        else:
            v = old * v + (1 - old) * square
        u = g / jnp.sqrt(v)
        length = jnp.maximum(self.epsilon_2, _rms(w)) * jnp.minimum(rate, jax.lax.rsqrt(t)).astype(w.dtype)
        return w - length * u / jnp.maximum(1.0, _rms(u) / self.clip_threshold), r, c, v


def _rms(x: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.mean(x * x))
