"""Metrics of true and false positives and negatives, at one threshold or at many."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.core.variable import Variable
from keryx.errors import ConfigError, ShapeError
from keryx.metrics.base import Metric, ratio, registry, same_rank

Thresholds = float | Sequence[float] | None
_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
_LOWEST = -1e10  # below every score that may be predicted


class Counts(NamedTuple):
    """Weights of the predictions of each kind."""

    true_positives: jax.Array  # (thresholds,) or (thresholds, labels)
    false_positives: jax.Array
    true_negatives: jax.Array
    false_negatives: jax.Array


def tally(y_true: jax.Array, y_pred: jax.Array, weights: jax.Array, thresholds: np.ndarray) -> Counts:
    """What `y_pred > threshold` gets right and wrong at each threshold; all inputs (predictions,)."""
    hit, miss = weights * y_true, weights * (1 - y_true)
    if _even(thresholds):
        # Equal steps: each prediction falls into a bucket, and a threshold is passed by all buckets above it.
        n = len(thresholds)
        bucket = jnp.ceil(jnp.clip(y_pred, 0, 1) * (n - 1)) - 1  # -1 for 0.0, which is above no threshold ...
        bucket = bucket.astype(jnp.int32) + 1
        if thresholds[0] < 0:
            bucket = jnp.maximum(bucket, 1)  # ... unless the first one lies below 0

        def above(w):
            passed = jnp.zeros(n + 1, w.dtype).at[bucket].add(w)
            return jnp.cumsum(passed[::-1])[::-1][1:]
    else:
        passes = y_pred > jnp.asarray(thresholds, y_pred.dtype)[:, None]  # (thresholds, predictions)

        def above(w):
            return jnp.sum(jnp.where(passes, w, 0), axis=1)

    tp, fp = above(hit), above(miss)
    return Counts(tp, fp, jnp.sum(miss) - fp, jnp.sum(hit) - tp)


def _even(thresholds):
    n = len(thresholds)
    return n >= 3 and np.allclose(thresholds, np.arange(n) / (n - 1), atol=config.epsilon())


class _Confusion(Metric):
    """A metric of counts: `_kept` names them, one variable each, of shape (thresholds,)."""

    _kept: tuple[str, ...] = _COUNTS
    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def _start(self, thresholds: Sequence[float], shape: tuple[int, ...] = ()) -> None:
        self._at = np.asarray(thresholds, "float64")
        for name in self._kept:
            setattr(self, name, self.add_variable((len(self._at), *shape), name=name))

    def _add(self, y_true, y_pred, weights=None, top_k=None, class_id=None, label_weights=None, by_label=False):
        y_pred, y_true = same_rank(jnp.asarray(y_pred, self.dtype), jnp.asarray(y_true).astype(self.dtype))
        if y_pred.shape != y_true.shape:
            classes = y_pred.shape[-1] if y_true.shape == y_pred.shape[:-1] else None
            one_hot = f" Make class numbers one-hot: keryx.utils.to_categorical(y, {classes})." if classes else ""
            raise ShapeError(
                f"{self.name} wants targets and outputs alike; got {y_true.shape} and {y_pred.shape}.{one_hot}"
            )
        y_true = (y_true != 0).astype(self.dtype)
        weights = _fitted(weights, y_pred)
        if top_k is not None:
            y_pred = _only_top(y_pred, top_k)
        if class_id is not None:
            if y_pred.ndim == 1:
                raise ShapeError(f"class_id wants outputs (batch, classes); got {y_pred.shape}.")
            y_true, y_pred = y_true[..., class_id, None], y_pred[..., class_id, None]
            weights = weights[..., :1]
        weights = jnp.broadcast_to(weights, y_pred.shape)
        if label_weights is not None:
            weights = weights * jnp.asarray(label_weights, self.dtype)
        if by_label:
            new = jax.vmap(lambda y, p, w: tally(y, p, w, self._at), in_axes=1, out_axes=1)(y_true, y_pred, weights)
        else:
            new = tally(y_true.ravel(), y_pred.ravel(), weights.ravel(), self._at)
        for name in self._kept:
            getattr(self, name).assign_add(getattr(new, name))

    def _rate(self, kind: str, other: str) -> jax.Array:
        mine, others = getattr(self, kind).value, getattr(self, other).value
        return ratio(mine, mine + others)


def _fitted(weights, y_pred):
    if weights is None:
        return jnp.ones((1,) * y_pred.ndim, y_pred.dtype)
    weights = jnp.asarray(weights, y_pred.dtype)
    if weights.ndim == y_pred.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    return weights.reshape(weights.shape + (1,) * (y_pred.ndim - weights.ndim))


def _only_top(y_pred, k):
    _, best = jax.lax.top_k(y_pred, k)
    kept = jnp.sum(jax.nn.one_hot(best, y_pred.shape[-1], dtype=bool), axis=-2, dtype=bool)
    return jnp.where(kept, y_pred, _LOWEST)


def _as_list(thresholds: Thresholds, default: float) -> list[float]:
    found = [default] if thresholds is None else [*np.ravel(thresholds).tolist()]
    if thresholds is not None and not all(0 <= t <= 1 for t in found):
        raise ConfigError(f"Thresholds lie in [0, 1]; got {found}.")
    return found


class _OneCount(_Confusion):
    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: Any = None):
        super().__init__(dtype, name)
        self.thresholds = thresholds
        self._start(_as_list(thresholds, 0.5))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(y_true, y_pred, sample_weight)

    def result(self) -> jax.Array:
        value = getattr(self, self._kept[0]).value
        return value[0] if len(self._at) == 1 else value


@registry.register()
class TruePositives(_OneCount):
    """How many true targets are predicted above the threshold, 0.5 unless given; one number a threshold.

    >>> print(TruePositives()([1, 1, 0], [0.6, 0.4, 0.9]))
    1.0
    """

    _kept = ("true_positives",)


@registry.register()
class FalsePositives(_OneCount):
    """How many false targets are predicted above the threshold, 0.5 unless given; one number a threshold.

    >>> print(FalsePositives()([1, 1, 0], [0.6, 0.4, 0.9]))
    1.0
    """

    _kept = ("false_positives",)


@registry.register()
class TrueNegatives(_OneCount):
    """How many false targets are not predicted above the threshold, 0.5 unless given; one number a threshold.

    >>> print(TrueNegatives()([1, 1, 0], [0.6, 0.4, 0.1]))
    1.0
    """

    _kept = ("true_negatives",)


@registry.register()
class FalseNegatives(_OneCount):
    """How many true targets are not predicted above the threshold, 0.5 unless given; one number a threshold.

    >>> print(FalseNegatives()([1, 1, 0], [0.6, 0.4, 0.9]))
    1.0
    """

    _kept = ("false_negatives",)


class _Ratio(_Confusion):
    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        self.thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        self._start(_as_list(thresholds, 0.5 if top_k is None else _LOWEST))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(y_true, y_pred, sample_weight, self.top_k, self.class_id)

    def result(self) -> jax.Array:
        value = self._rate(*self._kept)
        return value[0] if len(self._at) == 1 else value


@registry.register()
class Precision(_Ratio):
    """How many of the predicted are true: `tp / (tp + fp)`, 0 where none is predicted.

    Args:
        thresholds: A number or a list; default 0.5, or none with `top_k`.
        top_k: Only the k highest outputs of a sample count as predicted.
        class_id: Only this class counts.
        name: Its name.
        dtype: Default float32.

    >>> print(Precision()([1, 1, 0], [0.6, 0.4, 0.9]))
    0.5
    """

    _kept = ("true_positives", "false_positives")


@registry.register()
class Recall(_Ratio):
    """How many of the true are predicted: `tp / (tp + fn)`, 0 where none is true.

    Args:
        thresholds: A number or a list; default 0.5, or none with `top_k`.
        top_k: Only the k highest outputs of a sample count as predicted.
        class_id: Only this class counts.
        name: Its name.
        dtype: Default float32.

    >>> print(Recall()([1, 1, 0], [0.6, 0.4, 0.9]))
    0.5
    """

    _kept = ("true_positives", "false_negatives")


class _BestWhere(_Confusion):
    """The best of one rate over the thresholds at which another reaches `least`."""

    _best: tuple[str, str]
    _bound: tuple[str, str]

    def __init__(self, least, num_thresholds, class_id, name, dtype):
        super().__init__(dtype, name)
        if not 0 <= least <= 1:
            raise ConfigError(f"{type(self).__name__} wants a rate in [0, 1] to hold; got {least!r}.")
        if num_thresholds <= 0:
            raise ConfigError(f"num_thresholds is an integer above 0; got {num_thresholds!r}.")
        self.num_thresholds, self.class_id = num_thresholds, class_id
        self._least = least
        self._start([0.5] if num_thresholds == 1 else np.arange(num_thresholds) / (num_thresholds - 1))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(y_true, y_pred, sample_weight, class_id=self.class_id)

    def result(self) -> jax.Array:
        fits = self._rate(*self._bound) >= self._least
        return jnp.max(jnp.where(fits, self._rate(*self._best), 0))


_SENSITIVITY = _RECALL = ("true_positives", "false_negatives")
_SPECIFICITY = ("true_negatives", "false_positives")
_PRECISION = ("true_positives", "false_positives")


@registry.register()
class SensitivityAtSpecificity(_BestWhere):
    """The best `tp / (tp + fn)` over the thresholds with `tn / (tn + fp) >= specificity`.

    >>> print(SensitivityAtSpecificity(0.5)([0, 0, 1, 1], [0.1, 0.5, 0.3, 0.9]))
    1.0
    """

    _best, _bound = _SENSITIVITY, _SPECIFICITY

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity


@registry.register()
class SpecificityAtSensitivity(_BestWhere):
    """The best `tn / (tn + fp)` over the thresholds with `tp / (tp + fn) >= sensitivity`.

    >>> print(SpecificityAtSensitivity(0.5)([0, 0, 1, 1], [0.1, 0.5, 0.3, 0.9]))
    1.0
    """

    _best, _bound = _SPECIFICITY, _SENSITIVITY

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity


@registry.register()
class PrecisionAtRecall(_BestWhere):
    """The best precision over the thresholds with at least this recall.

    >>> print(PrecisionAtRecall(0.5)([0, 0, 1, 1], [0.1, 0.5, 0.3, 0.9]))
    1.0
    """

    _best, _bound = _PRECISION, _RECALL

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall


@registry.register()
class RecallAtPrecision(_BestWhere):
    """The best recall over the thresholds with at least this precision.

    >>> print(RecallAtPrecision(0.8)([0, 0, 1, 1], [0.1, 0.5, 0.3, 0.9]))
    0.5
    """

    _best, _bound = _RECALL, _PRECISION

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision
