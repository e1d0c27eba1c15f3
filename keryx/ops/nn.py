"""What neural networks add to NumPy: activations, normalization, cross-entropies, codes, attention."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import activations, config, losses
from keryx.core.dtypes import as_inexact, standardize_dtype
from keryx.core.graph import lift
from keryx.errors import ArgumentError
from keryx.losses import entropy
from keryx.ops.table import as_array, op

# -- activations ---------------------------------------------------------------------------------------------

celu = op(activations.celu, "x", alpha=1.0)
elu = op(activations.elu, "x", alpha=1.0)
gelu = op(activations.gelu, "x", approximate=True)
glu = op(activations.glu, "x", axis=-1)
hard_shrink = op(activations.hard_shrink, "x", threshold=0.5)
hard_sigmoid = op(activations.hard_sigmoid, "x")
hard_silu = hard_swish = op(activations.hard_silu, "x")
hard_tanh = op(activations.hard_tanh, "x")
leaky_relu = op(activations.leaky_relu, "x", negative_slope=0.2)
log_sigmoid = op(activations.log_sigmoid, "x")
log_softmax = op(activations.log_softmax, "x", axis=-1)
relu = op(activations.relu, "x")
relu6 = op(activations.relu6, "x")
selu = op(activations.selu, "x")
sigmoid = op(activations.sigmoid, "x")
silu = swish = op(activations.silu, "x")
soft_shrink = op(activations.soft_shrink, "x", threshold=0.5)
softmax = op(activations.softmax, "x", axis=-1)
softplus = op(activations.softplus, "x")
softsign = op(activations.softsign, "x")
sparse_plus = op(activations.sparse_plus, "x")
sparse_sigmoid = op(activations.sparse_sigmoid, "x")
sparsemax = op(activations.sparsemax, "x", axis=-1)
squareplus = op(activations.squareplus, "x", b=4)
tanh_shrink = op(activations.tanh_shrink, "x")
threshold = op(activations.threshold, "x threshold default_value")

# -- cross-entropies -----------------------------------------------------------------------------------------


@lift
def binary_crossentropy(target, output, from_logits=False):
    """-target log(output) - (1 - target) log(1 - output), elementwise."""
    return entropy.binary(as_inexact(target, output), as_inexact(output, target), from_logits)


@lift
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-sum(target log(output)) along `axis`, of outputs that are made to sum to 1."""
    return losses.categorical_crossentropy(as_array(target), as_array(output), from_logits, axis=axis)


