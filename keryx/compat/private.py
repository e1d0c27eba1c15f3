"""What Keras keeps private and other libraries import all the same, where nothing public stands for it."""

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

_LOADING = {("grain", "_src", "python", step) for step in ("dataset", "data_loader")}


def class_weight_to_sample_weights(y: Any, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each row: that of its class, or 1.

    Args:
        y: The labels, (batch,), (batch, 1) or one-hot (batch, classes).
        class_weight: A weight for each class.

    >>> class_weight_to_sample_weights([0, 1, 2], {0: 5.0, 2: 0.5})
    array([5. , 1. , 0.5])
    """
    labels = np.asarray(y)
    if labels.ndim > 1:
        labels = labels.argmax(-1) if labels.shape[-1] > 1 else labels[..., 0]
    return np.array([class_weight.get(int(label), 1.0) for label in np.round(labels).reshape(-1)])


def distribution() -> None:
    """The distribution that is set: none, for there are none yet."""


def in_grain_data_pipeline() -> bool:
    """Whether Grain calls, for whose transformations there are arrays of NumPy's alone.

    >>> in_grain_data_pipeline()
    False
    """
    frame = inspect.currentframe() if "grain" in sys.modules else None
    while frame is not None:
        parts = PurePath(frame.f_code.co_filename).parts
        if any(parts[i : i + 4] in _LOADING for i, part in enumerate(parts) if part == "grain"):
            return True
        frame = frame.f_back
    return False


def in_safe_mode() -> bool:
    """Whether a file's code is left alone while it is loaded: always.

    >>> in_safe_mode()
    True
    """
    return True


def no_automatic_dependency_tracking(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose attributes are not looked at as they are set: none are, they are walked through at build.

    >>> no_automatic_dependency_tracking(len) is len
    True
    """
    return function
