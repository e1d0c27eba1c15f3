"""The table of a model: its layers, the shapes that come out of them, and their sizes."""

import io
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np

from keryx import switches
from keryx.core import graph
from keryx.core.shapes import known
from keryx.errors import ConfigError, listing
from keryx.layers.layer import Layer
from keryx.models.profiling import outline
from keryx.screens import output, tell


def summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    show_flops: bool = False,
) -> None:
    """Print a table of the layers, their output shapes and sizes.

    Args:
        model: The model.
        line_length: The width of the table, in characters; by default that of the terminal, at most 88, or
            108 where layers do not simply follow one another.
        positions: The share of the width at which each column ends; by default as wide as their text.
        print_fn: Called with the text in place of print; without, it is printed, or logged where interactive logging is
            disabled.
        expand_nested: Whether the layers of nested models are listed.
        show_trainable: Whether a column tells which layers are trained: Y, N, or - for those without weights.
        layer_range: The names, or regular expressions for them, of the first and the last layer to list.
        show_flops: Whether a column tells the floating-point operations of one row, forward; a multiply-add is 2.

    Raises:
        ConfigError: Where `layer_range` names no layer, or `positions` are not one a column.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    closed: graph.Graph | None = getattr(model, "_graph", None)
    chain = closed is None or _is_chain(closed)
    header = ["Layer (type)", "Output Shape", "Param #", *([] if chain else ["Connected to"])]
    header += ["Trainable"] * show_trainable + ["FLOPs"] * show_flops
    usual = 12 * show_trainable + 14 * show_flops + (88 if chain else 108)
    seen, costs = outline.output_shapes(model), outline.flops(model) if show_flops else None
    width = line_length or min(usual, shutil.get_terminal_size().columns)
    table = Table(width=width, show_lines=True)
    for title, column in zip(header, _columns(header, positions, width), strict=True):
        justify: Any = {"Param #": "right", "FLOPs": "right", "Trainable": "center"}.get(title, "left")
        table.add_column(Text(title), justify=justify, overflow="fold", width=column)
    for operation, level in _rows(model, closed, expand_nested, layer_range):
        inside = closed if level == 0 else None
        cells = [_title(operation, level), _shapes(operation, inside, seen), _size(operation)]
        if closed is not None and not chain:
            cells.append(_origins(operation, closed) if level == 0 else "-")
        if show_trainable:
            cells.append(_trained(operation))
        if show_flops:
            cells.append("-" if costs is None else f"{costs.get(operation, 0):,.0f}")
        table.add_row(*(Text(cell) for cell in cells))

    coloured = print_fn is None and switches.is_interactive_logging_enabled()
    console = Console(
        file=output() or io.StringIO(),
        width=width,
        highlight=False,
        force_jupyter=False,
        color_system="auto" if coloured else None,
    )
    with console.capture() as captured:
        console.print(Text(f'Model: "{model.name}"', "bold"))
        console.print(table)
        for line in _totals(model, costs):
            console.print(Text(line), soft_wrap=True)
    (print_fn or tell)(captured.get().rstrip("\n"))


def _rows(model: Any, closed: Any, expand: bool, layer_range: Sequence[str] | None) -> Iterable[tuple[Any, int]]:
    """The layers and ops to list, each with how deep it is nested."""

    def below(operations: list[Any], level: int) -> Iterable[tuple[Any, int]]:
        for operation in operations:
            yield operation, level
            if expand:
                yield from below(_layers_in(operation), level + 1)

    operations = list(model.layers)
    for node in closed.nodes if closed else []:
        if isinstance(node.operation, graph.Op):  # an op has no weights; it stands after what it is called on
            before = [symbol.node.operation for symbol in node.inputs if symbol.node]
            place = max((operations.index(o) + 1 for o in before if o in operations), default=0)
            operations.insert(place, node.operation)
    if layer_range is not None:
        operations = _between(operations, layer_range)
    return below(operations, 0)


def _layers_in(operation: Any) -> list[Any]:
    """The layers of a model, or of a layer that keeps them under that name; others mean a number by it."""
    layers = getattr(operation, "layers", None)
    return [layer for layer in layers if isinstance(layer, Layer)] if isinstance(layers, (list, tuple)) else []


def _between(operations: list[Any], layer_range: Sequence[str]) -> list[Any]:
    places = []
    for name in layer_range:
        found = [i for i, operation in enumerate(operations) if re.match(name, operation.name)]
        if not found:
            raise ConfigError(
                f"summary: layer_range names {name!r}; the model has {listing(o.name for o in operations)}."
            )
        places += [found[0], found[-1]] if len(layer_range) == 2 else []
    if not places:
        raise ConfigError(f"summary: layer_range is the names of the first and the last layer; got {layer_range}.")
    first, last = (places[0], places[3]) if places[0] <= places[3] else (places[2], places[1])
    return operations[first : last + 1]


def _columns(header: list[str], positions: Sequence[float] | None, width: int) -> list[int | None]:
    """The width of each column's text; None lets it follow from the text."""
    if positions is None:
        return [None] * len(header)
    if len(positions) == len(header) - 1 and header[-1] == "Trainable":
        positions = [0.9 * p for p in positions] + [positions[-1]]
    if len(positions) != len(header):
        raise ConfigError(f"summary: positions wants one number for each of {listing(header)}; got {positions}.")
    share = width if positions[-1] <= 1 else 1
    ends = [0, *(int(share * p) for p in positions)]
    return [max(end - start - 3, 1) for start, end in pairwise(ends)]  # 3: a rule and two blanks


