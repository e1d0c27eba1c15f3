"""The table of a model: layers, shapes, wires and sizes, in the width that was asked for."""

import keras
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ConfigError


def text(model, **arguments):
    said = []
    model.summary(print_fn=said.append, **arguments)
    (table,) = said
    return table


def rows(table):
    """The cells of each row below the header; a row that takes several lines is put together again."""
    found = []
    for line in table.split("\n"):
        if line.startswith(("┡", "├")):
            found.append(None)
        elif line.startswith("│"):
            cells = [cell.strip() for cell in line.strip("│").split("│")]
            found[-1] = (
                cells if found[-1] is None else [f"{a} {b}".strip() for a, b in zip(found[-1], cells, strict=True)]
            )
    return found


@pytest.fixture
def branched():
    keryx.utils.clear_session(free_memory=False)
    x = keryx.Input((4,), name="x")
    shared = layers.Dense(3, name="shared")
    a, b = shared(x), shared(x * 2)
    return keryx.Model(x, [layers.Dense(2, name="head")(a + b), a], name="branched")


def sequential(**arguments):
    stack = [keryx.Input((4,)), layers.Dense(3, name="one"), layers.Dense(2, name="two")]
    return keryx.Sequential(stack, name="stack", **arguments)


def test_layers_one_after_another():
    table = text(sequential())
    assert table.startswith('Model: "stack"\n')
    assert "Connected to" not in table
    assert rows(table) == [["one (Dense)", "(None, 3)", "15"], ["two (Dense)", "(None, 2)", "8"]]
    assert table.endswith(
        " Total params: 23 (92.00 B)\n Trainable params: 23 (92.00 B)\n Non-trainable params: 0 (0.00 B)"
    )


def test_branches_say_what_they_are_connected_to(branched):
    found = {row[0].split(" ")[0]: row[1:] for row in rows(text(branched, line_length=120))}
    assert found["x"] == ["(None, 4)", "0", "-"]
    assert found["shared"] == ["(None, 3)", "15", "x[0][0], multiply[0][0]"]
    assert found["head"] == ["(None, 2)", "8", "add[0][0]"]
    (add,) = [row for name, row in found.items() if name.startswith("add")]
    assert add == ["(None, 3)", "0", "shared[0][0], shared[1][0]"]


@pytest.mark.parametrize("width", [48, 80, 120, 200])
def test_line_length_is_honoured(branched, width):
    table = text(branched, line_length=width)
    lines = [line for line in table.split("\n") if line.startswith(("┏", "┃", "│", "├", "└"))]
    assert {len(line) for line in lines} == {width}
    if width == 48:
        assert "multiply[0][0]" not in table  # cut nowhere, but folded
    assert "…" not in table


def test_positions():
    (rule,) = [
        line for line in text(sequential(), line_length=100, positions=[0.5, 0.8, 1.0]).split("\n") if "┳" in line
    ]
    assert [i for i, c in enumerate(rule) if c == "┳"] == pytest.approx([50, 80], abs=2)
    (rule,) = [line for line in text(sequential(), line_length=100, positions=[30, 60, 100]).split("\n") if "┳" in line]
    assert [i for i, c in enumerate(rule) if c == "┳"] == pytest.approx([30, 60], abs=2)
    with pytest.raises(ConfigError, match="positions wants one number for each of 'Layer"):
        text(sequential(), positions=[0.5, 1.0])


def test_nested_models_unfold():
    x = keryx.Input((4,))
    model = keryx.Model(x, sequential()(x))
    assert [row[0] for row in rows(text(model))][1:] == ["stack (Sequential)"]
    unfolded = rows(text(model, expand_nested=True))
    assert [row[0] for row in unfolded][1:] == ["stack (Sequential)", "└ one (Dense)", "└ two (Dense)"]
    assert [row[2] for row in unfolded][1:] == ["23", "15", "8"]


@pytest.mark.parametrize(
    ("kept", "listed"), [(3, []), ({"one": 1}, []), ([layers.Dense(2, name="in")], ["└ in (Dense)"])]
)
def test_a_layer_may_mean_something_else_by_layers(kept, listed):
    class Stack(layers.Layer):
        def __init__(self, layers, **kwargs):
            super().__init__(**kwargs)
            self.layers = layers

        def call(self, x):
            return x

    x = keryx.Input((4,))
    unfolded = rows(text(keryx.Model(x, Stack(kept, name="stack")(x)), expand_nested=True))
    assert [row[0] for row in unfolded][1:] == ["stack (Stack)", *listed]


def test_trainable_column():
    model = sequential()
    model.get_layer("one").trainable = False
    table = text(model, show_trainable=True)
    assert "Trainable" in table
    assert [row[-1] for row in rows(table)] == ["N", "Y"]
    assert " Trainable params: 8 (32.00 B)\n Non-trainable params: 15 (60.00 B)" in table


def test_layer_range():
    model = sequential()
    assert [row[0] for row in rows(text(model, layer_range=["two", "two"]))] == ["two (Dense)"]
    assert len(rows(text(model, layer_range=["one", "two"]))) == 2
    with pytest.raises(ConfigError, match="layer_range names 'three'; the model has 'one', 'two'"):
        text(model, layer_range=["one", "three"])
    with pytest.raises(ConfigError, match="the names of the first and the last layer; got"):
        text(model, layer_range=["one"])


