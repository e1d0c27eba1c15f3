"""What CIFAR-10 and CIFAR-100 share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keryx import config
from keryx.datasets import sources
from keryx.utils.download import get_file


def folder_of(number: int, inner: str) -> Path:
    """The folder of the unpacked files of CIFAR-10 or CIFAR-100."""
    name, origin = f"cifar-{number}-{inner}-target", f"cifar-{number}-python.tar.gz"
    whole = get_file(name, sources.TORONTO + origin, file_hash=sources.CHECKSUMS[origin], extract=True)
    return Path(whole) / f"cifar-{number}-{inner}"


def images(paths: Sequence[Path], labels: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of some files, and their labels of this name."""
    batches = []
    for path in paths:
        with open(path, "rb") as file:
            batches.append(sources.unpickled(file, path, "bytes"))
    x = np.concatenate([np.asarray(batch[b"data"]) for batch in batches]).reshape(-1, 3, 32, 32)
    y = np.concatenate([np.asarray(batch[labels.encode()]) for batch in batches])[:, None]
    return x if config.image_data_format() == "channels_first" else x.transpose(0, 2, 3, 1), y
