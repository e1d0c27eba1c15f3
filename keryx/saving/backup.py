"""Backups of a run: all that training changes, in one file, from which the run goes on to the same bits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from keryx.callbacks import CallbackList
from keryx.core import plain, seeds
from keryx.core.lending import put, reading
from keryx.core.names import snake_case, untaken
from keryx.errors import ConfigError, FileError, listing, warn
from keryx.random import SeedGenerator
from keryx.saving import atomic, hdf5, hdf5_writer, layout
from keryx.saving.arrays import arrays_of
from keryx.saving.hdf5_writer import Group
from keryx.training.session import Session
from keryx.training.state import CLOCK

_NAME = "backup-*.h5"
_ABOUT = {"optimizer", "variables", "data", "clock", "seeds", "global_seed", "callbacks"}
_SHOWN = 10


def write(folder: Path, model: Any, callbacks: CallbackList, params: dict[str, Any], kept: int) -> None:
    """Write a backup, and delete those before the last `kept`.

    Raises:
        FileError: Where it cannot be written; those before are as they were.
        ConfigError: Where a callback remembers what is no plain data.
    """
    folder.mkdir(parents=True, exist_ok=True)
    session: Session = model.session
    with reading(session.cells) as values:
        *arrays, clock = values
        root, extra = Group(), list[np.ndarray]()
        about = {
            **_nature(session, params),
            "clock": {name: np.asarray(value).tolist() for name, value in clock.items()},
            "seeds": {path: [one._start, one._counter] for path, one in _generators(model)},
            "global_seed": list(seeds.state()),
            "callbacks": {name: _packed(one.get_state(), extra, name) for name, one in _remembering(callbacks).items()},
        }
        for i, array in enumerate(arrays):
            root.put(f"state/{i}", array)
        for i, array in enumerate(extra):
            root.put(f"callbacks/{i}", array)
        root.put("about", np.frombuffer(json.dumps(about).encode(), np.uint8))  # an array, for it has a checksum
        number = max([0, *(_number(path) for path in _backups(folder))]) + 1
        with atomic.writing(folder / f"backup-{number:08}.h5") as file:
            hdf5_writer.write(file, root)
    for old in _backups(folder)[kept:]:
        old.unlink(missing_ok=True)


def restore(folder: Path, model: Any, callbacks: CallbackList, params: dict[str, Any]) -> bool:
    """Put the newest backup that is whole back; whether there was one.

    Raises:
        FileError: Where all are damaged, or it is that of another model or of other data. Nothing is changed.
    """
    errors: list[FileError] = []
    for path in _backups(folder):
        try:
            about, arrays = _read(path)
        except FileError as error:
            errors.append(error)
            continue
        for error in errors:
            warn(f"{error} Training goes on from the backup before, {path}.")
        _take(path, model, callbacks, params, about, arrays)
        return True
    if errors:
        raise FileError(f"No backup in {folder} can be read: {errors[0]} Delete the folder to begin anew.")
    return False


def delete(folder: Path) -> None:
    """Delete the backups, and the folder if nothing else is in it."""
    for path in _backups(folder):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _backups(folder: Path) -> list[Path]:
    """The backups in a folder, the newest first."""
    return sorted((path for path in folder.glob(_NAME) if path.stem[7:].isdigit()), key=_number, reverse=True)


def _number(path: Path) -> int:
    return int(path.stem[7:])


def _remembering(callbacks: CallbackList) -> dict[str, Any]:
    """The callbacks that remember something, by class and number."""
    taken: dict[str, int] = {}
    able = [one for one in callbacks if hasattr(one, "set_state") and one.get_state()]
    return {untaken(snake_case(type(one).__name__), taken): one for one in able}


def _generators(model: Any) -> Iterator[tuple[str, SeedGenerator]]:
    return ((path, one) for path, one in layout.parts(model) if isinstance(one, SeedGenerator))


def _nature(session: Session, params: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same for a run to go on."""
    example = session.example
    batch = [f"{a.dtype} {list(a.shape)}" for a in jax.tree.leaves((example.x, example.y, example.weight))]
    return {
        "optimizer": type(session.optimizer).__name__,
        "variables": {
            name: [list(cell.shape), cell.dtype] for name, cell in zip(session.cell_names, session.cells, strict=False)
        },
        "data": {"steps of an epoch": params.get("steps"), "a batch": batch},
    }


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    arrays = arrays_of(hdf5.read(path))
    try:
        about = plain.loads(arrays.pop("about").tobytes(), f"{path}")
        if about.keys() != _ABOUT or len(about["variables"]) != sum(name.startswith("state/") for name in arrays):
            raise ValueError("it does not hold what a backup holds")
        clock = about["clock"]
        about["clock"] = {name: np.asarray(clock[name], np.uint32 if name == "key" else np.int32) for name in CLOCK}
    except (KeyError, AttributeError, ConfigError, TypeError, ValueError) as error:
        raise FileError(f"{path} is no backup of a run, or is damaged: {error}.") from None
    return about, arrays


