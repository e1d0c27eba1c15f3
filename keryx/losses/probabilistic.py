"""Losses of probabilities: cross-entropies, divergence, counts.

Probabilities are kept between epsilon and 1 - epsilon (`config.epsilon()`, 1e-7). Logits need no such bound,
and are the more exact way.
"""

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.graph import lift
from keryx.errors import ConfigError
from keryx.losses import entropy
from keryx.losses.base import Loss, aligned, registry


@registry.register("bce", "BCE")
@lift
def binary_crossentropy(
    y_true, y_pred, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    """mean(-y_true log(y_pred) - (1 - y_true) log(1 - y_pred)) over `axis`.

    Args:
        y_true, y_pred: (batch, ..., n).
        from_logits: y_pred is taken before the sigmoid; default False.
        label_smoothing: Targets are moved this share of the way to 1/2; default 0.
        axis: Default -1.

    >>> binary_crossentropy([[1]], [[0.5]]).round(4).tolist()
    [0.693...]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    y_true = entropy.smoothed(y_true, label_smoothing, 2)
    return jnp.mean(entropy.binary(y_true, y_pred, from_logits), axis=axis)


@registry.register()
class BinaryCrossentropy(Loss, function=binary_crossentropy):
    """The loss of `binary_crossentropy`.

    >>> float(BinaryCrossentropy(from_logits=True)(jnp.array([[1.0]]), jnp.array([[100.0]])))
    0.0
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_crossentropy",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


@registry.register()
@lift
def categorical_crossentropy(
    y_true, y_pred, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> jax.Array:
    """-sum(y_true log(y_pred)) over `axis`; probabilities are first divided by their sum.

    Args:
        y_true: One-hot or soft targets (batch, ..., classes).
        y_pred: Probabilities of the same shape.
        from_logits: y_pred is taken before the softmax; default False.
        label_smoothing: Targets are moved this share of the way to 1/classes; default 0.
        axis: Of the classes; default -1.

    >>> categorical_crossentropy([[0, 1]], [[0.5, 0.5]]).round(4).tolist()
    [0.693...]
    """
    y_true, y_pred = entropy.class_targets(y_true, y_pred, label_smoothing, axis)
    logs = jax.nn.log_softmax(y_pred, axis) if from_logits else jnp.log(entropy.clip(entropy.normalized(y_pred, axis)))
    return -jnp.sum(y_true * logs, axis=axis)


@registry.register()
class CategoricalCrossentropy(Loss, function=categorical_crossentropy):
    """The loss of `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


@registry.register()
@lift
def sparse_categorical_crossentropy(
    y_true, y_pred, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> jax.Array:
    """-log(y_pred[y_true]) along `axis`; probabilities are first divided by their sum.

    Args:
        y_true: Class numbers (batch, ...) or (batch, ..., 1).
        y_pred: Probabilities (batch, ..., classes).
        from_logits: y_pred is taken before the softmax; default False.
        ignore_class: The label whose value is 0, and which the mean leaves out; default None.
        axis: Of the classes; default -1.

    A label outside the classes gives NaN: a compiled function cannot raise.

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4).tolist()
    [0.693...]
    """
    y_pred = jnp.asarray(y_pred)
    labels = entropy.class_numbers(y_true, y_pred.shape, axis)
    ignored = None if ignore_class is None else labels == ignore_class
    if ignored is not None:
        labels = jnp.where(ignored, 0, labels)
    picked = entropy.pick(y_pred, labels, axis)
    if from_logits:
        top = jax.lax.stop_gradient(jnp.max(y_pred, axis=axis, keepdims=True))
        normalizer = jnp.log(jnp.sum(jnp.exp(y_pred - top), axis=axis))
        values = normalizer - (picked - jnp.squeeze(top, axis))
    else:
        values = -jnp.log(entropy.clip(picked / jnp.sum(y_pred, axis=axis)))
    values = entropy.only_known(values, labels, y_pred.shape[axis])
    return values if ignored is None else jnp.where(ignored, jnp.zeros_like(values), values)


@registry.register()
class SparseCategoricalCrossentropy(Loss, function=sparse_categorical_crossentropy):
    """The loss of `sparse_categorical_crossentropy`.

    >>> loss = SparseCategoricalCrossentropy(ignore_class=-1)
    >>> float(loss(jnp.array([1, -1]), jnp.array([[0.0, 1.0], [0.5, 0.5]]))) < 1e-6
    True
    """

    integer_labels = True

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction="sum_over_batch_size",
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def valid(self, values, y_true):
        return None if self.ignore_class is None else (y_true != self.ignore_class).reshape(values.shape)

    def label_range(self, y_pred_shape):
        return None if self.ignore_class is not None else (0, y_pred_shape[self.axis])


@registry.register()
@lift
def categorical_generalized_cross_entropy(y_true, y_pred, q: float) -> jax.Array:
    """(1 - y_pred[y_true]^q) / q (arXiv:1805.07836).

    Between cross-entropy (q -> 0) and absolute error (q = 1). Labels (batch, ...), outputs with an axis more.

    >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5).tolist()
    [1.0]
    """
    y_pred = jnp.asarray(y_pred)
    labels = entropy.class_numbers(y_true, y_pred.shape, -1)
    values = (1 - entropy.pick(y_pred, labels, -1) ** q) / q
    return entropy.only_known(values, labels, y_pred.shape[-1])


@registry.register()
class CategoricalGeneralizedCrossEntropy(Loss, function=categorical_generalized_cross_entropy):
    """The loss of `categorical_generalized_cross_entropy`."""

    integer_labels = True

    def __init__(
        self, q=0.5, reduction="sum_over_batch_size", name="categorical_generalized_cross_entropy", dtype=None
    ):
        super().__init__(name, reduction, dtype)
        if not 0 < q < 1:
            raise ConfigError(f"q lies between 0 and 1; got {q}.")
        self.q = q

    def label_range(self, y_pred_shape):
        return 0, y_pred_shape[-1]


@registry.register("kld", "KLD", "kullback_leibler_divergence")
@lift
def kl_divergence(y_true, y_pred) -> jax.Array:
    """sum(y_true log(y_true / y_pred)) over the last axis, both kept between epsilon and 1.

    >>> kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).tolist()
    [0.0]
    """
    y_true, y_pred = (jnp.clip(y, config.epsilon(), 1) for y in aligned(y_true, y_pred))
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


@registry.register()
class KLDivergence(Loss, function=kl_divergence):
    """The loss of `kl_divergence`."""

    def __init__(self, reduction="sum_over_batch_size", name="kl_divergence", dtype=None):
        super().__init__(name, reduction, dtype)


@registry.register()
@lift
def poisson(y_true, y_pred) -> jax.Array:
    """mean(y_pred - y_true log(y_pred + epsilon)) over the last axis: counts y_true, expected counts y_pred.

    >>> poisson([[3]], [[1.0]]).round(4).tolist()
    [1.0]
    """
    y_true, y_pred = aligned(y_true, y_pred)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + config.epsilon()), axis=-1)


@registry.register()
class Poisson(Loss, function=poisson):
    """The loss of `poisson`."""

    def __init__(self, reduction="sum_over_batch_size", name="poisson", dtype=None):
        super().__init__(name, reduction, dtype)
