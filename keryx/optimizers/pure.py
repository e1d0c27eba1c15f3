"""The pure half of every optimizer: a step, as a function of gradients, state and weights."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from keryx.errors import StateError

State = dict[str, Any]
_AROUND = ("iteration", "learning_rate", "average", "gradient_accumulator")  # what is kept around the rule


class PureOptimizer:
    """A rule, and what Keras offers around every rule, as the pure pair `init` and `update`.

    The state is a dict: `iteration` (), int32, the calls of `update` so far; `learning_rate` (), float32, unless it
    follows a schedule; what the rule keeps beside the weights, each as the weights, such as Adam's `momentum` and
    `velocity`; with use_ema their `average`; with gradient_accumulation_steps the `gradient_accumulator`.
    """

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    schedule: Any
    _decays: Any = True  # which weights decay: as the weights, or one for all; None where it is not decided yet

    # The rule

    def transformation(self) -> optax.GradientTransformation:
        """The rule as a transformation of Optax: gradients to the updates that are added to the weights.

        The learning rate comes with each update as Optax's extra argument `learning_rate`; `rules.descend()`
        multiplies by it, with the minus.
        """
        raise NotImplementedError(f"{type(self).__name__} wants a method transformation().")

    def init_rule(self, weights: Any) -> State:
        """What the rule keeps, before the first step."""
        return {"rule": self.transformation().init(weights)}

    def apply_rule(
        self, rate: jax.Array, t: jax.Array, weights: Any, gradients: Any, slots: State
    ) -> tuple[Any, State]:
        """One step of the rule.

        Args:
            rate: The learning rate, float32 ().
            t: The number of the step, from 1, int32 ().
            weights: The weights, in any nest.
            gradients: As the weights.
            slots: What the rule keeps.
        """
        rule = optax.with_extra_args_support(self.transformation())
        updates, kept = rule.update(gradients, slots["rule"], weights, learning_rate=rate)
        return optax.apply_updates(weights, updates), {"rule": kept}

    # The pure pair

    def init(self, weights: Any) -> State:
        """The state before the first step, for these weights (a list, or any pytree)."""
        weights = jax.tree.map(jnp.asarray, weights)
        state = {"iteration": jnp.zeros((), jnp.int32), **self.init_rule(weights)}
        if self.schedule is None:
            state["learning_rate"] = self._rate(state["iteration"])
        if self.use_ema:
            # A copy: the weights and the state may both be donated to one program.
            state["average"] = jax.tree.map(jnp.copy, weights)
        if self.gradient_accumulation_steps:
            state["gradient_accumulator"] = jax.tree.map(jnp.zeros_like, weights)
        return state

    def update(self, grads: Any, state: State, weights: Any) -> tuple[Any, State]:
        """One step: the new weights and the new state. Pure."""
        rate = state["learning_rate"] if self.schedule is None else self._rate(state["iteration"])
        scale, count = self.loss_scale(state), state["iteration"] + 1
        grads = jax.tree.map(lambda g, w: (g / scale).astype(w.dtype), grads, weights)
        slots = {name: slot for name, slot in state.items() if name not in _AROUND}
        new = {"iteration": count} | ({"learning_rate": rate} if self.schedule is None else {})
        if every := self.gradient_accumulation_steps:
            total = jax.tree.map(jnp.add, state["gradient_accumulator"], grads)
            weights, slots, new["gradient_accumulator"] = jax.lax.cond(
                count % every == 0,
                lambda: (
                    *self._take(rate, count // every, weights, jax.tree.map(lambda g: g / every, total), slots),
                    jax.tree.map(jnp.zeros_like, total),
                ),
                lambda: (weights, slots, total),
            )
        else:
            weights, slots = self._take(rate, count, weights, grads, slots)
        if self.use_ema:
            weights, new["average"] = self._follow(weights, state)
        return weights, new | slots

    def finalize(self, state: State, weights: Any) -> Any:
        """The weights to keep when training ends: with use_ema their average, else the weights themselves."""
        return jax.tree.map(jnp.copy, state["average"]) if self.use_ema else weights

    def loss_scale(self, state: State | None) -> Any:
        """What the loss is to be multiplied by before it is differentiated: `update` divides the gradients by it."""
        return 1.0 if self.loss_scale_factor is None else self.loss_scale_factor

    def _rate(self, iteration: jax.Array) -> jax.Array:
        raise NotImplementedError

    def _take(self, rate, t, weights, grads, slots):
        return self.apply_rule(rate, t, self._decay(weights, rate, slots), self._clip(grads), slots)

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

    def decay_of(self, weights: Any, slots: State) -> Any:
        """The weight decay of each weight, None where it has none, in the nest of the weights."""
        return jax.tree.map(lambda _: self.weight_decay, weights)

    def _decay(self, weights, rate, slots):
        amounts = self.decay_of(weights, slots)
        if not jax.tree.leaves(amounts):
            return weights
        if self._decays is None:
            raise StateError("exclude_from_weight_decay() needs build(variables) before the first step.")

        def shrink(w, amount, decays):
            return w - w * (amount * rate).astype(w.dtype) if decays and amount is not None else w

        decays = jax.tree.map(lambda _: True, weights) if self._decays is True else self._decays
        return jax.tree.map(shrink, weights, amounts, decays)

    def _follow(self, weights, state):
        steps = state["iteration"] // (self.gradient_accumulation_steps or 1)
        momentum = jnp.where(steps == 0, 0.0, self.ema_momentum)

        def mix(a, w):
            return a * momentum.astype(w.dtype) + w * (1 - momentum).astype(w.dtype)

        average = jax.tree.map(mix, state["average"], weights)
        if self.ema_overwrite_frequency:
            due = (steps + 1) % self.ema_overwrite_frequency == 0
            weights = jax.tree.map(lambda a, w: jnp.where(due, a, w), average, weights)
        return weights, average
