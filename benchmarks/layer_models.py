"""Layers that a CPU works on for long, each a model of its own: resizing, augmentation, what the guide does not use.

A row is built as in `models.py`. Behind each layer stands a pooling and a small Dense, so that it can be trained; `fit`
runs augmentation as training does, `predict` what is left of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import Row, compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def before_dense(shape: tuple[int, ...], *layers: Callable) -> Callable:
    """A model of the layers over inputs of this shape, pooled, and one output."""

    def build(K: Any) -> Any:
        inputs = x = K.layers.Input(shape=shape)
        for layer in layers:
            x = layer(K)(x)
        pooled = K.layers.GlobalAveragePooling1D if len(x.shape) == 3 else K.layers.GlobalAveragePooling2D
        return compiled(K.models.Model(inputs, K.layers.Dense(1)(pooled()(x))), "mse")

    return build


def data(*shape: int) -> Callable:
    def draw(rng: np.random.Generator, n: int) -> tuple:
        return rng.random((n, *shape), "float32"), rng.random((n, 1), "float32")

    return draw


def layer_row(what: str, shape: tuple[int, ...], *layers: Callable, rows: int = 64, batch: int = 16) -> Row:
    return Row(before_dense(shape, *layers), data(*shape), rows, batch, 5, what)


def attend(K: Any) -> Callable:
    attention = K.layers.MultiHeadAttention(4, 32)
    return lambda x: attention(x, x)


IMAGE = (96, 96, 3)
LAYER_ROWS = {
    "resizing": layer_row("Resizing, 96x96 to 128x128", IMAGE, lambda K: K.layers.Resizing(128, 128)),
    "antialias": layer_row(
        "Resizing with antialias, 192x192 to 96x96",
        (192, 192, 3),
        lambda K: K.layers.Resizing(96, 96, antialias=True),
    ),
    "flip": layer_row("RandomFlip, 96x96", IMAGE, lambda K: K.layers.RandomFlip()),
    "rotation": layer_row("RandomRotation, 96x96", IMAGE, lambda K: K.layers.RandomRotation(0.1)),
    "zoom": layer_row("RandomZoom, 96x96", IMAGE, lambda K: K.layers.RandomZoom(0.2)),
    "translation": layer_row("RandomTranslation, 96x96", IMAGE, lambda K: K.layers.RandomTranslation(0.1, 0.1)),
    "contrast": layer_row("RandomContrast, 96x96", IMAGE, lambda K: K.layers.RandomContrast(0.2)),
    "brightness": layer_row("RandomBrightness, 96x96", IMAGE, lambda K: K.layers.RandomBrightness(0.2, (0.0, 1.0))),
    "crop": layer_row("RandomCrop, 96x96 to 80x80", IMAGE, lambda K: K.layers.RandomCrop(80, 80)),
    "convlstm": layer_row(
        "ConvLSTM2D(8), 8 steps of 24x24", (8, 24, 24, 3), lambda K: K.layers.ConvLSTM2D(8, 3), rows=32, batch=8
    ),
    "depthwise": layer_row(
        "DepthwiseConv2D(3), 48x48x64", (48, 48, 64), lambda K: K.layers.DepthwiseConv2D(3, padding="same")
    ),
    "separable": layer_row(
        "SeparableConv2D(64, 3), 48x48x32", (48, 48, 32), lambda K: K.layers.SeparableConv2D(64, 3, padding="same")
    ),
    "grouped": layer_row("Conv2D(64, 3, groups=4), 32x32x64", (32, 32, 64), lambda K: K.layers.Conv2D(64, 3, groups=4)),
    "attention": layer_row("MultiHeadAttention(4, 32), 128 steps of 128", (128, 128), attend),
    "normalized": layer_row(
        "LayerNormalization, 256 steps of 256", (256, 256), lambda K: K.layers.LayerNormalization()
    ),
    "batch_normalized": layer_row(
        "BatchNormalization, 48x48x64", (48, 48, 64), lambda K: K.layers.BatchNormalization()
    ),
    "conv1d": layer_row("Conv1D(64, 5), 512 steps of 64", (512, 64), lambda K: K.layers.Conv1D(64, 5)),
    "transposed": layer_row(
        "Conv2DTranspose(32, 3, strides=2), 24x24x64",
        (24, 24, 64),
        lambda K: K.layers.Conv2DTranspose(32, 3, strides=2, padding="same"),
    ),
}
