"""Everything that training changes has a name: unique from the root, the same for every model of the same structure."""

import copy
import pickle

import jax
import keras
import numpy as np
import optax
import pytest

import keryx
from keryx import layers
from keryx.callbacks import CallbackList, CSVLogger, EarlyStopping, History, ReduceLROnPlateau
from keryx.errors import ConfigError, StateError

X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def nested(module=keryx):
    """Two models that both own a layer called d."""
    inner = [module.Model(x := module.Input((4,)), module.layers.Dense(4, name="d")(x), name=name) for name in "ab"]
    x = module.Input((4,))
    return module.Model(x, module.layers.Dense(1)(inner[1](inner[0](x))))


def test_paths_are_unique_from_the_root():
    model = nested()
    paths = list(model.named_variables)
    assert paths == ["a/d/kernel", "a/d/bias", "b/d/kernel", "b/d/bias", "dense/kernel", "dense/bias"]
    assert list(model.named_variables.values()) == model.variables


def test_a_model_that_is_made_anew_has_the_same_paths():
    def make():
        recurrent = layers.Bidirectional(layers.LSTM(2))
        return keryx.Sequential([keryx.Input((3, 2)), recurrent, layers.Dense(3), layers.Dense(2), layers.Dense(1)])

    first = make()
    layers.Dense(5), layers.LSTM(5)
    again, copied = make(), keryx.Sequential.from_config(make().get_config())
    assert "dense_2/kernel" in first.named_variables
    assert "bidirectional/forward_lstm/lstm_cell/kernel" in first.named_variables
    assert list(first.named_variables) == list(again.named_variables) == list(copied.named_variables)


def test_weights_of_one_name_and_shared_layers():
    class Twice(keryx.Layer):
        def __init__(self, shared):
            super().__init__(name="twice")
            self.one, self.other = self.add_weight(name="w"), self.add_weight(name="w")
            self.shared = [shared, {"again": shared}]

    shared = layers.Dense(2, name="shared")
    shared.build((None, 4))
    assert list(Twice(shared).named_variables) == ["w", "w_1", "shared/kernel", "shared/bias"]


class Words(keryx.Layer):
    def __init__(self):
        super().__init__(name="words")
        self.vocabulary = [str(i) for i in range(300_000)]
        self.blocks, self.table, self.head = [], {}, layers.Dense(2, name="head")
        self.head.build((None, 4))


def built():
    layer = layers.Dense(2, use_bias=False)
    layer.build((None, 4))
    return layer


