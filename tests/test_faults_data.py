"""What data may look like at every door: byte orders, masked and missing values, text, dates, and false counts."""

import faulty
import numpy as np
import pytest
from faulty import IDS, LABELS, ROWS, X, Y, batches, survives

import keryx
from keryx import layers
from keryx.callbacks import LambdaCallback
from keryx.errors import ArgumentError, ConfigError, DataError


@pytest.fixture(scope="module", name="classifier")
def _classifier():
    return faulty.classifier()


@pytest.fixture(scope="module", name="regressor")
def _regressor():
    return faulty.regressor()


def swapped(array, dtype=None):
    """The same numbers in the byte order that is not the processor's."""
    array = np.asarray(array, dtype)
    return array.astype(array.dtype.newbyteorder())


DOORS = {
    "fit": lambda m, x, y: m.fit(x, y, shuffle=False, verbose=0).history["loss"],
    "generator": lambda m, x, y: m.fit(batches(x, y), steps_per_epoch=3, verbose=0).history["loss"],
    "weights": lambda m, x, y: m.fit(x, y, sample_weight=swapped(np.arange(ROWS) + 1.0), verbose=0) and [],
    "evaluate": lambda m, x, y: m.evaluate(x, y, verbose=0),
    "train_on_batch": lambda m, x, y: m.train_on_batch(x, y),
    "test_on_batch": lambda m, x, y: m.test_on_batch(x, y),
    "predict": lambda m, x, y: m.predict(x, verbose=0),
    "predict_on_batch": lambda m, x, y: m.predict_on_batch(x),
    "call": lambda m, x, y: m(x),
    "layer": lambda m, x, y: m.layers[1](x),
}


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "f2"])
@pytest.mark.parametrize("door", DOORS)
def test_the_byte_order_of_another_machine(door, dtype):
    make, x, y = (faulty.embedder, IDS, Y) if dtype[0] == "i" else (faulty.classifier, X, LABELS)
    results = []
    for turn in (np.asarray, swapped):
        keryx.utils.set_random_seed(3)
        model = make()
        given = np.asarray(x, dtype)
        results.append([DOORS[door](model, turn(given), turn(y)), *model.get_weights()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_longdouble_and_scalars_of_another_byte_order(regressor):
    expected = regressor.predict(X, verbose=0)
    np.testing.assert_array_equal(regressor.predict(X.astype(np.longdouble), verbose=0), expected)
    regressor.fit(X.astype(np.longdouble), Y.astype(np.longdouble), verbose=0)
    variable = keryx.Variable(swapped(X))
    np.testing.assert_array_equal(variable.numpy(), X)
    variable.assign(swapped(X + 1))
    np.testing.assert_array_equal(variable.numpy(), X + 1)


def test_masked_arrays(regressor):
    masked = np.ma.masked_array(X, X > 1)
    for call in (
        lambda: regressor.fit(masked, Y, verbose=0),
        lambda: regressor.fit(batches(masked, Y), steps_per_epoch=2, verbose=0),
        lambda: regressor.fit(X, np.ma.masked_array(Y, Y > 1), verbose=0),
        lambda: regressor.predict(masked, verbose=0),
        lambda: regressor(masked),
    ):
        with survives(regressor, DataError, "masked elements", "x.filled"):
            call()
    np.testing.assert_array_equal(
        regressor.predict(np.ma.masked_array(X, X > 100), verbose=0), regressor.predict(X, verbose=0)
    )


def test_text_labels(classifier):
    names = np.array(["cat", "dog", "eel"])[LABELS]
    for call in (
        lambda: classifier.fit(X, names, verbose=0),
        lambda: classifier.fit(batches(X, names), steps_per_epoch=2, verbose=0),
        lambda: classifier.evaluate(X, names, verbose=0),
        lambda: classifier.train_on_batch(X, names),
    ):
        with survives(classifier, DataError, "<U3, not numbers", "numpy.unique(y, return_inverse=True)"):
            call()
    with survives(classifier, DataError, "object, not numbers", "numpy.unique(y, return_inverse=True)"):
        classifier.fit(X, names.astype(object), verbose=0)


def test_missing_values_of_pandas(regressor):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abc")).astype("Float32")
    frame.loc[3, "b"] = pandas.NA
    with survives(regressor, DataError, "missing values (NA)", "fillna"):
        regressor.fit(frame, Y, verbose=0)
    with survives(regressor, DataError, "missing values (NA)"):
        regressor.predict(frame, verbose=0)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (X.astype(np.complex64), "real and imaginary parts"),
        (X.astype("U3"), "not numbers"),
        (np.full(X.shape, "2020-01-01", "datetime64[D]"), "not numbers"),
        (np.full(X.shape, None, object), "not numbers"),
    ],
    ids=["complex", "text", "dates", "objects"],
)
def test_a_model_called_on_what_are_no_numbers(regressor, x, said):
    with survives(regressor, DataError, "'x'", said):
        regressor(x)


