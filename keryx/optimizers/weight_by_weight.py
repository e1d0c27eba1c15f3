"""Rules by Keras's contract: `build` adds variables, `update_step` assigns one weight, `apply` takes a whole step."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from keryx import config, later
from keryx.core import scope
from keryx.core.names import is_own
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ShapeError, StateError
from keryx.optimizers.pure import State


class Added(NamedTuple):
    """A variable of a rule: it lies beside the weight at `path`, or beside none; `lasting` outlives a new build."""

    variable: Variable
    name: str
    path: str | None
    lasting: bool


class WeightByWeight:
    """What a subclass of an optimizer that has an `update_step` asks of it, by Keras's names.

    Its `update_step(gradient, variable, learning_rate)` takes a step for one weight: it assigns the weight, and the
    variables that its `build(variables)` has added. It runs within the pure step, which lends all of them values.

    >>> import keryx
    >>> class Heavy(keryx.optimizers.Optimizer):
    ...     __module__ = "mine"
    ...
    ...     def build(self, variables):
    ...         super().build(variables)
    ...         self.speeds = self.add_optimizer_variables(variables, "speed")
    ...
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         speed = self.speeds[self._get_variable_index(variable)]
    ...         self.assign(speed, 0.5 * speed + gradient)
    ...         self.assign_sub(variable, learning_rate * speed)
    >>> w = keryx.Variable([1.0])
    >>> optimizer = Heavy(0.1)
    >>> for _ in range(2):
    ...     optimizer.apply([jnp.ones(1)], [w])
    >>> round(float(w[0]), 3), float(optimizer.speeds[0][0])
    (0.75, 1.5)
    """

    by_weight = False  # whether the class has an update_step
    by_apply = False  # whether it has an apply of its own
    _added: tuple[Added, ...] = ()
    _adding = False  # whether a build of the user's runs, which adds variables

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "update_step" in vars(cls) and not is_own(cls):
            cls.by_weight, cls.init_rule, cls.apply_rule = True, _init_rule, _apply_rule  # type: ignore[attr-defined]
        if "apply" in vars(cls) and not is_own(cls):
            cls.by_apply = True
        if "build" in vars(cls) and cls.by_weight:
            cls.build = _that_adds(cls.build)  # type: ignore[attr-defined]

    @property
    def _optimizer(self) -> Any:
        return self  # what it is mixed into

    @property
    def _trainable_variables(self) -> list[Variable]:
        return list(self._optimizer.owners.values())

    def _get_variable_index(self, variable: Variable) -> int:
        return next(i for i, one in enumerate(self._trainable_variables) if one is variable)

    # What a subclass calls

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """One step for one weight, where a subclass has a rule of its own by Keras's contract."""
        raise NotImplementedError(
            f"{type(self).__name__}.update_step has no step above it to go on from: the optimizers of Keryx step for "
            "all weights at once. Write the whole step there, or pass changed gradients to optimizer.apply()."
        )

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: None = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the rule, which lies beside no weight.

        Args:
            shape: Its shape.
            initializer: The initializer of its first value, or its name.
            dtype: By default `config.floatx()`.
            aggregation: Of no effect here.
            layout: Not there yet.
            name: Its name.
        """
        if layout is not None:
            raise ArgumentError(f"add_variable() takes no layout= yet: {later.ARGUMENTS['layout']}.")
        return self._add(name or "variable", None, shape, initializer, dtype or config.floatx())

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """A new variable of the rule beside a weight, of its shape and dtype."""
        path = next((path for path, v in self._optimizer.owners.items() if v is reference_variable), None)
        if path is None:
            raise ArgumentError(
                f"add_variable_from_reference() wants one of the variables that build() is given, after "
                f"super().build(variables); got {reference_variable!r}."
            )
        return self._add(name or "var", path, reference_variable.shape, initializer, reference_variable.dtype)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: str | Sequence[str], initializer: Any = "zeros"
    ) -> Any:
        """A list with a new variable beside each weight; for several names, and initializers, a tuple of lists."""
        names = [name] if isinstance(name, str) else list(name)
        makers = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        variables = list(trainable_variables)
        pairs = zip(names, makers, strict=True)
        lists = tuple([self.add_variable_from_reference(v, one, maker) for v in variables] for one, maker in pairs)
        return lists[0] if isinstance(name, str) else lists

    def assign(self, variable: Variable, value: Any) -> None:
        """Give a variable a new value."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)

    # What the training loop calls

    def take_step(self, grads: Any, state: State, weights: Any) -> tuple[Any, State]:
        """`update`, or what the `apply` of a subclass does, on the Variables that it is for. Pure."""
        optimizer = self._optimizer
        if not self.by_apply or self.is_lent:
            return optimizer.update(grads, state, weights)
        _check(optimizer, weights, "apply")
        held = dict(enumerate(optimizer.variables))
        values = dict(enumerate(jax.tree.leaves(state)))
        gradients = [grads[path] for path in optimizer.owners]
        run = scope.pure(lambda: optimizer.apply(gradients, list(optimizer.owners.values())), optimizer.owners | held)
        _, new, _ = run(weights | values, None)
        after = [new.get(i, value) for i, value in values.items()]
        return scope.updated(weights, new), jax.tree.unflatten(optimizer.structure, after)

    @property
    def is_lent(self) -> bool:
        """Whether a pure step has lent it values just now, so that its Variables hold what is computed with."""
        running = scope.current()
        return running is not None and self._optimizer._iteration in (running.values or {})

    # What programs with loops of their own call

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Give these Variables the values to keep when training ends, such as their averages; `fit` does it itself."""
        optimizer, wanted = self._optimizer, {id(variable) for variable in var_list}
        if optimizer.built:
            weights = {path: variable.value for path, variable in optimizer.owners.items()}
            final = optimizer.finalize(optimizer.state, weights)
            for path, variable in optimizer.owners.items():
                if id(variable) in wanted and final[path] is not weights[path]:
                    variable.store(final[path])

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put a value into each of `optimizer.variables`."""
        variables = self._optimizer.variables
        if len(weights) != len(variables):
            raise ShapeError(f"{type(self).__name__} keeps {len(variables)} variables; got {len(weights)} values.")
        for variable, value in zip(variables, weights, strict=True):
            variable.store(value)

    # How they come to be, and are found

    def _add(self, name: str, path: str | None, shape: Any, initializer: Any, dtype: Any) -> Variable:
        alone = {one.name for one in self._added if one.path is None or path is None or one.path == path}
        free, number = name, 0
        while free in alone:
            number += 1
            free = f"{name}_{number}"
        variable = Variable(initializer, tuple(shape), dtype, trainable=False, name=free)
        beside = "" if path is None else f"{self._optimizer.owners[path].path.replace('/', '_')}_"
        variable.path = f"{self._optimizer.name}/{beside}{free}"
        self._added = (*self._added, Added(variable, free, path, not self._adding))
        return variable

    def add_all(self) -> None:
        """Let the `build` of the class add its variables beside the weights that there are now."""
        optimizer = self._optimizer
        self._added = tuple(one for one in self._added if one.lasting)
        optimizer._held = None, []
        self._adding = True
        try:
            optimizer.build(self._trainable_variables)
        finally:
            self._adding = False

    def added(self) -> dict[str, Variable]:
        """The variables of the rule, each by the name that it has within the state."""
        owners = self._optimizer.owners
        return {
            f"rule_{one.name}_0" if one.path is None else f"{owners[one.path].path.replace('/', '_')}_rule_{one.name}":
                one.variable
            for one in self._added
        }  # fmt: skip

    def in_added_order(self, slots: State) -> list[Any]:
        """What the rule keeps, in the order in which it was added."""
        kept = slots["rule"]
        return [kept[one.name][0 if one.path is None else one.path] for one in self._added]

    def kept(self, values: Iterable[Any]) -> State:
        """What the rule keeps as a part of the state, from values in the order in which it was added."""
        nest: dict[str, Any] = {}
        for one, value in zip(self._added, values, strict=True):
            if one.path is None:
                nest[one.name] = [value]  # of no path, whatever its name
            else:
                nest.setdefault(one.name, dict.fromkeys(self._optimizer.owners))[one.path] = value
        return {"rule": nest}


