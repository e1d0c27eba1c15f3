"""Optimizers around what is not Keryx's own."""

from typing import Any

import optax

from keryx.errors import ConfigError
from keryx.optimizers.base import Optimizer
from keryx.optimizers.rules import descend


class OptaxOptimizer(Optimizer):
    """Any Optax transformation as an optimizer: its updates are added to the weights as they are.

    Its learning rate is inside it; `learning_rate` here is a factor on the updates, 1 until it is changed.

    Args:
        rule: The transformation.
        learning_rate: 1.
        **base: The arguments of `Optimizer`.

    >>> import jax.numpy as jnp
    >>> optimizer, weights = OptaxOptimizer(optax.sgd(0.5)), [jnp.ones(2)]
    >>> optimizer.update(weights, optimizer.init(weights), weights)[0]
    [Array([0.5, 0.5], dtype=float32)]
    """

    def __init__(self, rule: optax.GradientTransformation, learning_rate: Any = 1.0, **base: Any):
        super().__init__(learning_rate, **base)
        self.rule = rule

    def transformation(self) -> optax.GradientTransformation:
        return optax.chain(self.rule, descend(), optax.scale(-1.0))

    def get_config(self) -> dict[str, Any]:
        raise ConfigError(
            "An Optax transformation is code and has no config: use one of keryx.optimizers, or compile the "
            "model anew after loading."
        )

    def __repr__(self):
        return f"OptaxOptimizer({self.name})"
