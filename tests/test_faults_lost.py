"""Nothing is lost: no memory to put weights back, a clock that went with a failed call, a compile that was refused."""

import os
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest
from faulty import X, Y, assert_whole, batches, regressor

import keryx
from keryx import layers
from keryx.callbacks import LambdaCallback
from keryx.core import lending
from keryx.errors import ConfigError
from keryx.training import rescue


def lose(model):
    """Take all that is lent away, as a call does that runs out of memory."""
    for array in jax.tree.leaves([model.session.loan().values()]):
        if isinstance(array, jax.Array):
            array.delete()
    raise MemoryError("out of memory")


@pytest.mark.parametrize("again", ["get_weights", "predict", "fit", "train_on_batch", "set_weights"])
def test_no_memory_to_put_the_weights_back(monkeypatch, again):
    model = regressor()
    model.fit(X, Y, verbose=0)
    before = model.get_weights()

    to_device, free = rescue._to_device, []

    def full(host):
        if not free:
            raise MemoryError("still full")
        return to_device(host)

    monkeypatch.setattr(rescue, "_to_device", full)
    hooks = LambdaCallback(on_train_batch_end=lambda *_: lose(model))
    with pytest.raises(MemoryError, match="out of memory") as caught:
        model.fit(batches(X, Y), steps_per_epoch=3, verbose=0, callbacks=[hooks])
    assert "kept on the host" in "".join(caught.value.__notes__)
    for _ in range(2):
        with pytest.raises(MemoryError, match="still full"):
            model.predict(X, verbose=0)
    free.append(True)
    if again == "set_weights":
        model.set_weights(before)
    elif again == "get_weights":
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    else:
        getattr(model, again)(*((X,) if again == "predict" else (X, Y)))
    monkeypatch.undo()
    assert_whole(model)


@pytest.mark.parametrize("then", ["fit", "train_on_batch", "evaluate"])
def test_all_that_a_failed_call_took_with_it_is_whole_again(then):
    model = regressor()
    model.fit(X, Y, verbose=0)
    before, step = model.get_weights(), int(model.session.clock["step"])
    with pytest.raises(MemoryError):
        model.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_train_batch_end=lambda *_: lose(model))])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.session.clock["step"]) == step
    assert np.isfinite(float(model.metrics[0].result()))
    getattr(model, then)(X, Y)
    assert_whole(model)


@pytest.mark.parametrize("moment", ["lend", "take", "within take"])
def test_a_second_ctrl_c_while_the_weights_are_lent(monkeypatch, moment):
    model = regressor()
    model.fit(X, Y, verbose=0)

    def twice():
        monkeypatch.undo()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    begin, end, close = lending.Loan.begin, lending.Loan.end, lending.Loan.close
    if moment == "lend":
        monkeypatch.setattr(
            lending.Loan, "begin", lambda self, taken_over=True: (begin(self, taken_over), taken_over and twice())[0]
        )
    elif moment == "take":
        monkeypatch.setattr(lending.Loan, "end", lambda self, values: (twice(), end(self, values)))
    else:
        monkeypatch.setattr(
            lending.Loan, "close", lambda self, *a, **k: (self.returned and twice(), close(self, *a, **k))
        )
    before = model.get_weights()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=3, verbose=0)
    monkeypatch.undo()
    moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(moved) == (moment == "within take")
    model.train_on_batch(X, Y)
    assert_whole(model)


def test_a_callback_of_the_step_that_fails_leaves_a_model_that_trains():
    class Failing(layers.Layer):
        fails = True

        def call(self, inputs):
            def check(x):
                if Failing.fails:
                    raise OSError("the disk is gone")
                return x

            shape = jax.ShapeDtypeStruct(inputs.shape, inputs.dtype)
            return inputs + 0 * jax.pure_callback(check, shape, jax.lax.stop_gradient(inputs))

    Failing.fails = False
    x = keryx.Input((3,), name="x")
    model = keryx.Model(x, layers.Dense(2, name="y")(Failing()(x)))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    Failing.fails = True
    with pytest.raises(Exception, match="the disk is gone"):
        model.fit(X, Y, verbose=0)
    Failing.fails = False
    model.train_on_batch(X, Y)
    assert_whole(model)


# -- compile takes effect whole, or not at all -----------------------------------------------------------------------

REFUSED = {
    "loss": {"optimizer": "adam", "loss": "mean_squared_eror"},
    "metric": {"optimizer": "adam", "loss": "mae", "metrics": ["accurcy"]},
    "weights": {"optimizer": "adam", "loss": "mae", "loss_weights": [1.0, 2.0, 3.0]},
    "number": {"optimizer": "adam", "loss": 5},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_compile_that_is_refused_leaves_the_one_before(kind):
    model, twin = regressor(), regressor()
    twin.set_weights(model.get_weights())
    for one in (model, twin):
        one.fit(X, Y, shuffle=False, verbose=0)
    with pytest.raises(ConfigError):
        model.compile(**REFUSED[kind], run_eagerly=True)
    assert (model.loss, model.run_eagerly, type(model.optimizer).__name__) == ("mse", False, "SGD")
    for one in (model, twin):
        one.fit(X, Y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_ctrl_c_in_compile(monkeypatch):
    model = regressor()
    model.fit(X, Y, verbose=0)
    session = model.session
    resolve = keryx.training.asked.Asked.with_losses

    def interrupted(*given):
        signal.raise_signal(signal.SIGINT)
        return resolve(*given)

    monkeypatch.setattr(keryx.training.asked.Asked, "with_losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.compile("adam", "mae")
    monkeypatch.undo()
    whole = model.session is not session
    assert (model.loss == "mae") == whole == (type(model.optimizer).__name__ == "Adam")
    assert_whole(model)


OUT_OF_MEMORY = """
import resource
import numpy as np
import keryx
from keryx import layers

x = keryx.Input((8,))
model = keryx.Model(x, layers.Dense(1)(layers.Dense(1500)(layers.Dense(1500)(x))))
model.compile("adam", "mse")

def batches():
    while True:
        yield np.ones((16384, 8), "float32"), np.ones((16384, 1), "float32")

model.fit(batches(), steps_per_epoch=1, verbose=0)  # now all is compiled
before = model.get_weights()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 30 * 2**20, resource.RLIM_INFINITY))
try:
    model.fit(batches(), steps_per_epoch=1, verbose=0)
    raise SystemExit("there was enough memory")
except Exception as error:
    assert "Out of memory" in str(error), error
    assert "from the beginning of the epoch" in error.__notes__[0]
finally:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
model.fit(batches(), steps_per_epoch=1, verbose=0)
print("whole")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a process's memory is Linux's")
def test_a_process_that_runs_out_of_memory_in_fit_loses_nothing():
    environment = os.environ | {"KERYX_FREED_MEMORY": "returned"}
    ran = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.stdout.strip() == "whole", ran.stderr[-2000:]
