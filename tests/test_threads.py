"""Several threads at once: what another thread reads while a model is trained, and who waits for whom."""

import _thread
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.callbacks import LambdaCallback
from keryx.core import lending
from keryx.core.lending import Loan, reading
from keryx.core.variable import Variable
from keryx.errors import StateError

random = np.random.default_rng(0)
X = random.normal(size=(256, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)
PATIENT = 60  # seconds after which a test has hung


def twins(optimizer="adam", **options):
    """A model of two kernels that are the same at every moment, for they begin so and have the same gradient."""
    x = keryx.Input((3,))
    sides = [layers.Dense(1, use_bias=False, kernel_initializer="ones", name=name)(x) for name in ("left", "right")]
    model = keryx.Model(x, layers.add(sides))
    model.compile(optimizer, "mse", **options)
    return model


def beside(work, function):
    """Call `function` again and again in a thread while `work()` runs: what it returned, and what `work` did."""
    over, seen = threading.Event(), []

    def again():
        while not over.is_set():
            seen.append(function())

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(again)
        try:
            done = work()
        finally:
            over.set()
        future.result(PATIENT)
    return seen, done


READERS = {
    "get_weights": lambda model: model.get_weights(),
    "numpy": lambda model: [v.numpy() for v in model.weights],
    "value": lambda model: [v.value for v in model.weights],
    "predict": lambda model: [model.predict(np.eye(3), verbose=0)],
    "predict many": lambda model: [model.predict(np.tile(np.eye(3), (50, 1)), verbose=0)],
    "call": lambda model: [model(np.eye(3))],
    "evaluate": lambda model: [model.evaluate(X, Y, verbose=0)],
    "test_on_batch": lambda model: [model.test_on_batch(X, Y)],
    "iterations": lambda model: [model.optimizer.iterations],
    "slots": lambda model: jax.tree.leaves(model.optimizer.state),
    "metrics": lambda model: [metric.result() for metric in model.metrics],
    "a layer": lambda model: [model.layers[1](X)],
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("source", ["arrays", "stream"])
def test_who_reads_while_another_thread_fits(kind, source):
    model = twins()
    READERS[kind](model) if kind not in ("slots", "metrics") else None
    data, steps = ((X, Y), None) if source == "arrays" else ((iter(lambda: (X[:32], Y[:32]), None),), 8)

    def work():
        return model.fit(*data, batch_size=32, steps_per_epoch=steps, epochs=60, verbose=0)

    seen, history = beside(work, lambda: READERS[kind](model))
    assert len(seen) > 5
    assert all(np.isfinite(np.asarray(array)).all() for arrays in seen for array in arrays)
    # What others read does not count in what is logged, and leaves no trace.
    alone = twins().fit(*data, batch_size=32, steps_per_epoch=steps, epochs=3, shuffle=False, verbose=0)
    assert history.history.keys() == alone.history.keys()
    assert model.optimizer.iterations == 60 * 8


@pytest.mark.parametrize("kind", ["get_weights", "predict"])
def test_what_is_read_is_of_one_moment(kind):
    model = twins()

    def read():
        if kind == "get_weights":
            return model.get_weights()
        with reading(model.weights) as values:
            return [np.asarray(value) for value in values]

    batches = iter(lambda: (X[:8], Y[:8]), None)
    seen, _ = beside(lambda: model.fit(batches, steps_per_epoch=2000, verbose=0), read)
    assert len({float(left[0, 0]) for left, _ in seen}) > 5  # it was read while it changed
    assert all(np.array_equal(left, right) for left, right in seen)


def test_the_numbers_of_a_fit_are_those_without_readers():
    def history(read):
        keryx.utils.set_random_seed(1)
        model = twins(metrics=["mae"])
        return beside(lambda: model.fit(X, Y, epochs=20, verbose=0), lambda: read(model))[1].history

    alone = history(lambda model: time.sleep(0.001))
    read = history(lambda model: (model.evaluate(X[:16], Y[:16] + 9, verbose=0), model.predict(X[:2], verbose=0)))
    assert alone == read


def test_set_weights_beside_a_fit_waits_and_is_not_lost():
    model = twins(keryx.optimizers.SGD(0.0))
    other = iter(range(1, 10**9))

    def write():
        number = next(other)
        model.set_weights([np.full((3, 1), number)] * 2)
        return [number, *(float(w[0, 0]) for w in model.get_weights())]

    batches = iter(lambda: (X[:8], Y[:8]), None)
    seen, _ = beside(lambda: model.fit(batches, steps_per_epoch=1000, verbose=0), write)
    assert len(seen) > 5
    assert all(number == left == right for number, left, right in seen)


def test_two_threads_fit_two_models(capsys):
    models = [twins() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(m.fit, X, Y, epochs=20, verbose=1, validation_data=(X, Y)) for m in models]
        losses = [run.result(PATIENT).history["val_loss"] for run in runs]
    assert all(loss[-1] < loss[0] for loss in losses)


def test_two_threads_fit_two_models_that_share_a_layer():
    shared = layers.Dense(3, use_bias=False)
    models = []
    for _ in range(2):
        x = keryx.Input((3,))
        models.append(keryx.Model(x, layers.Dense(1)(shared(x))))
        models[-1].compile("sgd", "mse")
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(m.fit, X, Y, batch_size=8, epochs=30, verbose=0) for m in models]
        assert all(np.isfinite(run.result(PATIENT).history["loss"]).all() for run in runs)


def test_many_threads_call_what_nobody_has_built():
    built = []

    class Slow(layers.Layer):
        def build(self, input_shape):
            built.append(self)
            time.sleep(0.05)  # another thread gets this far meanwhile, if nothing keeps it out
            self.kernel = self.add_weight((input_shape[-1], 4), name="kernel")

        def call(self, inputs):
            return inputs @ self.kernel

    class Mine(keryx.Model):
        def __init__(self):
            super().__init__()
            self.slow = Slow()

        def call(self, inputs):
            return self.slow(inputs)

    layer = Slow()
    for predict in (Mine().predict, keryx.Sequential([Slow()]).predict, layer):
        start = threading.Barrier(8)

        def run(start=start, predict=predict):
            start.wait()
            return [predict(X[:rows]) for rows in (1, 7, 100)]

        with ThreadPoolExecutor(8) as pool:
            results = [future.result(PATIENT) for future in [pool.submit(run) for _ in range(8)]]
        for outputs in results:
            for one, other in zip(outputs, results[0], strict=True):
                np.testing.assert_array_equal(one, other)
    assert len(built) == 3


def test_threads_take_steps_in_turn():
    model = twins()
    model.train_on_batch(X, Y)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(lambda: [model.train_on_batch(X, Y) for _ in range(20)]) for _ in range(4)]
        assert all(np.isfinite(future.result(PATIENT)).all() for future in futures)
    assert model.optimizer.iterations == 81


