"""Weights in every format: Keras loads ours, ours loads Keras's, what does not fit is told, what is hostile refused."""

import io
import json
import shutil
import struct
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
from numpy.lib import format as npy

import keryx
from keryx import layers
from keryx.errors import ArgumentError, FileError, StateError
from keryx.saving import npz, safetensors, sharded

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")]
FORMATS = ["a.weights.h5", "a.weights.json", "a.safetensors", "a.npz", "a.h5"]
OF_KERAS = ["a.weights.h5", "a.weights.json", "a.h5"]


def model_of(keras, dense=3, name="second"):
    """A model with moving means, a layer twice of one class, a nested model, a frozen layer and an average."""
    x = keras.Input((6, 4))
    inner_x = keras.Input((4,))
    inner = keras.Model(inner_x, keras.layers.Dense(4, name="within")(inner_x), name="inner")
    h = keras.layers.LSTM(4, name="lstm")(x)
    h = keras.layers.BatchNormalization(name="norm")(inner(h))
    h = keras.layers.Dense(5, name="first", trainable=False)(h)
    return keras.Model(x, keras.layers.Dense(dense, name=name)(h))


def changed(model, seed=0):
    random = np.random.default_rng(seed)
    model.set_weights([random.uniform(0.1, 1, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def same(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


@pytest.mark.parametrize("name", FORMATS)
def test_weights_come_back(tmp_path, name):
    one, other = changed(model_of(keryx)), model_of(keryx)
    one.save_weights(tmp_path / name)
    report = other.load_weights(tmp_path / name)
    assert same(one, other)
    assert report.is_whole
    assert set(report.matched) == set(one.named_variables)
    first = (tmp_path / name).read_bytes()
    one.save_weights(tmp_path / name)
    assert (tmp_path / name).read_bytes() == first or name.endswith("json")
    with pytest.raises(FileError, match="exists; overwrite=True replaces it"):
        one.save_weights(tmp_path / name, overwrite=False)


@pytest.mark.parametrize("name", OF_KERAS)
def test_keras_loads_ours(tmp_path, keras, name):
    ours, theirs = changed(model_of(keryx)), model_of(keras)
    ours.save_weights(tmp_path / name)
    theirs.load_weights(tmp_path / name)
    assert same(ours, theirs)


@pytest.mark.parametrize("name", ["a.h5", "a.keras", *OF_KERAS[:2]])
def test_ours_loads_those_of_keras(tmp_path, keras, name):
    theirs, ours = changed(model_of(keras)), model_of(keryx)
    if ".weights." in name:
        theirs.save_weights(tmp_path / name, max_shard_size=1 if name.endswith("json") else None)
    else:
        theirs.save(tmp_path / name)
    assert ours.load_weights(tmp_path / name).is_whole
    assert same(ours, theirs)


def test_the_state_of_the_optimizer_goes_along(tmp_path, keras):
    x = np.random.default_rng(0).normal(size=(8, 6, 4)).astype("float32")
    y = x[:, 0, :3]
    theirs = changed(model_of(keras))
    theirs.compile(keras.optimizers.SGD(0.001, momentum=0.9), "mse")  # Adam would blow up the noise before the norm
    theirs.fit(x, y, epochs=2, verbose=0)
    theirs.save_weights(tmp_path / "a.weights.h5")
    ours = model_of(keryx)
    ours.compile(keryx.optimizers.SGD(0.001, momentum=0.9), "mse")
    ours.load_weights(tmp_path / "a.weights.h5")
    assert ours.optimizer.iterations == 2
    for model in (ours, theirs):
        model.fit(x, y, epochs=5, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors", ".npz"])
def test_half_precision(tmp_path, suffix):
    one, other = (
        keryx.Sequential([keryx.Input((3,)), layers.Dense(4, dtype="bfloat16"), layers.Dense(2, dtype="float16")])
        for _ in range(2)
    )
    changed(one).save_weights(tmp_path / f"a{suffix}")
    other.load_weights(tmp_path / f"a{suffix}")
    assert same(one, other)
    assert other.layers[0].kernel.dtype == "bfloat16"


def test_names_are_the_paths_of_variables(tmp_path):
    model = changed(model_of(keryx))
    for name in ("a.npz", "a.safetensors"):
        model.save_weights(tmp_path / name)
    with np.load(tmp_path / "a.npz") as file:
        assert set(file) == set(model.named_variables) == set(safetensors.read(tmp_path / "a.safetensors"))
        np.testing.assert_array_equal(file["inner/within/kernel"], model.get_layer("inner").layers[1].kernel)
    np.savez_compressed(
        tmp_path / "b.npz", **{k: np.asfortranarray(v) for k, v in npz.read(tmp_path / "a.npz").items()}
    )
    other = model_of(keryx)
    other.load_weights(tmp_path / "b.npz")
    assert same(model, other)


def test_the_package_safetensors_agrees(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3, "int32"), "c": np.zeros((0, 2), "float16")}
    safetensors.write(tmp_path / "a.safetensors", arrays)
    package.save_file(arrays, tmp_path / "b.safetensors")
    for found in (package.load_file(tmp_path / "a.safetensors"), safetensors.read(tmp_path / "b.safetensors")):
        assert {name: (a.tolist(), a.dtype, a.shape) for name, a in found.items()} == {
            name: (a.tolist(), a.dtype, a.shape) for name, a in arrays.items()
        }


# -- shards --------------------------------------------------------------------------------------------------------


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_shards(tmp_path, keras):
    def make(keras):
        return keras.Sequential(
            [keras.Input((50,)), keras.layers.Dense(50), keras.layers.Dense(50), keras.layers.Dense(2)]
        )

    ours, theirs = changed(make(keryx)), make(keras)
    ours.save_weights(tmp_path / "a.weights.h5", max_shard_size=10_050 / 2**30)  # a kernel, but not its bias as well
    assert files_in(tmp_path) == ["a.weights.json", *(f"a_{i:05}.weights.h5" for i in range(4))]
    index = json.loads((tmp_path / "a.weights.json").read_text())
    assert index["metadata"]["total_size"] == 4 * ours.count_params()
    assert isinstance(index["weight_map"]["/layers/dense/vars"], list)
    theirs.load_weights(tmp_path / "a.weights.json")
    assert same(ours, theirs)
    changed(theirs, 1).save_weights(tmp_path / "b.weights.json", max_shard_size=10_050 / 2**30)
    ours.load_weights(tmp_path / "b.weights.json")
    assert same(ours, theirs)


def test_new_shards_replace_the_old_ones(tmp_path, monkeypatch):
    model, other = changed(model_of(keryx)), model_of(keryx)
    model.save_weights(tmp_path / "a.weights.json")
    changed(model, 1).save_weights(tmp_path / "a.weights.json")
    assert files_in(tmp_path) == ["a.weights.json", "a_00001.weights.h5"]
    changed(model, 2).save_weights(tmp_path / "a.weights.json")
    assert files_in(tmp_path) == ["a.weights.json", "a_00000.weights.h5"]

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(sharded.json, "dumps", fail)  # after the shards, before what names them
    with pytest.raises(KeyboardInterrupt):
        changed(model, 3).save_weights(tmp_path / "a.weights.json")
    other.load_weights(tmp_path / "a.weights.json")
    assert same(changed(model, 2), other)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({}, "has no 'weight_map'"),
        ({"weight_map": {"/vars": "../a_00000.weights.h5"}}, "names '../a_00000"),
        ({"weight_map": {"/vars": "/etc/passwd"}}, "names '/etc/passwd'"),
        ({"weight_map": {"/vars": ["a_00000.weights.h5", 3]}}, "names 3|no such file|names '3'"),
        ({"weight_map": {"/vars": "link_00000.weights.h5"}}, "no such file beside it"),
        ({"weight_map": {"/vars": "none_00000.weights.h5"}}, "no such file beside it"),
        ({"weight_map": {"/vars": ["twice_00000.weights.h5", "twice_00001.weights.h5"]}}, "is in two of its files"),
    ],
)
def test_indices_of_shards_that_are_refused(tmp_path, index, words):
    model = model_of(keryx)
    model.save_weights(tmp_path / "twice.weights.json")
    shutil.copy(tmp_path / "twice_00000.weights.h5", tmp_path / "twice_00001.weights.h5")
    (tmp_path / "link_00000.weights.h5").symlink_to(tmp_path / "twice_00000.weights.h5")
    (tmp_path / "a.weights.json").write_text(json.dumps(index))
    with pytest.raises(FileError, match=words):
        model.load_weights(tmp_path / "a.weights.json")


# -- what does not fit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_what_does_not_fit_is_named_and_nothing_changes(tmp_path, name):
    changed(model_of(keryx)).save_weights(tmp_path / name)
    other = model_of(keryx, dense=4)
    before = other.get_weights()
    with pytest.raises(FileError, match=r"does not fit(.|\n)*second/kernel: wants \(5, 4\)(.|\n)*Nothing was changed"):
        other.load_weights(tmp_path / name)
    assert all(map(np.array_equal, before, other.get_weights()))


@pytest.mark.parametrize("name", FORMATS)
def test_skip_mismatch_takes_what_fits(tmp_path, name):
    one, other = changed(model_of(keryx)), model_of(keryx, dense=4)
    one.save_weights(tmp_path / name)
    with pytest.warns(UserWarning, match="2 variables did not") as warned:
        report = other.load_weights(tmp_path / name, skip_mismatch=True)
    assert len(warned) == 1
    assert set(report.missing) == {"second/kernel", "second/bias"}
    np.testing.assert_array_equal(one.get_layer("first").kernel, other.get_layer("first").kernel)


@pytest.mark.parametrize("name", ["a.h5", "a.safetensors", "a.npz"])
def test_by_name(tmp_path, name):
    one, other = changed(model_of(keryx)), model_of(keryx, dense=4, name="head")
    one.save_weights(tmp_path / name)
    report = other.load_weights(tmp_path / name, by_name=True)
    assert set(report.missing) == {"head/kernel", "head/bias"}
    assert len(report.unused) == 2
    np.testing.assert_array_equal(one.get_layer("lstm").get_weights()[1], other.get_layer("lstm").get_weights()[1])
    with pytest.raises(FileError, match="second/kernel: wants"):
        model_of(keryx, dense=4).load_weights(tmp_path / name, by_name=True)


def test_arguments(tmp_path):
    model = model_of(keryx)
    model.save_weights(tmp_path / "a.weights.h5")
    for call, error, words in [
        (lambda: model.load_weights(tmp_path / "a.weights.h5", by_name=True), ArgumentError, "keep names: '.h5'"),
        (lambda: model.load_weights(tmp_path / "a.weights.h5", options=1), ArgumentError, "no argument 'options'"),
        (lambda: model.load_weights(tmp_path / "none.weights.h5"), FileError, "There is no file"),
        (lambda: model.save_weights(tmp_path / "a.keras"), FileError, r"saved by model.save\(path\)"),
        (lambda: model.save_weights(tmp_path / "a.ckpt"), FileError, "ends in '.weights.h5'"),
        (lambda: model.save_weights(tmp_path / "no" / "a.npz"), FileError, "there is no folder"),
        (lambda: model.save_weights(tmp_path / "a.npz", max_shard_size=1), FileError, "ends in '.weights.json'"),
        (lambda: model.save_weights(tmp_path / "a.weights.json", max_shard_size=0), ArgumentError, "above 0"),
        (lambda: model.save_weights(tmp_path / "a.weights.json", max_shard_size=1e-8), FileError, "be larger"),
        (lambda: keryx.Sequential([layers.Dense(1)]).save_weights(tmp_path / "a.npz"), StateError, "not built"),
        (lambda: keryx.Sequential([layers.Dense(1)]).load_weights(tmp_path / "a.npz"), StateError, "not built"),
    ]:
        with pytest.raises(error, match=words):
            call()


# -- damaged and hostile files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_and_a_flipped_bit(tmp_path, name):
    model = changed(model_of(keryx))
    model.save_weights(tmp_path / name)
    path = tmp_path / name if not name.endswith("json") else tmp_path / "a_00000.weights.h5"
    data = path.read_bytes()
    for length in (0, 7, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(FileError, match=r"truncated|damaged|empty|no (safetensors|HDF5) file|begins with"):
            model.load_weights(tmp_path / name)
    at = data.index(np.asarray(model.get_layer("second").kernel).tobytes())
    path.write_bytes(data[: at + 9] + bytes([data[at + 9] ^ 16]) + data[at + 10 :])
    second = r"dense_1/vars/0'" if ".weights" in name else "second/(second/)?kernel'"
    with pytest.raises(FileError, match=rf"{second}.* is not what was written, its checksum"):
        model.load_weights(tmp_path / name)


def tensors(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def one(**changes):
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


HOSTILE_TENSORS = {
    "too long a header": (tensors({}, size=2**62), "no safetensors"),
    "a header that is longer than the file": (tensors({}, size=2000), "truncated"),
    "no JSON": (tensors(b"{a"), "wants JSON"),
    "deep": (tensors(b'{"a":' + b"[" * 100_000), "deep"),
    "a key twice": (tensors(b'{"a":{},"a":{}}'), "stands twice"),
    "an overlap": (
        tensors(one() | {"b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, bytes(12)),
        "does not begin",
    ),
    "the same bytes": (tensors(one() | {"b": one()["a"]}, bytes(8)), "does not begin"),
    "a gap": (tensors(one(data_offsets=[8, 16]), bytes(16)), "does not begin"),
    "bytes at the end": (tensors(one(), bytes(9)), "truncated or damaged"),
    "too few bytes": (tensors(one(), bytes(7)), "truncated or damaged"),
    "a shape bomb": (tensors(one(shape=[2**40, 2**40]), bytes(8)), "does not hold"),
    "an overflow": (tensors(one(shape=[2**62, 4, 2]), bytes(8)), "does not hold"),
    "a negative size": (tensors(one(shape=[-2]), bytes(8)), "means nothing"),
    "a place backwards": (tensors(one(data_offsets=[8, 0]), bytes(8)), "does not hold"),
    "a truth value": (tensors(one(shape=[True, 2]), bytes(8)), "means nothing"),
    "another dtype": (tensors(one(dtype="object"), bytes(8)), "'object'"),
    "more keys": (tensors(one(path="/etc/passwd"), bytes(8)), "not described by"),
    "metadata": (tensors(one() | {"__metadata__": {"a": 3}}, bytes(8)), "no texts by name"),
}


@pytest.mark.parametrize("case", HOSTILE_TENSORS)
def test_hostile_safetensors(tmp_path, case):
    data, words = HOSTILE_TENSORS[case]
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(FileError, match=words):
        model_of(keryx).load_weights(tmp_path / "a.safetensors")


def zipped(parts, packed=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as archive:
        for name, data in parts:
            archive.writestr(name, data)
    return file.getvalue()


def header(shape="(2,)", descr="'<f4'", data=bytes(8), fortran="False"):
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}\n".encode()
    return npy.magic(1, 0) + struct.pack("<H", len(text)) + text + data


def pickled():
    file = io.BytesIO()
    np.save(file, np.array([print], object), allow_pickle=True)
    return file.getvalue()


HOSTILE_NPZ = {
    "a pickle": (zipped([("a.npy", pickled())]), "pickled objects never"),
    "a shape bomb": (zipped([("a.npy", header("(1000000000000,)"))]), "truncated or damaged"),
    "a negative size": (zipped([("a.npy", header("(-1, -2)"))]), "declared as"),
    "fields": (zipped([("a.npy", header(descr="[('x', '<f4')]"))]), "only numbers"),
    "a call in the header": (zipped([("a.npy", header("__import__('os').getpid()"))]), "no array of NumPy's"),
    "a header that is long": (zipped([("a.npy", header("(" + " " * 20_000 + "2,)"))]), "no array of NumPy's"),
    "no array": (zipped([("a.npy", b"abc")]), "no array of NumPy's"),
    "a bomb": (
        zipped([("a.npy", header("(1000,)", data=bytes(4000)) + bytes(10**7))], zipfile.ZIP_DEFLATED),
        "declared as",
    ),
    "a name twice": (zipped([("a.npy", header()), ("a", header())]), "twice"),
    "a way out": (zipped([("../a.npy", header())]), "could lead out"),
}


@pytest.mark.parametrize("case", HOSTILE_NPZ)
def test_hostile_npz(tmp_path, case):
    data, words = HOSTILE_NPZ[case]
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(FileError, match=words):
        model_of(keryx).load_weights(tmp_path / "a.npz")


def test_arrays_that_no_variable_holds(tmp_path):
    model = keryx.Sequential([keryx.Input((2,)), layers.Dense(1, use_bias=False)])
    for value in (np.array([["a"], ["b"]]), np.ones((2, 1), "complex64")):
        np.savez(tmp_path / "a.npz", **{"dense/kernel": value})
        with pytest.raises(FileError, match=r"dense/kernel: wants \(2, 1\) float32"):
            model.load_weights(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", **{"dense/kernel": np.ones((2, 1), "int64")})
    assert model.load_weights(tmp_path / "a.npz").is_whole
    assert model.layers[0].kernel.dtype == "float32"


def test_links_in_a_file_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = h5py.SoftLink("/elsewhere")
    with pytest.raises(FileError, match="link"):
        model_of(keryx).load_weights(tmp_path / "a.weights.h5")


def test_bfloat16_is_what_it_was(tmp_path):
    arrays = {"a": np.arange(5).astype(ml_dtypes.bfloat16)}
    safetensors.write(tmp_path / "a.safetensors", arrays)
    assert safetensors.read(tmp_path / "a.safetensors")["a"].dtype == ml_dtypes.bfloat16
    npz.write(tmp_path / "a.npz", arrays)
    with np.load(tmp_path / "a.npz") as file:
        assert file["a"].tolist() == [0, 1, 2, 3, 4]


def test_layers_of_one_name_are_all_kept(tmp_path):
    def model():
        x = inputs = keryx.Input((3,))
        for units in (4, 2):
            x = keryx.layers.Dense(units, name="same")(x)
        return keryx.Model(inputs, x)

    saved, other = model(), model()
    saved.save_weights(tmp_path / "w.h5")
    assert other.load_weights(tmp_path / "w.h5").is_whole
    for a, b in zip(saved.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
