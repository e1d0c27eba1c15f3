"""The names of keras.utils and keras.backend, against Keras where it has an answer."""

import random

import keras
import numpy as np
import pytest

import keryx
from keryx import backend, utils
from keryx.errors import ArgumentError, ConfigError, DataError


@pytest.mark.parametrize(
    ("x", "options"),
    [([0, 2, 1], {}), ([[1], [0]], {}), ([[1, 0], [2, 2]], {"num_classes": 4}), (np.array([1.0, 0.0]), {})],
)
def test_to_categorical(x, options):
    ours, theirs = utils.to_categorical(x, **options), keras.utils.to_categorical(x, **options)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == np.float32


@pytest.mark.parametrize("x", [[-1, 0], [0, 3]])
def test_to_categorical_refuses_what_is_no_class(x):
    with pytest.raises(DataError, match=f"class {min(x, key=lambda n: n == 0)}"):
        utils.to_categorical(x, num_classes=3)


def test_to_categorical_refuses_fractions():
    with pytest.raises(DataError, match="integers"):
        utils.to_categorical([0.5])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "post"},
        {"maxlen": 2},
        {"maxlen": 2, "truncating": "post", "padding": "post"},
        {"maxlen": 5, "value": 9.0, "dtype": "float32"},
    ],
)
def test_pad_sequences(options):
    sequences = [[1], [], [2, 3, 4]]
    ours = utils.pad_sequences(sequences, **options)
    theirs = keras.utils.pad_sequences(sequences, **options)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


def test_pad_sequences_of_vectors():
    sequences = [np.ones((1, 2)), np.ones((3, 2))]
    np.testing.assert_array_equal(utils.pad_sequences(sequences), keras.utils.pad_sequences(sequences))
    with pytest.raises(DataError, match="one shape"):
        utils.pad_sequences([np.ones((1, 2)), np.ones((1, 3))])
    with pytest.raises(ArgumentError, match="padding"):
        utils.pad_sequences(sequences, padding="left")
    with pytest.raises(ArgumentError, match="dtype=object"):
        utils.pad_sequences([[1]], value="x")


@pytest.mark.parametrize("order", [1, 2])
def test_normalize(order):
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(utils.normalize(x, order=order), keras.utils.normalize(x, order=order))


def test_set_random_seed():
    def draws():
        utils.set_random_seed(3)
        weights = keryx.initializers.get("glorot_uniform")((2,))
        return random.random(), np.random.rand(), weights.tolist()  # noqa: NPY002

    assert draws() == draws()


def test_batches_are_packed_and_unpacked():
    assert utils.unpack_x_y_sample_weight(utils.pack_x_y_sample_weight(1, 2, 3)) == (1, 2, 3)
    assert utils.unpack_x_y_sample_weight(utils.pack_x_y_sample_weight([1, 2])) == ([1, 2], None, None)
    assert utils.unpack_x_y_sample_weight(np.float32(1)) == (1, None, None)
    with pytest.raises(DataError, match="4 parts"):
        utils.unpack_x_y_sample_weight((1, 2, 3, 4))


class Countdown(utils.Sequence):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.ended = 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return np.array([2 - index])

    def on_epoch_end(self):
        self.ended += 1


def test_py_dataset():
    data = Countdown(workers=2, use_multiprocessing=True, max_queue_size=4)
    assert (data.num_batches, data.workers, data.use_multiprocessing, data.max_queue_size) == (3, 2, True, 4)
    assert [batch.item() for batch in data] == [2, 1, 0]
    with pytest.raises(NotImplementedError, match="__len__"):
        _ = utils.PyDataset().num_batches
    with pytest.raises(ArgumentError, match="max_queue_size"):
        Countdown(max_queue_size=-1)


def test_split_dataset():
    x, y = np.arange(10), np.arange(10) * 2
    (x1, y1), (x2, y2) = utils.split_dataset((x, y), right_size=0.3, shuffle=True, seed=0)
    assert (len(x1), len(x2)) == (7, 3)
    assert sorted([*x1, *x2]) == list(range(10))
    np.testing.assert_array_equal([*y1, *y2], np.array([*x1, *x2]) * 2)
    left, right = utils.split_dataset({"a": x}, left_size=2, right_size=3)
    assert (left["a"].tolist(), right["a"].tolist()) == ([0, 1], [7, 8, 9])
    with pytest.raises(ArgumentError, match="left_size"):
        utils.split_dataset(x)
    with pytest.raises(ArgumentError, match="10 rows"):
        utils.split_dataset(x, left_size=11)
    with pytest.raises(DataError, match=r"\[9, 10\]"):
        utils.split_dataset((x, y[1:]), left_size=2)