def test_sparse_matrices(regressor):
    sparse = pytest.importorskip("scipy.sparse")
    for call in (regressor.fit, regressor.evaluate):
        with survives(regressor, DataError, "The data is sparse, a csr_matrix. Give x.toarray()"):
            call(sparse.csr_matrix(X), Y, verbose=0)


@pytest.mark.parametrize("table", [{"a": 1.0}, {0: "heavy"}, {0: None}, {0.5: 1.0}, {"0": 1.0}])
def test_class_weights_that_are_no_numbers(classifier, table):
    with survives(classifier, DataError, "a number for each class"):
        classifier.fit(X, LABELS, class_weight=table, verbose=0)


def test_class_weights_by_whole_floats(classifier):
    tables = [{0: 2.0, 1: 0.5, 2: 1.0}, {0.0: 2.0, np.float64(1.0): 0.5}]
    losses = [classifier.fit(X, LABELS, class_weight=table, verbose=0).history["loss"] for table in tables]
    assert np.isfinite(losses).all()
    with pytest.raises(DataError, match="a number for each class"):
        classifier.train_on_batch(X, LABELS, class_weight={"a": 1.0})
    with pytest.raises(DataError, match="a number for each class"):
        classifier.fit(batches(X, LABELS), class_weight={"a": 1.0}, verbose=0)


@pytest.mark.parametrize("epoch", [-1, 1.5, "1", True])
def test_initial_epoch(regressor, epoch):
    with survives(regressor, ArgumentError, "a whole initial_epoch from 0", repr(epoch)):
        regressor.fit(X, Y, initial_epoch=epoch, epochs=3, verbose=0)


@pytest.mark.parametrize("share", ["a", -0.1, 1.5, True])
def test_validation_split(regressor, share):
    with survives(regressor, ArgumentError, "validation_split lies between 0 and 1", repr(share)):
        regressor.fit(X, Y, validation_split=share, verbose=0)


@pytest.mark.parametrize("after", ["often", 0, 1.5, None])
def test_validation_freq(regressor, after):
    with survives(regressor, ArgumentError, "validation_freq", repr(after)):
        regressor.fit(X, Y, validation_data=(X, Y), validation_freq=after, verbose=0)


@pytest.mark.parametrize("data", [(), (None, Y)])
def test_validation_data_without_inputs(regressor, data):
    with survives(regressor, DataError, "The validation of fit()", "x is None"):
        regressor.fit(X, Y, validation_data=data, verbose=0)


@pytest.mark.parametrize("what", [{"loss": 5}, {"loss": ["mse", 5]}, {"metrics": 5}, {"metrics": {"y": [1]}}])
def test_compile_of_a_number(what):
    model = faulty.regressor()
    with survives(model, ConfigError, "by name, as an object or as a function"):
        model.compile(**{"loss": "mse"} | what)


def unbuilt():
    model = keryx.Sequential([layers.Dense(2, name="y")])
    model.compile("sgd", "mse")
    return model


def test_an_unbuilt_model_is_given_nothing():
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(DataError, match="x is None"):
            getattr(unbuilt(), method)(None, Y)


def test_a_built_model_is_given_nothing(regressor):
    for method in ("train_on_batch", "test_on_batch", "predict_on_batch", "predict"):
        with survives(regressor, DataError, "x is None"):
            getattr(regressor, method)(None)
    with survives(regressor, DataError, "x is None", "In batch 0 that the generator gave"):
        regressor.fit((None for _ in range(2)), verbose=0)


def test_single_batches_of_lists_and_frames_on_an_unbuilt_model():
    pandas = pytest.importorskip("pandas")
    for x in (X.tolist(), pandas.DataFrame(X)):
        assert np.isfinite(unbuilt().train_on_batch(x, Y))
        assert np.isfinite(unbuilt().test_on_batch(x, Y))


@pytest.mark.parametrize("source", ["arrays", "generator"])
def test_wrong_targets_of_validation_are_found_before_the_first_step(regressor, source):
    wrong = np.zeros((ROWS, 5), np.float32)
    steps = []
    hooks = [LambdaCallback(on_train_begin=lambda *_: steps.append(0), on_train_batch_end=lambda *_: steps.append(0))]
    data = {"validation_data": (X, wrong)}
    if source == "generator":
        data = {"validation_data": iter(lambda: (X, wrong), None), "validation_steps": 1}
    with survives(regressor, Exception, "(24, 5)", "In the validation data of fit()"):
        regressor.fit(X, Y, verbose=0, callbacks=hooks, **data)
    assert not steps


@pytest.mark.parametrize(
    "bad", [np.full(2, "a"), np.full(2, 1j), np.full(2, "2020", "M8[Y]"), np.full(2, None)], ids=lambda a: a.dtype.name
)
def test_set_weights_changes_nothing_where_one_value_is_bad(regressor, bad):
    given = [np.zeros_like(w) for w in regressor.get_weights()[:-1]]
    with survives(regressor, DataError, "cannot take a value of"):
        regressor.set_weights([*given, bad])
