"""Whole models in files: by what a path ends in, and by what a file begins with, to the format."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from keryx.errors import FileError
from keryx.models.model import Model
from keryx.saving import archive, hdf5, keras_file
from keryx.saving.limits import head_of
from keryx.saving.old import whole_h5


def save_model(
    model: Model,
    filepath: str | os.PathLike | BinaryIO,
    overwrite: bool = True,
    zipped: bool | None = None,
    **unknown: Any,
) -> None:
    """Write a model: how it is made and compiled, its weights, the optimizer's state, and where training stands.

    Keras 3 loads the file too. It takes the place of an old one when it is whole, and not before.

    Args:
        model: The model.
        filepath: Where to; it ends in `.keras`. One that ends in `.h5` is written as Keras 3 writes such files, which
            keep less: not where training stands, and nothing that layers of yours save by themselves. Or a binary file
            that is open, which is given the bytes of a `.keras` file.
        overwrite: Whether a file that is there is replaced; else that is an error.
        zipped: False writes the parts into a folder of this name.

    Raises:
        FileError: Where the file cannot be written.

    >>> import keryx, tempfile
    >>> path = tempfile.mkdtemp() + "/model.keras"
    >>> save_model(keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)]), path)
    >>> load_model(path).count_params()
    8
    """
    if hasattr(filepath, "write"):
        if zipped is False:
            raise FileError("An open file takes the model in one archive: leave zipped=False out, or give a folder.")
        return keras_file.write(model, Path(_name_of(filepath)), file=filepath)  # type: ignore[arg-type]
    path = Path(filepath)
    is_hdf5, zipped = path.suffix in (".h5", ".hdf5"), zipped is None or zipped
    if zipped != (path.suffix == ".keras" or is_hdf5):
        raise FileError(
            f"A model is saved to a file whose name ends in '.keras' or '.h5', or with zipped=False to a folder; got "
            f"{path}."
        )
    if path.exists() and not overwrite:
        raise FileError(f"{path} exists; overwrite=True replaces it.")
    if is_hdf5:
        return whole_h5.write(model, path)
    return keras_file.write(model, path, zipped)


def load_model(
    filepath: str | os.PathLike | BinaryIO,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model that a file holds, compiled as it was, ready to go on training.

    Args:
        filepath: The file, or the folder; or a binary file that is open, which is read to its end.
        custom_objects: Classes and functions of yours that it names.
        compile: Whether it is compiled as it was.
        safe_mode: Ignored: no code of a file is ever run.

    Raises:
        FileError: Where it is no model, is damaged, or holds what is refused.
        ConfigError: Where it names what Keryx does not know.
    """
    data = memoryview(filepath.read()) if hasattr(filepath, "read") else None
    path = Path(filepath if data is None else _name_of(filepath))  # type: ignore[arg-type]
    if data is None and path.is_dir():
        return keras_file.read(path, custom_objects, compile, safe_mode)
    head = head_of(path) if data is None else bytes(data[:8])
    if head[:4] == archive.MAGIC:
        return keras_file.read(path, custom_objects, compile, safe_mode, data)
    if head == hdf5.SIGNATURE:
        return whole_h5.read(path, custom_objects, compile, safe_mode, data)
    raise FileError(f"{path} is no file of a model: it begins with {head!r}, or is truncated.")


def _name_of(file: Any) -> str:
    """What errors call a file that is open."""
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else f"<{type(file).__name__}>"
