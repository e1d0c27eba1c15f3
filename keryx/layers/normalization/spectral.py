"""SpectralNormalization: a layer whose kernel has the spectral norm 1."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core import scope
from keryx.errors import ConfigError
from keryx.initializers import TruncatedNormal
from keryx.layers.base.sizes import whole
from keryx.layers.layer import InputSpec, Layer, registry
from keryx.layers.normalization.features import whole_weights
from keryx.layers.wrappers import Wrapper


@registry.register()
class SpectralNormalization(Wrapper):
    """In training, the kernel of a layer over its greatest singular value: `kernel / (v @ kernel @ u.T)`.

    u and v are the singular vectors of the kernel (-1, last size), kept up to date by a step of the power iteration or
    more at each call: `v = normalize(u @ kernel.T)`, `u = normalize(v @ kernel)`. The gradient takes them for constants
    and goes through the quotient. Called in training by itself, the layer keeps the kernel that it has normalized;
    within `fit` the optimizer's step starts from the kernel that was there, as in Keras on JAX. Outside of training the
    kernel is used as it is.

    Args:
        layer: A layer with a `kernel`, such as Conv2D and Dense, or with `embeddings`.
        power_iterations: How many steps of the power iteration a call takes; default 1.

    Source: Miyato et al., https://arxiv.org/abs/1802.05957.

    >>> import keryx
    >>> keryx.layers.SpectralNormalization(keryx.layers.Conv2D(2, 3))(keryx.Input((8, 8, 1))).shape
    (None, 6, 6, 2)
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations = whole("SpectralNormalization()", "power_iterations", power_iterations)

    def build(self, input_shape: Any) -> None:
        """Build the layer, and add u (1, last size of the kernel)."""
        if not self.layer.built:
            with scope.named(self.layer.name):
                self.layer.build(input_shape)
            self.layer.built = True
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        self.kernel: Any = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if self.kernel is None:
            raise ConfigError(
                f"{self.title} wants a layer with a kernel or embeddings; a {type(self.layer).__name__} has neither."
            )
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]),
            TruncatedNormal(stddev=0.02),
            self.kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the layer gives."""
        if training:
            with whole_weights():
                self.normalize()
        return self.layer(inputs)

    def normalize(self) -> None:
        """Move u, and divide the kernel by its norm, unless it is 0."""
        kernel, u = self.kernel.value, self.vector_u.value
        matrix = kernel.reshape(-1, kernel.shape[-1])
        for _ in range(self.power_iterations):
            v = _unit(u @ matrix.T)
            u = _unit(v @ matrix)
        u, v = jax.lax.stop_gradient((u, v))
        nothing = jnp.all(kernel == 0)
        norm = jnp.where(nothing, 1, (v @ matrix @ u.T)[0, 0])
        self.vector_u.store(jnp.where(nothing, self.vector_u.value, u))
        self.kernel.store(kernel / norm)


def _unit(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x**2), config.epsilon() ** 2))
