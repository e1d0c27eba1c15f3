"""The way out of shapes that do not fit: the last sentence of an error, imported and worked out only for one."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax

from keryx.core.mistaken import title_of
from keryx.core.symbol import Shape, SymbolicTensor

_STEPS = " For a target at each step, write return_sequences=True in the recurrent layers."
_SPACE = " padding='same' and strides=1 keep the axes of space as they are; Cropping and Resizing change them."

# -- a tensor and the layer that it is given to --------------------------------------------------------------------


def into_layer(layer: Any, x: Any, ndim: int) -> str:
    """What to write where `layer` wants another number of axes than `x` has; nothing where that is not known."""
    given, origin = tuple(n if isinstance(n, int) else None for n in x.shape), _origin(x)
    if not hasattr(x, "node") and not isinstance(x, jax.core.Tracer):
        return _array_into_layer(given, ndim)
    maker = _maker(x)
    source = _recurrent(maker.operation) if maker else None
    if source is not None and source.return_sequences != (ndim > len(given)) and {ndim, len(given)} == {2, 3}:
        return _steps(maker.operation, source)
    if len(given) < ndim and maker and any(len(symbol.shape) >= ndim for symbol in maker.inputs):
        return f" {title_of(maker.operation)} has taken axes away: call {layer.name!r} before it."
    if len(given) > ndim:
        return _fewer_axes(layer, given, ndim, origin)
    return _more_axes(layer, given, ndim, origin)


def _origin(x: Any) -> Any:
    """What was called to make a symbolic tensor; None where that is not known."""
    node = getattr(x, "node", None)
    return None if node is None else node.operation


def _maker(x: Any) -> Any:
    """The call that gave a symbolic tensor its shape: Dropout and the like are looked through."""
    node = getattr(x, "node", None)
    while node is not None and len(node.inputs) == 1 and not hasattr(node.operation, "kernel"):
        if tuple(node.inputs[0].shape) != tuple(x.shape):
            break
        node = node.inputs[0].node
    return node


def _is_input(operation: Any) -> bool:
    return type(operation).__name__ == "InputLayer"


def _recurrent(operation: Any) -> Any:
    """The recurrent layer in what was called, if there is one."""
    inner = getattr(operation, "forward_layer", operation)
    return inner if hasattr(inner, "return_sequences") else None


def _steps(origin: Any, source: Any) -> str:
    written = f"{type(source).__name__}({getattr(source, 'units', '...')}"
    if source.return_sequences:
        return f" {title_of(origin)} returns all steps; for the last one write {written})."
    return f" {title_of(origin)} returns its last step; for all of them write {written}, return_sequences=True)."


def _fewer_axes(layer: Any, given: Shape, ndim: int, origin: Any) -> str:
    sample, extra = given[1:], len(given) - ndim
    if extra == 1 and _is_input(origin) and (ndim > 3 or (ndim == 3 and sample[-1] != 1)):
        return (
            f" The shape of an Input is that of one sample, without the batch axis: Input({_written(sample[1:])}). "
            f"If axis 1 is time, TimeDistributed({type(layer).__name__}(...))(x) runs it on each step."
        )
    if extra == 1 and type(origin).__name__ == "Reshape":
        return (
            f" The shape of a Reshape is that of one sample, without the batch axis: Reshape({_written(sample[1:])})."
        )
    if ndim == 2:
        pooling = f", or GlobalAveragePooling{extra}D()(x)" if extra <= 3 else ""
        return f" Before it, x = Flatten()(x){pooling}."
    if ndim == 3 and None not in sample[1:]:
        merged = math.prod(sample[1:])  # type: ignore[arg-type]
        if sample[0] is not None:
            return f" Before it, x = Reshape({_written((sample[0], merged))})(x) makes a sequence of it."
    return f" TimeDistributed({type(layer).__name__}(...))(x) runs it on each step of axis 1."


def _more_axes(layer: Any, given: Shape, ndim: int, origin: Any) -> str:
    sample = given[1:]
    if len(given) == 2 and ndim >= 4:
        image = _image_of(sample[0], ndim - 2)
        wanted = _written(image) if image else f"({', '.join(['...'] * (ndim - 2))}, channels)"
        return f" It is flat; x = Reshape({wanted})(x) gives it back its axes."
    if len(given) != ndim - 1 or None in sample:
        return ""
    first = getattr(layer, "data_format", None) == "channels_first"
    wanted = _written((1, *sample) if first else (*sample, 1))
    of_what = "feature" if ndim == 3 else "channel"
    if _is_input(origin):
        return f" The axis of {of_what}s is missing: Input({wanted}) for one {of_what}."
    return f" The axis of {of_what}s is missing: x = Reshape({wanted})(x) makes one {of_what}."


def _of_one_sample(function: str, sample: Shape) -> str:
    return f" The shape is that of one sample, without the batch axis: {function}({_written(sample)})."


def _image_of(size: int | None, space: int) -> tuple[int, ...] | None:
    """The shape of the square image, or cube, that has so many numbers."""
    for channels in (1, 3):
        if size is not None and size % channels == 0:
            side = round((size // channels) ** (1 / space))
            if side > 1 and side**space * channels == size:
                return (*[side] * space, channels)
    return None


def _array_into_layer(given: Shape, ndim: int) -> str:
    if len(given) == ndim - 1:
        return " If it is one sample, give x[None]; if only its last axis is missing, x[..., None]."
    return ""


def of_channels_first(shape: Sequence[Any], data_format: str) -> str:
    """What to write where images seem to have their channels in axis 1."""
    rank = len(shape) - 2
    channels, last = shape[1], shape[-1]
    known = isinstance(channels, int) and isinstance(last, int)
    if rank < 2 or data_format != "channels_last" or not known or channels not in (1, 3, 4) or last <= 4:
        return ""
    return f" If axis 1 holds the channels, before it x = Permute({_written((*range(2, rank + 2), 1))})(x)."


def along_axis(layer: Any, x: Any, axis: int, size: int) -> str:
    """What to write where a layer wants another size along an axis than `x` has."""
    given = tuple(x.shape)
    swapped = [i for i, n in enumerate(given) if i and n == size]
    if len(given) == 3 and swapped:
        return " The two axes may be swapped: x = Permute((2, 1))(x)."
    if layer.built and layer.variables:
        return f" Its weights were made for {size}: for another size, make another layer."
    return ""


# -- data and the input that it is given to ------------------------------------------------------------------------


def into_input(shape: tuple[int, ...], symbol: SymbolicTensor, symbols: Sequence[SymbolicTensor]) -> str:
    """What to write where data of `shape` is given to `symbol`, one of the inputs `symbols`, which wants another."""
    have, sample = tuple(shape[1:]), tuple(symbol.shape[1:])
    if _fits(have, sample) and symbol.shape[0] is not None:
        rows = symbol.shape[0]
        return (
            f" The model is made for batches of {rows} rows: give batch_size={rows}, and a number of rows that {rows} "
            "divides."
        )
    other = next((s for s in symbols if s is not symbol and _fits(have, s.shape[1:])), None)
    if other is not None:
        return (
            f" It would fit {other.name!r}: give a dict by name, {{{', '.join(f'{s.name!r}: ...' for s in symbols)}}}."
        )
    if _fits(shape, sample):
        table = f" For {shape[0]} samples, build the model with Input({_written(have)})." if have else ""
        return f" The batch axis is missing: give x[None] for a single sample.{table}"
    if len(shape) == len(sample) > len(have) and (order := _order(shape, sample, "x[None]")):
        return f" For a single sample, x = {order}."
    if _is_one_sample(shape, sample):
        return f" For a single sample, x = x.reshape({_inner((1, *sample))})."
    if len(have) == len(sample) and (order := _order(have, sample)):
        return f" Its axes are in another order: x = {order}."
    if sample and _fits(have, sample[:-1]):
        channels = f"np.repeat(x[..., None], {sample[-1]}, -1)"
        return f" The last axis is missing: build the model with Input({_written((*have, 1))}), or give {channels}."
    if None not in sample and have and math.prod(have) == math.prod(sample):  # type: ignore[arg-type]
        return f" It has as many numbers: x = x.reshape({_inner((-1, *sample))})."
    if _fits(have, sample[1:]):
        return _of_one_sample("Input", have)
    if not have:
        return ""
    return f" Give data of this shape, or build the model with Input({_written(have)})."


def _fits(have: Sequence[int | None], want: Sequence[int | None]) -> bool:
    return len(have) == len(want) and all(w is None or h == w for h, w in zip(have, want, strict=True))


def _is_one_sample(shape: Shape, sample: Shape) -> bool:
    """Whether data without a batch axis has the numbers of one sample, in its order."""
    if None in sample or sorted(shape) == sorted(sample):  # type: ignore[type-var]
        return False
    return math.prod(shape) == math.prod(sample)  # type: ignore[arg-type]


def _order(have: Shape, sample: Shape, x: str = "x") -> str:
    """How to bring the axes of the data `x` into the order that an input wants; nothing where no order fits."""
    rank = len(have)
    if rank == 2:
        return f"np.swapaxes({x}, 1, 2)" if _fits(have[::-1], sample) else ""
    if rank > 2 and _fits((*have[1:], have[0]), sample):
        return f"np.moveaxis({x}, 1, -1)"
    if rank > 2 and _fits((have[-1], *have[:-1]), sample):
        return f"np.moveaxis({x}, -1, 1)"
    fitting = (p for p in itertools.permutations(range(rank)) if _fits([have[i] for i in p], sample))
    order = next(fitting, None) if 2 < rank < 6 else None
    return f"np.transpose({x}, {(0, *(i + 1 for i in order))})" if order else ""


# -- targets and the outputs that they are compared with -----------------------------------------------------------


def to_outputs(targets: tuple[int, ...], outputs: tuple[int, ...], classes: bool = False) -> str:
    """What to write where targets are compared with outputs number by number and are not alike.

    Args:
        targets: The shape of the targets.
        outputs: The shape of the outputs.
        classes: Whether the targets are one-hot, or probabilities, of classes along the last axis.
    """
    units = outputs[-1] if outputs else 1
    one_each = targets == outputs[:-1] or targets == (*outputs[:-1], 1)
    if classes and one_each:
        return (
            " Class numbers go with loss='sparse_categorical_crossentropy'; y = keryx.utils.to_categorical(y, "
            f"{units}) makes them one-hot."
        )
    if way_out := _other_places(targets, outputs):
        return way_out
    if len(outputs) > 2 and len(targets) <= len(outputs) - 1 + (targets[-1:] == (1,)) and not one_each:
        return _kept_axes(outputs)
    if one_each or (len(targets) == len(outputs) and targets[:-1] == outputs[:-1]):
        wanted = 1 if one_each else targets[-1]
        return f" End the model in {wanted} unit{'s' * (wanted != 1)}, Dense({wanted}), or give targets of {outputs}."
    if len(outputs) > 2:
        return _kept_axes(outputs)
    return _more_targets(targets, outputs, len(outputs)) or " Reshape the targets, or the model's last layer."


def to_class_numbers(targets: tuple[int, ...], outputs: tuple[int, ...]) -> str:
    """What to write where targets are to be class numbers for outputs, and have another shape."""
    if targets == outputs:
        return " For one-hot targets, use loss='categorical_crossentropy', or give y = np.argmax(y, -1)."
    each = len(targets) == len(outputs) - 1 and targets[-1] not in (1, outputs[-1])  # not one a sample, nor one-hot
    places = _other_places((*targets, 1) if each else targets, outputs)
    way_out = places or _more_targets(targets, outputs[:-1], len(outputs))
    if way_out or len(targets) != len(outputs):
        return way_out or (_kept_axes(outputs) if len(targets) < len(outputs) else "")
    one_hot = f" For one-hot targets, end the model in {targets[-1]} units, with loss='categorical_crossentropy'."
    return f"{one_hot}{_STEPS}" if len(outputs) == 2 else one_hot


def _other_places(targets: tuple[int, ...], outputs: tuple[int, ...]) -> str:
    """What to write where there is a target for each place of an image, or step, and other places in the outputs."""
    rank = len(outputs) - 2
    given = targets[1 : rank + 1]
    if rank < 1 or len(given) < rank or given == outputs[1:-1] or (rank == 1 and len(targets) == 2):
        return ""
    return f" The targets have the axes {_written(given)}, the outputs {_written(outputs[1:-1])}:{_SPACE}"


def _more_targets(targets: tuple[int, ...], wanted: tuple[int, ...], rank: int) -> str:
    """What to write where targets are to be of the shape `wanted`, for outputs of `rank` axes, and have more."""
    if math.prod(targets) == math.prod(wanted):
        return f" It has as many numbers: y = y.reshape({_inner((-1, *wanted[1:]))})."
    return _STEPS if len(targets) > rank == 2 else ""


def _kept_axes(outputs: tuple[int, ...]) -> str:
    rank = len(outputs) - 2
    kept = _written(outputs[1:-1])
    pooling = f", or GlobalAveragePooling{rank}D()(x)" if 1 <= rank <= 3 else ""
    recurrent = "; a recurrent layer gives its last step alone without return_sequences=True" if rank == 1 else ""
    return f" The outputs still have the axes {kept}: before the last layer, x = Flatten()(x){pooling}{recurrent}."


# -- tensors that become one ---------------------------------------------------------------------------------------


def together(shapes: Sequence[Shape], joined: int | None = None) -> str:
    """What to write where tensors are merged whose shapes do not fit.

    Args:
        shapes: Their shapes.
        joined: The axis in which they may differ; None where in none.
    """
    rank = len(shapes[0])
    if any(len(shape) != rank for shape in shapes):
        return _unlike_ranks(shapes)
    unlike = [i for i in range(1, rank) if len({shape[i] for shape in shapes} - {None}) > 1]
    if joined is not None and len(unlike) == 1:
        return f" They would fit with Concatenate(axis={unlike[0]})."
    if unlike == [rank - 1]:
        size = shapes[0][-1]
        layer = f"Conv{rank - 2}D({size}, 1)" if 3 <= rank <= 5 else f"Dense({size})"
        return f" To give the other {size} in the last axis: {layer}(x)."
    if rank > 2 and unlike:
        return _SPACE
    return ""


def of_dot(shapes: Sequence[Shape]) -> str:
    """What to write where two tensors are multiplied along axes of unlike sizes."""
    one, other = shapes
    pairs = itertools.product(range(1, len(one)), range(1, len(other)))
    fitting = [pair for pair in pairs if one[pair[0]] is not None and one[pair[0]] == other[pair[1]]]
    if fitting:
        return f" They would fit with Dot(axes={fitting[-1]})."
    return together(shapes) if len(one) == len(other) == 2 else ""


def _unlike_ranks(shapes: Sequence[Shape]) -> str:
    longest = max(shapes, key=len)
    if any(len(shape) == 2 for shape in shapes):
        rank = len(longest) - 2
        pooling = f", or GlobalAveragePooling{rank}D()(x)," if 1 <= rank <= 3 else ""
        return f" Flatten()(x){pooling} makes vectors of {longest}."
    return " Reshape(...)(x) gives them as many axes."


def of_sample(given: Sequence[int], wanted: Sequence[int]) -> str:
    """What to write where the elements of a sample do not fill a shape."""
    elements, first = math.prod(given), wanted[0] if wanted else 0
    if -1 in wanted or len(wanted) < 2 or first < 1 or elements % first:
        return ""
    return f" One size may be found: Reshape({_written((first, *[1] * (len(wanted) - 2), -1))})."


# -- words ---------------------------------------------------------------------------------------------------------


def _inner(shape: Sequence[Any]) -> str:
    return ", ".join(map(str, shape))


def _written(shape: Sequence[Any]) -> str:
    """A shape as code."""
    return f"({_inner(shape)}{',' if len(shape) == 1 else ''})"
