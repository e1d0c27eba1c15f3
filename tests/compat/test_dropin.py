"""Keryx under the name keras: each of Keras's names, Keras's private paths, and what is refused.

Keras itself is imported by the tests, so what they look at runs in children; Keras says there beforehand what it has.
"""

import importlib
import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import keryx
from keryx.compat import install, surroundings
from keryx.compat.keras_names import NAMES
from keryx.errors import ConfigError, StateError

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def checks_in(file):
    return re.findall(r"^def (check_\w+)", (HERE / file).read_text(), re.MULTILINE)


def child(*words, given=None):
    """The standard output of `python -m keryx` with these words."""
    environment = {"KERAS_HOME": os.devnull, **os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "keryx", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, input=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def keras_says():
    """By public path, the modules and private path of each of Keras's public names."""
    import keras
    from api_coverage import namespaces, public

    from keryx import later

    names = {}
    for path, module in namespaces(keras):
        for name, value in public(module).items():
            if later.reason(f"{path}.{name}") is None and later.reason(path) is None:
                home = getattr(value, "__module__", None)
                source = home if isinstance(home, str) and home.startswith("keras.src") else None
                if path == "optimizers.legacy":
                    source = None  # all of Keras's are one private class that warns
                names[f"{path}.{name}".lstrip(".")] = (source, getattr(value, "__name__", name))
    del names["version"]  # Keras's own
    return names


def test_the_list_of_names_is_keras_own():
    import keras
    from api_coverage import namespaces, public

    assert {path: set(names) for path, names in NAMES.items()} == {
        path: set(public(module)) for path, module in namespaces(keras)
    }


WALK = """
import importlib, json, sys
import keryx
names = json.load(sys.stdin)
wrong = []
def at(path):
    value = keryx
    for part in path.split("."):
        value = getattr(value, part)
    return value
for path, (source, inner) in names.items():
    home, _, name = path.rpartition(".")
    module = importlib.import_module(f"keras.{home}".rstrip("."))
    try:
        if getattr(module, name) is not at(path) or name not in dir(module):
            wrong.append(path)
        if source is not None and getattr(importlib.import_module(source), inner) is not at(path):
            wrong.append(f"{source}: {path}")
    except (AttributeError, ImportError) as error:
        wrong.append(f"{source}: {path}: {error}")
print(json.dumps(wrong))
"""


def test_each_name_is_keryxs_own_by_its_public_and_by_its_private_path(keras_says):
    assert len(keras_says) > 1390
    wrong = json.loads(child("-c", WALK, given=json.dumps(keras_says)))
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "keras.json").write_text(
        '{"backend": "tensorflow", "image_data_format": "channels_first", "epsilon": 1e-5}'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(home))
        return json.loads(child(HERE / "under_the_name_keras.py"))


@pytest.mark.parametrize("name", checks_in("under_the_name_keras.py"))
def test_in_a_program(told, name):
    assert not told[name], told[name]


@pytest.fixture(scope="module")
def told_of_tensorflow():
    return json.loads(child("--tensorflow", HERE / "under_the_name_tensorflow.py"))


@pytest.mark.parametrize("name", checks_in("under_the_name_tensorflow.py"))
def test_in_a_program_for_tensorflow(told_of_tensorflow, name):
    assert not told_of_tensorflow[name], told_of_tensorflow[name]


KEPT = """
import importlib, json, sys
missing = []
for path, names in json.load(sys.stdin).items():
    for way in ("tensorflow.keras", "keras._tf_keras.keras"):
        try:
            module = importlib.import_module(f"{way}.{path}".rstrip("."))
            missing += [f"{path}.{name}".lstrip(".") for name in names if not hasattr(module, name)]
        except ImportError:
            missing.append(path)
print(json.dumps(sorted(set(missing))))
"""


