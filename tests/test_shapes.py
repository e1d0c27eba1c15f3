"""Shapes while sizes are unknown: what is known stays known, None stays None, and no error shows a number tried."""

import os
import re

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from specs import SPECS

import keryx
from keryx import ops
from keryx.core.graph import Graph
from keryx.errors import ShapeError

L = keryx.layers


def symbol(*shape, dtype=None):
    return keryx.Input(batch_shape=shape, dtype=dtype)


def function(call):
    return L.Lambda(call)


# A call of symbols, their shapes, the shape that comes out, and sizes for the unknown axes to run it at.
CALLS = {
    "a kernel larger than the first probe": (lambda x: L.Conv1D(8, 1024)(x), [(None, None, 3)], (None, None, 8), 1030),
    "a window larger than both": (lambda x: L.MaxPooling1D(2000)(x), [(None, None, 3)], (None, None, 3), 4000),
    "more cut than both have": (lambda x: L.Cropping1D((1000, 1000))(x), [(None, None, 3)], (None, None, 3), 2005),
    "a divisor of neither": (lambda x: L.Reshape((-1, 7))(x), [(None, None, 3)], (None, None, 7), 14),
    "a prime divisor": (lambda x: ops.reshape(x, (-1, 17)), [(None, None, 3)], (None, 17), 34),
    "the only size that fits": (lambda x: L.Reshape((4, 3))(x), [(None, None, 3)], (None, 4, 3), 4),
    "the only two sizes that fit": (lambda x: L.Reshape((4, 5))(x), [(None, None, None)], (None, 4, 5), (5, 4)),
    "the size beside it": (lambda x, y: x + y, [(None, None, 3), (None, 10, 3)], (None, 10, 3), 10),
    "sizes beside it, twice": (
        lambda x, y: x * y,
        [(None, None, 3, None), (None, 10, 3, 4)],
        (None, 10, 3, 4),
        (10, 4),
    ),
    "a batch beside it": (lambda x, y: x + y, [(None, 3), (7, 3)], (7, 3), ()),
    "no more than the batch": (
        lambda x, y: ops.concatenate([x, y], axis=1),
        [(None, None, 4), (7, 10, 4)],
        (7, None, 4),
        5,
    ),
    "an axis of 1 beside it": (lambda x, y: x * y, [(None, None, 3), (None, 1, 3)], (None, None, 3), 5),
    "joined along it": (lambda x, y: L.Concatenate(1)([x, y]), [(None, None, 3), (None, 10, 3)], (None, None, 3), 4),
    "joined beside it": (lambda x, y: L.Concatenate()([x, y]), [(None, None, 3), (None, 10, 4)], (None, 10, 7), 10),
    "split": (lambda x: ops.split(x, 3, axis=1)[2], [(None, None, 3)], (None, None, 3), 6),
    "split by a prime": (lambda x: ops.split(x, 11, axis=1)[2], [(None, None, 3)], (None, None, 3), 22),
    "an array of that size": (
        function(lambda x: x + np.arange(x.shape[1])[:, None]),
        [(None, None, 3)],
        (None, None, 3),
        5,
    ),
    "a loop over it": (function(lambda x: sum(x[:, i] for i in range(x.shape[1]))), [(None, None, 3)], (None, 3), 5),
    "a branch on it": (function(lambda x: x[:, :5] if x.shape[1] > 2000 else x), [(None, None, 3)], (None, None, 3), 4),
    "all but a few": (lambda x: x[:, 2:-3], [(None, None, 3)], (None, None, 3), 9),
    "folded into the batch": (lambda x: ops.reshape(x, (-1, 3)), [(None, None, 3)], (None, 3), 5),
    "products of unknown sizes": (lambda x: L.Flatten()(x), [(None, None, None, 3)], (None, None), (2, 5)),
    "transposed, beside itself": (
        lambda x: x + ops.transpose(x, (0, 2, 1)),
        [(None, None, None)],
        (None, None, None),
        (4, 4),
    ),
    "a mean over it": (lambda x: ops.mean(x, axis=1), [(None, None, 3)], (None, 3), 5),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_shape_is_found_and_is_the_real_one(name):
    call, given, wanted, sizes = CALLS[name]
    symbols = [symbol(*shape) for shape in given]
    out = call(*symbols)
    assert out.shape == wanted
    sizes = sizes if isinstance(sizes, tuple) else (sizes,)
    arrays = []
    for shape in given:
        batch = shape[0] or next((s[0] for s in given if s[0]), 2)
        left = iter(sizes)
        arrays.append(np.ones([batch, *(next(left) if n is None else n for n in shape[1:])], "float32"))
    real = Graph(symbols, out).run([jnp.asarray(x) for x in arrays])
    assert len(real.shape) == len(wanted)
    assert all(n in (None, m) for n, m in zip(wanted, real.shape, strict=True))


def inputs_of(spec):
    return spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]


