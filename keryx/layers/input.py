"""Input: where a tensor comes into a model."""

from typing import Any

import numpy as np

from keryx.core import dtypes
from keryx.core.graph import Node
from keryx.core.symbol import Shape, SymbolicTensor
from keryx.errors import ArgumentError, ShapeError
from keryx.layers.layer import Layer, registry


@registry.register()
class InputLayer(Layer):
    """The place in a graph where a tensor comes in; made by `Input`.

    Args:
        shape: The tensor's shape without the batch axis.
        batch_size: The size of the batch axis, where it is fixed.
        dtype: The tensor's dtype.
        sparse: Not offered: True raises, as of the next two and `optional`.
        ragged: Not offered.
        batch_shape: The shape with the batch axis, in place of the first two.
        input_tensor: Not offered: a symbolic tensor has its layer already.
        optional: Not offered.
        name: The name of the layer and the tensor.
    """

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        sparse=None,
        ragged=None,
        batch_shape=None,
        input_tensor=None,
        optional=False,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        for word, value in (("sparse", sparse), ("ragged", ragged), ("optional", optional)):
            if value:
                raise ArgumentError(
                    f"Input({word}=True) is not offered: give a dense tensor, with Masking for padding."
                )
        if input_tensor is not None:
            raise ArgumentError(
                "InputLayer(input_tensor=) is not offered: use the tensor itself, or Input(tensor=...)."
            )
        declared = self._declared_shape  # input_shape=, as it was before Keras 3
        batch_shape = declared if shape is None and batch_shape is None else batch_shape
        if shape is None and batch_shape is None:
            raise ArgumentError("Input() wants the shape of a sample: Input(shape=(784,)), or Input(shape=()).")
        if shape is not None and batch_shape is not None and declared is None:
            raise ArgumentError(
                f"Input() was given shape={shape} and batch_shape={batch_shape}: the second holds the batch axis too. "
                "Give one of them."
            )
        if getattr(shape, "ndim", 0) > 1:
            raise ShapeError(
                f"Input() wants the shape of a sample, and no data; got an array of shape {tuple(shape.shape)}. "
                "Write Input(x.shape[1:])."
            )
        shape = (shape,) if shape is not None and not np.ndim(shape) else shape
        self.batch_shape = tuple(batch_shape) if batch_shape is not None else (batch_size, *shape)
        if any(n is not None and (not isinstance(n, (int, np.integer)) or n < 0) for n in self.batch_shape):
            raise ShapeError(f"A size in the shape of an Input is an integer or None; got {self.batch_shape}.")
        self.batch_shape = tuple(None if n is None else int(n) for n in self.batch_shape)
        self._symbol_dtype = dtypes.standardize_dtype(dtype, text=True)
        self.built = True
        Node(self, (), {}).end_in(SymbolicTensor(self.batch_shape, self._symbol_dtype, name=self.name))

    @property
    def dtype(self) -> str:
        """The dtype of the tensor."""
        return self._symbol_dtype

    def get_config(self) -> dict[str, Any]:
        """The shape with its batch axis, the dtype and the name."""
        kind = {"batch_shape": self.batch_shape, "dtype": self._symbol_dtype, "sparse": False, "ragged": False}
        return kind | {"name": self.name, "optional": False}


def Input(
    shape: Shape | int | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Shape | None = None,
    name: str | None = None,
    tensor: SymbolicTensor | None = None,
    optional: bool = False,
) -> SymbolicTensor:
    """A tensor that a model will be given.

    Args:
        shape: Its shape without the batch axis; None where a size is not known.
        batch_size: The size of the batch axis, where it is fixed.
        dtype: Its dtype, by default `keryx.config.floatx()`; data is cast to it. `"string"` is text, for layers
            that run on the host.
        sparse: Not offered: True raises.
        ragged: Not offered: True raises.
        batch_shape: Its shape with the batch axis, in place of `shape` and `batch_size`.
        name: Its name, by which a dict of data finds it.
        tensor: A symbolic tensor that is returned as it is.
        optional: Not offered: True raises.

    >>> import keryx
    >>> keryx.Input((100,), dtype="int32", name="words")
    <SymbolicTensor words (batch, 100) int32>
    """
    if tensor is not None:
        return tensor
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, None, optional, name).output
