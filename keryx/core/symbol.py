"""A tensor that has no values yet: the arguments and results of the calls that make up a graph."""

import functools
import math
import sys
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from keryx.core.arithmetic import Arithmetic
from keryx.core.dtypes import standardize_dtype
from keryx.errors import DataError, SymbolicError

if TYPE_CHECKING:
    from keryx.core.graph import Node

Shape = tuple[int | None, ...]


class SymbolicTensor(Arithmetic):
    """The shape, dtype and origin of a tensor; operators and NumPy functions on it grow the graph.

    Args:
        shape: Its sizes; None where a size is not known yet.
        dtype: Its dtype; `string` for text, which stays on the host.
        sparse: False; sparse tensors are for later.
        ragged: False; ragged tensors are for later.
        record_history: Ignored: a call on it is always written down.
        name: Its name.
        node: The call that made it.
        index: Its place among the results of that call.

    >>> import keryx
    >>> x = keryx.Input((3,), name="x")
    >>> (2 * x + 1).shape
    (None, 3)
    """

    __array_priority__ = 1000
    sparse = ragged = False  # all are dense

    def __init__(
        self,
        shape: Shape,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str = "keras_tensor",
        node: "Node | None" = None,
        index: int = 0,
    ):
        if sparse or ragged:
            raise DataError("There are no sparse and ragged tensors here: give a dense one, padded where rows differ.")
        self.shape, self.dtype, self.name = tuple(shape), standardize_dtype(dtype, text=True), name
        self.node, self.index = node, index
        self.sizes_are_open = False  # whether data may have other sizes: those here are of the first that came
        self.mask: Any = None  # the Spec of the mask that travels beside it

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"node": None}  # the node has it, and says so where it is copied too

    def like(self) -> "SymbolicTensor":
        """A new one of the same shape, dtype and mask."""
        symbol = SymbolicTensor(self.shape, self.dtype, name=self.name)
        symbol.mask = self.mask
        return symbol

    @property
    def _keras_mask(self) -> Any:
        """The mask that travels beside it, as a symbolic tensor, by the name that programs for Keras read; or None."""
        if self.mask is None:
            return None
        from keryx.core import graph, scope

        return graph.lift(scope.mask_of)(self)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int | None:
        """The number of elements; None where a size is not known."""
        return None if None in self.shape else math.prod(n for n in self.shape if n is not None)

    def __repr__(self):
        return f"<SymbolicTensor {self.name} {describe(self.shape, self.dtype)}>"

    def __len__(self):
        raise SymbolicError(f"{self.name!r} has no values yet, so it has no len(); its shape is {self.shape}.")

    def __iter__(self):
        if self.ndim == 0 or self.shape[0] is None:
            raise SymbolicError(
                f"{self.name!r} {self.shape} cannot be iterated over: its first axis has no known size."
            )
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self):
        raise SymbolicError(
            f"{self.name!r} has no values yet, so it is neither true nor false. Use keryx.ops.where or keryx.ops.cond."
        )

    def __float__(self):
        raise SymbolicError(f"{self.name!r} has no values yet. Build a Model that ends in it and call predict.")

    __int__ = __index__ = __float__

    def __array__(self, dtype=None, copy=None):
        raise SymbolicError(self._no_values())

    @property
    def __jax_array__(self):
        # JAX's operators look here before they give way to ours, and have to find nothing. Its functions look here
        # too, and there an error that is no TypeError is shown as it is.
        if sys._getframe(1).f_globals is _namespace_of_operators():
            return None
        raise DataError(self._no_values())

    def _no_values(self) -> str:
        return (
            f"{self.name!r} is a symbolic tensor {self.shape} and has no values yet. On it, use operators, methods, "
            "keryx.ops or NumPy functions (np.exp(x), not jnp.exp(x)); wrap other code in a Lambda layer."
        )


@functools.cache
def _namespace_of_operators() -> dict[str, Any]:
    """The globals of the functions that JAX's arrays have as operators."""
    return getattr(type(jax.numpy.zeros(())).__add__, "__globals__", {})


def describe(shape: Shape, dtype: Any = None) -> str:
    """A shape as people write it.

    >>> describe((None, 100), "int32")
    '(batch, 100) int32'
    """
    sizes = ["batch" if i == 0 and size is None else str(size) for i, size in enumerate(shape)]
    text = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    return text if dtype is None else f"{text} {np.dtype(dtype).name if not isinstance(dtype, str) else dtype}"
