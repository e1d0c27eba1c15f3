"""Objects that own variables: found by walking attributes, frozen and thawed, read and written."""

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from keryx.core import scope
from keryx.core.lending import put, reading
from keryx.core.variable import Variable
from keryx.errors import ShapeError


class Owner:
    """An object that keeps variables, and other owners, as attributes, in lists, tuples and dicts too.

    Its variables are those that a walk over its attributes finds, in the order in which they were set.
    """

    name: str
    _trainable = True

    def children(self) -> list[Any]:
        """The owners that this one keeps as attributes, in the order in which they were set."""
        return _unique(found for found in _walk(vars(self)) if isinstance(found, Owner))

    @property
    def variables(self) -> list[Variable]:
        """All variables: its own, the trainable ones first, then those of the owners within."""
        return _unique([*self._own_variables(), *(v for child in self.children() for v in child.variables)])

    def _own_variables(self) -> list[Variable]:
        own = _unique(found for found in _walk(vars(self)) if isinstance(found, Variable))
        return sorted(own, key=lambda v: not v.trainable)

    def _frozen(self) -> set[Variable]:
        """The variables of the owners within that are not trained: one within a frozen one may be thawed again."""
        own = [] if self._trainable else self._own_variables()
        return {*own, *(v for child in self.children() for v in child._frozen())}

    @property
    def weights(self) -> list[Variable]:
        """The variables without those that only hold where a sequence stands, such as the states of a stateful RNN."""
        return [v for v in self.variables if not v.transient]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        if not self._trainable:
            return []
        frozen = self._frozen()
        return [v for v in self.variables if v.trainable and v not in frozen]

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
            raise ShapeError(f"{self.name!r} has {len(variables)} weights; got {len(values)} arrays.")
        for variable, value in zip(variables, values, strict=True):
            if variable.shape != value.shape:
                raise ShapeError(f"The weight {variable.path!r} is {variable.shape}; got an array of {value.shape}.")
        if scope.current() is None:
            put(variables, [v.owned(value) for v, value in zip(variables, values, strict=True)])
            return
        for variable, value in zip(variables, values, strict=True):
            variable.store(value)


def _walk(value: Any) -> Iterator[Any]:
    """The owners and variables in a nest of lists, tuples and dicts."""
    if isinstance(value, (Owner, Variable)):
        yield value
    elif isinstance(value, dict):
        yield from _walk(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _walk(item)


def _unique(things: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(things))