@lift
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-log(output) at the class that `target` names."""
    return losses.sparse_categorical_crossentropy(as_array(target), as_array(output), from_logits, axis=axis)


@lift
def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """-log of the probability that logits, read off in time, spell the target (Graves et al., 2006).

    Args:
        target: Classes (batch, target length).
        output: Logits (batch, time, classes).
        target_length: How much of each target counts (batch,).
        output_length: How much of each output counts (batch,).
        mask_index: The class that stands for nothing.
    """
    import optax

    target, output = jnp.asarray(target), jnp.asarray(output)
    beyond_output = jnp.arange(output.shape[1]) >= jnp.asarray(output_length)[:, None]
    beyond_target = jnp.arange(target.shape[1]) >= jnp.asarray(target_length)[:, None]
    paddings = beyond_output.astype(output.dtype), beyond_target.astype(output.dtype)
    return optax.ctc_loss(output, paddings[0], target, paddings[1], blank_id=mask_index)


# -- normalization -------------------------------------------------------------------------------------------


@lift
def moments(x, axes, keepdims=False, synchronized=False):
    """The mean and the variance along `axes`; what float16 cannot hold becomes the nearest that it does.

    >>> moments(jnp.array([0.0, 60000.0], "float16"), 0)[1].item()
    65504.0
    """
    x = as_inexact(x)
    wide = x.astype("float32") if x.dtype in (jnp.float16, jnp.bfloat16) else x
    axes = tuple(axes) if isinstance(axes, (tuple, list)) else axes
    mean, variance = jnp.mean(wide, axes, keepdims=keepdims), jnp.var(wide, axes, keepdims=keepdims)
    if x.dtype == jnp.float16:
        most = jnp.finfo(jnp.float16).max.astype("float32")
        mean, variance = jnp.clip(mean, -most, most), jnp.clip(variance, -most, most)
    return mean.astype(x.dtype), variance.astype(x.dtype)


@lift
def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """scale (x - mean) / sqrt(variance + epsilon) + offset; these four lie along `axis`."""
    x = jnp.asarray(x)
    along = [1] * x.ndim
    along[axis] = -1
    factor = jax.lax.rsqrt(jnp.reshape(as_array(variance), along) + epsilon)
    factor = factor if scale is None else factor * jnp.reshape(as_array(scale), along)
    y = (x - jnp.reshape(as_array(mean), along)) * factor
    y = y if offset is None else y + jnp.reshape(as_array(offset), along)
    return y.astype(x.dtype)


@lift
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    """gamma (x - mean(x)) / sqrt(var(x) + epsilon) + beta, both along `axis` (arXiv:1607.06450).

    `rms_scaling=True` is an old word of Keras: gamma x / sqrt(var(x) + epsilon), without beta.
    """
    x, rms_scaling = jnp.asarray(x), kwargs.pop("rms_scaling", False)
    if kwargs:
        raise ArgumentError(f"layer_normalization() has no argument {next(iter(kwargs))!r}.")
    wide = x.astype(jnp.promote_types(x.dtype, "float32"))
    factor = jax.lax.rsqrt(jnp.var(wide, axis, keepdims=True) + _epsilon(epsilon))
    y = (wide if rms_scaling else wide - jnp.mean(wide, axis, keepdims=True)) * factor
    y = y if gamma is None else y * _along(gamma, x, axis)
    y = y if beta is None or rms_scaling else y + _along(beta, x, axis)
    return y.astype(x.dtype)


@lift
def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """scale x / sqrt(mean(x²) + epsilon), with the mean along `axis` (arXiv:1910.07467)."""
    x = jnp.asarray(x)
    wide = x.astype(jnp.promote_types(x.dtype, "float32"))
    y = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis, keepdims=True) + _epsilon(epsilon))
    return (y if scale is None else y * _along(scale, x, axis)).astype(x.dtype)


def _epsilon(epsilon: float | None) -> float:
    return config.epsilon() if epsilon is None else epsilon


def _along(weights: Any, x: Any, axis: Any) -> Any:
    """Weights of the sizes that `x` has along `axis`, ready to be multiplied with `x`; others broadcast as they are."""
    axes = sorted(a % x.ndim for a in np.atleast_1d(axis).tolist())
    weights = jnp.asarray(weights)
    if weights.shape != tuple(x.shape[i] for i in axes):
        return weights
    return jnp.reshape(weights, [size if i in axes else 1 for i, size in enumerate(x.shape)])


# -- codes ---------------------------------------------------------------------------------------------------


@lift
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """1 at the class that x names along a new `axis`, else 0; all 0 where x names none.

    >>> one_hot([1, -1], 3).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return jax.nn.one_hot(as_array(x), num_classes, dtype=standardize_dtype(dtype), axis=axis)


@lift
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """1 at each of the classes that a row of inputs names, else 0. `num_tokens` is an old word for `num_classes`.

    >>> multi_hot([0, 2], 4).tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if kwargs:
        raise ArgumentError(f"multi_hot() has no argument {next(iter(kwargs))!r}.")
    inputs = jnp.asarray(inputs)
    codes = jax.nn.one_hot(inputs, num_classes, dtype=standardize_dtype(dtype), axis=axis)
    return jnp.max(codes, axis=1 if inputs.ndim > 1 else 0)


# -- attention -----------------------------------------------------------------------------------------------


@lift
def dot_product_attention(
    query,
    key,
    value,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    flash_attention=None,
    attn_logits_soft_cap=None,
):
    """softmax(scale query keyᵀ + bias) value, where `mask` holds (arXiv:1706.03762).

    Args:
        query: (batch, time, heads, size), as `key` and `value`.
        bias: Added to the logits (batch, heads, query time, key time).
        mask: Boolean, of the shape of the logits.
        scale: 1 / sqrt(size) by default.
        is_causal: Whether a query sees no later key.
    """
    return jax.nn.dot_product_attention(query, key, value, bias, mask, scale=scale, is_causal=is_causal)
