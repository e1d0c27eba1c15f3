"""What holds in a program in which `keras` is Keryx: run by test_dropin.py under `python -m keryx`, all in one child.

Prints a dict as JSON: by the name of a check the traceback of what went wrong, or nothing.
"""

import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import pickle
import sys
import traceback
import types

import numpy as np
import pytest

import keryx
from keryx.compat.names import NAMES, NAMESPACES


def imported(statement):
    names = {}
    exec(statement, names)
    return {name: value for name, value in names.items() if name != "__builtins__"}


def refused(statement):
    """The words with which an import is refused, as an ImportError."""
    with pytest.raises(ImportError) as error:
        exec(statement, {})
    return str(error.value)


def check_what_tools_look_at():
    import keras

    assert keras.__version__.startswith("3.15.")
    assert keras.version() == keras.__version__
    assert keras.src.version.__version__ == keras.__version__
    assert keras.backend.backend() == keras.config.backend() == "jax"
    assert keras.__file__ == keryx.__file__
    assert importlib.util.find_spec("keras").name == "keras"
    assert not hasattr(keras, "__internal__")
    assert not hasattr(keras.layers, "nothing")
    with pytest.raises(ImportError):
        importlib.util.find_spec("keras.nothing")


def check_what_is_said_of_the_distribution():
    import keras

    assert importlib.metadata.version("keras") == importlib.metadata.version("Keras") == keras.__version__
    assert importlib.metadata.metadata("keras")["Name"] == "keras"
    assert importlib.metadata.version("numpy") == np.__version__
    named = [found for found in importlib.metadata.distributions() if found.metadata["Name"] == "keras"]
    assert all("keryx" not in str(found.locate_file("")) for found in named)


def check_settings_of_keras_are_taken():
    """The file that test_dropin.py wrote."""
    import keras

    assert keras.config.image_data_format() == "channels_first"
    assert keras.config.epsilon() == 1e-5
    assert keras.config.floatx() == "float32"
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(1e-7)
    import keras._tf_keras.keras

    assert keras.config.epsilon() == 1e-7  # the file is read once


def check_ways_to_import():
    import keras
    import keras.layers as layers_module
    import keras.ops.image
    from keras import Sequential, layers
    from keras.layers import Dense
    from keras.utils import to_categorical as one_hot

    assert layers_module is layers is keras.layers is importlib.import_module("keras.layers")
    assert Dense is layers.Dense is keryx.layers.Dense
    assert Sequential is keryx.Sequential
    assert one_hot is keryx.utils.to_categorical
    assert keras.ops.image.resize is keryx.ops.image.resize
    assert keras.applications.vgg16.preprocess_input is keryx.applications.vgg16.preprocess_input
    assert importlib.reload(layers).Dense is Dense


def check_a_star_takes_what_keras_makes_public():
    for path, names in NAMES.items():
        if keryx.later.reason(path) is None:
            inner = {space.rpartition(".")[2] for space in NAMESPACES if space.rpartition(".")[0] == path}
            wanted = {name for name in {*names, *inner} if keryx.later.reason(f"{path}.{name}") is None}
            assert set(imported(f"from keras.{path} import *".replace(". ", " "))) == wanted, path
    assert imported("from keras import *")["layers"].Dense is keryx.layers.Dense
    assert imported("from keras.src.ops import *")["einsum"] is keryx.ops.einsum
    assert imported("from keras.src import *")["layers"].Dense is keryx.layers.Dense
    assert imported("from keras.src import *")["Model"] is keryx.Model


def check_the_classes_are_keryxs_own():
    import keras

    class Mine(keras.layers.Layer):
        def call(self, x):
            return keras.ops.relu(x)

    x = keryx.Input((3,))
    model = keras.Model(x, Mine()(keras.layers.Dense(2)(x)))
    assert isinstance(model, keryx.Model)
    assert isinstance(model.layers[1], keras.layers.Dense)
    assert isinstance(model.output, keras.KerasTensor)
    assert issubclass(keras.layers.Dense, keras.Layer)
    again = keras.Model.from_config(model.get_config(), {"Mine": Mine})
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]


def check_inspect_and_pickle():
    import keras

    classes = dict(inspect.getmembers(keras.layers, inspect.isclass))
    assert classes["Dense"] is keryx.layers.Dense
    assert "np" not in dict(inspect.getmembers(keras.backend))
    assert keras.layers.from_nnx is keryx.layers.from_nnx  # there, but not what a star takes
    assert "units" in inspect.signature(keras.layers.Dense).parameters
    assert inspect.getmodule(keras.layers.Dense).__name__.startswith("keryx.layers")
    assert "class Dense" in inspect.getsource(keras.layers.Dense)
    for thing in (keras.losses.mean_squared_error, keras.layers.Dense, keras.ops.relu, keras.activations.relu):
        assert pickle.loads(pickle.dumps(thing)) is thing
    assert b"keryx" in pickle.dumps(keras.layers.Dense)  # so it is read where there is no drop-in


