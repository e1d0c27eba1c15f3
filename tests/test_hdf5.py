"""Reading HDF5 without the HDF5 library: what h5py writes is read as h5py reads it, all else is refused."""

import random

import h5py
import numpy as np
import pytest

from keryx.errors import FileError
from keryx.saving import hdf5
from keryx.saving.limits import Budget

RNG = np.random.default_rng(0)
ARRAYS = {
    "float16": RNG.normal(size=(3, 4)).astype("float16"),
    "float32": RNG.normal(size=(7, 5, 2)).astype("float32"),
    "float64": RNG.normal(size=(9,)),
    "big_endian": RNG.normal(size=(4,)).astype(">f4"),
    "int8": np.arange(-3, 3, dtype="int8"),
    "int32": np.arange(5, dtype="int32"),
    "int64": np.array([2**40]),
    "uint16": np.array([[1], [65535]], "uint16"),
    "bool": np.array([True, False]),
    "bfloat16": np.frombuffer(b"\x80\x3f\x00\x40", "V2"),
    "scalar": np.float32(2.5),
    "empty": np.zeros((0, 3), "float32"),
    "bytes": np.array([b"ab", b"c"]),
}
PACKED = RNG.integers(0, 9, (100, 37)).astype("int32")
PACKINGS = [
    {"chunks": (7, 37)},
    {"chunks": (16, 8), "compression": "gzip"},
    {"chunks": (100, 5), "compression": "gzip", "shuffle": True},
    {"chunks": (3, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
]
ATTRIBUTES = {
    "name": "dense",
    "words": "größer ✓",
    "long": "x" * 100_000,
    "number": np.int64(7),
    "numbers": np.arange(3.0),
    "names": np.array([b"dense/kernel:0", b"dense/bias:0"]),
    "bytes": np.bytes_("2.15.0"),
    "strings": ["a", "bc"],
    "nothing": h5py.Empty("f4"),
}


def written(path, **how):
    with h5py.File(path, "w", **how) as file:
        for name, value in ARRAYS.items():
            file[f"arrays/{name}"] = value
        file.create_dataset("texts", data=["one", "zwölf"])
        file.create_dataset("unwritten", (4,), "float32")
        file.create_group("nothing")
        for i in range(100):
            file[f"many/layer_{i}/vars/0"] = np.full((2,), i, "float32")
        for name, value in ATTRIBUTES.items():
            if how and len(str(value)) > 60_000:
                continue
            file["arrays"].attrs[name] = value
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return written(tmp_path_factory.mktemp("hdf5") / "plain.h5")


def test_what_h5py_writes_is_read(plain):
    root = hdf5.read(plain)
    assert list(root) == ["arrays", "many", "nothing", "texts", "unwritten"]
    for name, value in ARRAYS.items():
        array = root[f"arrays/{name}"]
        assert (array.shape, array.dtype) == (np.shape(value), np.asarray(value).dtype)
        np.testing.assert_array_equal(array.array(), value)
        assert not array.array().flags.writeable
    assert root["texts"].array().tolist() == ["one", "zwölf"]
    assert root["unwritten"].array().tolist() == [0, 0, 0, 0]
    assert list(root["nothing"]) == []
    assert "many/layer_3/vars" in root
    assert "many/layer_3/var" not in root
    assert [float(root[f"many/layer_{i}/vars/0"].array()[0]) for i in range(100)] == list(range(100))
    assert len(list(root.walk())) == len(ARRAYS) + 2 + 100


def test_attributes(plain):
    got = hdf5.read(plain)["arrays"].attributes
    assert got.keys() == ATTRIBUTES.keys()
    for name in ("name", "words", "long"):
        assert got[name] == ATTRIBUTES[name]
    assert got["number"] == 7
    assert got["numbers"].tolist() == [0, 1, 2]
    assert got["names"] == ["dense/kernel:0", "dense/bias:0"]
    assert got["strings"] == ["a", "bc"]
    assert got["bytes"] == "2.15.0"
    assert got["nothing"] is None


@pytest.mark.parametrize("how", PACKINGS, ids=str)
def test_chunks(tmp_path, how):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("packed", data=PACKED, **how)
    np.testing.assert_array_equal(hdf5.read(tmp_path / "a.h5")["packed"].array(), PACKED)


def test_the_newer_form(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        for i in range(6):
            file[f"group/{i}"] = np.full((3,), i, "float32")
        file["group"].attrs["name"] = "g"
    root = hdf5.read(tmp_path / "a.h5")
    assert [root[f"group/{i}"].array()[0] for i in range(6)] == list(range(6))
    assert root["group"].attributes == {"name": "g"}


def test_nothing_is_copied(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros(1000, "float32")
    a, b = (hdf5.read(tmp_path / "a.h5")["x"] for _ in range(2))
    assert np.shares_memory(a.array(), a.array())
    assert not np.shares_memory(a.array(), b.array())


@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")
def test_layers_of_keras(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 2)), verbose=0)
    model.save(tmp_path / "a.h5")
    model.save_weights(tmp_path / "a.weights.h5")
    root = hdf5.read(tmp_path / "a.weights.h5")
    for i, layer in enumerate(model.layers):
        for j, value in enumerate(layer.get_weights()):
            np.testing.assert_array_equal(root[f"layers/dense{f'_{i}' * (i > 0)}/vars/{j}"].array(), value)
    whole = hdf5.read(tmp_path / "a.h5")
    assert whole.attributes["keras_version"] == keras.__version__
    assert '"Dense"' in whole.attributes["model_config"]
    weights = whole["model_weights"].attributes
    assert weights["layer_names"] == [layer.name for layer in model.layers]


# -- what is refused -----------------------------------------------------------------------------------------------


def soft_link(file):
    file["link"] = h5py.SoftLink("/x")


def external_link(file):
    file["link"] = h5py.ExternalLink("/etc/passwd", "/")


def external_storage(file):
    file.create_dataset("outside", (8,), "uint8", external=[("/etc/passwd", 0, 8)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("/other.h5", "x", (4,))
    file.create_virtual_dataset("virtual", layout)


def reference(file):
    file.create_dataset("reference", data=file["x"].ref)


def compound(file):
    file["compound"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def hard_link(file):
    file["second"] = file["x"]


def circle(file):
    file.create_group("a")
    file["a/b"] = file["a"]


def named_type(file):
    file["kind"] = np.dtype("float32")
    file.create_dataset("typed", (2,), dtype=file["kind"])


REFUSED = [soft_link, external_link, external_storage, virtual, reference, compound, hard_link, circle, named_type]


def everything(source, **budget):
    root = hdf5.read(source, Budget(**budget))
    return [(root.attributes, array.attributes, array.array()) for array in root.walk()]


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("how", [{}, {"libver": "latest"}], ids=str)
def test_refused(tmp_path, make, how):
    with h5py.File(tmp_path / "a.h5", "w", **how) as file:
        file["x"] = np.ones(3, "float32")
        make(file)
    with pytest.raises(FileError, match="a link" if make in (soft_link, external_link) else None):
        everything(tmp_path / "a.h5")


def test_shape_bomb(tmp_path):
    for how in ({}, {"chunks": (2**20,)}):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset("huge", (2**40,), "float64", **how)
        with pytest.raises(FileError, match="declares 8,796,093,022,208 bytes in"):
            hdf5.read(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("large", (2**22,), "float64", chunks=(2**20,))
    with pytest.raises(FileError, match="'large' would take"):
        hdf5.read(tmp_path / "a.h5", Budget(nbytes=2**20))["large"].array()


def test_zip_bomb(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros(2**22, "uint8"), chunks=(2**22,), compression="gzip")
    with pytest.raises(FileError, match="would take"):
        everything(tmp_path / "a.h5", nbytes=2**20)


def test_deep_and_many(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["/".join("a" * 50)] = np.ones(1)
    with pytest.raises(FileError, match="deep"):
        everything(tmp_path / "a.h5", depth=20)
    with pytest.raises(FileError, match="members"):
        everything(tmp_path / "a.h5", members=100)


def test_truncated(plain):
    data = plain.read_bytes()
    for size in (0, 7, 8, 100, 2048, len(data) - 1):
        with pytest.raises(FileError):
            everything(data[:size])
    with pytest.raises(FileError, match=r"is truncated: it should have [\d,]+ bytes, and has [\d,]+\."):
        hdf5.read(data[:-1])
    with pytest.raises(FileError, match="is no HDF5 file"):
        hdf5.read(b"PK\x03\x04" + data)


def test_mutants(tmp_path):
    """Damaged files give wrong numbers or FileErrors; never another error."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("float32", "int64", "bool", "bytes"):
            file[f"layers/dense/vars/{name}"] = ARRAYS[name]
        file["layers"].attrs["name"] = "layers"
        file.create_dataset("texts", data=["one", "two"])
        file.create_dataset("packed", data=PACKED[:8], **PACKINGS[3])
    whole = (tmp_path / "a.h5").read_bytes()
    dice = random.Random(0)
    used = [i for i, byte in enumerate(whole) if byte]  # most of the file is room to grow
    survived = refused = 0
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 1, 2, 8))):
            data[dice.choice(used)] = dice.choice((0, 1, 255, 127, 128, dice.randrange(256)))
        try:
            everything(bytes(data), nbytes=2**26)
            survived += 1
        except FileError:
            refused += 1
    assert survived > 100
    assert refused > 1000
