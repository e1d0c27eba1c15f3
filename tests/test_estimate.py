"""What a step will cost before it runs: sizes by arithmetic, peaks by XLA's analysis; no test measures time."""

import json

import jax
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, ShapeError, StateError
from keryx.models.profiling import estimate as room
from keryx.models.profiling.machine import Ceilings
from keryx.models.profiling.operations import Program
from keryx.models.profiling.steps import batch_of, train_step

FLOAT = 4  # bytes
MACHINE = Ceilings(flops=1e9, bytes=1e8, near_bytes=1e9, near=1000, operation=0.0, call=0.0)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(room, "ceilings", lambda: MACHINE)


def made(loss="sparse_categorical_crossentropy", optimizer="adam", **arguments):
    x = keryx.Input((20,), name="x")
    model = keryx.Model(x, layers.Dense(5, "softmax", name="head")(layers.Dense(30, "tanh")(x)))
    model.compile(optimizer, loss, metrics=["accuracy"], **arguments)
    return model


WEIGHTS = FLOAT * (20 * 30 + 30 + 30 * 5 + 5)


@pytest.fixture(scope="module")
def model():
    return made()


@pytest.fixture(scope="module")
def found(model):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(room, "ceilings", lambda: MACHINE)
        return model.estimate(64)


def test_sizes(found):
    assert found.predict.weights == found.train.weights == WEIGHTS
    assert found.predict.optimizer == 0
    assert found.train.optimizer == 2 * WEIGHTS + 8  # two slots a weight, the iteration and the rate
    assert found.predict.data == FLOAT * 64 * 20
    assert found.train.data == FLOAT * (64 * 20 + 64)
    assert found.train.peak >= found.train.weights + found.train.optimizer + found.train.data
    assert found.train.activations > 0
    assert found.predict.flops == 64 * (
        2 * (20 * 30 + 30 * 5) + 2 * 30 + 5 + 5 * 5 + 1
    )  # a bias and an activation each
    assert found.train.flops > 2 * found.predict.flops


def test_nothing_is_changed():
    model = made()
    before = model.get_weights(), model.session, model.optimizer
    model.estimate(8)
    assert (model.session, model.optimizer) == before[1:]
    assert not model.optimizer.built
    assert model.optimizer.owners == {}
    assert not model.session.objective.resolved  # the data is still to say what accuracy means
    model.fit(np.ones((8, 20)), np.eye(5)[[0] * 8].argmax(1), verbose=0)
    assert model.estimate(8).train.optimizer == 2 * WEIGHTS + 8


def test_the_peak_is_that_of_the_program_that_runs(model, found):
    x, y = np.ones((64, 20), np.float32), np.zeros(64, np.int32)
    model.fit(x, y, batch_size=64, verbose=0)
    batch = model.session.admit(x, y)
    with model.session.reading_state() as state:
        program = model.session.train_program(guard=True).batch.lower(state, (), batch).compile()
        flops = Program(model.session.train_program(guard=True).batch, state, (), batch).flops
    memory = program.memory_analysis()
    whole = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    assert found.train.peak == whole + memory.temp_size_in_bytes
    assert found.train.flops == flops


