"""What all applications share: their arguments, what is checked of them, the input, the top and the weights."""

import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from keryx import config, layers
from keryx.core.symbol import SymbolicTensor, describe
from keryx.core.variable import made_later
from keryx.errors import ArgumentError, ShapeError, did_you_mean, listing
from keryx.models import Model
from keryx.utils.session import get_source_inputs

ROOT = "https://storage.googleapis.com/tensorflow/keras-applications/"
DEFAULTS: dict[str, Any] = {
    "include_top": True,
    "weights": "imagenet",
    "input_tensor": None,
    "input_shape": None,
    "pooling": None,
    "classes": 1000,
    "classifier_activation": "softmax",
    "name": None,
}
MEANINGS = {
    "include_top": "Whether the model ends in a classifier; else in the last feature maps.",
    "weights": '`"imagenet"`, trained weights, downloaded once; `None`, newly drawn ones; or the path of a file.',
    "input_tensor": "A symbolic tensor that takes the place of the input.",
    "input_shape": "The shape of an image, channels included; by default {size}, or of any size without the top.",
    "pooling": 'Without the top, what the feature maps are pooled by: `"avg"`, `"max"`, or `None`, not at all.',
    "classes": "The number of classes of the top.",
    "classifier_activation": "The activation of the top; `None` gives logits.",
    "name": "The model's name.",
    "include_preprocessing": "Whether the model begins by scaling pixels from 0 to 255 itself.",
    "alpha": "What the number of channels of each layer is multiplied by.",
    "depth_multiplier": "The number of depthwise filters to a channel.",
    "dropout": "The share of features that the top drops in training.",
    "dropout_rate": "The share of features that the top drops in training.",
    "minimalistic": "Whether it does without squeeze-and-excite, hard swish and 5x5 convolutions.",
}
AFTER = (
    "Raises:",
    "    ArgumentError: Where weights, classes or other arguments do not fit each other.",
    "    ShapeError: Where the input has another shape than the network takes.",
    "",
    "Source: the layers, their names and the weights are those of `keras.applications`.",
)
STANDARD = tuple(DEFAULTS)
UNNAMED = (None, None)


@dataclass(frozen=True)
class Trained:
    """Where the weights that were trained on ImageNet lie, as Keras publishes them, and their checksums.

    Args:
        path: The file below `root`, without `.h5`.
        hashes: Of the file with the top and of the one without; none are published for some.
        no_top: What the name of the one without ends in.
        saved_as: What the file is named here, where not as there.
    """

    path: str
    hashes: Sequence[str | None] = (None, None)
    no_top: str = "_notop"
    saved_as: Callable[[str], str] = str
    root: str = ROOT

    def fetch(self, include_top: bool) -> str:
        """The path of the file, which is downloaded where it is not yet in the cache."""
        from keryx.utils import get_file  # type: ignore[attr-defined]

        url = f"{self.root}{self.path}{'' if include_top else self.no_top}.h5"
        name = self.saved_as(url.rpartition("/")[2])
        return get_file(name, url, cache_subdir="models", file_hash=self.hashes[not include_top])


NO_FILE = Trained("")


def kernels(path: str, *hashes: str) -> Trained:
    """Weights whose file is named after a path as most are."""
    return Trained(f"{path}_weights_tf_dim_ordering_tf_kernels", hashes)


