"""InputSpec: what a layer wants of an input."""

from typing import Any

from keryx.core.symbol import describe
from keryx.errors import ShapeError


class InputSpec:
    """What a layer wants of an input, checked before it is called.

    Args:
        ndim: The number of axes, exactly.
        min_ndim: The number of axes, at least.
        axes: Sizes of single axes, such as `{-1: 64}`.
    """

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None, **_):
        self.dtype, self.shape, self.max_ndim, self.min_ndim = dtype, shape, max_ndim, min_ndim
        self.ndim = len(shape) if shape is not None else ndim
        self.fitting: set[Any] = set()  # the shapes that were found to be as wanted
        self.axes = dict(axes or {})
        if shape is not None:
            self.axes |= {i: n for i, n in enumerate(shape) if n is not None}

    def check(self, layer: Any, x: Any) -> None:
        """Raise ShapeError unless `x` is as wanted."""
        shape, wants = tuple(x.shape), ""
        if self.ndim is not None and len(shape) != self.ndim:
            wants = f"{self.ndim} axes"
        elif self.min_ndim is not None and len(shape) < self.min_ndim:
            wants = f"at least {self.min_ndim} axes"
        elif self.max_ndim is not None and len(shape) > self.max_ndim:
            wants = f"at most {self.max_ndim} axes"
        for axis, size in self.axes.items():
            here = -len(shape) <= axis < len(shape)
            if not wants and size is not None and not (here and shape[axis] in (size, None)):
                wants = f"{size} in axis {axis}"
        if wants:
            raise ShapeError(f"{layer.title} wants an input of {wants}; got {describe(shape)}.")
        if all(isinstance(n, int) for n in shape):
            self.fitting.add(shape)


def declared_shape(declared: dict[str, Any]) -> tuple[int | None, ...] | None:
    """The shape with a batch axis that `input_shape=`, `batch_input_shape=` or `input_dim=` declares."""
    if declared.get("batch_input_shape") is not None or declared.get("batch_shape") is not None:
        return tuple(declared.get("batch_input_shape") or declared["batch_shape"])
    batch = declared.get("batch_size")
    if declared.get("input_shape") is not None:
        shape = declared["input_shape"]
        return (batch, *((shape,) if isinstance(shape, int) else shape))
    if declared.get("input_dim") is not None:
        length = declared.get("input_length")
        return (batch, declared["input_dim"]) if length is None else (batch, length, declared["input_dim"])
    return None
