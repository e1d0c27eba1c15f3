"""What a file keeps of the parts of a model, put back: all is checked before anything changes."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jax
import numpy as np

from keryx.core import scope
from keryx.core.lending import put
from keryx.core.variable import Variable, all_owned, made_later
from keryx.errors import FileError, warn
from keryx.layers.layer import Layer
from keryx.optimizers import Optimizer
from keryx.saving.layout import VARIABLES, has_own, in_order, kept_by, parts, title
from keryx.saving.report import Report


def restore(root: Any, values: Mapping[str, Any], skip_mismatch: bool = False, path: Any = "The file") -> Report:
    """Give the parts of `root` what a file keeps of them. All is checked before anything changes.

    The state of an optimizer that does not fit is left out with a warning, as it is in Keras.

    Args:
        root: A model, layer or optimizer, built.
        values: The file's arrays by path, as `stored` names them; those of files before Keras 3.0 and 3.15 too.
        skip_mismatch: Whether what does not fit is left out with a warning.
        path: What the file is called in errors.

    Returns:
        A Report.

    Raises:
        FileError: Where they do not fit, with every difference. Nothing is changed.

    >>> import keryx
    >>> from keryx.saving.layout import stored
    >>> model, other = (keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)]) for _ in range(2))
    >>> restore(other, stored(model))
    <Report: 2 variables from The file>
    """
    found = _Found(root, values)
    for where, thing in parts(root):
        found.look(where, thing)
    report = found.report(str(path))
    wrong = {**found.missing, **found.unused}
    if wrong and not skip_mismatch:
        report.complain(title(root), wrong)
    if wrong or found.optimizer or found.nested:
        warn(str(report))
    found.put()
    return report


class _Found:
    """What a file has for the parts of a model, collected part by part.

    Attributes:
        fitting: The variables that have a value, and the value.
        missing: Variables that have none: why, by their path.
        unused: What the file has for nobody: why, by its path there.
        nested: Variables that a file of before Keras 3.15 does not keep.
        optimizer: What of an optimizer's state does not fit.
    """

    def __init__(self, root: Any, values: Mapping[str, Any]):
        self.values, self.root = values, root
        self.left: dict[str, dict[str, str]] = {}  # of each part in the file, its arrays' paths by name
        for key in values:
            part, _, name = f"/{key}".rpartition(f"/{VARIABLES}/")
            self.left.setdefault(part.lstrip("/"), {})[name] = key
        self.parts = list(self.left)
        self.is_old = any(part.startswith("_layer_checkpoint_dependencies") for part in self.left)
        self.names = {v: path for path, v in root.named_variables.items()} if isinstance(root, Layer) else {}
        self.fitting: dict[Variable, Any] = {}
        self.missing: dict[str, str] = {}
        self.unused: dict[str, str] = {}
        self.nested: dict[str, str] = {}
        self.optimizer: dict[str, str] = {}
        self.hooks: list[tuple[Any, dict[str, Any]]] = []  # parts that load themselves, and their arrays
        self.states: list[tuple[Optimizer, dict[str, Variable], Any, list[Any]]] = []  # of new optimizers

    def look(self, where: str, thing: Any) -> None:
        """Take what the file has for a part."""
        if isinstance(thing, Optimizer):
            self._look_at_optimizer(where, thing)
            return
        kept = self._take(where)
        if has_own(thing, "load_own_variables"):
            self.hooks.append((thing, {name: self.values[key] for name, key in kept.items()}))
            return
        own = {name.removeprefix(f"{VARIABLES}/"): v for name, v in kept_by(thing).items()}
        for name, variable in own.items():
            why = self._unfit(variable, kept.get(name), f"{where}/{VARIABLES}/{name}".lstrip("/"))
            if why is None:
                self.fitting[variable] = self.values[kept[name]]
            elif not kept and self._is_older_than(where):
                self.nested[self.names.get(variable, variable.path)] = "older files do not keep what is nested in lists"
            else:
                self.missing[self.names.get(variable, variable.path)] = why
        for name, key in kept.items():
            if name not in own:
                self.unused[key] = f"{title(thing)} has {len(own)} variables{'' if own else ', for it is not built'}"

    def _take(self, where: str) -> dict[str, str]:
        if where not in self.left and self.is_old:  # Keras 2.13
            where = where.replace("layers", "_layer_checkpoint_dependencies")
        return self.left.pop(where, {})

    def _is_older_than(self, where: str) -> bool:
        """Whether a part lies in a list within a list, and the file, of before Keras 3.15, passes over those."""
        nests = [i for i, step in enumerate(where.split("/")) if step.partition("_")[0] == "container"]
        known = ["/".join(where.split("/")[: i + 1]) for i in nests]
        return any(not any(f"{part}/".startswith(f"{path}/") for part in self.parts) for path in known)

    def _unfit(self, variable: Any, key: str | None, wanted: str) -> str | None:
        """Why a value of the file is none for a variable; None where it is one."""
        if key is None:
            return f"the file has no {wanted}"
        why = unfit(variable, self.values[key])
        return why and f"{why} ({key})"

    def _look_at_optimizer(self, where: str, optimizer: Optimizer) -> None:
        owners = {} if optimizer.built else self.trained
        for part in [part for part in self.left if part.startswith((f"{where}/inner_", f"{where}/optimizers/"))]:
            self._take(part)  # the same once more
        kept = self._take(where)
        if not kept:
            return
        abstract: Any = None
        wanted = counts = list(kept_by(optimizer).values())
        if owners:
            weights = {path: jax.ShapeDtypeStruct(v.shape, v.dtype) for path, v in owners.items()}
            optimizer.decide(owners)
            abstract = jax.eval_shape(optimizer.init, weights)
            wanted = in_order(optimizer, abstract, owners)
        if len(kept) == len(counts) < len(wanted):  # it was saved before it had a state
            abstract, wanted = None, counts
        whys = [self._unfit(one, kept.get(str(i)), f"{where}/{VARIABLES}/{i}") for i, one in enumerate(wanted)]
        if any(whys) or len(kept) != len(wanted):
            more = f"{len(kept)} arrays; {type(optimizer).__name__} keeps {len(wanted)}"
            self.optimizer[where] = next((why for why in whys if why), more) + ", so its state begins anew"
            return
        given = {id(one): self.values[kept[str(i)]] for i, one in enumerate(wanted)}
        if abstract is None:
            self.fitting |= {one: given[id(one)] for one in wanted if isinstance(one, Variable)}
        else:
            self.states.append((optimizer, owners, abstract, [given[id(one)] for one in wanted]))

    @cached_property
    def trained(self) -> dict[str, Variable]:
        """The trained variables of the model by path, which an optimizer keeps a state for."""
        trained = set(self.root.trainable_variables) if isinstance(self.root, Layer) else set()
        return {path: v for v, path in self.names.items() if v in trained}

    def report(self, path: str) -> Report:
        """What is to become of the file's values."""
        for part, arrays in self.left.items():
            for key in arrays.values():
                if "optimizer" not in part.split("/"):  # of a model that is not compiled here
                    self.unused[key] = "the model has no such part"
        matched = tuple(self.names.get(v, v.path) for v in self.fitting)
        states = {f"{where}/{VARIABLES}": why for where, why in self.optimizer.items()}
        return Report(path, matched, self.unused | states, self.missing | self.nested)

    def put(self) -> None:
        """Give every variable its value, all in one moment, after the parts that load themselves have done so."""
        changed: dict[Variable, Any] = dict(self.fitting)
        with scope.run(scope.Scope(values={})) as running:
            for thing, store in self.hooks:
                try:
                    thing.load_own_variables(store)
                except Exception as error:
                    raise FileError(f"load_own_variables of {title(thing)} failed: {error}") from error
        changed |= running.values or {}
        for optimizer, owners, abstract, values in self.states:
            with made_later():
                optimizer.begin(owners, abstract)
            places = in_order(optimizer, optimizer.nest, owners)
            changed |= {v: value for v, value in zip(places, values, strict=True) if isinstance(v, Variable)}
        put(list(changed), all_owned(list(changed), list(changed.values())))


def unfit(variable: Any, value: Any) -> str | None:
    """Why an array of a file is none for a variable; None where it is one.

    >>> unfit(Variable("zeros", (2,)), np.zeros(3, "float32"))
    'wants (2,) float32; the file has (3,) float32'
    """
    wanted, kind = np.dtype(variable.dtype), np.dtype(value.dtype)
    if tuple(value.shape) == tuple(variable.shape) and _rank(kind) <= _rank(wanted):
        return None
    return f"wants {tuple(variable.shape)} {variable.dtype}; the file has {tuple(value.shape)} {kind.name}"


def _rank(dtype: np.dtype) -> int:
    """0 of truth values, 1 of integers, 2 of floats, 3 of complex numbers: each holds what comes before it."""
    kinds = (np.bool_, np.integer, np.floating, np.complexfloating)
    return next((i for i, kind in enumerate(kinds) if jax.dtypes.issubdtype(dtype, kind)), 9)
