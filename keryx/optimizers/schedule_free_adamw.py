"""Schedule-free learning: an average of the weights takes the place of a decaying learning rate."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.optimizers.base import registry
from keryx.optimizers.pure import State
from keryx.optimizers.rules import WeightRule, moving_mean, power


@registry.register("schedulefreeadamw")
class ScheduleFreeAdamW(WeightRule):
    """Adam's steps on z, the mean x of all z, and the weights between the two. Defazio et al. 2024.

    `v = beta_2 * v + (1 - beta_2) * g ** 2;  z = z - lr * g / (sqrt(v / (1 - beta_2 ** t)) + epsilon)`;
    `x = (1 - 1 / t) * x + z / t;  w = (1 - beta_1) * z + beta_1 * x`. Only z and v are kept: x follows from w and z.

    Optax's `schedule_free_adamw` weighs the steps in x by their learning rates; this one is Keras's.

    Args:
        learning_rate: 0.0025; ten times Adam's is often right.
        beta_1: 0.9, the part of x in the weights.
        beta_2: 0.999, the part of the old v in the new one.
        epsilon: 1e-8.
        warmup_steps: 0; the learning rate grows evenly over so many steps.
        **base: The arguments of `Optimizer`.

    >>> optimizer, weights = ScheduleFreeAdamW(0.5), [jnp.ones(2)]
    >>> weights, state = optimizer.update([jnp.ones(2)], optimizer.init(weights), weights)
    >>> weights[0].round(3).tolist(), state["momentum"][0].round(3).tolist()
    ([0.5, 0.5], [0.5, 0.5])
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **base: Any,
    ):
        super().__init__(learning_rate, **base)
        self.beta_1, self.beta_2, self.epsilon, self.warmup_steps = beta_1, beta_2, epsilon, warmup_steps

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0, "velocity": 0.0}

    def init_rule(self, weights: Any) -> State:
        # A copy: the weights and the state may both be donated to one program.
        return super().init_rule(weights) | {"momentum": jax.tree.map(jnp.copy, weights)}

    def step(self, rate, t, w, g, z, v):
        share, bias = (1 / t.astype(jnp.float32)).astype(w.dtype), (1 - power(self.beta_2, t)).astype(w.dtype)
        if self.warmup_steps > 0:
            rate = rate * jnp.minimum(t / self.warmup_steps, 1.0)
        x = (w - (1 - self.beta_1) * z) / self.beta_1
        v = moving_mean(v, g * g, self.beta_2)
        z = z - rate.astype(w.dtype) * g / (jnp.sqrt(v / bias) + self.epsilon)
        x = (1 - share) * x + share * z
        return (1 - self.beta_1) * z + self.beta_1 * x, z, v
