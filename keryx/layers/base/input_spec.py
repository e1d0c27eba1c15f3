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
        allow_last_axis_squeeze: Whether a last axis of size 1 may be there or not, in the input and in `shape`.
        name: The key of the input in a dict.
        optional: Whether it may be None.
    """

    def __init__(
        self,
        dtype=None,
        shape=None,
        ndim=None,
        max_ndim=None,
        min_ndim=None,
        axes=None,
        allow_last_axis_squeeze=False,
        name=None,
        optional=False,
    ):
        self.dtype, self.shape, self.max_ndim, self.min_ndim = dtype, shape, max_ndim, min_ndim
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional
        self.ndim = len(shape) if shape is not None else ndim
        self.fitting: set[Any] = set()  # the shapes that were found to be as wanted
        self.axes = dict(axes or {})
        if shape is not None:
            self.axes |= {i: n for i, n in enumerate(shape) if n is not None}

    def get_config(self) -> dict[str, Any]:
        """The arguments that tell it, as plain data."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "optional")
        told = dict(enumerate(self.shape or ()))
        axes = {axis: size for axis, size in self.axes.items() if told.get(axis) != size}
        return {name: getattr(self, name) for name in names} | {"axes": axes}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "InputSpec":
        """The one of a config.

        >>> InputSpec.from_config(InputSpec(shape=(None, 3)).get_config()).ndim
        2
        """
        return cls(**config)

    def check(self, layer: Any, x: Any) -> None:
        """Raise ShapeError unless `x` is as wanted."""
        given = shape = tuple(x.shape)
        if self.allow_last_axis_squeeze and self.shape is not None:
            if len(shape) == len(self.shape) + 1 and shape[-1] == 1:
                shape = shape[:-1]
            elif len(shape) == len(self.shape) - 1 and self.shape[-1] == 1:
                shape = (*shape, 1)
        wants, ndim, wrong = "", len(shape), None
        if self.ndim is not None and len(shape) != self.ndim:
            wants, ndim = f"{self.ndim} axes", self.ndim
        elif self.min_ndim is not None and len(shape) < self.min_ndim:
            wants, ndim = f"at least {self.min_ndim} axes", self.min_ndim
        elif self.max_ndim is not None and len(shape) > self.max_ndim:
            wants, ndim = f"at most {self.max_ndim} axes", self.max_ndim
        for axis, size in self.axes.items():
            here = -len(shape) <= axis < len(shape)
            if not wants and size is not None and not (here and shape[axis] in (size, None)):
                wants, wrong = f"{size} in axis {axis}", (axis, size)
        if wants:
            from keryx.core import ways_out

            way_out = ways_out.along_axis(layer, x, *wrong) if wrong else ways_out.into_layer(layer, x, ndim)
            raise ShapeError(f"{layer.title} wants an input of {wants}; got {describe(given)}.{way_out}")
        if all(isinstance(n, int) for n in given):
            self.fitting.add(given)


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
