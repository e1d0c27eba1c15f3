"""Steps of one's own by Keras's contract on JAX: the same class over both libraries gives the same numbers."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx.errors import StateError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
random = np.random.default_rng(0)
X = random.normal(size=(24, 4)).astype("float32")
Y = np.tanh(X[:, :1] - X[:, 1:2])
WEIGHT = random.uniform(0.5, 2, size=24).astype("float32")


def build(module, cls, penalty="l2", **compiled):
    """A model of this class whose weights are the same in both libraries."""
    x = module.Input((4,))
    h = module.layers.Dense(5, activation="tanh", kernel_regularizer=penalty)(x)
    h = module.layers.BatchNormalization(momentum=0.5)(h)
    model = cls(inputs=x, outputs=module.layers.Dense(1)(h))
    draw = np.random.default_rng(1)
    model.set_weights([draw.uniform(0.2, 1, size=w.shape).astype("float32") for w in model.get_weights()])
    model.compile(optimizer=module.optimizers.Adam(0.05), **compiled)
    return model


def both(make, data=(X, Y), epochs=2, evaluates=True, **compiled):
    """Train in both libraries, and compare the logs and the weights."""
    models, logs = [], []
    for module in (keryx, keras):
        model = build(module, make(module), **compiled)
        history = model.fit(*data[:2], 8, epochs, sample_weight=(*data, None)[2], shuffle=False, verbose=0)
        logs.append(history.history)
        if evaluates:
            measured = model.evaluate(*data[:2], 8, sample_weight=(*data, None)[2], verbose=0, return_dict=True)
            logs[-1] |= {f"evaluated {name}": [value] for name, value in measured.items()}
        models.append(model)
    assert logs[0].keys() == logs[1].keys()
    for name, values in logs[0].items():
        np.testing.assert_allclose(values, logs[1][name], 1e-4, 1e-5, err_msg=name)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)
    return models[0]


def with_loss(module):
    class WithLoss(module.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            error = module.ops.mean(module.ops.abs(y - y_pred) ** 3)
            return error + sum(self.losses)

    return WithLoss


def with_more_loss(module):
    class WithMoreLoss(module.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            usual = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
            return usual + 0.1 * module.ops.mean(module.ops.square(y_pred))

    return WithMoreLoss


def with_metrics(module):
    class WithMetrics(module.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            return {**logs, "bias": module.ops.mean(y_pred - y)}

    return WithMetrics


def with_train_step(module):
    class WithStep(module.Model):
        def loss_at(self, trainable, non_trainable, x, y):
            y_pred, non_trainable = self.stateless_call(trainable, non_trainable, x, training=True)
            return self.compute_loss(x, y, y_pred), (y_pred, non_trainable)

        def train_step(self, state, data):
            trainable, non_trainable, slots, held = state
            x, y = data
            (loss, (y_pred, non_trainable)), gradients = jax.value_and_grad(self.loss_at, has_aux=True)(
                trainable, non_trainable, x, y
            )
            gradients = [0.5 * g for g in gradients]
            trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
            logs, new = {}, []
            for metric in self.metrics:
                own = held[len(new) : len(new) + len(metric.variables)]
                own = metric.stateless_update_state(own, *((loss,) if metric.name == "loss" else (y, y_pred)))
                result = metric.stateless_result(own)
                logs |= result if isinstance(result, dict) else {metric.name: result}
                new += own
            return logs, (trainable, non_trainable, slots, new)

    return WithStep


def with_trackers(module):
    class WithTrackers(module.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.error = module.metrics.Mean(name="loss")
            self.distance = module.metrics.MeanAbsoluteError(name="distance")

        @property
        def metrics(self):
            return [self.error, self.distance]

        def measured(self, held, loss, y, y_pred):
            count = len(self.error.variables)
            error = self.error.stateless_update_state(held[:count], loss)
            distance = self.distance.stateless_update_state(held[count:], y, y_pred)
            logs = {"loss": self.error.stateless_result(error), "distance": self.distance.stateless_result(distance)}
            return logs, error + distance

        def loss_at(self, trainable, non_trainable, x, y, training):
            y_pred, non_trainable = self.stateless_call(trainable, non_trainable, x, training=training)
            return jnp.mean((y - y_pred) ** 2), (y_pred, non_trainable)

        def train_step(self, state, data):
            trainable, non_trainable, slots, held = state
            (loss, (y_pred, non_trainable)), gradients = jax.value_and_grad(self.loss_at, has_aux=True)(
                trainable, non_trainable, *data, True
            )
            trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
            logs, held = self.measured(held, loss, data[1], y_pred)
            return logs, (trainable, non_trainable, slots, held)

        def test_step(self, state, data):
            trainable, non_trainable, held = state
            loss, (y_pred, non_trainable) = self.loss_at(trainable, non_trainable, *data, False)
            logs, held = self.measured(held, loss, data[1], y_pred)
            return logs, (trainable, non_trainable, held)

    return WithTrackers


@pytest.mark.parametrize("make", [with_loss, with_more_loss])
def test_compute_loss(make):
    both(make, loss="mse", metrics=["mae"])


def test_compute_loss_is_given_sample_weights():
    both(with_more_loss, (X, Y, WEIGHT), loss="mse", weighted_metrics=["mae"])


def test_compute_metrics():
    both(with_metrics, loss="mse", metrics=["mae"])


def test_a_train_step():
    both(with_train_step, loss="mse", evaluates=False, penalty=None)


def test_a_train_step_and_a_test_step_with_metrics_of_the_model_s_own():
    model = both(with_trackers)
    assert [m.name for m in model.metrics] == ["loss", "distance"]


def test_compute_loss_and_updates_of_the_library():
    def make(module):
        class WithHalves(module.Model):
            def compute_loss_and_updates(self, *args, **kwargs):
                loss, aux = super().compute_loss_and_updates(*args, **kwargs)
                return 0.5 * loss, aux

        return WithHalves

    both(make, loss="mse", metrics=["mae"])


def test_the_library_s_own_step_by_keras_s_contract_is_its_own_step():
    class Plain(keryx.Model):
        def train_step(self, state, data):
            return super().train_step(state, data)

    models = [build(keryx, cls, loss="mse", metrics=["mae"]) for cls in (Plain, keryx.Model)]
    histories = [model.fit(X, Y, 8, 3, shuffle=False, verbose=0).history for model in models]
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, 1e-5, err_msg=name)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_a_loop_of_ones_own():
    def run(module):
        model = build(module, module.Model, loss="mse")
        optimizer, metric = module.optimizers.Adam(0.05), module.metrics.MeanAbsoluteError()
        optimizer.build(model.trainable_variables)

        def loss_at(trainable, non_trainable, held, x, y):
            y_pred, non_trainable = model.stateless_call(trainable, non_trainable, x, training=True)
            return jnp.mean((y_pred - y) ** 2), (non_trainable, metric.stateless_update_state(held, y, y_pred))

        @jax.jit
        def step(state, x, y):
            trainable, non_trainable, slots, held = state
            (loss, (non_trainable, held)), gradients = jax.value_and_grad(loss_at, has_aux=True)(
                trainable, non_trainable, held, x, y
            )
            trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
            return loss, (trainable, non_trainable, slots, held)

        groups = model.trainable_variables, model.non_trainable_variables, optimizer.variables, metric.variables
        state = tuple([v.value for v in group] for group in groups)
        for i in range(0, 24, 8):
            _, state = step(state, X[i : i + 8], Y[i : i + 8])
        result = float(metric.stateless_result(state[3]))
        assert [float(v) for v in metric.stateless_reset_state()] == [0, 0]
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        assert float(metric.result()) == pytest.approx(result)
        assert int(optimizer.variables[0].value) == 3
        return result, model.get_weights()

    (ours, weights), (theirs, expected) = run(keryx), run(keras)
    assert ours == pytest.approx(theirs, rel=1e-4)
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)


def test_a_step_draws_anew_each_time():
    class Drawing(keryx.Model):
        def train_step(self, state, data):
            trainable, rest, slots, held = state
            y_pred, rest = self.stateless_call(trainable, rest, data, training=True)
            return {"loss": jnp.mean(y_pred)}, (trainable, rest, slots, held)

    x = keryx.Input((4,))
    model = Drawing(x, keryx.layers.Dropout(0.5)(x))
    model.compile("sgd")
    with pytest.warns(UserWarning, match="no weight that is trained"):
        losses = model.fit(np.ones((8, 4)), batch_size=8, epochs=8, verbose=0).history["loss"]
    assert len(set(losses)) > 2


def test_a_loss_that_is_not_finite_stops_a_step_by_keras_s_contract():
    class Broken(keryx.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return jnp.mean(y_pred) / jnp.where(jnp.mean(x) > 100, 0.0, 1.0)

    model = build(keryx, Broken)
    before = model.get_weights()
    with pytest.raises(keryx.errors.NonFiniteLossError):
        model.fit(np.full((8, 4), 200.0), np.ones((8, 1)), verbose=0)
    model.fit(np.full((8, 4), 200.0), np.ones((8, 1)), verbose=0, on_nan="continue")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("word", ["train_step", "test_step", "predict_step"])
def test_a_step_for_tensorflow_s_tape_is_told_its_form_on_jax(word):
    mine = type("Mine", (keryx.Model,), {word: lambda self, data: None})
    with pytest.raises(StateError, match=rf"Mine.{word} takes \(data\)") as error:
        mine().compile("sgd", "mse")
    form = str(error.value).split("state:\n")[1]
    space = {"jax": jax}
    exec("import jax\nclass Form:\n" + form.strip("\n"), space)
    assert f"def {word}(self, state, data):" in form
    model = build(keryx, type("Told", (keryx.Model,), {word: vars(space["Form"])[word]}), loss="mse")
    model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)
    assert model.predict(X, verbose=0).shape == Y.shape


def test_a_part_that_would_never_be_called_is_refused():
    class Mine(keryx.Model):
        def train_step(self, state, batch):
            return super().train_step(state, batch)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return 0.0

    with pytest.raises(StateError, match="compute_loss would never be called"):
        Mine().compile("sgd", "mse")


def test_a_step_that_returns_too_few_arrays():
    class Losing(keryx.Model):
        def train_step(self, state, data):
            return {"loss": jnp.zeros(())}, (state[0][:1], *state[1:])

    with pytest.raises(StateError, match="has to return 6 arrays for 6 variables; got 1"):
        build(keryx, Losing, loss="mse").fit(X, Y, verbose=0)


def test_a_step_on_arrays_holds_the_constraints():
    def run(module):
        w = module.Variable(np.full(3, 0.1, "float32"))
        w.constraint = module.constraints.NonNeg()
        optimizer = module.optimizers.SGD(1.0)
        optimizer.build([w])
        (value,), _ = optimizer.stateless_apply([v.value for v in optimizer.variables], [jnp.ones(3)], [w.value])
        return np.asarray(value)

    np.testing.assert_array_equal(run(keryx), [0, 0, 0])


class Watched(keryx.layers.Dense):
    """A layer with a metric of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.largest = keryx.metrics.Mean(name="largest")


