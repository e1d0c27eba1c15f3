"""Callbacks, on a model that only notes what is asked of it: when they act, say and log something."""

import csv
import math
import os

import keras
import numpy as np
import pytest

from keryx.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from keryx.callbacks.callback import HOOKS
from keryx.callbacks.monitor import Monitor, monitored
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, DataError, NonFiniteLossError


class Optimizer:
    def __init__(self):
        self._rate = Variable(0.1, dtype="float32")

    learning_rate = property(lambda self: self._rate, lambda self, value: self._rate.assign(value))


class Model:
    """Its one weight is the epoch; its logs are given."""

    def __init__(self):
        self.optimizer, self.stop_training, self.weight, self.history = Optimizer(), False, 0.0, None

    def get_weights(self):
        return [np.array(self.weight)]

    def set_weights(self, weights):
        (self.weight,) = weights

    def fit(self, callbacks, epochs, first=0, **params):
        """Run through the epochs, each with its logs; the epochs that were run."""
        hooks = CallbackList(callbacks, add_history=True, model=self, epochs=len(epochs), **params)
        self.stop_training, logs = False, {}
        hooks.on_train_begin()
        for epoch, logs in enumerate(epochs, first):
            hooks.on_epoch_begin(epoch)
            self.weight = float(epoch)
            logs = dict(logs)
            hooks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        hooks.on_train_end(logs)
        return self.history


def losses(*numbers, name="val_loss"):
    return [{"loss": 9.0, name: number} for number in numbers]


# -- the list ------------------------------------------------------------------------------------------------


def test_hooks_are_those_of_keras():
    assert set(HOOKS) == {name for name in dir(keras.callbacks.Callback) if name.startswith("on_")}


def test_each_is_called_in_order_with_the_same_logs():
    said = []

    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["f1"] = 0.5

    class Reads(Callback):
        def on_epoch_end(self, epoch, logs=None):
            said.append((epoch, dict(logs), self.params["epochs"], self.model is model))

    model = Model()
    history = model.fit([[Adds()], (Reads(),)], [{"loss": 1.0}])
    assert said == [(0, {"loss": 1.0, "f1": 0.5}, 1, True)]
    assert history.history == {"loss": [1.0], "f1": [0.5]}


def test_every_hook_reaches_every_callback():
    said = []
    hooks = {name: (lambda *args, name=name: said.append((name, args))) for name in HOOKS}
    each = CallbackList(CallbackList([LambdaCallback(**hooks)]))
    for name in HOOKS:
        counted = "batch" in name or "epoch" in name
        getattr(each, name)(*([3] if counted else []))
        assert said[-1] == (name, (3, {}) if counted else ({},))


def test_older_batch_names_are_called():
    said = []

    class Old(Callback):
        def on_batch_end(self, batch, logs=None):
            said.append((batch, logs))

    CallbackList([Old()]).on_train_batch_end(2, {"loss": 1.0})
    assert said == [(2, {"loss": 1.0})]


def test_only_a_batch_hook_wants_batches():
    class Test(Callback):
        def on_test_batch_end(self, batch, logs=None): ...

    class Train(Callback):
        def on_batch_begin(self, batch, logs=None): ...

    def ignore(*args): ...

    def wanted(*callbacks):
        each = CallbackList(list(callbacks))
        return {mode for mode in ("train", "test", "predict") if each.wants_batches(mode)}

    assert wanted() == set()
    assert wanted(History(), EarlyStopping(), CSVLogger("x"), TerminateOnNaN()) == set()
    assert wanted(LambdaCallback(on_epoch_end=ignore)) == set()
    assert wanted(Test()) == {"test"}
    assert wanted(Train(), Test()) == {"train", "test"}
    assert wanted(LambdaCallback(on_train_batch_end=ignore)) == {"train"}
    assert wanted(LambdaCallback(on_predict_batch_end=ignore)) == {"predict"}


