"""Rules that follow the gradient itself, or its sign."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.errors import ConfigError
from keryx.optimizers.base import registry
from keryx.optimizers.pure import State
from keryx.optimizers.rules import WeightRule, moving_mean


@registry.register("sgd")
class SGD(WeightRule):
    """Gradient descent, with momentum if asked for.

    `v = momentum * v - lr * g;  w = w + v`, and with Nesterov `w = w + momentum * v - lr * g`.

    Args:
        learning_rate: 0.01.
        momentum: 0, plain descent, to 1.
        nesterov: Look ahead along the momentum. (Sutskever et al. 2013)
        **base: The arguments of `Optimizer`.

    >>> SGD(0.1, momentum=0.9).learning_rate
    <Variable sgd/learning_rate () float32>
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **base: Any):
        super().__init__(learning_rate, **base)
        if not 0 <= momentum <= 1:
            raise ConfigError(f"momentum lies in [0, 1]; got {momentum!r}.")
        self.momentum, self.nesterov = momentum, nesterov

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0} if self.momentum else {}

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        if not self.momentum:
            return self.in_one_pass("descent", rate, weights, gradients, slots)
        rule = "nesterov" if self.nesterov else "momentum"
        return self.in_one_pass(rule, rate, weights, gradients, slots, self.momentum)


@registry.register("lion")
class Lion(WeightRule):
    """The sign of a mean of gradients: `w = w - lr * sign(beta_1 * m + (1 - beta_1) * g)`.

    Then `m = beta_2 * m + (1 - beta_2) * g`. Chen et al. 2023.

    Args:
        learning_rate: 0.001; a third to a tenth of Adam's.
        beta_1: 0.9, the part of the old mean in the step.
        beta_2: 0.99, the part of the old mean in the new one.
        **base: The arguments of `Optimizer`.

    >>> Lion().beta_2
    0.99
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **base: Any):
        super().__init__(learning_rate, **base)
        if not 0 < beta_1 <= 1:
            raise ConfigError(f"beta_1 of Lion lies above 0 and up to 1; got {beta_1!r}.")
        self.beta_1, self.beta_2 = beta_1, beta_2

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0}

    def step(self, rate, t, w, g, m):
        return w - rate.astype(w.dtype) * jnp.sign(moving_mean(m, g, self.beta_1)), moving_mean(m, g, self.beta_2)


@registry.register("ftrl")
class Ftrl(WeightRule):
    """Follow the regularised leader, for wide sparse models. McMahan et al. 2013.

    `sigma = (n' ** -p - n ** -p) / lr` with `n' = n + g ** 2`; `z = z + g - sigma * w`;
    `w = (clip(z, -l1, l1) - z) / (n' ** -p / lr + 2 * l2)`.

    Args:
        learning_rate: 0.001.
        learning_rate_power: `p`, -0.5; at most 0.
        initial_accumulator_value: `n` at the start, 0.1.
        l1_regularization_strength: 0.
        l2_regularization_strength: 0.
        l2_shrinkage_regularization_strength: 0; a pull on the weight that enters as part of the gradient.
        beta: 0; `beta / (2 * lr)` is added to l2.
        **base: The arguments of `Optimizer`.

    >>> Ftrl().learning_rate_power
    -0.5
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **base: Any,
    ):
        super().__init__(learning_rate, **base)
        if learning_rate_power > 0:
            raise ConfigError(f"learning_rate_power is at most 0; got {learning_rate_power!r}.")
        amounts = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for word, value in amounts.items():
            if value < 0:
                raise ConfigError(f"{word} is 0 or above; got {value!r}.")
        self.learning_rate_power, self.beta = learning_rate_power, beta
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength

    def slots(self) -> dict[str, float]:
        return {"accumulator": self.initial_accumulator_value, "linear": 0.0}

    def step(self, rate, t, w, g, squares, linear):
        rate, p, l1 = rate.astype(w.dtype), self.learning_rate_power, self.l1_regularization_strength
        grown = squares + g * g
        sigma = (grown**-p - squares**-p) / rate
        linear = linear + g + 2 * self.l2_shrinkage_regularization_strength * w - sigma * w
        quadratic = grown**-p / rate + 2 * (self.l2_regularization_strength + self.beta / (2 * rate))
        return (jnp.clip(linear, -l1, l1) - linear) / quadratic, grown, linear
