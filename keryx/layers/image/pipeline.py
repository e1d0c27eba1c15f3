"""Layers in a row as one layer, and a fixed number of boxes an image."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from keryx.core import scope
from keryx.core.codec import deserialize, reads, serialize
from keryx.errors import ConfigError
from keryx.layers.base.sizes import whole
from keryx.layers.image.base import ImageLayer
from keryx.layers.layer import Layer, registry


@registry.register()
class Pipeline(Layer):
    """Layers in a row as one layer, such as those that prepare data.

    Called by itself, its layers run as in training unless they are told `training=False`; within a model they run as
    the model does.

    Args:
        layers: The layers.
        name: Its name.

    Raises:
        ConfigError: For what are no layers.

    >>> import keryx
    >>> layers = [keryx.layers.Rescaling(1 / 255), keryx.layers.CenterCrop(4, 4)]
    >>> keryx.layers.Pipeline(layers)(keryx.Input((8, 8, 3))).shape
    (None, 4, 4, 3)
    """

    def __init__(self, layers: Sequence[Layer], name: str | None = None):
        super().__init__(name=name)
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Layer) for layer in layers):
            raise ConfigError(f"Pipeline() wants layers= as a list of layers; got {layers!r}.")
        self._steps = list(layers)
        self.on_host = bool(layers) and all(layer.on_host for layer in layers)
        self.autocast = False

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """What the layers take in, what the last of them returns out."""
        if mask is not None:
            scope.set_masks(inputs, mask)
        for layer in self._steps:
            inputs = layer(inputs)
        return inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers."""
        return list(self._steps)

    def get_config(self) -> dict[str, Any]:
        """The layers and the name."""
        return {"layers": serialize(self._steps), "name": self.name}

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A pipeline made anew from what `get_config` gave, here or in Keras."""
        if not isinstance(config.get("layers"), (list, tuple)):
            raise ConfigError(f"The config of a Pipeline has a list of layers; got layers={config.get('layers')!r}.")
        return cls([deserialize(layer) for layer in config["layers"]], config.get("name"))


@registry.register()
class MaxNumBoundingBoxes(ImageLayer):
    """As many boxes for each image: those beyond are left out, and boxes of a filling value put in their stead.

    Args:
        max_number: How many.
        fill_value: What boxes and labels hold that are put in; default -1.
        **kwargs: `bounding_box_format`, `data_format`, and those of Layer.

    Raises:
        ConfigError: For a number that is no integer above 0.

    >>> import numpy as np, keryx
    >>> layer = keryx.layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")
    >>> boxes = {"boxes": np.ones((2, 1, 4)), "labels": np.ones((2, 1))}
    >>> layer({"images": np.ones((2, 4, 4, 3)), "bounding_boxes": boxes})["bounding_boxes"]["labels"].tolist()
    [[1.0, -1.0, -1.0], [1.0, -1.0, -1.0]]
    """

    always = keeps_integers = True

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs):
        super().__init__(**kwargs)
        self.max_number, self.fill_value = whole("MaxNumBoundingBoxes()", "max_number", max_number), int(fill_value)

    def change(self, images: Any, transformation: Any, interpolation: str) -> Any:
        return images

    def transform_bounding_boxes(self, bounding_boxes, transformation=None, training=True):
        """So many boxes and labels."""

        def filled(x: Any) -> Any:
            x = jnp.asarray(x)[:, : self.max_number]
            pads = [(0, self.max_number - x.shape[1] if i == 1 else 0) for i in range(x.ndim)]
            return jnp.pad(x, pads, constant_values=self.fill_value)

        return bounding_boxes | {name: filled(bounding_boxes[name]) for name in ("boxes", "labels")}
