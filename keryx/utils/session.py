"""What holds for the whole process, and questions about symbolic tensors."""

import random
from typing import Any

import numpy as np

from keryx.core import graph, seeds
from keryx.core.symbol import SymbolicTensor


def set_random_seed(seed: int) -> None:
    """Begin anew, from this seed, all that draws random numbers: Python, NumPy and Keryx."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the user's code may draw from the old global state
    seeds.set_seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Begin again to count the names of layers that are not named."""
    graph.clear_names()


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor.

    >>> import keryx
    >>> is_keras_tensor(keryx.Input((3,))), is_keras_tensor(np.zeros(3))
    (True, False)
    """
    return isinstance(x, SymbolicTensor)


def get_source_inputs(tensor: SymbolicTensor) -> list[SymbolicTensor]:
    """The inputs that a symbolic tensor follows from, in the order in which they are first needed.

    >>> import keryx
    >>> a, b = keryx.Input((3,)), keryx.Input((3,))
    >>> get_source_inputs(a * b + a) == [a, b]
    True
    """
    found: dict[SymbolicTensor, None] = {}
    seen: set[SymbolicTensor] = set()
    waiting = [tensor]
    while waiting:
        symbol = waiting.pop()
        if symbol in seen:
            continue
        seen.add(symbol)
        needed = symbol.node.inputs if symbol.node is not None else []
        if not needed:
            found[symbol] = None
        waiting.extend(reversed(needed))
    return list(found)
