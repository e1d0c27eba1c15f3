"""KerasFileEditor: look into a file of weights, compare it with a model, and change what it holds."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keryx.core import plain
from keryx.errors import ArgumentError, FileError, did_you_mean, listing
from keryx.saving import atomic, forgotten, hdf5, hdf5_writer, keras_file, layout
from keryx.saving.archive import MAGIC, Archive
from keryx.saving.arrays import arrays_of
from keryx.saving.hdf5_writer import Group
from keryx.screens import put

_ENDING = ".weights.h5"


class KerasFileEditor:
    """A file of weights, `.weights.h5` or those of a `.keras` model, to look into and to edit.

    Args:
        filepath: The file.

    Attributes:
        weights_dict: The arrays, in dicts by the objects that have them, such as `layers`, `dense`, `"0"`.
        object_metadata: What the file says of an object, by its path: the layer's name.
        metadata: Of a model: by which version it was saved and when.
        config: Of a model: its config, as plain data.

    Raises:
        FileError: Where it is no such file, is damaged, or holds what is refused.

    >>> import keryx, tempfile
    >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2, name="last")])
    >>> path = tempfile.mkdtemp() + "/a.weights.h5"
    >>> model.save_weights(path)
    >>> editor = KerasFileEditor(path)
    >>> editor.rename_object("dense", "einsum_dense")
    >>> editor.summary()
    layers
      einsum_dense ('last')
        0  (3, 2) float32
        1  (2,) float32
    """

    def __init__(self, filepath: str | os.PathLike):
        self.filepath = Path(filepath)
        self.metadata: Any = None
        self.config: Any = None
        try:
            with open(self.filepath, "rb") as file:
                head = file.read(8)
        except OSError as error:
            raise FileError(f"{filepath} cannot be read: {error.strerror or error}.") from error
        if head[:4] == MAGIC:
            parts = Archive(self.filepath)
            texts = [plain.loads(bytes(parts[name]), name) for name in (keras_file.METADATA, keras_file.CONFIG)]
            self.metadata, self.config = texts
            root = hdf5.read(parts[keras_file.WEIGHTS], parts.budget)
        else:
            root = hdf5.read(self.filepath)
        self.weights_dict: dict[str, Any] = {}
        self.object_metadata: dict[str, dict[str, Any]] = {}
        for path, array in sorted(arrays_of(root, without=forgotten.GROUP).items()):
            *objects, name = path.split("/")
            where, group = self.weights_dict, root
            for depth, step in enumerate(objects):
                group = group[step]
                if group.attributes:
                    self.object_metadata["/" + "/".join(_without_vars(objects[: depth + 1]))] = dict(group.attributes)
                if step != layout.VARIABLES:
                    where = where.setdefault(step, {})
            where[name] = array

    def summary(self) -> None:
        """Print the objects and their arrays."""
        put("\n".join(self._lines(self.weights_dict, "", "")))

    def _lines(self, objects: Mapping[str, Any], path: str, indent: str) -> Iterator[str]:
        for name, value in objects.items():
            if isinstance(value, dict):
                known = self.object_metadata.get(f"{path}/{name}", {}).get("name")
                yield f"{indent}{name}{f' ({known!r})' if known else ''}"
                yield from self._lines(value, f"{path}/{name}", indent + "  ")
            else:
                yield f"{indent}{name}  {np.shape(value)} {np.asarray(value).dtype}"

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Print where the file and a model differ: objects and arrays that only one of them has, and other shapes.

        Returns:
            A dict of `status` (`"success"` or `"error"`), `error_count` and `match_count`.
        """
        wanted = {
            "/" + "/".join(_without_vars(path.split("/"))): tuple(value.shape)
            for path, value in layout.stored(reference_model).items()
        }
        held = {path: np.shape(value) for path, value in _flat(self.weights_dict, "")}
        errors = [f"{path}: in the model, not in the file" for path in wanted if path not in held]
        errors += [f"{path}: in the file, not in the model" for path in held if path not in wanted]
        both = [path for path in wanted if path in held]
        errors += [
            f"{path}: {wanted[path]} in the model, {held[path]} in the file"
            for path in both
            if wanted[path] != held[path]
        ]
        matches = sum(wanted[path] == held[path] for path in both)
        put("\n".join([*errors, f"{matches} arrays match, {len(errors)} differ."]))
        return {"status": "error" if errors else "success", "error_count": len(errors), "match_count": matches}

    # -- editing -------------------------------------------------------------------------------------------------

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Give an object, such as a layer, another name.

        Args:
            object_name: Its name, where only one has it, or its path, such as `layers/dense_2`.
            new_name: Its new name.
        """
        _check_name(new_name)
        parent, path, name = self._find(object_name)
        if new_name in parent and new_name != name:
            raise ArgumentError(f"{path.rpartition('/')[0] or 'The file'} has an object {new_name!r} already.")
        renamed = {new_name if one == name else one: value for one, value in parent.items()}  # in its place
        parent.clear()
        parent.update(renamed)
        new_path = f"{path.rpartition('/')[0]}/{new_name}"
        for old in [one for one in self.object_metadata if f"{one}/".startswith(f"{path}/")]:
            self.object_metadata[new_path + old[len(path) :]] = self.object_metadata.pop(old)

    def delete_object(self, object_name: str) -> None:
        """Take an object, by name or path, out of the file."""
        parent, path, name = self._find(object_name)
        del parent[name]
        for old in [one for one in self.object_metadata if f"{one}/".startswith(f"{path}/")]:
            del self.object_metadata[old]

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Add an object.

        Args:
            object_path: Its path; what it lies in has to be there.
            weights: Its arrays by name, which usually are "0", "1" and on.
        """
        *objects, name = object_path.strip("/").split("/")
        _check_name(name)
        where = self.weights_dict
        for step in objects:
            inner = where.get(step)
            if not isinstance(inner, dict):
                raise ArgumentError(f"The file has no object {'/'.join(objects)!r} to add {name!r} to.")
            where = inner
        where[name] = _checked(weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Take an array out of an object."""
        parent, _, name = self._find(object_name)
        found = parent[name]
        if weight_name not in found:
            raise ArgumentError(f"{object_name!r} has no weight {weight_name!r}; it has {listing(found)}.")
        del found[weight_name]

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Add arrays, by name, to an object, or put them in the place of those that it has."""
        parent, _, name = self._find(object_name)
        parent[name].update(_checked(weights))

    def save(self, filepath: str | os.PathLike) -> None:
        """Write the weights as they are now.

        Args:
            filepath: Where to; the name ends in `.weights.h5`.

        Raises:
            FileError: Where the file cannot be written.
        """
        path = Path(filepath)
        if not path.name.endswith(_ENDING):
            raise FileError(f"Edited weights are saved to a file whose name ends in {_ENDING!r}; got {path}.")
        root = Group()
        for where, value in _flat(self.weights_dict, ""):
            objects, _, name = where.strip("/").rpartition("/")
            root.put(f"{objects}/{layout.VARIABLES}/{name}".lstrip("/"), np.asarray(value))
        for where, said in self.object_metadata.items():
            group: Any = root
            for step in [*filter(None, where.split("/")), layout.VARIABLES]:
                group = group.members.get(step) if group is not None else None
            if group is not None:
                group.attributes.update(said)
        with atomic.writing(path) as file:
            hdf5_writer.write(file, root)

    def resave_weights(self, filepath: str | os.PathLike) -> None:
        """The older name of `save`."""
        self.save(filepath)

    def _find(self, object_name: str) -> tuple[dict[str, Any], str, str]:
        """The dict that holds an object, its path, and its name in there."""
        found = [
            (parent, path, name)
            for parent, path, name in _objects(self.weights_dict, "")
            if object_name.strip("/") in ((path.strip("/"),) if "/" in object_name else (name,))
        ]
        if len(found) == 1:
            return found[0]
        paths = [path.strip("/") for _, path, _ in _objects(self.weights_dict, "")]
        if found:
            raise ArgumentError(f"{len(found)} objects have the name {object_name!r}: give a path. {listing(paths)}.")
        hint = did_you_mean(object_name, [*paths, *(path.rpartition("/")[2] for path in paths)])
        raise ArgumentError(f"The file has no object {object_name!r}.{hint} It has {listing(paths)}.")


def _objects(objects: dict[str, Any], path: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    for name, value in objects.items():
        if isinstance(value, dict):
            yield objects, f"{path}/{name}", name
            yield from _objects(value, f"{path}/{name}")


def _flat(objects: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in objects.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}/{name}")
        else:
            yield f"{path}/{name}", value


def _without_vars(steps: list[str]) -> list[str]:
    return [step for step in steps if step != layout.VARIABLES]


def _check_name(name: str) -> None:
    if not name or "/" in name or name in (".", "..", layout.VARIABLES):
        raise ArgumentError(f"{name!r} is no name of an object: it is a word without '/'.")


def _checked(weights: Any) -> dict[str, np.ndarray]:
    if not isinstance(weights, dict) or not all(isinstance(name, str) and "/" not in name for name in weights):
        raise ArgumentError(
            f"weights= is a dict of arrays by name, such as {{'0': kernel}}; got {type(weights).__name__}."
        )
    return {name: np.asarray(value) for name, value in weights.items()}
