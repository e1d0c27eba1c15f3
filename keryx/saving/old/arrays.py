"""The layouts that weights had in older files, and how each becomes today's.

Keras 1 kept a kernel for each gate of a recurrent layer and ordered the axes of kernels otherwise; Theano turned its
kernels around; CuDNN's layers transposed the kernels of their gates and had two biases.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keryx import layers
from keryx.core.owner import Owner
from keryx.core.variable import Variable
from keryx.errors import FileError


@dataclass(frozen=True)
class Origin:
    """Who wrote weights.

    Args:
        version: The `keras_version`; None is what Keras 1 wrote, which did not say.
        backend: `tensorflow`, `theano`, ...; None where nothing is said.
    """

    version: str | None = None
    backend: str | None = None

    @property
    def is_keras_1(self) -> bool:
        """Whether the arrays are in the layouts of Keras 1."""
        return (self.version or "1").partition(".")[0] in ("0", "1")


@dataclass(frozen=True)
class Part:
    """Some variables of one layer, and the arrays that a file keeps for them.

    Args:
        layer: The layer that owns the variables.
        variables: Variables of it, in order.
        count: How many arrays of the file they come from.
    """

    layer: Owner
    variables: tuple[Variable, ...]
    count: int

    def read(self, values: Sequence[np.ndarray], origin: Origin) -> list[np.ndarray]:
        """The arrays in today's layout."""
        found = list(values)
        for kind, convert in _CONVERSIONS.items():
            if isinstance(self.layer, kind):
                found = convert(self.layer, found, origin)
        return found


def parts(layer: Any, origin: Origin, order: str = "trainable first") -> list[Part]:
    """What a file keeps of a layer and all within, in order.

    Args:
        layer: The layer or model.
        origin: Who wrote the file.
        order: `trainable first`: what is trained of all layers within, then the rest of each, as Keras writes;
            `as built`: the same as if nothing were frozen; `layer by layer`: all of one, then all of the next.
    """
    owners = list(_owners(layer))
    if order == "layer by layer":
        return [part for owner, own in owners for part in _parts_of(owner, own, origin)]
    trained = set(layer.trainable_variables) if order == "trainable first" else None
    found = []
    for wanted in (True, False):
        for owner, own in owners:
            some = [v for v in own if (v.trainable if trained is None else v in trained) is wanted]
            found += _parts_of(owner, some, origin)
    return found


def _owners(owner: Any) -> list[tuple[Any, list[Variable]]]:
    """A layer and all within, each once, with the weights that are its own."""
    found: dict[Any, list[Variable]] = {}
    waiting, taken = [owner], set[Variable]()
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        children = one.children()
        within = {v for child in children for v in child.variables}
        found[one] = [v for v in one.variables if v not in within and v not in taken and not v.transient]
        taken.update(found[one])
        waiting += reversed(children)
    return list(found.items())


def _parts_of(owner: Any, variables: list[Variable], origin: Origin) -> list[Part]:
    if not variables:
        return []
    count = len(variables)
    if origin.is_keras_1 and count == 3:
        count = 12 if isinstance(owner, layers.LSTMCell) else 9 if isinstance(owner, layers.GRUCell) else count
    return [Part(owner, tuple(variables), count)]


# -- conversions ---------------------------------------------------------------------------------------------------


def _lstm(cell: Any, values: list[np.ndarray], origin: Origin) -> list[np.ndarray]:
    if len(values) == 12:  # input gate, candidate, forget gate, output gate: each W, U, b
        values = [np.concatenate([values[3 * gate + i] for gate in (0, 2, 1, 3)], -1) for i in range(3)]
    if len(values) == 3 and values[2].shape == (8 * cell.units,):
        x, h = values[2].reshape(2, -1)
        values = [*_from_cudnn(values, 4), x + h]
    return values


def _gru(cell: Any, values: list[np.ndarray], origin: Origin) -> list[np.ndarray]:
    if len(values) == 9:  # update gate, reset gate, candidate: each W, U, b
        values = [np.concatenate(values[i::3], -1) for i in range(3)]
    if len(values) == 3 and values[2].shape == (6 * cell.units,):
        if not cell.reset_after:
            raise FileError(
                "The file's weights of a GRU are CuDNN's, whose reset gate comes after the product: build the model "
                "with GRU(..., reset_after=True)."
            )
        values = [*_from_cudnn(values, 3), values[2].reshape(2, -1)]
    return values


def _from_cudnn(values: list[np.ndarray], gates: int) -> list[np.ndarray]:
    """The two kernels of a layer of CuDNN's: each gate's block is transposed, and kept in the shape of today's."""
    kernel, recurrent = values[:2]
    blocks = [block.reshape(block.shape[::-1]).T for block in np.split(kernel, gates, 1)]
    return [np.concatenate(blocks, 1), np.concatenate([block.T for block in np.split(recurrent, gates, 1)], 1)]


def _convolution(layer: Any, values: list[np.ndarray], origin: Origin) -> list[np.ndarray]:
    kernel, wanted = values[0], layer.kernel.shape
    rank = len(wanted) - 2
    if origin.is_keras_1:
        kernel = _kernel_of_keras_1(layer, kernel, wanted)
    if origin.backend == "theano" and kernel.ndim == rank + 2:
        kernel = np.flip(kernel, tuple(range(rank)))
    return [kernel, *values[1:]]


def _kernel_of_keras_1(layer: Any, kernel: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    rank, transposed = len(wanted) - 2, isinstance(layer, layers.Conv2DTranspose)
    if rank == 1 and kernel.ndim == 4:
        if kernel.shape[:2] != (wanted[0], 1) or kernel.shape[3] != wanted[2]:  # before 1.1
            kernel = kernel.transpose(2, 3, 1, 0)
        return kernel[:, 0]
    if kernel.ndim != rank + 2:
        return kernel
    if layer.data_format == "channels_first":  # (filters, channels, *window)
        window = tuple(range(2, 2 + rank))
        return kernel.transpose(*window, 0, 1) if transposed else kernel.transpose(*window, 1, 0)
    return kernel.swapaxes(-1, -2) if transposed else kernel


def _separable(layer: Any, values: list[np.ndarray], origin: Origin) -> list[np.ndarray]:
    if origin.is_keras_1 and layer.data_format == "channels_first":
        values = [value.transpose(2, 3, 1, 0) if value.ndim == 4 else value for value in values]
    return values


_CONVERSIONS: dict[Any, Callable[[Any, list[np.ndarray], Origin], list[np.ndarray]]] = {
    layers.LSTMCell: _lstm,
    layers.GRUCell: _gru,
    (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Conv2DTranspose): _convolution,
    layers.SeparableConv2D: _separable,
}