@dataclass
class Asked:
    """What a call of an application asks for."""

    application: str
    include_top: bool
    weights: Any
    input_tensor: Any
    input_shape: Any
    pooling: Any
    classes: int
    classifier_activation: Any
    name: str | None

    @property
    def imagenet(self) -> bool:
        return isinstance(self.weights, str) and self.weights == "imagenet"

    def refuse(self, why: str) -> None:
        raise ArgumentError(f"{self.application}(): {why}")

    def check(self) -> None:
        """Refuse what cannot be meant."""
        known = self.weights is None or self.imagenet
        if not known and not (isinstance(self.weights, (str, os.PathLike)) and os.path.exists(self.weights)):
            self.refuse(f"weights= is 'imagenet', None or the path of a file that is there; got {self.weights!r}.")
        if self.imagenet and self.include_top and self.classes != 1000:
            self.refuse(
                f"the top that was trained on ImageNet has 1000 classes; got classes={self.classes}. "
                "include_top=False takes its features for a top of your own, weights=None draws new weights."
            )
        activation = getattr(self.classifier_activation, "__name__", self.classifier_activation)
        if self.imagenet and self.include_top and activation not in ("softmax", "linear", None):
            self.refuse(f"with weights='imagenet' classifier_activation is 'softmax' or None; got {activation!r}.")
        if self.pooling not in (None, "avg", "max"):
            self.refuse(f"pooling is 'avg', 'max' or None; got {self.pooling!r}.")

    def image(self, size: int, least: int, static: bool, sizes: Sequence[int] = ()) -> SymbolicTensor:
        """The input: the tensor that was given, or a new one of the shape that was asked for.

        Args:
            size: The height and width that the trained top was trained on.
            least: The smallest height and width that the network takes.
            static: Whether height and width have to be known, as they are for a top over them.
            sizes: Other heights and widths for which there are trained tops.
        """
        first = config.image_data_format() == "channels_first"
        tensor, shape = self.input_tensor, self.input_shape
        if tensor is not None:
            if not isinstance(tensor, SymbolicTensor):
                self.refuse(
                    f"input_tensor= is a symbolic tensor, such as keryx.Input((224, 224, 3)); got {tensor!r:.80}."
                )
            shape = tensor.shape[1:]
        elif shape is None:
            sides = (size, size) if static else (None, None)
            shape = (3, *sides) if first else (*sides, 3)
        shape = tuple(shape)
        if len(shape) != 3:
            wanted = "(channels, height, width)" if first else "(height, width, channels)"
            raise ShapeError(f"{self.application}(): an image is {wanted}, without the batch; got {describe(shape)}.")
        channels, sides = (shape[0], shape[1:]) if first else (shape[2], shape[:2])
        if any(side is not None and side < least for side in sides):
            raise ShapeError(
                f"{self.application}() takes images of {least}x{least} pixels and more, for it halves them again and "
                f"again; got {describe(shape)}. Enlarge them first, for example by keryx.layers.Resizing."
            )
        if channels is None:
            raise ShapeError(f"{self.application}(): the number of channels has to be known; got {describe(shape)}.")
        if self.imagenet and channels != 3:
            raise ShapeError(
                f"{self.application}(weights='imagenet') takes images of 3 channels; got {describe(shape)}. Repeat a "
                "gray one three times, for example by keryx.layers.Concatenate, or draw new weights, weights=None."
            )
        if static and None in sides:
            raise ShapeError(
                f"{self.application}(include_top=True) wants a known height and width; got {describe(shape)}. "
                "include_top=False takes images of any size."
            )
        if static and self.imagenet and self.include_top and (sides[0] != sides[1] or sides[0] not in (size, *sizes)):
            raise ShapeError(
                f"{self.application}(): the top that was trained on ImageNet wants images of "
                f"{listing_of_sides(size, *sizes)} pixels; got {describe(shape)}. include_top=False takes others."
            )
        return tensor if tensor is not None else layers.Input(shape)


def listing_of_sides(*sides: int) -> str:
    """`224x224 or 160x160`."""
    return " or ".join(f"{side}x{side}" for side in sides)


def axis(last: int = 3) -> int:
    """The axis of the channels; the last one is 3 or -1, as the configs of the family have it."""
    return 1 if config.image_data_format() == "channels_first" else last


def sides_of(x: SymbolicTensor) -> tuple[int | None, ...]:
    """The height and width of feature maps."""
    return x.shape[2:] if config.image_data_format() == "channels_first" else x.shape[1:3]


