"""What every optimizer shares around its pure half: the learning rate, steps in loops of your own, its config."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core.codec import Configurable, Registry, deserialize, reads, serialize
from keryx.core.copying import Copyable
from keryx.core.names import config_arguments, init_arguments
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, ShapeError, StateError, did_you_mean, listing, warn
from keryx.optimizers.count import Count
from keryx.optimizers.held_state import HeldState
from keryx.optimizers.schedules import InverseTimeDecay

registry = Registry("optimizer", "keras.optimizers")

_OLD_WORDS = {
    "lr": "since Keras 2.3 it is 'learning_rate'.",
    "decay": "since Keras 2.11 it is a schedule, learning_rate=schedules.InverseTimeDecay(rate, 1, decay).",
}


class Optimizer(HeldState, Copyable, Configurable):
    """The base of the optimizers: a rule, and what Keras offers around every rule.

    A step is: clip the gradients, decay the weights `w - lr * weight_decay * w`, add the updates of the rule.
    It is the pure pair `init(weights) -> state`, `update(grads, state, weights) -> (weights, state)`.
    A rule of your own is a subclass with a `transformation`, or, by Keras's contract, with `build` and `update_step`;
    an `apply` that a subclass has of its own is what `fit` calls.
    What it keeps is held in Variables.

    Args:
        learning_rate: A number, a schedule, or a function of the step or of nothing.
        weight_decay: The decay of the weights, decoupled from the gradient. (Loshchilov & Hutter 2019)
        clipnorm: The highest norm of the gradient of one weight.
        clipvalue: The highest magnitude of an element of a gradient.
        global_clipnorm: The highest norm of all gradients together. At most one of the three.
        use_ema: Keep a moving average of the weights; `finalize` puts it in their place.
        ema_momentum: `average = ema_momentum * average + (1 - ema_momentum) * weight`.
        ema_overwrite_frequency: Put the average in the place of the weights every so many steps.
        loss_scale_factor: What the loss is multiplied by, and the gradients divided by; `fit` does both.
        gradient_accumulation_steps: The gradients of so many steps are averaged into one.
        name: The class's name in lower case unless given.

    Raises:
        ArgumentError: On an argument that it does not have.
        ConfigError: On settings that exclude each other or mean nothing.
    """

    _made_again = ("_compiled",)
    _compiled: Any = None

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **unknown: Any,
    ):
        for word in unknown:
            raise ArgumentError(f"{type(self).__name__}() has no argument {word!r}{_hint(type(self), word)}")
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.name = name or type(self).__name__.lower()
        self.owners: dict[str, Variable] = {}  # whose state it is, by path
        self._iteration = self._variable(0, "iteration")
        self._held: tuple[Any, list[Variable]] = (None, [])  # the nest of the state, and its Variables in flat order
        self._learning_rate: Any = None
        self._excluded: tuple[tuple, tuple] = ((), ())
        self._check()
        self.learning_rate = learning_rate

    def _check(self) -> None:
        clips = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm")}
        if sum(value is not None for value in clips.values()) > 1:
            raise ConfigError(f"Only one of clipnorm, clipvalue and global_clipnorm may be set; got {clips}.")
        if self.use_ema and not 0 <= self.ema_momentum <= 1:
            raise ConfigError(f"ema_momentum lies in [0, 1]; got {self.ema_momentum}.")
        for name, least in (("ema_overwrite_frequency", 1), ("gradient_accumulation_steps", 2)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, (int, np.integer)) or value < least):
                raise ConfigError(f"{name} is an integer from {least}, or None; got {value!r}.")

    # The learning rate

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a Variable to read and assign, or the schedule's value at the present step."""
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._rate(self._iteration.value)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, Variable):
            state = self.state or {}
            self._learning_rate, self._compiled = value, None
            if state.pop("learning_rate", None) is not None:
                self._hold(state)
        elif self.schedule is not None:
            raise ArgumentError(
                f"The learning rate of {type(self).__name__} follows a schedule: it cannot be set to a "
                "number. Make the optimizer with a number, or set another schedule."
            )
        elif self._learning_rate is None:
            self._learning_rate = self._variable(np.float32(_number(value)), "learning_rate")
        else:
            self._learning_rate.store(_number(value))

    @property
    def schedule(self) -> Any:  # type: ignore[override]
        """The schedule or function that the learning rate follows; None where it is a number."""
        return None if isinstance(self._learning_rate, Variable) else self._learning_rate

    @property
    def rated(self) -> dict[str, "Optimizer"]:
        """The optimizers that have a learning rate, by the rate's name in logs."""
        return {"learning_rate": self}

    @property
    def schedules(self) -> tuple:
        """What is compiled into a step of the schedules that its learning rates follow."""
        return (self.schedule,)

    def _rate(self, iteration: jax.Array) -> jax.Array:
        rate = self._learning_rate
        if isinstance(rate, Variable):
            return jnp.array(rate.value, jnp.float32)
        try:
            return jnp.asarray(rate(iteration) if inspect.signature(rate).parameters else rate(), jnp.float32)
        except Exception as error:
            from keryx.core import mistaken

            who = getattr(rate, "__name__", type(rate).__name__)
            raise mistaken.retold(error, f"The learning rate {who!r}") from error.__cause__

    @property
    def iterations(self) -> Any:
        """The steps taken so far; accumulated gradients count once. Within a pure step the number that it was lent."""
        every = self.gradient_accumulation_steps
        if self.is_lent:
            return self._iteration.value // every if every else self._iteration
        return Count(int(self._iteration.numpy()) // (every or 1))

    # Steps in loops of your own

    def scale_loss(self, loss: jax.Array) -> jax.Array:
        """The loss to differentiate in a loop of your own; `fit` scales by itself."""
        return loss * jnp.asarray(self.loss_scale(self.state), jnp.asarray(loss).dtype)

    def stateless_apply(self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Any):
        """One step as a pure function of flat lists.

        Args:
            optimizer_variables: A value for each of `optimizer.variables`, after `build(variables)`.
            grads: The gradients.
            trainable_variables: The values of the weights.

        Returns:
            The new values of the weights, and of the optimizer's variables.
        """
        if not self.built:
            raise StateError(f"{type(self).__name__} has no state yet: call build(variables) first.")
        state = jax.tree.unflatten(self.structure, list(map(jnp.asarray, optimizer_variables)))
        weights, state = self.take_step(self._by_path(grads), state, self._by_path(trainable_variables))
        constrained = [v.constraint(weights[p]) if v.constraint else weights[p] for p, v in self.owners.items()]
        return constrained, jax.tree.leaves(state)

    def _by_path(self, values: Sequence[Any]) -> dict[str, jax.Array]:
        return {path: jnp.asarray(value) for path, value in zip(self.owners, values, strict=True)}

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One step on Variables, in place.

        >>> from keryx.core.variable import Variable
        >>> from keryx.optimizers import SGD
        >>> w = Variable(np.ones(2))
        >>> SGD(0.5).apply([np.array([1.0, 2.0])], [w])
        >>> w.numpy()
        array([0.5, 0. ], dtype=float32)
        """
        variables = list(self.owners.values() if trainable_variables is None else trainable_variables)
        grads = list(grads)
        if len(grads) != len(variables):
            raise ArgumentError(f"apply() wants a gradient for each variable: {len(variables)}; got {len(grads)}.")
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        if missing and len(missing) == len(grads):
            raise ArgumentError(f"apply() wants gradients; got None for each of {listing(missing)}.")
        for g, v in zip(grads, variables, strict=True):
            if g is not None and np.shape(g) != tuple(v.shape):
                raise ShapeError(f"The gradient of {v.path!r} has the variable's shape, {v.shape}; got {np.shape(g)}.")
        if missing:
            warn(f"No gradient came for {listing(missing)}: they stay as they are.")
        if not self.built:
            self.build(variables)
        if self._compiled is None:
            self._compiled = jax.jit(self.update)
        given = [jnp.zeros(v.shape, v.dtype) if g is None else g for g, v in zip(grads, variables, strict=True)]
        weights, state = self._by_path([v.value for v in variables]), self.state
        step: Callable = self.update if self.is_lent else self._compiled
        after = step(self._by_path(given), state, weights)
        still = {path for path, g in zip(self.owners, grads, strict=True) if g is None}
        if still:
            after = self._with_old(after, (weights, state), still)
        values, self.state = after
        for variable, path in zip(variables, self.owners, strict=True):
            constraint = getattr(variable, "constraint", None)
            variable.store(constraint(values[path]) if constraint else values[path])

    def _with_old(self, after: Any, before: Any, paths: set[str]) -> Any:
        """`after` with what `before` holds at these paths of each of its dicts by path."""

        def mix(new: Any, old: Any) -> Any:
            return {path: (old if path in paths else new)[path] for path in new}

        return mix(after[0], before[0]), self.each_by_path(mix, after[1], before[1])

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """One step on pairs (gradient, Variable), in place."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave these Variables, and those whose path holds one of these words, out of the weight decay.

        To be called before training starts.
        """
        if self.built:
            raise StateError("exclude_from_weight_decay() is to be called before training starts.")
        self._excluded, self._decays = (tuple(var_list or ()), tuple(var_names or ())), None

    def _is_excluded(self, variable):
        whole, words = self._excluded
        return any(variable is one for one in whole) or any(word in variable.path for word in words)

    # Configs

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, the learning rate as it is now."""
        plain = {n: serialize(getattr(self, n)) for n in config_arguments(type(self)) if n != "learning_rate"}
        rate = self._learning_rate
        # The shortest number of the same float32: 0.001, not 0.0010000000474974513.
        rate = float(str(np.float32(rate.numpy()))) if isinstance(rate, Variable) else serialize(rate)
        return {"learning_rate": rate, **plain}

    @reads
    def from_config(cls: Any, config: dict[str, Any]):
        """The optimizer of a config, those that Keras 1 and 2 wrote included."""
        config = {name: deserialize(value) for name, value in config.items()}
        for gone in ("jit_compile", "is_legacy_optimizer"):
            config.pop(gone, None)
        if "lr" in config:
            config["learning_rate"] = config.pop("lr")
        if decay := config.pop("decay", None):
            config["learning_rate"] = InverseTimeDecay(config["learning_rate"], 1, decay)
        if config.get("epsilon", 0) is None:
            del config["epsilon"]
        return cls(**config)


def _hint(cls: type, word: str) -> str:
    if word in _OLD_WORDS:
        return f"; {_OLD_WORDS[word]}"
    return f".{did_you_mean(word, init_arguments(cls))}"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"learning_rate is a number, a schedule or a function of the step; got {value!r}.") from None
