"""CIFAR-10: small images of ten kinds."""

from keryx.datasets.cifar import folder_of, images
from keryx.datasets.splitting import Parts


def load_data() -> Parts:
    """60,000 coloured images, and what each shows.

    The labels: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship, 9 truck; some of them
    are wrong. By Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009
    (https://www.cs.toronto.edu/~kriz/cifar.html).

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images (50000, 32, 32, 3) and (10000, 32, 32, 3) of uint8, from 0 to
        255, the channels where `image_data_format` says; labels (50000, 1) and (10000, 1) of uint8, from 0 to 9.

    Raises:
        FileError: Where it is not in the cache and cannot be fetched, or holds more than images and labels.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    """
    folder = folder_of(10, "batches-py")
    x_train, y_train = images([folder / f"data_batch_{i}" for i in range(1, 6)], "labels")
    x_test, y_test = images([folder / "test_batch"], "labels")
    return (x_train, y_train.astype("uint8")), (x_test, y_test.astype("uint8"))
