"""The data sets, from small files of their form on the loopback address, beside Keras's own loaders of these files."""

import gzip
import hashlib
import importlib
import io
import json
import os
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
import pytest
from serving import Files, serving

import keryx
from keryx.datasets import sources
from keryx.errors import ArgumentError, FileError

ROWS = 30


def random(*shape, dtype="uint8", high=256):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def texts(rows, seed=0):
    """Lists of numbers of different lengths, as NumPy keeps them: as a pickle."""
    generator = np.random.default_rng(seed)
    lists = [generator.integers(1, 40, generator.integers(2, 12)).tolist() for _ in range(rows)]
    return np.fromiter(lists, object, rows)


class _AsPython2(pickle._Pickler):
    """Writes what Python 2 would have written: strings of bytes, and the old names of NumPy's modules."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, data):
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data if len(data) < 256 else self._long(data))
        self.memoize(data)

    def _long(self, data):
        return pickle.BINSTRING + len(data).to_bytes(4, "little") + data

    def save_text(self, text):
        self.save_bytes(text.encode())

    def save_global(self, obj, name=None):
        if getattr(obj, "__name__", name) == "_reconstruct":
            self.write(pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text


def python2(thing):
    file = io.BytesIO()
    _AsPython2(file, 2).dump(thing)
    return file.getvalue()


def cifar(folder, names, **labels):
    """A batch of one image, as the files of CIFAR hold them."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for i, name in enumerate(names):
            rows = OrderedDict(data=random(1, 3072) + np.uint8(i), filenames=["a.png"], batch_label="batch 1 of 5")
            data = python2(dict(rows) | {key: [i % value] for key, value in labels.items()})
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes())


LABELS = random(ROWS, dtype="int64", high=2)
FILES = {
    "mnist.npz": npz(
        x_train=random(4, 28, 28), y_train=random(4), x_test=random(2, 28, 28), y_test=random(2, dtype="uint8", high=9)
    ),
    "boston_housing.npz": npz(x=random(ROWS, 13, dtype="float64"), y=random(ROWS, dtype="float64")),
    "california_housing.npz": npz(x=random(700, 8, dtype="float32"), y=random(700, dtype="float32")),
    "imdb.npz": npz(x_train=texts(ROWS), y_train=LABELS, x_test=texts(ROWS, 1), y_test=LABELS[::-1]),
    "reuters.npz": npz(x=texts(ROWS), y=LABELS),
    "imdb_word_index.json": json.dumps({"the": 1, "ciné": 2}).encode(),
    "reuters_word_index.json": json.dumps({"the": 1, "of": 2}).encode(),
    "cifar-10-python.tar.gz": cifar(
        "cifar-10-batches-py", [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], labels=10
    ),
    "cifar-100-python.tar.gz": cifar("cifar-100-python", ["train", "test"], fine_labels=100, coarse_labels=20),
    "train-images-idx3-ubyte.gz": idx(random(5, 28, 28)),
    "train-labels-idx1-ubyte.gz": idx(random(5, high=10)),
    "t10k-images-idx3-ubyte.gz": idx(random(2, 28, 28)),
    "t10k-labels-idx1-ubyte.gz": idx(random(2, high=10)),
}


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The files on a server of ours, with their checksums."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "ours"))
    with serving(Files({f"/{name}": data for name, data in FILES.items()})) as files:
        monkeypatch.setattr(sources, "STORE", files.url)
        monkeypatch.setattr(sources, "TORONTO", files.url)
        for name in sources.CHECKSUMS:
            monkeypatch.setitem(sources.CHECKSUMS, name, hashlib.sha256(FILES[name]).hexdigest())
        yield files


@pytest.fixture
def oracle(tmp_path, monkeypatch):
    """Keras's loader of a data set, given the same files."""

    def get_file(fname=None, origin=None, extract=False, **_):
        data = FILES[os.path.basename(origin)]
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        if extract:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(folder, filter="data")
            return str(folder)
        (folder / os.path.basename(origin)).write_bytes(data)
        return str(folder / os.path.basename(origin))

    def module(name):
        found = importlib.import_module(f"keras.src.datasets.{name}")
        monkeypatch.setattr(found, "get_file", get_file)
        return found

    return module