def check_names_are_completed():
    import keras

    completer = pytest.importorskip("IPython.core.completer").Completer(namespace={"keras": keras}, global_namespace={})
    for text, whole in {"keras.layers.Den": "Dense", "keras.Mod": "Model", "keras.op": "ops"}.items():
        assert any(found.endswith(f".{whole}") for found in completer.attr_matches(text)), text


def check_other_ways_to_write_the_root():
    from keras._tf_keras.keras.models import Sequential
    from keras.api.layers import Dense

    assert Sequential is keryx.Sequential
    assert Dense is keryx.layers.Dense


# Statements as they stand in keras-tuner, scikeras, bayesflow, keras-hub, keras-cv and scripts of people.
PRIVATE = {
    "from keras.src import backend, layers, ops, saving, tree, utils": ("ops", "ops"),
    "from keras.src.backend import KerasTensor, Variable": ("KerasTensor", "SymbolicTensor"),
    "from keras.src.backend import get_keras_mask": ("get_keras_mask", "core.scope.mask_of"),
    "from keras.src.backend.common.variables import KerasVariable": ("KerasVariable", "Variable"),
    "from keras.src.backend import convert_to_tensor": ("convert_to_tensor", "ops.convert_to_tensor"),
    "import keras.src.callbacks": ("keras", ""),
    "from keras.src.callbacks.callback import Callback": ("Callback", "callbacks.Callback"),
    "from keras.src.layers.core.dense import Dense": ("Dense", "layers.Dense"),
    "from keras.src.layers.layer import Layer": ("Layer", "layers.Layer"),
    "from keras.src.losses.losses import LossFunctionWrapper": ("LossFunctionWrapper", ""),
    "from keras.src.models.sequential import Sequential": ("Sequential", "Sequential"),
    "from keras.src.optimizers.optimizer import Optimizer": ("Optimizer", "optimizers.Optimizer"),
    "from keras.src.saving.saving_lib import load_model, save_model": ("load_model", "saving.load_model"),
    "from keras.src.saving import serialization_lib": ("serialization_lib", ""),
    "from keras.src.saving.object_registration import get_registered_name": ("get_registered_name", ""),
    "from keras.src.trainers.data_adapters.data_adapter_utils import unpack_x_y_sample_weight": (
        "unpack_x_y_sample_weight",
        "utils.unpack_x_y_sample_weight",
    ),
    "from keras.src.trainers.data_adapters.py_dataset_adapter import PyDataset": ("PyDataset", "utils.PyDataset"),
    "from keras.src.utils.image_utils import smart_resize": ("smart_resize", "utils.smart_resize"),
    "from keras.src.utils.numerical_utils import to_categorical": ("to_categorical", "utils.to_categorical"),
}


def check_private_paths_that_packages_import():
    for statement, (name, path) in PRIVATE.items():
        found = imported(statement)[name]
        wanted = keryx
        for part in filter(None, path.split(".")):
            wanted = getattr(wanted, part)
        if not isinstance(found, types.ModuleType):
            assert found is wanted if path else found.__module__.startswith("keryx."), statement


def check_what_is_refused_says_what_there_is():
    assert refused("from keras.layers import Dens") == "keras.layers has no 'Dens'. Did you mean 'Dense'?"
    assert refused("from keras.activations import Activation").endswith("There is keras.layers.Activation.")
    assert "`from keras.layers import Dense`" in refused("import keras.layers.Dense")
    assert "It is of Keras 2, whose words are taken by `python -m keryx --keras 2" in refused(
        "import keras.layers.core"
    )
    assert "python -m keryx --keras 2" in refused("from keras.utils import np_utils")
    assert "python -m keryx --keras 2" in refused("import keras.src.engine.topology")
    assert "--keras" not in refused("import keras.layers.nothing")
    assert "--keras" not in refused("import keras.layers.Dense")
    assert "python -m keryx --keras 2" in refused("from keras.layers.core import Dense")
    assert "comes with training on many devices" in refused("from keras import distribution")
    assert "comes with training on many devices" in refused("import keras.distribution")
    words = refused("from keras.src.saving.saving_lib import H5IOStore")
    assert words.startswith("keras.src.saving.saving_lib.H5IOStore is private to Keras")
    assert words.endswith("what is near is in keras.saving.")
    words = refused("from keras.src.utils.numerical_utils import add")
    assert words.endswith("leads to several things called 'add': import one of 'keras.layers.add', 'keras.ops.add'.")
    assert "private to Keras" in refused("import keras.src.nothing")
    assert "private to Keras" in refused("from keras.src.utils import nothing")
    refused("import keras.nothing")
    refused("from keras.backend import np")
    refused("from keras.layers import core")


def check_installing_again_changes_nothing():
    import keras

    import keryx.as_keras

    keryx.compat.install()
    assert sum(type(finder).__name__ == "Finder" for finder in sys.meta_path if "keryx" in type(finder).__module__) == 1
    assert sys.modules["keras"] is keras


def main(checks):
    told = {}
    for name, check in checks.copy().items():
        if name.startswith("check_"):
            told[name] = ""
            try:
                check()
            except BaseException:
                told[name] = traceback.format_exc()
    print(json.dumps(told))


if __name__ == "__main__":
    main(globals())
