"""What the cells of LSTM, GRU and SimpleRNN share, and the layers around them."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import activations, constraints, initializers, random, regularizers
from keryx.core import scope
from keryx.core.names import init_arguments, snake_case
from keryx.errors import ShapeError
from keryx.layers.base.sizes import whole
from keryx.layers.layer import Layer
from keryx.layers.recurrent.rnn import RNN


class Cell(Layer):
    """A cell with a kernel for the inputs, one for the state, and a bias, each with `gates` times `units` columns."""

    gates = 1
    bias: Any = None

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = whole(f"{type(self).__name__}()", "units", units)
        self.use_bias, self.seed, self.implementation = use_bias, seed, implementation
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))

    @property
    def state_size(self) -> Any:
        """The size of the state, or of each of them."""
        return self.units

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.units,)

    def kernel_shapes(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of the kernel for the inputs, (features, gates * units), and for the state."""
        features = input_shape[-1]
        if features is None:
            raise ShapeError(f"{self.title} wants a known last size; got {input_shape}. Give Input(...) the size.")
        return (features, self.gates * self.units), (self.units, self.gates * self.units)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add the kernels and the bias."""
        kernel_shape, recurrent_shape = self.kernel_shapes(input_shape)
        self.kernel = self.add_weight(
            kernel_shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            recurrent_shape,
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                self.bias_shape,
                self.first_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def first_bias(self, shape: tuple[int, ...], dtype: Any = None) -> jax.Array:
        """How the bias begins."""
        return self.bias_initializer(shape, dtype=dtype)

    def get_initial_state(self, batch_size: int) -> list[jax.Array]:
        """Zeros."""
        return [jnp.zeros((batch_size, size), self.compute_dtype) for size in jax.tree.leaves(self.state_size)]

    def drop(self, x: jax.Array, rate: float, training: bool) -> jax.Array:
        """Dropout in training; over (batch, time, features) the same features at all steps."""
        if not training or not rate:
            return x
        noise_shape = (x.shape[0], 1, x.shape[2]) if x.ndim == 3 else None
        return random.dropout(x, rate, noise_shape, scope.random_key(self.seed))

    def value(self, name: str) -> Any:
        """The weight of this name as an array, or None."""
        weight = getattr(self, name)
        return None if weight is None else weight.value

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        del config["implementation"]
        return config


class CellLayer(RNN):
    """An RNN around a cell of its own, whose arguments are the layer's."""

    def __getattr__(self, name: str) -> Any:
        cell = vars(self).get("cell")
        if cell is not None and name in init_arguments(type(cell)):
            return getattr(cell, name)
        return super().__getattribute__(name)  # raises what it did before Python came here

    def fast(self, training: bool) -> bool:
        """Whether a kernel does what the cell would do, step by step."""
        recurrent_activation = getattr(self.cell, "recurrent_activation", activations.sigmoid)
        usual = self.cell.activation is activations.tanh and recurrent_activation is activations.sigmoid
        return usual and not (training and self.cell.recurrent_dropout)

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments and those of its cell, as plain data."""
        config = super().get_config()
        del config["cell"]
        config.pop("use_cudnn", None)
        return config


def make_cell(cell_class: type[Cell], arguments: dict[str, Any], words: dict[str, Any]) -> Cell:
    """The cell of a layer: its arguments are among those of the layer, `words` may hold a dtype and trainable."""
    own = {name: arguments[name] for name in init_arguments(cell_class) if name in arguments}
    shared = {name: words[name] for name in ("dtype", "trainable") if name in words}
    return cell_class(**own, **shared, name=snake_case(cell_class.__name__))
