"""Where the files of Keras keep what: each part of a model under the way to it, attribute by attribute.

`layers/dense_1/vars/0` is the first variable of the second Dense among the `layers` of a model. The walk is the one of
Keras 3.15.1: public attributes by name, then private ones; the things in a list, tuple or dict by their class and a
number; each thing where it is first met. What a part keeps is what its `save_own_variables` says.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from keryx.core.lending import reading
from keryx.core.names import is_own, snake_case
from keryx.core.variable import Variable
from keryx.errors import FileError
from keryx.layers.layer import Layer
from keryx.models.model import Model
from keryx.models.sequential import Sequential
from keryx.optimizers import LossScaleOptimizer, MultiOptimizer, Optimizer, RMSprop
from keryx.optimizers.rules import WeightRule
from keryx.random import SeedGenerator
from keryx.saving.hdf5_writer import Dataset, Group

VARIABLES = "vars"  # the group of a part's variables


def parts(root: Any) -> Iterator[tuple[str, Any]]:
    """The layers, models, optimizers and seed generators within `root`, itself first, by their paths in a file.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.layers.Dense(2), keryx.layers.Dense(2)])
    >>> [path for path, _ in parts(model)]
    ['', 'layers/dense', 'layers/dense_1']
    """
    seen: dict[int, Any] = {}  # by identity, and kept, so that no other thing takes it meanwhile
    waiting = [("", root)]
    while waiting:
        path, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if isinstance(thing, _CONTAINERS):
            within = _contents(thing)
        else:
            yield path, thing
            within = _members(thing)
        waiting += reversed([(f"{path}/{name}".lstrip("/"), one) for name, one in within])


_CONTAINERS = (list, tuple, dict)
_PARTS = (Layer, Optimizer, SeedGenerator)


def _contents(container: Any) -> Iterator[tuple[str, Any]]:
    """What a container holds, by class and number."""
    numbers: dict[str, int] = {}
    for thing in container.values() if isinstance(container, dict) else container:
        if isinstance(thing, (*_PARTS, *_CONTAINERS)):
            name = "container" if isinstance(thing, _CONTAINERS) else snake_case(_class_name(thing))
            number = numbers[name] = numbers.get(name, -1) + 1
            yield f"{name}_{number}" if number else name, thing


def _class_name(thing: Any) -> str:
    return thing.config_class_name if isinstance(thing, Model) else type(thing).__name__


def _members(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a part holds, by attribute."""
    cls: Any = type(thing)
    names = vars(thing).keys() - _internal(cls) | _properties(cls)
    if isinstance(thing, Model):
        names.add("layers")
        if thing.has_graph or isinstance(thing, Sequential):
            yield "layers", thing.layers
    for name in sorted(names, key=lambda name: f"~{name}" if name.startswith("_") else name):
        try:
            value = getattr(thing, name)
        except Exception:  # a property that has no value yet
            continue
        if isinstance(value, (*_PARTS, *_CONTAINERS)):
            yield name, value


@cache
def _internal(cls: Any) -> frozenset[str]:
    """The attributes that every object of this kind has, which are no part of what a user keeps in it."""
    plain = next((kind for kind in (Sequential, Model, Layer) if issubclass(cls, kind)), None)
    made = vars(plain(name="any")).keys() if plain is not None else ()
    # What is within an optimizer that scales the loss is kept with it.
    return frozenset(made) | {"_session", "_compile_arguments", "_held", "owners", "inner_optimizer", "optimizers"}


@cache
def _properties(cls: Any) -> frozenset[str]:
    """The properties of a class of the user's."""
    return frozenset(
        name
        for base in cls.__mro__
        if not is_own(base)
        for name, value in vars(base).items()
        if isinstance(value, (property, cached_property))
    )


# -- what a part keeps ---------------------------------------------------------------------------------------------


def kept_by(thing: Any) -> dict[str, Any]:
    """What a part keeps unless it has a word of its own in it, by path from there: Variables, or Keras's constants."""
    if isinstance(thing, Optimizer):
        if not thing.built:
            return {} if isinstance(thing, LossScaleOptimizer) else _numbered(thing.variables)
        return state_of(thing, thing.nest, thing.owners)
    return _numbered(v for v in thing.own_variables if not v.transient) if isinstance(thing, Layer) else {}


def state_of(optimizer: Optimizer, state: Any, paths: Iterable[str]) -> dict[str, Any]:
    """The leaves of an optimizer's state by path from there."""
    parts: dict[str, tuple[Optimizer, Any, Iterable[str]]] = {}  # Keras keeps what is within twice
    if isinstance(optimizer, LossScaleOptimizer):
        state_within = {name: value for name, value in state.items() if name not in _SCALE}
        parts["inner_optimizer"] = optimizer.inner_optimizer, state_within, paths
    elif isinstance(optimizer, MultiOptimizer):
        for i, (name, one) in enumerate(_contents(optimizer.optimizers)):
            parts[f"optimizers/{name}"] = one, state[str(i)], one.owners
    within = {f"{part}/{name}": value for part, content in parts.items() for name, value in state_of(*content).items()}
    return _numbered(in_order(optimizer, state, paths)) | within


