"""What a file of a model holds, without anything being built: `python -m keryx.saving.description FILE`."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keryx.core import plain
from keryx.errors import FileError
from keryx.saving import hdf5, keras_file, npz, safetensors, sharded
from keryx.saving.archive import MAGIC, Archive
from keryx.saving.old import weights_h5


@dataclass(frozen=True, repr=False)
class Description:
    """What a file holds.

    Args:
        path: The file.
        format: What it is, in words.
        about: What the file says of itself, such as the version of Keras and the class of the model.
        arrays: Shape and dtype of each array, by its path in the file.
        nbytes: The bytes of all arrays.

    >>> print(Description("a.npz", "arrays by name (.npz)", {}, {"dense/kernel": ((3, 2), "float32")}, 24))
    a.npz: arrays by name (.npz)
    1 array, 24 bytes:
      dense/kernel  (3, 2) float32
    """

    path: str
    format: str
    about: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    nbytes: int = 0

    def __str__(self):
        width = max(map(len, self.arrays), default=0)
        lines = [f"{self.path}: {self.format}"]
        lines += [f"  {name}: {value}" for name, value in self.about.items()]
        lines.append(f"{len(self.arrays):,} array{'s' * (len(self.arrays) != 1)}, {self.nbytes:,} bytes:")
        lines += [f"  {name:{width}}  {shape} {dtype}" for name, (shape, dtype) in self.arrays.items()]
        return "\n".join(lines)

    def __repr__(self):
        return f"<Description of {self.path}: {self.format}, {len(self.arrays):,} arrays>"


def describe(filepath: str | os.PathLike) -> Description:
    """Say what a file holds, whatever it may be that Keryx reads: nothing is built, and no array is loaded.

    Args:
        filepath: A file of a model or of weights, or the folder of a model.

    Raises:
        FileError: Where it is none, is damaged, or holds what is refused.

    >>> import keryx, tempfile
    >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
    >>> path = tempfile.mkdtemp() + "/a.weights.h5"
    >>> model.save_weights(path)
    >>> describe(path).arrays
    {'layers/dense/vars/0': ((3, 2), 'float32'), 'layers/dense/vars/1': ((2,), 'float32')}
    """
    path = Path(filepath)
    if path.is_dir():
        return _model(path, keras_file._Folder(path), "a model of Keras 3 in a folder")
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise FileError(f"There is no file {path}.") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    if head == hdf5.SIGNATURE:
        return _hdf5(path)
    if head[:4] == MAGIC:
        parts = Archive(path)
        if keras_file.CONFIG in parts:
            return _model(path, parts, "a model of Keras 3 (.keras)")
        return _arrays(path, "arrays by name (.npz)", npz.read(path))
    if path.name.endswith(".json"):
        arrays = sharded.read(path)
        return _arrays(path, "weights of Keras 3 in several files (.weights.json)", arrays)
    if path.suffix == ".safetensors":
        return _arrays(path, "arrays by name (.safetensors)", safetensors.read(path))
    raise FileError(f"{path} is no file of a model or of weights: it begins with {head!r}, or is truncated.")


def _arrays(path: Path, form: str, arrays: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> Description:
    shapes = {name: (tuple(array.shape or ()), str(array.dtype)) for name, array in arrays.items()}
    return Description(str(path), form, about or {}, shapes, sum(array.nbytes for array in arrays.values()))


def _nodes(root: hdf5.Group) -> dict[str, Any]:
    return {node.path: node for node in sorted(root.walk(), key=lambda node: node.path)}


def _model(path: Path, parts: Any, form: str) -> Description:
    for name in (keras_file.CONFIG, keras_file.WEIGHTS):
        if name not in parts:
            raise FileError(f"{path} is no model of Keras 3: it has no {name!r}.")
    about = {}
    if keras_file.METADATA in parts:
        said = plain.loads(bytes(parts[keras_file.METADATA]), f"{path}, in {keras_file.METADATA!r}")
        about = (
            {name: value for name, value in said.items() if isinstance(value, str)} if isinstance(said, dict) else {}
        )
    config = plain.loads(bytes(parts[keras_file.CONFIG]), f"{path}, in {keras_file.CONFIG!r}")
    about |= _of_config(config, config.get("compile_config") if isinstance(config, dict) else None)
    assets = [name for name in parts if name.startswith(f"{keras_file.ASSETS}/")]
    about |= {"assets": ", ".join(assets)} if assets else {}
    return _arrays(path, form, _nodes(hdf5.read(parts[keras_file.WEIGHTS])), about)


def _hdf5(path: Path) -> Description:
    root = hdf5.read(path)
    nodes = _nodes(root)
    about: dict[str, Any] = {
        word: root.attributes[word] for word in ("keras_version", "backend") if word in root.attributes
    }
    if isinstance(text := root.attributes.get("model_config"), str):
        training = root.attributes.get("training_config")
        trained = plain.loads(training, f"{path}, in 'training_config'") if isinstance(training, str) else None
        about |= _of_config(plain.loads(text, f"{path}, in 'model_config'"), trained)
        return _arrays(path, "a whole model in HDF5 (.h5)", nodes, about)
    if weights_h5.is_old(root):
        return _arrays(path, "weights layer by layer (.h5)", nodes, about)
    return _arrays(path, "weights of Keras 3 (.weights.h5)", nodes, about)


def _of_config(config: Any, compiled: Any) -> dict[str, Any]:
    """What a config says: the classes, by name."""
    if not isinstance(config, dict):
        raise FileError("The config of the file is no object.")
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    layers = (
        [one.get("class_name") for one in layers or [] if isinstance(one, dict)] if isinstance(layers, list) else []
    )
    about = {"model": config.get("class_name")}
    if layers:
        about[f"{len(layers)} layers"] = ", ".join(str(name) for name in layers[:30]) + ", ..." * (len(layers) > 30)
    if isinstance(compiled, dict):
        optimizer = compiled.get("optimizer") or compiled.get("optimizer_config")
        about["optimizer"] = optimizer.get("class_name") if isinstance(optimizer, dict) else optimizer
    return {name: value for name, value in about.items() if isinstance(value, str)}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Say which file: python -m keryx.saving.description FILE ...")
    for one in sys.argv[1:]:
        try:
            print(describe(one))
        except ValueError as error:
            sys.exit(str(error))
