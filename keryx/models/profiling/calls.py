"""The calls that a model consists of: what each layer and op is given, seen while the model runs once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import get_opaque_trace_state

from keryx.core import graph, scope, shapes
from keryx.core.variable import Variable
from keryx.models.structure import Structure


class Call:
    """One call of a layer or op within a model.

    Args:
        operation: What is called.
        models: The models that it stands in, below the outermost.
        args: Its arguments: tracers while the model is traced, afterwards arrays or what has their shape and dtype.
        kwargs: Likewise.
        training: Whether it is a call of training.

    Attributes:
        path: The names of those models, then its own.
        outputs: What came out.
        moving: Which of the arrays that it is given depend on weights that are trained.
        is_repeated: Whether it stands in a loop or a function that JAX transforms, so that its arrays are not known.
    """

    def __init__(self, operation: Any, models: tuple, args: tuple, kwargs: dict[str, Any], training: bool):
        self.operation, self.models, self.training = operation, models, training
        self.path = tuple(one.name for one in (*models, operation))
        self.leaves, self.nest = jax.tree.flatten((args, kwargs))
        self.places = [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, jax.Array | np.ndarray)]
        self.within = scope.names()
        self.outputs: Any = None
        self.moving: list[bool] = []
        self.is_repeated = False

    @property
    def arrays(self) -> list[Any]:
        """The arrays among its arguments."""
        return [self.leaves[place] for place in self.places]

    @property
    def variables(self) -> list[Variable]:
        """The variables of the layer, those that are trained first."""
        trained = getattr(self.operation, "trainable_variables", [])
        return [*trained, *getattr(self.operation, "non_trainable_variables", [])]

    @property
    def kind(self) -> str:
        """The class of the layer, or what the op is called."""
        return getattr(self.operation, "op_name", None) or type(self.operation).__name__

    def function(self) -> Callable:
        """The call as a pure function `(values of the variables, key, arrays) -> results`, in flat order."""

        def run(arrays: Sequence[Any]) -> list[Any]:
            leaves = list(self.leaves)
            for place, array in zip(self.places, arrays, strict=True):
                leaves[place] = array
            args, kwargs = jax.tree.unflatten(self.nest, leaves)
            with ExitStack() as names:
                for name in self.within[:-1]:
                    names.enter_context(scope.named(name))
                return jax.tree.leaves(self.operation(*args, **kwargs))

        pure = scope.pure(run, self.variables, self.training)

        def function(values: Sequence[Any], key: Any, arrays: Sequence[Any]) -> Any:
            outputs, updates, losses = pure(values, key, arrays)
            return outputs, [*updates.values(), *losses]

        return function


class Recorder:
    """Notes the calls that layers and ops are given by models; what a layer calls within itself is its own affair."""

    def __init__(self, known: Any = ()):
        self.calls: list[Call] = []
        self.nested: list[Call] = []  # of models, each after those within
        self._models: tuple = ()  # that are running, the outermost first
        self._moves: dict[int, bool] = {id(x): False for x in jax.tree.leaves(known)}  # by the array's identity
        self._any_moves = False
        self._alive: list[Any] = [known]  # so that no identity is given to another array
        self._state = get_opaque_trace_state()

    def __call__(self, operation: Any, call: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Make a call and note it; a model's is no call of its own, but those within it are."""
        running = scope.current()
        noted = Call(operation, self._models[1:], args, kwargs, running is not None and running.training)
        noted.is_repeated = get_opaque_trace_state() != self._state
        if isinstance(operation, Structure):
            before = self._models
            self._models = *before, operation
            noted.outputs = call(*args, **kwargs)
            self._models = before
            self.nested.append(noted)
            return noted.outputs
        if isinstance(operation, graph.Op):
            noted.within = (*noted.within, operation.name)
        noted.moving = [self._moves.get(id(x), self._any_moves) for x in noted.arrays]
        self.calls.append(noted)
        with scope.watched(None):
            noted.outputs = outputs = call(*args, **kwargs)
        moves = any(noted.moving) or bool(getattr(operation, "trainable_variables", []))
        self._any_moves |= moves
        self._moves |= {id(x): moves for x in jax.tree.leaves(outputs)}
        self._alive += [noted.arrays, outputs]
        return outputs

    def arrays(self) -> list[Any]:
        """What the calls were given and gave, as far as it may leave the function that is traced."""
        everything = [*self.calls, *self.nested]
        return [None if call.is_repeated else (call.arrays, call.outputs) for call in everything]

    def fill(self, arrays: Sequence[Any]) -> None:
        """Put arrays in the place of the tracers that stood for them."""
        self._alive, self._moves = [], {}
        for call, found in zip([*self.calls, *self.nested], arrays, strict=True):
            inputs, call.outputs = found or _made_up((call.arrays, call.outputs))
            for place, array in zip(call.places, inputs, strict=True):
                call.leaves[place] = array


