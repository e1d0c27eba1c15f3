"""Layers around a layer: TimeDistributed and Bidirectional."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx.core import scope
from keryx.core.codec import serialize
from keryx.core.symbol import describe
from keryx.errors import ArgumentError, ShapeError
from keryx.layers.base.input_spec import InputSpec
from keryx.layers.layer import Layer, registry

# At inference TimeDistributed takes no more than this much of its inputs at a time. A VGG-like network holds up to
# sixty times its input at its widest, so that 13 frames of 224 x 224 x 3 stay below a GiB; the models for which one
# pass over all steps is faster, such as 20 steps of 784 numbers in a batch of 32, lie well below it.
_INPUT_BYTES_AT_ONCE = 8 * 2**20


@registry.register()
class Wrapper(Layer):
    """A layer around another one.

    Args:
        layer: The layer or model inside.
    """

    def __init__(self, layer: Layer, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ArgumentError(f"{type(self).__name__}() wants a layer or a model; got {layer!r}.")
        self.layer, self.built = layer, False


@registry.register()
class TimeDistributed(Wrapper):
    """One layer or model applied at each time step: `outputs[:, t] = layer(inputs[:, t])`.

    The time axis is folded into the batch, so the layer runs once. At inference, inputs above 8 MiB run in parts,
    one after another. What it adds to the loss, as an activity regularizer does, is summed over the steps.

    Args:
        layer: The layer or model. It may have several inputs and outputs, each with a time axis.

    Shapes: (batch, time, ...) -> (batch, time, ...).

    >>> import keryx
    >>> keryx.layers.TimeDistributed(keryx.layers.Dense(10))(keryx.Input((20, 784))).shape
    (None, 20, 10)
    """

    supports_masking = True
    input_spec = InputSpec(min_ndim=3)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Fold time into the batch, call, unfold."""
        batch, time = _batch_and_time(self, inputs)
        frames = jax.tree.map(lambda x: x.reshape(batch * time, *x.shape[2:]), inputs)
        _pass_masks_on(frames, mask)
        parts = 1 if training else _parts(frames)
        added = (scope.current() or scope.Scope()).losses
        before = len(added)
        if parts == 1:
            outputs = self.layer(frames, training=training)
        else:
            outputs, losses = self._in_parts(frames, parts)
            added.extend(losses)
        added[before:] = [loss * time for loss in added[before:]]  # the mean over all frames, summed over the steps
        return jax.tree.map(lambda y: y.reshape(batch, time, *y.shape[1:]), outputs)

    def _in_parts(self, frames: Any, parts: int) -> tuple[Any, list[jax.Array]]:
        def one(at):
            part, key = at
            with scope.isolated() as inner:
                inner.key = key
                outputs = self.layer(part, training=False)
                losses, inner.losses = inner.losses, []
                return outputs, losses

        keys = jax.random.key_data(jax.random.split(scope.random_key(), parts))
        split = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), frames)
        outputs, losses = jax.lax.map(one, (split, keys))
        return jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:]), outputs), [jnp.mean(loss) for loss in losses]


def _batch_and_time(layer: Layer, inputs: Any) -> tuple[int, int]:
    shapes = [x.shape for x in jax.tree.leaves(inputs)]
    if any(len(shape) < 3 or shape[:2] != shapes[0][:2] for shape in shapes):
        got = ", ".join(describe(shape) for shape in shapes)
        raise ShapeError(
            f"{layer.title} wants inputs of at least 3 axes, (batch, time, ...), alike in the first two; got {got}."
        )
    return shapes[0][:2]


def _pass_masks_on(frames: Any, masks: Any) -> None:
    """A mask of more axes than time is the inner layer's too; one of (batch, time) is not its business."""
    masks = [masks] if not isinstance(masks, (list, tuple)) else masks
    for x, mask in zip(jax.tree.leaves(frames), masks, strict=False):
        if mask is not None and mask.ndim > 2:
            scope.set_mask(x, mask.reshape(-1, *mask.shape[2:]))