def outputs(module, spec, given):
    symbols = [module.Input(batch_shape=shape, dtype=spec.input_dtype) for shape in given]
    arguments = symbols if spec.separate or not isinstance(spec.inputs, list) else [symbols]
    fixed = {name: value for name, value in spec.call.items() if not isinstance(value, np.ndarray)}
    results = getattr(module.layers, spec.layer)(**spec.init)(*arguments, **fixed)
    return [x.shape for x in jax.tree.leaves(results, is_leaf=lambda x: hasattr(x, "shape"))]


def variants(spec):
    """The shapes of the inputs with no axis, each, and all unknown: in the first input, the others, or all of them."""
    given = inputs_of(spec)
    rank = max(map(len, given))
    for axes in [(), *((axis,) for axis in range(1, rank)), tuple(range(1, rank))]:
        for which in {(0,), tuple(range(1, len(given))), tuple(range(len(given)))} - {()}:
            yield [
                tuple(None if i == 0 or (i in axes and j in which) else n for i, n in enumerate(shape))
                for j, shape in enumerate(given)
            ]


# Keras gives the scores of a MultiHeadAttention the wrong length where keys and queries differ, None for an axis
# of an EinsumDense that the input knows, and None for channels that Rescaling knows by its scales.
def told_right(spec):
    return spec.layer not in ("EinsumDense", "Rescaling") and "return_attention_scores" not in spec.call


@pytest.mark.parametrize("spec", [spec for spec in SPECS if told_right(spec)], ids=str)
def test_unknown_axes_come_out_as_in_keras(spec):
    compared = 0
    for given in variants(spec):
        try:
            theirs = outputs(keras, spec, given)
        except (ValueError, TypeError):  # an axis that the weights depend on, or that Dot sums over
            continue
        compared += 1
        # Where one input knows a size that another has to share, the outputs know it, which Keras's do not.
        beside = {n for shape in given for n in shape} if len(given) > 1 else {None}
        ours = outputs(keryx, spec, given)
        assert list(map(len, ours)) == list(map(len, theirs))
        pairs = [pair for a, b in zip(ours, theirs, strict=True) for pair in zip(a, b, strict=True)]
        assert all(n == m or (m is None and n in beside) for n, m in pairs), (given, ours, theirs)
    assert compared


