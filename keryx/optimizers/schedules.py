"""Learning rates that are pure functions of the step, after `keras.optimizers.schedules`."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core import codec
from keryx.core.codec import Configurable, Registry
from keryx.errors import ConfigError

registry = Registry("schedule", "keras.optimizers.schedules")
Step = int | jax.Array


class LearningRateSchedule(Configurable):
    """The base of the schedules: `schedule(step)` is the learning rate of that step.

    >>> class Warmup(LearningRateSchedule):
    ...     def __init__(self, peak, steps):
    ...         self.peak, self.steps = peak, steps
    ...
    ...     def __call__(self, step):
    ...         return self.peak * jnp.minimum(1.0, step / self.steps)
    >>> float(Warmup(1.0, 10)(5))
    0.5
    """

    def __call__(self, step: Step) -> jax.Array:
        raise NotImplementedError(f"{type(self).__name__} wants a method __call__(step).")


@registry.register()
class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The steps in which the rate falls by `decay_rate`.
        decay_rate: The factor.
        staircase: Round `step / decay_steps` down, so that the rate falls in stairs.
        name: A name.

    >>> float(ExponentialDecay(1.0, 10, 0.5)(20))
    0.25
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate, self.decay_rate = initial_learning_rate, decay_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.staircase, self.name = staircase, name

    def __call__(self, step: Step) -> jax.Array:
        return self.initial_learning_rate * _f32(self.decay_rate) ** _periods(self, step)


@registry.register()
class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The steps of one period.
        decay_rate: How fast it falls: after one period it is divided by `1 + decay_rate`.
        staircase: Round `step / decay_steps` down.
        name: A name.

    >>> float(InverseTimeDecay(1.0, 10, 1.0)(10))
    0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.initial_learning_rate, self.decay_rate = initial_learning_rate, decay_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.staircase, self.name = staircase, name

    def __call__(self, step: Step) -> jax.Array:
        return self.initial_learning_rate / (1 + self.decay_rate * _periods(self, step))


@registry.register()
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` where i boundaries lie below the step.

    Args:
        boundaries: The last step of each value but the last, rising.
        values: The rates: one more than there are boundaries.
        name: A name.

    >>> schedule = PiecewiseConstantDecay([10], [1.0, 0.5])
    >>> float(schedule(10)), float(schedule(11))
    (1.0, 0.5)
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(values) != len(boundaries) + 1:
            raise ConfigError(
                "PiecewiseConstantDecay wants one value more than boundaries; "
                f"got {len(values)} values and {len(boundaries)} boundaries."
            )
        self.boundaries, self.values, self.name = boundaries, values, name

    def __call__(self, step: Step) -> jax.Array:
        return _f32(self.values)[jnp.sum(jnp.asarray(self.boundaries) < step, dtype=jnp.int32)]


@registry.register()
class PolynomialDecay(LearningRateSchedule):
    """`(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power + end_learning_rate`.

    Args:
        initial_learning_rate: The rate of step 0.
        decay_steps: The step from which the rate is `end_learning_rate`.
        end_learning_rate: The lowest rate.
        power: 1 for a straight line.
        cycle: Beyond `decay_steps`, start again under the next multiple of it.
        name: A name.

    >>> float(PolynomialDecay(1.0, 10, 0.0)(5))
    0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate, self.end_learning_rate = initial_learning_rate, end_learning_rate
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.power, self.cycle, self.name = power, cycle, name

    def __call__(self, step: Step) -> jax.Array:
        step, length = _f32(step), _f32(self.decay_steps)
        if self.cycle:
            length = length * jnp.maximum(1.0, jnp.ceil(step / length))
        left = 1 - jnp.minimum(step, length) / length
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate


@registry.register()
class CosineDecay(LearningRateSchedule):
    """Half a cosine from the peak down to `alpha` times the peak, after a linear warm-up if one is asked for.

    `peak * ((1 - alpha) * (1 + cos(pi * t)) / 2 + alpha)`, t the part of `decay_steps` that is over.
    Loshchilov & Hutter 2017, SGDR.

    Args:
        initial_learning_rate: The rate of step 0; the peak unless there is a warm-up.
        decay_steps: The steps of the fall.
        alpha: The lowest rate as a part of the peak.
        name: A name.
        warmup_target: The peak that a warm-up rises to; None for no warm-up.
        warmup_steps: The steps of the rise.

    >>> print(CosineDecay(1.0, 10)(5).round(3))
    0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        self.initial_learning_rate, self.alpha, self.name = initial_learning_rate, alpha, name
        self.decay_steps = _positive("decay_steps", decay_steps)
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: Step) -> jax.Array:
        start, step = self.initial_learning_rate, _f32(step)
        if self.warmup_target is None:
            return start * _half_cosine(jnp.minimum(step / self.decay_steps, 1.0), self.alpha)
        rise = start + (self.warmup_target - start) * step / max(self.warmup_steps, 1)
        over = jnp.clip((step - self.warmup_steps) / self.decay_steps, 0.0, 1.0)
        return jnp.where(step < self.warmup_steps, rise, self.warmup_target * _half_cosine(over, self.alpha))


@registry.register()
class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine down, again and again; each time `t_mul` times as long and from `m_mul` times the height.

    Loshchilov & Hutter 2017, SGDR.

    Args:
        initial_learning_rate: The rate of step 0.
        first_decay_steps: The length of the first period.
        t_mul: The length of a period over that of the one before.
        m_mul: The height of a period over that of the one before.
        alpha: The lowest rate as a part of the initial one.
        name: A name.

    >>> schedule = CosineDecayRestarts(1.0, 10)
    >>> print(schedule(5).round(3), schedule(20).round(3))
    0.5 0.5
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate, self.alpha, self.name = initial_learning_rate, alpha, name
        self.first_decay_steps = _positive("first_decay_steps", first_decay_steps)
        self.t_mul, self.m_mul = t_mul, m_mul

    def __call__(self, step: Step) -> jax.Array:
        over = _f32(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            restart = jnp.floor(over)
            over = over - restart
        else:  # the periods before the n-th sum up to (1 - t_mul ** n) / (1 - t_mul)
            t_mul = _f32(self.t_mul)
            restart = jnp.floor(jnp.log(1 - over * (1 - t_mul)) / jnp.log(t_mul))
            over = (over - (1 - t_mul**restart) / (1 - t_mul)) / t_mul**restart
        return self.initial_learning_rate * _half_cosine(over, self.alpha, _f32(self.m_mul) ** restart)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The schedule as plain data."""
    return codec.serialize(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that `serialize` wrote down."""
    return codec.deserialize(config, registry, custom_objects)


def _half_cosine(over, alpha, height=1.0):
    return (1 - alpha) * height * 0.5 * (1 + jnp.cos(math.pi * over)) + alpha


def _periods(schedule, step):
    over = _f32(step) / schedule.decay_steps
    return jnp.floor(over) if schedule.staircase else over


def _f32(x):
    return jnp.asarray(x, jnp.float32)


def _positive(name, value):
    if not value > 0:
        raise ConfigError(f"{name} is a number above 0; got {value!r}.")
    return value
