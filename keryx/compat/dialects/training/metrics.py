"""Losses and metrics of Keras 1 and 2 that Keras 3 has dropped, as functions of targets and outputs."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core import graph
from keryx.errors import ConfigError
from keryx.losses import registry as losses
from keryx.losses.base import aligned
from keryx.metrics import MeanMetricWrapper
from keryx.metrics import registry as metrics


def cosine_proximity(y_true: Any, y_pred: Any) -> jax.Array:
    """Minus the cosine between target and output.

    >>> cosine_proximity(jnp.array([[1.0, 0.0]]), jnp.array([[2.0, 0.0]])).tolist()
    [-1.0]
    """
    unit = [x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-12)) for x in (y_true, y_pred)]
    return -jnp.sum(unit[0] * unit[1], -1)


def mean_cosine_proximity(y_true: Any, y_pred: Any) -> jax.Array:
    """The same as Keras 1 had it: divided by the size of the last axis.

    >>> mean_cosine_proximity(jnp.array([[1.0, 0.0]]), jnp.array([[2.0, 0.0]])).tolist()
    [-0.5]
    """
    return cosine_proximity(y_true, y_pred) / y_pred.shape[-1]


def hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(max(1 - y_true * y_pred, 0))` of the targets as they are: 0 is not taken for -1, as today.

    >>> hinge(jnp.array([[0.0, 1.0]]), jnp.array([[0.5, 0.5]])).tolist()
    [0.75]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(jnp.maximum(1 - y_true * y_pred, 0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> jax.Array:
    """`mean(max(1 - y_true * y_pred, 0)²)` of the targets as they are.

    >>> squared_hinge(jnp.array([[0.0, 1.0]]), jnp.array([[0.5, 0.5]])).tolist()
    [0.625]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(jnp.square(jnp.maximum(1 - y_true * y_pred, 0)), axis=-1)


class OfColumns(MeanMetricWrapper):
    """The mean of a function over samples, whose targets (batch,) come to it as (batch, 1): so fit handed them on.

    >>> print(OfColumns(lambda y_true, y_pred: abs(y_true - y_pred))(jnp.array([1, 2]), jnp.array([[1], [2]])))
    0.0
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in a batch."""
        column = jnp.ndim(y_true) == 1 and jnp.ndim(y_pred) > 1
        super().update_state(jnp.expand_dims(y_true, 1) if column else y_true, y_pred, sample_weight)


def _counts(y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
    """True positives, positives that were predicted, positives that there are, in the batch."""
    hits, predicted, there = (jnp.sum(jnp.round(jnp.clip(x, 0, 1))) for x in (y_true * y_pred, y_pred, y_true))
    return hits, predicted, there


def precision(y_true: Any, y_pred: Any) -> jax.Array:
    """The share of true positives among those predicted, batch by batch.

    >>> float(precision(jnp.array([1.0, 0.0]), jnp.array([0.9, 0.8])))
    0.5
    """
    hits, predicted, _ = _counts(y_true, y_pred)
    return hits / (predicted + config.epsilon())


def recall(y_true: Any, y_pred: Any) -> jax.Array:
    """The share of positives that are found, batch by batch.

    >>> float(recall(jnp.array([1.0, 1.0]), jnp.array([0.9, 0.1])))
    0.5
    """
    hits, _, there = _counts(y_true, y_pred)
    return hits / (there + config.epsilon())


def fbeta_score(y_true: Any, y_pred: Any, beta: float = 1) -> jax.Array:
    """The weighted harmonic mean of precision and recall, batch by batch; 0 where there are no positives."""
    if beta < 0:
        raise ConfigError(f"fbeta_score(): beta is 0 (precision alone) or more; got {beta}.")
    p, r, square = precision(y_true, y_pred), recall(y_true, y_pred), beta**2
    score = (1 + square) * (p * r) / (square * p + r + config.epsilon())
    return jnp.where(_counts(y_true, y_pred)[2] == 0, 0.0, score)


def fmeasure(y_true: Any, y_pred: Any) -> jax.Array:
    """The harmonic mean of precision and recall, batch by batch."""
    return fbeta_score(y_true, y_pred, beta=1)


def matthews_correlation(y_true: Any, y_pred: Any) -> jax.Array:
    """The correlation of targets and outputs as yes and no, batch by batch."""
    actual, said = (jnp.round(jnp.clip(x, 0, 1)) for x in (y_true, y_pred))
    tp, tn = jnp.sum(actual * said), jnp.sum((1 - actual) * (1 - said))
    fp, fn = jnp.sum((1 - actual) * said), jnp.sum(actual * (1 - said))
    scale = jnp.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return (tp * tn - fp * fn) / (scale + config.epsilon())


_OF_BOTH = {"hinge": hinge, "squared_hinge": squared_hinge}
_OLD: dict[int, dict[str, Any]] = {
    1: {
        **_OF_BOTH,
        **{one.__name__: one for one in (precision, recall, fbeta_score, fmeasure, matthews_correlation)},
        **dict.fromkeys(("f1score", "fscore"), fmeasure),
        **dict.fromkeys(("cosine_proximity", "cosine"), mean_cosine_proximity),
    },
    2: {**_OF_BOTH, **dict.fromkeys(("cosine_proximity", "cosine"), cosine_proximity)},
}
mean_cosine_proximity.__name__ = "cosine_proximity"  # which it is logged and written by


def of_age(age: int) -> dict[str, Any]:
    """The functions of an age that are other ones today, or none, by all their names.

    >>> sorted(of_age(2))
    ['cosine', 'cosine_proximity', 'hinge', 'squared_hinge']
    """
    return _OLD[age]


def names(age: int, kind: str) -> dict[str, Any]:
    """The functions of `keras.losses` or `keras.metrics` by all their names, which symbols may be given to as well.

    Args:
        age: 1 or 2.
        kind: `losses` or `metrics`.
    """
    table = {"losses": losses, "metrics": metrics}[kind].table
    found = {name: thing for name, thing in (losses.table | table).items() if not isinstance(thing, type)}
    return {name: _lifted(function) for name, function in (found | _OLD[age]).items() if name.isidentifier()}


def by_name(age: int, name: Any) -> Any:
    """The function that a name in compile() stood for in its age and does not today; else the name."""
    return _OLD[age].get(name, name) if isinstance(name, str) else name


def _lifted(function: Any) -> Any:
    lifted = graph.lift(function, function.__name__)
    lifted.config_module = getattr(function, "config_module", None)  # type: ignore[attr-defined]
    return lifted
