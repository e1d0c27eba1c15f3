"""Densely connected networks: Huang et al., Densely Connected Convolutional Networks, 2016 (arXiv:1608.06993)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import Asked, application, axis, classified, kernels
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing
from keryx.applications.resnet import norm, norm_relu

preprocess_input = preprocessing("torch")
GROWTH = 32


def block(x: Any, name: str) -> Any:
    """32 channels more: convolutions of 1x1 and 3x3, beside what comes in."""
    new = norm_relu(x, f"{name}_0")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = norm_relu(new, f"{name}_1")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(axis=axis(), name=f"{name}_concat")([x, new])


def transition(x: Any, name: str) -> Any:
    """Half the channels, height and width."""
    x = norm_relu(x, name)
    x = layers.Conv2D(x.shape[axis()] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _application(count: int, depths: tuple[int, ...], *hashes: str) -> Any:
    def body(x: Any, asked: Asked) -> Any:
        x = layers.ZeroPadding2D(3)(x)
        x = norm_relu(layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x), "conv1")
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(layers.ZeroPadding2D(1)(x))
        for stage, depth in enumerate(depths, 2):
            for i in range(1, depth + 1):
                x = block(x, f"conv{stage}_block{i}")
            x = transition(x, f"pool{stage}") if stage < 5 else x
        return classified(layers.Activation("relu", name="relu")(norm(x, "bn")), asked)

    about = f"A densely connected network of {count} layers (Huang et al. 2016, arXiv:1608.06993)."
    name = f"densenet{count}"
    return application(f"DenseNet{count}", body, about, kernels(f"densenet/{name}", *hashes), name=name)


DenseNet121 = _application(121, (6, 12, 24, 16), "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")
DenseNet169 = _application(169, (6, 12, 32, 32), "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b")
DenseNet201 = _application(201, (6, 12, 48, 32), "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1")
