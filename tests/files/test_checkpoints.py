"""Checkpoints: what ModelCheckpoint saves and when; a run that was interrupted ends with the same bits."""

import json

import numpy as np
import optax
import pytest
from kills import kill

import keryx
from keryx import layers
from keryx.callbacks import BackupAndRestore, Callback, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keryx.core import seeds
from keryx.errors import ConfigError, FileError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(100, 8)).astype("float32"), RNG.normal(size=(100, 1)).astype("float32")


def model_of(units=16, optimizer="adam", metrics=("mae",)):
    keryx.utils.set_random_seed(1)
    model = keryx.Sequential(
        [keryx.Input((8,)), layers.Dense(units, activation="relu"), layers.Dropout(0.3), layers.BatchNormalization()]
    )
    model.add(layers.Dense(1))
    model.compile(optimizer, "mse", metrics=list(metrics))
    return model


class Stop(Exception):
    pass


class StopAt(Callback):
    needs_every_batch = False

    def __init__(self, epoch, batch=None):
        self.at, self.epoch, self.batch = epoch, None, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def next_batch(self, done):
        return self.batch

    def on_train_batch_end(self, batch, logs=None):
        if self.batch is not None and (self.epoch, batch) >= (self.at, self.batch - 1):
            raise Stop

    def on_epoch_end(self, epoch, logs=None):
        if self.batch is None and epoch == self.at:
            raise Stop


class Batches(keryx.utils.PyDataset):
    def __len__(self):
        return 9

    def __getitem__(self, i):
        return X[i * 10 : i * 10 + 10], Y[i * 10 : i * 10 + 10]


class Stream:
    """Batches that nobody knows the number of."""

    def __iter__(self):
        return (Batches()[i] for i in range(9))


def run(callbacks, data="arrays", epochs=4, **how):
    """A fit: the bits of all that it changed."""
    model = model_of(**how)
    more = {"validation_data": (X[:20], Y[:20]), "epochs": epochs, "verbose": 0, "callbacks": callbacks}
    if data == "arrays":
        history = model.fit(X, Y, batch_size=10, **more)
    else:
        history = model.fit(Batches() if data == "batches" else Stream(), **more)
    arrays = [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]
    return [a.tobytes() for a in arrays], history.history, history.epoch, seeds.state()


def others():
    return [EarlyStopping("val_loss", patience=9, restore_best_weights=True), ReduceLROnPlateau(patience=1, factor=0.5)]


WHOLE = {}


def whole(data):
    if data not in WHOLE:
        WHOLE[data] = run(others(), data)
    return WHOLE[data]


# -- BackupAndRestore ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["arrays", "batches"])
@pytest.mark.parametrize(
    ("save_freq", "stop"),
    [("epoch", (2, None)), (3, (0, 8)), (4, (2, 2)), (9, (1, None))],
    ids=str,
)
def test_a_run_that_goes_on_ends_with_the_same_bits(tmp_path, data, save_freq, stop):
    wanted = whole(data)
    with pytest.raises(Stop):
        run([BackupAndRestore(tmp_path / "b", save_freq=save_freq), *others(), StopAt(*stop)], data)
    assert 1 <= len(list((tmp_path / "b").iterdir())) <= 2
    assert run([BackupAndRestore(tmp_path / "b", save_freq=save_freq), *others(), StopAt(99)], data) == wanted
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optax.adamw(1e-3),
        lambda: keryx.optimizers.LossScaleOptimizer(keryx.optimizers.Adam(1e-3)),
        lambda: keryx.optimizers.RMSprop(1e-3, use_ema=True, gradient_accumulation_steps=3),
    ],
    ids=["optax", "loss scale", "average, accumulated"],
)
def test_the_state_of_every_kind_of_optimizer_goes_along(tmp_path, optimizer):
    wanted = run(others()[:1], epochs=2, optimizer=optimizer())
    with pytest.raises(Stop):
        run([BackupAndRestore(tmp_path / "b", save_freq=3), *others()[:1], StopAt(1, 5)], optimizer=optimizer())
    again = [BackupAndRestore(tmp_path / "b", save_freq=3), *others()[:1], StopAt(99)]
    assert run(again, epochs=2, optimizer=optimizer()) == wanted


def test_a_stream_of_unknown_length_goes_on_after_the_last_batch_of_an_epoch(tmp_path):
    with pytest.raises(Stop):
        run([BackupAndRestore(tmp_path / "b", save_freq=9), *others(), StopAt(1)], "stream")
    assert run([BackupAndRestore(tmp_path / "b", save_freq=9), *others(), StopAt(99)], "stream") == whole("stream")


