"""What a layer says of its outputs, and the masks that it sees, while a graph is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx.core import shapes
from keryx.core.graph import Graph
from keryx.errors import ShapeError

L = keryx.layers


def symbol(*shape, dtype=None):
    return keryx.Input(batch_shape=shape, dtype=dtype)


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
