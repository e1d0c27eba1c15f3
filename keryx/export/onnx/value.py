"""A tensor of an ONNX graph, with the operators of an array."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from keryx.export.onnx.builder import Builder


class Value:
    """A tensor of an ONNX graph; operators on it add nodes.

    Args:
        builder: The graph.
        name: Its name in the graph.
        type: ONNX's type of it: dtype and shape.
        array: Its values, where they are constant.

    Attributes:
        mask: The mask that travels beside it, as beside an array of a layer.
    """

    __array_priority__ = 1000

    def __init__(self, builder: "Builder", name: str, type: Any, array: np.ndarray | None = None):
        self.builder, self.name, self.type, self.array = builder, name, type, array
        self.mask: Value | None = None

    @property
    def dtype(self) -> str:
        """The name of its dtype."""
        return self.builder.onnx.helper.tensor_dtype_to_np_dtype(self.type.tensor_type.elem_type).name

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Its sizes; None where a size is not known."""
        return tuple(d.dim_value if d.HasField("dim_value") else None for d in self.type.tensor_type.shape.dim)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.type.tensor_type.shape.dim)

    def __repr__(self):
        return f"<Value {self.name} {self.shape} {self.dtype}>"

    def __add__(self, other: Any) -> "Value":
        return self.builder.elementwise("Add", self, other)

    def __radd__(self, other: Any) -> "Value":
        return self.builder.elementwise("Add", other, self)

    def __sub__(self, other: Any) -> "Value":
        return self.builder.elementwise("Sub", self, other)

    def __rsub__(self, other: Any) -> "Value":
        return self.builder.elementwise("Sub", other, self)

    def __mul__(self, other: Any) -> "Value":
        return self.builder.elementwise("Mul", self, other)

    def __rmul__(self, other: Any) -> "Value":
        return self.builder.elementwise("Mul", other, self)

    def __truediv__(self, other: Any) -> "Value":
        return self.builder.elementwise("Div", self, other)

    def __rtruediv__(self, other: Any) -> "Value":
        return self.builder.elementwise("Div", other, self)

    def __matmul__(self, other: Any) -> "Value":
        return self.builder.elementwise("MatMul", self, other)

    def __neg__(self) -> "Value":
        return self.builder.node("Neg", self)

    def __gt__(self, other: Any) -> "Value":
        return self.builder.elementwise("Greater", self, other)

    def __ge__(self, other: Any) -> "Value":
        return self.builder.elementwise("GreaterOrEqual", self, other)

    def __lt__(self, other: Any) -> "Value":
        return self.builder.elementwise("Less", self, other)

    def __and__(self, other: "Value") -> "Value":
        return self.builder.node("And", self, other)

    def __or__(self, other: "Value") -> "Value":
        return self.builder.node("Or", self, other)

    def __invert__(self) -> "Value":
        return self.builder.node("Not", self)