def in_order(optimizer: Optimizer, state: Any, paths: Iterable[str]) -> list[Any]:
    """The leaves of an optimizer's state in Keras's order: what counts, then what is beside the weights at `paths`.

    What is kept beside the weights goes weight by weight, but for what Keras makes in a loop of its own.
    """
    if isinstance(optimizer, LossScaleOptimizer):
        within = {name: value for name, value in state.items() if name not in _SCALE}
        idle = np.int32(0), np.float32(0)  # Keras's own iteration and learning rate of the scale, which serve nothing
        return [*idle, *(state[name] for name in _SCALE), *in_order(optimizer.inner_optimizer, within, paths)]
    if isinstance(optimizer, MultiOptimizer):
        parts = [in_order(one, state[str(i)], one.owners) for i, one in enumerate(optimizer.optimizers)]
        return [state["iteration"], np.float32(0), *(value for part in parts for value in part)]
    slots = list(optimizer.slots()) if isinstance(optimizer, WeightRule) and not optimizer.by_weight else []
    alone = slots if isinstance(optimizer, RMSprop) else [name for name in slots if name == "velocity_hat"]
    columns = [[name] for name in ("average", "gradient_accumulator") if name in state]
    columns += [[name for name in slots if name not in alone], *([name] for name in alone)]
    found = [state[name] for name in _COUNTS if name in state]
    for names in columns:
        kept = [state[name][path] for path in paths for name in names]
        found += [value for value in kept if value is not None]
    known = {*_COUNTS, *(name for names in columns for name in names)}
    if optimizer.by_weight:
        return found + optimizer.in_added_order(state)
    rest = {name: value for name, value in state.items() if name not in known}
    return found + jax.tree.leaves(rest, is_leaf=lambda value: isinstance(value, Variable))


_COUNTS, _SCALE = ("iteration", "learning_rate"), ("step_counter", "dynamic_scale")


def _numbered(values: Iterable[Any]) -> dict[str, Any]:
    return {f"{VARIABLES}/{i}": value for i, value in enumerate(values)}


def has_own(thing: Any, hook: str) -> bool:
    """Whether the class of a part has a word of its own in what is kept of it, such as by `save_own_variables`."""
    method = getattr(type(thing), hook, None)
    return method is not None and not (is_own(method) and method is getattr(Layer, hook, method))


def stored(root: Any) -> dict[str, Any]:
    """What a file keeps of `root`: Variables, and arrays that `save_own_variables` of the user's own gives, by path.

    Raises:
        FileError: Where `save_own_variables` gives what is no array.
    """
    found: dict[str, Any] = {}
    for path, thing in parts(root):
        if has_own(thing, "save_own_variables"):
            store: dict[str, Any] = {}
            thing.save_own_variables(store)
            kept = {f"{VARIABLES}/{name}": _checked(thing, name, value) for name, value in store.items()}
        else:
            kept = kept_by(thing)
        found |= {f"{path}/{name}".lstrip("/"): value for name, value in kept.items()}
    return found


def _checked(thing: Any, name: Any, value: Any) -> Any:
    value = value if isinstance(value, Variable) else np.asarray(value)
    if value.dtype == object or not isinstance(name, str) or not _is_path(name):
        raise FileError(f"save_own_variables of {title(thing)} wants to keep {name!r}: it is to be an array by a name.")
    return value


def _is_path(name: str) -> bool:
    return all(step not in ("", ".", "..") for step in name.split("/"))


@contextmanager
def at_one_moment(values: Mapping[str, Any]) -> Iterator[dict[str, np.ndarray]]:
    """A block that is given the arrays of what `stored` found, all of one moment, not copied where they are here."""
    variables = list(dict.fromkeys(value for value in values.values() if isinstance(value, Variable)))
    with reading(variables) as arrays:
        held = dict(zip(variables, arrays, strict=True))
        yield {path: np.asarray(held[v] if isinstance(v, Variable) else v) for path, v in values.items()}


def title(thing: Any) -> str:
    """How an error speaks of a part."""
    return thing.title if isinstance(thing, Layer) else type(thing).__name__


# -- groups and assets ---------------------------------------------------------------------------------------------


def as_groups(root: Any, arrays: Mapping[str, np.ndarray]) -> Group:
    """The groups of an HDF5 file that keeps these arrays of the parts of `root`, each with the name of its part."""
    groups = Group()
    for path, array in arrays.items():
        half = {"dtype": "bfloat16"} if array.dtype == "bfloat16" else {}
        groups.put(path, Dataset(array, half))
    for path, thing in parts(root):
        group: Any = groups
        for step in f"{path}/{VARIABLES}".lstrip("/").split("/"):
            group = group.members.get(step) if group is not None else None
        if group is not None and hasattr(thing, "name"):
            group.attributes["name"] = thing.name
    return groups


def save_assets(root: Any, folder: Path) -> dict[str, Path]:
    """The files that the parts of `root` write beside their arrays, such as vocabularies, by their path in `folder`."""
    for path, thing in parts(root):
        if hasattr(thing, "save_assets"):
            (folder / path).mkdir(parents=True, exist_ok=True)
            thing.save_assets(str(folder / path))
    return {place.relative_to(folder).as_posix(): place for place in sorted(folder.rglob("*")) if place.is_file()}


def load_assets(root: Any, files: Mapping[str, Any], within: str) -> None:
    """Let the parts of `root` read the files that they have written; those lie in a folder for as long as they do."""
    for path, thing in parts(root):
        start = f"{within}/{path}/".replace("//", "/")
        own = {name.removeprefix(start): name for name in files if name.startswith(start)}
        if own and hasattr(thing, "load_assets"):
            with tempfile.TemporaryDirectory() as folder:
                for name, place in own.items():
                    (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                    (Path(folder) / name).write_bytes(files[place])
                thing.load_assets(folder)