def _parts(frames: Any) -> int:
    """Into how many equal parts the frames are split: as few as keep each within the budget."""
    arrays = jax.tree.leaves(frames)
    count, size = arrays[0].shape[0], sum(x.size * x.dtype.itemsize for x in arrays)
    if not isinstance(size, int):  # a program for any size takes all at once
        return 1
    wanted = min(count, -(-size // _INPUT_BYTES_AT_ONCE))
    return next((n for n in range(wanted, count) if count % n == 0), count) if wanted > 1 else 1


@registry.register()
class Bidirectional(Wrapper):
    """A recurrent layer run in both directions of time.

    Args:
        layer: An RNN, LSTM, GRU, ...; its config is the pattern for both directions.
        merge_mode: What becomes of the two outputs: `concat`, `sum`, `mul`, `ave`, or None for a pair.
        weights: First weights of both, the forward layer's first.
        backward_layer: The layer for the other direction, where it is not to be like `layer`.

    Shapes: (batch, time, features) -> (batch, 2 * units) with `concat`, else as `layer`. With `return_state` the
    forward states, then the backward ones, follow.

    Source: Schuster and Paliwal, Bidirectional recurrent neural networks, 1997.

    >>> import keryx
    >>> keryx.layers.Bidirectional(keryx.layers.LSTM(4, return_sequences=True))(keryx.Input((10, 3))).shape
    (None, 10, 8)
    """

    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs,
    ):
        super().__init__(layer, **kwargs)
        for side in (layer, layer if backward_layer is None else backward_layer):
            if not all(hasattr(side, word) for word in ("go_backwards", "return_sequences", "return_state")):
                raise ArgumentError(f"Bidirectional() wants recurrent layers, such as LSTM(32); got {side!r}.")
        if merge_mode not in _MERGES:
            raise ArgumentError(f"merge_mode is 'concat', 'sum', 'mul', 'ave' or None; got {merge_mode!r}.")
        self.merge_mode, self.first_weights = merge_mode, weights
        del self.layer  # only the pattern: its weights are not used
        self.forward_layer = _like(layer, "forward", layer.go_backwards)
        backwards = not layer.go_backwards
        self.backward_layer = backward_layer or _like(layer, "backward", backwards)
        self._check_pair(backwards)
        for side in (self.forward_layer, self.backward_layer):
            side.zero_output_for_mask = side.return_sequences
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = layer.stateful

    def _check_pair(self, backwards: bool) -> None:
        one, other = self.forward_layer, self.backward_layer
        if other.go_backwards != backwards:
            raise ArgumentError(
                f"The backward layer of {self.title} wants go_backwards={backwards}: it has to run against the other."
            )
        for word in ("stateful", "return_sequences", "return_state"):
            if getattr(one, word) != getattr(other, word):
                raise ArgumentError(f"Both layers of {self.title} want the same {word}.")

    def build(self, input_shape: Any) -> None:
        """Build both directions."""
        for side in (self.forward_layer, self.backward_layer):
            if not side.built:
                with scope.named(side.name):
                    side.build(input_shape)
                side.built = True
        if self.first_weights is not None:
            self.set_weights(self.first_weights)

    def call(self, sequences: jax.Array, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Run both, turn the backward outputs around, merge."""
        half = len(initial_state) // 2 if initial_state is not None else 0
        states = (initial_state[:half], initial_state[half:]) if half else (None, None)
        y, y_back = (
            side(sequences, initial_state=state, mask=mask, training=training)
            for side, state in zip((self.forward_layer, self.backward_layer), states, strict=True)
        )
        last = ()
        if self.return_state:
            (y, *last), (y_back, *last_back) = y, y_back
            last = (*last, *last_back)
        if self.return_sequences:
            y_back = jnp.flip(y_back, 1)
        output = _MERGES[self.merge_mode](y, y_back)
        if self.return_state:
            return (*output, *last) if self.merge_mode is None else (output, *last)
        return output

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs where all steps are returned."""
        mask = previous_mask if self.return_sequences else None
        return [mask, mask] if self.merge_mode is None else [mask]

    @property
    def states(self) -> Any:
        """The kept states of both directions, where they are stateful."""
        return [*self.forward_layer.states, *self.backward_layer.states] if self.stateful else None

    def reset_state(self) -> None:
        """Set the states of both directions to 0."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """Set the states of both directions to 0."""
        self.reset_state()

    def get_config(self) -> dict[str, Any]:
        """The merge mode and the layers, as plain data."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)}
        config |= {"merge_mode": self.merge_mode, "layer": serialize(self.forward_layer)}
        return config | {"backward_layer": serialize(self.backward_layer)}


_MERGES = {
    "concat": lambda y, y_back: jnp.concatenate([y, y_back], -1),
    "sum": lambda y, y_back: y + y_back,
    "mul": lambda y, y_back: y * y_back,
    "ave": lambda y, y_back: (y + y_back) / 2,
    None: lambda y, y_back: (y, y_back),
}


def _like(layer: Layer, direction: str, go_backwards: bool) -> Any:
    name = f"{direction}_{layer.name.removeprefix('forward_')}"
    side: Any = type(layer).from_config(layer.get_config() | {"name": name, "go_backwards": go_backwards})
    if hasattr(layer, "use_cudnn"):  # as in Keras no part of the config
        side.use_cudnn = layer.use_cudnn
    return side
