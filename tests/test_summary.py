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


def test_subclassed_models_never_show_a_question_mark():
    class Net(keryx.Model):
        def __init__(self):
            super().__init__(name="net")
            self.inner = layers.Dense(3, name="inner")

        def call(self, inputs):
            return self.inner(inputs)

    model = Net()
    assert rows(text(model)) == [["inner (Dense)", "not built yet", "-"]]
    model(np.zeros((2, 4), "float32"))
    ((name, shape, size),) = rows(text(model))
    assert (name, size) == ("inner (Dense)", "15")
    assert shape in ("", "(2, 3)")
    model.inner._seen_shapes = [(None, 3)]
    assert rows(text(model))[0][1] == "(None, 3)"


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
