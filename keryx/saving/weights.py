"""Weights in files: which format is written is said by the path, which one is read by the file."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keryx.core.lending import put
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, FileError, StateError, listing, warn
from keryx.saving import archive, atomic, hdf5, hdf5_writer, keras_file, layout, npz, orbax, safetensors, sharded
from keryx.saving.arrays import arrays_of
from keryx.saving.limits import head_of
from keryx.saving.old import groups, weights_h5
from keryx.saving.report import Report
from keryx.saving.restoring import restore, unfit

TREE, SHARDED, LAYERS = ".weights.h5", ".weights.json", (".h5", ".hdf5")
BY_PATH = {".safetensors": safetensors, ".npz": npz}
SHARD_SIZE = 5.0  # GB


def save_weights(
    model: Any, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None
) -> None:
    """Write the weights of a model, in the format that the name of the file ends in.

    - `.weights.h5`: Keras 3's, with the state of the optimizer. The only one that keeps what layers of your own save by
      `save_own_variables`.
    - `.weights.json`: the same in several files beside it, of at most `max_shard_size` GB each.
    - `.safetensors`, `.npz`: arrays by the paths of `model.named_variables`.
    - `.h5`: layer by layer, as Keras 2 wrote weights and Keras 3 reads them.

    The new file takes the place of an old one when it is whole, and not before.

    Args:
        model: The model, built.
        filepath: Where to; the folder has to exist.
        overwrite: Whether a file that is there is replaced; else that is an error.
        max_shard_size: The most GB in one file, for `.weights.json`; 5 by default.

    Raises:
        FileError: Where the file cannot be written.
        StateError: Where the model is not built.

    >>> import keryx, tempfile
    >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
    >>> path = tempfile.mkdtemp() + "/model.weights.h5"
    >>> save_weights(model, path)
    >>> load_weights(model, path).matched
    ('dense/kernel', 'dense/bias')
    """
    path = Path(filepath)
    _check_built(model, "saved")
    if max_shard_size is not None:
        path = _sharded_path(path, max_shard_size)
    if path.exists() and not overwrite:
        raise FileError(f"{path} exists; overwrite=True replaces it.")
    write = _writer(path.name)
    if write is None:
        raise FileError(
            f"The name of a file of weights ends in {listing([TREE, SHARDED, *BY_PATH, LAYERS[0]])}; got {path}."
            f"{' Whole models are saved by model.save(path).' if path.suffix == '.keras' else ''}"
        )
    write(model, path, max_shard_size)


def load_weights(
    model: Any, filepath: str | os.PathLike, skip_mismatch: bool = False, by_name: bool = False, **unknown: Any
) -> Report:
    """Give a model the weights that a file holds: one that `save_weights` wrote, or Keras of any age.

    What the format is is seen from the file itself. Everything is checked before anything changes.

    Args:
        model: The model, built.
        filepath: A file of weights, or of a whole model.
        skip_mismatch: Whether what does not fit is left out with a warning; else it is an error.
        by_name: Whether only layers (in `.h5`) or variables (in `.safetensors`, `.npz`) whose names are in the file and
            in the model take part. What has such a name has to fit.

    Returns:
        A Report of what was matched, and what was not and why.

    Raises:
        FileError: Where the file does not fit the model, with every difference; where it is damaged, or holds what is
            refused. The model is as it was.
        StateError: Where the model is not built.
    """
    if unknown:
        raise ArgumentError(f"load_weights() has no argument {listing(unknown)}. It has skip_mismatch and by_name.")
    path = Path(filepath)
    _check_built(model, "loaded")
    values = _read(path)
    if isinstance(values, hdf5.Group):
        matching = weights_h5.match(values, model, by_name)
        return _settle(model, path, matching.found, matching.unused, matching.missing, skip_mismatch, by_name)
    if path.suffix in BY_PATH or orbax.is_checkpoint(path):
        return _settle(model, path, *_by_path(model, values), skip_mismatch, by_name)
    if by_name:
        raise ArgumentError(
            f"by_name=True is for files that keep names: '.h5', {listing(BY_PATH)}. In {path.name} each layer goes by "
            "its class and number. skip_mismatch=True takes what fits."
        )
    return restore(model, values, skip_mismatch, path)


def _check_built(model: Any, done: str) -> None:
    if not model.built:
        raise StateError(
            f"{model.title} has no weights yet that could be {done}: it is not built. Call it on a batch, or give it "
            "an Input, first."
        )


# -- formats -------------------------------------------------------------------------------------------------------


def _writer(name: str) -> Callable[[Any, Path, float | None], None] | None:
    """What writes files of this name."""
    if name.endswith(TREE):
        return _write_tree
    if name.endswith(SHARDED):
        return _write_shards
    if name.endswith(LAYERS):
        return _write_layers
    return _write_by_path if name.endswith(tuple(BY_PATH)) else None


def _write_tree(model: Any, path: Path, _: Any) -> None:
    with layout.at_one_moment(layout.stored(model)) as arrays, atomic.writing(path) as file:
        hdf5_writer.write(file, layout.as_groups(model, arrays))


def _write_shards(model: Any, path: Path, max_shard_size: float | None) -> None:
    with layout.at_one_moment(layout.stored(model)) as arrays:
        sharded.write(model, path, arrays, max_shard_size or SHARD_SIZE)


def _write_layers(model: Any, path: Path, _: Any) -> None:
    with groups.groups(model, keras_file.KERAS_VERSION) as root, atomic.writing(path) as file:
        hdf5_writer.write(file, root)


def _write_by_path(model: Any, path: Path, _: Any) -> None:
    with layout.at_one_moment(_named(model)) as arrays:
        BY_PATH[path.suffix].write(path, arrays)


def _sharded_path(path: Path, max_shard_size: Any) -> Path:
    if not path.name.endswith((TREE, SHARDED)):
        raise FileError(f"With max_shard_size= the name ends in {SHARDED!r}; got {path}.")
    if isinstance(max_shard_size, bool) or not isinstance(max_shard_size, (int, float)) or not max_shard_size > 0:
        raise ArgumentError(f"max_shard_size is a number of GB above 0; got {max_shard_size!r}.")
    return path.with_name(path.name.removesuffix(TREE) + SHARDED) if path.name.endswith(TREE) else path


def _read(path: Path) -> Any:
    """What a file holds: its arrays by path, or the group of one that keeps weights layer by layer."""
    if orbax.is_checkpoint(path):
        return orbax.read(path)
    if path.is_dir() and (path / keras_file.WEIGHTS).is_file():  # a whole model's folder
        path /= keras_file.WEIGHTS
    head = head_of(path)
    if head == hdf5.SIGNATURE:
        return _in_hdf5(hdf5.read(path))
    if head[:4] == archive.MAGIC and path.suffix != ".npz":
        parts = archive.Archive(path)
        return _in_hdf5(hdf5.read(parts[keras_file.WEIGHTS], parts.budget))
    if path.name.endswith(SHARDED):
        return sharded.read(path)
    if path.suffix in BY_PATH:
        return BY_PATH[path.suffix].read(path)
    kinds = listing([TREE, SHARDED, *BY_PATH, LAYERS[0], ".keras"])
    if not head or path.name.endswith((*LAYERS, ".keras")):
        raise FileError(
            f"{path} is {'empty' if not head else 'damaged'}: it begins with {head!r}, as no such file does."
        )
    raise FileError(f"{path} holds no weights that are read here; files of {kinds} are.")


def _in_hdf5(root: hdf5.Group) -> Any:
    inner = root.get("model_weights")
    for group in (root, inner):
        if isinstance(group, hdf5.Group) and weights_h5.is_old(group):
            return group
    return arrays_of(root, without="keryx")  # what Keras passes over


# -- by the paths of variables -------------------------------------------------------------------------------------


def _named(model: Any) -> dict[str, Variable]:
    return {path: v for path, v in model.named_variables.items() if not v.transient}


def _by_path(
    model: Any, values: Mapping[str, np.ndarray]
) -> tuple[dict[Variable, Any], dict[str, str], dict[str, str]]:
    """What a file has for the variables of a model by their paths: found, unused, missing."""
    named = _named(model)
    found: dict[Variable, Any] = {}
    missing: dict[str, str] = {}
    for path, variable in named.items():
        if path not in values:
            missing[path] = "the file has no array of this name"
        elif why := unfit(variable, values[path]):
            missing[path] = why
        else:
            found[variable] = values[path]
    unused = dict.fromkeys(values.keys() - named.keys(), "the model has no variable of this name")
    return found, dict(sorted(unused.items())), missing


def _settle(
    model: Any,
    path: Path,
    found: Mapping[Variable, Any],
    unused: Mapping[str, str],
    missing: Mapping[str, str],
    skip_mismatch: bool,
    by_name: bool,
) -> Report:
    """Give the variables what was found for them, if that is all, or as much as is asked for."""
    names = {v: name for name, v in model.named_variables.items()}
    report = Report(str(path), tuple(names[v] for v in found), unused, missing)
    wrong = {**missing, **unused}
    if by_name:  # what is not there is left out, as it is asked for
        wrong = {name: why for name, why in wrong.items() if " has no " not in f" {why}"}
    if wrong and not skip_mismatch:
        report.complain(model.title, wrong)
    if wrong:
        warn(str(report))
    put(list(found), [v.owned(value) for v, value in found.items()])
    return report
