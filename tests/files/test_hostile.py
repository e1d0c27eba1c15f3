"""Hostile files: each is refused by an error of Keryx's own at every entry point, and nothing in it has an effect."""

import contextlib
import importlib
import json
import os
import pickle
import sys

import h5py
import hostile
import numpy as np
import pytest
from watching import BYTES, SECONDS, watched

import keryx
from keryx import layers
from keryx.core.codec import _registries
from keryx.errors import ConfigError, FileError

X = np.ones((2, 3), np.float32)
"".encode("cp437")  # the codec of old archives' names is imported now, and not by the first that needs it


def small():
    keryx.utils.set_random_seed(0)
    x = keryx.Input((3,), name="x")
    model = keryx.Model(x, layers.Dense(2, name="dense")(x), name="small")
    model.compile("sgd", "mse")
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The model's files in every form, read once, so that whatever is imported late has been."""
    folder, model = tmp_path_factory.mktemp("good"), small()
    model.fit(X, X[:, :2], verbose=0)
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
    for name in ("m.weights.h5", "w.h5", "m.npz", "m.safetensors"):
        model.save_weights(folder / name)
    model.save(folder / "folder", zipped=False)
    for path in folder.iterdir():
        keryx.saving.describe(path)
        if path.name in ("m.keras", "m.h5", "folder"):
            np.testing.assert_array_equal(keryx.saving.load_model(path)(X), model(X))
        else:
            model.load_weights(path)
    keryx.models.model_from_json(model.to_json())
    for module in {home for table in _registries.values() for home in table.homes.values()}:
        importlib.import_module(module)  # what a config may name
    with pytest.raises(keryx.errors.ShapeError):
        keryx.layers.LSTM(2)(keryx.Input((3,)))  # what tells of errors in layers
    return folder


def refused(allowed, call, *args, **kwargs):
    """The error of a call that is refused, without a trace."""
    epsilon, path, modules = keryx.config.epsilon(), list(sys.path), set(sys.modules)
    with watched(allowed) as seen, pytest.raises((FileError, ConfigError)) as caught:
        call(*args, **kwargs)
    assert seen.events == []
    assert seen.seconds < SECONDS
    assert seen.bytes < BYTES
    assert keryx.config.epsilon() == epsilon
    assert sys.path == path
    assert set(sys.modules) == modules
    assert not list(allowed.parent.glob(f"**/{hostile.MARK}*"))
    assert len(str(caught.value)) < 2_000  # and not the file's own contents
    return caught.value


def described(path):
    """Say what stands in a file, or refuse: nothing is built."""
    with watched(path) as seen, contextlib.suppress(FileError, ConfigError):
        keryx.saving.describe(path)
    assert seen.events == []


# -- configs ---------------------------------------------------------------------------------------------------------


def write_keras(path, files, text):
    hostile.with_config(path, hostile.parts_of(files / "m.keras"), text)


def write_folder(path, files, text):
    path.mkdir()
    for name in ("metadata.json", "config.json", "model.weights.h5"):
        (path / name).write_bytes((files / "folder" / name).read_bytes())
    (path / "config.json").write_bytes(text.encode(errors="surrogatepass"))


