"""Optimizers for parts of a model: each weight is trained by the one that a map gives for its path."""

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.codec import Configurable, deserialize, reads
from keryx.core.names import untaken
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, StateError, listing
from keryx.optimizers.base import Optimizer, registry
from keryx.optimizers.loss_scaling import LossScaleOptimizer
from keryx.optimizers.pure import State

_REPEATS = re.compile(r"(?<!\\)[*+{]")
_SLOW = re.compile(r"\)[*+{?]|\(\?|\\[0-9]")  # a group that is repeated, an extension, a reference


@registry.register()
class OptimizerMap(Configurable, MutableMapping):
    """An optimizer for each path of a variable.

    A key is a path, or a regular expression that the whole of a path has to match.

    Args:
        default_optimizer: Of the paths that no key is for.
        optimizer_map: A dict of optimizers by key.

    Raises:
        ArgumentError: Where a value is no optimizer, or is one of several optimizers or of a scale; where a key is no
            string, or is there already; where more than one expression matches a path.

    >>> from keryx.optimizers import SGD, Adam
    >>> chosen = OptimizerMap(SGD(), {"encoder/.*": Adam()})
    >>> chosen["encoder/dense/kernel"].name, chosen["dense/kernel"].name
    ('adam', 'sgd')
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None):
        if not isinstance(default_optimizer, Optimizer):
            raise ArgumentError(f"OptimizerMap() wants an optimizer as its default; got {default_optimizer!r}.")
        if not isinstance(optimizer_map or {}, dict):
            raise ArgumentError(f"OptimizerMap() wants a dict of optimizers by key; got {optimizer_map!r}.")
        self.default_optimizer = default_optimizer
        self.optimizer_map: dict[str, Optimizer] = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A map made anew; of a config the keys are patterns that cannot take for ever to match."""
        for key in config.get("optimizer_map") or {}:
            if not isinstance(key, str) or len(key) > 1000 or _SLOW.search(key) or len(_REPEATS.findall(key)) > 2:
                raise ConfigError(
                    f"The config of an OptimizerMap has the pattern {key!r:.200}, which might take for ever to match: "
                    "one of a file repeats no group, has no references, and two repetitions at most. Make the map "
                    "yourself."
                )
        return cls(**{name: deserialize(value) for name, value in config.items()})

    def __getitem__(self, key: str) -> Optimizer:
        if key in self.optimizer_map:
            return self.optimizer_map[key]
        matching = [pattern for pattern in self.optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ArgumentError(f"The path {key!r} matches {listing(matching)}: only one optimizer can train it.")
        return self.optimizer_map[matching[0]] if matching else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str) or key in self.optimizer_map:
            why = "there is one for it already: delete that first" if isinstance(key, str) else "a key is a string"
            raise ArgumentError(f"OptimizerMap[{key!r}]: {why}.")
        self.optimizer_map[key] = _plain(optimizer, f"OptimizerMap[{key!r}]")

    def __delitem__(self, key: str) -> None:
        del self.optimizer_map[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.optimizer_map)

    def __len__(self) -> int:
        return len(self.optimizer_map)

    def __call__(self, variable: Variable) -> Optimizer:
        return self[variable.path]


def _plain(optimizer: Any, what: str) -> Optimizer:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
        raise ArgumentError(
            f"{what} wants an optimizer of its own; got {optimizer!r}. A LossScaleOptimizer goes around a "
            "MultiOptimizer, not into it."
        )
    return optimizer


