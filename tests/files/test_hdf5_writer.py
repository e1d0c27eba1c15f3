"""Writing HDF5 without the HDF5 library: h5py, Keras and our own reader find what was put into a file."""

import io

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keryx.errors import FileError
from keryx.saving import archive, hdf5
from keryx.saving.hdf5_writer import Dataset, Group, write

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=("C",)), min_size=1, max_size=9
)
NAMES = NAMES.filter(lambda name: name not in (".", ".."))
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
DTYPES = [
    "float16",
    "float32",
    "float64",
    ">f4",
    "int8",
    "int16",
    "int32",
    ">i8",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
ARRAYS = st.sampled_from([*DTYPES, "bool", "S3", "bfloat16"]).flatmap(
    lambda name: hnp.arrays(
        np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=3),
        elements=st.sampled_from([0, 1]) if name == "bfloat16" else None,
    )
)
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: np.array(words, object))
PLAIN = ARRAYS.filter(lambda array: array.dtype != "S3") | st.just(np.array([[b"ab"], [b"c"]]))
ATTRIBUTES = st.dictionaries(NAMES.filter(lambda n: n not in ("dtype", "crc32")), WORDS | PLAIN, max_size=3)
TREES = st.recursive(
    st.builds(Dataset, ARRAYS | TEXTS, ATTRIBUTES),
    lambda inner: st.builds(Group, st.dictionaries(NAMES, inner, max_size=4), ATTRIBUTES),
    max_leaves=8,
)


def written(root):
    file = io.BytesIO()
    write(file, root)
    return file.getvalue()


def by_h5py(data):
    return h5py.File(io.BytesIO(data))


def assert_equal(got, want):
    if want.dtype.kind == "O":
        assert [t.decode() if isinstance(t, bytes) else t for t in np.ravel(got)] == want.ravel().tolist()
        return
    got = np.asarray(got)
    assert (got.shape, got.dtype.kind) == (want.shape, want.dtype.kind)
    if got.dtype.kind != "V":  # scalars come in the processor's byte order, bytes without zeros at their end
        assert got.dtype.kind == "S" or got.dtype.itemsize == want.dtype.itemsize
        got = got.astype(want.dtype)
    assert got.tobytes() == want.tobytes()


def compare_attributes(got, want, of_h5py):
    assert got.keys() - {"crc32", "dtype"} == want.keys()
    for name, value in want.items():
        if isinstance(value, str):
            assert got[name] == value
        elif value.dtype.kind == "S" and not of_h5py:  # texts are read as such
            assert got[name] == np.char.decode(value).tolist()
        else:
            assert_equal(got[name], value)


def compare(got, want, of_h5py):
    """What was read from a file against what was put into it."""
    attributes = dict(got.attrs) if of_h5py else got.attributes
    compare_attributes(attributes, want.attributes, of_h5py)
    if isinstance(want, Dataset):
        assert attributes["crc32"].dtype == np.uint32
        assert_equal(got[()] if of_h5py else got.array(), want.array)
        if want.array.dtype == ml_dtypes.bfloat16:
            assert attributes["dtype"] == "bfloat16"
            assert of_h5py or got.array().dtype == want.array.dtype
        elif want.array.dtype.kind != "O":
            assert got.dtype == want.array.dtype
        return
    assert set(got) == want.members.keys()
    for name, member in want.members.items():
        compare(got[name], member, of_h5py)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=4), ATTRIBUTES)
def test_what_was_put_in_is_found(members, attributes):
    root = Group(members, attributes)
    data = written(root)
    compare(hdf5.read(data), root, of_h5py=False)
    with by_h5py(data) as file:
        compare(file, root, of_h5py=True)


def test_attributes():
    attributes = {
        "name": "größer",
        "empty": "",
        "long": "x" * 100_000,
        "number": 3,
        "flag": True,
        "numbers": np.arange(3.0),
        "names": ["dense/kernel", "größer"],
        "many": [f"layer_{i:050d}" for i in range(2000)],  # over the 64 KB that a header has for them
        "none": [],
        "nothing": None,
    }
    data = written(Group({"g": Group({}, attributes)}))
    ours = hdf5.read(data)["g"].attributes
    for name in ("name", "empty", "long", "number", "flag", "names", "many", "nothing"):
        assert ours[name] == attributes[name]
    assert ours["none"].shape == (0,)
    with by_h5py(data) as file:
        theirs = dict(file["g"].attrs)
    for name in ("name", "empty", "long", "number", "flag"):
        assert theirs[name] == attributes[name]
    assert [name.decode() for name in theirs["names"]] == attributes["names"]
    assert theirs["many"].tolist() == attributes["many"]
    assert isinstance(theirs["nothing"], h5py.Empty)


