"""Callbacks that speak to other programs, and the one that swaps the averages of the weights in."""

import builtins
import copy
import http.server
import json
import threading
import urllib.parse
import zlib

import keras
import numpy as np
import pytest

import keryx
from keryx import callbacks, layers, optimizers
from keryx.callbacks.event_file import png
from keryx.errors import ConfigError
from tests.oracle import array

X, Y = array(40, 3), array(40, 1, seed=1)


def model_of(optimizer="sgd", K=keryx):
    K.utils.clear_session(free_memory=False)
    model = K.Sequential([K.Input((3,)), K.layers.Dense(4, name="body"), K.layers.Dense(1, name="head")], name="net")
    model.set_weights([array(*v.shape, seed=i) / 2 for i, v in enumerate(model.weights)])
    model.compile(optimizer, "mse")
    return model


# -- TensorBoard ---------------------------------------------------------------------------------------------------


def events(folder):
    """What the event files of a folder hold: (tag, step) -> value."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for path in sorted(folder.glob("events*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found[value.tag, event.step] = make_ndarray(value.tensor)
    return found


def test_event_files_hold_the_numbers_of_each_epoch(tmp_path):
    model = model_of(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)))
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True, write_steps_per_second=True)
    logs = model.fit(X, Y, batch_size=20, epochs=3, validation_data=(X, Y), callbacks=[board], verbose=0).history
    train, held_out = events(tmp_path / "train"), events(tmp_path / "validation")
    for epoch in range(3):
        assert train["epoch_loss", epoch] == pytest.approx(logs["loss"][epoch])
        assert held_out["epoch_loss", epoch] == pytest.approx(logs["val_loss"][epoch])
        assert train["epoch_learning_rate", epoch] == pytest.approx(0.1 * 0.5 ** (epoch + 1))
        assert train["epoch_steps_per_second", epoch] > 0
        assert held_out["evaluation_loss_vs_iterations", 2 * epoch + 2] == pytest.approx(logs["val_loss"][epoch])
    spread = train["net/body/kernel/histogram", 2]
    assert spread.shape == (30, 3)
    values = model.weights[0].numpy()
    assert spread[:, 2].sum() == values.size
    assert (spread[0, 0], spread[-1, 1]) == (pytest.approx(values.min()), pytest.approx(values.max()))
    width, height, picture = train["net/body/kernel/image", 2]
    assert (width, height, picture[:4]) == (b"4", b"3", b"\x89PNG")
    assert ("net/body/kernel/histogram", 1) not in train
    assert json.loads(train["keras", 0].item())["config"]["name"] == "net"
    assert not any(tag.startswith("batch_") for tag, _ in train)


@pytest.mark.parametrize(("freq", "steps"), [("batch", range(1, 11)), (4, [4, 8]), ("epoch", [])])
def test_numbers_of_batches_come_as_often_as_asked(tmp_path, freq, steps):
    board = callbacks.TensorBoard(tmp_path, update_freq=freq, write_graph=False, write_steps_per_second=True)
    model = model_of()
    model.fit(X, Y, batch_size=8, epochs=2, callbacks=[board], verbose=0)
    found = events(tmp_path / "train")
    assert [step for tag, step in found if tag == "batch_loss"] == list(steps)
    assert [step for tag, step in found if tag == "batch_steps_per_second"] == list(steps)
    if freq == 4:
        again = model_of()
        seen = []
        note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
        again.fit(X, Y, batch_size=8, callbacks=[note], verbose=0, shuffle=False)
        model = model_of()
        other = callbacks.TensorBoard(tmp_path / "other", update_freq=4, write_graph=False)
        model.fit(X, Y, batch_size=8, callbacks=[other], verbose=0, shuffle=False)
        assert events(tmp_path / "other" / "train")["batch_loss", 4] == pytest.approx(seen[3])


def test_embeddings_are_tables_for_the_projector(tmp_path):
    model = keryx.Sequential([keryx.Input((2,), dtype="int32"), layers.Embedding(5, 3, name="words"), layers.Flatten()])
    model.compile("sgd", "mse")
    board = callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "names.tsv"})
    model.fit(np.ones((4, 2), int), np.ones((4, 6)), callbacks=[board], verbose=0)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "words.tsv"), model.get_weights()[0], rtol=1e-6)
    text = (tmp_path / "projector_config.pbtxt").read_text()
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    (table,) = text_format.Parse(text, ProjectorConfig()).embeddings
    assert (table.tensor_name, table.tensor_path, table.metadata_path) == ("words", "words.tsv", "names.tsv")
    with pytest.raises(ConfigError, match="which are no Embedding layers"):
        callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"others": "x"}).set_model(model)


def test_batches_are_traced(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("jax.profiler.start_trace", lambda folder: calls.append(folder))
    monkeypatch.setattr("jax.profiler.stop_trace", lambda: calls.append(board.train_batches))
    board = callbacks.TensorBoard(tmp_path, profile_batch="3,6", write_graph=False)
    model_of().fit(X, Y, batch_size=8, epochs=2, callbacks=[board], verbose=0)
    assert calls == [str(tmp_path / "train"), 6]
    board = callbacks.TensorBoard(tmp_path, profile_batch=10, write_graph=False)
    model_of().fit(X, Y, batch_size=8, epochs=2, callbacks=[board], verbose=0)
    assert calls[3] == 10


def test_a_board_without_its_package_or_with_odd_settings(tmp_path, monkeypatch):
    for words in ({"profile_batch": -1}, {"profile_batch": (3, 2)}, {"profile_batch": "a"}, {"update_freq": 0}):
        with pytest.raises(ConfigError, match=f"TensorBoard: {next(iter(words))} is"):
            callbacks.TensorBoard(tmp_path, **words)
    board = copy.deepcopy(callbacks.TensorBoard(tmp_path))
    assert board.log_dir == str(tmp_path)
    assert list(tmp_path.iterdir()) == []  # nothing is made before there is something to write
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("tensorboard"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'keryx\[tensorboard\]'"):
        callbacks.TensorBoard(tmp_path)


def test_a_picture_is_a_png():
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    data = png(pixels)
    assert data[16:24] == b"\x00\x00\x00\x03\x00\x00\x00\x02"  # width, height
    start = data.index(b"IDAT") + 4
    rows = zlib.decompress(data[start : start + int.from_bytes(data[start - 8 : start - 4], "big")])
    assert rows == b"\x00\x00\x01\x02\x00\x03\x04\x05"


# -- RemoteMonitor -------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, dict(self.headers), body))
            self.send_response(200 if self.path != "/broken" else 500)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", received
        running.shutdown()
        thread.join()


def test_a_remote_monitor_sends_each_epoch(server):
    root, received = server
    form = callbacks.RemoteMonitor(root, headers={"X-Run": "7"})
    plain = callbacks.RemoteMonitor(root, "/json", send_as_json=True)
    logs = model_of().fit(X, Y, epochs=2, callbacks=[form, plain], verbose=0).history
    assert [path for path, _, _ in received] == ["/publish/epoch/end/", "/json"] * 2
    _, headers, body = received[2]
    assert headers["X-Run"] == "7"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert json.loads(urllib.parse.parse_qs(body)["data"][0]) == {"epoch": 1, "loss": logs["loss"][1]}
    assert received[3][1]["Content-Type"] == "application/json"
    assert json.loads(received[3][2]) == {"epoch": 1, "loss": logs["loss"][1]}


def test_a_server_that_fails_is_warned_of(server):
    root, _ = server
    with pytest.warns(UserWarning, match="could not send epoch 3 to .*500"):
        callbacks.RemoteMonitor(root, "/broken").on_epoch_end(3, {"loss": np.float32(1)})
    with pytest.warns(UserWarning, match="could not send epoch 0 to http://127.0.0.1:1"):
        callbacks.RemoteMonitor("http://127.0.0.1:1").on_epoch_end(0)
    with pytest.raises(ConfigError, match="got 'file:///etc'"):
        callbacks.RemoteMonitor("file:///etc")


# -- SwapEMAWeights ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's
@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_are_swapped_in_as_in_keras(tmp_path, on_epoch):
    runs = []
    for K in (keryx, keras):
        model = model_of(K.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.7), K)
        swap = K.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch)
        path = str(tmp_path / f"{K.__name__}-{{epoch}}.weights.h5")
        save = K.callbacks.ModelCheckpoint(path, save_weights_only=True)
        logs = model.fit(
            X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[swap, save], validation_data=(X, Y)
        ).history
        final = model.get_weights()
        saved = []
        for epoch in (1, 2, 3):
            model.load_weights(path.format(epoch=epoch))
            saved.append(model.get_weights())
        runs.append((logs["val_loss"], final, *saved))
    for ours, theirs in zip(*runs, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, 1e-5, 1e-5)


@pytest.mark.parametrize("kind", ["plain", "scaled", "several"])
def test_weights_come_back_after_an_evaluation_and_a_prediction(kind):
    keeping = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.7)
    optimizer = {
        "plain": lambda: keeping,
        "scaled": lambda: optimizers.LossScaleOptimizer(keeping, initial_scale=2.0),
        "several": lambda: optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.SGD(), {".*body.*": keeping})),
    }[kind]()
    model = model_of(optimizer)
    x, y = X[:8], Y[:8]
    for _ in range(4):
        model.train_on_batch(x, y)
    before = model.get_weights()
    nest = optimizer.nest if kind != "several" else optimizer.nest["0"]
    average = {path: v.numpy() for path, v in nest["average"].items()}
    swap = callbacks.SwapEMAWeights()
    with_average = model_of()
    with_average.set_weights([average.get(path, v.numpy()) for path, v in model.named_variables.items()])
    wanted, plain = with_average.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0)
    assert wanted != pytest.approx(plain)
    assert model.evaluate(x, y, verbose=0, callbacks=[swap]) == pytest.approx(wanted, rel=1e-5)
    got = model.predict(x, verbose=0, callbacks=[swap])
    np.testing.assert_allclose(got, with_average.predict(x, verbose=0), 1e-5)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.train_on_batch(x, y)


def test_swapping_wants_averages():
    with pytest.raises(ConfigError, match="'sgd' keeps no average of the weights: make it with use_ema=True"):
        model_of().fit(X, Y, callbacks=[callbacks.SwapEMAWeights()], verbose=0)
    model = model_of(optimizers.SGD(use_ema=True))
    with pytest.raises(ConfigError, match="has not begun yet"):
        model.evaluate(X, Y, callbacks=[callbacks.SwapEMAWeights()], verbose=0)


def test_a_progress_logger_changes_nothing(capsys):
    shown = []
    for extra in ([], [callbacks.ProgbarLogger()]):
        model_of().fit(X, Y, callbacks=extra)
        shown.append(capsys.readouterr().out.count("Epoch 1/1"))
    assert shown == [1, 1]
    assert not callbacks.CallbackList([callbacks.ProgbarLogger()]).wants_batches("train")


# -- what the callbacks of other programs rely on ------------------------------------------------------------------


def habits_of(K):
    """What the callback of a tool does, in either library."""

    class Habits(K.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.order, self.batches, self.rates, self.kinds = [], [], [], set()

        def set_model(self, model):
            super().set_model(model)
            self.order.append("model")

        def set_params(self, params):
            super().set_params(params)
            self.order.append("params")

        def on_train_begin(self, logs=None):
            self.order.append(("begin", logs, self.params["epochs"], self.params["steps"], self.params["verbose"]))

        def on_train_batch_begin(self, batch, logs=None):
            self.batches.append(("begin", batch, dict(logs or {})))

        def on_train_batch_end(self, batch, logs=None):
            self.batches.append(("end", batch, sorted(logs)))
            self.kinds |= {type(value) for value in logs.values()}

        def on_test_begin(self, logs=None):
            self.order.append("test")

        def on_test_batch_end(self, batch, logs=None):
            self.batches.append(("test", batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            self.kinds |= {type(value) for value in logs.values()}
            self.order.append((epoch, sorted(logs)))
            optimizer = self.model.optimizer
            self.rates.append(float(np.asarray(optimizer.learning_rate)))
            optimizer.learning_rate.assign(0.5 * self.rates[-1])
            self.rates.append(float(optimizer.learning_rate.numpy().item()))
            logs["own"] = 7.0
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs=None):
            self.order.append(("end", logs["loss"] > 0))

    return Habits()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_a_callback_of_a_tool_lives_through_the_same_as_in_keras():
    seen = {}
    for K in (keryx, keras):
        model, habits = model_of(K=K), habits_of(K)
        history = model.fit(
            X, Y, batch_size=16, epochs=4, validation_data=(X, Y), callbacks=[habits], verbose=0, shuffle=False
        )
        assert habits.model is model
        seen[K] = habits.order, habits.batches, habits.kinds, sorted(history.history), history.epoch
        np.testing.assert_allclose(habits.rates, [0.01, 0.005, 0.005, 0.0025], 1e-6)
    assert seen[keryx] == seen[keras]
    assert seen[keryx][2] == {float}


def test_a_callback_list_of_ones_own_loop_tells_each_of_model_and_params():
    seen = []
    for K in (keryx, keras):
        model, habits = model_of(K=K), habits_of(K)
        told = K.callbacks.CallbackList([habits], model=model, epochs=3, steps=2, verbose=0)
        told.on_train_begin()
        told.on_train_batch_end(0, {"loss": 1.0})
        told.on_train_end({"loss": 1.0})
        seen.append((habits.order, habits.batches))
    assert seen[0] == seen[1]


class Uploads(callbacks.ModelCheckpoint):
    """As the checkpoint of Weights & Biases: it asks its base class what was saved, and where."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sent = []

    def on_train_batch_end(self, batch, logs=None):
        if self._should_save_on_batch(batch):
            self._save_model(epoch=self._current_epoch, batch=batch, logs=logs)
            self.sent.append(self._get_file_path(epoch=self._current_epoch, batch=batch, logs=logs))

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.save_freq == "epoch":
            self.sent.append(self._get_file_path(epoch=epoch, batch=None, logs=logs))


@pytest.mark.parametrize(("freq", "names"), [("epoch", ["m-1.keras", "m-2.keras"]), (3, ["m-1.keras", "m-2.keras"])])
def test_a_checkpoint_of_a_tool_asks_its_base_what_was_saved(tmp_path, freq, names):
    uploads = Uploads(tmp_path / "m-{epoch}.keras", save_freq=freq)
    model_of().fit(X, Y, batch_size=10, epochs=2, callbacks=[uploads], verbose=0)
    assert uploads.sent == [str(tmp_path / name) for name in names]
    assert all(keryx.models.load_model(path).built for path in uploads.sent)


def test_a_batch_method_may_be_taken_up_as_an_epoch_begins():
    """As tqdm's callback does; `needs_every_batch` is seen anew each epoch."""

    class Late(callbacks.Callback):
        seen = ()

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.on_batch_end = lambda batch, logs=None: setattr(self, "seen", (*self.seen, batch))

    late = Late()
    model_of().fit(X, Y, batch_size=10, epochs=3, callbacks=[late], verbose=0)
    assert late.seen == (0, 1, 2, 3) * 2
