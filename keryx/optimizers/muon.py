"""Muon: steps of matrices whose singular values are all near 1."""

import re
from typing import Any

import jax
import jax.numpy as jnp

from keryx.optimizers.base import registry
from keryx.optimizers.pure import State
from keryx.optimizers.rules import WeightRule, moving_mean, power


@registry.register("muon")
class Muon(WeightRule):
    """Momentum whose matrices are made orthogonal, for the matrices within a network; Adam for all else.

    `m = momentum * m + g;  w = w - lr * rms_rate * sqrt(max(rows, columns)) * orthogonal(g + momentum * m)`, where
    `orthogonal` is the iteration `x = a * x + (b * x x' + c * (x x') ** 2) x` of Newton and Schulz from `x / |x|`.
    Jordan et al. 2024, with the factor of Liu et al. 2025 (arXiv:2502.16982), which lets Adam's rates serve.

    A weight that is no matrix, an embedding, or one of a layer that is left out is given Adam's step. Optax's rule
    of the name keeps another momentum; this one is Keras's.

    Args:
        learning_rate: 0.001.
        adam_beta_1: 0.9.
        adam_beta_2: 0.999.
        adam_weight_decay: 0.004, the weight decay of what Adam serves.
        epsilon: 1e-7, Adam's.
        weight_decay: 0.004, the weight decay of the matrices.
        clipnorm: As in `Optimizer`, and so are those up to `name`.
        exclude_layers: Regular expressions; a weight in whose path one is found is left to Adam.
        exclude_embeddings: Whether weights with "embedding" in their path are left to Adam.
        muon_a: 3.4445, as the authors found it.
        muon_b: -4.775.
        muon_c: 2.0315.
        adam_lr_ratio: 1, Adam's learning rate as a part of this one.
        momentum: 0.95.
        ns_steps: 5, the number of iterations.
        nesterov: Whether to look ahead along the momentum; else `orthogonal(m)`.
        rms_rate: 0.2; None leaves the factor out.

    >>> optimizer, weights = Muon(1.0, weight_decay=None, rms_rate=None), [jnp.zeros((2, 2))]
    >>> weights, _ = optimizer.update([jnp.array([[3.0, 0.0], [0.0, 1.0]])], optimizer.init(weights), weights)
    >>> bool(jnp.allclose(jnp.abs(weights[0].diagonal()), 1.0, atol=0.4))
    True
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: list[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **unknown: Any,
    ):
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        super().__init__(
            learning_rate,
            weight_decay,
            **clips,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
            **unknown,
        )
        self.adam_beta_1, self.adam_beta_2, self.epsilon = adam_beta_1, adam_beta_2, epsilon
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.exclude_layers, self.exclude_embeddings = exclude_layers or [], exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.momentum, self.ns_steps, self.nesterov, self.rms_rate = momentum, ns_steps, nesterov, rms_rate

    def slots(self) -> dict[str, float]:
        return {"momentum": 0.0, "velocity": 0.0}

    def init_rule(self, weights: Any) -> State:
        """What is kept; a weight that has no `velocity` is given Muon's step."""

        def velocity(keys: Any, w: jax.Array) -> jax.Array | None:
            return jnp.zeros_like(w) if self._is_adams(self.path_of(keys), w) else None

        return {
            "momentum": jax.tree.map(jnp.zeros_like, weights),
            "velocity": jax.tree_util.tree_map_with_path(velocity, weights),
        }

    def _is_adams(self, path: str, w: jax.Array) -> bool:
        left_out = self.exclude_embeddings and "embedding" in path.lower()
        return w.ndim != 2 or left_out or any(re.search(word, path) for word in self.exclude_layers)

    def decay_of(self, weights: Any, slots: State) -> Any:
        def choose(_: jax.Array, v: jax.Array | None) -> float | None:
            return self.weight_decay if v is None else self.adam_weight_decay

        return jax.tree.map(choose, weights, slots["velocity"])

    def step(self, rate, t, w, g, m, v):
        if v is not None:
            return self._adam(rate * self.adam_lr_ratio, t, w, g, m, v)
        m = self.momentum * m + g
        change = rate.astype(w.dtype) * self.orthogonal(g + self.momentum * m if self.nesterov else m)
        if self.rms_rate is not None:
            change = change * max(w.shape) ** 0.5 * self.rms_rate
        return w - change, m, v

    def _adam(self, rate, t, w, g, m, v):
        rate = rate * jnp.sqrt(1 - power(self.adam_beta_2, t)) / (1 - power(self.adam_beta_1, t))
        m, v = moving_mean(m, g, self.adam_beta_1), moving_mean(v, g * g, self.adam_beta_2)
        return w - m * rate.astype(w.dtype) / (jnp.sqrt(v) + self.epsilon), m, v

    def orthogonal(self, x: jax.Array) -> jax.Array:
        """A matrix with the singular vectors of `x`, and singular values from 0.7 to 1.2."""
        if x.shape[0] > x.shape[1]:
            return self.orthogonal(x.T).T  # x x' is the smaller one
        x = x / (jnp.linalg.norm(x) + 1e-7)
        for _ in range(self.ns_steps):
            square = x @ x.T
            x = self.muon_a * x + (self.muon_b * square + self.muon_c * square @ square) @ x
        return x
