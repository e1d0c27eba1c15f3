"""What every optimizer shares: one pure pair, `init` and `update`, around an Optax transformation."""

import inspect
import warnings
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from keryx.core.codec import Configurable, Registry, deserialize, reads, serialize
from keryx.core.lending import Cell, reading
from keryx.core.names import config_arguments, init_arguments
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, StateError, did_you_mean, listing
from keryx.optimizers.schedules import InverseTimeDecay

registry = Registry("optimizer", "keras.optimizers")

_OLD_WORDS = {
    "lr": "since Keras 2.3 it is 'learning_rate'.",
    "decay": "since Keras 2.11 it is a schedule, learning_rate=schedules.InverseTimeDecay(rate, 1, decay).",
}


class OptimizerState(NamedTuple):
    """All that an optimizer remembers from step to step: a pytree."""

    step: jax.Array  # () int32, the calls of `update` so far
    learning_rate: jax.Array  # () float32, the rate of the last step, or of the next when it is no schedule
    inner: Any  # the state of `transformation()`
    average: Any = None  # with use_ema: the moving average of the weights
    accumulated: Any = None  # with gradient_accumulation_steps: the sum of the gradients since the last step


class Optimizer(Configurable):
    """The base of the optimizers: a rule, and what Keras offers around every rule.

    A step is: clip the gradients, decay the weights `w - lr * weight_decay * w`, add the updates of the rule.
    It is the pure pair `init(weights) -> state`, `update(grads, state, weights) -> (weights, state)`.
    A rule of your own is a subclass with a `transformation`.

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
        self.slots = Cell()  # the state, which the training loop lends to its steps
        self.owners: list[Variable] = []  # whose state it is
        self._learning_rate: Any = None
        self._compiled: Any = None
        self._excluded: tuple[tuple, tuple] = ((), ())
        self._decayed: list[bool] | None = None
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
                raise ConfigError(f"{name} is a whole number from {least}, or None; got {value!r}.")

    # The rule

    def transformation(self) -> optax.GradientTransformation:
        """The rule: gradients to the updates that are added to the weights.

        The learning rate comes with each update as Optax's extra argument `learning_rate`; `rules.descend()`
        multiplies by it, with the minus.
        """
        raise NotImplementedError(f"{type(self).__name__} wants a method transformation().")

    # The pure pair

    def init(self, weights: Any) -> OptimizerState:
        """The state before the first step, for these weights (a list, or any pytree)."""
        weights = jax.tree.map(jnp.asarray, weights)
        zeros = jax.tree.map(jnp.zeros_like, weights) if self.gradient_accumulation_steps else None
        step = jnp.zeros((), jnp.int32)
        return OptimizerState(
            step=step,
            learning_rate=self._rate(step),
            inner=self.transformation().init(weights),
            # A copy: the weights and the state may both be donated to one program.
            average=jax.tree.map(jnp.copy, weights) if self.use_ema else None,
            accumulated=zeros,
        )

    def update(self, grads: Any, state: OptimizerState, weights: Any) -> tuple[Any, OptimizerState]:
        """One step: the new weights and the new state. Pure."""
        scheduled = not isinstance(self._learning_rate, Variable)
        rate = self._rate(state.step) if scheduled else state.learning_rate
        scale = self.loss_scale(state)
        grads = jax.tree.map(lambda g, w: (g / scale).astype(w.dtype), grads, weights)
        inner, accumulated = state.inner, state.accumulated
        if every := self.gradient_accumulation_steps:
            total = jax.tree.map(jnp.add, accumulated, grads)
            weights, inner, accumulated = jax.lax.cond(
                (state.step + 1) % every == 0,
                lambda: (
                    *self._take(jax.tree.map(lambda g: g / every, total), inner, weights, rate),
                    jax.tree.map(jnp.zeros_like, total),
                ),
                lambda: (weights, inner, total),
            )
        else:
            weights, inner = self._take(grads, inner, weights, rate)
        weights, average = self._follow(weights, state)
        return weights, OptimizerState(state.step + 1, rate, inner, average, accumulated)

    def finalize(self, state: OptimizerState, weights: Any) -> Any:
        """The weights to keep when training ends: with use_ema their average, else the weights themselves."""
        return jax.tree.map(jnp.copy, state.average) if self.use_ema else weights

    def loss_scale(self, state: OptimizerState | None) -> Any:
        """What the loss is to be multiplied by before it is differentiated: `update` divides the gradients by it."""
        return 1.0 if self.loss_scale_factor is None else self.loss_scale_factor

    def scale_loss(self, loss: jax.Array) -> jax.Array:
        """The loss to differentiate in a loop of your own; `fit` scales by itself."""
        return loss * jnp.asarray(self.loss_scale(self.state), jnp.asarray(loss).dtype)

    def _take(self, grads, inner, weights, rate):
        grads = self._clip(grads)
        return self.apply_rule(grads, inner, self._decay(weights, rate), rate)

    def apply_rule(self, grads: Any, inner: Any, weights: Any, rate: jax.Array) -> tuple[Any, Any]:
        """The rule, applied: the new weights, and the new state of `transformation()`.

        Rules that `keryx.kernels.update` knows take one pass over memory for all weights.
        """
        rule = optax.with_extra_args_support(self.transformation())
        updates, inner = rule.update(grads, inner, weights, learning_rate=rate)
        return optax.apply_updates(weights, updates), inner

    def _clip(self, grads):
        limit = self.clipvalue or self.clipnorm or self.global_clipnorm or 0.0
        if self.clipvalue:
            return jax.tree.map(lambda g: jnp.clip(g, -limit, limit), grads)
        if self.clipnorm:
            return jax.tree.map(lambda g: g * limit / jnp.maximum(jnp.sqrt(jnp.sum(g * g)), limit), grads)
        if self.global_clipnorm:
            norm = optax.tree.norm(grads)
            # An infinite norm must not turn into zero updates: NaN is what the training loop looks for.
            factor = jnp.where(jnp.isfinite(norm), limit / jnp.maximum(norm, limit), jnp.nan)
            return jax.tree.map(lambda g: g * factor.astype(g.dtype), grads)
        return grads

    def _decay(self, weights, rate):
        if self.weight_decay is None:
            return weights
        if any(self._excluded) and self._decayed is None:
            raise StateError("exclude_from_weight_decay() needs build(variables) before the first step.")

        def shrink(w, decayed=True):
            return w - w * (self.weight_decay * rate).astype(w.dtype) if decayed else w

        if self._decayed is None:
            return jax.tree.map(shrink, weights)
        return jax.tree.map(shrink, weights, self._decayed)

    def _follow(self, weights, state):
        if not self.use_ema:
            return weights, None
        steps = state.step // (self.gradient_accumulation_steps or 1)
        momentum = jnp.where(steps == 0, 0.0, self.ema_momentum)

        def mix(a, w):
            return a * momentum.astype(w.dtype) + w * (1 - momentum).astype(w.dtype)

        average = jax.tree.map(mix, state.average, weights)
        if self.ema_overwrite_frequency:
            due = (steps + 1) % self.ema_overwrite_frequency == 0
            weights = jax.tree.map(lambda a, w: jnp.where(due, a, w), average, weights)
        return weights, average

    # The learning rate

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a Variable to read and assign, or the schedule's value at the present step."""
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._rate(jnp.asarray(self._step()))

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, Variable):
            self._learning_rate, self._compiled = value, None
        elif self._learning_rate is not None and not isinstance(self._learning_rate, Variable):
            raise ArgumentError(
                f"The learning rate of {type(self).__name__} follows a schedule: it cannot be set to a "
                "number. Make the optimizer with a number, or set another schedule."
            )
        else:
            number = _number(value)
            if self._learning_rate is None:
                self._learning_rate = Variable(number, dtype="float32", trainable=False, name="learning_rate")
            else:
                self._learning_rate.store(number)

    @property
    def schedule(self) -> Any:
        """The schedule or function that the learning rate follows; None where it is a number."""
        return None if isinstance(self._learning_rate, Variable) else self._learning_rate

    def _rate(self, step: jax.Array) -> jax.Array:
        rate = self._learning_rate
        if isinstance(rate, Variable):
            return jnp.array(rate.value, jnp.float32)
        return jnp.asarray(rate(step) if inspect.signature(rate).parameters else rate(), jnp.float32)

    @property
    def iterations(self) -> int:
        """The steps taken so far; accumulated gradients count once."""
        return int(self._step()) // (self.gradient_accumulation_steps or 1)

    def _step(self) -> Any:
        with reading([self.slots]) as (state,):
            return np.int32(0 if state is None else state.step)

    # The object's own state, for the training loop and for loops of your own

    @property
    def state(self) -> OptimizerState | None:
        """What it remembers from step to step; None before the first."""
        return self.slots.hand_out()

    @state.setter
    def state(self, value: OptimizerState | None) -> None:
        self.slots.put(value)

    def build(self, variables: Sequence[Variable]) -> None:
        """Start afresh for these Variables."""
        self.decide_decay(variables)
        self._compiled = None
        self.owners = list(variables)
        self.state = self.init([v.value for v in variables])

    def decide_decay(self, variables: Sequence[Variable]) -> None:
        """Settle which of these Variables decay, where some were excluded."""
        if any(self._excluded):
            self._decayed = [not self._is_excluded(v) for v in variables]

    @property
    def variables(self) -> list[jax.Array]:
        """All arrays of the state, in flat order, for loops of your own; before `build` those that are no weight's."""
        return jax.tree.leaves(self.init([]) if self.state is None else self.state)

    @property
    def built(self) -> bool:
        """Whether it has a state for the Variables that it trains."""
        return self.state is not None

    def stateless_apply(self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Any):
        """One step as a pure function of flat lists.

        Args:
            optimizer_variables: A value for each of `optimizer.variables`, after `build(variables)`.
            grads: The gradients.
            trainable_variables: The values of the weights.

        Returns:
            The new values of the weights, and of the optimizer's variables.
        """
        if self.state is None:
            raise StateError(f"{type(self).__name__} has no state yet: call build(variables) first.")
        state = jax.tree.unflatten(jax.tree.structure(self.state), list(optimizer_variables))
        grads, weights = jax.tree.map(jnp.asarray, (list(grads), list(trainable_variables)))
        weights, state = self.update(grads, state, weights)
        return weights, jax.tree.leaves(state)

    def resume(self, state: OptimizerState | None) -> OptimizerState:
        """The state to go on from: the last one, under the learning rate that is set now."""
        if state is None:
            raise StateError(f"{type(self).__name__} has no state yet: call build(variables) first.")
        if isinstance(self._learning_rate, Variable):
            return state._replace(learning_rate=self._rate(state.step))
        return state

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable]) -> None:
        """One step on Variables, in place.

        >>> from keryx.core.variable import Variable
        >>> from keryx.optimizers import SGD
        >>> w = Variable(np.ones(2))
        >>> SGD(0.5).apply([np.array([1.0, 2.0])], [w])
        >>> w.numpy()
        array([0.5, 0. ], dtype=float32)
        """
        variables, grads = list(trainable_variables), list(grads)
        missing = {i: v.path for i, (g, v) in enumerate(zip(grads, variables, strict=True)) if g is None}
        if missing and len(missing) == len(grads):
            raise ArgumentError(f"apply() wants gradients; got None for each of {listing(missing.values())}.")
        if missing:
            warnings.warn(f"No gradient came for {listing(missing.values())}: they stay as they are.", stacklevel=2)
            grads = [jnp.zeros(v.shape, v.dtype) if g is None else g for g, v in zip(grads, variables, strict=True)]
        if self.slots.is_empty:
            self.build(variables)
        if self._compiled is None:
            self._compiled = jax.jit(self.update)
        before = [v.value for v in variables], self.resume(self.state)
        after = self._compiled([jnp.asarray(g) for g in grads], before[1], before[0])
        values, self.state = _with_old(after, before, missing) if missing else after
        for variable, value in zip(variables, values, strict=True):
            constraint = getattr(variable, "constraint", None)
            variable.store(constraint(value) if constraint else value)

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """One step on pairs (gradient, Variable), in place."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave these Variables, and those whose path holds one of these words, out of the weight decay.

        To be called before training starts.
        """
        if self.state is not None:
            raise StateError("exclude_from_weight_decay() is to be called before training starts.")
        self._excluded = (tuple(var_list or ()), tuple(var_names or ()))

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


def _with_old(after: Any, before: Any, places: Collection[int]) -> Any:
    """`after` with what `before` holds at these places of each of its lists, which are as long as the weights."""

    def mix(new: Any, old: Any) -> Any:
        return [o if i in places else n for i, (n, o) in enumerate(zip(new, old, strict=True))]

    def is_list(x: Any) -> bool:
        return isinstance(x, list)

    return jax.tree.map(lambda new, old: mix(new, old) if is_list(new) else new, after, before, is_leaf=is_list)


def _hint(cls: type, word: str) -> str:
    if word in _OLD_WORDS:
        return f"; {_OLD_WORDS[word]}"
    return f".{did_you_mean(word, init_arguments(cls))}"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"learning_rate is a number, a schedule or a function of the step; got {value!r}.") from None