def same(ours, theirs):
    for (x, y), (their_x, their_y) in zip(ours, theirs, strict=True):
        for a, b in ((x, their_x), (y, their_y)):
            assert type(a) is np.ndarray
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            assert a.tolist() == b.tolist()


TEXT_OPTIONS = [
    {},
    {"num_words": 20},
    {"num_words": 20, "skip_top": 6, "oov_char": None},
    {"maxlen": 8, "seed": 7},
    {"start_char": None, "index_from": 5},
    {"start_char": None, "index_from": 0, "num_words": 30, "oov_char": 9},
]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mnist", {}),
        ("fashion_mnist", {}),
        ("boston_housing", {}),
        ("boston_housing", {"test_split": 0.33, "seed": 2}),
        ("california_housing", {}),
        ("california_housing", {"version": "small", "test_split": 0.0}),
        ("cifar100", {}),
        ("cifar100", {"label_mode": "coarse"}),
        *(("imdb", options) for options in TEXT_OPTIONS),
        *(("reuters", options) for options in [*TEXT_OPTIONS, {"test_split": 0.5}]),
    ],
)
def test_as_keras_loads_it(name, options, served, oracle):
    ours = importlib.import_module(f"keryx.datasets.{name}").load_data(**options)
    same(ours, oracle(name).load_data(**options))


def test_cifar10(served, oracle):
    """Keras's loader has room for 50,000 images: a batch of one fills 10,000 rows."""
    (x, y), test = keryx.datasets.cifar10.load_data()
    (their_x, their_y), their_test = oracle("cifar10").load_data()
    assert (x.shape, y.shape) == ((5, 32, 32, 3), (5, 1))
    same([(x, y), test], [(their_x[::10_000], their_y[::10_000]), their_test])


def test_channels_first(served):
    (x, _), _ = keryx.datasets.cifar100.load_data()
    keryx.config.set_image_data_format("channels_first")
    try:
        (first, _), _ = keryx.datasets.cifar100.load_data()
    finally:
        keryx.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), x)


def test_words_and_topics(served, oracle):
    assert keryx.datasets.imdb.get_word_index() == {"the": 1, "ciné": 2}
    assert keryx.datasets.reuters.get_word_index() == oracle("reuters").get_word_index()
    assert keryx.datasets.reuters.get_label_names() == keras.datasets.reuters.get_label_names()


def test_addresses_and_checksums_are_those_of_keras():
    for name in ("boston_housing", "california_housing", "cifar10", "cifar100", "imdb", "mnist", "reuters"):
        text = Path(importlib.import_module(f"keras.src.datasets.{name}").__file__).read_text()
        for file, digits in sources.CHECKSUMS.items():
            if file in text:
                assert digits in text
    text = Path(keras.src.datasets.cifar100.__file__).read_text()
    assert sources.TORONTO in text
    assert sources.STORE in Path(keras.src.datasets.imdb.__file__).read_text()


def test_loaded_once(served, tmp_path):
    for _ in range(2):
        keryx.datasets.mnist.load_data()
        keryx.datasets.cifar100.load_data()
    assert len(served.asked) == 2
    keryx.datasets.mnist.load_data(path="other.npz")
    found = sorted(path.name for path in (tmp_path / "ours/datasets").iterdir())
    assert found == ["cifar-100-python-target", "cifar-100-python-target_archive", "mnist.npz", "other.npz"]


