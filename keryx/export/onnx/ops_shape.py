"""Shapes, places and parts of tensors in ONNX."""

import builtins
from itertools import pairwise
from typing import Any

import numpy as np

from keryx.core.symbol import SymbolicTensor
from keryx.export.onnx.exporter import Exporter, op
from keryx.export.onnx.value import Value


@op("reshape")
def reshape(g: Exporter, x: Any, newshape: Any) -> Value:
    x = g.value(x)
    newshape = (newshape,) if isinstance(newshape, int) else newshape
    return g.reshape(x, [g.size(x, i) if n is None else _size(g, n) for i, n in enumerate(newshape)])


def _size(g: Exporter, n: Any) -> Any:
    """A size that a call names: a number, or a tensor."""
    return g.reshape(g.cast(n, "int64"), [1]) if isinstance(n, Value) else int(n)


@op("ravel")
def ravel(g: Exporter, x: Any) -> Value:
    return g.reshape(g.value(x), [-1])


@op("transpose")
def transpose(g: Exporter, x: Any, axes: Any = None) -> Value:
    x = g.value(x)
    return g.transpose(x, range(x.ndim)[::-1] if axes is None else axes)


@op("swapaxes")
def swapaxes(g: Exporter, x: Any, axis1: int, axis2: int) -> Value:
    x = g.value(x)
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return g.transpose(x, axes)


