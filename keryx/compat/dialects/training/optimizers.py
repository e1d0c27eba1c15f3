"""Optimizers by the rules of Keras 1 and 2, where today's rule gives other numbers, and `lr` to read and set."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import optimizers
from keryx.compat.dialects.words import values
from keryx.core.variable import Variable
from keryx.errors import ConfigError, did_you_mean
from keryx.optimizers.pure import State
from keryx.optimizers.rules import moving_mean, power
from keryx.optimizers.schedules import InverseTimeDecay


class RMSprop(optimizers.RMSprop):
    """RMSprop as it was: `w = w - lr * g / (sqrt(n) + epsilon)`, with epsilon outside of the root.

    Args:
        learning_rate: 0.001.
        rho: 0.9, the part of the old mean in the new one.
        epsilon: Outside of the root.
        **base: The arguments of `keryx.optimizers.RMSprop`.

    >>> RMSprop(rho=0.8).rho
    0.8
    """

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        """The new weights and slots."""

        def step(w: Any, g: Any, n: Any) -> tuple[Any, Any]:
            n = moving_mean(n, g * g, self.rho)
            return w - rate.astype(w.dtype) * g / (jnp.sqrt(n) + self.epsilon), n

        return self.each(step, weights, gradients, slots)


class Adagrad(optimizers.Adagrad):
    """Adagrad as it was: `w = w - lr * g / (sqrt(n) + epsilon)`, with a sum of squares that begins at 0.

    Args:
        learning_rate: 0.01.
        initial_accumulator_value: `n` at the start.
        epsilon: Outside of the root.
        **base: The arguments of `keryx.optimizers.Adagrad`.

    >>> Adagrad(initial_accumulator_value=0.0).initial_accumulator_value
    0.0
    """

    def step(self, rate: Any, t: Any, w: Any, g: Any, n: Any) -> tuple[Any, Any]:
        """The new weight and sum."""
        n = n + g * g
        return w - rate.astype(w.dtype) * g / (jnp.sqrt(n) + self.epsilon), n


class Nadam(optimizers.Nadam):
    """Nadam as it was: its momentum `beta_1 * (1 - 0.96 ** (t * schedule_decay) / 2)` grows more slowly.

    Args:
        learning_rate: 0.002.
        schedule_decay: 0.004.
        **base: The arguments of `keryx.optimizers.Nadam`.

    >>> Nadam().schedule_decay
    0.004
    """

    def __init__(self, learning_rate: Any = 0.002, schedule_decay: float = 0.004, **base: Any):
        super().__init__(learning_rate, **base)
        self.schedule_decay = schedule_decay

    def get_config(self) -> dict[str, Any]:
        """The config, in which the usual `schedule_decay` is left out: today's Nadam reads it without a dialect."""
        config = super().get_config()
        return config if config.pop("schedule_decay") == 0.004 else config | {"schedule_decay": self.schedule_decay}

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        """The new weights and slots."""
        now, ahead = (self.beta_1 * (1 - 0.5 * power(0.96, n * self.schedule_decay)) for n in (t, t + 1))
        product = slots["product"] * now
        bias = 1 - power(self.beta_2, t)

        def step(w: Any, g: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            m, v = moving_mean(m, g, self.beta_1), moving_mean(v, g * g, self.beta_2)
            of_mean, of_gradient = ahead / (1 - product * ahead), (1 - now) / (1 - product)
            direction = m * of_mean.astype(w.dtype) + g * of_gradient.astype(w.dtype)
            return w - rate.astype(w.dtype) * direction / (jnp.sqrt(v / bias.astype(w.dtype)) + self.epsilon), m, v

        weights, kept = self.each(step, weights, gradients, slots)
        return weights, kept | {"product": product}


NAMES: dict[str, Any] = {cls.__name__: cls for cls in (RMSprop, Adagrad, Nadam)}
for _name, _cls in NAMES.items():  # which a dialect reads as the class above, and all else as today's of that name
    _cls.config_registered_name = f"keryx>{_name}"


def named(age: int, name: str) -> Any:
    """The optimizer that a name in compile() stood for, with the numbers that it had then."""
    known = {cls: cls for cls in values.DEFAULTS[age] if hasattr(optimizers, cls)}
    by_name = {cls.lower(): cls for cls in known}
    found = by_name.get(name.lower())
    if found is None:
        found_today = optimizers.registry.known(name.lower())
        if found_today is None:
            raise ConfigError(f"There is no optimizer {name!r}.{did_you_mean(name, by_name)}")
        return found_today()
    cls = NAMES.get(found) or getattr(optimizers, found)
    return cls(**values.DEFAULTS[age][found])


class DecayingRate:
    """The `lr` of an optimizer with `decay`: what it began with, which can be read and set as a variable is.

    Args:
        optimizer: The optimizer, whose learning rate is an InverseTimeDecay.
    """

    def __init__(self, optimizer: Any):
        self.optimizer = optimizer

    def numpy(self) -> Any:
        """The rate before the decay."""
        return jnp.float32(self.optimizer.schedule.initial_learning_rate).__array__()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy().astype(dtype or "float32")

    def __float__(self) -> float:
        return float(self.numpy())

    def __mul__(self, other: Any) -> Any:
        return float(self) * other

    __rmul__ = __mul__

    def assign(self, value: Any) -> None:
        """Begin from another rate; the decay goes on with the steps that there were."""
        schedule = self.optimizer.schedule
        self.optimizer.learning_rate = InverseTimeDecay(float(value), schedule.decay_steps, schedule.decay_rate)

    store = set_value = assign
    learning_rate = property(
        lambda self: self, assign, doc="The same, for callbacks, which read and set that of an optimizer."
    )

    def get_value(self) -> Any:
        """The rate before the decay."""
        return self.numpy()


def _rated(optimizer: Any) -> dict[str, Any]:
    return {"lr": DecayingRate(optimizer) if isinstance(optimizer.schedule, InverseTimeDecay) else optimizer}


def _rate(optimizer: Any) -> Any:
    return DecayingRate(optimizer) if isinstance(optimizer.schedule, InverseTimeDecay) else optimizer.learning_rate


def _set_rate(optimizer: Any, value: Any) -> None:
    if isinstance(optimizer.schedule, InverseTimeDecay) and not callable(value):
        DecayingRate(optimizer).assign(value)
    else:
        optimizer.learning_rate = value.numpy() if isinstance(value, Variable) else value


def _decay(optimizer: Any) -> float:
    schedule = optimizer.schedule
    return float(schedule.decay_rate) if isinstance(schedule, InverseTimeDecay) else 0.0


lr = property(_rate, _set_rate, doc="The learning rate, as a variable; that before the decay where there is one.")
rated = property(_rated, doc="What callbacks read and set the learning rate of, by its name in logs.")
decay = property(_decay, doc="How fast the learning rate falls: lr / (1 + decay * iterations).")
