"""The optimizer's update: all weights in one pass over memory."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from keryx.kernels import native
from keryx.kernels.kernel import Kernel

# Weights in one call: what XLA takes to compile a call grows with the square of its operands.
_AT_ONCE = 64


class Rule(NamedTuple):
    """What happens to a weight: `(rate, w, g, *slots, *numbers) -> (w, *slots)`, elementwise."""

    step: Callable
    slots: int  # arrays beside each weight
    native: bool = True


def _descent(rate, w, g):
    return (w - rate * g,)


def _momentum(rate, w, g, v, momentum):
    v = momentum * v - rate * g
    return w + v, v


def _nesterov(rate, w, g, v, momentum):
    v = momentum * v - rate * g
    return w + momentum * v - rate * g, v


def _rms(rate, w, g, n, rho, epsilon):
    n = rho * n + (1 - rho) * g * g
    return w - rate * g * jax.lax.rsqrt(n + epsilon), n


def _adam(rate, w, g, m, v, beta_1, beta_2, epsilon):
    m = m + (g - m) * (1 - beta_1)
    v = v + (g * g - v) * (1 - beta_2)
    return w - rate * m / (jnp.sqrt(v) + epsilon), m, v


def _amsgrad(rate, w, g, m, v, peak, beta_1, beta_2, epsilon):
    _, m, v = _adam(rate, w, g, m, v, beta_1, beta_2, epsilon)
    peak = jnp.maximum(peak, v)
    return w - rate * m / (jnp.sqrt(peak) + epsilon), m, v, peak


# In the order in which native/update.cc counts them.
RULES = {
    "descent": Rule(_descent, 0),
    "momentum": Rule(_momentum, 1),
    "nesterov": Rule(_nesterov, 1),
    "rms": Rule(_rms, 1),
    "adam": Rule(_adam, 2),
    "amsgrad": Rule(_amsgrad, 3, native=False),
}


def update(
    rule: str, rate: jax.Array, weights: Any, gradients: Any, *slots: Any, numbers: Sequence[float] = ()
) -> tuple[Any, ...]:
    """One step of a rule for every weight.

    Args:
        rule: `descent`, `momentum`, `nesterov`, `rms`, `adam` or `amsgrad`.
        rate: (), the learning rate; for `adam` and `amsgrad` times the correction of both means.
        weights: A pytree of arrays.
        gradients: As the weights.
        *slots: What the rule keeps, each as the weights: the velocity; the mean square; the mean and the mean square
            (and the largest of it so far).
        numbers: The momentum; rho and epsilon; beta_1, beta_2 and epsilon.

    Returns:
        The new weights, and the new slots.

    >>> weights, mean_square = update("rms", jnp.float32(0.1), [jnp.ones(3)], [jnp.ones(3)], [jnp.ones(3)],
    ...                               numbers=(0.9, 1e-7))
    >>> print(weights[0].round(2))
    [0.9 0.9 0.9]
    """
    nest = jax.tree.structure(weights)
    trees = [jax.tree.leaves(tree) for tree in (weights, gradients, *slots)]
    exact = tuple(float(n) for n in numbers)
    new: list[list[Any]] = [[] for _ in range(1 + len(slots))]
    for begin in range(0, len(trees[0]), _AT_ONCE):
        parts = [leaves[begin : begin + _AT_ONCE] for leaves in trees]
        results = _update(rate, *(array for part in parts for array in part), rule=rule, numbers=exact)
        for i, kind in enumerate(new):
            kind += results[i * len(parts[0]) :][: len(parts[0])]
    return tuple(jax.tree.unflatten(nest, kind) for kind in new)


def _groups(arrays, rule):
    count = len(arrays) // (2 + RULES[rule].slots)
    return [arrays[i : i + count] for i in range(0, len(arrays), count or 1)]


def _plain(rate, *arrays, rule, numbers):
    def step(w, *others):
        return RULES[rule].step(rate.astype(w.dtype), w, *others, *numbers)

    new = [step(*one) for one in zip(*_groups(arrays, rule), strict=True)]
    return tuple(array for kind in zip(*new, strict=True) for array in kind)


def _native(rate, *arrays, rule, numbers):
    weights, _, *slots = _groups(arrays, rule)
    count = len(weights)
    # Operand 0 is the rate; gradients are not written over.
    aliases = {1 + i: i for i in range(count)}
    aliases |= {1 + 2 * count + i: count + i for i in range(count * len(slots))}
    results = [*weights, *(array for slot in slots for array in slot)]
    numbers = np.array(numbers, np.float64)
    return native.call(
        "keryx_update_1", results, rate, *arrays, aliases=aliases, rule=list(RULES).index(rule), numbers=numbers
    )


def _takes(rate, *arrays, rule, numbers):
    return bool(arrays) and RULES[rule].native and (rule != "rms" or numbers[1] >= 1e-30)


_update = Kernel("update", _plain, {"cpu": [native.way(_native, _takes)]})
