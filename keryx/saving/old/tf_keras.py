"""`.keras` files of Keras 2.12 to tf_keras 2.21: what in them lies elsewhere than in today's."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keryx.core.variable import Variable


def todays_values(values: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """The arrays of a file by the paths that today's have.

    The metrics are left out, whose order depends on what the model was compiled with; the learning rate, which stood in
    the config alone, comes in before what the optimizer keeps of each weight.

    Args:
        values: The file's arrays by path.
        model: Their model, compiled where its optimizer is to go on.
    """
    found = {_todays(path): value for path, value in values.items() if not path.startswith(("metrics/", _OPTIMIZER))}
    if not model.compiled:
        return found
    optimizer = model.optimizer
    rate = getattr(optimizer, "learning_rate", None)
    kept = [values[path] for path in _in_order(values)]
    if not kept:
        return found
    counts = [kept[0]] + ([rate.numpy()] if isinstance(rate, Variable) else [])
    return found | {
        f"{_OPTIMIZER}{i}": value for i, value in enumerate([*counts, *kept[1:], *_uncounted(optimizer, kept)])
    }


_OPTIMIZER = "optimizer/vars/"


def _todays(path: str) -> str:
    """A path in which the attributes of layers are called as they are today."""
    return re.sub(r"(\bmulti_head_attention(?:_\d+)?/)_(query|key|value|output)_dense\b", r"\1\2_dense", path)


def _in_order(values: Mapping[str, Any]) -> list[str]:
    paths = [path for path in values if path.startswith(_OPTIMIZER) and path.removeprefix(_OPTIMIZER).isdecimal()]
    return sorted(paths, key=lambda path: int(path.removeprefix(_OPTIMIZER)))


def _uncounted(optimizer: Any, kept: list[Any]) -> list[Any]:
    """What Keras 2 did not write down, and what follows from the number of steps: Nadam's product of its momenta."""
    if type(optimizer).__name__ != "Nadam":
        return []
    return [product_of_momenta(optimizer.beta_1, int(np.asarray(kept[0])))]


def product_of_momenta(beta: float, steps: int) -> np.floating:
    """The product that Nadam has come to after so many steps: of `beta * (1 - 0.96 ** t / 2)`."""
    t = np.arange(1, min(max(steps, 0), _ALL) + 1)
    return np.float32(np.prod(beta * (1 - 0.5 * 0.96**t)))


_ALL = 10_000  # steps after which the product is 0 in any float
