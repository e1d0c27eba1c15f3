"""Objects that own variables: found by walking attributes, frozen and thawed, read and written."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import jax
import numpy as np

from keryx.core import scope
from keryx.core.lending import put, reading
from keryx.core.names import structural_name, untaken
from keryx.core.variable import Variable
from keryx.errors import ShapeError


class Owner:
    """An object that keeps variables, and other owners, as attributes, in lists, tuples and dicts too.

    Its variables are those that a walk over its attributes finds, in the order in which they were set.
    """

    name: str
    _trainable = True
    _walked: "_Walk"

    def __new__(cls, *args, **kwargs):
        owner = super().__new__(cls)
        owner._walked = _Walk()  # an attribute from the start, for a walk sees when another one comes
        return owner

    def children(self) -> list[Any]:
        """The owners that this one keeps as attributes, in the order in which they were set."""
        return self._walk().children

    @property
    def named_variables(self) -> dict[str, Variable]:
        """All variables by their path from here, such as `encoder/dense_1/kernel`: unique, whatever was made before.

        A layer goes by its name; one that was named automatically is counted among its siblings, so that a model
        that is made anew has the same paths. A shared layer goes by the first way to it.
        """
        return dict(self._walk().named)

    @property
    def variables(self) -> list[Variable]:
        """All variables: its own, the trainable ones first, then those of the owners within."""
        return list(self._walk().named.values())

    @property
    def own_variables(self) -> list[Variable]:
        """The variables that it keeps itself, the trainable ones first, without those of the owners within."""
        return list(self._walk().own)

    def _walk(self) -> "_Walk":
        """What a walk over the attributes finds; kept as long as they hold the same."""
        if not self._walked.is_current(self):
            walk = _Walk()
            walk.go(self)
            self._walked = walk
        return self._walked

    def objects_of(self, kind: type) -> list[Any]:
        """What else of a class stands where variables are looked for: in its attributes and those of owners within."""
        return list(dict.fromkeys(self._walk().objects_of(kind)))

    def _places(self) -> list[Iterable[Any]]:
        """Where it keeps what it owns, in order."""
        return [vars(self).values()]

    @property
    def weights(self) -> list[Variable]:
        """The variables without those that only hold where a sequence stands, such as the states of a stateful RNN."""
        return [v for v in self.variables if not v.transient]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        return self._walk().trained() if self._trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that training leaves alone, or that only the layer itself updates."""
        trained = set(self.trainable_variables)
        return [v for v in self.variables if v not in trained]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return self.trainable_variables

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone, or that only the layer itself updates."""
        return [v for v in self.non_trainable_variables if not v.transient]

    @property
    def trainable(self) -> bool:
        """Whether the weights are trained; set it to freeze or thaw the layer and all within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for child in self.children():
            child.trainable = value

    def regularization(self) -> list[jax.Array]:
        """The penalty of each regularized trainable weight."""
        return [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]

    def count_params(self) -> int:
        """The number of scalars in the weights."""
        return sum(v.size for v in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        """The values of the weights at one moment, as NumPy arrays."""
        weights = self.weights
        if scope.current() is not None:
            return [v.numpy() for v in weights]
        with reading(weights) as values:
            return [np.array(value) for value in values]

    def set_weights(self, weights: list[Any]) -> None:
        """Give each weight a value, in the order of `weights`; all are checked before any is changed.

        Raises:
            ShapeError, DataError: Where there are too many or too few, or one is of another shape or no number.
        """
        variables, values = self.weights, [np.asarray(value) for value in weights]
        if len(values) != len(variables):
            unbuilt = " It is not built yet: call it, or build(input_shape), first." if not variables else ""
            raise ShapeError(f"{self.name!r} has {len(variables)} weights; got {len(values)} arrays.{unbuilt}")
        for variable, value in zip(variables, values, strict=True):
            if variable.shape != value.shape:
                raise ShapeError(f"The weight {variable.path!r} is {variable.shape}; got an array of {value.shape}.")
        if scope.current() is None:
            put(variables, [v.owned(value) for v, value in zip(variables, values, strict=True)])
            return
        for variable, value in zip(variables, values, strict=True):
            variable.store(value)


class _Walk:
    """What a walk over the attributes of an owner, and of all owners within, has found.

    Attributes:
        children: The owners that the first one keeps itself.
        named: All variables by path.
    """

    def __init__(self) -> None:
        self.children: list[Owner] = []
        self.named: dict[str, Variable] = {}
        self._owned: list[tuple[Owner, list[Variable]]] = []
        # By these it is seen whether anything has changed: the containers with owners, variables or containers in
        # them, the types of all that is in them, and where those were; and the containers of plain data alone.
        self._places: list[Iterable[Any]] = []
        self._types: list[type] = []
        self._found: list[tuple[int, Any]] = []
        self._plain: list[tuple[Iterable[Any], set[type]]] = []

    def go(self, root: Owner) -> None:
        """Walk: each owner before those within it, each of them once."""
        seen, taken, waiting = set[Any](), dict[str, int](), [(root, "")]
        while waiting:
            owner, path = waiting.pop()
            if owner in seen:
                continue
            seen.add(owner)
            held = list(dict.fromkeys(self._contents(owner._places())))
            own = sorted((v for v in held if isinstance(v, Variable)), key=lambda v: not v.trainable)
            self._owned.append((owner, own))
            for variable in own:
                if variable not in seen:
                    seen.add(variable)
                    self.named[untaken(path + variable.name, taken)] = variable
            children = [child for child in held if isinstance(child, Owner)]
            self.children = children if owner is root else self.children
            siblings = dict[str, int]()
            waiting += reversed([(c, f"{path}{untaken(structural_name(c), siblings)}/") for c in children])
        values = list(chain.from_iterable(self._places))
        self._types = list(map(type, values))
        self._found = [(i, value) for i, value in enumerate(values) if isinstance(value, _SOUGHT)]

    def _contents(self, places: Iterable[Any], within: tuple[int, ...] = ()) -> Iterator[Any]:
        """The owners and variables in containers, at any depth; those that hold plain data alone are not entered."""
        for place in places:
            if isinstance(place, (Owner, Variable)):
                yield place
                continue
            values = place.values() if isinstance(place, dict) else place
            types = set(map(type, values))
            if any(issubclass(t, _SOUGHT) for t in types):
                if id(place) not in within:
                    self._places.append(values)
                    inner = [value for value in list(values) if isinstance(value, _SOUGHT)]
                    yield from self._contents(inner, (*within, id(place)))
            elif not isinstance(place, tuple):
                self._plain.append((values, types))

    def is_current(self, root: Owner) -> bool:
        """Whether a walk from this owner would find the same again."""
        values = list(chain.from_iterable(self._places))
        return (
            bool(self._owned)
            and self._owned[0][0] is root
            and list(map(type, values)) == self._types
            and all(values[i] is value for i, value in self._found)
            and all(set(map(type, place)) == types for place, types in self._plain)
        )

    @property
    def own(self) -> list[Variable]:
        """The variables that the first owner keeps itself."""
        return self._owned[0][1]

    def objects_of(self, kind: type) -> Iterator[Any]:
        """The objects of a class in all places that were looked at."""
        seen = [(place, set(map(type, place))) for place in self._places] if self._holds(kind) else []
        for place, types in chain(seen, self._plain):
            if any(issubclass(t, kind) for t in types):
                yield from (value for value in list(place) if isinstance(value, kind))

    def _holds(self, kind: type) -> bool:
        return any(issubclass(t, kind) for t in set(self._types))

    def trained(self) -> list[Variable]:
        """The variables that are trained: those of a frozen owner are not, but one within it may be thawed again."""
        frozen = {v for owner, own in self._owned if not owner._trainable for v in own}
        return [v for v in self.named.values() if v.trainable and v not in frozen]

    def __reduce__(self) -> tuple:
        return _Walk, ()  # a copy of an owner walks by itself


_SOUGHT = (Owner, Variable, dict, list, tuple)