def test_the_place_of_the_backup_among_the_callbacks_does_not_matter(tmp_path):
    with pytest.raises(Stop):
        run([*others(), StopAt(2, 4), BackupAndRestore(tmp_path / "b", save_freq=2)])
    assert run([*others(), StopAt(99), BackupAndRestore(tmp_path / "b", save_freq=2)]) == whole("arrays")


def test_it_begins_where_it_stood(tmp_path):
    with pytest.raises(Stop):
        run([BackupAndRestore(tmp_path / "b"), StopAt(2, 3)])
    seen = []
    run(
        [
            BackupAndRestore(tmp_path / "b"),
            keryx.callbacks.LambdaCallback(on_epoch_begin=lambda e, logs: seen.append(e)),
        ]
    )
    assert seen == [2, 3]


def test_backups_stay_if_asked(tmp_path):
    run([BackupAndRestore(tmp_path / "b", delete_checkpoint=False, double_checkpoint=False)], epochs=2)
    assert len(list((tmp_path / "b").iterdir())) == 1
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").touch()
    run([BackupAndRestore(tmp_path / "c")], epochs=2)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["mine.txt"]


def interrupted(folder, **how):
    with pytest.raises(Stop):
        run([BackupAndRestore(folder, save_freq=3), *others(), StopAt(2, 7)], **how)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "of another kind"])
def test_the_backup_before_is_taken_where_the_newest_is_damaged(tmp_path, damage):
    before, newest = interrupted(tmp_path / "b")
    data = newest.read_bytes()
    at = len(data) // 3
    newest.write_bytes(
        {
            "truncated": data[:-1],
            "flipped": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
            "empty": b"",
            "of another kind": before.read_bytes()[:0] + b"PK\x03\x04" + data,
        }[damage]
    )
    callbacks = [BackupAndRestore(tmp_path / "b", save_freq=3), *others(), StopAt(99)]
    with pytest.warns(UserWarning, match=f"Training goes on from the backup before, .*{before.name}"):
        assert run(callbacks) == whole("arrays")


def test_no_backup_that_is_whole(tmp_path):
    for path in interrupted(tmp_path / "b"):
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileError, match=r"No backup in .* can be read: .*truncated"):
        run([BackupAndRestore(tmp_path / "b", save_freq=3), *others(), StopAt(99)])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"units": 17}, r"dense/kernel: \(8, 16\) float32 then, \(8, 17\) float32 now"),
        ({"optimizer": "sgd"}, "optimizer: Adam then, SGD now"),
        ({"metrics": ["mse"]}, r"/metrics/mae/.*then, nothing now"),
        ({"data": "batches"}, "steps of an epoch: 10 then, 9 now"),
    ],
)
def test_another_run_is_refused(tmp_path, how, words):
    interrupted(tmp_path / "b")
    with pytest.raises(FileError, match=rf"is that of another run:(.|\n)*{words}(.|\n)*or delete"):
        run([BackupAndRestore(tmp_path / "b", save_freq=3), *others(), StopAt(99)], **how)


def test_callbacks_that_were_not_there_begin_anew(tmp_path):
    interrupted(tmp_path / "b")
    with pytest.warns(UserWarning, match="'reduce_lr_on_plateau' begin anew"):
        run([BackupAndRestore(tmp_path / "b", save_freq=3), others()[0]])


def test_what_a_callback_remembers(tmp_path):
    class Remembers(Callback):
        remembers = ("kept",)
        kept = None

        def on_train_begin(self, logs=None):
            self.kept = None

        def on_epoch_end(self, epoch, logs=None):
            self.kept = {"a": [np.arange(epoch + 1.0), (1, "b")], "c": float("nan"), "d": np.float32(2)}

    with pytest.raises(Stop):
        run([BackupAndRestore(tmp_path / "b"), Remembers(), StopAt(2, 1)])
    again = Remembers()
    run([BackupAndRestore(tmp_path / "b"), again, StopAt(99)], epochs=2)
    assert again.kept["a"][0].tolist() == [0, 1]
    assert again.kept["a"][1] == (1, "b")
    again.kept = object()
    Remembers.on_epoch_end = lambda *args: None
    Remembers.on_train_begin = lambda self, logs=None: setattr(self, "kept", object())
    with pytest.raises(ConfigError, match="remembers remembers/kept, a object"):
        run([BackupAndRestore(tmp_path / "b"), again], epochs=1)


def test_killed_at_random_moments():
    kill(3)


# -- ModelCheckpoint -----------------------------------------------------------------------------------------------


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_after_each_epoch(tmp_path):
    model = model_of()
    history = model.fit(
        X, Y, epochs=2, verbose=0, callbacks=ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{loss:.3f}.keras")
    )
    assert names(tmp_path / "new") == [
        f"{i + 1:02d}-{loss:.3f}.keras" for i, loss in enumerate(history.history["loss"])
    ]
    loaded = keryx.models.load_model(tmp_path / "new" / names(tmp_path / "new")[-1])
    assert all(map(np.array_equal, loaded.get_weights(), model.get_weights()))
    assert loaded.optimizer.iterations == model.optimizer.iterations


