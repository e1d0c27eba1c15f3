"""Graphs: the order of layers and weights, configs, clones, re-wiring; beside Keras."""

import json

import numpy as np
import pytest
from twin_models import trees_close, twins

import keryx
from keryx.errors import ConfigError, DataError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
L = keryx.layers


def branches(K):
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    shared = K.layers.Dense(3, name="shared")
    left = K.layers.Dense(2, name="left")(shared(a))
    right = K.layers.Dense(2, name="right")(K.layers.Dense(3, name="deep")(shared(b)))
    return K.Model([a, b], K.layers.Add(name="sum")([left, right]))


def backwards(K):
    """Layers made in another order than they are called in."""
    last, first = K.layers.Dense(1, name="last"), K.layers.Dense(5, name="first")
    x = K.Input((4,), name="x")
    hidden = first(x)
    side = K.layers.Dense(2, name="side")(x)
    joined = K.layers.Concatenate(name="joined")([side, K.layers.Dense(3, name="mid")(hidden)])
    return K.Model(x, [last(joined), side, hidden])


def diamond(K):
    x = K.Input((4,), name="x")
    stem = K.layers.Dense(3, name="stem")(x)
    long = K.layers.Dense(3, name="l2")(K.layers.Dense(3, name="l1")(stem))
    short = K.layers.BatchNormalization(name="norm")(stem)
    out = K.layers.Multiply(name="product")([short, long])
    return K.Model(inputs={"x": x}, outputs={"z": out, "a": K.layers.Dense(1, name="head")(long)})


def nested(K):
    i = K.Input((4,), name="i")
    inner = K.Model(i, K.layers.Dense(3, name="o1")(K.layers.Dense(4, name="o0")(i)), name="inner")
    x, y = K.Input((4,), name="x"), K.Input((4,), name="y")
    return K.Model((x, y), K.layers.Dense(1, name="top")(K.layers.Subtract(name="minus")([inner(x), inner(y)])))


def with_ops(K):
    x = K.Input((4,), name="x")
    hidden = K.layers.Dense(3, name="d")(x[:, 1:3] + 1)
    return K.Model(x, K.ops.concatenate([hidden, hidden * 2], axis=-1)[..., ::2] - 1.5)


def middle(K):
    x = K.Input((4,), name="x")
    hidden = K.layers.Dense(3, name="d0")(x)
    outer = K.Model(x, K.layers.Dense(2, name="d2")(K.layers.Dense(3, name="d1")(hidden)))
    return K.Model(outer.get_layer("d1").input, outer.output)


def sequential(K):
    return K.Sequential([K.Input((4,)), K.layers.Dense(3, name="p"), K.layers.Dense(2, name="q")], name="s")


GRAPHS = {f.__name__: f for f in (branches, backwards, diamond, nested, with_ops, middle, sequential)}
DATA = {
    "branches": [X, X + 1],
    "nested": (X, X + 1),
    "diamond": {"x": X},
    "middle": X[:, :3],
}


@pytest.fixture(params=GRAPHS)
def case(request):
    theirs, ours = twins(GRAPHS[request.param])
    return theirs, ours, DATA.get(request.param, X)


def test_the_same_weights_in_the_same_order_give_the_same_outputs(case):
    theirs, ours, x = case
    layers = [
        layer.name for layer in theirs.layers if "CLONE" not in layer.name and "src.layers" in type(layer).__module__
    ]
    assert [layer.name for layer in ours.layers if layer.name in layers] == layers
    assert ours.count_params() == theirs.count_params()
    assert [v.shape for v in ours.weights] == [tuple(v.shape) for v in theirs.weights]
    trees_close(ours.predict(x), theirs.predict(x, verbose=0))
    assert ours.output_names == [t._keras_history.operation.name for t in theirs.outputs]


def test_a_config_makes_the_same_model(case):
    theirs, ours, x = case
    config = ours.get_config()
    assert set(theirs.get_config()) <= set(config)
    for plain in (config, json.loads(json.dumps(config))):
        again = type(ours).from_config(plain)
        again.set_weights(ours.get_weights())
        trees_close(again.predict(x), ours.predict(x), 1e-6)
    again = keryx.models.model_from_json(ours.to_json(indent=1))
    assert (again.name, again.count_params()) == (ours.name, ours.count_params())


