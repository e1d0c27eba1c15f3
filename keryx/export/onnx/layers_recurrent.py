"""Recurrent layers in ONNX: its own LSTM, GRU and RNN where they compute the same, else a loop over the cell's step."""

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from keryx import activations, layers
from keryx.core.names import is_own
from keryx.export.onnx.exporter import Exporter, layer, masks_of
from keryx.export.onnx.layers_convolution import as_it_was, channels_first, convolution, kernel_of
from keryx.export.onnx.value import Value
from keryx.layers.recurrent.conv_lstm import ConvLSTMCell

_NAMES = {
    activations.tanh: "Tanh", activations.sigmoid: "Sigmoid", activations.relu: "Relu",
    activations.softsign: "Softsign", activations.softplus: "Softplus",
}  # fmt: skip
# Of each cell: ONNX's operator, and the order of its gates among the cell's.
_OPERATORS = {
    layers.LSTMCell: ("LSTM", (0, 3, 1, 2)),
    layers.GRUCell: ("GRU", (0, 1, 2)),
    layers.SimpleRNNCell: ("RNN", (0,)),
}


@layer(layers.RNN)
def rnn(g: Exporter, of: Any, sequences: Value, initial_state: Any = None, mask: Value | None = None) -> Any:
    ((outputs, last, states),) = _run(g, [of], sequences, [initial_state], mask)
    if of.return_sequences:
        output = g.flip(outputs, 1) if of.go_backwards else outputs
    else:
        output = last
    return (output, *states) if of.return_state else output


@masks_of(layers.RNN)
def rnn_mask(g: Exporter, of: Any, inputs: Any, masks: Any) -> Any:
    mask = masks if of.return_sequences else None
    return [mask] + [None] * len(of.state_size) if of.return_state else mask


@layer(layers.Bidirectional)
def bidirectional(g: Exporter, of: Any, sequences: Value, initial_state: Any = None, mask: Value | None = None) -> Any:
    half = len(initial_state) // 2 if initial_state is not None else 0
    states = [initial_state[:half], initial_state[half:]] if half else [None, None]
    sides = [of.forward_layer, of.backward_layer]
    (y, last, after), (y_back, last_back, after_back) = _run(g, sides, sequences, states, mask)
    if not of.return_sequences:
        y, y_back = last, last_back
    elif of.forward_layer.go_backwards:  # as the layer has it: its outputs stand from the last step to the first
        y, y_back = g.flip(y, 1), g.flip(y_back, 1)
    merges = {
        "concat": lambda: (g.concat([y, y_back], -1),), "sum": lambda: (y + y_back,), "mul": lambda: (y * y_back,),
        "ave": lambda: ((y + y_back) / 2,), None: lambda: (y, y_back),
    }  # fmt: skip
    outputs = merges[of.merge_mode]()
    outputs = (*outputs, *after, *after_back) if of.return_state else outputs
    return outputs if len(outputs) > 1 else outputs[0]


@masks_of(layers.Bidirectional)
def bidirectional_mask(g: Exporter, of: Any, inputs: Any, masks: Any) -> Any:
    mask = masks if of.return_sequences else None
    return [mask, mask] if of.merge_mode is None else [mask]


Direction = tuple[Value, Value, list[Value]]  # outputs (batch, time, units) in the order of time, the last, the states


def _run(g: Exporter, sides: list[Any], x: Value, states: list[Any], mask: Value | None) -> list[Direction]:
    """What each of some layers makes of the same sequences."""
    for of in sides:
        if of.stateful:
            g.refuse(f"{of.title} keeps its states from batch to batch, which a file cannot", "Set stateful=False.")
    first = [None if given is None else [*given] if isinstance(given, (list, tuple)) else [given] for given in states]
    x = g.floating(x)
    opposed = len(sides) == 2 and not sides[0].go_backwards
    if mask is None and opposed and _likeness(sides[0]) is not None and _likeness(sides[0]) == _likeness(sides[1]):
        return _by_operator(g, sides, x, first)
    return [
        _by_operator(g, [of], x, [given])[0] if mask is None and _likeness(of) is not None
        else _by_loop(g, of, x, given, mask)
        for of, given in zip(sides, first, strict=True)
    ]  # fmt: skip


# -- ONNX's operators --------------------------------------------------------------------------------------------


def _likeness(of: Any) -> Any:
    """What two layers have to have in common to be the directions of one operator; None where there is none."""
    cell = of.cell
    if type(cell) not in _OPERATORS:
        return None
    used = {cell.activation, getattr(cell, "recurrent_activation", cell.activation)}
    return (type(cell), cell.units, getattr(cell, "reset_after", None)) if used <= _NAMES.keys() else None


