"""Rules that divide the gradient by a measure of its past size."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.optimizers.base import registry
from keryx.optimizers.pure import State
from keryx.optimizers.rules import WeightRule, moving_mean


@registry.register("rmsprop")
class RMSprop(WeightRule):
    """The gradient over the root of the mean of its square.

    `n = rho * n + (1 - rho) * g ** 2;  w = w - lr * g / sqrt(n + epsilon)`; centered, the square of the mean
    gradient is taken off n. Tieleman & Hinton 2012; Graves 2013 (centered).

    Args:
        learning_rate: 0.001.
        rho: 0.9, the part of the old mean in the new one.
        momentum: 0; a momentum on the steps.
        epsilon: 1e-7, inside the root.
        centered: Divide by the deviation, not by the size.
        **base: The arguments of `Optimizer`.

    >>> RMSprop(rho=0.95).rho
    0.95
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **base: Any,
    ):
        super().__init__(learning_rate, **base)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def slots(self) -> dict[str, float]:
        kept = {"velocity": True, "momentum": self.momentum, "average_gradient": self.centered}
        return {name: 0.0 for name, wanted in kept.items() if wanted}

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        if not self.centered and not self.momentum:
            return self.in_one_pass("rms", rate, weights, gradients, slots, self.rho, self.epsilon)
        return super().apply_rule(rate, t, weights, gradients, slots)

    def step(self, rate, t, w, g, n, *others):
        kept = dict(zip(self.slots(), (n, *others), strict=True))
        kept["velocity"] = deviation = moving_mean(n, g * g, self.rho)
        if self.centered:
            kept["average_gradient"] = mean = moving_mean(kept["average_gradient"], g, self.rho)
            deviation = deviation - mean * mean
        change = rate.astype(w.dtype) * g * jax.lax.rsqrt(deviation + self.epsilon)
        if self.momentum:
            kept["momentum"] = change = self.momentum * kept["momentum"] + change
        return w - change, *kept.values()


@registry.register("adagrad")
class Adagrad(WeightRule):
    """The gradient over the root of the sum of its squares.

    `n = n + g ** 2;  w = w - lr * g / sqrt(n + epsilon)`. Duchi et al. 2011.

    Args:
        learning_rate: 0.001.
        initial_accumulator_value: `n` at the start, 0.1.
        epsilon: 1e-7, inside the root.
        **base: The arguments of `Optimizer`.

    >>> Adagrad().initial_accumulator_value
    0.1
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **base: Any,
    ):
        super().__init__(learning_rate, **base)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def slots(self) -> dict[str, float]:
        return {"accumulator": self.initial_accumulator_value}

    def step(self, rate, t, w, g, n):
        n = n + g * g
        return w - rate.astype(w.dtype) * g * jax.lax.rsqrt(n + self.epsilon), n


@registry.register("adadelta")
class Adadelta(WeightRule):
    """The gradient in the units of the weight: `w = w - lr * g * sqrt(d + epsilon) / sqrt(n + epsilon)`.

    n and d are the running means of the squares of the gradient and of the step. Zeiler 2012.

    Args:
        learning_rate: 0.001; the paper has 1.
        rho: 0.95, the part of the old mean in the new one.
        epsilon: 1e-7.
        **base: The arguments of `Optimizer`.

    >>> Adadelta(1.0).rho
    0.95
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **base: Any):
        super().__init__(learning_rate, **base)
        self.rho, self.epsilon = rho, epsilon

    def slots(self) -> dict[str, float]:
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def step(self, rate, t, w, g, n, d):
        n = moving_mean(n, g * g, self.rho)
        delta = g * jnp.sqrt(d + self.epsilon) / jnp.sqrt(n + self.epsilon)
        return w - rate.astype(w.dtype) * delta, n, moving_mean(d, delta * delta, self.rho)
