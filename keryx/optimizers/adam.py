"""Adam and its kin: a mean of the gradient over the root of a mean of its square."""

from typing import Any

import jax
import optax

from keryx.kernels.update import update
from keryx.optimizers.base import Optimizer, registry
from keryx.optimizers.rules import MomentsState, correction, descend, scale_by_adam, scale_by_adamax, scale_by_nadam


class _Moments(Optimizer):
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


@registry.register("adam")
class Adam(Optimizer):
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
        super().__init__(learning_rate, **base)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def transformation(self) -> optax.GradientTransformation:
        return optax.chain(scale_by_adam(self.beta_1, self.beta_2, self.epsilon, self.amsgrad), descend())

    def apply_rule(self, grads: Any, inner: Any, weights: Any, rate: jax.Array) -> tuple[Any, Any]:
        if self.amsgrad:
            return super().apply_rule(grads, inner, weights, rate)
        moments, numbers = inner[0], (self.beta_1, self.beta_2, self.epsilon)
        rate = rate * correction(self.beta_1, self.beta_2, moments.step + 1)
        weights, mu, nu = update("adam", rate, weights, grads, moments.mu, moments.nu, numbers=numbers)
        return weights, (MomentsState(moments.step + 1, mu, nu), *inner[1:])


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

    def transformation(self) -> optax.GradientTransformation:
        return optax.chain(scale_by_adamax(self.beta_1, self.beta_2, self.epsilon), descend())


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

    def transformation(self) -> optax.GradientTransformation:
        return optax.chain(scale_by_nadam(self.beta_1, self.beta_2, self.epsilon), descend())


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

    def transformation(self) -> optax.GradientTransformation:
        adam = optax.scale_by_adam(self.beta_1, self.beta_2, self.epsilon)
        return optax.chain(adam, optax.scale_by_trust_ratio(), descend())
