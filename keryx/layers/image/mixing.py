"""Images mixed with others of their batch, and their labels with them."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.errors import ConfigError, DataError, ShapeError
from keryx.layers.image.base import ImageLayer, count, interval, spread, uniform
from keryx.layers.image.hiding import boxes_at_random
from keryx.layers.layer import registry


class _Mixing(ImageLayer):
    moves = True

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        """The labels, (batch, classes), mixed in the shares that the images are."""
        if not self.works(transformation, training):
            return labels
        labels = jnp.asarray(labels)
        if labels.ndim != 2:
            raise ShapeError(
                f"{self.title} mixes labels, so each is one number a class, (batch, classes); got the shape "
                f"{labels.shape}. Use keryx.utils.to_categorical(labels)."
            )
        share = jnp.asarray(transformation["mix_weight"]).reshape(-1, 1)
        return share * labels + (1 - share) * _others(labels, transformation)


def _others(x: Any, transformation: Any) -> jax.Array:
    """For each row the one that it is mixed with."""
    return jnp.take(jnp.asarray(x), jnp.asarray(transformation["permutation_order"]), 0)


@registry.register()
class MixUp(_Mixing):
    """In training, weighted means of images and of others of their batch: `share * x + (1 - share) * other`.

    The labels, one number a class, are mixed likewise; each image has the boxes of both. The shares have the
    distribution Beta(alpha, alpha).

    Args:
        alpha: Above 0; the smaller, the more one of the two images stands out.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        seed: Sets this layer's draws apart from others'.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For an alpha that is not above 0.
        ShapeError: For labels that are not one number a class.

    Source: Zhang et al., mixup: Beyond empirical risk minimization, 2017.

    >>> import keryx
    >>> keryx.layers.MixUp()(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        if not alpha > 0:
            raise ConfigError(f"MixUp() wants alpha= above 0; got {alpha!r}.")
        self.alpha, self.seed = alpha, seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        first, second = jax.random.split(key)
        share = jax.random.beta(first, self.alpha, self.alpha, (count(shape),))
        return {"mix_weight": share, "permutation_order": jax.random.permutation(second, count(shape))}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        share = spread(transformation["mix_weight"])
        return share * images + (1 - share) * _others(images, transformation)

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """The boxes of both images, one after the other."""
        if not self.works(transformation, training):
            return bounding_boxes
        boxes, labels = jnp.asarray(bounding_boxes["boxes"]), jnp.asarray(bounding_boxes["labels"])
        both = jnp.concatenate([boxes, _others(boxes, transformation)], 1)
        return {"boxes": both, "labels": jnp.concatenate([labels, _others(labels, transformation)], -1)}


@registry.register()
class CutMix(_Mixing):
    """In training, images with a box at a random place that holds what another of the batch has there.

    The labels, one number a class, are mixed in the shares of what is seen. The share of an image that stays has the
    distribution Beta(alpha, alpha).

    Args:
        factor: Alpha: two numbers that it is drawn between, or one, n, for 0 to n; from 0 to 1.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: Those of Layer. Boxes are refused.

    Raises:
        ConfigError: For a factor beyond 0 to 1.
        ShapeError: For labels that are not one number a class.
        DataError: For boxes.

    Source: Yun et al., CutMix: Regularization strategy to train strong classifiers with localizable features, 2019.

    >>> import keryx
    >>> keryx.layers.CutMix()(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.factor, self.seed = interval(self, "factor", factor, 0, 1), seed

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        keys = jax.random.split(key, 4)
        alpha = uniform(keys[0], (), self.factor, shift=1e-6)
        share = jax.random.beta(keys[1], alpha, alpha, (count(shape),))
        masks, covered = boxes_at_random(self, keys[2], shape, jnp.sqrt(1 - share)[:, None] * jnp.ones(2))
        order = jax.random.permutation(keys[3], count(shape))
        return {"permutation_order": order, "batch_masks": masks, "mix_weight": spread(1 - covered)}

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return jnp.where(jnp.asarray(transformation["batch_masks"]), _others(images, transformation), images)

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """Refused: boxes that are cut through have no meaning here."""
        raise DataError(f"{self.title} takes no bounding boxes: a part of an image has no boxes of its own. Use MixUp.")
