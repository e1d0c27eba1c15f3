"""Losses and metrics of Keras 1 and 2 that Keras 3 has dropped, as functions of targets and outputs."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core import graph
from keryx.errors import ConfigError
from keryx.losses import registry as losses
from keryx.metrics import registry as metrics


def cosine_proximity(y_true: Any, y_pred: Any) -> jax.Array:
    """Minus the cosine between target and output.

    >>> cosine_proximity(jnp.array([[1.0, 0.0]]), jnp.array([[2.0, 0.0]])).tolist()
    [-1.0]
    """
    unit = [x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, -1, keepdims=True), 1e-12)) for x in (y_true, y_pred)]
    return -jnp.sum(unit[0] * unit[1], -1)


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


_OLD = {
    1: (precision, recall, fbeta_score, fmeasure, matthews_correlation, cosine_proximity),
    2: (cosine_proximity,),
}
_MORE = {"cosine": cosine_proximity, "f1score": fmeasure, "fscore": fmeasure}


def names(age: int, kind: str) -> dict[str, Any]:
    """The functions of `keras.losses` or `keras.metrics` by all their names, which symbols may be given to as well.

    Args:
        age: 1 or 2.
        kind: `losses` or `metrics`.
    """
    table = {"losses": losses, "metrics": metrics}[kind].table
    found = {name: thing for name, thing in (losses.table | table).items() if not isinstance(thing, type)}
    old = {function.__name__: function for function in _OLD[age]}
    old |= {name: function for name, function in _MORE.items() if function in _OLD[age]}
    return {name: _lifted(function) for name, function in (found | old).items() if name.isidentifier()}


def by_name(age: int, name: Any) -> Any:
    """The function that a name in compile() stood for in its age and does not today; else the name."""
    old = {function.__name__: function for function in _OLD[age]}
    old |= {word: function for word, function in _MORE.items() if function in _OLD[age]}
    return old.get(name, name) if isinstance(name, str) else name


def _lifted(function: Any) -> Any:
    lifted = graph.lift(function, function.__name__)
    lifted.config_module = getattr(function, "config_module", None)  # type: ignore[attr-defined]
    return lifted
