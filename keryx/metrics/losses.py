"""The mean over samples of what the losses measure, and of what they measure with the other sign."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import losses
from keryx.core.graph import lift
from keryx.losses.entropy import class_numbers
from keryx.metrics.base import Mean, MeanMetricWrapper, registry, same_shape

# The functions of keryx.losses that go by the same names among the metrics.
SHARED = (
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
)
for _name, _function in losses.registry.table.items():
    if getattr(_function, "__name__", None) in SHARED:
        registry.table[_name] = _function


@registry.register("cosine", "cosine_proximity")
@lift
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> jax.Array:
    """`sum(y_true * y_pred) / (|y_true| * |y_pred|)` over `axis`: 1 for the same direction, unlike the loss.

    >>> cosine_similarity([[0.0, 2.0]], [[0.0, 1.0]]).tolist()
    [1.0]
    """
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


@registry.register()
class MeanSquaredError(MeanMetricWrapper):
    """The mean of `(y_true - y_pred) ** 2`.

    >>> print(MeanSquaredError()([[0.0], [1.0]], [[2.0], [1.0]]))
    2.0
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


@registry.register()
class RootMeanSquaredError(Mean):
    """The root of the mean of `(y_true - y_pred) ** 2` over all samples.

    >>> print(RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]]))
    3.0
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = same_shape(jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype))
        super().update_state(jnp.square(y_pred - y_true), sample_weight)

    def result(self) -> jax.Array:
        return jnp.sqrt(super().result())


@registry.register()
class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of `|y_true - y_pred|`.

    >>> print(MeanAbsoluteError()([[0.0], [1.0]], [[2.0], [1.0]]))
    1.0
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


@registry.register()
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of `100 * |y_true - y_pred| / |y_true|`.

    >>> print(MeanAbsolutePercentageError()([[2.0]], [[1.0]]))
    50.0
    """

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@registry.register()
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of `(log(1 + y_true) - log(1 + y_pred)) ** 2`.

    >>> print(MeanSquaredLogarithmicError()([[3.0]], [[3.0]]))
    0.0
    """

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@registry.register()
class CosineSimilarity(MeanMetricWrapper):
    """The mean of `cosine_similarity`.

    >>> print(CosineSimilarity()([[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 2.0]]))
    0.5
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)
        self.axis = axis


@registry.register()
class LogCoshError(MeanMetricWrapper):
    """The mean of `log(cosh(y_pred - y_true))`.

    >>> print(LogCoshError()([[3.0]], [[3.0]]))
    0.0
    """

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(losses.log_cosh, name, dtype)


@registry.register()
class KLDivergence(MeanMetricWrapper):
    """The mean of `sum(y_true * log(y_true / y_pred))`.

    >>> print(KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]))
    0.0
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(losses.kl_divergence, name, dtype)


@registry.register()
class Poisson(MeanMetricWrapper):
    """The mean of `y_pred - y_true * log(y_pred)`.

    >>> print(Poisson()([[0.0]], [[2.0]]))
    2.0
    """

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(losses.poisson, name, dtype)


@registry.register()
class Hinge(MeanMetricWrapper):
    """The mean of `max(1 - y_true * y_pred, 0)`, targets -1 and 1, or 0 and 1.

    >>> print(Hinge()([[1.0]], [[0.5]]))
    0.5
    """

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(losses.hinge, name, dtype)


@registry.register()
class SquaredHinge(MeanMetricWrapper):
    """The mean of `max(1 - y_true * y_pred, 0) ** 2`.

    >>> print(SquaredHinge()([[1.0]], [[0.5]]))
    0.25
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(losses.squared_hinge, name, dtype)


@registry.register()
class CategoricalHinge(MeanMetricWrapper):
    """The mean of `max(1 + best wrong score - right score, 0)`, targets one-hot.

    >>> print(CategoricalHinge()([[1.0, 0.0]], [[0.5, 0.5]]))
    1.0
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.categorical_hinge, name, dtype)


@registry.register()
class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of `-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)`.

    Args:
        name: Its name.
        dtype: Default float32.
        from_logits: Whether the outputs still need a sigmoid.
        label_smoothing: How far the targets are pulled to 1/2.

    >>> print(BinaryCrossentropy(from_logits=True)([[1.0]], [[100.0]]))
    0.0
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **options)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


@registry.register()
class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `-sum(y_true * log(y_pred))`, targets one-hot.

    Args:
        name: Its name.
        dtype: Default float32.
        from_logits: Whether the outputs still need a softmax.
        label_smoothing: How far the targets are pulled to equal shares.
        axis: The axis of the classes.

    >>> print(CategoricalCrossentropy(from_logits=True)([[1.0, 0.0]], [[100.0, 0.0]]))
    0.0
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **options)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


@registry.register()
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `-log(y_pred[y_true])`, targets class numbers.

    Args:
        name: Its name.
        dtype: Default float32.
        from_logits: Whether the outputs still need a softmax.
        ignore_class: A class number that counts as 0; with sample weights, or a mask, it does not count at all.
        axis: The axis of the classes.

    >>> print(SparseCategoricalCrossentropy(from_logits=True)([0], [[100.0, 0.0]]))
    0.0
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **options)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        if self.ignore_class is not None and sample_weight is not None:
            y_pred, weights = jnp.asarray(y_pred), jnp.asarray(sample_weight, self.dtype)
            kept = class_numbers(y_true, y_pred.shape, self.axis) != self.ignore_class
            weights = weights[..., 0] if weights.ndim == kept.ndim + 1 else weights
            sample_weight = jnp.expand_dims(weights, tuple(range(weights.ndim, kept.ndim))) * kept
        super().update_state(y_true, y_pred, sample_weight)
