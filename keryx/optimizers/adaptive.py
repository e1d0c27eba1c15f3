"""Rules that divide the gradient by a measure of its past size."""

from typing import Any

import jax
import optax

from keryx.kernels.update import update
from keryx.optimizers.base import Optimizer, registry
from keryx.optimizers.rules import descend


@registry.register("rmsprop")
class RMSprop(Optimizer):
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

    def transformation(self) -> optax.GradientTransformation:
        scale = optax.scale_by_stddev if self.centered else optax.scale_by_rms
        momentum = [optax.trace(self.momentum)] if self.momentum else []
        return optax.chain(scale(self.rho, self.epsilon), descend(), *momentum)

    def apply_rule(self, grads: Any, inner: Any, weights: Any, rate: jax.Array) -> tuple[Any, Any]:
        if self.centered or self.momentum:
            return super().apply_rule(grads, inner, weights, rate)
        numbers = self.rho, self.epsilon
        weights, mean_square = update("rms", rate, weights, grads, inner[0].nu, numbers=numbers)
        return weights, (inner[0]._replace(nu=mean_square), *inner[1:])


@registry.register("adagrad")
class Adagrad(Optimizer):
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

    def transformation(self) -> optax.GradientTransformation:
        return optax.chain(optax.scale_by_rss(self.initial_accumulator_value, self.epsilon), descend())


@registry.register("adadelta")
class Adadelta(Optimizer):
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

    def transformation(self) -> optax.GradientTransformation:
        return optax.chain(optax.scale_by_adadelta(self.rho, self.epsilon), descend())
