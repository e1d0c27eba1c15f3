"""Looking into files: KerasFileEditor and describe, beside Keras's own editor."""

import subprocess
import sys

import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.errors import ArgumentError, FileError
from keryx.saving import KerasFileEditor, describe

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")


def model_of(units=3):
    x = keryx.Input((4,))
    h = layers.Dense(5, name="first")(x)
    h = layers.Dense(units, name="second")(h)
    model = keryx.Model(x, layers.BatchNormalization(name="norm")(h))
    model.compile("adam", "mse")
    return model


@pytest.fixture
def path(tmp_path):
    model = model_of()
    model.save_weights(tmp_path / "a.weights.h5")
    return tmp_path / "a.weights.h5"


def test_what_is_in_a_file(path, capsys):
    editor = KerasFileEditor(path)
    editor.summary()
    printed = capsys.readouterr().out.splitlines()
    start = printed.index("  dense ('first')")
    assert printed[start + 1 : start + 3] == ["    0  (4, 5) float32", "    1  (5,) float32"]
    assert printed[0] == "layers"
    assert set(editor.weights_dict["layers"]) == {"dense", "dense_1", "batch_normalization"}
    assert editor.object_metadata["/layers/dense_1"] == {"name": "second"}


def test_the_same_as_the_editor_of_keras(path, capsys):
    from keras.saving import KerasFileEditor as Theirs

    ours, theirs = KerasFileEditor(path), Theirs(str(path))

    def flat(one, at=""):
        return {
            k: v
            for n, x in one.items()
            for k, v in (flat(x, f"{at}/{n}") if isinstance(x, dict) else {f"{at}/{n}": x}).items()
        }

    one, other = flat(ours.weights_dict), flat(theirs.weights_dict)
    assert {name: value for name, value in one.items() if "layers" in name}.keys() == {
        name: value for name, value in other.items() if "layers" in name
    }.keys()
    for name, value in other.items():
        if name in one:
            np.testing.assert_array_equal(one[name], value)


def test_edits_are_what_keras_then_loads(path, tmp_path):
    import keras

    editor = KerasFileEditor(path)
    editor.delete_object("optimizer")
    editor.delete_object("layers/batch_normalization")
    editor.add_weights("dense_1", {"1": np.ones(3, "float32")})
    editor.rename_object("dense_1", "second_dense")
    editor.rename_object("second_dense", "dense_1")
    editor.add_object("layers/dense_2", {"0": np.full((3, 2), 7.0, "float32"), "1": np.zeros(2, "float32")})
    editor.delete_weight("layers/dense_2", "1")
    editor.add_weights("layers/dense_2", {"1": np.full(2, 5.0, "float32")})
    editor.save(tmp_path / "b.weights.h5")
    other = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(n) for n in (5, 3, 2))])
    other.load_weights(tmp_path / "b.weights.h5")
    assert other.layers[1].bias.numpy().tolist() == [1, 1, 1]
    assert other.layers[2].bias.numpy().tolist() == [5, 5]
    np.testing.assert_array_equal(other.layers[0].kernel, editor.weights_dict["layers"]["dense"]["0"])
    again = KerasFileEditor(tmp_path / "b.weights.h5")
    assert again.object_metadata == {"/layers/dense": {"name": "first"}, "/layers/dense_1": {"name": "second"}}