def _that_adds(build: Callable) -> Callable:
    """A build that is called as any optimizer's, and runs where the variables of the rule are added."""

    @functools.wraps(build)
    def building(self: Any, variables: Any) -> None:
        if self._adding:
            build(self, variables)
        else:
            self.start(variables)

    return building


def _init_rule(self: Any, weights: Any) -> State:
    _check(self, weights, "update_step")
    return self.kept(jnp.copy(one.variable.value) for one in self._added)


def _apply_rule(
    self: Any, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
) -> tuple[Any, State]:
    _check(self, weights, "update_step")
    lent: dict[Any, tuple[Variable, Any]] = {path: (v, weights[path]) for path, v in self.owners.items()}
    before = self.in_added_order(slots)
    lent |= {i: (one.variable, value) for i, (one, value) in enumerate(zip(self._added, before, strict=True))}
    lent["the step"] = self._iteration, t * (self.gradient_accumulation_steps or 1) - 1
    if isinstance(self._learning_rate, Variable):
        lent["the rate"] = self._learning_rate, rate

    def step() -> None:
        for path, variable in self.owners.items():
            self.update_step(gradients[path], variable, rate)

    run = scope.pure(step, {place: variable for place, (variable, _) in lent.items()})
    _, new, _ = run({place: value for place, (_, value) in lent.items()}, None)
    after = self.kept(new.get(i, value) for i, value in enumerate(before))
    return {path: new.get(path, value) for path, value in weights.items()}, after


def _check(self: Any, weights: Any, what: str) -> None:
    if not isinstance(weights, dict) or weights.keys() != self.owners.keys():
        raise StateError(
            f"The {what} of {type(self).__name__} works on Variables: call build(variables) before the first step, "
            "and hand the weights on as a dict by path."
        )
