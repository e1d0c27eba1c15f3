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
from keryx.core import shapes
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


# Keras gives the scores of a MultiHeadAttention the wrong length where keys and queries differ, and None for an axis
# of an EinsumDense that the input knows.
def told_right(spec):
    return spec.layer != "EinsumDense" and "return_attention_scores" not in spec.call


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


class Told(keryx.Layer):
    """A layer that says what its outputs are."""

    def __init__(self, told, **kwargs):
        super().__init__(**kwargs)
        self.told, self.asked = told, []

    def call(self, inputs):
        return jax.tree.map(lambda x: 2 * x, inputs)

    def compute_output_shape(self, input_shape):
        self.asked.append(input_shape)
        return self.told(input_shape)


def test_what_a_layer_says_of_its_shapes_is_believed():
    one = Told(lambda shape: (shape[0], 5, shape[2]))
    assert one(symbol(None, None, 3)).shape == (None, 5, 3)
    assert one.asked == [(None, None, 3)]
    as_list = Told(list)
    assert as_list(symbol(None, 4, dtype="int32")).shape == (None, 4)
    assert as_list.nodes[0].outputs.dtype == "int32"  # as the trace found
    several = Told(lambda shapes: [(None, 1), {"a": shapes[1]}])
    x, y = symbol(None, 2), symbol(None, 3)
    first, rest = several([x, y])
    assert (first.shape, rest["a"].shape, several.asked) == ((None, 1), (None, 3), [[(None, 2), (None, 3)]])
    assert Graph([x, y], rest["a"]).run([jnp.ones((1, 2)), jnp.ones((1, 3))]).tolist() == [[2.0] * 3]
    assert one.compute_output_shape((2, 9, 3)) == (2, 5, 3)


def test_arguments_are_told_apart_by_their_names():
    class Pair(keryx.Layer):
        def call(self, query, value):
            return query @ value

        def compute_output_shape(self, query_shape, value_shape):
            return (*query_shape[:-1], value_shape[-1])

    assert Pair()(symbol(None, 2, 3), value=symbol(None, 3, 4)).shape == (None, 2, 4)


def test_what_a_layer_says_of_its_outputs_is_believed():
    class Half(keryx.Layer):
        def call(self, inputs):
            return inputs.astype("float16")

        def compute_output_spec(self, inputs):
            return keryx.KerasTensor(inputs.shape, dtype="float16", name="half")

    class Same(Half):
        def compute_output_spec(self, inputs):
            return super().compute_output_spec(inputs)

    class Base(keryx.Layer):
        def call(self, inputs):
            return inputs[:, 1:]

        def compute_output_shape(self, input_shape):
            return super().compute_output_shape(input_shape)

        def compute_output_spec(self, inputs):
            return super().compute_output_spec(inputs)

    x = symbol(None, None, 3)
    for layer, dtype in ((Half(), "float16"), (Same(), "float16"), (Base(), "float32")):
        out = layer(x)
        assert (out.shape, out.dtype) == ((None, None, 3), dtype)
        assert out.node is layer.nodes[0]
        assert keryx.Model(x, out)(np.ones((2, 4, 3), "float32")).dtype == dtype
    assert Base().compute_output_shape((None, 4, 3)) == (None, 3, 3)
    assert Base().compute_output_spec(symbol(None, 4, 3)).shape == (None, 3, 3)


def test_a_call_that_no_size_serves_is_left_to_what_the_layer_says():
    class Square(keryx.Layer):
        def call(self, inputs):
            size = {11: 4, 13: 5}[len(range(inputs.shape[1]))]
            return inputs[:, :size]

        def compute_output_shape(self, input_shape):
            return (input_shape[0], None)

    assert Square()(symbol(None, None)).shape == (None, None)
    with pytest.raises(KeyError):  # here all is known that matters
        Square()(symbol(None, 12))


def test_a_layer_that_says_too_little():
    with pytest.raises(ShapeError, match="says that it has 1 outputs; its call returns 2"):
        Told(lambda shapes: shapes[0])([symbol(None, 2), symbol(None, 3)])


class SeesMask(keryx.Layer):
    """A layer that is another one where there is a mask."""

    supports_masking = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen, self.plain, self.masked = [], L.Dense(2, name="plain"), L.Dense(3, name="masked")

    def call(self, inputs, mask=None):
        self.seen.append(None if mask is None else (mask.dtype.name, shapes.known(mask.shape)))
        return self.plain(inputs) if mask is None else self.masked(inputs)


def test_a_mask_is_seen_while_the_graph_is_made():
    ids = keryx.Input((None,), dtype="int32")
    masked, plain = (L.Embedding(9, 4, mask_zero=zero)(ids) for zero in (True, False))
    first, last = SeesMask(), SeesMask()
    hidden = first(masked)
    out = last(L.Activation("relu")(L.Dropout(0.1)(hidden)))
    assert (first.seen, last.seen) == ([("bool", (None, None))], [("bool", (None, None))])
    assert out.shape == (None, None, 3)
    model = keryx.Model(ids, out)
    assert {w.name for w in model.weights} == {"embeddings", "kernel", "bias"}
    assert not any("plain" in w.path for w in model.weights)
    assert model.predict(np.array([[1, 2, 0]]), verbose=0).shape == (1, 3, 3)
    other = SeesMask()
    assert other(plain).shape == (None, None, 2)
    assert other.seen == [None]
    ended = SeesMask()
    ended(L.GlobalAveragePooling1D()(masked)[:, None])
    assert ended.seen == [None]
    inside = SeesMask()
    x = keryx.Input((None, 4))
    keryx.Model(x, inside(L.Masking()(x)))
    assert inside.seen == [("bool", (None, None))]


def test_a_mask_passes_a_nested_model():
    x = keryx.Input((5, 4))
    inner = keryx.Model(x, L.Activation("relu")(L.Dropout(0.1)(x)))
    last = SeesMask()
    y = keryx.Input((5, 4))
    last(inner(L.Masking()(y)))
    assert last.seen == [("bool", (None, 5))]


def test_a_mask_of_ones_own():
    class Every(keryx.Layer):
        def call(self, inputs):
            return inputs[:, ::2]

        def compute_mask(self, inputs, mask=None):
            return None if mask is None else mask[:, ::2]

    x = keryx.Input((6, 4))
    last = SeesMask()
    out = last(Every()(L.Masking()(x)))
    assert last.seen == [("bool", (None, 3))]
    data = np.ones((1, 6, 4), "float32")
    data[:, 2:] = 0
    model = keryx.Model(x, [out, L.LSTM(2, return_sequences=True)(Every()(L.Masking()(x)))])
    values = model.predict(data, verbose=0)[1]
    np.testing.assert_array_equal(values[0, 1], values[0, 0])  # masked steps repeat the last valid one
    assert Every().supports_masking
