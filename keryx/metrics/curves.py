"""The area under a curve of rates over thresholds."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.errors import ConfigError, ShapeError, StateError, listing
from keryx.metrics.base import ratio, registry
from keryx.metrics.confusion import _Confusion

_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "majoring", "minoring")


@registry.register()
class AUC(_Confusion):
    """The area under a curve, as a Riemann sum over the thresholds.

    Args:
        num_thresholds: How many, in equal steps from 0 to 1; default 200.
        curve: "ROC" (recall over the false positive rate, default), "PR" (precision over recall) or "PRGAIN"
            (Flach & Kull 2015).
        summation_method: "interpolation" (default; for "PR" that of Davis & Goadrich 2006), or the higher end
            of each step, "majoring", or the lower, "minoring".
        name: Its name.
        dtype: Default float32.
        thresholds: Thresholds inside (0, 1) to use in place of `num_thresholds`.
        multi_label: One curve for each label of (batch, labels) and the mean of their areas.
        num_labels: How many labels; otherwise learnt from the first batch.
        label_weights: Weights of the labels.
        from_logits: Whether the outputs still need a sigmoid.

    >>> print(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ):
        super().__init__(dtype, name)
        self.curve, self.summation_method = str(curve).upper(), str(summation_method).lower()
        if self.curve not in _CURVES or self.summation_method not in _METHODS:
            raise ConfigError(
                f"curve is one of {listing(_CURVES)} and summation_method one of {listing(_METHODS)}; "
                f"got {curve!r} and {summation_method!r}."
            )
        if num_labels and not multi_label:
            raise ConfigError("num_labels means nothing without multi_label=True.")
        if thresholds is None and num_thresholds <= 1:
            raise ConfigError(f"num_thresholds is an integer above 1; got {num_thresholds!r}.")
        inner = np.arange(1, num_thresholds - 1) / (num_thresholds - 1) if thresholds is None else sorted(thresholds)
        # The first threshold passes every prediction and the last none, whatever the rounding.
        self._ends = [-config.epsilon(), *inner, 1 + config.epsilon()]
        self.thresholds = None if thresholds is None else sorted(thresholds)
        self.num_thresholds = len(self._ends)
        self.multi_label, self.num_labels = multi_label, num_labels
        self.label_weights, self.from_logits = label_weights, from_logits
        if num_labels or not multi_label:
            self._start(self._ends, (num_labels,) if num_labels else ())

    def build(self, y_true_shape, y_pred_shape) -> None:
        if self._variables:
            return
        if len(y_pred_shape) != 2 or y_pred_shape[1] is None:
            raise ShapeError(f"multi_label wants outputs (batch, labels); got {tuple(y_pred_shape)}.")
        self._start(self._ends, (y_pred_shape[1],))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = jnp.asarray(y_pred, self.dtype)
        self.build(np.shape(y_true), y_pred.shape)
        y_pred = jax.nn.sigmoid(y_pred) if self.from_logits else y_pred
        label_weights = None if self.multi_label else self.label_weights
        self._add(y_true, y_pred, sample_weight, label_weights=label_weights, by_label=self.multi_label)

    def result(self) -> jax.Array:
        if not self._variables:
            raise StateError("AUC(multi_label=True) does not know its labels yet: add a batch, or give num_labels.")
        davis = self.curve == "PR" and self.summation_method == "interpolation"
        areas = jnp.sum(self._davis_goadrich() if davis else self._riemann(), axis=0)  # () or (labels,)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return jnp.mean(areas)
        weights = jnp.asarray(self.label_weights, self.dtype)
        return ratio(jnp.sum(areas * weights), jnp.sum(weights))

    def _riemann(self):
        x, y = self._points()
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "majoring": jnp.maximum(y[:-1], y[1:]),
            "minoring": jnp.minimum(y[:-1], y[1:]),
        }
        return (x[:-1] - x[1:]) * heights[self.summation_method]

    def _points(self):
        recall = self._rate("true_positives", "false_negatives")
        if self.curve == "ROC":
            return self._rate("false_positives", "true_negatives"), recall
        if self.curve == "PR":
            return recall, self._rate("true_positives", "false_positives")
        tp, fp, tn, fn = (getattr(self, name).value for name in self._kept)
        odds = ratio(tp + fn, tn + fp)
        recall_gain = jnp.where(tp == 0, 0, 1 - odds * ratio(fn, tp))
        precision_gain = jnp.where(tp == 0, 1, 1 - odds * ratio(fp, tp))
        return jnp.maximum(recall_gain, 0), precision_gain

    def _davis_goadrich(self):
        # Between two thresholds tp grows linearly with p = tp + fp: tp = intercept + slope * p. Precision is
        # then tp / p, whose integral over recall has this closed form.
        tp, fp, fn = self.true_positives.value, self.false_positives.value, self.false_negatives.value
        p = tp + fp
        dtp, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
        slope = ratio(dtp, jnp.maximum(dp, 0))
        intercept = tp[1:] - slope * p[1:]
        growth = jnp.where((p[:-1] > 0) & (p[1:] > 0), ratio(p[:-1], jnp.maximum(p[1:], 0)), 1)
        return ratio(slope * (dtp + intercept * jnp.log(growth)), jnp.maximum(tp[1:] + fn[1:], 0))