def test_what_is_no_callback_is_refused():
    with pytest.raises(ArgumentError, match=r"EarlyStopping is a class of callbacks; make one: EarlyStopping\(\)"):
        CallbackList([EarlyStopping])
    with pytest.raises(ArgumentError, match=r"wants Callback objects; got function\. LambdaCallback"):
        CallbackList([lambda epoch: None])
    with pytest.raises(ArgumentError, match=r"no 'on_epoch_ends'\. Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)


def test_history_is_appended_once_and_counts_anew():
    mine, model = History(), Model()
    assert model.fit([mine], losses(1.0, 2.0)) is mine
    model.fit([mine], losses(3.0), first=5)
    assert mine.epoch == [5]
    assert mine.history["val_loss"] == [1.0, 2.0, 3.0]


def test_a_callback_without_super_init_works():
    class Bare(Callback):
        def __init__(self):
            self.seen = 0

        def on_epoch_end(self, epoch, logs=None):
            self.seen += 1

    bare = Bare()
    Model().fit(bare, losses(1.0, 2.0))
    assert bare.seen == 2


# -- what is monitored ---------------------------------------------------------------------------------------


def test_a_name_that_is_not_logged_is_told():
    logs = {"accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.5, "val_loss": 1.0}
    with pytest.raises(ConfigError) as raised:
        monitored(logs, "val_acc", "EarlyStopping")
    assert str(raised.value) == (
        "EarlyStopping monitors 'val_acc', which fit does not log. Did you mean 'val_accuracy'? "
        "Logged: 'accuracy', 'loss', 'val_accuracy', 'val_loss'."
    )
    with pytest.raises(ConfigError, match="Did you mean 'val_loss'"):
        monitored(logs, "val_los", "ReduceLROnPlateau")
    with pytest.raises(ConfigError, match="no validation: give fit validation_data= or validation_split="):
        monitored({"loss": 1.0}, "val_loss", "EarlyStopping")


@pytest.mark.parametrize("callback", [EarlyStopping, ReduceLROnPlateau])
def test_without_validation_val_loss_raises_after_the_first_epoch(callback):
    model = Model()
    with pytest.raises(ConfigError, match=f"{callback.__name__} monitors 'val_loss'"):
        model.fit([callback()], [{"loss": 1.0}] * 3)
    assert model.weight == 0.0


def test_epochs_without_validation_are_passed_over_where_validation_freq_says_so():
    stopping, model = EarlyStopping(patience=1), Model()
    epochs = [{"loss": 1.0}, *losses(1.0), {"loss": 1.0}, *losses(2.0), *losses(0.0)]
    assert model.fit([stopping], epochs, validation_freq=2).epoch == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        ("val_loss", False),
        ("loss", False),
        ("main_loss", False),
        ("f1_loss", False),
        ("mse", False),
        ("val_mean_absolute_error", False),
        ("categorical_crossentropy", False),
        ("acc", True),
        ("val_accuracy", True),
        ("main_accuracy", True),
        ("sparse_top_k_categorical_accuracy", True),
        ("auc", True),
        ("auc_1", True),
        ("precision", True),
        ("recall_2", True),
        ("f1_score", True),
        ("mean_io_u", True),
        ("r2_score", True),
        ("cosine_similarity", True),
    ],
)
def test_auto_sees_where_better_lies(name, higher):
    assert Monitor(name, "auto", 0).higher_is_better is higher
    assert Monitor(name, "min", 0).higher_is_better is False


def test_auto_asks_the_metric_of_that_name_and_then_the_user():
    class Precision:
        name = "quality"

    callback, model = EarlyStopping("val_quality"), Model()
    with pytest.raises(ConfigError, match="give it mode='min' or mode='max'"):
        model.fit([callback], losses(1.0, name="val_quality"))
    model.metrics = [Precision()]
    model.fit([callback], losses(1.0, name="val_quality"))
    assert callback.higher_is_better
    with pytest.raises(ConfigError, match="mode is 'auto', 'min' or 'max'; got 'lower'"):
        EarlyStopping(mode="lower")


# -- against Keras -------------------------------------------------------------------------------------------

RUNS = [
    [3.0, 2.0, 2.5, 2.6, 2.7, 1.0, 1.1, 1.2, 1.3, 1.4],
    [1.0, 1.0, 1.0, 1.0, 1.0],
    [1.0, 2.0, 0.5, 0.49, 0.48, 0.47, 0.46, 3.0],
    [5.0, 4.0, 3.0, 2.0, 1.0, 2.0],
]


@pytest.mark.parametrize("numbers", RUNS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"patience": 2},
        {"patience": 2, "restore_best_weights": True},
        {"patience": 1, "min_delta": 0.3, "restore_best_weights": True},
        {"patience": 1, "baseline": 0.9, "restore_best_weights": True},
        {"patience": 1, "start_from_epoch": 3},
        {"monitor": "val_accuracy", "patience": 1, "restore_best_weights": True},
        {"monitor": "val_score", "mode": "max", "patience": 2},
    ],
)
def test_early_stopping_stops_where_keras_stops(numbers, arguments):
    epochs = losses(*numbers, name=arguments.get("monitor", "val_loss"))
    if arguments.get("monitor") == "val_accuracy":
        arguments = arguments | {"mode": "auto"}
    ours, model = EarlyStopping(**arguments), Model()
    ran = len(model.fit([ours], epochs).epoch)

    if arguments.get("monitor") == "val_accuracy":
        arguments = arguments | {"mode": "max"}  # Keras asks the compiled metrics, of which there are none
    theirs, other = keras.callbacks.EarlyStopping(**arguments), Model()
    assert ran == len(other.fit([theirs], epochs).epoch)
    assert model.weight == other.weight
    for name in ("best", "best_epoch", "stopped_epoch", "wait"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name)), name


