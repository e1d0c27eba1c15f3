"""BatchNormalization: mean 0 and variance 1 over the batch, and running averages of both."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config, initializers
from keryx.errors import ConfigError, ShapeError
from keryx.layers.base.sizes import known_size
from keryx.layers.layer import InputSpec, registry
from keryx.layers.normalization.features import Affine, whole_weights, wide


@registry.register()
class BatchNormalization(Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with the mean and variance of each channel.

    In training they are those of the batch; else running averages, which move in training by
    `moving = momentum * moving + (1 - momentum) * batch`. With `trainable = False` it is the averages always.

    Args:
        axis: The axis of the channels; default the last.
        momentum: How much of the averages a step keeps; default 0.99.
        epsilon: Keeps the division finite; default 0.001.
        center: Whether beta is added.
        scale: Whether gamma multiplies.
        beta_initializer: How beta begins; default zeros.
        gamma_initializer: How gamma begins; default ones.
        moving_mean_initializer: How the average mean begins; default zeros.
        moving_variance_initializer: How the average variance begins; default ones.
        beta_regularizer: A penalty of beta.
        gamma_regularizer: A penalty of gamma.
        beta_constraint: A projection of beta after each step.
        gamma_constraint: A projection of gamma after each step.
        renorm: Whether a batch in training is corrected to what longer running averages say, as far as
            `renorm_clipping` lets it: `r * (x - mean) / deviation + d` with `r = deviation / renorm_stddev` and
            `d = (mean - renorm_mean) / renorm_stddev`, both constants to the gradient. For small batches.
        renorm_clipping: A dict of the least r, `rmin`, the greatest, `rmax`, and the greatest |d|, `dmax`; what it
            lacks is not limited.
        renorm_momentum: How much of the averages for r and d a step keeps; default 0.99.
        synchronized: Kept, and without effect: a batch that lies on several devices is one batch to JAX, whose
            mean is that of the whole.

    Source: Ioffe and Szegedy, Batch Normalization, 2015; Ioffe, Batch Renormalization, 2017.

    >>> import keryx
    >>> keryx.layers.BatchNormalization()(keryx.Input((8, 8, 3))).shape
    (None, 8, 8, 3)
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs,
    ):
        beta_and_gamma = beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        super().__init__(epsilon, center, scale, *beta_and_gamma, beta_constraint, gamma_constraint, **kwargs)
        self.axis, self.momentum = int(axis), float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm, self.renorm_momentum = renorm, float(renorm_momentum)
        self.renorm_clipping = _limits(renorm_clipping) if renorm else renorm_clipping
        self.synchronized = synchronized

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add gamma, beta, moving_mean and moving_variance, a number a channel each; three more with renorm."""
        channels = known_size(self.title, input_shape, self.axis, "number of channels")
        self.add_gamma_and_beta((channels,))
        self.moving_mean = self.add_weight(
            (channels,), self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            (channels,), self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        if self.renorm:
            first: dict[str, Any] = {"trainable": False, "initializer": self.first_deviation}
            self.moving_stddev = self.add_weight((channels,), name="moving_stddev", **first)
            self.renorm_mean = self.add_weight(
                (channels,), self.moving_mean_initializer, trainable=False, name="renorm_mean"
            )
            self.renorm_stddev = self.add_weight((channels,), name="renorm_stddev", **first)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def first_deviation(self, shape: tuple[int, ...], dtype: Any = None) -> jax.Array:
        """How the averages of the standard deviation begin."""
        return jnp.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def call(self, inputs: jax.Array, training: bool | None = None, mask: jax.Array | None = None) -> jax.Array:
        """Shape in, same shape out."""
        x = wide(inputs)
        shape = [1] * x.ndim
        shape[self.axis] = x.shape[self.axis]
        with whole_weights():
            if training and self.trainable:
                mean, variance = self.moments(x, mask)
                if self.renorm:
                    return self.renormalize(x, mean, variance, shape)
                for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                    moving.assign(moving * self.momentum + batch.reshape(-1) * (1 - self.momentum))
            else:
                mean, variance = (
                    self.moving_mean.value.reshape(shape),
                    self.moving_variance.value.reshape(shape),
                )
            return self.normalize(x, mean, variance, shape)

    def renormalize(self, x: jax.Array, mean: jax.Array, variance: jax.Array, shape: list[int]) -> jax.Array:
        """Normalize by the batch, correct to the averages for renorm, and move all averages."""
        deviation, limits = jnp.sqrt(variance + self.epsilon), self.renorm_clipping
        usual = jnp.maximum(self.renorm_stddev.value.reshape(shape), self.epsilon**0.5)
        r = jnp.clip(deviation / usual, limits.get("rmin"), limits.get("rmax"))
        d = (mean - self.renorm_mean.value.reshape(shape)) / usual
        d = d if limits.get("dmax") is None else jnp.clip(d, -limits["dmax"], limits["dmax"])
        for average, batch, momentum in (
            (self.renorm_mean, mean, self.renorm_momentum),
            (self.renorm_stddev, deviation, self.renorm_momentum),
            (self.moving_mean, mean, self.momentum),
            (self.moving_stddev, deviation, self.momentum),
        ):
            average.assign(average * momentum + batch.reshape(-1) * (1 - momentum))
        self.moving_variance.assign(jax.nn.relu(self.moving_stddev.value**2 - self.epsilon))
        y = (x - mean) * (jax.lax.stop_gradient(r) / deviation) + jax.lax.stop_gradient(d)
        y = y * self.gamma.value.reshape(shape) if self.scale else y
        return (y + self.beta.value.reshape(shape) if self.center else y).astype(self.compute_dtype)

    def moments(self, x: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """The mean and variance of each channel, over the elements that a mask leaves."""
        axes = tuple(axis for axis in range(x.ndim) if axis != self.axis % x.ndim)
        if mask is None:
            return x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        if mask.ndim != x.ndim - 1:
            raise ShapeError(f"{self.title} wants a mask of {x.shape[:-1]}; got {mask.shape}.")
        valid = jnp.broadcast_to(mask[..., None], x.shape).astype(bool)
        count = valid.sum(axes, keepdims=True).astype(x.dtype) + config.epsilon()
        mean = jnp.where(valid, x, 0).sum(axes, keepdims=True) / count
        variance = jnp.where(valid, (x - mean) ** 2, 0).sum(axes, keepdims=True) / count
        return mean, variance


def _limits(given: Any) -> dict[str, float]:
    """`renorm_clipping`, checked."""
    limits = dict(given or {})
    unknown = sorted(set(limits) - {"rmin", "rmax", "dmax"})
    if unknown:
        raise ConfigError(f"BatchNormalization(renorm_clipping=) has the keys rmin, rmax and dmax; got {unknown[0]!r}.")
    least, most, shift = (limits.get(name) for name in ("rmin", "rmax", "dmax"))
    if least is not None and most is not None and least > most:
        raise ConfigError(f"BatchNormalization(renorm_clipping=) wants rmin <= rmax; got {least} and {most}.")
    if shift is not None and shift < 0:
        raise ConfigError(f"BatchNormalization(renorm_clipping=) wants a dmax of at least 0; got {shift}.")
    return limits
