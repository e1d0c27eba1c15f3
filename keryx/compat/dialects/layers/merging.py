"""merge and Merge of Keras 1: several tensors, or the ends of several models, as one."""

import functools
from collections.abc import Sequence
from typing import Any

from keryx import layers, ops
from keryx.errors import ArgumentError, listing
from keryx.models import Model, Sequential
from keryx.saving.old import words

_MODES = [*words.MERGES, "cos"]


def merge(
    inputs: Sequence[Any],
    mode: Any = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: dict[str, Any] | None = None,
    name: str | None = None,
) -> Any:
    """Several tensors as one.

    Args:
        inputs: The tensors.
        mode: `sum`, `mul`, `concat`, `ave`, `max`, `dot`, `cos`, or a function of the list of tensors.
        concat_axis: Of `concat`.
        dot_axes: Of `dot` and `cos`: an axis of both, or one of each.
        output_shape: Not wanted: shapes are seen by running it.
        output_mask: Not offered.
        arguments: More arguments of a function.
        name: The name of the layer.

    Raises:
        ArgumentError: For another mode.

    >>> import keryx
    >>> a, b = keryx.Input((2,)), keryx.Input((3,))
    >>> merge([a, b], mode="concat").shape
    (None, 5)
    """
    if output_mask is not None:
        raise ArgumentError(
            "merge(output_mask=) is not offered: give the layers behind it a mask= where they are called."
        )
    return _layer(mode, concat_axis, dot_axes, arguments, name)(list(inputs))


def _layer(mode: Any, concat_axis: int, dot_axes: Any, arguments: dict[str, Any] | None, name: str | None) -> Any:
    if callable(mode):
        return layers.Lambda(functools.partial(mode, **(arguments or {})), name=name)
    if mode == "cos":
        return layers.Lambda(functools.partial(_cosine, axes=dot_axes), name=name)
    if mode not in words.MERGES:
        raise ArgumentError(f"There is no merge of mode {mode!r}: it is one of {listing(_MODES)}, or a function.")
    given: dict[str, Any] = {"concat": {"axis": concat_axis}, "dot": {"axes": dot_axes}}.get(mode, {})
    return getattr(layers, words.MERGES[mode])(name=name, **given)


def _cosine(pair: Any, axes: Any) -> Any:
    return ops.expand_dims(layers.Dot(axes, normalize=True)(pair), 1)


def Merge(  # it stood for a class
    layers: Sequence[Any] | None = None,
    mode: Any = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: dict[str, Any] | None = None,
    node_indices: Any = None,
    tensor_indices: Any = None,
    name: str | None = None,
) -> Any:
    """The ends of several models as one: the first layer of a Sequential, which has the inputs of all of them.

    Args:
        layers: The models, or layers that were called or say their input shape; without them, it is a layer to call.
        mode: As in `merge`, and so are the others.
        concat_axis: Of `concat`.
        dot_axes: Of `dot` and `cos`.
        output_shape: Not wanted.
        output_mask: Not offered.
        arguments: More arguments of a function.
        node_indices: Not offered.
        tensor_indices: Not offered.
        name: The name.

    Raises:
        ArgumentError: For another mode, and for models whose inputs are not known.

    >>> import keryx
    >>> from keryx.layers import Dense
    >>> left, right = keryx.Sequential([keryx.Input((2,)), Dense(3)]), keryx.Sequential([keryx.Input((4,)), Dense(3)])
    >>> model = keryx.Sequential([Merge([left, right], mode="concat")])
    >>> model.output_shape
    (None, 6)
    """
    if node_indices is not None or tensor_indices is not None or output_mask is not None:
        raise ArgumentError(
            "Merge() takes no node_indices, tensor_indices and output_mask: merge the tensors you mean."
        )
    if not layers:
        return _layer(mode, concat_axis, dot_axes, arguments, name)
    ends = [_as_graph(layer) for layer in layers]
    inputs = list(dict.fromkeys(symbol for model in ends for symbol in model.inputs))
    merged = merge([model(model.input) for model in ends], mode, concat_axis, dot_axes, arguments=arguments)
    return Model(inputs, merged, name=name)


def _as_graph(layer: Any) -> Any:
    if not isinstance(layer, Model):
        layer = Sequential([layer])
    if not layer.has_graph:
        raise ArgumentError(f"Merge() wants models whose input shape is known; {layer.title} has none: input_shape=.")
    return layer
