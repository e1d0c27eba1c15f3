"""NASNet: Zoph et al., Learning Transferable Architectures for Scalable Image Recognition, 2017 (arXiv:1707.07012)."""

from typing import Any

from keryx import layers
from keryx.applications.frame import STANDARD, UNNAMED, Asked, Trained, application, axis, classified, halving_pad
from keryx.applications.imagenet_utils import decode_predictions as decode_predictions
from keryx.applications.imagenet_utils import preprocessing

preprocess_input = preprocessing("tf")


def _norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=axis(-1), momentum=0.9997, epsilon=1e-3, name=name)(x)


def _relu(x: Any, name: str | None = None) -> Any:
    return layers.Activation("relu", name=name)(x)


def _convolution(x: Any, filters: int, name: str, size: int = 1, strides: int = 1, padding: str = "same") -> Any:
    return layers.Conv2D(
        filters, size, strides, padding, use_bias=False, kernel_initializer="he_normal", name=name
    )(x)  # fmt: skip


def _separable(x: Any, filters: int, size: int, name: str, strides: int = 1) -> Any:
    """Two separable convolutions, each with relu before and normalization behind."""
    for i in (1, 2):
        x, padding = _relu(x), "same"
        if strides == 2 and i == 1:
            pad = halving_pad(x, size)
            x, padding = layers.ZeroPadding2D(pad, name=f"separable_conv_1_pad_{name}")(x), "valid"
        x = layers.SeparableConv2D(
            filters, size, strides if i == 1 else 1, padding, use_bias=False, name=f"separable_conv_{i}_{name}"
        )(x)
        x = _norm(x, f"separable_conv_{i}_bn_{name}")
    return x


def _adjusted(p: Any, x: Any, filters: int, name: str) -> Any:
    """What came before the last cell, of the height, width and channels of what came from it."""
    if p is x:  # nothing came before
        return p
    if p.shape[2] != x.shape[2]:
        p = _relu(p, f"adjust_relu_1_{name}")
        shifted = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(p))
        halves = []
        for i, half in enumerate((p, shifted), 1):
            half = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_{i}_{name}")(half)
            halves.append(_convolution(half, filters // 2, f"adjust_conv_{i}_{name}"))
        return _norm(layers.Concatenate(axis=axis(-1))(halves), f"adjust_bn_{name}")
    if p.shape[axis(-1)] != filters:
        return _norm(_convolution(_relu(p), filters, f"adjust_conv_projection_{name}"), f"adjust_bn_{name}")
    return p


def _entered(x: Any, filters: int, cell: str, name: str) -> Any:
    return _norm(_convolution(_relu(x), filters, f"{cell}_conv_1_{name}"), f"{cell}_bn_1_{name}")


def _normal(x: Any, p: Any, filters: int, name: str) -> Any:
    """A cell that keeps the height and width: of what comes in and what came before it."""
    p = _adjusted(p, x, filters, name)
    h = _entered(x, filters, "normal", name)

    def average(x: Any, side: str) -> Any:
        return layers.AveragePooling2D(3, strides=1, padding="same", name=f"normal_{side}_{name}")(x)

    def separable(x: Any, size: int, side: str) -> Any:
        return _separable(x, filters, size, f"normal_{side}_{name}")

    def add(i: int, *sides: Any) -> Any:
        return layers.Add(name=f"normal_add_{i}_{name}")(list(sides))

    parts = [
        p,
        add(1, separable(h, 5, "left1"), separable(p, 3, "right1")),
        add(2, separable(p, 5, "left2"), separable(p, 3, "right2")),
        add(3, average(h, "left3"), p),
        add(4, average(p, "left4"), average(p, "right4")),
        add(5, separable(h, 3, "left5"), h),
    ]
    return layers.Concatenate(axis=axis(-1), name=f"normal_concat_{name}")(parts)


def _reduction(x: Any, p: Any, filters: int, name: str) -> Any:
    """A cell that halves the height and width."""
    p = _adjusted(p, x, filters, name)
    h = _entered(x, filters, "reduction", name)
    padded = layers.ZeroPadding2D(halving_pad(h, 3), name=f"reduction_pad_1_{name}")(h)

    def pool(kind: Any, side: str) -> Any:
        return kind(3, strides=2, name=f"reduction_{side}_{name}")(padded)

    def separable(x: Any, size: int, side: str, strides: int = 2) -> Any:
        return _separable(x, filters, size, f"reduction_{side}_{name}", strides)

    def add(i: str, *sides: Any) -> Any:
        return layers.Add(name=f"reduction_add{i}_{name}")(list(sides))

    one = add("_1", separable(h, 5, "left1"), separable(p, 7, "right1"))
    two = add("_2", pool(layers.MaxPooling2D, "left2"), separable(p, 7, "right2"))
    three = add("3", pool(layers.AveragePooling2D, "left3"), separable(p, 5, "right3"))
    average = layers.AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{name}")(one)
    four = layers.Add()([two, average])
    five = add("4", separable(one, 3, "left4", strides=1), pool(layers.MaxPooling2D, "right5"))
    return layers.Concatenate(axis=axis(-1), name=f"reduction_concat_{name}")([two, three, four, five])


def _application(size: str, side: int, stem: int, depth: int, filters: int, skip: bool, *hashes: str) -> Any:
    """NASNet of this many cells at each size.

    Args:
        skip: Whether the cell behind a reduction sees what came before the cell before that.
    """

    def body(x: Any, asked: Asked) -> Any:
        x = p = _norm(_convolution(x, stem, "stem_conv1", 3, 2, "valid"), "stem_bn1")
        x, p = _reduction(x, p, filters // 4, "stem_1"), x
        x, p = _reduction(x, p, filters // 2, "stem_2"), x
        for stage in range(3):
            width = filters * 2**stage
            if stage:
                x, p = _reduction(x, p, width, f"reduce_{depth * stage}"), p if skip else x
            for i in range(depth):
                x, p = _normal(x, p, width, str(depth * stage + min(stage, 1) + i)), x
        return classified(_relu(x), asked, UNNAMED, average=None)

    return application(
        f"NASNet{size}",
        body,
        "A network of cells that another network designed (Zoph et al. 2017, arXiv:1707.07012).",
        Trained(f"nasnet/NASNet-{size.lower()}", hashes, "-no-top", lambda name: name.lower().replace("-", "_")),
        order=("input_shape", *(word for word in STANDARD if word != "input_shape")),
        size=side,
        static=True,
        name=f"nasnet_{size.lower()}",
    )


NASNetMobile = _application(
    "Mobile", 224, 32, 4, 44, False, "020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63"
)
NASNetLarge = _application(
    "Large", 331, 96, 6, 168, True, "11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5"
)