def _is_chain(closed: graph.Graph) -> bool:
    """Whether each call takes what the one before it gave, and nothing else."""
    if len({node.operation for node in closed.nodes}) < len(closed.nodes):
        return False
    given = [closed.flat_inputs, *(jax.tree.leaves(node.outputs) for node in closed.nodes)]
    return all(
        len(node.inputs) == len(before) == 1 and node.inputs[0] is before[0]
        for node, before in zip(closed.nodes, given, strict=False)
    )


def _title(operation: Any, level: int) -> str:
    branch = "   " * level + "└ " if level else ""
    kind = operation.op_name if isinstance(operation, graph.Op) else type(operation).__name__
    return f"{branch}{operation.name} ({kind})"


def _shapes(operation: Any, closed: graph.Graph | None, seen: dict[Any, list[tuple]]) -> str:
    """The output shapes of a layer, each once: of its calls in a graph, or as `seen` in a subclass."""
    if isinstance(operation, graph.Op):
        nodes = [node for node in closed.nodes if node.operation is operation] if closed else []
    else:
        nodes = [node for node in operation.nodes if closed is None or node in closed.nodes] or operation.nodes
    shapes = [symbol.shape for node in nodes for symbol in jax.tree.leaves(node.outputs)]
    if not nodes:
        shapes = seen.get(operation) or [known(shape) for shape in getattr(operation, "_seen_shapes", [])]
    if not shapes:
        return "" if operation.built else "not built yet"
    return ",\n".join(dict.fromkeys(str(tuple(shape)) for shape in shapes))


def _size(operation: Any) -> str:
    if isinstance(operation, graph.Op):
        return "0"
    return f"{operation.count_params():,}" if operation.built else "-"


def _origins(operation: Any, closed: graph.Graph) -> str:
    """Whose results each call takes: `layer[call][result]`."""
    calls: dict[Any, list[graph.Node]] = {}
    for node in closed.nodes:
        calls.setdefault(node.operation, []).append(node)

    def origin(symbol: Any) -> str:
        if symbol.node is None or symbol.node not in calls.get(symbol.node.operation, []):
            return f"{symbol.name}[0][0]"
        return f"{symbol.node.operation.name}[{calls[symbol.node.operation].index(symbol.node)}][{symbol.index}]"

    return ", ".join(origin(symbol) for node in calls.get(operation, []) for symbol in node.inputs) or "-"


def _trained(operation: Any) -> str:
    if not getattr(operation, "weights", []):
        return "-"
    return "Y" if operation.trainable else "N"


def _totals(model: Any, costs: dict[Any, float] | None) -> list[str]:
    optimizer: Any = getattr(model, "optimizer", None)
    kept = jax.tree.leaves(getattr(optimizer, "state", None))
    parts = {"Trainable": model.trainable_weights, "Non-trainable": model.non_trainable_weights}
    if kept:
        parts["Optimizer"] = kept
    everything = [variable for variables in parts.values() for variable in variables]
    lines = [f" {part} params: {_amount(variables)}" for part, variables in {"Total": everything, **parts}.items()]
    return lines if costs is None else [*lines, f" FLOPs of one row, forward: {costs[model]:,.0f}"]


def _amount(variables: Iterable[Any]) -> str:
    sizes = [(variable.size, np.dtype(variable.dtype).itemsize) for variable in variables]
    return f"{sum(n for n, _ in sizes):,} ({readable_size(sum(n * width for n, width in sizes))})"


def readable_size(size: float) -> str:
    """A number of bytes as people say it.

    >>> readable_size(120), readable_size(2048), readable_size(3 * 2**20)
    ('120.00 B', '2.00 KB', '3.00 MB')
    """
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"
