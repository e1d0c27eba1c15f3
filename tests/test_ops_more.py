"""ops.rearrange, ops.ctc_decode and the namespaces within ops, beyond the table of ops."""

import itertools
import types

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import ops
from keryx.errors import ArgumentError, ShapeError

X = np.arange(2 * 6 * 4 * 3, dtype="float32").reshape(2, 6, 4, 3)


@pytest.mark.parametrize("namespace", ["nn", "numpy", "linalg"])
def test_the_namespaces_hold_the_same_functions(namespace):
    theirs, ours = getattr(keras.ops, namespace), getattr(ops, namespace)
    names = [name for name, value in vars(theirs).items() if isinstance(value, types.FunctionType)]
    assert len(names) > 10
    for name in names:
        assert getattr(ours, name) is getattr(ops, name), name


# -- rearrange -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "sizes", "wanted"),
    [
        ("b ... c -> c b ...", {}, X.transpose(3, 0, 1, 2)),
        ("... (w w1) c -> ... w (w1 c)", {"w1": 2}, X.reshape(2, 6, 2, 6)),
        ("b h w c -> (b h w c)", {}, X.ravel()),
        ("b h w c -> b () (h w) 1 c", {}, X.reshape(2, 1, 24, 1, 3)),
        ("b ... -> b (...)", {}, X.reshape(2, -1)),
        ("(b 1) h w c -> b h w c", {"b": 2}, X),
        ("a (b_2 r) w c->a b_2 (w r) c", {"r": 3}, X.reshape(2, 2, 3, 4, 3).swapaxes(2, 3).reshape(2, 2, 12, 3)),
    ],
)  # fmt: skip
def test_rearrange(pattern, sizes, wanted):
    np.testing.assert_array_equal(ops.rearrange(X, pattern, **sizes), wanted)


def test_rearrange_in_a_graph_keeps_unknown_sizes():
    x = keryx.Input((None, 8))
    y = ops.rearrange(x, "b t (h d) -> (b h) t d", h=2)
    assert y.shape == (None, None, 4)
    model = keryx.Model(x, y)
    data = np.arange(2 * 3 * 8, dtype="float32").reshape(2, 3, 8)
    np.testing.assert_array_equal(model(data), data.reshape(2, 3, 2, 4).swapaxes(1, 2).reshape(4, 3, 4))


@pytest.mark.parametrize(
    ("pattern", "sizes", "words"),
    [
        ("b h w c", {}, "wants a pattern such as 'b h w c -> b c h w'"),
        ("b (h w c -> b h w c", {}, "lacks a closing parenthesis"),
        ("b ((h) w) c -> b h w c", {}, "do not match, or stand in each other"),
        ("b h w) c -> b h w c", {}, "do not match, or stand in each other"),
        ("b h w 2 -> b h w", {}, "has '2', which names no axis"),
        ("b h h c -> b h c", {}, "has 'h' twice on one side"),
        ("b h w c -> b h w", {}, "has 'c' on the left and not on the right"),
        ("b h w c -> b h w c d", {}, "has 'd' on the right and not on the left"),
        ("b (...) c -> b ... c", {}, "has '...' in parentheses on the left"),
        ("b h w c -> c h w b", {"d": 2}, "told the size of 'd', which is not in"),
        ("b (h1 h2) w c -> b h1 h2 w c", {}, "Of the axes (h1 h2)"),
    ],
)
def test_patterns_that_cannot_be_read(pattern, sizes, words):
    with pytest.raises(ArgumentError) as caught:
        ops.rearrange(X, pattern, **sizes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "sizes", "words"),
    [
        ("b h w -> h b w", {}, "is for 3 axes; got (2, 6, 4, 3)"),
        ("a b c d e ... -> a ... b c d e", {}, "is for at least 5 axes; got (2, 6, 4, 3)"),
        ("b (h1 h2) w c -> b h1 h2 w c", {"h1": 4}, "size 6 is not a multiple of 4, as (h1 h2) of"),
        ("b h w c -> b c h w", {"h": 5}, "size 6 is not 5, as (h) of"),
        ("1 h w c -> h w c", {}, "size 2 is not 1, as () of"),
    ],
)
def test_tensors_that_a_pattern_does_not_fit(pattern, sizes, words):
    with pytest.raises(ShapeError) as caught:
        ops.rearrange(X, pattern, **sizes)
    assert words in str(caught.value)


# -- ctc_decode ------------------------------------------------------------------------------------------------------


def all_sequences(logits, blank):
    """The log probability of every sequence that logits (time, classes) may spell: the sum over all alignments."""
    found: dict[tuple, float] = {}
    p = np.asarray(jax.nn.log_softmax(logits), "float64")
    for alignment in itertools.product(range(p.shape[1]), repeat=p.shape[0]):
        spelled = tuple(c for c, _ in itertools.groupby(alignment) if c != blank)
        found[spelled] = np.logaddexp(found.get(spelled, -np.inf), p[range(len(alignment)), alignment].sum())
    return sorted(found.items(), key=lambda one: -one[1])


def test_a_wide_beam_finds_the_likeliest_sequences():
    logits = np.random.default_rng(4).normal(size=(5, 3)).astype("float32")
    wanted = all_sequences(logits, blank=1)
    paths, scores = ops.ctc_decode(logits[None], [5], "beam_search", 60, len(wanted) + 2, mask_index=1)
    assert paths.shape == (len(wanted) + 2, 1, 5)
    for path, score, (sequence, probability) in zip(paths[:, 0], scores[0], wanted, strict=False):
        assert tuple(c for c in path.tolist() if c >= 0) == sequence
        np.testing.assert_allclose(score, probability, rtol=1e-5)
    assert not np.isfinite(scores[0, -2:]).any()  # there are no more
    assert (paths[-2:] == -1).all()
    steps = ops.ctc_decode(logits[None], [2], "beam_search", 60, 1, mask_index=1)
    np.testing.assert_allclose(steps[1][0, 0], all_sequences(logits[:2], 1)[0][1], rtol=1e-5)


def test_no_steps_spell_nothing():
    """Keras 3.15 looks at the first step all the same."""
    paths, scores = ops.ctc_decode(jnp.ones((1, 3, 2)), [0], strategy="beam_search")
    assert paths.tolist() == [[[-1, -1, -1]]]
    assert scores.tolist() == [[0]]


def test_wrong_arguments_of_ctc_decode():
    with pytest.raises(ArgumentError, match=r"'greedy' and 'beam_search'; got 'best'"):
        ops.ctc_decode(X[0], [1], strategy="best")
    with pytest.raises(ArgumentError, match="cannot return 3 paths of a beam of 2"):
        ops.ctc_decode(X[0], [1], strategy="beam_search", beam_width=2, top_paths=3)
