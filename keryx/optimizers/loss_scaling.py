"""Loss scaling: gradients that a float of 16 bits would round to 0 are multiplied on their way, and divided after."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError
from keryx.optimizers.base import Optimizer, registry
from keryx.optimizers.pure import State

_OWN = ("dynamic_scale", "step_counter")  # what of the state is not the optimizer's within


@registry.register()
class LossScaleOptimizer(Optimizer):
    """An optimizer within a scale that adapts: `gradient(scale * loss) / scale`. Micikevicius et al. 2018.

    A step whose gradients are not finite is left out and halves the scale; `dynamic_growth_steps` finite ones in a
    row double it. `compile` puts the optimizer of a `mixed_float16` model into one.

    Args:
        inner_optimizer: The optimizer that takes the steps.
        initial_scale: 32768.
        dynamic_growth_steps: 2000.
        name: The class's name in lower case unless given.

    Raises:
        ArgumentError: Where `inner_optimizer` is none, or scales the loss itself.
        ConfigError: On a scale or a number of steps that is not above 0, and on options of the optimizer within.

    >>> from keryx.optimizers import SGD
    >>> optimizer = LossScaleOptimizer(SGD(0.5), initial_scale=8.0)
    >>> weights, state = [jnp.ones(2)], optimizer.init([jnp.ones(2)])
    >>> optimizer.update([jnp.full(2, 8.0)], state, weights)[0]
    [Array([0.5, 0.5], dtype=float32)]
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **options: Any,
    ):
        if not isinstance(inner_optimizer, Optimizer) or isinstance(inner_optimizer, LossScaleOptimizer):
            raise ArgumentError(
                f"LossScaleOptimizer() wants an optimizer that takes the steps; got {inner_optimizer!r}."
            )
        if inner_optimizer.loss_scale_factor is not None:
            raise ArgumentError(
                "The optimizer within a LossScaleOptimizer has a loss_scale_factor: leave one of them out."
            )
        if not initial_scale > 0 or not dynamic_growth_steps > 0:
            raise ConfigError(
                f"initial_scale and dynamic_growth_steps are above 0; got {initial_scale!r}, {dynamic_growth_steps!r}."
            )
        self.inner_optimizer = inner_optimizer
        super().__init__(None, name=name, **options)
        inner_optimizer._iteration = self._iteration  # one count for both
        if any(
            getattr(self, option) for option in ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema")
        ):
            raise ConfigError("Options of the steps, such as clipnorm, belong to the optimizer within.")
        self.initial_scale, self.dynamic_growth_steps = float(initial_scale), dynamic_growth_steps

    @property  # one rate for both, whichever of them it is set on
    def _learning_rate(self) -> Any:  # type: ignore[override]
        return self.inner_optimizer._learning_rate

    @_learning_rate.setter
    def _learning_rate(self, value: Any) -> None:
        if value is not None:
            self.inner_optimizer._learning_rate = value

    def init(self, weights: Any) -> State:
        """The state of the optimizer within, before the first step, and the scale."""
        scale = {"dynamic_scale": jnp.float32(self.initial_scale), "step_counter": jnp.zeros((), jnp.int32)}
        return self.inner_optimizer.init(weights) | scale

    def update(self, grads: Any, state: State, weights: Any) -> tuple[Any, State]:
        """One step of the optimizer within, or none where a gradient is not finite. Pure."""
        scale, good_steps = (state[name] for name in _OWN)
        within = {name: slot for name, slot in state.items() if name not in _OWN}

        def step():
            unscaled = jax.tree.map(lambda g: g / scale.astype(g.dtype), grads)
            grown = good_steps + 1 >= self.dynamic_growth_steps
            new = jnp.where(grown, scale * 2, scale), jnp.where(grown, 0, good_steps + 1)
            return self.inner_optimizer.take_step(unscaled, within, weights), new

        def leave_out():
            return (weights, within), (scale / 2, jnp.zeros_like(good_steps))

        finite = jnp.array([jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(grads)]).all()
        (weights, new), (scale, good_steps) = jax.lax.cond(finite, step, leave_out)
        return weights, new | dict(zip(_OWN, (scale, good_steps), strict=True))

    def finalize(self, state: State, weights: Any) -> Any:
        """The weights to keep when training ends."""
        return self.inner_optimizer.finalize(state, weights)

    def loss_scale(self, state: State | None) -> Any:
        """What the loss is to be multiplied by before it is differentiated, at this state."""
        return self.initial_scale if state is None else state["dynamic_scale"]

    @property
    def iterations(self) -> Any:
        """The steps taken so far, without those that were left out."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """As of the optimizer within."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if value is not None:
            self.inner_optimizer.learning_rate = value
            self._compiled = None

    @property
    def rated(self) -> dict[str, Optimizer]:
        """As of the optimizer within."""
        return self.inner_optimizer.rated

    @property
    def schedules(self) -> tuple:
        """As of the optimizer within."""
        return self.inner_optimizer.schedules

    def standing(self) -> dict[str, Variable]:
        """Those of the optimizer within."""
        return self.inner_optimizer.standing()

    def decide(self, variables: Mapping[str, Variable]) -> None:
        """As of the optimizer within."""
        self.owners = dict(variables)
        self.inner_optimizer.decide(variables)

    def _hold(self, state: State) -> None:
        super()._hold(state)
        self.inner_optimizer.share({name: slot for name, slot in self.nest.items() if name not in _OWN})

    def forget(self) -> None:
        """Be without a state, both of them."""
        super().forget()
        self.inner_optimizer.forget()

    def each_by_path(self, change: Callable, state: Any, *others: Any) -> Any:
        """As of the optimizer within."""
        return self.inner_optimizer.each_by_path(change, state, *others)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """As of the optimizer within."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        """The optimizer within, and the scale that training begins with."""
        config = super().get_config()
        return {name: config[name] for name in ("name", "inner_optimizer", "initial_scale", "dynamic_growth_steps")}
