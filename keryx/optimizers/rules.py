"""Rules that are worked out weight by weight, in arrays that lie beside each weight."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from keryx.kernels.update import update
from keryx.optimizers.base import Optimizer
from keryx.optimizers.pure import State


class WeightRule(Optimizer):
    """An optimizer that takes a step for one weight at a time.

    `slots` says what it keeps; `step(rate, t, w, g, *slots) -> (w, *slots)` is the maths of one weight, `t` the number
    of the step, from 1.
    """

    step: Callable[..., tuple]

    def slots(self) -> dict[str, float]:
        """What is kept beside each weight: names, and the number that every element starts as."""
        return {}

    def init_rule(self, weights: Any) -> State:
        return {name: jax.tree.map(partial(jnp.full_like, fill_value=x), weights) for name, x in self.slots().items()}

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        return self.each(partial(self.step, rate, t), weights, gradients, slots)

    def each(self, step: Callable, weights: Any, gradients: Any, slots: State) -> tuple[Any, State]:
        """One step of `step(w, g, *slots)` for every weight."""
        names = list(self.slots())
        nest: Any = jax.tree.structure(weights)
        # Up to the weights' leaves: None stands where a weight has nothing in a slot.
        flat = [nest.flatten_up_to(tree) for tree in (weights, gradients, *(slots[name] for name in names))]
        new = list(zip(*(step(*one) for one in zip(*flat, strict=True)), strict=True)) or [()] * (1 + len(names))
        weights, *kept = [jax.tree.unflatten(nest, column) for column in new]
        return weights, dict(zip(names, kept, strict=True))

    def in_one_pass(
        self, rule: str, rate: jax.Array, weights: Any, gradients: Any, slots: State, *numbers: float
    ) -> tuple[Any, State]:
        """One step of a rule of `keryx.kernels.update` for every weight, in one pass over memory."""
        names = list(self.slots())
        weights, *kept = update(rule, rate, weights, gradients, *(slots[name] for name in names), numbers=numbers)
        return weights, dict(zip(names, kept, strict=True))


def descend() -> optax.GradientTransformationExtraArgs:
    """`-learning_rate * u`: the last step of a rule made of Optax transformations."""

    def update(updates, state, params=None, *, learning_rate, **_):
        return jax.tree.map(lambda u: -learning_rate.astype(u.dtype) * u, updates), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def moving_mean(mean: jax.Array, value: jax.Array, decay: float) -> jax.Array:
    """`decay * mean + (1 - decay) * value`."""
    return mean + (value - mean) * (1 - decay)


def power(base: float, t: jax.Array) -> jax.Array:
    """`base ** t`, in float32 whatever the weights are: in bfloat16 0.999 is 1."""
    return jnp.float32(base) ** t.astype(jnp.float32)
