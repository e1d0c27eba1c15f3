"""Adam and its kin: a mean of the gradient over the root of a mean of its square."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.optimizers.base import registry
from keryx.optimizers.pure import State
from keryx.optimizers.rules import WeightRule, moving_mean, power


class _Moments(WeightRule):
    """What keeps a mean of the gradient and one of its square."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **base: Any,
    ):
        super().__init__(learning_rate, **base)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0, "velocity": 0.0}


@registry.register("adam")
class Adam(_Moments):
    """`w = w - lr * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t) * m / (sqrt(v) + epsilon)`.

    `m = beta_1 * m + (1 - beta_1) * g;  v = beta_2 * v + (1 - beta_2) * g ** 2`. Kingma & Ba 2015.

    Args:
        learning_rate: 0.001.
        beta_1: 0.9, the part of the old m in the new one.
        beta_2: 0.999, the part of the old v in the new one.
        epsilon: 1e-7; the "epsilon hat" of the paper.
        amsgrad: Divide by the largest v so far. (Reddi et al. 2018)
        **base: The arguments of `Optimizer`.

    >>> import jax.numpy as jnp
    >>> optimizer, weights = Adam(0.5), [jnp.ones(3)]
    >>> weights, state = optimizer.update([jnp.ones(3)], optimizer.init(weights), weights)
    >>> print(weights[0].round(3))
    [0.5 0.5 0.5]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **base: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **base)
        self.amsgrad = amsgrad

    def slots(self) -> dict[str, float]:
        return super().slots() | ({"velocity_hat": 0.0} if self.amsgrad else {})

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        # Both means begin with zeros: what they lack in the first steps, in one factor.
        rate = rate * jnp.sqrt(1 - power(self.beta_2, t)) / (1 - power(self.beta_1, t))
        rule, numbers = "amsgrad" if self.amsgrad else "adam", (self.beta_1, self.beta_2, self.epsilon)
        return self.in_one_pass(rule, rate, weights, gradients, slots, *numbers)


@registry.register("adamw")
class AdamW(Adam):
    """Adam with decoupled weight decay: first `w = w - lr * weight_decay * w`. Loshchilov & Hutter 2019.

    Args:
        learning_rate: 0.001.
        weight_decay: 0.004.
        beta_1: As in `Adam`, and so are the others.

    >>> AdamW().weight_decay
    0.004
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **base: Any,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **base)


@registry.register("adamax")
class Adamax(_Moments):
    """Adam with the largest gradient for v: `w = w - lr / (1 - beta_1 ** t) * m / (u + epsilon)`.

    `u = max(beta_2 * u, |g|)`. Section 7 of Kingma & Ba 2015.

    Args:
        learning_rate: 0.001.
        beta_1: 0.9, the part of the old m in the new one.
        beta_2: 0.999, how u fades.
        epsilon: 1e-7.
        **base: The arguments of `Optimizer`.

    >>> Adamax().beta_2
    0.999
    """

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0, "norm": 0.0}

    def step(self, rate, t, w, g, m, u):
        m = moving_mean(m, g, self.beta_1)
        u = jnp.maximum(self.beta_2 * u, jnp.abs(g))
        rate = (rate / (1 - power(self.beta_1, t))).astype(w.dtype)
        return w - rate * m / (u + self.epsilon), m, u


@registry.register("nadam")
class Nadam(_Moments):
    """Adam with Nesterov's look ahead, and a momentum `beta_1 * (1 - 0.96 ** t / 2)` that warms up.

    Dozat 2016.

    Args:
        learning_rate: 0.001.
        beta_1: 0.9, the part of the old m in the new one.
        beta_2: 0.999, the part of the old v in the new one.
        epsilon: 1e-7.
        **base: The arguments of `Optimizer`.

    >>> Nadam().beta_1
    0.9
    """

    def init_rule(self, weights: Any) -> State:
        return super().init_rule(weights) | {"product": jnp.ones(())}  # of all momenta so far

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        now, ahead = (self.beta_1 * (1 - 0.5 * power(0.96, n)) for n in (t, t + 1))
        product = slots["product"] * now
        of_mean, of_gradient = ahead / (1 - product * ahead), (1 - now) / (1 - product)
        bias = 1 - power(self.beta_2, t)

        def step(w, g, m, v):
            m, v = moving_mean(m, g, self.beta_1), moving_mean(v, g * g, self.beta_2)
            direction = m * of_mean.astype(w.dtype) + g * of_gradient.astype(w.dtype)
            return w - rate.astype(w.dtype) * direction / (jnp.sqrt(v / bias.astype(w.dtype)) + self.epsilon), m, v

        weights, kept = self.each(step, weights, gradients, slots)
        return weights, kept | {"product": product}


@registry.register("lamb")
class Lamb(_Moments):
    """Adam's step, as long as the weight it belongs to: `w = w - lr * |w| / |u| * u`. You et al. 2020.

    Args:
        learning_rate: 0.001.
        beta_1: 0.9, the part of the old m in the new one.
        beta_2: 0.999, the part of the old v in the new one.
        epsilon: 1e-7.
        **base: The arguments of `Optimizer`.

    >>> Lamb().epsilon
    1e-07
    """

    def step(self, rate, t, w, g, m, v):
        m, v = moving_mean(m, g, self.beta_1), moving_mean(v, g * g, self.beta_2)
        of_mean, of_square = ((1 / (1 - power(beta, t))).astype(w.dtype) for beta in (self.beta_1, self.beta_2))
        u = m * of_mean / (jnp.sqrt(v * of_square) + self.epsilon)
        longer = jnp.linalg.norm(w.ravel()), jnp.linalg.norm(u.ravel())
        trust = jnp.where((longer[0] == 0) | (longer[1] == 0), 1, longer[0] / longer[1])
        return w - rate.astype(w.dtype) * trust.astype(w.dtype) * u, m, v
