"""How often predictions are right. Each function gives 1.0 or 0.0 for each prediction."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.core.graph import lift
from keryx.errors import ShapeError
from keryx.metrics.base import MeanMetricWrapper, registry, same_shape


@registry.register("acc")
@lift
def accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """Where y_true equals y_pred.

    >>> accuracy([1, 2], [1, 3]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    return _hits(y_true == y_pred)


@registry.register("binary_acc")
@lift
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> jax.Array:
    """Where y_true equals `y_pred > threshold`.

    >>> binary_accuracy([1, 0], [0.6, 0.7]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    return _hits(y_true == (y_pred > threshold))


@registry.register("cat_acc")
@lift
def categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """Where the highest of y_pred is the highest of y_true, both (batch, ..., classes).

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    return _hits(jnp.argmax(y_true, -1) == jnp.argmax(y_pred, -1))


@registry.register("sparse_acc")
@lift
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> jax.Array:
    """Where the highest of y_pred (batch, ..., classes) is the class y_true (batch, ...) or (batch, ..., 1).

    >>> sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.4, 0.6]]).tolist()
    [1.0, 0.0]
    """
    labels, y_pred = _labels(y_true, y_pred)
    hits = _hits(labels == jnp.argmax(y_pred, -1))
    return hits[..., 0] if hits.ndim > 1 and hits.shape[-1] == 1 else hits


@registry.register()
@lift
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> jax.Array:
    """Where fewer than k classes score above the true one; y_true one-hot. A tie is a hit.

    >>> top_k_categorical_accuracy([[1, 0, 0]], [[0.2, 0.5, 0.3]], k=2).tolist()
    [0.0]
    """
    y_true, y_pred = same_shape(y_true, y_pred)
    return _in_top_k(jnp.argmax(y_true, -1), y_pred, k)


@registry.register()
@lift
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> jax.Array:
    """Where fewer than k classes score above the class y_true. A tie is a hit.

    Args:
        y_true: Class numbers (batch, ...).
        y_pred: Scores (batch, ..., classes); with `from_sorted_ids`, classes from the best down.
        k: How many may be named; default 5.
        from_sorted_ids: Default False.

    >>> sparse_top_k_categorical_accuracy([0], [[2, 0, 1]], k=2, from_sorted_ids=True).tolist()
    [1.0]
    """
    labels, y_pred = _labels(y_true, y_pred)
    if from_sorted_ids:
        return _hits(jnp.any(labels[..., None] == y_pred[..., :k], axis=-1))
    return _in_top_k(labels, y_pred, k)


def _in_top_k(labels, scores, k):
    score = jnp.take_along_axis(scores, labels[..., None].astype(jnp.int32), axis=-1)
    above = jnp.sum(scores > jnp.where(jnp.isnan(score), -jnp.inf, score), axis=-1)
    return _hits(above < k)


def _labels(y_true, y_pred):
    labels, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"The targets have shape {np.shape(y_true)}, the outputs {y_pred.shape}; class numbers for them "
            f"have shape {y_pred.shape[:-1]}. For one-hot targets take categorical_accuracy."
        )
    return labels, y_pred


def _hits(condition):
    return condition.astype(config.floatx())


@registry.register()
class Accuracy(MeanMetricWrapper):
    """The share of `y_true == y_pred`.

    >>> print(Accuracy()([1, 2], [1, 3]))
    0.5
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


@registry.register()
class BinaryAccuracy(MeanMetricWrapper):
    """The share of `binary_accuracy`.

    >>> print(BinaryAccuracy()([1, 0], [0.6, 0.7]))
    0.5
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


@registry.register()
class CategoricalAccuracy(MeanMetricWrapper):
    """The share of `categorical_accuracy`.

    >>> print(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]]))
    0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@registry.register()
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """The share of `sparse_categorical_accuracy`.

    >>> print(SparseCategoricalAccuracy()([1, 0], [[0.2, 0.8], [0.4, 0.6]]))
    0.5
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


@registry.register()
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of `top_k_categorical_accuracy`.

    >>> print(TopKCategoricalAccuracy(k=2)([[1, 0, 0]], [[0.3, 0.5, 0.2]]))
    1.0
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@registry.register()
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of `sparse_top_k_categorical_accuracy`.

    >>> print(SparseTopKCategoricalAccuracy(k=2)([0], [[0.3, 0.5, 0.2]]))
    1.0
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k, self.from_sorted_ids = k, from_sorted_ids
