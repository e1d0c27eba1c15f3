"""Losses of embeddings and of sequences, whose targets are neither numbers nor classes of the outputs."""

import jax
import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.errors import ShapeError
from keryx.losses.base import Loss, registry


@registry.register()
@lift
def circle(
    y_true,
    y_pred,
    ref_labels=None,
    ref_embeddings=None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> jax.Array:
    """softplus(log sum exp(positive pairs) + log sum exp(negative pairs)) (arXiv:2002.10857).

    Args:
        y_true: Class numbers (batch,).
        y_pred: Embeddings of length 1 (batch, n).
        ref_labels, ref_embeddings: What to pair them with; default themselves.
        remove_diagonal: A sample is no pair of its own; default True.
        gamma: Sharpness; default 80.
        margin: Default 0.4.

    >>> circle([0, 1], jnp.eye(2)).tolist()
    [0.0, 0.0]
    """
    y_pred = jnp.asarray(y_pred)
    labels = jnp.ravel(jnp.asarray(y_true, jnp.int32))
    others = labels if ref_labels is None else jnp.ravel(jnp.asarray(ref_labels, jnp.int32))
    references = y_pred if ref_embeddings is None else jnp.asarray(ref_embeddings)
    if (len(labels), len(others)) != (len(y_pred), len(references)):
        raise ShapeError(
            f"circle wants a label for each embedding; got labels {jnp.shape(y_true)} for embeddings "
            f"{y_pred.shape}, and {others.shape} for the references {references.shape}."
        )
    distance = jnp.maximum(1 - y_pred @ references.T, 0)  # (batch, references)
    alike = labels[:, None] == others[None, :]
    positive = alike & ~jnp.eye(alike.shape[0], alike.shape[1], dtype=bool) if remove_diagonal else alike
    pull = gamma * jnp.maximum(distance + margin, 0) * (distance - margin)
    push = gamma * jnp.maximum(1 + margin - distance, 0) * (1 - margin - distance)
    return jax.nn.softplus(_log_sum(pull, positive) + _log_sum(push, ~alike))


def _log_sum(x: jax.Array, where: jax.Array) -> jax.Array:
    return jax.nn.logsumexp(jnp.where(where, x, -jnp.inf), axis=1)


@registry.register()
class Circle(Loss, function=circle):
    """The loss of `circle`; its mean is that of the values above 0."""

    integer_labels = True

    def __init__(
        self,
        gamma=80.0,
        margin=0.4,
        remove_diagonal=True,
        reduction="sum_over_batch_size",
        name="circle",
        dtype=None,
    ):
        super().__init__(name, reduction, dtype)
        self.gamma, self.margin, self.remove_diagonal = gamma, margin, remove_diagonal

    def valid(self, values, y_true):
        return values > 0


@registry.register()
@lift
def ctc(y_true, y_pred) -> jax.Array:
    """-log of the probability of the labels, summed over all alignments (Graves et al. 2006).

    Args:
        y_true: Class numbers (batch, length), padded with 0, which is the blank.
        y_pred: Logits (batch, time, classes).

    >>> ctc([[1]], [[[0.0, 0.0]]]).round(4).tolist()
    [0.693...]
    """
    import optax

    y_true, y_pred = jnp.asarray(y_true, jnp.int32), jnp.asarray(y_pred)
    if y_true.ndim != 2 or y_pred.ndim != 3:
        raise ShapeError(
            f"ctc wants labels (batch, length) and logits (batch, time, classes); got {y_true.shape} and "
            f"{y_pred.shape}."
        )
    padding = (y_true == 0).astype(y_pred.dtype)
    return optax.ctc_loss(y_pred, jnp.zeros(y_pred.shape[:2], y_pred.dtype), y_true, padding, blank_id=0)


@registry.register()
class CTC(Loss, function=ctc):
    """The loss of `ctc`."""

    integer_labels = True

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(name, reduction, dtype)