def halving_pad(x: SymbolicTensor, size: int) -> tuple:
    """The pixels around that an unpadded kernel with strides of 2 needs; an unknown height or width counts as even."""
    return tuple((size // 2 - (side is None or side % 2 == 0), size // 2) for side in sides_of(x))


def divisible(channels: float, by: int = 8) -> int:
    """The number of channels, rounded to a multiple of 8, but not down by more than a tenth.

    >>> divisible(20), divisible(11)
    (24, 16)
    """
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * channels else rounded


def pooled(x: SymbolicTensor, asked: Asked, names: Sequence[str | None] = ("avg_pool", "max_pool")) -> SymbolicTensor:
    """The features without the top, pooled as it was asked for."""
    if asked.pooling is None:
        return x
    if asked.pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    return layers.GlobalMaxPooling2D(name=names[1])(x)


def classified(
    x: SymbolicTensor,
    asked: Asked,
    names: Sequence[str | None] = ("avg_pool", "max_pool"),
    average: str | None = "avg_pool",
    dropout: float = 0,
    **options: Any,
) -> SymbolicTensor:
    """The usual top, a classifier over the average of each feature map; without it the features.

    Args:
        names: The layers that pool without the top.
        average: The layer that pools below the classifier.
        dropout: The share of features that are dropped.
        **options: Of the classifier's Dense.
    """
    if not asked.include_top:
        return pooled(x, asked, names)
    x = layers.GlobalAveragePooling2D(name=average)(x)
    if dropout > 0:
        x = layers.Dropout(dropout, name="top_dropout")(x)
    return layers.Dense(asked.classes, activation=asked.classifier_activation, name="predictions", **options)(x)


def application(
    title: str,
    body: Callable[..., SymbolicTensor],
    about: str,
    trained: Callable[..., Trained] | Trained,
    order: Sequence[str] = STANDARD,
    size: int = 224,
    least: int = 32,
    static: bool | None = None,
    sizes: Sequence[int] = (),
    **own: Any,
) -> Callable[..., Model]:
    """A function that builds an application, by Keras's name and arguments.

    Args:
        title: Its name.
        body: From the image, what was `Asked`, and the family's own arguments to the outputs.
        about: A sentence for its documentation: what it is, who published it where.
        trained: Where its trained weights are; or what says so, from what was asked and the family's own arguments.
        order: Its arguments, in order.
        size: The height and width that the trained top was trained on.
        least: The smallest height and width that it takes.
        static: Whether height and width have to be known; by default with the top.
        sizes: Other heights and widths for which there are trained tops.
        **own: The defaults of arguments that not every application has, and of those that it sees otherwise.
    """
    defaults = DEFAULTS | own
    signature = inspect.Signature(
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=defaults[n]) for n in order],
        return_annotation=Model,
    )

    def build(*args: Any, **kwargs: Any) -> Model:
        for word in kwargs.keys() - set(order):
            raise ArgumentError(
                f"{title}() has no argument {word!r}.{did_you_mean(word, order)} It has {listing(order)}."
            )
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        common = {name: bound.arguments[name] for name in STANDARD}
        more = {name: value for name, value in bound.arguments.items() if name not in STANDARD}
        asked = Asked(title, **common)
        asked.check()
        image = asked.image(size, least, asked.include_top if static is None else static, sizes)
        where = trained(image, asked, **more) if callable(trained) else trained  # may refuse, or choose a name
        # Where a file brings the weights, none are drawn before.
        with nullcontext() if asked.weights is None else made_later():
            inputs = get_source_inputs(image)
            model = Model(inputs[0] if len(inputs) == 1 else inputs, body(image, asked, **more), name=asked.name)
        if asked.weights is not None:
            model.load_weights(where.fetch(asked.include_top) if asked.imagenet else asked.weights)
        return model

    shown = f"{size}x{size}"
    meanings = [f"    {name}: {MEANINGS[name].format(size=shown)}" for name in order]
    build.__name__ = build.__qualname__ = title
    build.__module__ = body.__module__
    build.__signature__ = signature  # type: ignore[attr-defined]
    build.__doc__ = "\n".join([about, "", "Args:", *meanings, "", *AFTER])
    return build