def test_where_there_is_no_network(served, tmp_path):
    served.failures = [404]
    with pytest.raises(FileError, match=r"place it as .*ours/datasets/mnist\.npz"):
        keryx.datasets.mnist.load_data()
    (tmp_path / "ours/datasets/mnist.npz").write_bytes(FILES["mnist.npz"])
    (x, _), _ = keryx.datasets.mnist.load_data()
    assert x.shape == (4, 28, 28)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keryx.datasets.boston_housing.load_data(test_split=1.0), "test_split"),
        (lambda: keryx.datasets.california_housing.load_data(version="huge"), "'small' or 'large'"),
        (lambda: keryx.datasets.cifar100.load_data("middle"), "'fine' or 'coarse'"),
        (lambda: keryx.datasets.imdb.load_data(maxlen=2), "maxlen=2 leaves no text"),
    ],
)
def test_wrong_arguments(served, call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


# -- files that are not what they should be --------------------------------------------------------------------------


class Evil:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def object_array(thing):
    """A file .npz whose one array holds this."""
    array = np.empty(1, object)
    array[0] = thing
    return npz(x=array)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", ["npz", "pickle"])
def test_nothing_is_run(tmp_path, place, protocol):
    evil = Evil(os.mkdir, str(tmp_path / "made"))
    (tmp_path / "a").write_bytes(object_array(evil) if place == "npz" else pickle.dumps({"data": evil}, protocol))
    read = sources.arrays if place == "npz" else lambda path: sources.unpickled(io.BytesIO(path.read_bytes()), path)
    with pytest.raises(FileError, match=r"holds '\w+\.mkdir'.*not to be trusted"):
        read(tmp_path / "a")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'a'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy\ndtype\n(S'V8'\ntR.",
        b"cnumpy\ndtype\n(S'O8,O8'\ntR.",
        b"cnumpy\nndarray\n((K\x02tS'O8'\ntR.",
        b"cnumpy\ndtype.type\n.",
        b"\x80\x02}\x82\x01.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02(K\x01",
        b"",
    ],
)
def test_pickles_that_are_refused(pickled):
    with pytest.raises(FileError, match=r"^a (holds|is damaged)"):
        sources.unpickled(io.BytesIO(pickled), Path("a"))


def array_pickle(shape, name, data, state=None, version=1):
    """What makes an array, as NumPy pickles it, each part as one likes."""
    state = state or (3, "|", None, None, None, -1, -1, 0)

    class DType(Evil):
        def __reduce__(self):
            return np.dtype, (name, False, True), state

    class Array(Evil):
        def __reduce__(self):
            make = np.zeros(1).__reduce__()[0]
            return make, (np.ndarray, (0,), b"b"), (version, shape, DType(None), False, data)

    return pickle.dumps(Array(None))


def test_arrays_over_memory_that_is_not_theirs():
    """A dtype of objects that a pickle says to be plain bytes would take these for addresses."""
    read = sources.unpickled(io.BytesIO(array_pickle((2,), "i4", bytes(8), (3, "<", *(None,) * 3, -1, -1, 0))), "a")
    assert read.tolist() == [0, 0]
    for shape, name, data in [
        ((1,), "O8", bytes(8)),
        ((2,), "O8", [1]),
        ((3,), "i4", bytes(8)),
        ((-1,), "i4", bytes(4)),
        ((10**12,), "i4", bytes(4)),
        ((1,), "V8", bytes(8)),
        ((1,), "i4", [1]),
    ]:
        with pytest.raises(FileError, match="damaged"):
            sources.unpickled(io.BytesIO(array_pickle(shape, name, data, (3, "|", *(None,) * 3, 8, 8, 0))), "a")


def test_what_is_read_is_plain(tmp_path):
    things = {"a": np.arange(3, dtype=">i2"), "b": [np.float32([1.5]), "text", None], "c": np.asfortranarray(np.eye(2))}
    read = sources.unpickled(io.BytesIO(pickle.dumps(things)), tmp_path)
    assert read["a"].tolist() == [0, 1, 2]
    assert read["b"][0].tolist() == [1.5]
    assert read["c"].tolist() == [[1, 0], [0, 1]]
    read = sources.unpickled(io.BytesIO(python2({"a": np.arange(3)})), tmp_path, "bytes")
    assert read[b"a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"text", FILES["imdb.npz"][:-500], object_array([1])[:300]])
def test_damaged_files(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FileError, match="Delete it"):
        sources.arrays(tmp_path / "a.npz")


def test_damaged_images(served, tmp_path):
    folder = tmp_path / "ours/datasets/fashion-mnist"
    keryx.datasets.fashion_mnist.load_data()
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(FILES["t10k-labels-idx1-ubyte.gz"][:-6])
    with pytest.raises(FileError, match=r"t10k-labels-idx1-ubyte\.gz is damaged"):
        keryx.datasets.fashion_mnist.load_data()