def _by_operator(g: Exporter, sides: list[Any], x: Value, states: list[Any]) -> list[Direction]:
    cells = [of.cell for of in sides]
    op, order = _OPERATORS[type(cells[0])]
    units, direction = cells[0].units, "bidirectional" if len(sides) == 2 else "forward"
    if len(sides) == 1 and sides[0].go_backwards:
        direction = "reverse"
    names = [name for cell in cells for name in _activations(cell)]
    attributes: dict[str, Any] = {"linear_before_reset": int(cells[0].reset_after)} if op == "GRU" else {}
    w, r, b = (_packed(g, cells, part, order) for part in ("kernel", "recurrent_kernel", "bias"))
    begin = _begin(g, cells, x, states, 2 if op == "LSTM" else 1)
    y, *last = g.nodes(
        op, g.transpose(x, (1, 0, 2)), w, r, b, None, *begin, outputs=1 + max(len(begin), 2 if op == "LSTM" else 1),
        hidden_size=units, direction=direction, activations=names, **attributes,
    )  # fmt: skip
    found = []
    for i in range(len(sides)):  # y: (time, directions, batch, units); each of last: (directions, batch, units)
        outputs = g.transpose(g.squeeze(g.slice(y, 1, i, i + 1) if len(sides) > 1 else y, 1), (1, 0, 2))
        after = [g.squeeze(g.slice(s, 0, i, i + 1) if len(sides) > 1 else s, 0) for s in last]
        found.append((outputs, after[0], after))
    return found


def _activations(cell: Any) -> list[str]:
    own = _NAMES[cell.activation]
    if isinstance(cell, layers.SimpleRNNCell):
        return [own]
    return [_NAMES[cell.recurrent_activation], own] + [own] * isinstance(cell, layers.LSTMCell)


def _begin(g: Exporter, cells: list[Any], x: Value, states: list[Any], count: int) -> list[Value]:
    """The first states, (directions, batch, units) each; none for zeros."""
    if all(given is None for given in states):
        return []
    batch = g.size(x, 0)
    zeros = g.zeros([batch, cells[0].units], x.dtype)
    given = [[zeros] * count if state is None else state for state in states]
    return [g.concat([g.expand_dims(side[i], 0) for side in given], 0) for i in range(count)]


def _packed(g: Exporter, cells: list[Any], part: str, order: tuple[int, ...]) -> Value:
    """A weight of all directions as ONNX has it: (directions, gates * units, ...), the gates in its own order."""

    def rows(cell: Any) -> np.ndarray:
        variable = getattr(cell, part)
        if part == "bias":
            gates = cell.gates * cell.units
            array = np.zeros((gates,), "float32") if variable is None else g.array(variable)
            of_x, of_h = array if array.ndim == 2 else (array, np.zeros_like(array))
            return np.concatenate([reordered(of_x), reordered(of_h)])
        return reordered(g.array(variable).T)

    def reordered(array: np.ndarray) -> np.ndarray:
        gates = np.split(array, len(order), 0)
        return np.concatenate([gates[i] for i in order])

    names = [g.paths.get(cell.kernel, cell.kernel.path).removesuffix("kernel") + part for cell in cells]
    name = f"{'+'.join(names)}.gates"
    return g.constant(None if name in g.constants else np.stack([rows(cell) for cell in cells]), name=name)


# -- a loop over the cell's step -----------------------------------------------------------------------------------


def _by_loop(g: Exporter, of: Any, x: Value, given: Any, mask: Value | None) -> Direction:
    batch = g.size(x, 0)
    if given is None:
        if hasattr(of.cell, "get_initial_state") and not is_own(type(of.cell)):
            g.refuse("the loop begins with states that its cell makes", "Give initial_state= in the call.")
        given = jax.tree.map(
            lambda n: g.zeros([batch, *np.atleast_1d(n).tolist()], x.dtype), of.state_size, is_leaf=_is_shape
        )
    states = g.leaves(given)
    nest = jax.tree.structure(of.state_size, is_leaf=_is_shape)
    # The output at a step that is masked is the one before; that before the first is a state, where one is like it.
    first = states[0] if hasattr(of, "fast") and of.fast(False) else g.leaves(given[-1])[0]
    units: Any = of.cell.output_size if hasattr(of.cell, "output_size") else first.shape[-1]
    before = first if first.shape[-1] == units or first.ndim > 2 else g.zeros([batch, units], x.dtype)
    steps = [g.transpose(x, (1, 0, *range(2, x.ndim)))]
    if mask is not None:
        steps.append(g.expand_dims(g.transpose(mask, (1, 0)), *range(2, 1 + first.ndim)))  # (time, batch, 1)

    def step(carried: list[Value], at: list[Value]) -> tuple[list[Value], list[Value]]:
        *old, before = carried
        call = g.call if isinstance(of.cell, layers.Layer) else lambda cell, *args: g.take_apart(cell.call, args, {})
        output, new = call(of.cell, at[0], jax.tree.unflatten(nest, old))
        new = g.leaves(new)
        if mask is not None:
            new = [g.where(at[1], n, o) for n, o in zip(new, old, strict=True)]
            output = g.where(at[1], output, before)
        return [*new, output], [output]

    (*states, last), (outputs,) = g.scan(step, [*states, before], steps, of.go_backwards)
    outputs = g.transpose(outputs, (1, 0, *range(2, outputs.ndim)))
    if mask is not None and of.zero_output_for_mask:
        outputs = g.where(g.expand_dims(mask, *range(2, outputs.ndim)), outputs, 0)
        end = 0 if of.go_backwards else -1
        last = g.squeeze(g.slice(outputs, 1, end, end + 1 or None), 1)
    return outputs, last, states