@pytest.mark.parametrize("data", ["arrays", "batches"])
def test_after_every_so_many_batches(tmp_path, data):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=4)
    run([checkpoint], data, epochs=2)
    wanted = ["1-4", "1-8", "2-10", "2-2", "2-6"] if data == "arrays" else ["1-4", "1-8", "2-3", "2-7"]
    assert names(tmp_path) == [f"{name}.weights.h5" for name in wanted]


class Losses(Callback):
    """Lets the epochs have these losses."""

    def __init__(self, *losses):
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = logs["accuracy"] = self.losses[epoch]


def saved(tmp_path, losses, capsys=None, **how):
    path = tmp_path / "{epoch}.weights.h5"
    model, checkpoint = model_of(), ModelCheckpoint(path, save_best_only=True, save_weights_only=True, **how)
    model.fit(X, Y, epochs=len(losses), verbose=0, callbacks=[Losses(*losses), checkpoint])
    return [name.partition(".")[0] for name in names(tmp_path)], checkpoint


def test_only_the_best(tmp_path, capsys):
    assert saved(tmp_path, [3, 4, 2, 2, 1], verbose=1)[0] == ["1", "3", "5"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Epoch 1: val_loss is 3.00000: saved to")
    assert said[1] == "Epoch 2: val_loss is 4.00000, and was 3.00000: not saved."


def test_the_highest_is_best(tmp_path):
    assert saved(tmp_path, [3, 4, 2, 5], monitor="accuracy", mode="max")[0] == ["1", "2", "4"]


def test_a_threshold(tmp_path):
    names, checkpoint = saved(tmp_path, [3, 2.5, 2, 1.5], initial_value_threshold=2.2)
    assert names == ["3", "4"]
    model = model_of()
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[Losses(1.7), checkpoint])  # the best is that of the last fit
    assert checkpoint.best == 1.5


def test_the_best_survives_a_resume(tmp_path):
    def callbacks(*more):
        best = ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_best_only=True, save_weights_only=True)
        return [BackupAndRestore(tmp_path / "b"), Losses(1, 3, 2, 0.5), best, *more]

    with pytest.raises(Stop):
        run(callbacks(StopAt(1, 5)))
    (tmp_path / "1.weights.h5").unlink()
    run(callbacks(StopAt(99)))
    assert [name for name in names(tmp_path) if "weights" in name] == ["4.weights.h5"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filepath": "a.ckpt"}, "ends in '.keras', '.h5'; got 'a.ckpt'"),
        ({"filepath": "a.weights.h5"}, "save_weights_only=True"),
        ({"filepath": "a.keras", "save_weights_only": True}, "ends in '.weights.h5'"),
        ({"filepath": "a.keras", "save_freq": 0}, "save_freq is 'epoch' or a number of batches"),
        ({"filepath": "a.keras", "save_freq": "batch"}, "save_freq is 'epoch' or a number of batches"),
        ({"filepath": "a.keras", "mode": "least"}, "mode is 'auto'"),
    ],
)
def test_arguments(arguments, words):
    with pytest.raises(ConfigError, match=words):
        ModelCheckpoint(**arguments)


def test_names_that_fit_does_not_log(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot fill in .*'val_los'.*Did you mean 'val_loss'"):
        run([ModelCheckpoint(tmp_path / "{val_los}.keras")], epochs=1)
    with pytest.raises(ConfigError, match="ModelCheckpoint monitors 'val_acc', which fit does not log"):
        run([ModelCheckpoint(tmp_path / "a.keras", monitor="val_acc", save_best_only=True)], epochs=1)


def test_arguments_of_the_backup():
    with pytest.raises(ConfigError, match="empty"):
        BackupAndRestore("")
    with pytest.raises(ConfigError, match="save_freq"):
        BackupAndRestore("b", save_freq=-1)


def test_blocks_end_where_a_callback_wants_it(tmp_path):
    ends = []

    class Ends(Callback):
        needs_every_batch = False

        def next_batch(self, done):
            return 7 if done < 7 else None

        def on_train_batch_end(self, batch, logs=None):
            ends.append(batch + 1)

    run([Ends()], epochs=3)
    assert ends.count(7) == 3
    assert ends.count(10) == 3
    assert len(ends) < 30  # it is not called at every batch


def test_a_backup_says_what_it_holds(tmp_path):
    from keryx.saving import hdf5

    path = interrupted(tmp_path / "b")[-1]
    about = json.loads(hdf5.read(path)["about"].array().tobytes())
    assert about["clock"]["epoch"] == 2
    assert about["variables"]["dense/kernel"] == [[8, 16], "float32"]
