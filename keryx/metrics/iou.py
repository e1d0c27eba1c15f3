"""Intersection over union of the predicted and the true members of a class."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.errors import ConfigError, warn
from keryx.metrics.base import Metric, registry


@registry.register()
class IoU(Metric):
    """`tp / (tp + fp + fn)` of some classes, and the mean of it.

    Args:
        num_classes: How many classes there are.
        target_class_ids: Those that count.
        name: Its name.
        dtype: Of the counts; default int32.
        ignore_class: Targets of this class number are left out.
        sparse_y_true: Targets are class numbers, not one-hot; default True.
        sparse_y_pred: Outputs are class numbers, not scores; default True.
        axis: The axis of the classes of one-hot targets and scores.

    >>> print(IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1]).round(3))
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(dtype or "int32", name)
        if max(target_class_ids) >= num_classes:
            raise ConfigError(f"target_class_ids lie below num_classes {num_classes}; got {max(target_class_ids)}.")
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
        y_true = y_true if self.sparse_y_true else jnp.argmax(y_true, self.axis)
        y_pred = y_pred if self.sparse_y_pred else jnp.argmax(y_pred, self.axis)
        y_true, y_pred = y_true.ravel().astype(jnp.int32), y_pred.ravel().astype(jnp.int32)
        weights = jnp.asarray(1 if sample_weight is None else sample_weight)
        if jnp.issubdtype(weights.dtype, jnp.floating) and self.dtype.startswith("int"):
            warn(f"{self.name} counts in {self.dtype}, so weights lose their fractions: give it a float dtype.")
        weights = weights.ravel() if weights.ndim else weights
        n = self.num_classes
        counts = (y_true >= 0) & (y_true < n) & (y_pred >= 0) & (y_pred < n)
        if self.ignore_class is not None:
            counts &= y_true != self.ignore_class
        weights = jnp.where(counts, weights.astype(self.dtype), 0)
        cells = jnp.where(counts, y_true * n + y_pred, 0)
        matrix = jnp.zeros(n * n, self.dtype).at[cells].add(weights).reshape(n, n)
        self.total_cm.assign_add(matrix)

    def result(self) -> jax.Array:
        matrix = self.total_cm.value  # (true class, predicted class)
        both = jnp.diag(matrix)
        union = matrix.sum(axis=0) + matrix.sum(axis=1) - both
        chosen = jnp.asarray(self.target_class_ids)
        both, union = both[chosen].astype(jnp.float32), union[chosen].astype(jnp.float32)
        met = union > 1e-9
        return jnp.sum(jnp.where(met, both / (union + config.epsilon()), 0)) / (jnp.sum(met) + config.epsilon())


@registry.register()
class BinaryIoU(IoU):
    """`IoU` of outputs that are class 1 from a threshold on.

    >>> print(BinaryIoU([1])([0, 1, 1], [0.2, 0.4, 0.9]).round(3))
    0.5
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, jnp.asarray(y_pred) >= self.threshold, sample_weight)


@registry.register()
class MeanIoU(IoU):
    """`IoU` of every class.

    >>> print(MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1]).round(3))
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        every = range(num_classes)
        super().__init__(num_classes, every, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@registry.register()
class OneHotIoU(IoU):
    """`IoU` of one-hot targets and of scores.

    >>> print(OneHotIoU(2, [0])([[1, 0], [0, 1]], [[0.6, 0.4], [0.2, 0.8]]).round(3))
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@registry.register()
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets and of scores.

    >>> print(OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.6, 0.4], [0.2, 0.8]]).round(3))
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
