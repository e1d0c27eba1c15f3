"""Models made again: as copies with new weights, and from JSON."""

from collections.abc import Callable
from typing import Any, cast

import jax

from keryx.core import plain
from keryx.core.codec import by_reference, deserialize, serialize
from keryx.core.symbol import SymbolicTensor
from keryx.core.variable import is_variable
from keryx.errors import ArgumentError, ConfigError
from keryx.layers.input import Input, InputLayer
from keryx.layers.layer import Layer, registry
from keryx.models.model import Model
from keryx.models.sequential import Sequential


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable | None = None,
    recursive: bool = False,
) -> Model:
    """A model with the same layers, and new weights, compiled as the model is.

    Args:
        model: A functional or Sequential model, or a subclass whose config makes it anew.
        input_tensors: Symbolic tensors to build it on, in the nest of its inputs; new inputs by default.
        clone_function: Makes the new layer of each layer; by default one from its config. Functions within it, such as
            a Lambda's, are shared.
        call_function: `(layer, *args, **kwargs) -> outputs`: calls each new layer where the old one was called.
        recursive: Whether `clone_function` is called on the layers of nested models, rather than on the models.

    Raises:
        ArgumentError: Where the model is a subclass with a call of its own, and anything but itself is given.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
    >>> clone_model(model).layers[0] is model.layers[0]
    False
    """
    own_call = model._graph is None and not isinstance(model, Sequential)
    if own_call:
        if input_tensors is not None or clone_function or call_function:
            raise ArgumentError(
                f"{model.title} is a subclass with a call of its own, whose layers cannot be made one by one: give "
                "clone_model(model) alone."
            )
        return _compiled_like(model, cast(Model, _copied(model)))

    def copied(layer: Layer) -> Layer:
        if isinstance(layer, Model) and layer._graph is not None and (recursive or not clone_function):
            return clone_model(layer, None, *((clone_function, call_function, True) if recursive else ()))
        return (clone_function or _copied)(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ArgumentError(
                "clone_model: call_function is for functional models; a Sequential calls its layers in turn."
            )
        return _compiled_like(model, _sequential(model, input_tensors, copied))
    return _compiled_like(model, _functional(model, input_tensors, copied, call_function))


def _compiled_like(model: Model, clone: Model) -> Model:
    """`clone`, compiled with copies of what `model` was compiled with."""
    if model.compiled:
        with by_reference():
            arguments = deserialize(serialize(model._compile_arguments))
        clone.compile(**arguments, run_eagerly=model.run_eagerly)
    return clone


def _copied(layer: Layer) -> Layer:
    with by_reference():
        return type(layer).from_config(layer.get_config())


def _sequential(model: Sequential, inputs: Any, copied: Callable) -> Sequential:
    clone = Sequential(name=model.name, trainable=model.trainable)
    first = jax.tree.leaves(inputs)
    if first:
        clone._symbols = first
    elif model.has_graph and not model.inputs[0].sizes_are_open:
        clone.add(_input_like(model.inputs[0]))
    for layer in model.layers:
        clone.add(copied(layer))
    if model.has_graph:
        clone.build(model.inputs[0].shape)
    return clone


def _functional(model: Model, inputs: Any, copied: Callable, call: Callable | None) -> Model:
    closed = model._graph
    assert closed is not None
    given = jax.tree.leaves(inputs) or [_input_like(symbol) for symbol in closed.flat_inputs]
    if len(given) != len(closed.flat_inputs):
        raise ArgumentError(
            f"clone_model: {model.title} has {len(closed.flat_inputs)} inputs; got {len(given)} tensors."
        )
    made: dict[SymbolicTensor, Any] = dict(zip(closed.flat_inputs, given, strict=True))
    layers: dict[Any, Any] = {}
    for node in closed.nodes:
        is_layer = isinstance(node.operation, Layer)
        if node.operation not in layers:
            layers[node.operation] = copied(node.operation) if is_layer else node.operation.function
        args, kwargs = jax.tree.map(
            lambda x: made[x] if isinstance(x, SymbolicTensor) else x, (node.args, node.kwargs), is_leaf=is_variable
        )
        run = layers[node.operation]
        outputs = call(run, *args, **kwargs) if call and is_layer else run(*args, **kwargs)
        made.update(zip(jax.tree.leaves(node.outputs), jax.tree.leaves(outputs), strict=True))
    cls = type(model) if type(model).__init__ is Model.__init__ else Model
    ends = jax.tree.unflatten(jax.tree.structure(closed.inputs), given), jax.tree.map(made.__getitem__, closed.outputs)
    return cls(*ends, name=model.name, trainable=model.trainable)


def _input_like(symbol: SymbolicTensor) -> SymbolicTensor:
    name = symbol.name if symbol.node and isinstance(symbol.node.operation, InputLayer) else None
    return Input(batch_shape=symbol.shape, dtype=symbol.dtype, name=name)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """The model that `model.to_json()` wrote down, with new weights.

    Args:
        json_string: The text.
        custom_objects: Classes and functions of yours that it names.

    Raises:
        ConfigError: Where the text is no JSON, or names what Keryx does not know.

    >>> import keryx
    >>> text = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)]).to_json()
    >>> model_from_json(text).count_params()
    8
    """
    config = plain.loads(json_string, "model_from_json, of the text that model.to_json() gives")
    model = deserialize(config, registry, custom_objects)
    if not isinstance(model, Model):
        raise ConfigError(f"The text holds the config of a {type(model).__name__}, not of a model.")
    return model
