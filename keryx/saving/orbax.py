"""Checkpoints of Orbax: how the state of training is laid out in them. The package is an extra."""

import importlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keryx.core.lending import hand_out
from keryx.errors import ConfigError, FileError
from keryx.saving import keras_file

# The groups of a checkpoint, by Keras's names. The names of the metrics and of the optimizer's state begin with these.
_OPTIMIZER, _METRICS = "/optimizer/", "/metrics/"


def package() -> Any:
    """The package orbax-checkpoint.

    Raises:
        ConfigError: Where it is not installed.
    """
    try:
        return importlib.import_module("orbax.checkpoint").v1
    except (ImportError, AttributeError):
        raise ConfigError("Orbax is not installed, or too old: pip install 'keryx[orbax]'.") from None


def checkpointer(directory: str, max_to_keep: int | None) -> Any:
    """What writes into a folder, and keeps the newest checkpoints there."""
    training = package().training
    kept = None if max_to_keep is None else training.preservation_policies.LatestN(max_to_keep)
    always = training.save_decision_policies.FixedIntervalPolicy(1)
    return training.Checkpointer(directory=directory, preservation_policy=kept, save_decision_policy=always)


def payload(model: Any, weights_only: bool = False) -> dict[str, Any]:
    """All that is saved of a model under training: arrays of one moment, nested by the paths of the variables."""
    session = model.session
    names, cells = session.cell_names, session.cells[:-1]
    groups: dict[str, dict[str, Any]] = {"trainable_variables": {}, "non_trainable_variables": {}}
    if not weights_only:
        groups |= {"optimizer_variables": {}, "metrics_variables": {}}
    for name, value in zip(names, hand_out(cells), strict=True):  # Orbax reads them while training goes on
        group = "trainable_variables" if name in session.trainable else "non_trainable_variables"
        for start, other in ((_OPTIMIZER, "optimizer_variables"), (_METRICS, "metrics_variables")):
            if name.startswith(start):
                group, name = other, name.removeprefix(start)
        if group in groups:
            _put(groups[group], name.split("/"), value)
    found: dict[str, Any] = {"pytree": groups}
    if not weights_only:
        found["model_config"] = {"config": json.dumps(keras_file.config_of(model))}
    return found


def _put(tree: dict[str, Any], steps: Iterable[str], value: Any) -> None:
    *groups, last = steps
    for step in groups:
        tree = tree.setdefault(step, {})
    tree[last] = value


def is_checkpoint(path: Path) -> bool:
    """Whether a path is a folder of checkpoints, or one of them."""
    return path.is_dir() and (_is_one(path) or any(map(_is_one, path.iterdir())))


def _is_one(path: Path) -> bool:
    return path.name.isdigit() and (path / "pytree").is_dir()


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights of a checkpoint, or of the newest in a folder, by the paths of the variables.

    Orbax reads them, which is made for files that one has written oneself: not for files of strangers.

    Raises:
        FileError: Where it cannot be read.
    """
    ones = [path] if _is_one(path) else sorted(filter(_is_one, path.iterdir()), key=lambda one: int(one.name))
    orbax = package()
    try:
        loaded = orbax.load_checkpointables(ones[-1].absolute(), {"pytree": None})["pytree"]
    except Exception as error:  # whatever is wrong with its files
        raise FileError(f"{ones[-1]} cannot be read by Orbax: {error}.") from error
    groups = (loaded.get(name) or {} for name in ("trainable_variables", "non_trainable_variables"))
    return {name: np.asarray(value) for group in groups for name, value in _flat(group, "")}


def _flat(tree: Mapping[str, Any], path: str) -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value
