"""`keras.backend`: activations, losses, convolutions, pooling, padding."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import activations, config, losses, ops
from keryx.compat.dialects.backend.words import data_format as today
from keryx.compat.dialects.backend.words import function, in_keras_1


@function()
def relu(x: Any, alpha: float = 0.0, max_value: Any = None, threshold: float = 0.0) -> jax.Array:
    """`x` where it is above the threshold, `alpha * (x - threshold)` elsewhere, no more than `max_value`."""
    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


@function()
def elu(x: Any, alpha: float = 1.0) -> jax.Array:
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere."""
    return activations.elu(x, alpha)


@function()
def softmax(x: Any, axis: int = -1) -> jax.Array:
    """`exp(x)`, divided by the sum."""
    return jax.nn.softmax(x, axis)


@function()
def hard_sigmoid(x: Any) -> jax.Array:
    """`0.2 * x + 0.5`, between 0 and 1."""
    return activations.old_hard_sigmoid(x)


def _in_order(target: Any, output: Any) -> tuple[Any, Any]:
    """Keras 1 had the output first."""
    return (output, target) if in_keras_1() else (target, output)


@function()
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> jax.Array:
    """The crossentropy of every element."""
    target, output = _in_order(target, output)
    return ops.binary_crossentropy(target, output, from_logits)


@function()
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """The crossentropy along an axis."""
    target, output = _in_order(target, output)
    return ops.categorical_crossentropy(target, output, from_logits, axis)


@function()
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> jax.Array:
    """The crossentropy along an axis, given class numbers."""
    target, output = _in_order(target, output)
    target = jnp.reshape(target, output.shape[:-1]) if target.ndim == output.ndim else target
    return losses.sparse_categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


@function()
def dropout(x: Any, level: float, noise_shape: Any = None, seed: int | None = None) -> jax.Array:
    """Elements set to 0 with probability `level`; the others grow."""
    from keryx import random

    return random.dropout(x, level, noise_shape, seed)


@function()
def in_top_k(predictions: Any, targets: Any, k: int) -> jax.Array:
    """Whether the target is among the k largest predictions."""
    return ops.in_top_k(jnp.asarray(targets).astype("int32"), predictions, k)


@function()
def bias_add(x: Any, bias: Any, data_format: Any = None) -> jax.Array:
    """`x` plus a bias of its channels, or of all axes but the batch."""
    if jnp.ndim(bias) == 1 and _format(data_format) == "channels_first" and x.ndim > 2:
        bias = jnp.reshape(bias, (-1,) + (1,) * (x.ndim - 2))
    return x + bias


@function()
def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> jax.Array:
    """`gamma * (x - mean) / sqrt(var + epsilon) + beta`."""
    if axis % x.ndim != x.ndim - 1:  # parts of one axis, which does not stand last
        shape = (-1,) + (1,) * (x.ndim - 1 - axis % x.ndim)
        parts = (mean, var, beta, gamma)
        mean, var, beta, gamma = (part if np.ndim(part) != 1 else jnp.reshape(part, shape) for part in parts)
    gamma = 1.0 if gamma is None else gamma
    return (x - mean) * jax.lax.rsqrt(var + epsilon) * gamma + (0.0 if beta is None else beta)


@function()
def normalize_batch_in_training(x: Any, gamma: Any, beta: Any, reduction_axes: Any, epsilon: float = 1e-3) -> Any:
    """The batch normalized by its own mean and variance, and these."""
    axes = tuple(reduction_axes)
    mean, variance = jnp.mean(x, axes), jnp.var(x, axes)
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    parts = [None if part is None else jnp.reshape(part, shape) for part in (mean, variance, beta, gamma)]
    return batch_normalization(x, *parts, epsilon=epsilon), mean, variance


# -- images and series -------------------------------------------------------------------------------------------------


def _format(data_format: Any) -> str:
    return today(data_format) or config.image_data_format()


def _convolution(name: str, series: bool = False) -> None:
    def called(
        x: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
    ) -> jax.Array:
        form = today(data_format) or ("channels_last" if series else config.image_data_format())
        return ops.conv(x, kernel, strides, padding, form, dilation_rate)

    called.__name__, called.__doc__ = name, "A convolution; the kernel is (*window, channels, filters)."
    function()(called)