@pytest.mark.parametrize("numbers", RUNS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"patience": 0},
        {"patience": 1},
        {"patience": 1, "factor": 0.5, "cooldown": 2},
        {"patience": 1, "factor": 0.5, "min_lr": 0.04},
        {"patience": 2, "min_delta": 0.5},
        {"patience": 1, "mode": "max"},
    ],
)
def test_plateaus_lower_the_rate_as_in_keras(numbers, arguments):
    ours = Model().fit([ReduceLROnPlateau(**arguments)], losses(*numbers)).history["learning_rate"]
    theirs = Model().fit([keras.callbacks.ReduceLROnPlateau(**arguments)], losses(*numbers)).history["learning_rate"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


# -- the others ----------------------------------------------------------------------------------------------


def test_early_stopping_is_used_again_and_says_what_it_does(capsys):
    stopping, model = EarlyStopping(patience=1, restore_best_weights=True, verbose=1), Model()
    for _ in range(2):
        assert model.fit([stopping], losses(1.0, 2.0, 0.5)).epoch == [0, 1]
        assert model.weight == 0.0
        assert capsys.readouterr().out.splitlines() == [
            "Epoch 2: stopped early, val_loss has not got better.",
            "Weights of the best epoch put back: epoch 1.",
        ]


def test_nan_is_never_better_and_everything_is_better_than_nan():
    stopping = EarlyStopping(patience=5)
    Model().fit([stopping], losses(math.nan, 2.0, math.nan, 1.0))
    assert (stopping.best, stopping.best_epoch) == (1.0, 3)


def test_schedules_of_one_and_two_arguments():
    seen = []

    def of_two(epoch, rate):
        seen.append(rate)
        return rate / 2

    for schedule, rates in ((of_two, [0.05, 0.025]), (lambda epoch: [1, 2][epoch], [1.0, 2.0])):
        history = Model().fit([LearningRateScheduler(schedule)], losses(1.0, 1.0))
        np.testing.assert_allclose(history.history["learning_rate"], rates, rtol=1e-6)
    np.testing.assert_allclose(seen, [0.1, 0.05], rtol=1e-6)


def test_an_error_in_a_schedule_is_its_own():
    def broken(epoch, rate):
        return rate + "1"

    with pytest.raises(TypeError, match="unsupported operand"):
        Model().fit([LearningRateScheduler(broken)], losses(1.0))


@pytest.mark.parametrize("value", [None, "fast", math.nan, -1.0])
def test_a_schedule_has_to_return_a_rate(value):
    with pytest.raises(ConfigError, match=r"LearningRateScheduler: the schedule returned .* for epoch 0"):
        Model().fit([LearningRateScheduler(lambda epoch: value)], losses(1.0))


def test_plateau_refuses_a_factor_that_raises_the_rate():
    with pytest.raises(ConfigError, match="below 1; got 2"):
        ReduceLROnPlateau(factor=2)


def test_csv_has_a_row_an_epoch_and_goes_on(tmp_path):
    path = tmp_path / "log.csv"
    model = Model()
    model.fit([CSVLogger(path, separator=";")], losses(1.0, 2.0))
    model.fit([CSVLogger(os.fspath(path), separator=";", append=True)], losses(3.0), first=2)
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter=";"))
    assert rows == [{"epoch": str(i), "loss": "9.0", "val_loss": f"{i + 1}.0"} for i in range(3)]
    with pytest.raises(DataError, match=r"has the columns 'loss', 'val_loss'; this run also logs 'mae'"):
        model.fit([CSVLogger(path, separator=";", append=True)], [{"loss": 1.0, "mae": 1.0}])
    model.fit([CSVLogger(path)], losses(1.0))
    assert path.read_text().split() == ["epoch,loss,val_loss", "0,9.0,1.0"]


def test_csv_keeps_a_place_for_validation_that_comes_later(tmp_path):
    path = tmp_path / "log.csv"
    Model().fit([CSVLogger(path)], [{"loss": 1.0}, {"loss": 2.0, "val_loss": 3.0}])
    assert path.read_text().split() == ["epoch,loss,val_loss", "0,1.0,NA", "1,2.0,3.0"]


def test_terminate_on_nan(capsys):
    model, quiet = Model(), TerminateOnNaN()
    hooks = CallbackList([quiet], model=model)
    assert hooks.handles_nan
    assert not CallbackList([History()]).handles_nan
    hooks.on_train_batch_end(0, {"loss": 1.0})
    assert not model.stop_training
    hooks.on_train_batch_end(1, {"loss": math.nan})
    hooks.on_epoch_end(0, {"loss": math.nan})
    assert model.stop_training
    assert capsys.readouterr().out == "Batch 1: the loss is nan, training ends.\n"
    with pytest.raises(NonFiniteLossError, match="Batch 4: the loss is inf"):
        CallbackList([TerminateOnNaN(raise_error=True)], model=Model()).on_train_batch_end(4, {"loss": math.inf})