def test_the_largest_batch_fits_and_a_larger_one_does_not(model, monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 2**20)
    largest = model.estimate(64).train.largest_batch
    assert 64 < largest < 2**20 / (FLOAT * 20)
    assert model.estimate(largest - largest // 50).train.fits
    assert not model.estimate(largest + largest // 20).train.fits
    monkeypatch.setattr(room, "free_memory", lambda: 0)
    nothing = model.estimate(64).train
    assert (nothing.fits, nothing.largest_batch) == (False, 0)
    monkeypatch.setattr(room, "free_memory", lambda: None)
    unknown = model.estimate(64).train
    assert (unknown.fits, unknown.largest_batch) == (None, None)


@pytest.mark.parametrize(
    ("loss", "shape", "dtype"),
    [
        ("sparse_categorical_crossentropy", (4,), "int32"),
        ("categorical_crossentropy", (4, 5), "float32"),
        ("mse", (4, 5), "float32"),
    ],
)
def test_targets_are_those_that_the_loss_wants(loss, shape, dtype):
    (target,) = batch_of(made(loss), None, None, 4).y
    assert (target.shape, target.dtype) == (shape, dtype)


def test_an_example_says_more(model):
    y = np.zeros((3, 1), "uint8")
    batch = batch_of(model, np.ones((3, 20)), y, 7)
    assert batch.x.shape == (7, 20)
    assert (batch.y[0].shape, batch.y[0].dtype) == ((7, 1), model.session.admit(np.ones((3, 20)), y).y[0].dtype)
    x = keryx.Input((None, 3))
    open_size = keryx.Model(x, layers.LSTM(4)(x))
    with pytest.raises(ArgumentError, match=r"is \(None, None, 3\), of a size that is not known: give estimate"):
        open_size.estimate(2)
    five, ten = (open_size.estimate(2, x=np.ones((1, steps, 3), "float32")).predict for steps in (5, 10))
    assert ten.flops == pytest.approx(2 * five.flops, rel=0.03)  # but for the first state


def test_subclassed_models():
    class Net(keryx.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(5)

        def call(self, inputs):
            return self.head(inputs)

    net = Net()
    with pytest.raises(ArgumentError, match="has no graph that tells what it is called on"):
        net.estimate(2)
    net.compile("sgd", "mse")
    found = net.estimate(2, x=np.ones((1, 20), "float32"))
    assert found.predict.flops == 2 * (2 * 20 * 5 + 5)
    assert found.train.weights == FLOAT * (20 * 5 + 5)


def test_a_model_of_one_size_of_batch():
    x = keryx.Input(batch_shape=(4, 5, 3))
    model = keryx.Model(x, layers.LSTM(3, stateful=True)(x))
    assert model.estimate(4).predict.largest_batch == 4
    with pytest.raises(ShapeError, match=r"wants \(4, 5, 3\)"):
        model.estimate(8)


def test_a_model_that_is_not_compiled_predicts_alone():
    x = keryx.Input((3,))
    found = keryx.Model(x, layers.Flatten()(x)).estimate(2)
    assert found.train is None
    assert (found.predict.weights, found.predict.flops) == (0, 0)
    assert "train" not in str(found)


def test_steps_by_keras_run_before_they_are_known():
    class Own(keryx.Model):
        def train_step(self, state, data):
            trainable, non_trainable, optimizer_variables, metrics_variables = state
            return {"loss": 0.0}, (trainable, non_trainable, optimizer_variables, metrics_variables)

    x = keryx.Input((3,))
    model = Own(x, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    with pytest.raises(StateError, match=r"by Keras's contract, .* use model\.profile\(x, y\)"):
        model.estimate(2)


def test_a_step_of_ones_own_is_counted():
    class Own(keryx.Model):
        def train_step(self, state, batch):
            new, logs = super().train_step(state, batch)
            return new, logs | {"twice": 2 * logs["loss"]}

    x = keryx.Input((3,))
    model, plain = (cls(x, layers.Dense(1)(x)) for cls in (Own, keryx.Model))
    for one in (model, plain):
        one.compile("sgd", "mse")
    assert model.estimate(2).train.flops > plain.estimate(2).train.flops


def test_the_time_is_a_roofline():
    x = np.ones((100, 100), np.float32)  # 40 kB, beyond what is near
    product = Program(lambda x: x @ x, x).seconds(MACHINE)
    assert product == pytest.approx(max(2e6 / 1e9, 2 * 40_000 / 1e8))
    added = Program(lambda x: x + 1, x).seconds(MACHINE._replace(call=1.0, operation=0.25))
    assert added == pytest.approx(1.0 + 0.25 + 80_000 / 1e8)
    near = Program(lambda x: x + 1, x[0]).seconds(MACHINE)
    assert near == pytest.approx(800 / 1e9)


def test_it_shows_itself(found):
    text = str(found)
    assert text.startswith("Estimate for ")
    assert "64 rows a step, on cpu" in text
    assert "largest batch" in text
    assert json.loads(json.dumps(found.to_dict()))["train"]["weights"] == WEIGHTS
    assert "<pre" in found._repr_html_()


def test_a_number_of_rows_of_numpys(model):
    found = model.estimate(np.int64(2)).to_dict()
    assert json.loads(json.dumps(found))["batch_size"] == 2


def test_refusals(model):
    with pytest.raises(ArgumentError, match="batch_size= as an integer of at least 1; got 0"):
        model.estimate(0)
    with pytest.raises(ArgumentError, match="was given y without x"):
        model.estimate(2, y=np.zeros(2))


def test_an_error_on_the_way_leaves_the_session(model):
    session, seen = model.session, []

    def fail():
        with train_step(model, batch_of(model, None, None, 2)):
            seen.append(model.session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert model.session is session
    assert seen != [session]


def test_the_ceilings_and_the_memory_of_this_machine():
    from keryx.models.profiling import machine

    found = machine.ceilings()
    assert all(value > 0 for value in found)
    assert machine.ceilings() is found
    free = machine.free_memory()
    assert free is None or free > 0
    assert jax.default_backend() != "cpu" or free is not None
