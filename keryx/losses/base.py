"""Loss: values of each sample, weighted, masked and reduced to the number that training lowers."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core import scope
from keryx.core.codec import Configurable, Registry, serialize
from keryx.core.graph import Op, record, symbols_in, trace
from keryx.core.names import init_arguments, snake_case
from keryx.errors import ConfigError, ShapeError, listing

registry = Registry("loss", "keras.losses")

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


class Loss(Configurable):
    """What training lowers: `loss(y_true, y_pred) -> scalar`. Subclasses define `call`.

    Args:
        name: What logs call it; default the class's name in snake_case.
        reduction: "sum_over_batch_size" (default, also "mean"): the mean over all values, or over those that
            the mask keeps. "sum": their sum. "mean_with_sample_weight": their sum over that of the weights.
            "none" or None: the values themselves.
        dtype: What y_true and y_pred are cast to; default `config.floatx()`.

    >>> class Distance(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return jnp.abs(y_true - y_pred)
    >>> float(Distance()(jnp.array([1, 2]), jnp.array([1.0, 4.0])))
    1.0
    """

    integer_labels = False
    """Whether y_true holds class numbers, which must not pass through a float dtype."""

    _function: Callable | None = None
    _options: tuple[str, ...] = ()

    def __init_subclass__(cls, function: Callable | None = None, **kwargs):
        """`class Mine(Loss, function=f)` takes its `call` from `f`, handing it the options they both name."""
        super().__init_subclass__(**kwargs)
        if function is not None:
            cls._function = staticmethod(function)
            parameters = inspect.signature(function).parameters
            cls._options = tuple(name for name in init_arguments(cls) if name in parameters)
            _class_of[function] = cls

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        reduction = "sum_over_batch_size" if reduction == "auto" else reduction  # the word of Keras 2
        if reduction not in REDUCTIONS:
            raise ConfigError(f"reduction is one of {listing(REDUCTIONS)}; got {reduction!r}.")
        self.name = name or snake_case(type(self).__name__)
        self.reduction, self.dtype = reduction, dtype

    def call(self, y_true: Any, y_pred: Any) -> jax.Array:
        """The values of the samples, most often (batch, ...) without the last axis."""
        if self._function is None:
            raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred).")
        return self._function(y_true, y_pred, **{name: getattr(self, name) for name in self._options})

    def valid(self, values: jax.Array, y_true: Any) -> jax.Array | None:
        """Which of the `values` count, where the loss itself leaves some out; None for all."""
        return None

    def label_range(self, y_pred_shape: tuple[int, ...]) -> tuple[int, int] | None:
        """(lowest, highest + 1) of the labels that fit outputs of this shape; None where any number does."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> jax.Array:
        """The loss.

        Args:
            y_true: Targets. One axis of size 1 more or fewer at the end than in y_pred is made alike.
            y_pred: Outputs of the model.
            sample_weight: Weights of the samples (batch,) or of the timesteps (batch, time).
            mask: Like `sample_weight`, of what counts at all; by default the one that travels beside y_pred.

        Raises:
            ShapeError: Where shapes do not fit; nothing broadcasts in silence.
        """
        if symbols_in((y_true, y_pred)):
            operation, args = Op(self, self.name), (y_true, y_pred, sample_weight, mask)
            return record(operation, args, {}, trace(operation, args, {}))
        mask = scope.mask_of(y_pred) if mask is None else mask
        dtype = jnp.dtype(getattr(self.dtype, "compute_dtype", self.dtype) or config.floatx())
        y_pred = jax.tree.map(lambda y: jnp.asarray(y, dtype), y_pred)
        y_true = jax.tree.map(lambda y: jnp.asarray(y, None if self.integer_labels else dtype), y_true)
        if not self.integer_labels:
            y_true, y_pred = _value_per_weight(y_true, y_pred, sample_weight, mask)
        values = self.call(y_true, y_pred)
        if values is None:
            raise ConfigError(f"The loss {self.name!r} returned None, and no value for each sample. Does it return?")
        values = jnp.asarray(values, dtype)
        valid = self.valid(values, y_true)
        if valid is not None:
            mask = valid if mask is None else valid & _fitted("mask", mask, values).astype(bool)
        return reduce(values, sample_weight, mask, self.reduction)


@registry.register()
class LossFunctionWrapper(Loss):
    """A plain function `fn(y_true, y_pred, **kwargs)` as a Loss; it gives one value a sample.

    >>> loss = LossFunctionWrapper(lambda y_true, y_pred: jnp.max(y_true - y_pred, axis=-1), name="worst")
    >>> float(loss(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 0.0]])))
    2.0
    """

    def __init__(
        self,
        fn: Callable,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        self.fn, self.kwargs = registry.get(fn), kwargs
        super().__init__(name or getattr(self.fn, "__name__", None) or snake_case(type(fn).__name__), reduction, dtype)
        self._twin: Loss | None = None  # the class that stands for the function, and knows more of it
        if self.fn in _class_of:
            cls = _class_of[self.fn]
            self._twin = cls(**{option: kwargs[option] for option in cls._options if option in kwargs})
            self.integer_labels = cls.integer_labels

    def call(self, y_true, y_pred):
        if self._twin is None and hasattr(y_true, "ndim") and hasattr(y_pred, "ndim"):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self.kwargs)

    def valid(self, values, y_true):
        return None if self._twin is None else self._twin.valid(values, y_true)

    def label_range(self, y_pred_shape):
        return None if self._twin is None else self._twin.label_range(y_pred_shape)

    def get_config(self):
        common = {"fn": self.fn, "reduction": self.reduction, "name": self.name, "dtype": self.dtype}
        return serialize(common | self.kwargs)

    def __repr__(self):
        return f"LossFunctionWrapper({self.name})"


_class_of: dict[Callable, type[Loss]] = {}


def same_rank(y_true: jax.Array, y_pred: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both with as many axes, where they differ by a last axis of size 1; (batch,) becomes (batch, 1)."""
    if y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        return (y_true[:, None], y_pred) if y_true.ndim == 1 else (y_true, y_pred[..., 0])
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        return (y_true, y_pred[:, None]) if y_pred.ndim == 1 else (y_true[..., 0], y_pred)
    return y_true, y_pred


def aligned(y_true: Any, y_pred: Any, classes: bool = False) -> tuple[jax.Array, jax.Array]:
    """Both as floats of the same shape, or a ShapeError that names both shapes.

    With `classes` the targets are one-hot, or probabilities, of the classes along the last axis.
    """
    y_pred = jnp.asarray(y_pred)
    if not jnp.issubdtype(y_pred.dtype, jnp.floating):
        y_pred = y_pred.astype(config.floatx())
    given, outputs = same_rank(jnp.asarray(y_true, y_pred.dtype), y_pred)
    if given.shape != outputs.shape:
        from keryx.core import ways_out

        raise ShapeError(
            f"The targets have shape {jnp.shape(y_true)}, the outputs {y_pred.shape}; this loss compares "
            "them number by number and wants the same shape."
            + ways_out.to_outputs(jnp.shape(y_true), y_pred.shape, classes)
        )
    return given, outputs


def reduce(values: jax.Array, sample_weight: Any = None, mask: Any = None, reduction: str | None = "mean") -> jax.Array:
    """Weighted and masked values as one number; `Loss` says what each reduction means.

    >>> float(reduce(jnp.array([1.0, 3.0, 8.0]), mask=jnp.array([True, True, False])))
    2.0
    """
    mean = reduction in ("sum_over_batch_size", "mean")
    weights = None
    if mask is not None:
        kept = _fitted("mask", mask, values).astype(bool).astype(values.dtype)
        # The mean below divides by the number of all values; this makes it that of the kept ones.
        weights = kept * _safe_ratio(kept.size, jnp.sum(kept)) if mean else kept
    if sample_weight is not None:
        given = _fitted("sample_weight", sample_weight, values).astype(values.dtype)
        weights = given if weights is None else given * weights
    if weights is not None:
        # A value of weight 0 counts for nothing, even where it is not finite.
        values = jnp.where(weights == 0, jnp.zeros_like(values), values * weights)
    if reduction in ("none", None):
        return values
    if mean or weights is None:
        return jnp.sum(values) if reduction == "sum" else jnp.mean(values)
    total = jnp.sum(values)
    return total if reduction == "sum" else _safe_ratio(total, jnp.sum(jnp.broadcast_to(weights, values.shape)))


def _safe_ratio(a: Any, b: jax.Array) -> jax.Array:
    return jnp.where(b == 0, 0, a / jnp.where(b == 0, 1, b))


def _fitted(name: str, weights: Any, values: jax.Array) -> jax.Array:
    weights = jnp.asarray(weights)
    if values.ndim == 0:
        return weights
    if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    fitted = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
    if fitted.ndim != values.ndim or any(w not in (1, v) for w, v in zip(fitted.shape, values.shape, strict=True)):
        raise ShapeError(
            f"The {name} has shape {weights.shape}, the values of the loss {values.shape}. Give one number a "
            f"sample, {values.shape[:1]}, or one a value."
        )
    return fitted


def _value_per_weight(y_true: Any, y_pred: Any, *weights: Any) -> tuple[Any, Any]:
    # Targets (batch, time) with outputs (batch, time, 1), or both (batch,), and a weight for each of the
    # targets: a last axis of 1 keeps the loss from taking the mean over the axis that the weights tell apart.
    if not (hasattr(y_true, "shape") and hasattr(y_pred, "shape")):
        return y_true, y_pred
    shape = y_true.shape
    if shape and any(w is not None and jnp.shape(w) == shape for w in weights):
        if y_pred.shape == (*shape, 1):
            return y_true[..., None], y_pred
        if y_pred.shape == shape and y_pred.ndim == 1:
            return y_true[:, None], y_pred[:, None]
    return y_true, y_pred