CHANGES = {
    "a list": (lambda layer: layer.blocks.append(built()), 3),
    "a list of words": (lambda layer: layer.vocabulary.append(built()), 3),
    "an element": (lambda layer: layer.vocabulary.__setitem__(7, built()), 3),
    "a dict": (lambda layer: layer.table.update(new=[built()]), 3),
    "an attribute": (lambda layer: setattr(layer, "more", built()), 3),
    "another in its place": (lambda layer: setattr(layer, "head", built()), 1),
    "none any more": (lambda layer: delattr(layer, "head"), 0),
    "an inner attribute": (lambda layer: setattr(layer.head, "more", built()), 3),
    "frozen": (lambda layer: setattr(layer.head, "trainable", False), 0),
    "a frozen weight": (lambda layer: setattr(layer.head.bias, "trainable", False), 1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_kept_of_the_walk_follows_every_change(change):
    layer, (make, count) = Words(), CHANGES[change]
    assert len(layer.trainable_variables) == 2
    make(layer)
    assert len(layer.trainable_variables) == count


def test_the_walk_does_not_enter_plain_data_and_is_kept(monkeypatch):
    layer, entered = Words(), []
    contents = keryx.core.owner._Walk._contents

    def counted(self, places, within=()):
        for found in contents(self, places, within):
            entered.append(found)
            yield found

    monkeypatch.setattr(keryx.core.owner._Walk, "_contents", counted)
    assert layer.trainable_variables == layer.head.weights
    assert len(entered) < 20
    entered.clear()
    assert len(layer.variables) == len(layer.trainable_variables) == 2
    assert not entered


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_a_copy_walks_by_itself(again):
    layer = Words()
    assert len(layer.variables) == 2
    other = again(layer)
    other.more = built()
    assert (len(other.variables), len(layer.variables)) == (3, 2)


def test_a_walk_is_not_pickled():
    layer = built()
    assert layer.variables
    assert not pickle.loads(pickle.dumps(layer._walked)).is_current(layer)


def test_layers_that_hold_each_other():
    one, other = built(), built()
    one.other, other.one = other, one
    one.cycle = [one]
    one.cycle.append(one.cycle)
    assert len(one.variables) == len(other.variables) == 2


# As Keras calls them


def mixed(module):
    class Mine(module.Model):
        def __init__(self):
            super().__init__()
            self.d = module.layers.Dense(2)
            self.blocks = [module.layers.Dense(3), module.layers.MultiHeadAttention(2, 2)]

        def call(self, x):
            x = self.blocks[0](self.d(x))[:, None]
            return self.blocks[1](x, x)

    x = module.Input((4,))
    stack = module.Sequential([module.Input((4,)), module.layers.Dense(3), module.layers.BatchNormalization()])
    late = module.Sequential([module.layers.Dense(3, name="d")], name="late")
    recurrent = module.layers.RNN([module.layers.LSTMCell(2), module.layers.GRUCell(2)])
    models = [Mine(), stack, late, module.Model(x, late(x)), nested(module), recurrent]
    models[0](X), recurrent(X[:, None])
    return models


def test_variables_have_keras_s_paths():
    keras.utils.clear_session(free_memory=False)
    keryx.utils.clear_session(free_memory=False)
    for ours, theirs in zip(mixed(keryx), mixed(keras), strict=True):
        expected = [v.path for v in theirs.variables if "seed_generator" not in v.path]
        assert [v.path for v in ours.variables] == expected


RULES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adam", {"amsgrad": True, "use_ema": True}),
    ("AdamW", {"gradient_accumulation_steps": 2}),
    ("Adamax", {}),
    ("Adagrad", {}),
    ("Adadelta", {}),
    ("Lion", {}),
    ("Ftrl", {}),
    ("Lamb", {}),
]


@pytest.mark.parametrize(("name", "arguments"), RULES)
def test_an_optimizer_s_variables_have_keras_s_paths_and_values(name, arguments):
    keras.utils.clear_session(free_memory=False)
    ours, theirs = getattr(keryx.optimizers, name)(**arguments), getattr(keras.optimizers, name)(**arguments)
    assert [v.path for v in ours.variables] == [v.path for v in theirs.variables]
    mine, its = keryx.Variable(X[0], name="w"), keras.Variable(X[0], name="w")
    gradients = [X[1], X[2], X[3]]
    for gradient in gradients:
        ours.apply([gradient], [mine])
        theirs.apply([keras.ops.convert_to_tensor(gradient)], [its])
    values = {v.path: np.asarray(v.value) for v in ours.variables}
    assert values.keys() == {v.path for v in theirs.variables}
    for v in theirs.variables:
        np.testing.assert_allclose(values[v.path], np.asarray(v.value), 1e-5, 1e-6, err_msg=v.path)


def test_what_an_optimizer_holds_is_read_and_assigned():
    model = keryx.Sequential([keryx.Input((4,)), layers.Dense(1)])
    model.compile(keryx.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(X, Y, verbose=0)
    momentum = next(v for v in model.optimizer.variables if v.path.endswith("kernel_momentum"))
    assert momentum.numpy().any()
    momentum.assign(np.zeros(momentum.shape))
    assert not model.optimizer.state["momentum"]["dense/kernel"].any()
    model.fit(X, Y, verbose=0)
    assert momentum.numpy().any()


def test_a_transformation_of_optax_is_named_as_far_as_it_names_things():
    optimizer = keryx.optimizers.get(optax.adam(0.1))
    optimizer.build({"dense/kernel": keryx.Variable(np.ones(2), name="kernel")})
    assert {v.path for v in optimizer.variables} == {
        *(f"optax_optimizer/{name}" for name in ("iteration", "learning_rate", "rule_0_0_count")),
        *(f"optax_optimizer/kernel_rule_0_0_{name}" for name in ("mu", "nu")),
    }


# The state of training


def test_the_state_is_dicts_by_path():
    class Looking(keryx.Model):
        def train_step(self, state, batch):
            seen.update(state._asdict())
            return super().train_step(state, batch)

    seen, x = {}, keryx.Input((4,))
    h = layers.BatchNormalization()(layers.Dense(3)(x))
    model = Looking(x, layers.Dense(1)(h))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    paths = {"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}
    paths |= {"batch_normalization/gamma", "batch_normalization/beta"}
    assert seen["trainable"].keys() == paths
    assert seen["non_trainable"].keys() == {f"batch_normalization/moving_{name}" for name in ("mean", "variance")}
    assert seen["optimizer"].keys() == {"iteration", "learning_rate", "momentum", "velocity"}
    assert seen["optimizer"]["momentum"].keys() == seen["optimizer"]["velocity"].keys() == paths
    assert seen["metrics"].keys() == {"loss/total", "loss/count", "mae/total", "mae/count"}


def test_metrics_of_two_outputs_are_named_apart():
    x = keryx.Input((4,))
    model = keryx.Model(x, {name: layers.Dense(1, name=name)(x) for name in "ab"})
    model.compile("sgd", "mse", metrics=["mae"])
    model.evaluate(X, {"a": Y, "b": Y}, verbose=0)
    assert {f"{name}/total" for name in ("loss", "a_loss", "b_loss", "a_mae", "b_mae")} <= set(
        model.objective.variables
    )


def test_a_step_that_loses_a_weight():
    class Losing(keryx.Model):
        def train_step(self, state, batch):
            new, logs = super().train_step(state, batch)
            return new._replace(trainable={"dense/kernel": new.trainable["dense/kernel"]}), logs

    x = keryx.Input((4,))
    model = Losing(x, layers.Dense(1)(x))
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(StateError, match="return the same weights"):
        model.train_on_batch(X, Y)


def test_an_optimizer_that_was_built_by_hand_goes_on_under_the_model_s_paths():
    model = nested()
    optimizer = keryx.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(model.trainable_variables)
    optimizer.apply([np.ones(v.shape) for v in model.trainable_variables], model.trainable_variables)
    momentum = optimizer.state["momentum"]["d/kernel"]
    model.compile(optimizer, "mse")
    model.train_on_batch(X * 0, Y * 0, sample_weight=np.zeros(16))
    assert optimizer.iterations == 2
    np.testing.assert_allclose(optimizer.state["momentum"]["a/d/kernel"], 0.9 * momentum, 1e-6)


def test_an_objective_is_frozen():
    model = nested()
    model.compile("sgd", "mse", metrics=["mae"])
    before = model.objective
    model.fit(X, Y, verbose=0)
    assert model.objective is not before
    assert not before.heads[0].metrics
    assert isinstance(hash(model.objective.heads[0]), int)
    with pytest.raises(AttributeError):
        model.objective.names = ()


# What callbacks remember


def run(callback, numbers, begin=0, state=None):
    """The epochs at which training would have stopped, or the rates, for these numbers."""
    model = nested()
    model.compile(keryx.optimizers.SGD(1.0), "mse")
    callback.set_model(model)
    callback.on_train_begin()
    if state is not None:
        callback.set_state(state)
    rates = []
    for epoch, number in enumerate(numbers, begin):
        callback.on_epoch_end(epoch, {"loss": number})
        rates.append((model.stop_training, float(model.optimizer.learning_rate)))
    return rates


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping("loss", patience=3, restore_best_weights=True),
        lambda: ReduceLROnPlateau("loss", factor=0.5, patience=2, cooldown=1),
    ],
)
def test_callbacks_go_on_as_if_they_had_never_stopped(make):
    numbers = [5.0, 4.0, 4.5, 4.6, 4.7, 4.8]
    whole = run(make(), numbers)
    first = make()
    run(first, numbers[:3])
    state = pickle.loads(pickle.dumps(first.get_state()))
    halves = run(make(), numbers[3:], 3, state)
    assert [stop for stop, _ in halves] == [stop for stop, _ in whole[3:]]
    assert len({rate for _, rate in halves}) == len({rate for _, rate in whole[3:]})
    without = run(make(), numbers[3:], 3)
    assert without != halves


def test_the_rows_of_a_log_file_go_on(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    run(logger, [3.0, 2.0])
    state = logger.get_state()
    logger.on_epoch_end(2, {"loss": 9.0})  # is lost with the process
    run(CSVLogger(tmp_path / "log.csv"), [1.0], 2, state)
    assert (tmp_path / "log.csv").read_text().split() == ["epoch,loss,val_loss", "0,3.0,NA", "1,2.0,NA", "2,1.0,NA"]


def test_a_list_of_callbacks_remembers_what_each_does():
    callbacks = CallbackList([EarlyStopping("loss")], add_history=True)
    callbacks.on_epoch_end(0, {"loss": 3.0})
    state = callbacks.get_state()
    assert state["1_history"] == {"epoch": [0], "history": {"loss": [3.0]}}
    again = CallbackList([EarlyStopping("loss"), History()])
    again.set_state(state)
    again.on_epoch_end(1, {"loss": 2.0})
    assert again.callbacks[1].history == {"loss": [3.0, 2.0]}
    assert state["1_history"]["history"] == {"loss": [3.0]}
    leaves = jax.tree.leaves(state)
    assert all(isinstance(leaf, (int, float, str, np.ndarray)) for leaf in leaves)
    with pytest.raises(ConfigError, match="'0_early_stopping', '1_history'; there are '0_history'"):
        CallbackList([History()]).set_state(state)
    with pytest.raises(ConfigError, match="EarlyStopping remembers 'best'"):
        EarlyStopping().set_state({"wait": 3})
