"""Scores of whole outputs: F, the determination R2, and correlations."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.graph import lift
from keryx.errors import ConfigError, ShapeError
from keryx.metrics.base import MeanMetricWrapper, Metric, registry, same_shape


class _ByClass(Metric):
    """A metric with one variable each of `_kept`, of shape (outputs,), learnt from the first batch."""

    _kept: tuple[str, ...] = ()
    _scalar = False

    def build(self, y_true_shape, y_pred_shape) -> None:
        if hasattr(self, self._kept[0]):
            return
        if len(y_pred_shape) != 2 or y_pred_shape[-1] is None:
            raise ShapeError(f"{self.name} wants outputs (batch, outputs); got {tuple(y_pred_shape)}.")
        for name in self._kept:
            setattr(self, name, self.add_variable(() if self._scalar else y_pred_shape[-1:], name=name))

    def _prepared(self, y_true, y_pred, sample_weight):
        y_true, y_pred = same_shape(jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype))
        self.build(y_true.shape, y_pred.shape)
        weights = jnp.asarray(1 if sample_weight is None else sample_weight, self.dtype)
        weights = weights[:, None] if weights.ndim == 1 else weights
        return y_true, y_pred, jnp.broadcast_to(weights, y_true.shape)


@registry.register()
class FBetaScore(_ByClass):
    """`(1 + beta ** 2) * precision * recall / (beta ** 2 * precision + recall)`.

    Args:
        average: None for one score a class (default); "micro" counts all classes as one, "macro" takes the
            mean of the scores, "weighted" weighs them by how often the class is true.
        beta: How many times recall counts as much as precision; default 1.
        threshold: What is above is predicted; by default the highest output of a sample is.
        name: Its name.
        dtype: Default float32.

    >>> print(FBetaScore("micro", beta=2.0)([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]]).round(3))
    1.0
    """

    _kept = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ConfigError(f"average is None, 'micro', 'macro' or 'weighted'; got {average!r}.")
        if beta <= 0 or (threshold is not None and not 0 < threshold <= 1):
            raise ConfigError(f"beta is above 0 and threshold in (0, 1]; got {beta!r} and {threshold!r}.")
        self.average, self.beta, self.threshold = average, beta, threshold
        self._scalar = average == "micro"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, weights = self._prepared(y_true, y_pred, sample_weight)
        if self.threshold is None:
            predicted = (y_pred >= jnp.max(y_pred, axis=-1, keepdims=True)) & (jnp.abs(y_pred) > 1e-9)
        else:
            predicted = y_pred > self.threshold
        predicted = predicted.astype(self.dtype)
        axis = None if self._scalar else 0
        of = (predicted * y_true, predicted * (1 - y_true), (1 - predicted) * y_true, y_true)
        for name, counts in zip(self._kept, of, strict=True):
            getattr(self, name).assign_add(jnp.sum(counts * weights, axis=axis))

    def result(self) -> jax.Array:
        tp, fp, fn, support = (getattr(self, name).value for name in self._kept)
        tiny, square = config.epsilon(), self.beta**2
        precision, recall = tp / (tp + fp + tiny), tp / (tp + fn + tiny)
        score = precision * recall / (square * precision + recall + tiny) * (1 + square)
        if self.average == "weighted":
            return jnp.sum(score * support / (jnp.sum(support) + tiny))
        return score if self.average is None else jnp.mean(score)


@registry.register()
class F1Score(FBetaScore):
    """`2 * precision * recall / (precision + recall)`: `FBetaScore` with beta 1.

    >>> print(F1Score("macro")([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]]).round(3))
    1.0
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)


@registry.register()
class R2Score(_ByClass):
    """The share of the targets' variance that is explained.

    `1 - sum((y - p) ** 2) / sum((y - mean(y)) ** 2)`.

    Args:
        class_aggregation: "uniform_average" (default) or "variance_weighted_average" of the outputs; None for
            one score each.
        num_regressors: For the adjusted score: how many inputs the model has; default 0, not adjusted.
        name: Its name.
        dtype: Default float32.

    >>> print(R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]]))
    0.5
    """

    _kept = ("sum", "squared_sum", "residual", "count")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ConfigError(
                "class_aggregation is None, 'uniform_average' or 'variance_weighted_average'; got "
                f"{class_aggregation!r}."
            )
        if num_regressors < 0:
            raise ConfigError(f"num_regressors is at least 0; got {num_regressors!r}.")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable(name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, weights = self._prepared(y_true, y_pred, sample_weight)
        of = (weights * y_true, weights * y_true**2, weights * (y_true - y_pred) ** 2, weights)
        for name, values in zip(self._kept, of, strict=True):
            getattr(self, name).assign_add(jnp.sum(values, axis=0))
        self.num_samples.assign_add(y_true.size)

    def result(self) -> jax.Array:
        total, squares, residual, count = (getattr(self, name).value for name in self._kept)
        variance = squares - total * total / count
        score = 1 - residual / variance
        score = jnp.where(jnp.isinf(score), 0.0, score)
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = jnp.sum(variance * score) / jnp.sum(variance)
        if not self.num_regressors:
            return score
        n, p = self.num_samples.value, self.num_regressors
        adjusted = 1 - (1 - score) * (n - 1) / jnp.where(n - p > 1, n - p - 1, 1)
        return jnp.where(n - p > 1, adjusted, score)


@registry.register()
@lift
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """`covariance(y_true, y_pred) / (deviation(y_true) * deviation(y_pred))` over `axis`.

    >>> pearson_correlation([[0.0, 1.0]], [[2.0, 4.0]]).tolist()
    [1.0]
    """
    y_true, y_pred = _floats(y_true, y_pred)
    a, b = (y - jnp.mean(y, axis, keepdims=True) for y in (y_true, y_pred))
    return jnp.mean(a / jnp.std(a, axis, keepdims=True) * (b / jnp.std(b, axis, keepdims=True)), axis)


@registry.register()
@lift
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """`2 * covariance / (variances + difference of the means ** 2)` over `axis`. Lin 1989.

    >>> concordance_correlation([[0.0, 2.0]], [[0.0, 2.0]]).round(3).tolist()
    [1.0]
    """
    y_true, y_pred = _floats(y_true, y_pred)
    mean_true, mean_pred = jnp.mean(y_true, axis, keepdims=True), jnp.mean(y_pred, axis, keepdims=True)
    # The mean of (y_true - c) * (y_pred - mean_pred) is the covariance whatever c is.
    covariance = (y_true - mean_pred) * (y_pred - mean_pred)
    spread = jnp.var(y_true, axis, keepdims=True) + jnp.var(y_pred, axis, keepdims=True)
    return jnp.mean(2 * covariance / (spread + (mean_true - mean_pred) ** 2 + config.epsilon()), axis)


def _floats(y_true, y_pred):
    y_pred = jnp.asarray(y_pred)
    return same_shape(jnp.asarray(y_true, y_pred.dtype), y_pred)


@registry.register()
class PearsonCorrelation(MeanMetricWrapper):
    """The mean of `pearson_correlation`.

    >>> print(PearsonCorrelation()([[0.0, 1.0]], [[2.0, 4.0]]))
    1.0
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


@registry.register()
class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean of `concordance_correlation`.

    >>> print(ConcordanceCorrelation()([[0.0, 2.0]], [[0.0, 2.0]]).round(3))
    1.0
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