def test_groups_of_many_members_and_heaps_of_many_texts():
    texts = np.array([f"word {i}" for i in range(70_000)], object)
    data = written(Group({"many": Group({f"layer_{i}": Group() for i in range(6_000)}), "texts": texts}))
    root = hdf5.read(data)
    assert list(root["many"]) == [f"layer_{i}" for i in range(6_000)]
    assert (root["texts"].array() == texts).all()
    with by_h5py(data) as file:
        assert len(file["many"]) == 6_000
        assert isinstance(file["many/layer_5999"], h5py.Group)
        assert file["texts"][69_999] == b"word 69999"


def test_a_file_goes_on_in_h5py(tmp_path):
    (tmp_path / "a.h5").write_bytes(written(Group({"g": Group({"x": np.zeros(3)}), "h": Group()})))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for i in range(20):
            file[f"g/{i}"] = np.full(2, i)
        del file["h"]
        file["g"].attrs["name"] = "g"
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file) == ["g"]
        assert len(file["g"]) == 21
        assert file["g/19"][0] == 19


def test_a_file_streams_into_a_part_of_an_archive(tmp_path):
    big = np.arange(10**6, dtype="float32")
    with open(tmp_path / "a.zip", "wb") as file:
        whole = archive.Writer(file)
        with whole.part("w.h5") as part:
            part.seek = part.tell = None
            sums = write(part, Group({"small": np.arange(3.0), "big": big}))
        whole.close()
    root = hdf5.read(archive.Archive(tmp_path / "a.zip")["w.h5"])
    assert (root["big"].array() == big).all()
    assert sums == {name: root[name].attributes["crc32"] for name in ("small", "big")}


def test_arrays_are_asked_for_their_bytes_one_after_another():
    held = []

    class Lazy:
        shape, dtype = (1000,), np.dtype("float32")

        def __array__(self, *args, **kwargs):
            held.append(1)
            return np.full(1000, len(held), "float32")

    class File(io.BytesIO):
        def write(self, data):
            sizes.append((len(data), len(held)))
            return super().write(data)

    sizes, file = [], File()
    write(file, Group({"a": Lazy(), "b": Lazy()}))
    assert [(size, count) for size, count in sizes if size == 4000] == [(4000, 1), (4000, 2)]
    assert hdf5.read(file.getvalue())["b"].array()[0] == 2


def test_arrays_that_do_not_lie_in_one_piece():
    x = np.arange(12.0).reshape(3, 4)
    root = hdf5.read(written(Group({"t": x.T, "s": x[:, ::2]})))
    assert (root["t"].array() == x.T).all()
    assert (root["s"].array() == x[:, ::2]).all()


def test_the_same_tree_gives_the_same_bytes():
    assert written(Group({"x": np.ones(3)}, {"name": "a"})) == written(Group({"x": np.ones(3)}, {"name": "a"}))


@pytest.mark.parametrize("bit", [0, 77, 32 * 40 - 1])
def test_a_flipped_bit_names_the_array(bit):
    data = bytearray(written(Group({"layers": Group({"kernel": np.arange(40, dtype="float32"), "bias": np.zeros(4)})})))
    start = data.index(np.arange(40, dtype="float32").tobytes())
    data[start + bit // 8] ^= 1 << bit % 8
    root = hdf5.read(bytes(data))
    assert not root["layers/bias"].array().any()
    with pytest.raises(FileError, match="'layers/kernel' of the file is not what was written, its checksum"):
        root["layers/kernel"].array()


@pytest.mark.parametrize(
    ("root", "words"),
    [
        (Group({"a/b": np.zeros(1)}), "no name"),
        (Group({"..": Group()}), "no name"),
        (Group({"": Group()}), "no name"),
        (Group({"x": np.zeros(1, "complex64")}), "'x' has the dtype complex64"),
        (Group({"x": np.array([object()])}), "'x' holds object"),
        (Group({"x": Dataset(np.zeros(1), {"far": np.zeros(10_000)})}), "more than 64 KB in 'x'"),
        (Group({"x": Group(dict.fromkeys(map(str, range(65_000)), Group()))}), "more than 65,000 members in 'x'"),
    ],
)
def test_what_has_no_place_in_a_file(root, words):
    with pytest.raises(FileError, match=words):
        written(root)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")
def test_keras_loads_such_a_file(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "a.weights.h5")
    root = Group()
    theirs = hdf5.read(tmp_path / "a.weights.h5")
    for array in theirs.walk():
        root.put(array.path, array.array() + 1)
    before = model.get_weights()
    (tmp_path / "b.weights.h5").write_bytes(written(root))
    model.load_weights(tmp_path / "b.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old + 1)
