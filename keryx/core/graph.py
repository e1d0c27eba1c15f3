"""Calls written down as nodes, and graphs of them run again on real arrays.

An operation is anything that can be called and has a name: a layer, a model, or an `Op`, a plain function.
"""

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from keryx.core import host, scope, shapes
from keryx.core.shapes import Spec
from keryx.core.symbol import SymbolicTensor, describe
from keryx.errors import DataError, UndefinedError, warn

_KEY = Spec((2,), np.dtype(np.uint32))  # of the random key that a trace is given
_FEW = 64  # numbers that sizes are reckoned with

_names_taken: dict[str, int] = {}
_naming = threading.Lock()


class _Made(threading.local):
    nodes: "list[Node] | None" = None  # of this thread, in an unnoticed block


_made = _Made()


def unique_name(base: str) -> str:
    """`base`, then `base_1`, `base_2`, ...: the names of things that the user has not named."""
    with _naming:
        count = _names_taken.get(base, 0)
        _names_taken[base] = count + 1
    return base if count == 0 else f"{base}_{count}"


def clear_names() -> None:
    """Begin again to count the names of unnamed things."""
    _names_taken.clear()


@contextmanager
def unnoticed() -> Iterator[None]:
    """A block whose calls on symbols use up no names, and that no layer remembers."""
    names, before, made = dict(_names_taken), _made.nodes, list[Node]()
    _made.nodes = made
    try:
        yield
    finally:
        _made.nodes = before
        for node in made:
            if node in getattr(node.operation, "nodes", ()):
                node.operation.nodes.remove(node)
        with _naming:
            _names_taken.clear()
            _names_taken.update(names)


class Op:
    """A plain function as an operation of a graph."""

    def __init__(self, function: Callable, name: str):
        self.function, self.op_name, self.name = function, name, unique_name(name)

    def __call__(self, *args, **kwargs):
        watch = scope.here.watch
        return self.function(*args, **kwargs) if watch is None else watch(self, self.function, args, kwargs)


class Node:
    """One call: the operation, its arguments, and the symbolic tensors that came out.

    Args:
        operation: What was called.
        args: Its positional arguments, symbolic tensors at any depth among them.
        kwargs: Its keyword arguments.
    """

    def __init__(self, operation: Any, args: tuple, kwargs: dict[str, Any]):
        self.operation, self.args, self.kwargs = operation, args, kwargs
        self.inputs = symbols_in((args, kwargs))
        self.outputs: Any = None
        self.models: weakref.WeakSet = weakref.WeakSet()  # whose graphs it belongs to

    def end_in(self, outputs: Any) -> None:
        """Let symbols be the results of the call, and the operation know of it."""
        self.outputs = outputs
        for index, symbol in enumerate(jax.tree.leaves(outputs)):
            symbol.node, symbol.index = self, index
        if hasattr(self.operation, "nodes"):
            self.operation.nodes.append(self)
        if _made.nodes is not None:
            _made.nodes.append(self)

    def run(self, values: dict[SymbolicTensor, Any]) -> list[Any]:
        """Add the values of the results, which are returned, to those of the symbols that the call takes."""

        def value(x: Any) -> Any:
            return values[x] if isinstance(x, SymbolicTensor) else x

        args, kwargs = jax.tree.map(value, (self.args, self.kwargs))
        results = jax.tree.leaves(self.operation(*args, **kwargs))
        values.update(zip(jax.tree.leaves(self.outputs), results, strict=True))
        return results

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "models"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, models=weakref.WeakSet())
        self.end_in(self.outputs)


def symbols_in(tree: Any) -> list[SymbolicTensor]:
    """The symbolic tensors in a nest of lists, tuples and dicts."""
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, SymbolicTensor)]


def record(operation: Any, args: tuple, kwargs: dict[str, Any], outputs: Any) -> Any:
    """Write a call on symbols down as a node that new symbols, those of its results, come out of."""
    for symbol in jax.tree.leaves(outputs):
        symbol.name = unique_name("keras_tensor")
    Node(operation, args, kwargs).end_in(outputs)
    return outputs


