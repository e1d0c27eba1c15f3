"""BatchNormalization: mean 0 and variance 1 over the batch, and running averages of both."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config, initializers
from keryx.errors import ConfigError, ShapeError
from keryx.layers.layer import InputSpec, registry
from keryx.layers.normalization import Affine, whole_weights, wide
from keryx.layers.sizes import known_size


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
        renorm: Not offered: True raises.
        synchronized: Not needed: under `keryx.distribution` a batch is one batch.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.

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
        if renorm or synchronized:
            word = "renorm" if renorm else "synchronized"
            raise ConfigError(f"BatchNormalization({word}=True) is not offered: leave it out.")
        self.axis, self.momentum = int(axis), float(momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm, self.renorm_clipping, self.renorm_momentum = renorm, renorm_clipping, renorm_momentum
        self.synchronized = synchronized

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add gamma, beta, moving_mean and moving_variance, a number a channel each."""
        channels = known_size(self.title, input_shape, self.axis, "number of channels")
        self.add_gamma_and_beta((channels,))
        self.moving_mean = self.add_weight(
            (channels,), self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            (channels,), self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: jax.Array, training: bool | None = None, mask: jax.Array | None = None) -> jax.Array:
        """Shape in, same shape out."""
        x = wide(inputs)
        shape = [1] * x.ndim
        shape[self.axis] = x.shape[self.axis]
        with whole_weights():
            if training and self.trainable:
                mean, variance = self.moments(x, mask)
                for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                    moving.assign(moving * self.momentum + batch.reshape(-1) * (1 - self.momentum))
            else:
                mean, variance = (
                    self.moving_mean.value.reshape(shape),
                    self.moving_variance.value.reshape(shape),
                )
            return self.normalize(x, mean, variance, shape)

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