@op("moveaxis")
def moveaxis(g: Exporter, x: Any, source: Any, destination: Any) -> Value:
    x = g.value(x)
    sources, targets = ([a % x.ndim for a in np.atleast_1d(axes).tolist()] for axes in (source, destination))
    axes = [axis for axis in range(x.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        axes.insert(target, axis)
    return g.transpose(x, axes)


@op("expand_dims")
def expand_dims(g: Exporter, x: Any, axis: Any) -> Value:
    return g.expand_dims(g.value(x), *np.atleast_1d(axis).tolist())


@op("squeeze")
def squeeze(g: Exporter, x: Any, axis: Any = None) -> Value:
    x = g.value(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else np.atleast_1d(axis).tolist()
    return g.squeeze(x, *axes)


@op("concatenate")
def concatenate(g: Exporter, xs: Any, axis: int = 0) -> Value:
    return g.concat(xs, axis)


@op("stack")
def stack(g: Exporter, x: Any, axis: int = 0) -> Value:
    rank = g.alike(*x)[0].ndim + 1
    return g.concat([g.expand_dims(each, axis % rank) for each in g.alike(*x)], axis)


@op("hstack")
def hstack(g: Exporter, xs: Any) -> Value:
    return g.concat(xs, 0 if g.value(xs[0]).ndim == 1 else 1)


@op("split")
def split(g: Exporter, x: Any, indices_or_sections: Any, axis: int = 0) -> list[Value]:
    x = g.value(x)
    if isinstance(indices_or_sections, int):
        return g.split(x, indices_or_sections, axis)
    edges = [0, *np.asarray(indices_or_sections).tolist(), None]
    return [g.slice(x, axis, start, stop) for start, stop in pairwise(edges)]


@op("unstack")
def unstack(g: Exporter, x: Any, num: Any = None, axis: int = 0) -> list[Value]:
    x = g.value(x)
    count = x.shape[axis]
    if count is None:
        g.refuse("of an axis whose size is not known, the number of slices is not known", "Give it a size in Input().")
    return [g.squeeze(part, axis) for part in g.split(x, count, axis)]


@op("flip")
def flip(g: Exporter, x: Any, axis: Any = None) -> Value:
    x = g.value(x)
    for each in range(x.ndim) if axis is None else np.atleast_1d(axis).tolist():
        x = g.flip(x, each)
    return x


@op("repeat")
def repeat(g: Exporter, x: Any, repeats: Any, axis: int | None = None) -> Value:
    x = g.value(x)
    if not isinstance(repeats, int):
        g.refuse("a number of repeats for each element has no counterpart in ONNX", "Give one number for all.")
    x, axis = (g.reshape(x, [-1]), 0) if axis is None else (x, axis % x.ndim)
    sizes = g.sizes(x)
    wide = g.expand(g.expand_dims(x, axis + 1), [*sizes[: axis + 1], repeats, *sizes[axis + 1 :]])
    return g.reshape(wide, [*sizes[:axis], g.times(sizes[axis], repeats), *sizes[axis + 1 :]])


@op("tile")
def tile(g: Exporter, x: Any, repeats: Any) -> Value:
    x = g.value(x)
    repeats = np.atleast_1d(repeats).tolist()
    x = g.expand_dims(x, *range(len(repeats) - x.ndim))
    return g.node("Tile", x, g.constant(np.array([1] * (x.ndim - len(repeats)) + repeats, "int64")))


@op("broadcast_to")
def broadcast_to(g: Exporter, x: Any, shape: Any) -> Value:
    return g.expand(g.value(x), [_size(g, n) for n in shape])


@op("pad")
def pad(g: Exporter, x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Value:
    modes = {"constant": "constant", "reflect": "reflect", "edge": "edge"}
    if mode not in modes:
        g.refuse(f"padding of the kind {mode!r} has no counterpart in ONNX", "Use 'constant', 'reflect' or 'edge'.")
    x = g.value(x)
    pads = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    value = None if constant_values is None else g.value(constant_values, x.dtype)
    return g.node("Pad", x, g.constant(pads.T.ravel().astype("int64")), value, mode=modes[mode])


@op("roll")
def roll(g: Exporter, x: Any, shift: int, axis: int | None = None) -> Value:
    if axis is None or not isinstance(shift, int):
        g.refuse("a shift of several axes has no counterpart in ONNX", "Shift them one after the other.")
    x = g.value(x)
    return x if shift == 0 else g.concat([g.slice(x, axis, -shift, None), g.slice(x, axis, None, -shift)], axis)


@op("take")
def take(g: Exporter, x: Any, indices: Any, axis: int | None = None) -> Value:
    x, ids = g.value(x), g.value(indices)
    x, axis = (g.reshape(x, [-1]), 0) if axis is None else (x, axis % x.ndim)
    return g.node("Gather", x, g.cast(ids, "int64"), axis=axis)


@op("take_along_axis")
def take_along_axis(g: Exporter, x: Any, indices: Any, axis: int | None = None) -> Value:
    x, ids = g.value(x), g.cast(g.value(indices), "int64")
    if axis is None:
        x, ids, axis = g.reshape(x, [-1]), g.reshape(ids, [-1]), 0
    return g.node("GatherElements", x, ids, axis=axis % x.ndim)


@op("slice")
def slice(g: Exporter, inputs: Any, start_indices: Any, shape: Any) -> Value:
    x = g.value(inputs)
    for axis, (start, n) in enumerate(zip(start_indices, shape, strict=True)):
        size = x.shape[axis]
        if isinstance(start, Value) or n is None or (start and n != -1 and size is None):
            g.refuse("a slice whose start or size is not known has no counterpart in ONNX", "Give numbers.")
        if start or n != -1:
            # A block that would leave the tensor is moved back into it.
            start = start if n == -1 or size is None else builtins.max(0, min(int(start), size - n))
            x = g.slice(x, axis, int(start), None if n == -1 else int(start) + n)
    return x


@op("get_item")
def get_item(g: Exporter, x: Any, key: Any) -> Value:
    x = g.value(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    places = [i for i, k in enumerate(keys) if k is Ellipsis]
    if places:
        given = sum(k is not None and k is not Ellipsis for k in keys)
        keys[places[0] : places[0] + 1] = [builtins.slice(None)] * (x.ndim - given)
    tensors = sum(isinstance(k, (Value, list, np.ndarray)) for k in keys)
    if tensors > 1 or any(isinstance(k, (Value, list)) and g.value(k).dtype == "bool" for k in keys):
        g.refuse("an index of several tensors, or of a mask, has no counterpart in ONNX", "Use ops.take or ops.where.")
    axis = 0
    for k in keys:
        if k is None:
            x = g.expand_dims(x, axis)
        elif isinstance(k, builtins.slice):
            bounds = (k.start, k.stop, k.step)
            if any(isinstance(n, (Value, SymbolicTensor)) for n in bounds):
                g.refuse("a slice to an index that is a tensor has no counterpart in ONNX", "Use ops.take.")
            if bounds != (None, None, None):
                start, stop = (None if n is None else int(n) for n in bounds[:2])
                x = g.slice(x, axis, start, stop, int(k.step or 1))
        elif isinstance(k, (int, np.integer)):
            x = g.squeeze(g.slice(x, axis, int(k), int(k) + 1 or None), axis)
            continue
        else:
            ids = g.cast(g.value(k), "int64")
            x = g.node("Gather", x, ids, axis=axis)
            axis += ids.ndim
            continue
        axis += 1
    return x


@op("size")
def size(g: Exporter, x: Any) -> Value:
    return g.cast(g.node("Size", g.value(x)), "int32")


@op("zeros_like", "empty_like")
def zeros_like(g: Exporter, x: Any, dtype: Any = None) -> Value:
    return full_like(g, x, 0, dtype)


@op("ones_like")
def ones_like(g: Exporter, x: Any, dtype: Any = None) -> Value:
    return full_like(g, x, 1, dtype)


@op("full_like")
def full_like(g: Exporter, x: Any, fill_value: Any, dtype: Any = None) -> Value:
    x = g.value(x)
    return g.expand(g.value(fill_value, dtype or x.dtype), g.sizes(x))


@op("tril", "triu")
def triangle(g: Exporter, x: Any, k: int = 0) -> Value:
    return g.node("Trilu", g.value(x), g.constant(np.int64(k)), upper=int(g.path[-1] == "triu"))