def test_what_keras_keeps_of_keras_2_for_tensorflow_alone():
    importlib.import_module("keras._tf_keras.keras")
    from api_coverage import public

    from keryx import later

    prefix = "keras._tf_keras.keras"
    modules = {name: module for name, module in sys.modules.items() if (name + ".").startswith(prefix + ".")}
    names = {name.removeprefix(prefix).lstrip("."): list(public(module)) for name, module in modules.items()}
    assert "mean" in names["backend"]
    assert "Tokenizer" in names["preprocessing.text"]
    missing = json.loads(child("--tensorflow", "-c", KEPT, given=json.dumps(names)))
    assert [name for name in missing if not later.reason(name)] == [
        "backend.binary_focal_crossentropy",
        "backend.categorical_focal_crossentropy",
        "backend.ctc_label_dense_to_sparse",
        "backend.random_bernoulli",
        "layers.RandomHeight",
        "layers.RandomWidth",
        "losses.Reduction",
    ]


def test_where_keras_itself_was_imported_nothing_is_installed():
    import keras

    before = list(sys.meta_path)
    with pytest.raises(StateError, match=rf"Keras itself \({keras.__version__}, .*was imported before.*as_keras"):
        install()
    assert sys.meta_path == before


def test_where_tensorflow_itself_was_imported_nothing_is_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    before = list(sys.meta_path)
    with pytest.raises(StateError, match=r"TensorFlow itself .*was imported before"):
        install(tensorflow=True)
    assert sys.meta_path == before


ENGINE = """
import warnings

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import keras
print(*told)
"""


def test_another_engine_in_the_environment_is_told(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert "KERAS_BACKEND is 'torch'; Keryx runs on JAX alone" in child("-c", ENGINE)


def test_no_engine_in_the_environment_is_the_usual_one(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert not child("-c", ENGINE).strip()


NO_HOME = """
import os, pwd
def no_user(uid):
    raise KeyError(uid)
os.environ.pop("HOME")
os.environ.pop("KERAS_HOME")
pwd.getpwuid = no_user
import keras
from keryx.compat import use
with use(1):
    print(keras.config.floatx())
"""


def test_a_process_of_no_user_has_no_settings():
    assert child("-c", NO_HOME).strip() == "float32"


OF_JAX = """
import os
os.environ |= {"JAX_PLATFORMS": "nothing", "JAX_DEBUG_NANS": "on", "JAX_RANDOM_SEED_OFFSET": "3"}
import jax
jax.config.update("jax_default_matmul_precision", "high")
import keras
os.environ["JAX_DEBUG_NANS"] = "off"
import keras.layers
of = jax.config
print(of.jax_platforms, of.jax_debug_nans, of.jax_random_seed_offset, of.jax_default_matmul_precision)
"""


def test_what_a_program_sets_for_jax_holds(monkeypatch):
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    assert child("-c", OF_JAX).split() == ["nothing", "True", "3", "high"]


def test_a_setting_of_jax_that_means_nothing_is_named(monkeypatch):
    monkeypatch.setenv("JAX_DEBUG_NANS", "perhaps")
    with pytest.raises(ConfigError, match="JAX_DEBUG_NANS is 'perhaps' in the environment, which means nothing to JAX"):
        surroundings.look_around()


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"backend": "torch"}'])
def test_a_file_of_settings_that_says_nothing_is_passed_over(tmp_path, text, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    surroundings.settings_file().write_text(text)
    assert surroundings.settings(tmp_path / "keras.json") == {}
    assert surroundings.settings(tmp_path / "nothing.json") == {}


def test_a_setting_that_means_nothing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"floatx": "float8"}')
    with pytest.raises(ConfigError, match=r"keras\.json: 'floatx' is 'float8'\. floatx is one of float16"):
        surroundings.look_around()


SPAWN = """
import multiprocessing
{first}
import keras

def file(_):
    return keras.__file__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(file, [0])[0])
"""


def test_processes_that_are_spawned_have_it_by_the_import_at_the_top(tmp_path):
    script = tmp_path / "spawn.py"
    script.write_text(SPAWN.format(first="import keryx.as_keras"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == keryx.__file__, done.stderr