def _take(
    path: Path,
    model: Any,
    callbacks: CallbackList,
    params: dict[str, Any],
    about: dict[str, Any],
    arrays: dict[str, np.ndarray],
) -> None:
    session: Session = model.session
    if different := list(_differences(about, json.loads(json.dumps(_nature(session, params))))):
        more = [f"  and {len(different) - _SHOWN:,} more"] * (len(different) > _SHOWN)
        raise FileError(
            "\n".join(
                [
                    f"The backup {path} is that of another run:",
                    *(f"  {line}" for line in different[:_SHOWN]),
                    *more,
                    f"Train what it was made of, or delete {path.parent} to begin anew.",
                ]
            )
        )
    values = [cell.owned(arrays[f"state/{i}"]) for i, cell in enumerate(session.cells[:-1])]
    there, kept = _remembering(callbacks), about["callbacks"]
    if there.keys() != kept.keys():
        others = sorted(there.keys() ^ kept.keys())
        warn(f"The callbacks are others than those of {path}: {listing(others)} begin anew.")
    for name in there.keys() & kept.keys():
        there[name].set_state(_unpacked(kept[name], arrays))
    put(session.cells, [*values, about["clock"]])
    seeds.restore(*about["global_seed"])
    for place, one in _generators(model):
        if place in about["seeds"]:
            one._start, one._counter = map(int, about["seeds"][place])


def _differences(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What differs between the run of a backup and this one, in words."""
    other = then["optimizer"] != now["optimizer"]
    if other:
        yield f"optimizer: {then['optimizer']} then, {now['optimizer']} now"
    for what in ("variables", "data"):
        for name in {**then[what], **now[what]}:
            if other and name.startswith("/optimizer/"):
                continue
            was, is_ = (one[what].get(name, "nothing") for one in (then, now))
            if was != is_:
                yield f"{name}: {_shown(was)} then, {_shown(is_)} now"


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], list):
        return f"{tuple(value[0])} {value[1]}"
    return ", ".join(value) if isinstance(value, list) else str(value)


# -- what callbacks remember ---------------------------------------------------------------------------------------


def _packed(value: Any, arrays: list[np.ndarray], where: str) -> Any:
    """As plain data; arrays go into the list."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        arrays.append(value)
        return {"__array__": len(arrays) - 1}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _packed(one, arrays, f"{where}/{key}") for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        packed = [_packed(one, arrays, f"{where}/{i}") for i, one in enumerate(value)]
        return {"__tuple__": packed} if isinstance(value, tuple) else packed
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(
        f"A callback remembers {where}, a {type(value).__name__}, which no backup can hold: let its get_state() give "
        "numbers, texts, arrays, and lists and dicts of those."
    )


def _unpacked(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict) and value.keys() == {"__array__"}:
        return np.array(arrays[f"callbacks/{value['__array__']}"])
    if isinstance(value, dict) and value.keys() == {"__tuple__"}:
        return tuple(_unpacked(one, arrays) for one in value["__tuple__"])
    if isinstance(value, dict):
        return {key: _unpacked(one, arrays) for key, one in value.items()}
    return [_unpacked(one, arrays) for one in value] if isinstance(value, list) else value
