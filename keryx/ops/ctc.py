"""Reading sequences off the outputs of a model that was trained by connectionist temporal classification."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.errors import ArgumentError

__all__ = ["ctc_decode"]


@lift
def ctc_decode(
    inputs,
    sequence_lengths,
    strategy="greedy",
    beam_width=100,
    top_paths=1,
    merge_repeated=True,
    mask_index=0,
):
    """The classes that logits spell, without blanks and repetitions.

    `greedy` takes the likeliest class of each step; `beam_search` adds up the probabilities of all alignments of a
    sequence, and follows the `beam_width` likeliest sequences.

    Args:
        inputs: Logits (batch, time, classes).
        sequence_lengths: How many steps of each sample count (batch,).
        strategy: `greedy` or `beam_search`.
        beam_width: How many sequences are followed.
        top_paths: How many sequences are returned, the likeliest first.
        merge_repeated: Whether `greedy` takes the same class at neighbouring steps for one.
        mask_index: The class that stands for nothing; None is the last.

    Returns:
        The classes, int32 with -1 behind the last, (1, batch, time) or (top_paths, batch, time); and, of `greedy`,
        minus the sum of the likeliest logits (batch, 1), of `beam_search` the logarithms of the probabilities
        (batch, top_paths), -inf where there are fewer sequences.

    Source: Graves et al., Connectionist Temporal Classification, 2006; Hannun et al.,
    https://arxiv.org/abs/1408.2873, for the beam search.

    >>> logits = jnp.array([[[0.0, 3.0, 0.0], [0.0, 3.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 5.0]]])
    >>> ctc_decode(logits, [4])[0].tolist()
    [[[1, 2, -1, -1]]]
    """
    x = jnp.asarray(inputs)
    x = x.astype(jnp.promote_types(x.dtype, "float32"))
    lengths = jnp.asarray(sequence_lengths)
    blank = x.shape[-1] - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        return _greedy(x, lengths, merge_repeated, blank)
    if strategy != "beam_search":
        raise ArgumentError(f"ctc_decode() has the strategies 'greedy' and 'beam_search'; got {strategy!r}.")
    if top_paths > beam_width:
        raise ArgumentError(f"ctc_decode() cannot return {top_paths} paths of a beam of {beam_width}.")
    search = jax.vmap(lambda x, length: _beam_search(x, length, beam_width, top_paths, blank))
    paths, scores = search(jax.nn.log_softmax(x), lengths)
    return jnp.swapaxes(paths, 0, 1), scores


def _greedy(x: jax.Array, lengths: jax.Array, merge_repeated: bool, blank: int) -> tuple[jax.Array, jax.Array]:
    steps = jnp.arange(x.shape[1])
    counts = steps < lengths[:, None]
    classes = jnp.where(counts, jnp.argmax(x, -1).astype("int32"), blank)  # (batch, time)
    dropped = classes == blank
    if merge_repeated:
        dropped = dropped.at[:, 1:].set(dropped[:, 1:] | (classes[:, 1:] == classes[:, :-1]))
    order = jnp.argsort(dropped, axis=-1, stable=True)
    classes = jnp.take_along_axis(jnp.where(dropped, -1, classes), order, axis=-1)
    return classes[None], -jnp.where(counts, x.max(-1), 0).sum(-1, keepdims=True)


_DEAD = -2  # neither longer nor shorter by one than any sequence


class _Beam(NamedTuple):
    """The sequences that are followed.

    Args:
        paths: Their classes (width, time), -1 behind the last.
        sizes: How many classes they have (width,); _DEAD where no alignment leads to the sequence.
        blank: The log probabilities of their alignments that end in a blank (width,).
        label: Those of the alignments that end in their last class.
    """

    paths: jax.Array
    sizes: jax.Array
    blank: jax.Array
    label: jax.Array


def _beam_search(x: jax.Array, length: jax.Array, width: int, count: int, blank: int) -> tuple[jax.Array, jax.Array]:
    """The `count` likeliest sequences of log probabilities x (time, classes), and the logarithms of theirs."""
    time, classes = x.shape
    none, dead = jnp.full((width,), -jnp.inf, x.dtype), jnp.full((width,), _DEAD)
    start = _Beam(jnp.full((width, time), -1), dead.at[0].set(0), none.at[0].set(0), none)

    def step(beam: _Beam, at):
        t, scores = at
        last = jnp.take_along_axis(beam.paths, jnp.maximum(beam.sizes - 1, 0)[:, None], 1)[:, 0]
        whole = jnp.logaddexp(beam.blank, beam.label)
        # Longer by one class: a repetition of the last needs a blank between.
        longer = jnp.where(jnp.arange(classes) == last[:, None], beam.blank[:, None], whole[:, None]) + scores
        longer = longer.at[:, blank].set(-jnp.inf)  # (width, classes)
        # As before: with a blank, or with the last class again.
        stays = _Beam(beam.paths, beam.sizes, whole + scores[blank], beam.label + scores[last])
        # What becomes as long as another sequence of the beam, and equal to it, is counted there.
        tails = jnp.arange(time) == (beam.sizes - 1)[:, None]
        shorter = jnp.where(tails, -1, beam.paths)
        is_parent = (shorter[:, None] == beam.paths).all(-1)  # (child, parent)
        is_parent &= beam.sizes[:, None] == beam.sizes + 1
        parent, has_parent = is_parent.argmax(1), is_parent.any(1)
        gained = jnp.where(has_parent, longer[parent, last], -jnp.inf)
        stays = stays._replace(label=jnp.logaddexp(stays.label, gained))
        taken = jnp.zeros(longer.shape, bool).at[parent, last].max(has_parent)
        longer = jnp.where(taken, -jnp.inf, longer)

        totals = jnp.concatenate([jnp.logaddexp(stays.blank, stays.label), longer.ravel()])
        total, best = jax.lax.top_k(totals, width)
        grown = best >= width
        parent = jnp.where(grown, (best - width) // classes, best)
        label = (best - width) % classes
        sizes = beam.sizes[parent]
        ends = (jnp.arange(time) == sizes[:, None]) & grown[:, None]
        new = _Beam(
            jnp.where(ends, label[:, None], beam.paths[parent]),
            jnp.where(total > -jnp.inf, sizes + grown, _DEAD),
            jnp.where(grown, -jnp.inf, stays.blank[parent]),
            jnp.where(grown, longer.ravel()[jnp.maximum(best - width, 0)], stays.label[parent]),
        )
        return jax.tree.map(lambda a, b: jnp.where(t < length, a, b), new, beam), None

    beam, _ = jax.lax.scan(step, start, (jnp.arange(time), x))
    scores, best = jax.lax.top_k(jnp.logaddexp(beam.blank, beam.label), count)
    return jnp.where((scores > -jnp.inf)[:, None], beam.paths[best], -1), scores
