"""Files of models under names of any ending, as in Keras 1 and 2: HDF5 unless the ending says otherwise."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keryx.errors import ArgumentError, FileError

_WHOLE = (".keras", ".h5", ".hdf5")
_WEIGHTS = (".h5", ".hdf5", ".safetensors", ".npz", ".weights.json")


def save(self: Any, given: dict[str, Any], call: Callable) -> None:
    """`model.save` to a name of any ending."""
    write(call, {word: value for word, value in given.items() if word != "include_optimizer"}, _WHOLE)


def save_weights(self: Any, given: dict[str, Any], call: Callable) -> None:
    """`model.save_weights` to a name of any ending."""
    write(call, given, _WEIGHTS)


def load_weights(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """`model.load_weights(path, by_name)`."""
    return call(**given)


def write(call: Callable, given: dict[str, Any], endings: tuple[str, ...] | None = None) -> None:
    """Let `call(path, ...)` write a file, which is HDF5 unless its name ends in one of `endings`."""
    path, endings = Path(given.pop("filepath")), endings or (_WHOLE if call.__name__ == "save" else _WEIGHTS)
    if path.name.endswith(endings):
        call(path, **given)
        return
    if path.exists() and not given.get("overwrite", True):
        raise FileError(f"{path} exists; overwrite=True replaces it.")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / "model.h5"
        call(made)
        os.replace(made, path)


def to_yaml(self: Any, **kwargs: Any) -> str:
    """Refused: Keras dropped YAML, which can run code when it is read."""
    raise ArgumentError("model.to_yaml() is gone, for YAML can run code where it is read: write model.to_json().")


def model_from_yaml(yaml_string: str, custom_objects: Any = None) -> Any:
    """Refused, as `to_yaml` is."""
    raise ArgumentError("model_from_yaml() is gone, for YAML can run code: write model_from_json(model.to_json()).")
