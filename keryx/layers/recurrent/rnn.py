"""RNN: any cell, run over the time axis."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from keryx.core import scope
from keryx.core.symbol import describe
from keryx.core.variable import Variable, is_variable
from keryx.errors import ArgumentError, ShapeError
from keryx.layers.layer import InputSpec, Layer, registry


@registry.register()
class RNN(Layer):
    """A cell run over time: `output, states = cell(inputs[:, t], states)`.

    Args:
        cell: A layer with `call(inputs, states) -> (output, new states)` and `state_size`, a number or a list of
            them; a list of cells is stacked.
        return_sequences: Whether the outputs of all steps are returned, or the last one.
        return_state: Whether the last states are returned too.
        go_backwards: Whether time runs backwards; the outputs then stand in that order.
        stateful: Whether a batch begins with the states in which the last one ended.
        unroll: Whether the loop over time is written out: longer to compile, at times faster.
        zero_output_for_mask: Whether the output at a masked step is 0, or the one before.
        implementation: Taken as Keras takes it; there is one implementation.

    Shapes: (batch, time, features) -> (batch, units), or (batch, time, units) with `return_sequences`. At a masked
    step the states are carried over. Random numbers within a cell are the same at all steps of one call.

    >>> import keryx
    >>> cells = [keryx.layers.LSTMCell(4), keryx.layers.GRUCell(3)]
    >>> keryx.layers.RNN(cells, return_sequences=True)(keryx.Input((None, 2))).shape
    (None, None, 3)
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        implementation: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        cell = StackedRNNCells(list(cell)) if isinstance(cell, (list, tuple)) else cell
        if isinstance(cell, RNN):
            raise ArgumentError(
                f"RNN() wants a cell; got {cell!r}, a layer with a cell in it. That layer is what you want, or "
                "RNN() around its cell, such as LSTMCell."
            )
        if not hasattr(cell, "call") or not hasattr(cell, "state_size"):
            raise ArgumentError(
                f"RNN() wants a cell with a call(inputs, states) method and a state_size; got {cell!r}."
            )
        self.cell: Any = cell
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask, self.implementation = zero_output_for_mask, implementation
        self.states: Any = None
        self.input_spec = InputSpec(ndim=3)

    @property
    def state_size(self) -> list[Any]:
        """The size of each state of the cell."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def build(self, sequences_shape: tuple[int | None, ...]) -> None:
        """Build the cell for one step, and make the states where they are kept."""
        batch, _, *step = sequences_shape
        if None in step:
            wanted = "last size" if len(step) == 1 else "size of all axes but batch and time"
            raise ShapeError(f"{self.title} wants a known {wanted}; got {sequences_shape}.")
        self.input_spec = InputSpec(ndim=2 + len(step), axes=dict(enumerate(step, start=2)))
        if isinstance(self.cell, Layer) and not self.cell.built:
            with scope.named(self.cell.name):
                self.cell.build((batch, *step))
            self.cell.built = True
        if self.stateful:
            if batch is None:
                raise ShapeError(
                    f"{self.title} is stateful, so it has to know the batch size: Input(batch_shape=(32, ...))."
                )
            self.states = jax.tree.map(_state_variable, self.get_initial_state(batch))

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states that the first step begins with: those of the cell, zeros by default."""
        if hasattr(self.cell, "get_initial_state"):
            states = self.cell.get_initial_state(batch_size=batch_size)
            return list(states) if isinstance(states, (list, tuple)) else [states]
        return jax.tree.map(lambda size: jnp.zeros((batch_size, size), self.compute_dtype), self.state_size)

    def reset_state(self) -> None:
        """Set the states of a stateful layer to 0."""
        for state in jax.tree.leaves(self.states, is_leaf=is_variable):
            state.store(jnp.zeros(state.shape))

    def reset_states(self) -> None:
        """Set the states of a stateful layer to 0."""
        self.reset_state()

    def call(self, sequences: jax.Array, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """(batch, time, features) -> (batch, units) or (batch, time, units), then the states where asked for."""
        if sequences.shape[1] == 0:
            raise ShapeError(f"{self.title} wants at least one time step; got {describe(sequences.shape)}.")
        states = self._first_states(sequences, initial_state)
        outputs, states = self.run(sequences, states, mask, training)
        if mask is not None and self.zero_output_for_mask:
            valid = jnp.expand_dims(mask, range(2, outputs.ndim))
            outputs = jnp.where(valid, outputs, 0)
        if self.stateful:
            jax.tree.map(lambda variable, state: variable.store(state), self.states, states, is_leaf=is_variable)
        if self.go_backwards:
            outputs = jnp.flip(outputs, 1)
        output = outputs if self.return_sequences else outputs[:, -1]
        return (output, *states) if self.return_state else output

    def _first_states(self, sequences: jax.Array, given: Any) -> list[Any]:
        batch = sequences.shape[0]
        if self.stateful and jax.tree.leaves(self.states)[0].shape[0] != batch:
            kept = jax.tree.leaves(self.states)[0].shape[0]
            raise ShapeError(f"{self.title} keeps the states of {kept} samples; got a batch of {batch}.")
        if given is None:
            given = self.states if self.stateful else self.get_initial_state(batch)
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        states = jax.tree.map(lambda s: jnp.asarray(s), given)
        if len(states) != len(self.state_size):
            raise ShapeError(f"{self.title} has {len(self.state_size)} states; got {len(states)} to begin with.")
        for state, size in zip(states, self.state_size, strict=True):
            wanted = (size,) if isinstance(size, int) else size
            if isinstance(wanted, tuple) and state.shape != (batch, *wanted):
                raise ShapeError(f"{self.title} begins with states of {describe((None, *wanted))}; got {state.shape}.")
        return jax.tree.map(lambda s: s.astype(self.compute_dtype), states)

    def run(self, x: jax.Array, states: list[Any], mask: Any, training: bool) -> tuple[jax.Array, list[Any]]:
        """The outputs (batch, time, ...) in the order of the inputs, and the last states, by one scan."""
        key, output = self._key_and_output(x[:, 0], states, training)

        def step(carried, at):
            (states, before), (x, valid) = carried, at
            with scope.isolated() as inner:
                inner.key, inner.draws = key, 0
                output, new = self._call_cell(x, states, training)
            new = jax.tree.map(lambda n, old: n.astype(old.dtype), new, states)
            if valid is not None:
                output, new = jax.tree.map(
                    lambda n, old: jnp.where(valid.reshape(-1, *[1] * (n.ndim - 1)), n, old),
                    (output, new),
                    (before, states),
                )
            return (new, output), output

        first = jax.tree.leaves(states[-1] if isinstance(states[-1], list) else states)[0]
        before = first if first.shape == output.shape else jnp.zeros(output.shape)
        at = (jnp.swapaxes(x, 0, 1), None if mask is None else jnp.swapaxes(mask, 0, 1))
        begin = (states, before.astype(output.dtype))
        unroll = max(x.shape[1], 1) if self.unroll else 1
        (states, _), outputs = lax.scan(step, begin, at, reverse=self.go_backwards, unroll=unroll)
        return jnp.swapaxes(outputs, 0, 1), states

    def _key_and_output(self, x, states, training):
        """The key that all steps draw from, and the shape and dtype of their outputs; no key is used up for nothing."""
        draws = 0

        def first_step():
            nonlocal draws
            with scope.isolated() as inner:
                inner.key, inner.draws = jnp.zeros(2, jnp.uint32), 0
                output = self._call_cell(x, states, training)[0]
                draws = inner.draws
            return output

        output = jax.eval_shape(first_step)
        return jax.random.key_data(scope.random_key()) if draws else jnp.zeros(2, jnp.uint32), output

    def _call_cell(self, x, states, training):
        call = self.cell if isinstance(self.cell, Layer) else self.cell.call
        words = {"training": training} if isinstance(self.cell, Layer) else {}
        output, new = call(x, states, **words)
        return output, list(new) if isinstance(new, (list, tuple)) else [new]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs where all steps are returned; none for a last output or a state."""
        mask = previous_mask if self.return_sequences else None
        return [mask] + [None] * len(self.state_size) if self.return_state else mask

    def get_config(self) -> dict[str, Any]:
        """The arguments, with the cell written down in place."""
        config = super().get_config()
        del config["implementation"]
        return config


def _state_variable(value: jax.Array) -> Variable:
    state = Variable(value, trainable=False, name="rnn_state")
    state.transient = True
    return state


@registry.register()
class StackedRNNCells(Layer):
    """Cells on top of each other: each step's output of one is the input of the next.

    Args:
        cells: The cells, the lowest first.

    >>> import keryx
    >>> keryx.layers.StackedRNNCells([keryx.layers.LSTMCell(4), keryx.layers.GRUCell(3)]).state_size
    [[4, 4], 3]
    """

    def __init__(self, cells: list[Any], **kwargs):
        super().__init__(**kwargs)
        for cell in cells:
            if not hasattr(cell, "call") or not hasattr(cell, "state_size"):
                raise ArgumentError(f"Each cell wants a call(inputs, states) method and a state_size; got {cell!r}.")
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The state sizes of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The size of the last cell's output."""
        return _output_size(self.cells[-1])

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build each cell for the output of the one below."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                with scope.named(cell.name):
                    cell.build(input_shape)
                cell.built = True
            input_shape = (input_shape[0], _output_size(cell))

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The first states of each cell."""
        return [_first_state(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def call(self, inputs: jax.Array, states: list[Any], training: bool = False) -> tuple[jax.Array, list[Any]]:
        """(batch, features), states of each cell -> (batch, units), new states of each cell."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, changed = cell(inputs, state if isinstance(state, list) else [state], training=training)
            new.append(list(changed) if isinstance(state, list) else jax.tree.leaves(changed)[0])
        return inputs, new


def _output_size(cell: Any) -> int:
    size = getattr(cell, "output_size", None)
    return size if size is not None else jax.tree.leaves(cell.state_size)[0]


def _first_state(cell: Any, batch_size: int, dtype: str) -> Any:
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        single = isinstance(cell.state_size, int) and isinstance(states, (list, tuple))
        return states[0] if single else states
    return jax.tree.map(lambda size: jnp.zeros((batch_size, size), dtype), cell.state_size)