NUMBERS_TRIED = re.compile(r"\b(9[0-9]{2}|[0-9]{4,})\b")
MISTAKES = {
    "two widths": (
        lambda: symbol(None, None, 3) + symbol(None, None, 4),
        TypeError,
        r"\(batch, None, 3\), .*None, 4\)",
    ),
    "a width of none": (lambda: L.Dense(3)(symbol(None, None)), ShapeError, "known last size"),
    "a width after Flatten": (lambda: L.Dense(3)(L.Flatten()(symbol(None, None, 3))), ShapeError, "known last size"),
    "not to be divided": (lambda: L.Reshape((7, 5))(symbol(None, 3)), ShapeError, r"\(7, 5\)"),
    "an array beside": (
        lambda: function(lambda x: x[:, : x.shape[1] // 3] + np.ones((x.shape[1], 5)))(symbol(None, None, 3)),
        ValueError,
        r"\(None, None // 3, 3\), \(None, 5\)",
    ),
    "a wish of one's own": (lambda: function(_never_content)(symbol(None, None, 3)), ValueError, r"at least 2 \* None"),
    "layers in the call": (
        lambda: function(lambda x: L.Conv1D(3, x.shape[1] + 5)(x))(symbol(None, None, 3)),
        ShapeError,
        "reaches over",
    ),
    "one form here, another there": (
        lambda: function(lambda x: (x, x) if len(range(x.shape[1])) > 960 else x)(symbol(None, None, 3)),
        ShapeError,
        "another nest",
    ),
    "one error here, another there": (lambda: function(_two_errors)(symbol(None, None, 3)), ValueError, "unknown more"),
}


def _never_content(x):
    raise ValueError(f"wants at least {2 * len(range(x.shape[1]))} steps, not {x.shape}")


def _two_errors(x):
    if len(range(x.shape[1])) < 1000:
        raise ValueError(f"needs {x.shape[1]} more")
    raise KeyError(f"has {x.shape[1]} too many")


@pytest.mark.parametrize("name", MISTAKES)
def test_no_error_shows_a_number_that_was_tried(name):
    act, kind, says = MISTAKES[name]
    with pytest.raises(kind, match=says) as error:
        act()
    told = [str(error.value), *(note for note in getattr(error.value, "__notes__", ()) if "JAX" not in note)]
    assert any("called on" in note for note in told)
    assert not any(NUMBERS_TRIED.search(text) for text in told), told


def test_an_error_that_is_not_about_sizes_is_raised_at_once():
    traces = []

    def call(x):
        traces.append(x.shape)
        raise KeyError("7 of them")

    with pytest.raises(KeyError, match="7 of them"):
        function(call)(symbol(None, None, 3))
    assert len(traces) == 3


def test_one_trace_is_enough_where_symbols_do():
    traces = []

    class Counted(L.Dense):
        def call(self, inputs):
            traces.append(tuple(map(str, inputs.shape)))
            return super().call(inputs)

    Counted(4)(symbol(None, None, 3))
    Counted(4)(symbol(None, 3))
    Counted(4)(symbol(2, 3))
    assert traces == [("batch", "None", "3"), ("batch", "3"), ("2", "3")]


def test_layers_inside_are_built_for_none():
    seen = []

    class Inner(keryx.Layer):
        def build(self, input_shape):
            seen.append(input_shape)
            self.w = self.add_weight((input_shape[-1],), name="w")

        def call(self, inputs):
            return inputs * self.w

    class Outer(keryx.Layer):
        def __init__(self, width, **kwargs):
            super().__init__(**kwargs)
            self.width, self.first, self.second = width, Inner(name="first"), Inner(name="second")

        def call(self, inputs):
            x = self.first(inputs)
            return self.second(x.reshape(x.shape[0], -1, self.width))

    outer = Outer(3, name="outer")
    assert outer(symbol(None, None, 3)).shape == (None, None, 3)
    assert seen == [(None, None, 3)] * 2
    seen.clear()
    outer = Outer(7, name="outer")  # 7 is no divisor, so that it takes numbers
    assert outer(symbol(None, None, 960)).shape == (None, None, 7)
    assert seen == [(None, None, 960), (None, None, 7)]
    assert [w.path for w in outer.weights] == ["outer/first/w", "outer/second/w"]
    assert all(w.numpy().shape == w.shape for w in outer.weights)


def test_branches_of_another_form_are_not_one_layer():
    seen = []

    class Inner(keryx.Layer):
        def build(self, input_shape):
            seen.append(input_shape)

        def call(self, inputs):
            return inputs

    class Outer(keryx.Layer):
        def __init__(self):
            super().__init__()
            self.short, self.long = Inner(), Inner()

        def call(self, inputs):
            return (self.long if len(range(inputs.shape[1])) > 1000 else self.short)(inputs)

    assert Outer()(symbol(None, None, 3)).shape == (None, None, 3)
    assert len(seen) == 2
