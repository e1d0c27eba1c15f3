"""Model: a graph of calls, or a subclass with a call of its own, that can be trained."""

import functools
import importlib
import json
import os
from collections.abc import Sequence
from typing import Any

import jax

from keryx import old_words
from keryx.core import graph, scope, split
from keryx.core.codec import reads, serialize
from keryx.core.matching import as_wanted, match
from keryx.core.names import is_own
from keryx.core.split import Fed, Halves
from keryx.core.symbol import SymbolicTensor, describe
from keryx.errors import (
    ArgumentError,
    ShapeError,
    StateError,
)
from keryx.layers.input import Input
from keryx.layers.layer import Layer, registry
from keryx.models import config as configs
from keryx.models.compiled_call import CompiledCall
from keryx.models.files import Files
from keryx.models.ranges import ranges_of
from keryx.models.rewire import reachable
from keryx.models.structure import Structure
from keryx.models.views import Views
from keryx.training.protocol import TrainedModel
from keryx.training.trainer import Trainer


class Model(Trainer, Files, Views, Structure):
    """A graph between inputs and outputs, or a subclass with a `call` of its own, that can be trained.

    A model is a layer: called on symbolic tensors it nests in another graph and shares its weights.

    Args:
        inputs: Symbolic tensors, from `Input` or from the midst of another graph: one, or a nest of them.
        outputs: Symbolic tensors that follow from them, likewise.
        name: The model's name.
        trainable: Whether its weights are trained.

    Raises:
        DataError: Where an output needs a tensor that is not among the inputs.

    >>> import keryx
    >>> x = keryx.Input((784,))
    >>> model = keryx.Model(x, keryx.layers.Dense(10, activation="softmax")(x))
    >>> model.count_params()
    7850
    """

    renamed_arguments = old_words.MODEL
    _made_again = (*Layer._made_again, "compiled_call", "halves", "_input_checks", "history")

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True, **kwargs
    ):
        if (inputs is None) != (outputs is None):
            raise ArgumentError(
                f"Model() wants both inputs= and outputs=; got only {'in' if outputs is None else 'out'}puts."
            )
        if name is None and inputs is not None and type(self) is Model:
            name = graph.unique_name("functional")
        super().__init__(name=name, **kwargs)
        self.compiled_call = CompiledCall(self)
        self._graph: graph.Graph | None = None
        self._layers: list[Layer] = []
        self._ranges: list[Any] | None = None
        if inputs is not None:
            self._close(inputs, outputs)
            _ = self.halves  # says now what cannot run in two parts
        if not trainable:
            self.trainable = False

    def _close(self, inputs: Any, outputs: Any, losses: Sequence[SymbolicTensor] = ()) -> None:
        """Take the graph between `inputs` and `outputs` as what the model computes."""
        self._graph = graph.Graph(inputs, reachable(jax.tree.leaves(inputs), outputs), losses)
        self._layers = configs.layers_in_order(self._graph)
        self._ranges = None
        for node in self._graph.nodes:
            node.models.add(self)
        self.built = True
        self._graph_has_changed()

    def _graph_has_changed(self) -> None:
        """Forget what was compiled for the graph as it was."""
        self.compiled_call.clear()
        self._input_checks = None
        vars(self).pop("halves", None)
        if self._session is not None:
            self._session.graph_has_changed()

    def add_loss(self, loss: Any) -> None:
        """Add to the loss: within `call` a scalar, and of a graph a symbolic scalar, or several.

        Args:
            loss: A scalar that follows from the model's inputs, such as `keryx.ops.mean(x ** 2)`.

        Raises:
            ShapeError: Where it is no scalar.
        """
        symbols = graph.symbols_in(loss)
        if not symbols:
            super().add_loss(loss)
            return
        own = self._own_graph("graph to add a symbolic loss to")
        for symbol in symbols:
            if symbol.shape != ():
                raise ShapeError(
                    f"An added loss is a scalar; {symbol.name!r} is {describe(symbol.shape)}. Take its mean."
                )
        added = reachable(own.flat_inputs, [*own.losses, *symbols])
        self._close(own.inputs, own.outputs, added)

    @functools.cached_property
    def halves(self) -> Halves:
        """The host part and the device part of the graph."""
        return split.halves(self._graph)

    # -- calling -------------------------------------------------------------------------------------------------

    @property
    def has_call(self) -> bool:
        """Whether it computes anything: by its graph, or by a call of its own."""
        return self._graph is not None or type(self).call is not Model.call

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The outputs for these inputs. A subclass without a graph writes its own."""
        if self._graph is None:
            raise StateError(f"{self.title} has neither inputs and outputs nor a call(self, inputs) of its own.")
        if isinstance(inputs, Fed):
            return self.halves.device.run(inputs.values)
        flat = self._arguments(inputs)
        if mask is not None:
            masks = match(mask, self.input_names, self._graph.inputs, "mask", partial=True)
            for x, m in zip(flat, masks, strict=True):
                if m is not None:
                    scope.set_mask(x, m)
        return self._graph.run(flat)

    def _arguments(self, inputs: Any) -> list[Any]:
        """The inputs in the graph's order, each of the dtype and shape that its Input wants."""
        assert self._graph is not None
        symbols = self._graph.flat_inputs
        flat = match(inputs, self.input_names, self._graph.inputs)
        return [as_wanted(x, symbol, symbols) for x, symbol in zip(flat, symbols, strict=True)]

    def _call_eagerly(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Compute as the outermost layer: a graph runs as one compiled program."""
        args = self.halves.fed(args)
        plain = len(args) == 1 and kwargs.keys() <= {"training"} and is_own(type(self).call)
        if not plain or self._graph is None:
            return super()._call_eagerly(args, kwargs)
        x = args[0]
        if not isinstance(x, Fed):
            x = jax.tree.unflatten(jax.tree.structure(self._graph.inputs), self._arguments(x))
        training = kwargs.get("training")
        return self.compiled_call(x, self.trains_alone if training is None else bool(training))

    @property
    def trains_alone(self) -> bool:
        """Whether a call that does not say `training=` is one of training: where the model only prepares data."""
        return any(layer.trains_alone for layer in self._layers or self.layers) and not self.variables

    def symbolic_outputs(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """New symbols for the outputs of a call: like its own, where a graph is called on symbols like its inputs."""
        args = self.halves.symbolic(self, args)
        own = self._graph
        if own is None or kwargs or len(args) != 1 or not is_own(type(self)):
            return super().symbolic_outputs(args, kwargs)
        if jax.tree.map(_kind, args[0]) != jax.tree.map(_kind, own.inputs):
            return super().symbolic_outputs(args, kwargs)
        return jax.tree.map(SymbolicTensor.like, own.outputs)

    def input_ranges(self) -> list[Any]:
        """For each input the integers that an Embedding behind it takes, or None."""
        if self._ranges is None:
            self._ranges = ranges_of(self._graph) if self._graph is not None else []
        return self._ranges

    def fed_ranges(self) -> list[Any]:
        """Likewise for each array that the device part is given, where there is a host part."""
        return [] if self.halves.host is None else ranges_of(self.halves.device)

    def _fed(self, args: tuple) -> tuple:
        return self.halves.fed(args)

    @property
    def losses(self) -> list[jax.Array]:
        """What the last call added with add_loss, then the regularization of the weights."""
        running = scope.current()
        return super().losses if running is None or running.gathered is None else list(running.gathered)

    def __getstate__(self) -> dict[str, Any]:
        # The models within come first, the innermost first, so that copying does not descend from one to the next.
        within, waiting = list[Model](), [self]
        while waiting:
            inner = [layer for layer in waiting.pop().children() if isinstance(layer, Model) and layer not in within]
            within += inner
            waiting += inner
        return {"within": within[::-1]} | super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        del state["within"]
        vars(self).update(state, compiled_call=CompiledCall(self))
        for node in self._graph.nodes if self._graph is not None else []:
            node.models.add(self)

    # -- what is in it -------------------------------------------------------------------------------------------

    def _places(self) -> list[Any]:
        """The layers of the graph, then the attributes."""
        return [self._layers, *super()._places()]

    def reset_states(self) -> None:
        """Let every stateful layer within forget its state."""
        for layer in self.children():
            for method in ("reset_states", "reset_state"):
                if hasattr(layer, method):
                    getattr(layer, method)()
                    break

    # -- files ---------------------------------------------------------------------------------------------------

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write the model, as it infers, for other programs, which do without its code.

        Args:
            filepath: The file; for TensorFlow the folder.
            format: `onnx` (needs the package onnx); `stablehlo`, a program of XLA's with its weights, which
                `keryx.export.load` reads (needs flatbuffers); or Keras's default `tf_saved_model` (needs TensorFlow).
            verbose: Whether a line tells what was written; by default it does.
            input_signature: What has a shape and a dtype for each input, such as `[keryx.Input(batch_shape=(1, 10))]`,
                where they are to be narrower than the model's own.
            **kwargs: Of the format: `opset_version` of onnx; `platforms`, among cpu, cuda and tpu, of stablehlo.

        Raises:
            ExportError: Where the format cannot hold the model, naming what is in the way; nothing is written then.
        """
        write = importlib.import_module("keryx.export").export_model  # exporters stand above models
        write(self, filepath, format, verbose, input_signature, **kwargs)

    # -- config --------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The graph as plain data in Keras's words; for a subclass, the arguments that it was made with."""
        if self._graph is not None and configs.is_made_of_graphs(type(self)):
            return configs.of_graph(self, self._graph)
        return super().get_config()  # what a class that closes its own graph was made with

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that a subclass was built for; a graph has its own."""
        return None if self._graph is not None else super().get_build_config()

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Make the weights as they were when `get_build_config` was asked: by a call on inputs of those shapes."""
        if self._graph is not None or not config:
            return
        if not is_own(type(self).build):
            super().build_from_config(config)
        else:
            self._build_by_call(config)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of a subclass, by a call on symbolic inputs of these shapes; a graph has made its own.

        Args:
            input_shape: A shape with the batch axis, such as `(None, 784)`, or a nest of them.
        """
        for_a_call = scope.names()[-1:] == (self.name,)  # which makes the weights itself
        if self._graph is not None or for_a_call or input_shape is None:
            return
        if type(self).build is Model.build:
            self._build_by_call({"input_shape": input_shape})
        else:  # by a build of the subclass's own
            self._built_for = {"input_shape": input_shape}

    def _build_by_call(self, config: dict[str, Any]) -> None:
        shapes = config["input_shape"] if "input_shape" in config else config["shapes_dict"]
        errors = list[Exception]()
        for dtype in (self.compute_dtype, "int32"):  # an Embedding wants integers
            made = functools.partial(_input, dtype)
            inputs = jax.tree.map(made, shapes, is_leaf=_is_shape)
            args, kwargs = ((), inputs) if "shapes_dict" in config else ((inputs,), {})
            try:
                self._build_for_call(args, kwargs)
                self.symbolic_outputs(args, kwargs)
            except Exception as error:
                errors.append(error)
            else:
                return
        raise errors[0]

    def to_json(self, **kwargs: Any) -> str:
        """The config as JSON, which `model_from_json` reads; `kwargs` are those of `json.dumps`."""
        return json.dumps(serialize(self), **kwargs)

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A model made anew from what `get_config` gave, its weights new as well."""
        return configs.make(cls, config)

    @property
    def config_class_name(self) -> str:
        """The class that a config names: Keras calls a model with a graph Functional."""
        return "Functional" if type(self) is Model and self._graph is not None else type(self).__name__

    @property
    def config_module(self) -> str:  # type: ignore[override]
        """Where Keras's configs say that the class is."""
        return "keras.src.models.functional" if self.config_class_name == "Functional" else "keras"

    @property
    def config_registered_name(self) -> str | None:
        """The name under which Keras registers the class."""
        return "Functional" if self.config_class_name == "Functional" else None


def _input(dtype: str, shape: Any) -> SymbolicTensor:
    return Input(batch_shape=shape, dtype=dtype)


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(size is None or isinstance(size, int) for size in value)


def _kind(x: Any) -> Any:
    return (x.shape, x.dtype, x.mask) if isinstance(x, SymbolicTensor) else None


_: type[TrainedModel] = Model  # the type checker sees that it has what training asks for
Model._base_arguments |= {"inputs", "outputs"}
registry.table |= dict.fromkeys(("Functional", "Model", "model"), Model)
