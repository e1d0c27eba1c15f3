"""CIFAR-100: small images of a hundred kinds."""

from keryx.datasets.cifar import folder_of, images
from keryx.datasets.splitting import Parts
from keryx.errors import ArgumentError


def load_data(label_mode: str = "fine") -> Parts:
    """60,000 coloured images of 100 kinds in 20 groups, and what each shows.

    By Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009
    (https://www.cs.toronto.edu/~kriz/cifar.html), where the kinds are listed.

    Args:
        label_mode: `fine` for the kinds, `coarse` for the groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images (50000, 32, 32, 3) and (10000, 32, 32, 3) of uint8, from 0 to
        255, the channels where `image_data_format` says; labels (50000, 1) and (10000, 1) of int64.

    Raises:
        FileError: Where it is not in the cache and cannot be fetched, or holds more than images and labels.

    >>> (x_train, y_train), (x_test, y_test) = load_data(label_mode="coarse")  # doctest: +SKIP
    """
    if label_mode not in ("fine", "coarse"):
        raise ArgumentError(f"label_mode is 'fine' or 'coarse'; got {label_mode!r}.")
    folder = folder_of(100, "python")
    return images([folder / "train"], f"{label_mode}_labels"), images([folder / "test"], f"{label_mode}_labels")