@registry.register()
class MultiOptimizer(Optimizer):
    """Several optimizers, each for the weights that are its own.

    Each of them counts its steps, clips its gradients and follows its own learning rate: set that on them.

    Args:
        optimizer_map: An `OptimizerMap`, or a function of a Variable that gives an optimizer.
        loss_scale_factor: What the loss is multiplied by, and the gradients divided by; it takes the place of theirs.
        name: The class's name in lower case unless given.

    Attributes:
        optimizers: Those within, in the order in which they were met.

    Raises:
        ArgumentError: Where the function gives something else than an optimizer, or what has several of its own.
        AttributeError: On `learning_rate`, which there is none of.

    >>> from keryx.optimizers import SGD
    >>> chosen = MultiOptimizer(OptimizerMap(SGD(1.0), {"fast": SGD(2.0)}))
    >>> slow, fast = Variable([1.0], name="slow"), Variable([1.0], name="fast")
    >>> chosen.apply([jnp.ones(1), jnp.ones(1)], [slow, fast])
    >>> slow.numpy(), fast.numpy()
    (array([0.], dtype=float32), array([-1.], dtype=float32))
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ):
        if not callable(optimizer_map):
            raise ArgumentError(f"MultiOptimizer() wants an OptimizerMap or a function; got {optimizer_map!r}.")
        self.optimizer_map = optimizer_map
        self.optimizers: list[Optimizer] = []
        self._of: dict[str, int] = {}  # by path, which of them
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        if isinstance(optimizer_map, OptimizerMap):
            for one in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._number(one)

    def _number(self, optimizer: Any) -> int:
        """The number of one of them, which is one from here on."""
        for i, one in enumerate(self.optimizers):
            if one is optimizer:
                return i
        self.optimizers.append(_plain(optimizer, type(self).__name__))
        optimizer.loss_scale_factor = self.loss_scale_factor
        return len(self.optimizers) - 1

    @property
    def learning_rate(self) -> Any:
        """There is none: each optimizer within has its own."""
        raise AttributeError("A MultiOptimizer has no learning_rate: read and set those of its `optimizers`.")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._learning_rate is not None:
            raise AttributeError("A MultiOptimizer has no learning_rate: read and set those of its `optimizers`.")
        self._learning_rate = self._variable(jnp.float32(value), "learning_rate")  # which serves nothing

    @property
    def loss_scale_factor(self) -> float | None:
        """What the loss is multiplied by, and each optimizer divides its gradients by."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for one in self.optimizers:
            one.loss_scale_factor = value

    @property
    def rated(self) -> dict[str, Optimizer]:
        taken: dict[str, int] = {}
        return {untaken(f"learning_rate_{one.name}", taken): one for one in self.optimizers}

    @property
    def schedules(self) -> tuple:
        return tuple(one.schedule for one in self.optimizers)

    def standing(self) -> dict[str, Variable]:
        found = {"iteration": self._iteration}
        for i, one in enumerate(self.optimizers):
            found |= {f"{i}_{name}": v for name, v in one.standing().items()}
        return found

    def decide(self, variables: Mapping[str, Variable]) -> None:
        """Settle which optimizer trains which of these Variables."""
        self._of = {path: self._number(self.optimizer_map(v)) for path, v in variables.items()}
        self.owners = dict(variables)
        for i, one in enumerate(self.optimizers):
            one.decide({path: v for path, v in variables.items() if self._of[path] == i})

    def _hold(self, state: State) -> None:
        super()._hold(state)
        for i, one in enumerate(self.optimizers):
            one.share(self.nest[str(i)])

    def forget(self) -> None:
        super().forget()
        for one in self.optimizers:
            one.forget()

    def each_by_path(self, change: Callable, state: Any, *others: Any) -> Any:
        parts = {str(i): one for i, one in enumerate(self.optimizers)}
        within = {i: one.each_by_path(change, state[i], *(other[i] for other in others)) for i, one in parts.items()}
        return state | within

    # The pure pair

    def _shares(self, weights: Any) -> list[dict[str, jax.Array]]:
        """The leaves of a nest of weights by place, one dict for each optimizer."""
        shares: list[dict[str, jax.Array]] = [{} for _ in self.optimizers]
        for keys, leaf in jax.tree_util.tree_leaves_with_path(weights):
            place = jax.tree_util.keystr(keys, simple=True, separator="/")
            if place not in self._of:
                raise StateError("A MultiOptimizer chooses by Variables: call build(variables) before the first step.")
            shares[self._of[place]][place] = leaf
        return shares

    def _joined(self, shares: list[dict[str, jax.Array]], weights: Any) -> Any:
        leaves = {place: leaf for share in shares for place, leaf in share.items()}
        return jax.tree_util.tree_map_with_path(
            lambda keys, _: leaves[jax.tree_util.keystr(keys, simple=True, separator="/")], weights
        )

    def init(self, weights: Any) -> State:
        """The states of all of them, by number, and the count of all steps."""
        states = [one.init(share) for one, share in zip(self.optimizers, self._shares(weights), strict=True)]
        return {"iteration": jnp.zeros((), jnp.int32)} | {str(i): state for i, state in enumerate(states)}

    def update(self, grads: Any, state: State, weights: Any) -> tuple[Any, State]:
        """One step of each that has weights. Pure."""
        new, shares = dict(state) | {"iteration": state["iteration"] + 1}, self._shares(weights)
        for i, (one, share, of_grads) in enumerate(zip(self.optimizers, shares, self._shares(grads), strict=True)):
            if share:
                shares[i], new[str(i)] = one.take_step(of_grads, state[str(i)], share)
        return self._joined(shares, weights), new

    def finalize(self, state: State, weights: Any) -> Any:
        """The weights to keep when training ends: each optimizer has a word in its own."""
        shares = self._shares(weights)
        kept = [one.finalize(state[str(i)], shares[i]) for i, one in enumerate(self.optimizers)]
        return self._joined(kept, weights)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """As of each that there is; those that a function is still to give are not met yet."""
        for one in self.optimizers:
            one.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """The map with all optimizers in it."""
        config = super().get_config()
        return {name: config[name] for name in ("optimizer_map", "loss_scale_factor", "name")}
