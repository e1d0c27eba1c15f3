"""Training in the words of Keras 1 and 2: what is asked for, what is logged, the rules of optimizers."""

import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers, optimizers
from keryx.callbacks import Callback
from keryx.compat import use
from keryx.compat.dialects import name
from keryx.compat.dialects.training import optimizers as old
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError
from keryx.models import Sequential

X, Y = np.linspace(0, 1, 24).reshape(8, 3), np.linspace(0, 1, 8)[:, None]


def model_for(*compiled, **more):
    model = Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile(*compiled, **more)
    return model


@pytest.fixture(scope="module")
def fitted():
    """A model that was fitted in the words of Keras 1, its History, and what a callback was told."""

    class Told(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.logs = dict(logs)

    told = Told()
    with use(1):
        model = model_for("sgd", "mse", ["accuracy", "mae", "precision"])
        history = model.fit(X, Y, 4, 2, 0, [told], 0.0, (X, Y))
    return model, history, told


def test_metrics_are_logged_by_the_names_of_their_age(fitted):
    _, history, told = fitted
    names = {"acc", "loss", "mean_absolute_error", "precision"}
    assert set(history.history) == names | {f"val_{one}" for one in names}
    assert set(told.logs) == set(history.history)
    assert len(history.history["acc"]) == 2
    assert history.history["val_accuracy"] is history.history["val_acc"]
    assert history.history["mae"] is history.history["mean_absolute_error"]
    with pytest.raises(KeyError):
        history.history["val_nothing"]


def test_callbacks_are_told_what_they_were(fitted):
    told = fitted[2].params
    assert (told["nb_epoch"], told["nb_sample"], told["samples"], told["batch_size"]) == (2, 8, 8, 4)
    assert told["do_validation"]
    assert {"loss", "acc", "val_acc"} <= set(told["metrics"])


def test_a_checkpoint_takes_its_period_by_position():
    with use(2):
        checkpoint = name("keras.callbacks", "ModelCheckpoint")("a.h5", "val_acc", 1, True, True, "max", 2)
    assert (checkpoint.period, checkpoint.monitor) == (2, "val_acc")


def test_callbacks_are_told_of_batches_what_they_were():
    class Batches(Callback):
        def on_train_begin(self, logs=None):
            self.told = []

        def on_batch_begin(self, batch, logs=None):
            self.told.append((logs["batch"], logs["size"]))

        def on_batch_end(self, batch, logs=None):
            assert (logs["batch"], logs["size"]) == self.told[-1]
            assert {"loss", "acc"} <= set(logs)

    batches = Batches()
    with use(2):
        model_for("sgd", "mse", ["acc"]).fit(X, Y, 4, 1, 0, [batches], validation_split=0.25, shuffle=False)
    assert batches.told == [(0, 4), (1, 2)]
    assert batches.params["samples"] == 6


@pytest.mark.parametrize("given", [{"validation_data": (X[6:], Y[6:, 0])}, {"validation_split": 0.25}])
def test_callbacks_find_what_is_held_out(given):
    class Scores(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.seen = self.validation_data

    scores = Scores()
    with use(2):
        model_for("sgd", "mse").fit(X, Y[:, 0], verbose=0, callbacks=[scores], **given)
    x, y, weight = scores.seen
    np.testing.assert_array_equal(x, X[6:])
    np.testing.assert_array_equal(y, Y[6:])
    assert weight.tolist() == [1, 1]


def test_a_function_is_given_targets_in_a_column():
    def error(y_true, y_pred):
        return jnp.mean(jnp.abs(y_true - y_pred))

    with use(2):
        model = model_for("sgd", "mse", [error, "mae"])
        _, of_function, by_name = model.evaluate(X, Y[:, 0], verbose=0)
    assert of_function == pytest.approx(by_name)
    with use(1):
        model = model_for("sgd", "mse", ["precision"])
        assert model.evaluate(X, np.ones(8), verbose=0)[1] <= 1


def test_an_epoch_of_a_generator_is_counted_in_samples():
    seen = []

    def batches():
        while True:
            seen.append(1)
            yield X[:4], Y[:4]

    class Steps(Callback):
        count = 0

        def on_batch_end(self, batch, logs=None):
            self.count += 1

    steps = Steps()
    with use(1):
        model = model_for("sgd", "mse")
        model.fit_generator(batches(), 10, 2, verbose=0, callbacks=[steps], max_q_size=2, nb_worker=1)
        assert model.predict_generator(batches(), val_samples=9).shape == (12, 1)
        assert model.evaluate_generator(batches(), 8) == pytest.approx(model.evaluate(X[:4], Y[:4], verbose=0))
    assert steps.count == 2 * 3


def test_ten_epochs_were_the_usual_in_keras_1():
    with use(1):
        assert len(model_for("sgd", "mse").fit(X, Y, verbose=0).epoch) == 10
    with use(2):
        assert len(model_for("sgd", "mse").fit(X, Y, verbose=0).epoch) == 1


def test_words_of_keras_0_are_refused_with_todays():
    with use(1), pytest.raises(ArgumentError, match="metrics=\\['accuracy'\\]"):
        model_for("sgd", "mse").fit(X, Y, show_accuracy=True, verbose=0)
    with use(2), pytest.raises(ArgumentError, match="target_tensors"):
        model_for("sgd", "mse", target_tensors=[1])


def test_files_have_any_name(tmp_path):
    with use(1):
        model = model_for("sgd", "mse")
        model.save(tmp_path / "whole.model")
        model.save_weights(str(tmp_path / "w.hdf5"))
        model.save_weights(str(tmp_path / "weights"), overwrite=True)
        other = model_for("sgd", "mse")
        other.load_weights(str(tmp_path / "weights"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.hdf5", "weights", "whole.model"]
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(
        keryx.models.load_model(tmp_path / "whole.model").get_weights()[0], model.get_weights()[0]
    )


def far(y_true, y_pred):
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize("age", [1, 2])
def test_losses_metrics_and_functions_of_layers_are_written_by_name(age, tmp_path):
    with use(age):
        model = Sequential([layers.Dense(2, input_dim=2), layers.Lambda(far, arguments={"y_pred": 0.5})])
        model.compile("sgd", far, metrics=[far, "cosine_proximity"])
        model.save(tmp_path / "model.h5")
        with pytest.raises(ConfigError, match=r"names 'far'.*custom_objects"):
            keryx.models.load_model(tmp_path / "model.h5")
        read = keryx.models.load_model(tmp_path / "model.h5", custom_objects={"far": far})
        x, y = np.ones((4, 2)), np.ones((4,))
        assert read.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
        model = Sequential([layers.Lambda(lambda x: x, input_shape=(2,))])
        with pytest.raises(ConfigError, match=r"lambda.*cannot be written down"):
            model.save(tmp_path / "lambda.h5")


@pytest.mark.parametrize("optimizer", ["rmsprop", "adagrad", "nadam"])
def test_what_is_no_more_goes_through_a_file(optimizer, tmp_path):
    path = tmp_path / "model.h5"
    with use(1):
        added = layers.Highway(), layers.MaxoutDense(2)
        model = Sequential([layers.Dense(2, input_dim=2), *added])
        model.compile(optimizer, "mse", metrics=["precision"])
        model.save(path)
        read = keryx.models.load_model(path)
        for one in (model, read):
            one.fit(X[:, :2], np.ones((len(X), 2)), nb_epoch=3, shuffle=False, verbose=0)
        np.testing.assert_array_equal(read.get_weights()[0], model.get_weights()[0])
        assert type(read.optimizer) is type(model.optimizer)
        model = model_for(optimizer, "mse")
        model.save(path)
    assert type(keryx.models.load_model(path).optimizer).__module__.startswith("keryx.optimizers")


@pytest.mark.parametrize(
    ("age", "loss", "wanted"),
    [(1, "hinge", 1.0), (2, "squared_hinge", 1.0), (1, "cosine_proximity", -1 / 2), (2, "cosine_proximity", -1.0)],
)
def test_a_loss_is_the_one_of_its_age(age, loss, wanted):
    targets = np.ones((3, 2)) if loss == "cosine_proximity" else np.zeros((3, 2))  # which today's hinge takes for -1
    with use(age):
        model = Sequential([layers.Activation("linear", input_shape=(2,))])
        for given in (loss, name("keras.losses", loss)):
            model.compile("sgd", given)
            assert model.evaluate(np.ones((3, 2)), targets, verbose=0) == pytest.approx(wanted)


# -- optimizers --------------------------------------------------------------------------------------------------------

GRADIENTS = [np.array([0.5, -2.0]), np.array([0.1, 0.3]), np.array([-1.0, 0.2])]


def steps(optimizer):
    """Where two weights that begin at 1 are after three steps."""
    weights = Variable(np.ones(2, "float32"))
    for gradient in GRADIENTS:
        optimizer.apply([gradient.astype("float32")], [weights])
    return weights.numpy()


def rmsprop(lr, epsilon, decay):
    w, n = np.ones(2), np.zeros(2)
    for t, g in enumerate(GRADIENTS):
        n = 0.9 * n + 0.1 * g * g
        w = w - lr / (1 + decay * t) * g / (np.sqrt(n) + epsilon)
    return w


def adagrad(lr, epsilon):
    w, n = np.ones(2), np.zeros(2)
    for g in GRADIENTS:
        n = n + g * g
        w = w - lr * g / (np.sqrt(n) + epsilon)
    return w


def nadam(lr, epsilon, schedule_decay):
    w, m, v, product = np.ones(2), np.zeros(2), np.zeros(2), 1.0
    for t, g in enumerate(GRADIENTS, 1):
        now, ahead = (0.9 * (1 - 0.5 * 0.96 ** (n * schedule_decay)) for n in (t, t + 1))
        product *= now
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        mean = (1 - now) * g / (1 - product) + ahead * m / (1 - product * ahead)
        w = w - lr * mean / (np.sqrt(v / (1 - 0.999**t)) + epsilon)
    return w


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("RMSprop(lr=0.1, epsilon=0.1, decay=0.5)", rmsprop(0.1, 0.1, 0.5)),
        ("RMSprop()", rmsprop(0.001, 1e-8, 0)),
        ("Adagrad(0.1, 0.01)", adagrad(0.1, 0.01)),
        ("Nadam(0.1, schedule_decay=0.3)", nadam(0.1, 1e-8, 0.3)),
    ],
)
def test_a_rule_is_the_old_one(code, wanted):
    with use(1):
        found = steps(eval(f"optimizers.{code}"))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_rules_of_today_give_other_numbers():
    assert abs(steps(optimizers.RMSprop(0.1, epsilon=0.1)) - rmsprop(0.1, 0.1, 0)).max() > 1e-2
    assert abs(steps(optimizers.Nadam(0.1)) - nadam(0.1, 1e-7, 0.004)).max() > 1e-3


@pytest.mark.parametrize(("age", "epsilon"), [(1, 1e-8), (2, 1e-7)])
@pytest.mark.parametrize(
    ("word", "rate"), [("sgd", 0.01), ("adam", 0.001), ("adamax", 0.002), ("adadelta", 1.0), ("Nadam", 0.002)]
)
def test_a_name_stands_for_the_numbers_of_its_age(age, epsilon, word, rate):
    with use(age):
        optimizer = model_for(word, "mse").optimizer
    assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert getattr(optimizer, "epsilon", epsilon) == epsilon


def test_the_learning_rate_is_a_variable_with_decay_or_without():
    with use(2):
        K = keryx.backend
        plain, decaying = optimizers.SGD(lr=0.5), optimizers.SGD(0.5, 0.9, 0.25, True)
        assert (decaying.momentum, decaying.nesterov, decaying.decay) == (0.9, True, 0.25)
        for optimizer in (plain, decaying):
            assert K.get_value(optimizer.lr) == np.float32(0.5)
            K.set_value(optimizer.lr, 0.25)
            assert float(optimizer.lr) == 0.25
            optimizer.lr = 0.125
            assert optimizer.lr.get_value() == np.float32(0.125)
        weights = Variable(np.ones(1, "float32"))
        for _ in range(2):
            decaying.apply([np.ones(1, "float32")], [weights])
        assert float(decaying.learning_rate) == pytest.approx(0.125 / (1 + 0.25 * 2))
        assert 2 * decaying.lr == 0.25
    assert not hasattr(plain, "lr")


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_callbacks_set_the_rate_before_the_decay_and_log_it_as_lr(decay, tmp_path):
    with use(2):
        model = Sequential([layers.Dense(1, input_dim=1, use_bias=False, kernel_initializer="ones")])
        model.compile(optimizers.SGD(lr=0.5, decay=decay), lambda y_true, y_pred: y_pred)
        scheduler = keryx.callbacks.LearningRateScheduler(lambda epoch: 0.1 * 0.5**epoch)
        written = keryx.callbacks.CSVLogger(str(tmp_path / "log.csv"))
        x = np.ones((4, 1))
        history = model.fit(x, x, 2, 3, 0, [scheduler, written], shuffle=False)
        rates = [0.1 * 0.5 ** (step // 2) / (1 + decay * step) for step in range(6)]
        assert float(model.get_weights()[0][0, 0]) == pytest.approx(1 - sum(rates))
        assert history.history["lr"] == pytest.approx([0.1, 0.05, 0.025])
        assert history.history["learning_rate"] is history.history["lr"]
        assert (tmp_path / "log.csv").read_text().startswith("epoch,loss,lr\n")
        plateau = keryx.callbacks.ReduceLROnPlateau("loss", 0.5, 1, mode="max", epsilon=0.01)
        assert plateau.min_delta == 0.01
        history = model.fit(x, x, 4, 3, 0, [plateau], shuffle=False)
    assert history.history["lr"] == pytest.approx([0.025, 0.025, 0.0125])


def test_clipnorm_was_the_norm_of_all_gradients():
    with use(2):
        optimizer = optimizers.SGD(1.0, clipnorm=1.0)
    a, b = Variable(np.zeros(1, "float32")), Variable(np.zeros(1, "float32"))
    optimizer.apply([np.array([3.0], "float32"), np.array([4.0], "float32")], [a, b])
    np.testing.assert_allclose([a.numpy()[0], b.numpy()[0]], [-0.6, -0.8], rtol=1e-5)


def test_small_letters_and_modules():
    with use(1):
        assert name("keras.optimizers", "rmsprop") is old.RMSprop
        assert isinstance(name("keras.optimizers", "get")("nadam"), old.Nadam)
        assert name("keras.regularizers", "l2")(l=0.3).l2 == 0.3
        assert name("keras.regularizers", "WeightRegularizer")(l1=0.1).l1 == 0.1
        assert name("keras.constraints", "maxnorm")(m=3).max_value == 3


def test_a_loss_that_speaks_of_the_models_tensors_keeps_the_weights_of_the_samples():
    from keryx import ops

    x = keryx.Input((3,))
    hidden = layers.Dense(2, name="hidden")(x)
    model = keryx.Model(x, layers.Dense(1)(hidden))

    def loss(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1) + ops.sum(hidden, axis=-1)

    with use(2):
        model.compile("sgd", loss)
    weight = np.linspace(0, 1, 8)
    plain = ((Y - model.predict(X, verbose=0)) ** 2)[:, 0] + keryx.Model(x, hidden).predict(X, verbose=0).sum(-1)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(plain.mean(), rel=1e-5)
    assert model.evaluate(X, Y, sample_weight=weight, verbose=0) == pytest.approx((plain * weight).mean(), rel=1e-5)
    with use(2):
        model.compile(optimizers.SGD(lr=0.5), lambda y_true, y_pred: 0 * y_pred[:, 0] + ops.sum(hidden, axis=-1))
    before = model.get_weights()
    model.train_on_batch(X, Y)
    np.testing.assert_allclose(model.get_weights()[1], before[1] - 0.5, rtol=1e-5)  # the slope of the sum is 1
    np.testing.assert_array_equal(model.get_weights()[2], before[2])


def test_what_is_trained_was_settled_by_compile():
    with use(2):
        judge = Sequential([layers.Dense(1, input_shape=(3,))])
        judge.compile("sgd", "mse")
        judge.trainable = False
        noise = layers.Input((2,))
        maker = Sequential([layers.Dense(3, input_shape=(2,))])
        both = keryx.Model(noise, judge(maker(noise)))
        both.compile("sgd", "mse")
        before = [model.get_weights()[0].copy() for model in (judge, maker)]
        both.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
        assert np.array_equal(judge.get_weights()[0], before[0])
        assert not np.array_equal(maker.get_weights()[0], before[1])
        judge.train_on_batch(X, Y)
        assert not np.array_equal(judge.get_weights()[0], before[0])
        assert not judge.trainable
        before = judge.get_weights()[0].copy()
        both.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        assert np.array_equal(judge.get_weights()[0], before)
        judge.fit(X, Y, verbose=0)
        assert not np.array_equal(judge.get_weights()[0], before)
