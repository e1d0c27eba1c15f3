"""TrainState: all that training changes, as one pytree."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import seeds

Arrays = dict[str, jax.Array]


class TrainState(NamedTuple):
    """All that a run needs to go on, to the same bits, from where it stands.

    Args:
        trainable: The weights that are trained, by their path in the model, such as `encoder/dense/kernel`.
        non_trainable: The model's other variables, such as moving means, by path.
        optimizer: What the optimizer keeps: `iteration`, `learning_rate`, and by name what it holds beside the
            weights, such as `momentum`, each as the weights.
        metrics: The accumulators of the loss and the metrics, by metric and variable, such as `loss/total`.
        key: The run's random key, uint32 (2,): step n draws from `fold_in(key, n)`, epoch n shuffles by
            (key, begun, n).
        step: The number of steps taken, int32 ().
        begun: The step at which this fit began, so that each fit has an order of its own, int32 ().
        epoch: The number of the epoch, int32 ().
        position: The number of batches done in this epoch, int32 ().
        bad_step: The step whose loss was not finite, after which nothing changes; -1 as long as all is well, int32 ().
    """

    trainable: Arrays
    non_trainable: Arrays
    optimizer: dict[str, Any]
    metrics: Arrays
    key: Any
    step: Any
    begun: Any
    epoch: Any
    position: Any
    bad_step: Any


CLOCK = TrainState._fields[4:]  # what counts and draws, beside what is learned


class TestState(NamedTuple):
    """What evaluation changes, and its random key: the batch at `position` draws from `fold_in(key, position)`."""

    metrics: Arrays
    position: Any
    bad_step: Any
    key: Any

    @classmethod
    def begin(cls, metrics: Arrays) -> "TestState":
        """The state before the first batch."""
        return cls(metrics, np.int32(0), np.int32(-1), seeds.next_key())


def fresh_clock() -> dict[str, Any]:
    """The fields of a TrainState that count, as a new run begins."""
    seed, count = seeds.first_seed()
    zero = np.int32(0)
    key = np.random.SeedSequence([seed, count]).generate_state(2)
    return {"key": key, "step": zero, "begun": zero, "epoch": zero, "position": zero, "bad_step": np.int32(-1)}


def shuffled(key: Any, epoch: int, rows: int) -> np.ndarray:
    """The order of the rows in an epoch, int32 (rows,): a function of the run's key and the epoch's number."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([*map(int, np.asarray(key)), epoch])))
    return generator.permutation(rows).astype(np.int32)


def folded(key: Any, number: Any) -> jax.Array:
    """The key that a step, or a batch, of this number draws from, uint32 (2,)."""
    return jax.random.key_data(jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(key, jnp.uint32)), number))