def write_h5(path, files, text):
    path.write_bytes((files / "m.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = np.void(text.encode(errors="surrogatepass")) if "\udc80" in text else text


WRITERS = {"m.keras": write_keras, "folder": write_folder, "m.h5": write_h5}
LOADERS = {
    "load_model": lambda path: keryx.saving.load_model(path),
    "models.load_model without safe mode": lambda path: keryx.models.load_model(path, safe_mode=False, compile=False),
}
CONFIGS = {
    name: lambda text, mark, c=change: hostile.changed(text, c, mark) for name, change in hostile.CONFIGS.items()
}
CONFIGS |= {name: lambda text, mark, c=change: c(text) for name, change in hostile.TEXTS.items()}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", CONFIGS)
def test_a_hostile_config_in_a_file(files, tmp_path, name, kind):
    path = tmp_path / kind
    text = CONFIGS[name](small().to_json(), tmp_path / hostile.MARK)
    WRITERS[kind](path, files, text)
    for load in LOADERS.values():
        refused(path, load, path)
    described(path)


# Without a file that says how much there is, a large model, and one that has no layers yet, are what they say.
ALONE = [name for name in CONFIGS if name not in ("a large layer", "no layers")]


@pytest.mark.parametrize("name", ALONE)
def test_a_hostile_config_as_text_and_as_data(tmp_path, name):
    mark = tmp_path / hostile.MARK
    text = CONFIGS[name](small().to_json(), mark)
    refused(mark, keryx.models.model_from_json, text)
    if name in hostile.CONFIGS:
        config = json.loads(text)
        refused(mark, keryx.saving.deserialize_keras_object, config)
        refused(mark, keryx.saving.deserialize_keras_object, config, safe_mode=False)
        refused(mark, keryx.Model.from_config, config["config"])


def test_compile_configs_name_what_is_known_too(files, tmp_path):
    parts = hostile.parts_of(files / "m.keras")
    for key in ("optimizer", "loss", "metrics"):
        for value in (hostile.function("system", "os"), hostile.layer("Popen", {"args": "x"}, "subprocess"),
                      hostile.coded(tmp_path / hostile.MARK)):  # fmt: skip
            config = json.loads(parts["config.json"])
            config["compile_config"][key] = value
            path = tmp_path / "m.keras"
            hostile.with_config(path, parts, json.dumps(config))
            refused(path, keryx.saving.load_model, path)


# -- HDF5 ------------------------------------------------------------------------------------------------------------

PLACES = {"a weight": "0", "what nobody asks for": "unused"}
INSIDE = {
    "m.weights.h5": "layers/dense/vars",
    "w.h5": "dense",
    "m.h5": "model_weights/dense",
    "m.keras": "layers/dense/vars",
    "folder": "layers/dense/vars",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", INSIDE)
@pytest.mark.parametrize("name", hostile.HDF5)
def test_hostile_hdf5(files, tmp_path, name, kind, place):
    path, mark = tmp_path / kind, tmp_path / hostile.MARK

    def changed(data):
        return hostile.hdf5_with(data, hostile.HDF5[name], INSIDE[kind], PLACES[place], mark)

    if kind == "folder":
        write_folder(path, files, (files / "folder" / "config.json").read_text())
        weights = path / "model.weights.h5"
        weights.write_bytes(changed(weights.read_bytes()))
    elif kind == "m.keras":
        parts = hostile.parts_of(files / kind)
        hostile.packed(path, parts | {"model.weights.h5": changed(parts["model.weights.h5"])})
    else:
        path.write_bytes(changed((files / kind).read_bytes()))
    if kind in ("m.weights.h5", "w.h5"):
        model = small()
        before = model.get_weights()
        refused(path, model.load_weights, path)
        refused(path, lambda: model.load_weights(path, skip_mismatch=True))
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    else:
        refused(path, keryx.saving.load_model, path)
    described(path)


def test_a_pickle_in_hdf5_is_not_unpickled(files, tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes((files / "m.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
        file.attrs["model_config"] = np.void(pickle.dumps(hostile.Pickled(tmp_path / hostile.MARK)))
    refused(path, keryx.saving.load_model, path)


# -- archives --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hostile.ZIPS)
def test_hostile_archives(files, tmp_path, name):
    path = tmp_path / "in" / "m.keras"
    path.parent.mkdir()
    hostile.ZIPS[name](path, hostile.parts_of(files / "m.keras"))
    refused(path, keryx.saving.load_model, path)


@pytest.mark.parametrize("kind", ["m.keras", "m.h5", "m.weights.h5", "w.h5", "m.npz", "m.safetensors"])
def test_truncated_files_are_called_so(files, tmp_path, kind):
    data, path = (files / kind).read_bytes(), tmp_path / kind
    load = keryx.saving.load_model if kind in ("m.keras", "m.h5") else small().load_weights
    for size in (len(data) - 1, len(data) // 2, 100, 10, 0):
        path.write_bytes(data[:size])
        assert "truncated" in str(refused(path, load, path))


@pytest.mark.parametrize("kind", ["m.keras", "m.h5", "m.weights.h5", "m.npz", "m.safetensors"])
def test_a_file_that_is_not_there_is_called_so(tmp_path, kind):
    load = keryx.saving.load_model if kind in ("m.keras", "m.h5") else small().load_weights
    with pytest.raises(FileError, match="no file"):
        load(tmp_path / kind)


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "m.keras"
    os.mkfifo(path)
    refused(path, keryx.saving.load_model, path)