def test_keras_configs_are_read(case):
    theirs, ours, x = case
    again = keryx.models.model_from_json(theirs.to_json())
    again.set_weights(theirs.get_weights())
    trees_close(again.predict(x), ours.predict(x), 1e-6)


def test_clones_share_nothing(case):
    _, ours, x = case
    clone = keryx.models.clone_model(ours)
    assert not set(clone.weights) & set(ours.weights)
    assert [v.shape for v in clone.weights] == [v.shape for v in ours.weights]
    clone.set_weights(ours.get_weights())
    trees_close(clone.predict(x), ours.predict(x), 1e-6)


def test_clone_with_functions_of_ones_own():
    x = keryx.Input((4,))
    model = keryx.Model(x, L.Dense(2)(L.Lambda(lambda v: 2 * v)(L.Dense(3)(x))))

    def wider(layer):
        if isinstance(layer, L.Lambda):
            return layer
        return L.Dense(7) if getattr(layer, "units", 0) == 3 else type(layer).from_config(layer.get_config())

    wide = keryx.models.clone_model(model, clone_function=wider)
    assert wide.layers[1].units == 7
    called = []

    def call(layer, *args, **kwargs):
        called.append(layer.name)
        return layer(*args, **kwargs)

    new = keryx.Input((4,), name="mine")
    clone = keryx.models.clone_model(model, input_tensors=new, call_function=call)
    assert clone.input is new
    assert len(called) == 3
    inner = keryx.Sequential([keryx.Input((4,)), L.Dense(2)])
    outer = keryx.Model(x, inner(x))
    seen = []

    def note(layer):
        seen.append(type(layer).__name__)
        return type(layer).from_config(layer.get_config())

    keryx.models.clone_model(outer, clone_function=note, recursive=True)
    assert seen == ["Dense"]


