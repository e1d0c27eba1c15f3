"""The weights of `.h5` files of every age, matched to the variables of a model: by the order of layers, or by name."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keryx.core.variable import Variable
from keryx.errors import FileError
from keryx.saving import hdf5
from keryx.saving.old.arrays import Origin, Part, parts


@dataclass
class Matching:
    """Which arrays of a file belong to which variables of a model. Nothing is put.

    Attributes:
        found: The array of each variable that has one, in the variable's shape.
        unused: What the file holds that goes nowhere: why, by `layer/weight` as the file names it.
        missing: Variables without an array: why, by their path.
    """

    found: dict[Variable, np.ndarray] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """What a file keeps of one layer.

    Args:
        name: The layer's name there.
        arrays: Its arrays by name, in order.
    """

    name: str
    arrays: dict[str, hdf5.Array]


def is_old(group: hdf5.Group) -> bool:
    """Whether a group keeps weights as `.h5` files do, layer by layer."""
    return any(word in group.attributes for word in ("layer_names", "layer_names0", "nb_layers"))


def match(group: hdf5.Group, model: Any, by_name: bool = False, names_first: bool = False) -> Matching:
    """Find the arrays of a model's variables.

    Args:
        group: The root of a weights file, or `model_weights` of a whole model's.
        model: The model, built.
        by_name: Whether layers are matched by their names, and others left out; else by their order.
        names_first: Whether layers are matched by name where the file names all of the model's: for its own model.

    Raises:
        FileError: Where the file is damaged. What does not fit is told by the result.
    """
    kept = [layer for layer in layers_of(group) if layer.arrays]
    origin = origin_of(group, kept)
    own = [layer for layer in model.layers if layer.weights]
    within = {v for layer in model.layers for v in layer.variables}
    top = [v for v in model.weights if v not in within]
    paths = {v: path for path, v in model.named_variables.items()}
    matching = Matching()
    top_kept = next((one for one in kept if one.name == TOP), None)
    kept = [one for one in kept if one.name != TOP]
    if not by_name and len(kept) > len(own):  # Keras 1 wrote the layers of merged branches one by one
        flat = _flattened(own)
        own = flat if len(flat) == len(kept) else own
    by_names = by_name or (names_first and sorted(k.name for k in kept) == sorted(layer.name for layer in own))
    if by_names:
        named = {one.name: one for one in kept}
        pairs = [(layer, named.pop(layer.name, None)) for layer in own]
        left = [(one, f"the model has no layer {one.name!r} with weights") for one in named.values()]
    else:
        pairs = [(layer, kept[i] if i < len(kept) else None) for i, layer in enumerate(own)]
        left = [
            (one, f"the model has {len(own)} layers with weights, the file {len(kept)}") for one in kept[len(own) :]
        ]
    for layer, one in pairs:
        if one is None:
            why = "the file has no layer of this name" if by_names else f"the file has {len(kept)} layers with weights"
            matching.missing |= {paths[v]: why for v in layer.weights}
        else:
            _match_layer(layer, one, origin, paths, matching)
    for one, why in left:
        matching.unused |= {f"{one.name}/{name}": why for name in one.arrays}
    _match_top(top, top_kept, paths, matching)
    return matching


def _flattened(layers: list[Any]) -> list[Any]:
    """The layers with weights, those of models in the place of the models."""
    found = []
    for layer in layers:
        inner = [one for one in getattr(layer, "layers", []) if one.weights]
        found += _flattened(inner) if inner else [layer]
    return found


TOP = "top_level_model_weights"


def layers_of(group: hdf5.Group) -> list[Kept]:
    """What the file keeps of each layer, in its order."""
    if "nb_layers" in group.attributes:  # before Keras 1.0
        return [
            Kept(f"layer_{k}", {name: _array(group, f"layer_{k}/{name}") for name in _numbered(group, k)})
            for k in range(_count(group, "nb_layers"))
        ]
    names = texts(group, "layer_names")
    if len(set(names)) < len(names):
        raise FileError("The file names a layer twice: damaged.")
    names += [TOP] * (TOP in group and TOP not in names)
    found = []
    for name in names:
        member = group.get(name)
        if not isinstance(member, hdf5.Group):
            raise FileError(f"The file has no group of the layer {name!r}, which it names: damaged.")
        found.append(Kept(name, {weight: _array(member, weight) for weight in texts(member, "weight_names")}))
    return found


def _numbered(group: hdf5.Group, k: int) -> list[str]:
    return [f"param_{i}" for i in range(_count(group[f"layer_{k}"], "nb_params"))]


def _count(group: hdf5.Group, word: str) -> int:
    value = group.attributes.get(word)
    if not isinstance(value, (int, np.integer)) or not 0 <= value <= len(group):
        raise FileError(f"The group {group.path!r} of the file says {word}={value!r}, and has {len(group)} members.")
    return int(value)


def _array(group: hdf5.Group, name: str) -> hdf5.Array:
    found = group.get(name)
    if not isinstance(found, hdf5.Array) or found.shape is None or found.dtype.kind not in "fiubV":
        raise FileError(
            f"The group {group.path!r} of the file has no array of numbers {name!r}, which it names: damaged."
        )
    return found


def texts(group: hdf5.Group, name: str) -> list[str]:
    """An attribute that is a list of texts; one above 64,512 bytes was cut into `name0`, `name1`, ..."""
    pieces = [name] if name in group.attributes else list(_pieces(group, name))
    found: list[str] = []
    for piece in pieces:
        value = group.attributes[piece]
        value = [] if value is None else value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise FileError(f"The attribute {piece!r} of the group {group.path!r} in the file is no list of names.")
        found += value
    return found


def _pieces(group: hdf5.Group, name: str) -> Iterator[str]:
    count = 0
    while f"{name}{count}" in group.attributes:
        yield f"{name}{count}"
        count += 1


def origin_of(group: hdf5.Group, kept: list[Kept]) -> Origin:
    """Who wrote a group of weights. Keras 1 did not say; names of TensorFlow's variables end in `:0`."""
    version, backend = (group.attributes.get(word) for word in ("keras_version", "backend"))
    version = version if isinstance(version, str) else None
    if not isinstance(backend, str):
        names = [name for layer in kept for name in layer.arrays]
        named = any(not name.startswith("param_") for name in names)
        backend = "theano" if named and not any(":" in name for name in names) else None
    return Origin(version, backend)