def test_compare(path, capsys):
    editor = KerasFileEditor(path)
    same = editor.compare(model_of())
    assert same["status"] == "success"
    assert same["error_count"] == 0
    assert same["match_count"] == len(list(describe(path).arrays))
    wrong = editor.compare(model_of(2))
    assert wrong["status"] == "error"
    assert "/layers/dense_1/0: (5, 2) in the model, (5, 3) in the file" in capsys.readouterr().out
    editor.delete_weight("dense", "1")
    editor.add_object("layers/more", {"0": np.zeros(1)})
    assert editor.compare(model_of())["error_count"] == 2
    printed = capsys.readouterr().out
    assert "/layers/dense/1: in the model, not in the file" in printed
    assert "/layers/more/0: in the file, not in the model" in printed


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda e: e.delete_object("dens"), "no object 'dens'. Did you mean 'dense'"),
        (lambda e: e.delete_object("layers/none"), "no object 'layers/none'"),
        (lambda e: e.rename_object("dense", "a/b"), "no name of an object"),
        (lambda e: e.rename_object("dense", "dense_1"), "has an object 'dense_1' already"),
        (lambda e: e.add_object("none/dense", {}), "no object 'none'"),
        (lambda e: e.add_object("layers/x", [1]), "dict of arrays by name"),
        (lambda e: e.delete_weight("dense", "7"), "no weight '7'; it has '0', '1'"),
        (lambda e: (e.add_object("dense", {}), e.delete_object("dense")), "2 objects have the name"),
    ],
)
def test_edits_that_mean_nothing(path, edit, words):
    with pytest.raises(ArgumentError, match=words):
        edit(KerasFileEditor(path))


def test_files_that_the_editor_refuses(path, tmp_path):
    with pytest.raises(FileError, match=r"ends in '\.weights\.h5'"):
        KerasFileEditor(path).save(tmp_path / "a.keras")
    with pytest.raises(FileError, match="cannot be read"):
        KerasFileEditor(tmp_path / "none.weights.h5")
    (tmp_path / "b.weights.h5").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FileError, match="truncated"):
        KerasFileEditor(tmp_path / "b.weights.h5")


def test_a_model(tmp_path):
    model = model_of()
    model.save(tmp_path / "a.keras")
    editor = KerasFileEditor(tmp_path / "a.keras")
    assert editor.metadata["keras_version"].startswith("3.")
    assert editor.config["class_name"] == "Functional"
    assert editor.compare(model)["status"] == "success"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.keras", "a model of Keras 3 (.keras)"),
        ("a.weights.h5", "weights of Keras 3 (.weights.h5)"),
        ("a.weights.json", "weights of Keras 3 in several files (.weights.json)"),
        ("a.safetensors", "arrays by name (.safetensors)"),
        ("a.npz", "arrays by name (.npz)"),
        ("a.h5", "weights layer by layer (.h5)"),
        ("folder", "a model of Keras 3 in a folder"),
    ],
)
def test_describe(tmp_path, name, form):
    model = model_of()
    if name == "folder":
        model.save(tmp_path / name, zipped=False)
    else:
        (model.save if name.endswith(".keras") else model.save_weights)(tmp_path / name)
    found = describe(tmp_path / name)
    assert found.format == form
    assert ((4, 5), "float32") in found.arrays.values()
    assert str(found).startswith(f"{tmp_path / name}: {form}\n")
    if "model" in form:
        assert found.about["model"] == "Functional"
        assert found.about["4 layers"] == "InputLayer, Dense, Dense, BatchNormalization"
        assert found.about["optimizer"] == "Adam"
    else:
        assert found.nbytes >= 4 * model.count_params()


def test_describe_builds_nothing(tmp_path):
    import json
    import zipfile

    config = {"class_name": "Lambda", "module": "os", "config": {"layers": [{"class_name": "system", "config": {}}]}}
    model_of().save(tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as old, zipfile.ZipFile(tmp_path / "b.keras", "w") as new:
        for part in old.namelist():
            new.writestr(part, json.dumps(config) if part == "config.json" else old.read(part))
    assert describe(tmp_path / "b.keras").about["1 layers"] == "system"


def test_describe_at_the_command_line(path, tmp_path):
    command = [sys.executable, "-m", "keryx.saving.description"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert "layers/dense/vars/0 " in done.stdout
    assert "(4, 5) float32" in done.stdout
    failed = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True)
    assert failed.returncode == 1
    assert "There is no file" in failed.stderr
    assert "Traceback" not in failed.stderr