def test_clone_of_a_subclass():
    class Mine(keryx.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units, self.dense = units, L.Dense(units)

        def call(self, x):
            return self.dense(x)

    model = Mine(3, name="m")
    model(X)
    assert model.get_config()["units"] == 3
    clone = keryx.models.clone_model(model)
    clone(X)
    assert (clone.units, clone.name, clone.count_params()) == (3, "m", 15)
    with pytest.raises(keryx.errors.ArgumentError, match="call of its own"):
        keryx.models.clone_model(model, clone_function=lambda layer: layer)


def test_json_that_is_none():
    for text in ("{", "[" * 100_000, None):
        with pytest.raises(ConfigError, match="to_json"):
            keryx.models.model_from_json(text)


def test_paths_into_nested_models_and_rewiring():
    x = keryx.Input((4,), name="x")
    i = keryx.Input((4,), name="i")
    inner = keryx.Model(i, L.Dense(3, name="o1")(L.Dense(4, name="o0")(i)), name="inner")
    outer = keryx.Model(x, L.Dense(1, name="top")(inner(x)))
    that = outer.get_layer("inner/o0")
    assert that is inner.get_layer("o0")
    view = keryx.Model(outer.input, [that.output, outer.output])
    first, last = view.predict(X)
    np.testing.assert_allclose(first, np.asarray(that(X)), 1e-6, 1e-6)
    np.testing.assert_allclose(last, outer.predict(X), 1e-6, 1e-6)
    assert that.output.node.operation is that
    with pytest.raises(ConfigError, match="Did you mean 'top'"):
        outer.get_layer("tap")
    inner(keryx.Input((4,), name="y"))
    assert keryx.Model(outer.input, that.output).count_params() == 20  # the call that x leads to


def test_an_input_that_is_missing_is_named():
    x, y = keryx.Input((4,), name="x"), keryx.Input((4,), name="y")
    with pytest.raises(DataError, match=r"needs .*y"):
        keryx.Model(x, L.Add()([x, y]))


def test_a_shared_layer_trains_both_ways():
    theirs, ours = twins(branches)
    for model in (theirs, ours):
        model.compile("sgd", "mse")
        model.fit([X, X + 1], X[:, :2], epochs=2, verbose=0, shuffle=False)
    trees_close(ours.get_weights(), [np.asarray(w) for w in theirs.get_weights()])


@pytest.mark.parametrize(
    "nest", [list, tuple, lambda pair: dict(zip("ab", pair, strict=True)), lambda pair: [pair[0], {"k": (pair[1],)}]]
)
def test_nests_of_inputs_and_outputs(nest):
    def build(K):
        a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
        one, two = K.layers.Dense(1, name="one")(a), K.layers.Dense(2, name="two")(b)
        return K.Model(nest([a, b]), nest([one, two]))

    theirs, ours = twins(build)
    data = nest([X, X + 1])
    trees_close(ours.predict(data), theirs.predict(data, verbose=0))
    trees_close(ours(data), theirs(data))
    lines = []
    ours.summary(print_fn=lines.append)
    assert "Total params" in "\n".join(lines)


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_layers_in_any_graph(seed):
    def build(K):
        draw = np.random.default_rng(seed)
        tensors = [K.Input((3,), name=f"in{i}") for i in range(2)]
        inputs, shared = list(tensors), []
        for i in range(9):
            kind = draw.integers(4)
            a, b = (tensors[j] for j in draw.integers(max(0, len(tensors) - 5), len(tensors), 2))
            if kind == 0 and a is not b:
                tensors.append(K.layers.Add(name=f"add{i}")([a, b]))
            elif kind == 1 and shared:
                tensors.append(shared[draw.integers(len(shared))](a))
            else:
                shared.append(K.layers.Dense(3, name=f"dense{i}"))
                tensors.append(shared[-1](a if kind else a * 2.0))
        ends = [tensors[-1], *(tensors[j] for j in draw.choice(np.arange(2, len(tensors) - 1), 2, replace=False))]
        joined = K.layers.Concatenate(name="end")([*inputs, ends[0]])
        return K.Model(inputs, [joined, *ends[1:]])

    theirs, ours = twins(build)
    named = [layer.name for layer in theirs.layers if layer.name.startswith(("in", "add", "dense", "end"))]
    ops = [name for name in named if name in ("add", "dense")]
    assert [layer.name for layer in ours.layers] == [name for name in named if name not in ops]
    trees_close(ours.predict([X[:, :3], X[:, 1:]]), theirs.predict([X[:, :3], X[:, 1:]], verbose=0), 1e-4)
    again = keryx.Model.from_config(json.loads(json.dumps(ours.get_config())))
    assert [layer.name for layer in again.layers] == [layer.name for layer in ours.layers]


def chain_config(length):
    """The config of activations one behind the other, the last one written first."""
    x = h = keryx.Input((1,), name="x")
    for i in range(length):
        h = L.Activation("relu", name=f"a{i}")(h)
    config = keryx.Model(x, h).get_config()
    config["layers"].reverse()
    return config


def test_a_deep_config_is_read_in_one_pass_whatever_its_order(monkeypatch):
    from keryx.models import config as room

    looks = []
    histories = room._histories
    monkeypatch.setattr(room, "_histories", lambda call: looks.append(1) or histories(call))
    again = keryx.Model.from_config(chain_config(150))
    assert len(again.layers) == 151
    assert len(looks) <= 150


def test_a_config_with_a_loop_or_a_missing_call_is_told_so():
    config = chain_config(3)
    by_name = {entry["name"]: entry for entry in config["layers"]}

    def feed_first_from(*history):
        by_name["a0"]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = list(history)
        return config

    with pytest.raises(ConfigError, match=r"has a loop: .*'a1' -> 'a"):
        keryx.Model.from_config(feed_first_from("a2", 0, 0))
    with pytest.raises(ConfigError, match="lacks an input: it speaks of call 1 of 'x'"):
        keryx.Model.from_config(feed_first_from("x", 1, 0))
