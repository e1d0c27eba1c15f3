"""Several changes in a row, chosen at random: RandAugment and AugMix."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core.names import snake_case
from keryx.layers.image.base import ImageLayer, interval
from keryx.layers.image.color import RandomColorDegeneration
from keryx.layers.image.hiding import RandomSharpness
from keryx.layers.image.histograms import AutoContrast, Equalization
from keryx.layers.image.light import BYTE, RandomBrightness, RandomContrast, RandomPosterization, Solarization
from keryx.layers.image.moving import RandomRotation, RandomShear, RandomTranslation
from keryx.layers.layer import registry


class _Policy(ImageLayer):
    """A layer that chooses among others."""

    moves = True
    value_range: Any
    factor: tuple[float, float]

    def make(self, names: Sequence[str]) -> list[ImageLayer]:
        """The layers of these names, which change images as strongly as `factor` says."""
        bright = {"factor": self.factor, "value_range": self.value_range}
        looked_up: dict[str, Any] = {"interpolation": self.interpolation}
        given: dict[type[ImageLayer], dict[str, Any]] = {
            RandomShear: {"x_factor": self.factor, "y_factor": self.factor, **looked_up},
            RandomTranslation: {"height_factor": self.factor, "width_factor": self.factor, **looked_up},
            RandomRotation: {"factor": self.factor, **looked_up},
            RandomBrightness: bright,
            RandomColorDegeneration: bright,
            RandomContrast: bright,
            RandomSharpness: bright,
            RandomPosterization: {"factor": max(1, int(8 * self.factor[1])), "value_range": self.value_range},
            Solarization: {
                "addition_factor": self.factor,
                "threshold_factor": self.factor,
                "value_range": self.value_range,
            },
            AutoContrast: {"value_range": self.value_range},
            Equalization: {"value_range": self.value_range},
        }
        shared: dict[str, Any] = {
            "data_format": self.data_format,
            "bounding_box_format": self.bounding_box_format,
            "dtype": self.dtype_policy,
        }
        classes = {cls.__name__: (cls, arguments) for cls, arguments in given.items()}
        return [classes[name][0](**classes[name][1], **shared) for name in names]


def _chosen(index: Any, ways: Sequence[Callable], x: Any) -> Any:
    """The way of this number, put to use; in compiled code only that one runs."""
    if isinstance(index, jax.core.Tracer):
        return jax.lax.switch(index, ways, x)
    return ways[int(index)](x)


def _in_turn(step: Callable, x: Any, rows: Any) -> Any:
    """`step(x, row)` for one row of arrays after the other, compiled once."""
    leaves = jax.tree.leaves((x, rows))
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return jax.lax.scan(lambda x, row: (step(x, row), None), x, rows)[0]
    parts, nest = jax.tree.flatten(rows)
    for row in zip(*parts, strict=True):
        x = step(x, jax.tree.unflatten(nest, row))
    return x


_RANDAUGMENT = """RandomShear RandomTranslation RandomRotation RandomBrightness RandomColorDegeneration RandomContrast
RandomSharpness RandomPosterization Solarization AutoContrast Equalization""".split()  # noqa: SIM905


@registry.register()
class RandAugment(_Policy):
    """In training, images changed by several layers in a row, chosen at random, the same for all of a batch.

    They are chosen among RandomShear, RandomTranslation, RandomRotation, RandomBrightness, RandomColorDegeneration,
    RandomContrast, RandomSharpness, RandomPosterization, Solarization, AutoContrast and Equalization.

    Args:
        value_range: The least and the greatest value.
        num_ops: How many.
        factor: How strong the changes are: two numbers, or one, n, for 0 to n; from 0 to 1.
        interpolation: `bilinear` or `nearest`.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: `bounding_box_format`, and those of Layer.

    Raises:
        ConfigError: For a factor beyond 0 to 1.

    Source: Cubuk et al., RandAugment: Practical automated data augmentation with a reduced search space, 2019.

    >>> import keryx
    >>> keryx.layers.RandAugment()(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(
        self,
        value_range: Any = BYTE,
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.num_ops, self.interpolation, self.seed = value_range, num_ops, interpolation, seed
        self.factor = interval(self, "factor", factor, 0, 1)
        self._choices = self.make(_RANDAUGMENT)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        first, *keys = jax.random.split(key, len(self._choices) + 1)
        drawn = {_own(layer): layer.draw(k, shape) for layer, k in zip(self._choices, keys, strict=True)}
        chosen = jax.random.randint(first, (self.num_ops,), 0, len(self._choices))
        return {"transforms": drawn, "layer_idxes": chosen}

    def _each(self, method: str, x: Any, transformation: Any) -> Any:
        drawn = transformation["transforms"]
        ways = [functools.partial(getattr(layer, method), transformation=drawn[_own(layer)]) for layer in self._choices]
        return _in_turn(lambda x, index: _chosen(index, ways, x), x, jnp.asarray(transformation["layer_idxes"]))

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return self._each("transform_images", images, transformation)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """The masks that belong to the changed images."""
        if not self.works(transformation, training):
            return segmentation_masks
        return self._each("transform_segmentation_masks", jnp.asarray(segmentation_masks), transformation)

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """The boxes that belong to the changed images."""
        if not self.works(transformation, training):
            return bounding_boxes
        boxes = bounding_boxes | {"boxes": jnp.asarray(bounding_boxes["boxes"], "float32")}
        return self._each("transform_bounding_boxes", jax.tree.map(jnp.asarray, boxes), transformation)


def _own(layer: ImageLayer) -> str:
    return snake_case(type(layer).__name__)


_AUGMIX = """RandomShear RandomTranslation RandomRotation RandomPosterization Solarization AutoContrast Equalization
RandomBrightness RandomColorDegeneration RandomContrast RandomSharpness""".split()  # noqa: SIM905


@registry.register()
class AugMix(_Policy):
    """In training, images mixed with means of themselves that went through several chains of random changes.

    The shares of the chains have the distribution Dirichlet(alpha), that of the image itself Beta(alpha, alpha); the
    changes are chosen once for a batch.

    Args:
        value_range: The least and the greatest value, which are kept.
        num_chains: How many chains.
        chain_depth: How many changes a chain has, where one may be none.
        factor: How strong the changes are: two numbers, or one, n, for 0 to n; from 0 to 1.
        alpha: See above.
        all_ops: Whether brightness, color, contrast and sharpness are changed, too.
        interpolation: `bilinear` or `nearest`.
        seed: Sets this layer's draws apart from others'.
        data_format: `channels_last` or `channels_first`; by default that of `keryx.config`.
        **kwargs: Those of Layer. Boxes stay where they are, as in Keras.

    Raises:
        ConfigError: For a factor beyond 0 to 1.

    Source: Hendrycks et al., AugMix: A simple data processing method to improve robustness and uncertainty, 2019.

    >>> import keryx
    >>> keryx.layers.AugMix()(keryx.Input((6, 6, 3))).shape
    (None, 6, 6, 3)
    """

    def __init__(
        self,
        value_range: Any = BYTE,
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range, self.num_chains, self.chain_depth = value_range, num_chains, chain_depth
        self.factor = interval(self, "factor", factor, 0, 1)
        self.alpha, self.all_ops, self.interpolation, self.seed = alpha, all_ops, interpolation, seed
        self._choices = self.make(_AUGMIX if all_ops else _AUGMIX[:7])

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> Any:
        keys = jax.random.split(key, 4)
        steps = self.num_chains, self.chain_depth
        return {
            "chain_mixing_weights": jax.random.dirichlet(keys[0], jnp.full(self.num_chains, float(self.alpha))),
            "weight_sample": jax.random.beta(keys[1], self.alpha, self.alpha),
            "chain_transforms": {
                "layer_idxes": jax.random.randint(keys[2], steps, 0, len(self._choices) + 1),
                "keys": jax.random.key_data(jax.random.split(keys[3], steps)),
            },
            "input_shape": shape,
        }

    def _mixed(self, method: str, x: jax.Array, transformation: Any) -> jax.Array:
        shape, share = transformation["input_shape"], transformation["weight_sample"]

        def step(x: jax.Array, drawn: Any) -> jax.Array:
            def way(layer: ImageLayer) -> Callable:
                def run(x: jax.Array) -> jax.Array:
                    key = jax.random.wrap_key_data(drawn["keys"])
                    return getattr(layer, method)(x, layer.draw(key, shape), True)

                return run

            return _chosen(drawn["layer_idxes"], [*map(way, self._choices), lambda x: x], x)

        def chain(mixed: jax.Array, drawn: Any) -> jax.Array:
            return mixed + drawn["share"] * _in_turn(step, x, drawn["steps"])

        chains = {"share": transformation["chain_mixing_weights"], "steps": transformation["chain_transforms"]}
        mixed = _in_turn(chain, jnp.zeros_like(x), chains)
        return share * x + (1 - share) * mixed

    def change(self, images: jax.Array, transformation: Any, interpolation: str) -> jax.Array:
        return jnp.clip(self._mixed("transform_images", images, transformation), *self.value_range)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        """The masks, moved and mixed as the images are, as floats."""
        if not self.works(transformation, training):
            return segmentation_masks
        masks = jnp.asarray(segmentation_masks).astype(self.compute_dtype)
        return self._mixed("transform_segmentation_masks", masks, transformation)

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """The boxes as they are."""
        return bounding_boxes