def test_a_second_fit_of_one_model_in_another_thread_is_refused():
    model, errors = twins(), []

    def second(*_):
        for train in (lambda: model.fit(X, Y, verbose=0), lambda: model.train_on_batch(X, Y)):
            with ThreadPoolExecutor(1) as pool:
                errors.append(pool.submit(train).exception(PATIENT))

    model.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_epoch_end=second)])
    assert all(isinstance(error, StateError) for error in errors)
    assert "is being trained by fit() in another thread" in str(errors[0])
    model.fit(X, Y, verbose=0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(model.fit, X, Y, verbose=0).result(PATIENT)


def test_a_callback_reads_measures_and_predicts_in_its_own_thread_and_in_another():
    model, seen = twins(metrics=["mae"]), []

    def use(*_):
        for kind in ("get_weights", "predict", "value", "evaluate", "metrics"):
            seen.append(READERS[kind](model))
            with ThreadPoolExecutor(1) as pool:
                seen.append(pool.submit(READERS[kind], model).result(PATIENT))

    hooks = LambdaCallback(on_train_batch_begin=use, on_train_batch_end=use, on_epoch_end=use, on_test_batch_end=use)
    model.fit(X, Y, batch_size=128, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[hooks])
    assert len(seen) > 100


@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_callback_of_the_step_that_reads_the_weights_is_told_so(thread):
    model = None

    class Reads(layers.Layer):
        def call(self, inputs, training=False):
            if not training:
                return inputs

            def read(x):
                return x + 0 * model.get_weights()[0].sum()

            shape = jax.ShapeDtypeStruct(inputs.shape, inputs.dtype)
            return inputs + jax.pure_callback(read, shape, jax.lax.stop_gradient(inputs))

    x = keryx.Input((3,))
    model = keryx.Model(x, layers.Dense(1)(Reads()(x)))
    model.compile("sgd", "mse")
    before = model.get_weights()
    with ThreadPoolExecutor(1) as pool:
        fit = model.fit if thread == "main" else lambda *a, **k: pool.submit(model.fit, *a, **k).result(PATIENT)
        with pytest.raises(Exception, match="lent to the step that runs just now"):
            fit(X, Y, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# -- what was handed out ---------------------------------------------------------------------------------------------


def test_a_value_that_somebody_holds_stays_readable():
    model = twins()
    model.fit(X, Y, verbose=0)
    held = [*(v.value for v in model.weights), *jax.tree.leaves(model.optimizer.state), model.metrics[0].total.value]
    layer = model.layers[1]
    with keryx.core.scope.run(keryx.core.scope.Scope()):
        held.append(layer.kernel.value)
    before = [np.array(value) for value in held]
    model.fit(X, Y, epochs=3, verbose=0)
    model.train_on_batch(X, Y)
    for value, kept in zip(held, before, strict=True):
        np.testing.assert_array_equal(np.asarray(value), kept)


def test_only_what_was_handed_out_is_copied(monkeypatch):
    model, copied = twins(metrics=["mae"]), []
    model.fit(X, Y, verbose=0)  # the optimizer's state was handed the weights
    monkeypatch.setattr(lending.jnp, "copy", lambda array: copied.append(array.shape) or jnp.array(array))
    everything = {"epochs": 3, "verbose": 0, "validation_data": (X, Y)}
    use = LambdaCallback(
        on_epoch_end=lambda *_: (model.predict(X[:1]), model.get_weights(), model.evaluate(X, Y, verbose=0))
    )
    model.fit(X, Y, **everything, callbacks=[use])
    model.evaluate(X, Y, verbose=0)
    model.fit(X, Y, **everything)
    assert not copied
    held = model.layers[1].kernel.value
    model.fit(X, Y, **everything)
    assert copied == [held.shape]


# -- the loan itself -------------------------------------------------------------------------------------------------


def lent_elsewhere(variables):
    """A loan that another thread has begun, and what lets it end."""
    go, begun = threading.Event(), threading.Event()

    def lend():
        loan = Loan(variables)
        values = loan.begin()
        begun.set()
        go.wait(PATIENT)
        loan.end([value + 1 for value in values])

    thread = threading.Thread(target=lend)
    thread.start()
    begun.wait(PATIENT)
    return thread, go


def test_ctrl_c_while_waiting_for_a_loan():
    variable = Variable([1.0])
    thread, go = lent_elsewhere([variable])
    main = threading.main_thread().ident
    for read in (lambda: variable.value, lambda: variable.assign([5.0]), Loan([variable]).begin, variable.numpy):
        timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            read()
    go.set()
    thread.join(PATIENT)
    assert variable.numpy().tolist() == [2.0]
    assert not lending._readings


def test_who_waits_is_served_before_the_values_are_lent_again():
    variables = [Variable([1.0]), Variable([1.0])]
    loan = Loan(variables)
    loan.begin()
    seen = []

    def read():
        with reading(variables) as values:
            seen.append([float(value[0]) for value in values])

    threads = [threading.Thread(target=read) for _ in range(5)]
    threads.append(threading.Thread(target=variables[0].store, args=([7.0],)))
    for thread in threads:
        thread.start()
    while len(loan.requests) < len(threads):
        time.sleep(0.001)
    loan.end([jnp.array([3.0]), jnp.array([4.0])])
    assert [float(value[0]) for value in loan.begin()] == [7.0, 4.0]
    for thread in threads:
        thread.join(PATIENT)
    assert seen == [[3.0, 4.0]] * 5
    loan.close()


def test_loans_of_shared_variables_wait_for_each_other():
    a, b, c = (Variable([0.0]) for _ in range(3))

    def count(cells):
        loan = Loan(cells)
        for _ in range(200):
            loan.end([value + 1 for value in loan.begin()])

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(count, cells) for cells in ([a, b], [b, c], [c, a])]
        for future in futures:
            future.result(PATIENT)
    assert [v.numpy().item() for v in (a, b, c)] == [400.0] * 3


def test_a_reading_may_end_while_a_loan_begins(monkeypatch):
    class Reading(list):
        def __iter__(self):
            lending.end_reading(self)  # as another thread does at any time
            return super().__iter__()

    variable = Variable([1.0])
    held = variable._value
    for values in (Reading([held]), Reading([held])):
        monkeypatch.setitem(lending._readings, id(values), values)
    loan = Loan([variable])
    (lent,) = loan.begin()
    loan.end([lent])
    assert lent is not held  # for it was being read
    assert not lending._readings


def test_a_thread_that_python_did_not_start_waits_for_a_while_only(monkeypatch):
    monkeypatch.setattr(lending, "PATIENCE", 0.2)
    variable = Variable([1.0])
    thread, go = lent_elsewhere([variable])
    errors, over = [], threading.Event()

    def read():
        try:
            variable.numpy()
        except StateError as error:
            errors.append(error)
        over.set()

    _thread.start_new_thread(read, ())
    assert over.wait(PATIENT)
    assert "Hand their values to the callback" in str(errors[0])
    go.set()
    thread.join(PATIENT)


def test_a_loan_that_is_cut_short_puts_back_what_is_whole():
    variables = [Variable([1.0]), Variable([2.0])]
    loan = Loan(variables)
    loan.begin()
    loan.close()
    assert [v.numpy().item() for v in variables] == [1.0, 2.0]
    loan.begin()
    variables[0]._value = loan.lent[0]  # it was cut short while values were being given back
    loan.returned = [jnp.array([8.0]), jnp.array([9.0])]
    loan.close()
    assert [v.numpy().item() for v in variables] == [1.0, 9.0]
    loan.begin()
    with pytest.raises(StateError, match="2 values were lent, and 1 came back"):
        loan.end([jnp.array([8.0])])
    loan.close()


def test_a_fit_that_fails_ends_what_it_has_lent():
    model = twins()

    def fail(*_):
        raise RuntimeError("failed")

    with pytest.raises(RuntimeError, match="failed"):
        model.fit(X, Y, verbose=0, callbacks=[LambdaCallback(on_train_batch_end=fail)])
    assert not any(isinstance(v._value, lending.Away) for v in model.variables)
