"""The format `.keras` of Keras 3: config, weights, optimizer and assets in one zip archive, or in a folder.

What Keras forgets lies beside the weights in a group that it passes over: where training stands, what the metrics have
counted, what seed generators have drawn.
"""

import datetime
import importlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from keryx.core import plain
from keryx.core.codec import deserialize, serialize
from keryx.core.lending import reading
from keryx.core.registered import custom_object_scope
from keryx.core.variable import made_later
from keryx.errors import ConfigError, FileError, warn
from keryx.layers.layer import Layer, registry
from keryx.models.model import Model
from keryx.saving import atomic, forgotten, hdf5, hdf5_writer, layout, old
from keryx.saving.archive import Archive, Writer
from keryx.saving.arrays import arrays_of
from keryx.saving.limits import Budget
from keryx.saving.restoring import restore

METADATA, CONFIG, WEIGHTS, ASSETS = "metadata.json", "config.json", "model.weights.h5", "assets"
KERAS_VERSION = "3.15.1"  # whose files these are


def write(model: Model, path: Path, zipped: bool = True, file: BinaryIO | None = None) -> None:
    """Write a model, to a path or to a file that is open."""
    config = json.dumps(config_of(model)).encode()
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    about = {
        "keras_version": KERAS_VERSION,
        "date_saved": now,
        "keryx_version": importlib.import_module("keryx").__version__,
    }
    with tempfile.TemporaryDirectory() as folder, layout.at_one_moment(layout.stored(model)) as arrays:
        assets = layout.save_assets(model, Path(folder))
        root = layout.as_groups(model, arrays)
        forgotten.put(model, root)
        parts = {METADATA: json.dumps(about).encode(), CONFIG: config}
        if zipped:
            with atomic.writing(path) if file is None else _writing_at_once(file) as whole:
                archive = Writer(whole)
                for name, text in parts.items():
                    archive.add(name, text)
                with archive.part(WEIGHTS) as part:
                    hdf5_writer.write(part, root)
                for name, asset in assets.items():
                    archive.add(f"{ASSETS}/{name}", asset.read_bytes())
                archive.close()
            return
        if path.exists() and not (path / CONFIG).is_file():
            raise FileError(f"{path} exists and is no folder of a model: give another name.")
        with atomic.writing_folder(path) as unfinished:
            for name, text in parts.items():
                (unfinished / name).write_bytes(text)
            with open(unfinished / WEIGHTS, "wb") as weights:
                hdf5_writer.write(weights, root)
            for name, asset in assets.items():
                (unfinished / ASSETS / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(asset, unfinished / ASSETS / name)


@contextmanager
def _writing_at_once(file: BinaryIO) -> Iterator[BinaryIO]:
    """A block that gives an open file all at its end: whole or not at all, also where the file cannot seek."""
    whole = io.BytesIO()
    yield whole
    file.write(whole.getbuffer())


def config_of(model: Model) -> dict[str, Any]:
    """The config of a model as it stands in a file: with how it was built and compiled."""
    config = serialize(model)
    try:
        compiled = model.get_compile_config() if isinstance(model, Model) else None
    except ConfigError as error:
        warn(f"{model.title} is saved without what it was compiled with: {error} Compile it anew after loading.")
        return config
    return config | ({"compile_config": serialize(compiled)} if compiled else {})


def read(
    path: Path,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    data: memoryview | None = None,
) -> Model:
    """Read a model, of a path or of bytes in memory. No code of the file is run, whatever `safe_mode` says."""
    parts: Any = _Folder(path) if data is None and path.is_dir() else Archive(path, data=data)
    for name in (CONFIG, WEIGHTS):
        if name not in parts:
            raise FileError(f"{path} is no model of Keras 3: it has no {name!r}.")
    for name in (METADATA, CONFIG):
        if name in parts and not parts.check(name):
            raise FileError(f"{path} is damaged: the bytes of {name!r} are not those that were written.")
    config = plain.loads(bytes(parts[CONFIG]), f"{path}, in {CONFIG!r}")
    version = _version(parts, path)
    config = old.to_today(config, version)
    root = hdf5.read(parts[WEIGHTS], parts.budget)
    arrays = arrays_of(root, without=forgotten.GROUP)
    if forgotten.GROUP not in root and not parts.check(WEIGHTS):  # files of our own have a checksum for each array
        raise FileError(f"{path} is damaged: the bytes of {WEIGHTS!r} are not those that were written.")
    with custom_object_scope(dict(custom_objects or {})):
        with made_later():
            model = made(config, path)
        if compile and config.get("compile_config") and isinstance(model, Model):
            _compile(model, config["compile_config"], path)
        values = arrays if old.is_today(version) else old.todays_values(arrays, model)
        restore(model, values, path=path)
        layout.load_assets(model, parts, ASSETS)
    forgotten.take(model, root)
    with reading(model.variables):  # makes those that no file holds
        pass
    return model


def _version(parts: Any, path: Path) -> str:
    """The Keras that wrote a file; today's where it does not say."""
    metadata = plain.loads(bytes(parts[METADATA]), f"{path}, in {METADATA!r}") if METADATA in parts else {}
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else "3"


def made(config: Any, path: Path) -> Any:
    """The model of a config, or a layer that is saved by itself, built as its build config says."""
    model = deserialize(config, registry)
    if not isinstance(model, Layer):
        raise FileError(f"{path} holds a {type(model).__name__}, not a model.")
    return model


def _compile(model: Model, config: Any, path: Path) -> None:
    try:
        model.compile_from_config(config)
    except ConfigError as error:
        error.add_note(f"In what the model of {path} was compiled with; load_model(..., compile=False) leaves it out.")
        raise


class _Folder(Mapping[str, memoryview]):
    """The parts of a model that lies in a folder."""

    def __init__(self, path: Path):
        self.path, self.budget = path, Budget()

    def __getitem__(self, name: str) -> Any:
        return hdf5.mapped(self.path / name)

    def __iter__(self) -> Iterator[str]:
        for place in sorted(self.path.rglob("*")):
            self.budget.count()
            if place.is_file() and not place.is_symlink():
                yield place.relative_to(self.path).as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: Any) -> bool:
        return (self.path / name).is_file()

    def check(self, name: str) -> bool:
        """A folder keeps no checksums of its parts."""
        return True