def with_lists(module):
    class WithLists(module.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.errors = [module.metrics.Mean(name="loss"), module.metrics.MeanAbsoluteError(name="distance")]
            self.named = {"squares": module.metrics.MeanSquaredError(name="squares")}

        def call(self, x):
            return self.layer(x)

    return WithLists


def test_metrics_in_lists_and_on_layers_are_the_models():
    model = with_lists(keryx)()
    model.layer = Watched(1)
    model(X)
    model.compile("sgd", "mse")
    own = [*model.errors, *model.named.values(), model.layer.largest]
    assert set(own) <= set(model.metrics)
    assert {id(v) for m in own for v in m.variables} <= {id(v) for v in model.metrics_variables}
    model.errors[0].update_state(3.0)
    model.reset_metrics()
    assert float(model.errors[0].result()) == 0
    assert not {id(v) for v in model.metrics_variables} & {id(v) for v in model.variables}


def pair(module):
    """A model that is never called as a whole: its steps, which take what comes, see to all."""

    class Pair(module.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = (module.Sequential([module.Input((n,)), module.layers.Dense(1)]) for n in (4, 1))
            draw = np.random.default_rng(1)
            for net in (self.one, self.other):
                net.set_weights([draw.uniform(0.2, 1, size=w.shape).astype("float32") for w in net.get_weights()])
            self.built = True

        def train_step(self, *args, **kwargs):
            return self.my_step(*args, **kwargs)

        def my_step(self, state, data):
            trainable, rest, optimizer, metrics = state
            y = data["y"] if isinstance(data, dict) else data[1]
            x = data["x"] if isinstance(data, dict) else data[0]

            def distance(weights):
                middle, _ = self.one.stateless_call(weights[:2], [], x)
                y_pred, _ = self.other.stateless_call(weights[2:], [], middle)
                return jnp.mean((y_pred - y) ** 2)

            loss, gradients = jax.value_and_grad(distance)(trainable)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            with module.StatelessScope(list(zip(self.metrics_variables, metrics, strict=True))) as scope:
                self._loss_tracker.update_state(loss, sample_weight=len(x))
            metrics = [scope.get_current_value(v) for v in self.metrics_variables]
            return {"loss": loss}, (trainable, rest, optimizer, metrics)

    return Pair()


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_model_whose_steps_see_to_all_needs_no_call(as_dict):
    weights, logs, trackers = [], [], []
    for module in (keryx, keras):
        model = pair(module)
        model.compile(module.optimizers.Adam(0.05))
        data = ({"x": X, "y": Y},) if as_dict else (X, Y)
        logs.append(model.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"])
        weights.append(model.get_weights())
        trackers.append(float(model._loss_tracker.result()))
    np.testing.assert_allclose(logs[0], logs[1], 1e-4)
    np.testing.assert_allclose(trackers[0], trackers[1], 1e-4)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-5)


def test_what_has_no_call_cannot_be_evaluated_without_a_step():
    model = pair(keryx)
    model.compile("sgd")
    model.fit(X, Y, verbose=0)
    with pytest.raises(StateError, match="has neither inputs and outputs nor a call"):
        model.evaluate(X, Y, verbose=0)


def test_a_step_whose_parts_are_not_built_calls_the_model_first():
    class Lazy(keryx.Model):
        def __init__(self):
            super().__init__()
            self.layer = keryx.layers.Dense(1)
            self.built = True

        def call(self, x):
            return self.layer(x)

        def train_step(self, state, data):
            return super().train_step(state, data)

    model = Lazy()
    model.compile("sgd")
    model.fit(X, Y, verbose=0)
    assert model.layer.kernel.shape == (4, 1)


def test_a_step_that_logs_a_loss_and_leaves_its_mean_alone_shows_the_last_loss():
    class Bare(keryx.Model):
        def train_step(self, state, data):
            trainable, rest, optimizer, metrics = state
            loss_at = jax.value_and_grad(lambda w: jnp.mean((self.stateless_call(w, rest, data[0])[0] - data[1]) ** 2))
            loss, gradients = loss_at(trainable)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return {"loss": loss}, (trainable, rest, optimizer, metrics)

    model = build(keryx, Bare)
    assert model.fit(X, Y, verbose=0).history["loss"][0] > 0


class OwnHelper(keryx.Model):
    """As in Keras's guide to steps on JAX, whose helper has the name of a part of the step and other arguments."""

    def compute_loss_and_updates(self, trainable_variables, non_trainable_variables, x, y, training=False):
        y_pred, rest = self.stateless_call(trainable_variables, non_trainable_variables, x, training=training)
        return self.compute_loss(x, y, y_pred), (y_pred, rest)

    def train_step(self, state, data):
        trainable, rest, slots, held = state
        at = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (_, rest)), gradients = at(trainable, rest, *data, training=True)
        trainable, slots = self.optimizer.stateless_apply(slots, gradients, trainable)
        return {"loss": loss}, (trainable, rest, slots, held)


def test_a_helper_of_the_user_s_with_the_name_of_a_part_of_the_step():
    model = build(keryx, OwnHelper, loss="mse")
    assert np.isfinite(model.fit(X, Y, 8, verbose=0).history["loss"]).all()
    assert np.isfinite(model.train_on_batch(X, Y))
    told = r"OwnHelper.compute_loss_and_updates takes \(trainable.*but test_step calls it with.*another name"
    for measure in (model.evaluate, model.test_on_batch):
        with pytest.raises(StateError, match=told):
            measure(X, Y)
    with pytest.raises(StateError, match=told):
        model.fit(X, Y, 8, validation_data=(X, Y), verbose=0)


def test_a_step_that_logs_no_loss_of_that_name():
    class Pair(OwnHelper):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {"d_loss": logs["loss"], "g_loss": 2 * logs["loss"], "accuracy": jnp.nan}, state

    model = build(keryx, Pair, loss="mse")
    history = model.fit(X, Y, 8, verbose=0).history
    assert set(history) == {"accuracy", "d_loss", "g_loss"}
    assert np.isfinite(history["d_loss"]).all()
    before = model.get_weights()
    with pytest.raises(keryx.errors.NonFiniteLossError):
        model.fit(X, np.full_like(Y, np.inf), 8, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_compute_loss_of_several_outputs_without_targets():
    class Agreeing(keryx.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return jnp.mean((y_pred[0] - y_pred[1]) ** 2)

    x = keryx.Input((4,))
    model = Agreeing(x, [keryx.layers.Dense(1)(x), keryx.layers.Dense(1)(x)])
    model.compile("adam", "mse")
    history = model.fit(X, epochs=2, verbose=0).history
    assert history.keys() == {"loss"}
    assert history["loss"][1] < history["loss"][0]