def named_parts(group: hdf5.Group, model: Any, origin: Origin) -> list[tuple[Part, list[str]]]:
    """The parts of a file's own model, layer by layer, with the names of their arrays there."""
    kept = {one.name: list(one.arrays) for one in layers_of(group)}
    found = []
    for layer in model.layers:
        names = kept.get(layer.name, [])
        for part in parts(layer, origin):
            found.append((part, names[: part.count]))
            names = names[part.count :]
    return found


_ORDERS = ("trainable first", "as built", "layer by layer")


def _match_layer(layer: Any, kept: Kept, origin: Origin, paths: dict[Variable, str], matching: Matching) -> None:
    """Take the arrays of one layer in the order in which they fit best: what was frozen then may not be so now."""
    best: tuple[int, Matching] | None = None
    for order in _ORDERS:
        tried = _in_order(parts(layer, origin, order), kept, origin, paths)
        wrong = 2 * (len(tried.missing) + len(tried.unused)) + _misnamed(tried, kept)
        if best is None or wrong < best[0]:
            best = wrong, tried
        if wrong == 0:
            break
    assert best is not None
    matching.found |= best[1].found
    matching.unused |= best[1].unused
    matching.missing |= best[1].missing


def _in_order(found: list[Part], kept: Kept, origin: Origin, paths: dict[Variable, str]) -> Matching:
    matching, names = Matching(), list(kept.arrays)
    for part in found:
        some, names = names[: part.count], names[part.count :]
        if len(some) < part.count:
            why = f"the file has {len(kept.arrays)} arrays for the layer {kept.name!r}"
            matching.missing |= {paths[v]: why for v in part.variables}
            matching.unused |= {f"{kept.name}/{name}": "too few arrays for the layer" for name in some}
            continue
        values = part.read([kept.arrays[name].array() for name in some], origin)
        for i, (variable, value) in enumerate(zip(part.variables, values, strict=False)):
            if value.shape == variable.shape:
                matching.found[variable] = value
                continue
            name = some[i] if len(some) == len(values) else f"{some[0]} ..."
            why = f"wants {variable.shape}; the file has {value.shape} ({kept.name}/{name})"
            matching.missing[paths[variable]] = why
            matching.unused[f"{kept.name}/{name}"] = f"{value.shape} is not the shape of {paths[variable]}"
    matching.unused |= {f"{kept.name}/{name}": "the layer has no variable for it" for name in names}
    return matching


def _misnamed(matching: Matching, kept: Kept) -> int:
    """How many variables took an array whose name says that it is another's."""
    tails = [name.partition(":")[0].rpartition("/")[2] for name in kept.arrays]
    if len(tails) != len(matching.found):
        return 0
    own = {variable.name for variable in matching.found}
    return sum(tail in own and variable.name != tail for variable, tail in zip(matching.found, tails, strict=True))


def _match_top(top: list[Variable], kept: Kept | None, paths: dict[Variable, str], matching: Matching) -> None:
    """The variables that are the model's own, of no layer."""
    names = list(kept.arrays) if kept is not None else []
    if len(names) != len(top):  # Keras 3 writes the variables of all layers there once more
        top = []
    for variable, name in zip(top, names, strict=False):
        value = kept.arrays[name].array() if kept is not None else np.zeros(0)
        if value.shape == variable.shape:
            matching.found[variable] = value
        else:
            matching.missing[paths[variable]] = f"wants {variable.shape}; the file has {value.shape} ({TOP}/{name})"