def _is_shape(n: Any) -> bool:
    return isinstance(n, tuple)


@layer(layers.LSTMCell)
def lstm_cell(g: Exporter, of: Any, inputs: Value, states: Any) -> tuple[Value, list[Value]]:
    z = inputs @ g.weight(of.kernel) + states[0] @ g.weight(of.recurrent_kernel)
    return _gated(g, of, z + g.weight(of.bias) if of.use_bias else z, -1, states)


@layer(ConvLSTMCell)
def conv_lstm_cell(g: Exporter, of: Any, inputs: Value, states: Any) -> tuple[Value, list[Value]]:
    once = SimpleNamespace(padding="same", strides=(1,) * of.rank, dilation_rate=(1,) * of.rank)
    x, h = (channels_first(g, of, image) for image in (inputs, states[0]))
    z = convolution(g, x, kernel_of(g, of.kernel, channels=0, filters=1), of.bias, of, 1)
    z = z + convolution(g, h, kernel_of(g, of.recurrent_kernel, channels=0, filters=1), None, once, 1)
    return _gated(g, of, as_it_was(g, of, z), 1 if of.data_format == "channels_first" else -1, states)


def _gated(g: Exporter, of: Any, z: Value, axis: int, states: Any) -> tuple[Value, list[Value]]:
    i, f, g_, o = g.split(z, 4, axis)
    c, gate = states[1], of.recurrent_activation
    c = g.activate(gate, f) * c + g.activate(gate, i) * g.activate(of.activation, g_)
    h = g.activate(gate, o) * g.activate(of.activation, c)
    return h, [h, c]


@layer(layers.GRUCell)
def gru_cell(g: Exporter, of: Any, inputs: Value, states: Any) -> tuple[Value, list[Value]]:
    h = states[0] if isinstance(states, (list, tuple)) else states
    gates, from_x = 2 * of.units, inputs @ g.weight(of.kernel)
    kernel_zr = g.weight(of.recurrent_kernel, ".zr", lambda k: k[:, :gates])
    kernel_g = g.weight(of.recurrent_kernel, ".g", lambda k: k[:, gates:])
    from_h = h @ kernel_zr
    if of.use_bias:
        from_x = from_x + g.weight(of.bias, ".x", lambda b: b[0] if b.ndim == 2 else b)
        from_h = from_h + g.weight(of.bias, ".h_zr", lambda b: b[1, :gates]) if of.reset_after else from_h
    x_z, x_r, x_g = g.split(from_x, 3, -1)
    h_z, h_r = g.split(from_h, 2, -1)
    z, r = (g.activate(of.recurrent_activation, gate) for gate in (x_z + h_z, x_r + h_r))
    if of.reset_after:
        h_g = h @ kernel_g
        h_g = r * (h_g + g.weight(of.bias, ".h_g", lambda b: b[1, gates:]) if of.use_bias else h_g)
    else:
        h_g = (r * h) @ kernel_g
    h = z * h + (1 - z) * g.activate(of.activation, x_g + h_g)
    return h, [h]


@layer(layers.SimpleRNNCell)
def simple_rnn_cell(g: Exporter, of: Any, inputs: Value, states: Any) -> tuple[Value, list[Value]]:
    h = states[0] if isinstance(states, (list, tuple)) else states
    z = inputs @ g.weight(of.kernel) + h @ g.weight(of.recurrent_kernel)
    h = g.activate(of.activation, z + g.weight(of.bias) if of.use_bias else z)
    return h, [h]


@layer(layers.StackedRNNCells)
def stacked_cells(g: Exporter, of: Any, inputs: Value, states: Any) -> tuple[Value, list[Any]]:
    new = []
    for cell, state in zip(of.cells, states, strict=True):
        inputs, changed = g.call(cell, inputs, state if isinstance(state, list) else [state])
        new.append(list(changed) if isinstance(state, list) else g.leaves(changed)[0])
    return inputs, new