_convolution("conv1d", series=True)
_convolution("atrous_conv2d")
_convolution("conv2d")
_convolution("conv3d")


@function("deconv2d", "conv3d_transpose")
def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any = None,
    strides: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """A transposed convolution; its shape follows from the rest."""
    return ops.conv_transpose(
        x, kernel, strides, padding, data_format=_format(data_format), dilation_rate=dilation_rate
    )


@function()
def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """A convolution of each channel by itself."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, _format(data_format), dilation_rate)


@function("separable_conv1d")
def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """A convolution of each channel by itself, then one of 1 x 1."""
    form = _format(data_format)
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, form, dilation_rate)


@function("pool3d")
def pool2d(
    x: Any, pool_size: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, pool_mode: str = "max"
) -> jax.Array:
    """The largest of each window, or with `pool_mode="avg"` the mean."""
    pool = ops.max_pool if pool_mode == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, _format(data_format))


def _space(x: Any, data_format: Any) -> int:
    """The first axis of an image that is neither batch nor channels."""
    return 2 if _format(data_format) == "channels_first" else 1


@function()
def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: Any, interpolation: str = "nearest"
) -> jax.Array:
    """Images so many times as high and as wide."""
    first = _space(x, data_format)
    if interpolation == "nearest":
        return jnp.repeat(jnp.repeat(x, height_factor, first), width_factor, first + 1)
    size = (x.shape[first] * height_factor, x.shape[first + 1] * width_factor)
    return ops.image.resize(x, size, interpolation, data_format=_format(data_format))


@function()
def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: Any) -> jax.Array:
    """Volumes so many times as deep, as high and as wide."""
    first = _space(x, data_format)
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = jnp.repeat(x, factor, axis)
    return x


@function()
def temporal_padding(x: Any, padding: Any = (1, 1)) -> jax.Array:
    """Steps of zeros before and behind."""
    sides = (padding, padding) if isinstance(padding, int) else tuple(padding)
    return jnp.pad(x, ((0, 0), sides, (0, 0)))


@function()
def asymmetric_temporal_padding(x: Any, left_pad: int = 1, right_pad: int = 1) -> jax.Array:
    """So many steps of zeros before, so many behind."""
    return temporal_padding(x, (left_pad, right_pad))


@function()
def asymmetric_spatial_2d_padding(
    x: Any, top_pad: int = 1, bottom_pad: int = 1, left_pad: int = 1, right_pad: int = 1, data_format: Any = None
) -> jax.Array:
    """So many zeros on each side of images."""
    return spatial_2d_padding(x, ((top_pad, bottom_pad), (left_pad, right_pad)), data_format)


@function("spatial_3d_padding")
def spatial_2d_padding(x: Any, padding: Any = 1, data_format: Any = None) -> jax.Array:
    """Zeros around images, or around volumes."""
    rank, first = x.ndim - 2, _space(x, data_format)
    sides = [padding] * rank if isinstance(padding, int) else list(padding)
    pairs = [(side, side) if isinstance(side, int) else tuple(side) for side in sides]
    return jnp.pad(x, [(0, 0)] * first + pairs + [(0, 0)] * (x.ndim - first - rank))


@function(symbolic=False)
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> jax.Array:
    """The CTC loss of each sample, (batch, 1); the blank is the last class."""
    return _ctc(y_true, y_pred, input_length, label_length)


@function()
def _ctc(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> jax.Array:
    lengths = [jnp.reshape(length, (-1,)).astype("int32") for length in (label_length, input_length)]
    logits = jnp.log(y_pred + config.epsilon())
    blank = y_pred.shape[-1] - 1
    return ops.ctc_loss(y_true.astype("int32"), logits, *lengths, mask_index=blank)[:, None]


@function(symbolic=False)
def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """The labels of the likeliest paths, padded with -1, and how likely they are; the blank is the last class."""
    lengths = jnp.asarray(input_length).astype("int32")
    blank = y_pred.shape[-1] - 1
    decoded, scores = ops.ctc_decode(
        jnp.log(y_pred + config.epsilon()),
        lengths,
        "greedy" if greedy else "beam_search",
        beam_width=beam_width,
        top_paths=top_paths,
        mask_index=blank,
    )
    return list(decoded), scores