def trace(operation: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """New symbols for the results of a call on symbols, which is not written down."""
    if host.runs_here(operation, (args, kwargs)):
        return host.trial(operation, args, kwargs)
    host.refuse_text(operation, (args, kwargs))
    leaves, tree = jax.tree.flatten((args, kwargs))
    symbols = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, SymbolicTensor)}
    masked = {i: symbol.mask for i, symbol in symbols.items() if symbol.mask is not None}

    def call(key, arrays, masks):
        filled_args, filled_kwargs = jax.tree.unflatten(tree, [arrays.get(i, leaf) for i, leaf in enumerate(leaves)])
        with scope.run(scope.Scope({}, key)):
            for i, mask in masks.items():
                scope.set_mask(arrays[i], mask)
            outputs = operation(*filled_args, **filled_kwargs)
            return outputs, [scope.mask_of(output) for output in jax.tree.leaves(outputs)]

    given = _KEY, {i: Spec(s.shape, s.dtype) for i, s in symbols.items()}, masked
    outputs, masks = shapes.results(call, given, [leaf.shape for leaf in leaves if hasattr(leaf, "shape")])
    traced = jax.tree.map(lambda spec: SymbolicTensor(spec.shape, spec.dtype, name="traced"), outputs)
    for symbol, mask in zip(jax.tree.leaves(traced), masks, strict=True):
        symbol.mask = mask
    return traced


def lift(function: Callable, name: str | None = None, of_sizes: bool = False) -> Callable:
    """`function` so that it also takes symbolic tensors, which it records, and variables, which it reads.

    Args:
        function: A function of arrays.
        name: The name of the op; by default the function's.
        of_sizes: Whether sizes are reckoned with by it: of a few whole numbers that are known while a program is traced
            it then makes what is known too.

    >>> import jax.numpy as jnp, keryx
    >>> lift(jnp.exp)(keryx.Input((3,))).shape
    (None, 3)
    """
    op_name = name or function.__name__

    @functools.wraps(function)
    def lifted(*args, **kwargs):
        leaves, nest = jax.tree.flatten((args, kwargs))  # a variable is its array there
        if any(isinstance(leaf, SymbolicTensor) for leaf in leaves):
            try:
                op = Op(lifted, op_name)
                return record(op, args, kwargs, trace(op, args, kwargs))
            except Exception as error:
                arrays = [x for x in leaves if hasattr(x, "shape")]
                shapes = ", ".join(describe(x.shape, x.dtype) for x in arrays)
                error.add_note(f"In the op {op_name!r}, called on {shapes}.{_way_out(error, arrays)}")
                raise
        args, kwargs = jax.tree.unflatten(nest, leaves)
        if of_sizes and len(leaves) <= _FEW and all(map(_is_known, leaves)):
            with jax.ensure_compile_time_eval():
                return function(*args, **kwargs)
        return function(*args, **kwargs)

    lifted.__name__ = op_name
    return lifted


def _is_known(x: Any) -> bool:
    """Whether an argument is a word, a whole number, or a few of them, with values also while a program is traced."""
    if isinstance(x, jax.core.Tracer):  # whose size may not be known either
        return False
    if isinstance(x, (np.ndarray, jax.Array)):
        return x.size <= _FEW and x.dtype.kind in "iu"
    return isinstance(x, (int, np.integer, str))


def _way_out(error: Exception, arrays: list[Any]) -> str:
    """What to write where an op wants shapes that broadcast."""
    if "for broadcasting" not in str(error) or len(arrays) != 2:
        return ""
    from keryx.core import ways_out

    return ways_out.together([array.shape for array in arrays])