def _made_up(tracers: Any) -> Any:
    """Zeros of the shapes of tracers of a loop, which ended with it."""
    return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype) if hasattr(x, "shape") else x, tracers)


def watching(model: Any, training: bool, variables: Any) -> tuple[Callable, Callable[[], Recorder]]:
    """A pure function `(values, key, inputs) -> arrays of the calls` that runs a model, and what it noted last.

    Args:
        model: The model.
        training: Whether it is to behave as in training.
        variables: Its variables, of which the function is given the values.
    """
    noted: list[Recorder] = []

    def forward(x: Any) -> Any:
        recorder = Recorder(x)
        noted.append(recorder)
        with scope.watched(recorder):
            model(x, training=training)
        return recorder.arrays()

    run = scope.pure(forward, variables, training)
    return lambda values, key, x: run(values, key, x)[0], lambda: noted[-1]


def seen(model: Any, x: Any, training: bool, values: Any, variables: Any) -> list[Call]:
    """The calls of a run on a batch, with the arrays that they are given."""
    run, noted = watching(model, training, variables)
    arrays = jax.jit(run)(values, jnp.zeros(2, jnp.uint32), x)
    recorder = noted()
    recorder.fill(arrays)
    return recorder.calls


def traced(model: Any, x: Any, training: bool = False) -> list[Call]:
    """The calls of a run on inputs of these shapes, with what has the shapes and dtypes of the arrays; nothing runs.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2, name="head")])
    >>> [(call.path, call.outputs.shape) for call in traced(model, jax.ShapeDtypeStruct((4, 3), "float32"))]
    [(('head',), (4, 2))]
    """
    run, noted = watching(model, training, model.variables)
    values = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in model.variables]
    before = shapes.probing.set(True)  # so that no layer takes these for shapes that it has seen
    try:
        arrays = jax.eval_shape(run, values, jax.ShapeDtypeStruct((2,), np.uint32), x)
    finally:
        shapes.probing.reset(before)
    recorder = noted()
    recorder.fill(arrays)
    return recorder.calls


def outlined(model: Any) -> list[Call]:
    """The calls of a model, of models within too, with the Specs of arrays: on inputs of any batch."""
    run, noted = watching(model, False, model.variables)
    values = [shapes.Spec(v.shape, v.dtype) for v in model.variables]
    for x in inputs_like(model, None):
        try:
            arrays = shapes.results(run, (values, shapes.Spec((2,), np.dtype(np.uint32)), x))
        except Exception:
            continue
        recorder = noted()
        recorder.fill(arrays)
        return [*recorder.calls, *recorder.nested]
    return []


def inputs_like(model: Any, rows: int | None) -> list[Any]:
    """Specs of so many rows of inputs: a graph's own, or what a subclass was built for, as floats and as integers."""
    if model.has_graph:
        symbols = model.input if model.halves.host is None else model.halves.device.inputs
        return [jax.tree.map(lambda s: shapes.Spec((s.shape[0] or rows, *s.shape[1:]), np.dtype(s.dtype)), symbols)]
    given = (model._built_for or {}).get("input_shape")
    if given is None:
        return []

    def specs(dtype: str) -> Any:
        return shapes.map_shapes(lambda shape: shapes.Spec((rows, *shape[1:]), np.dtype(dtype)), given)

    return [specs(model.compute_dtype), specs("int32")]
