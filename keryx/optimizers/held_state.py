"""The state of an optimizer in Variables, which the training loop lends to its steps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.lending import hand_out, put
from keryx.core.names import snake_case, untaken
from keryx.core.variable import Variable
from keryx.optimizers.pure import PureOptimizer, State
from keryx.optimizers.weight_by_weight import WeightByWeight


class HeldState(WeightByWeight, PureOptimizer):
    """The part of an optimizer that holds what its pure half keeps from step to step."""

    owners: dict[str, Variable]  # whose state it is, by path
    _held: tuple[Any, list[Variable]]  # the nest of the state, and its Variables in flat order
    _iteration: Variable
    _learning_rate: Any
    _excluded: tuple[tuple, tuple]
    _is_excluded: Callable[[Variable], bool]

    @property
    def structure(self) -> Any:
        """The nest of the state; None before it is built."""
        return self._held[0]

    @property
    def built(self) -> bool:
        """Whether it has a state for the Variables that it trains."""
        return self.structure is not None

    def build(self, variables: Sequence[Variable] | Mapping[str, Variable]) -> None:
        """Start afresh for these Variables: a list, or a dict by path."""
        if not self._adding:  # else it is the super() of one that adds variables
            self.start(variables)

    def start(self, variables: Sequence[Variable] | Mapping[str, Variable]) -> None:
        """The same, for Variables that no `build` of a subclass has to be asked about."""
        if not isinstance(variables, Mapping):
            taken: dict[str, int] = {}
            variables = {untaken(v.path, taken): v for v in variables}
        self.begin(variables, None)

    def begin(self, variables: Mapping[str, Variable], state: State | None) -> None:
        """Start for these Variables by path, with this state, or afresh; of abstract arrays others give the values."""
        self._compiled = None
        self.decide(variables)
        self._hold(self.init({path: v.value for path, v in self.owners.items()}) if state is None else state)

    def forget(self) -> None:
        """Be without a state, as before `build`."""
        self.owners, self._held = {}, (None, [])

    def rename(self, variables: Mapping[str, Variable]) -> None:
        """Go by these paths of the same Variables from here on."""
        new = dict(zip(self.owners, variables, strict=True))
        state = self.each_by_path(lambda nest: {new[path]: value for path, value in nest.items()}, self.state)
        self._compiled = None
        self.decide(variables)
        self._hold(state)

    def each_by_path(self, change: Callable, state: Any, *others: Any) -> Any:
        """A state with each of its dicts by path changed by `change(nest, *nests_of_others)`."""

        def is_by_path(nest: Any) -> bool:
            return isinstance(nest, dict) and nest.keys() == self.owners.keys()

        def changed(nest: Any, *nests: Any) -> Any:
            return change(nest, *nests) if is_by_path(nest) else nest

        return jax.tree.map(changed, state, *others, is_leaf=is_by_path)

    def decide(self, variables: Mapping[str, Variable]) -> None:
        """Settle what depends on the Variables that it trains: which of them decay, where some were excluded."""
        self.owners = dict(variables)
        if any(self._excluded):
            self._decays = {path: not self._is_excluded(v) for path, v in variables.items()}
        if self.by_weight:
            self.add_all()

    def _hold(self, state: State) -> None:
        """Take a state into Variables, those that there are where they fit."""
        entries, structure = jax.tree_util.tree_flatten_with_path(state)
        known, variables = self._held
        if self.built and structure == known and [v.shape for v in variables] == [leaf.shape for _, leaf in entries]:
            put(variables, [leaf for _, leaf in entries])
            return
        own = self.standing()
        held: list[Variable] = []
        del state
        while entries:
            keys, leaf = entries.pop(0)  # each array goes as soon as its Variable holds a copy
            *slot, last = [str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", "")))) for key in keys]
            name = "_".join([self.owners[last].path.replace("/", "_"), *slot] if last in self.owners else [*slot, last])
            if name in own and not isinstance(leaf, jax.ShapeDtypeStruct):
                own[name].put(leaf)
            held.append(own[name] if name in own else self._variable(leaf, name))
        self._held = structure, held

    def share(self, nest: Any) -> None:
        """Have its state in these Variables, which are a part of that of an optimizer around it."""
        variables, structure = jax.tree.flatten(nest, is_leaf=lambda leaf: isinstance(leaf, Variable))
        self._held = structure, variables

    def standing(self) -> dict[str, Variable]:
        """The Variables of its state that there are before it is built, by name."""
        rate = {} if self.schedule is not None else {"learning_rate": self._learning_rate}
        return {"iteration": self._iteration} | rate | self.added()

    def path_of(self, keys: Any) -> str:
        """The path of the Variable that stands at these keys of the weights; of arrays the keys themselves."""
        place = jax.tree_util.keystr(keys, simple=True, separator="/")
        return self.owners[place].path if place in self.owners else place

    def _variable(self, value: Any, name: str) -> Variable:
        if isinstance(value, jax.ShapeDtypeStruct):
            variable = Variable(jnp.zeros, value.shape, value.dtype, trainable=False, name=name)
        else:
            variable = Variable(value, trainable=False, name=name)
        variable.path = f"{snake_case(type(self).__name__)}/{name}"
        return variable

    @property
    def state(self) -> State | None:
        """What it keeps from step to step, by name; None before the first."""
        structure, variables = self._held
        if structure is None:
            return None
        return jax.tree.unflatten(structure, [v.value for v in variables] if self.is_lent else hand_out(variables))

    @state.setter
    def state(self, value: State) -> None:
        if self.is_lent:
            for variable, leaf in zip(self.variables, jax.tree.leaves(value), strict=True):
                variable.store(leaf)
        else:
            self._hold(value)

    @property
    def nest(self) -> State:
        """The Variables of its state, in the nest of the state, once it is built."""
        return jax.tree.unflatten(self.structure, self._held[1])

    @property
    def variables(self) -> list[Variable]:
        """The Variables of its state; before `build` those that are no weight's."""
        if self.built:
            return list(self._held[1])
        return list(self.standing().values())