def first_call(operation: Any, title: str, what: str) -> Node:
    """The node of an operation's first call on symbols, of whose tensors its `.input` and `.output` tell.

    Raises:
        UndefinedError: Where there was no call.
    """
    calls = operation.nodes
    if not calls:
        raise UndefinedError(f"{title} was not called on symbolic tensors, so it has no .{what}.")
    if len(calls) > 1:
        warn(
            f"{title} was called {len(calls)} times: .{what} is that of the first call. Keep what a call returns to "
            f"have that of another, or take it of {operation.name}.nodes."
        )
    return calls[0]


class Graph:
    """The nodes between some inputs and some outputs, in an order in which they can run.

    Args:
        inputs: Symbolic tensors, in any nest of lists, tuples and dicts.
        outputs: Symbolic tensors that follow from them.
        losses: Scalars that follow from them as well, and are added to the loss wherever the graph runs.
        nodes: The nodes, in an order in which they can run, where they are known.

    Raises:
        DataError: Where an output needs a tensor that is not among the inputs.
    """

    def __init__(
        self, inputs: Any, outputs: Any, losses: Sequence[SymbolicTensor] = (), nodes: list[Node] | None = None
    ):
        self.inputs, self.outputs, self.losses = inputs, outputs, list(losses)
        self.flat_inputs: list[SymbolicTensor] = jax.tree.leaves(inputs)
        self.flat_outputs: list[SymbolicTensor] = jax.tree.leaves(outputs)
        for role, tensors in (("input", self.flat_inputs), ("output", self.flat_outputs)):
            for tensor in tensors:
                if not isinstance(tensor, SymbolicTensor):
                    from keryx.core import mistaken

                    raise DataError(
                        f"Each {role} of a Model is a symbolic tensor, from Input(...) or a layer called on one; "
                        f"got {mistaken.described(tensor)}."
                    )
        if not self.flat_outputs:
            raise DataError("A Model needs at least one output.")
        self.nodes = _in_order(self.flat_inputs, [*self.flat_outputs, *self.losses]) if nodes is None else nodes

    def __getstate__(self) -> dict[str, Any]:
        # The nodes with which the inputs come in come along: a symbol by itself says nothing of its node.
        return vars(self) | {"sources": [s.node for s in self.flat_inputs if s.node and not s.node.inputs]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        del state["sources"]
        vars(self).update(state)

    def append(self, output: SymbolicTensor) -> None:
        """Let the graph end in the one result of a call on its output."""
        assert output.node is not None
        self.outputs, self.flat_outputs = output, [output]
        self.nodes.append(output.node)

    def run(self, flat_inputs: Sequence[Any], watch: Callable[[Node, list[Any]], None] | None = None) -> Any:
        """The outputs at these values of the inputs; `watch` is shown each node with the leaves of its results."""
        values = dict(zip(self.flat_inputs, flat_inputs, strict=True))
        for node in self.nodes:
            results = node.run(values)
            if watch is not None:
                watch(node, results)
        running = scope.current()
        if running is not None:
            running.losses.extend(values[loss] for loss in self.losses)
        return jax.tree.map(values.__getitem__, self.outputs)


def _in_order(inputs: list[SymbolicTensor], outputs: list[SymbolicTensor]) -> list[Node]:
    """The nodes that lead from `inputs` to `outputs`: each after those that it needs."""
    given, order, seen = set(inputs), [], set()
    for output in outputs:
        waiting: list[tuple[SymbolicTensor, bool]] = [(output, False)]
        while waiting:
            tensor, arguments_done = waiting.pop()
            node = tensor.node
            if tensor in given or node in seen:
                continue
            if node is None or not node.inputs:
                raise DataError(
                    f"Output {output.name!r} needs {tensor!r}, which is not among the model's inputs "
                    f"({', '.join(i.name for i in inputs) or 'none'}). Add it to them: "
                    f"Model([{', '.join(i.name for i in [*inputs, tensor])}], ...)."
                )
            if arguments_done:
                seen.add(node)
                order.append(node)
            else:
                waiting.append((tensor, True))
                waiting.extend((argument, False) for argument in reversed(node.inputs))
    return order
