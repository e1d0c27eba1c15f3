"""The named weight."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import later
from keryx.core import dtypes, scope
from keryx.core.arithmetic import Arithmetic
from keryx.core.codec import registry_of
from keryx.core.dtypes import standardize_dtype
from keryx.core.lending import Away, Cell, Kept, lock, reading
from keryx.errors import ConfigError, DataError, ShapeError, StateError
from keryx.runtime import process


class Variable(Arithmetic, Cell):
    """A named array that training changes.

    While a model runs as a pure function, the running `Scope` lends the variable a traced value; `value` gives
    that one then, and `assign` is collected by the scope. Otherwise both speak of the array held here; where a step of
    training in another thread has it, they wait until that is done.

    To JAX it is its array: `jax.jit`, `jax.grad`, `jax.device_put` and `jax.tree` take it as a pytree of one leaf, its
    value, and what they make of it is an array.

    Args:
        initializer: A function `(shape, dtype) -> array`, an initializer's name, class or config, or the first value.
        shape: Its shape, if `initializer` is no value.
        dtype: Its dtype; by default the dtype of the value, or float32.
        trainable: Whether the optimizer changes it.
        autocast: Whether a layer sees it in the dtype that the layer computes in.
        aggregation: As in Keras; nothing depends on it.
        synchronization: As in Keras; nothing depends on it.
        name: Its name among its layer's weights.
        layout: None; layouts come with training on many devices.
        regularizer: A function of the value that is added to the loss.
        constraint: A projection of the value, applied after each optimizer step.

    >>> v = Variable([1.0, 2.0], name="v")
    >>> v.assign_add([1.0, 1.0])
    Array([2., 3.], dtype=float32)
    >>> jax.jit(lambda x: 2 * x)(v)
    Array([4., 6.], dtype=float32)
    """

    transient = False  # whether it only holds where a sequence stands: not a weight, and in no file

    def __init__(
        self,
        initializer: Any,
        shape: tuple[int, ...] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        layout: None = None,
        regularizer: Callable | None = None,
        constraint: Callable | None = None,
    ):
        if layout is not None:
            raise ConfigError(f"Variable() takes no layout= yet: {later.ARGUMENTS['layout']}.")
        name = name or "variable"
        self.name, self.trainable, self.autocast = name, trainable, autocast
        self.aggregation, self.synchronization = aggregation, synchronization
        self.regularizer, self.constraint = regularizer, constraint
        self.path = "/".join((*scope.names(), name))
        if isinstance(initializer, (str, type, dict)):
            initializer = registry_of("keras.initializers").get(initializer)
        if callable(initializer) and shape is None:
            raise ShapeError(f"The variable {self.path!r} is made by an initializer: give its shape=, () for a scalar.")
        if callable(initializer) and _later.get():
            self.shape, self.dtype = tuple(shape or ()), standardize_dtype(dtype)
            self._value = Kept(partial(_made, initializer, self.shape, self.dtype))
            return
        if callable(initializer):
            self._value = _made(initializer, tuple(shape or ()), standardize_dtype(dtype))
        else:
            with process.compiling(), jax.ensure_compile_time_eval():
                self._value = owned(initializer.value if isinstance(initializer, Variable) else initializer, dtype)
        if shape is not None and self._value.shape != tuple(shape):
            raise ShapeError(f"The initial value of {self.path!r} wants {tuple(shape)}; got {self._value.shape}.")
        self.shape = self._value.shape
        self.dtype = self._value.dtype.name

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape))

    @property
    def value(self) -> jax.Array:
        """The array that the variable stands for at this moment."""
        scopes = scope.here.scopes
        if scopes and (scopes[-1].values is not None or scopes[-1].autocast):
            return scopes[-1].read(self)
        with lock:  # as hand_out does: an eager call passes here
            value = self._value
            if not isinstance(value, Away):
                self._shared = True
                return value
        return self.hand_out()

    def hand_out(self) -> Any:
        """The array, for whoever asks to keep; zeros for a trace that wants to know shapes, before a file is read."""
        if _later.get() and isinstance(self._value, Kept) and isinstance(jnp.zeros(()), jax.core.Tracer):
            return jnp.zeros(self.shape, self.dtype)
        return super().hand_out()

    def assign(self, value: Any) -> jax.Array:
        """Give the variable a new value of the same shape; it is cast to the variable's dtype, and returned."""
        self.store(value)
        return self.value

    def store(self, value: Any) -> None:
        """Assign without a result: what is handed out to nobody can be lent without a copy."""
        value = value.value if isinstance(value, Variable) else value
        shape = np.shape(value)
        if shape != self.shape:
            raise ShapeError(f"The variable {self.path!r} is {self.shape}; it cannot take a value of {shape}.")
        running = scope.current()
        if running is not None and running.write(self, jnp.asarray(value, self.dtype)):
            return
        if isinstance(value, jax.core.Tracer):
            raise StateError(
                f"The variable {self.path!r} was assigned inside a function that JAX traces, and the value cannot "
                "leave it. Use model.stateless_call there."
            )
        self.put(self.owned(value))

    def owned(self, value: Any) -> jax.Array:
        """A value as an array of the variable's own; nothing is changed yet.

        Raises:
            DataError: For text, dates and objects, and for complex numbers where the variable is real.
        """
        kind = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
        number = np.dtype(kind) == np.bool_ or (jnp.issubdtype(kind, jnp.number) and np.dtype(kind).kind != "m")
        if not number or (jnp.issubdtype(kind, jnp.complexfloating) and "complex" not in self.dtype):
            raise DataError(f"The variable {self.path!r} holds {self.dtype}; it cannot take a value of {kind}.")
        return owned(value, self.dtype)

    def assign_add(self, value: Any) -> jax.Array:
        """Add to the value, and return it."""
        return self.assign(self.value + jnp.asarray(value))

    def assign_sub(self, value: Any) -> jax.Array:
        """Subtract from the value, and return it."""
        return self.assign(self.value - jnp.asarray(value))

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array of its own."""
        if scope.current() is not None:
            return np.array(self.value)
        with reading([self]) as (value,):
            return np.array(value)

    def __jax_array__(self):
        return self.value

    def __array__(self, dtype=None, copy=None):
        return self.numpy().astype(dtype or self.dtype, copy=False)

    def __float__(self):
        return float(self.value)

    def __int__(self):
        return int(self.value)

    def __round__(self, digits=None):
        return round(self.value, digits)

    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return iter(self.value)  # else Python asks for index after index, and JAX answers beyond the last too

    def __repr__(self):
        return f"<Variable {self.path} {self.shape} {self.dtype}>"


jax.tree_util.register_pytree_node(Variable, lambda v: ((v.value,), None), lambda _, leaves: leaves[0])


def is_variable(x: Any) -> bool:
    """Whether `x` is a Variable: what `jax.tree` wants as `is_leaf` to stop at variables.

    >>> is_variable(Variable(0.0)), is_variable(0.0)
    (True, False)
    """
    return isinstance(x, Variable)


@contextmanager
def made_later() -> Iterator[None]:
    """A block in which initializers of new variables wait until somebody wants the value: a file may bring another."""
    token = _later.set(True)
    try:
        yield
    finally:
        _later.reset(token)


_later: ContextVar[bool] = ContextVar("later", default=False)


def _made(initializer: Callable, shape: tuple[int, ...], dtype: str) -> jax.Array:
    # A weight made while a function is traced is a real array all the same.
    with process.compiling(), jax.ensure_compile_time_eval():
        return owned(initializer(shape, dtype=dtype), dtype)


def owned(value: Any, dtype: Any) -> jax.Array:
    """A device array of the variable's own: training takes the buffer over, which nobody else may still hold."""
    if not isinstance(value, jax.Array):
        host = np.asarray(value)
        dtype = dtype or dtypes.narrowed(host, "initial value").dtype
        value = jax.device_put(host.astype(dtype, copy=False))  # may be a mere view of the host's array
    elif dtype is not None:
        value = value.astype(dtype)
    return jax.block_until_ready(jax.device_put(value, may_alias=False))


def all_owned(variables: Sequence[Variable], values: Sequence[Any]) -> list[jax.Array]:
    """Values that were checked, as arrays of the variables' own: all copied at once."""
    pairs = zip(variables, values, strict=True)
    cast = [(x if isinstance(x, jax.Array) else np.asarray(x)).astype(v.dtype, copy=False) for v, x in pairs]
    return jax.block_until_ready(jax.device_put(jax.device_put(cast), may_alias=False))