class Inner(keryx.Model):
    def __init__(self):
        super().__init__(name="inner")
        self.deep = layers.Dense(7, name="deep")

    def call(self, inputs):
        return self.deep(inputs)


class Net(keryx.Model):
    """A layer, a Sequential that is called twice, and a model within."""

    def __init__(self):
        super().__init__(name="net")
        self.one = layers.Dense(3, name="one")
        self.stack = keryx.Sequential([layers.Dense(2, name="two")], name="stack")
        self.inner = Inner()

    def call(self, inputs):
        h = self.one(inputs)
        return self.stack(h) + self.stack(h * 2), self.inner(h)


SHAPES = ["(None, 3)", "(None, 2)", "(None, 2)", "(None, 7)", "(None, 7)"]


def built_by_hand():
    model = Net()
    model.build((None, 4))
    return model


def called():
    model = Net()
    model(np.zeros((5, 4), "float32"))
    return model


def trained():
    model = Net()
    model.compile("sgd", ["mse", "mse"])
    model.fit(np.zeros((40, 4)), [np.zeros((40, 2)), np.zeros((40, 7))], verbose=0)
    return model


@pytest.mark.parametrize("make", [built_by_hand, called, trained])
def test_subclassed_models_show_the_shapes_of_what_they_call(make):
    model = make()
    found = rows(text(model, expand_nested=True, show_flops=True))
    assert [row[0] for row in found] == [
        "one (Dense)",
        "stack (Sequential)",
        "└ two (Dense)",
        "inner (Inner)",
        "└ deep (Dense)",
    ]
    assert [row[1] for row in found] == SHAPES
    assert [row[3] for row in found] == ["27", "28", "28", "49", "49"]
    assert [row[1] for row in rows(text(model, expand_nested=True))] == SHAPES  # as before: to look changes nothing


def test_subclassed_models_within_a_graph():
    x = keryx.Input((4,))
    model = keryx.Model(x, Net()(x))
    model(np.zeros((5, 4), "float32"))
    found = rows(text(model, expand_nested=True, show_flops=True))
    assert [row[1] for row in found] == ["(None, 4)", "(None, 2), (None, 7)", *SHAPES]
    assert [row[3] for row in found] == ["0", "104", "27", "28", "28", "49", "49"]


def test_before_it_is_built_nothing_is_known():
    found = rows(text(Net(), show_flops=True))
    assert [row[1:] for row in found] == [["not built yet", "-", "-"]] * 3


def test_integers_and_open_sizes():
    class Reader(keryx.Model):
        def __init__(self):
            super().__init__(name="reader")
            self.words, self.lstm = layers.Embedding(10, 3, name="words"), layers.LSTM(4, name="lstm")

        def call(self, inputs):
            return self.lstm(self.words(inputs))

    model = Reader()
    model.build((None, None))
    assert [row[1:] for row in rows(text(model, show_flops=True))] == [
        ["(None, None, 3)", "30", "-"],
        ["(None, 4)", "128", "-"],
    ]
    model = Reader()
    model(np.zeros((2, 5), "int32"))
    words, lstm = rows(text(model, show_flops=True))
    assert words[1:] == ["(None, 5, 3)", "30", "0"]
    assert int(lstm[3].replace(",", "")) >= 5 * 2 * (3 + 4) * 4 * 4


def test_flops(branched):
    table = text(branched, show_flops=True)
    found = {row[0].split(" ")[0]: row[-1] for row in rows(table)}
    assert found["shared"] == str(2 * (2 * 4 * 3 + 3))
    assert found["head"] == str(2 * 3 * 2 + 2)
    assert found["x"] == "0"
    assert sum(cost == "4" for name, cost in found.items() if name.startswith("mul")) == 1
    assert table.endswith(" FLOPs of one row, forward: 75")
    assert "FLOPs" not in text(branched)


def test_a_model_without_weights():
    x = keryx.Input((4,))
    table = text(keryx.Model(x, layers.Flatten()(x)), show_flops=True)
    assert rows(table)[1][1:] == ["(None, 4)", "0", "0"]
    assert " Total params: 0 (0.00 B)" in table
    assert table.endswith(" FLOPs of one row, forward: 0")


def test_large_sizes_and_brackets_in_names():
    x = keryx.Input((1000,))
    table = text(keryx.Model(x, layers.Dense(1000, name="a[bold]")(x)))
    assert "a[bold] (Dense)" in table
    assert "1,001,000 (3.82 MB)" in table


def test_it_prints(capsys):
    sequential().summary()
    assert 'Model: "stack"' in capsys.readouterr().out


def test_sizes_are_those_of_keras():
    stack = [keras.Input((4,)), keras.layers.Dense(3, name="one"), keras.layers.Dense(2, name="two")]
    said = []
    keras.Sequential(stack, name="stack").summary(print_fn=said.append)
    assert rows(said[0]) == rows(text(sequential()))
    assert said[0].split("params:")[1:] == (text(sequential()) + "\n").split("params:")[1:]