def test_timeseries():
    series = np.arange(20.0).reshape(10, 2)
    data = utils.timeseries_dataset_from_array(series, np.arange(10), 3, sampling_rate=2, batch_size=4)
    assert len(data) == 2
    x, y = data[0]
    np.testing.assert_array_equal(x[1], series[[1, 3, 5]])
    assert y.tolist() == [0, 1, 2, 3]
    assert data[1][0].shape == (2, 3, 2)
    shuffled = utils.timeseries_dataset_from_array(series, None, 2, shuffle=True, seed=0)
    before = shuffled[0]
    shuffled.on_epoch_end()
    assert sorted(before[:, 0, 0]) == sorted(shuffled[0][:, 0, 0]) == list(np.arange(0, 18, 2))
    assert (before != shuffled[0]).any()
    first, second = (np.concatenate([*shuffled]) for _ in range(2))
    assert (first != second).any()
    single = utils.timeseries_dataset_from_array(series, np.arange(10), 3, start_index=2, end_index=7, batch_size=None)
    windows = [*single]
    assert [y for _, y in windows] == [2, 3, 4]
    np.testing.assert_array_equal(windows[1][0], series[3:6])
    for options in ({"sampling_rate": 0}, {"start_index": -1}, {"end_index": 11}, {"start_index": 5, "end_index": 5}):
        with pytest.raises(ArgumentError, match=next(iter(options))):
            utils.timeseries_dataset_from_array(series, None, 2, **options)
    with pytest.raises(DataError, match="does not fit"):
        utils.timeseries_dataset_from_array(series, None, 11)


def test_source_inputs():
    a, b, c = (keryx.Input((3,)) for _ in range(3))
    sources = utils.get_source_inputs((a + b) * (b + 1))
    assert [id(x) for x in sources] == [id(a), id(b)]
    assert utils.get_source_inputs(c)[0] is c


def test_names_begin_anew():
    utils.clear_session()
    first = keryx.layers.Dense(1).name
    utils.clear_session()
    assert keryx.layers.Dense(1).name == first


def test_custom_objects():
    def triple(x):
        return 3 * x

    with utils.custom_object_scope({"triple": triple}):
        assert keryx.activations.get("triple") is triple
    with utils.CustomObjectScope({"triple": triple}):
        assert utils.get_registered_object("triple") is triple
    assert utils.get_registered_object("triple") is None
    assert utils.get_registered_object("triple", {"triple": triple}) is triple
    with pytest.raises(ConfigError):
        keryx.activations.get("triple")
    utils.register_keras_serializable("tests")(triple)
    assert utils.get_registered_name(triple) == "tests>triple"
    assert utils.get_custom_objects().pop("tests>triple") is triple


def test_objects_as_plain_data():
    config = utils.serialize_keras_object(keryx.initializers.get("glorot_uniform"))
    assert config["class_name"] == "GlorotUniform"
    assert type(utils.deserialize_keras_object(config)).__name__ == "GlorotUniform"


def test_backend():
    assert (backend.epsilon(), backend.floatx(), backend.backend()) == (1e-7, "float32", "jax")
    v = keryx.Variable([1.0])
    backend.set_value(v, [2.0])
    assert backend.get_value(v).tolist() == [2.0]
    assert backend.get_uid("dense") + 1 == backend.get_uid("dense")
    assert backend.is_keras_tensor(keryx.Input((1,)))
    assert backend.is_float_dtype("bfloat16")
    assert not backend.is_float_dtype("int8")
    assert backend.is_int_dtype("uint8")


@pytest.mark.parametrize(
    "dtypes",
    [
        ("int32", "float32"),
        ("int8", "bfloat16"),
        ("float16", "bfloat16"),
        ("bool", "int32"),
        (int, "float16"),
    ],
)
def test_result_type(dtypes):
    assert backend.result_type(*dtypes) == keras.backend.result_type(*dtypes)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5", "a.npz"])
def test_a_warning_points_at_the_line_of_the_users(tmp_path, name):
    saved, other = (keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(n)]) for n in (2, 4))
    saved.save_weights(tmp_path / name)
    with pytest.warns(UserWarning, match=r"kernel: wants \(3, 4\)") as told:
        other.load_weights(tmp_path / name, skip_mismatch=True)
    assert told[0].filename == __file__
