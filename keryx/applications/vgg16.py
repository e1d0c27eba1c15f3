"""Networks of 3x3 convolutions: Simonyan and Zisserman, Very Deep Convolutional Networks, 2014 (arXiv:1409.1556)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import UNNAMED, Asked, application, kernels, pooled
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing("caffe")


def vgg(count: int, depths: tuple[int, ...], *hashes: str) -> Any:
    """The application of this many layers, so many of them convolutions at each size."""

    def body(x: Any, asked: Asked) -> Any:
        for stage, depth in enumerate(depths, 1):
            width = min(64 * 2 ** (stage - 1), 512)
            for i in range(1, depth + 1):
                name = f"block{stage}_conv{i}"
                x = layers.Conv2D(width, 3, padding="same", activation="relu", name=name)(x)
            x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
        if not asked.include_top:
            return pooled(x, asked, UNNAMED)
        x = layers.Flatten(name="flatten")(x)
        for name in ("fc1", "fc2"):
            x = layers.Dense(4096, activation="relu", name=name)(x)
        return layers.Dense(asked.classes, activation=asked.classifier_activation, name="predictions")(x)

    about = f"A network of {count} layers of 3x3 convolutions (Simonyan and Zisserman 2014, arXiv:1409.1556)."
    name = f"vgg{count}"
    return application(f"VGG{count}", body, about, kernels(f"{name}/{name}", *hashes), name=name)


VGG16 = vgg(16, (2, 2, 3, 3, 3), "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")
