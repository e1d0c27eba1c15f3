"""Metric: sums that batches are added to, and a number worked out from them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config, old_words
from keryx.core import scope
from keryx.core.codec import Configurable, Registry, deserialize, reads, serialize
from keryx.core.copying import Copyable
from keryx.core.dtypes import standardize_dtype
from keryx.core.graph import unique_name
from keryx.core.names import config_arguments, snake_case, structural_name, untaken
from keryx.core.variable import Variable
from keryx.errors import ConfigError, ShapeError, StateError

registry = Registry("metric", "keras.metrics")

_INITIAL = {"zeros": jnp.zeros, "ones": jnp.ones}


class Metric(Copyable, Configurable):
    """The base of the metrics: variables, `update_state` that adds a batch to them, `result` that reads them.

    Both are pure inside a training step, where the variables are lent traced values: write them in
    `jax.numpy`, with no branch on values.

    Args:
        dtype: What the sums are kept in; default float32.
        name: What logs call it; by default the class's name in snake_case, made unique.

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.largest = self.add_weight(name="largest")
    ...
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(jnp.maximum(self.largest.value, jnp.max(y_pred)))
    ...
    ...     def result(self):
    ...         return self.largest.value
    >>> print(Largest()(None, jnp.array([1.0, 3.0])))
    3.0
    """

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or unique_name(snake_case(type(self).__name__))
        dtype = getattr(dtype, "compute_dtype", dtype)
        # A sum over an epoch needs more digits than a float of 16 bits has.
        default = "float64" if config.floatx() == "float64" else "float32"
        self.dtype = standardize_dtype(dtype or default)
        self._variables: list[Variable] = []

    def build(self, y_true_shape: Sequence[int | None], y_pred_shape: Sequence[int | None]) -> None:
        """Add the variables whose shape depends on the data, once; before the metric is traced."""

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add a batch: `update_state(y_true, y_pred, sample_weight=None)`."""
        raise NotImplementedError(f"{type(self).__name__} wants a method update_state(y_true, y_pred, sample_weight).")

    def result(self) -> Any:
        """The metric of all batches so far: a scalar, an array or a dict of scalars."""
        raise NotImplementedError(f"{type(self).__name__} wants a method result().")

    def reset_state(self) -> None:
        """Forget all batches: every variable is zero again."""
        for variable in self.variables:
            variable.store(jnp.zeros(variable.shape, variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch and give the result of all so far."""
        self.update_state(*args, **kwargs)
        return self._read()

    @old_words.shape_first
    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: str | Callable | None = "zeros",
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the metric.

        Args:
            shape: Its shape; default a scalar.
            initializer: "zeros", "ones" or a function `(shape, dtype)`; default "zeros".
            dtype: Default the metric's.
            name: Its name.
        """
        if "_variables" not in vars(self):
            raise StateError(f"{type(self).__name__}.__init__ has to call super().__init__() before all else.")
        make = initializer if callable(initializer) else _INITIAL.get(initializer or "zeros")
        if make is None:
            raise ConfigError(f"A metric's variable starts as 'zeros', 'ones' or by a function; got {initializer!r}.")
        with scope.named(self.name.replace("/", ">")):
            variable = Variable(make, tuple(shape), dtype or self.dtype, trainable=False, name=name or "variable")
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: str | Callable | None = "zeros",
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Another word for `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name)

    @property
    def variables(self) -> list[Variable]:
        """All variables, those of metrics inside it last."""
        return list(self.named_variables.values())

    @property
    def named_variables(self) -> dict[str, Variable]:
        """All variables by name, such as `total`; those of a metric inside it by its name and theirs."""
        taken: dict[str, int] = {}
        found = {untaken(v.name, taken): v for v in self._variables}
        for metric in (metric for value in vars(self).values() for metric in _metrics_in(value)):
            name = structural_name(metric)
            found |= {untaken(f"{name}/{path}", taken): v for path, v in metric.named_variables.items()}
        return found

    def stateless_update_state(self, metric_variables: Sequence[jax.Array], *args: Any, **kwargs: Any) -> list:
        """The values of the variables after a batch; the variables themselves stay as they are.

        >>> mean = Mean()
        >>> [float(v) for v in mean.stateless_update_state([0.0, 0.0], [1.0, 3.0])]
        [4.0, 2.0]
        """
        values = [jnp.asarray(v) for v in metric_variables]
        _, updates, _ = scope.pure(self.update_state, self.variables)(values, None, *args, **kwargs)
        return [updates.get(i, value) for i, value in enumerate(values)]

    def stateless_reset_state(self) -> list:
        """The values of the variables before the first batch."""
        values = [v.value for v in self.variables]
        _, updates, _ = scope.pure(self.reset_state, self.variables)(values, None)
        return [updates.get(i, value) for i, value in enumerate(values)]

    def stateless_result(self, metric_variables: Sequence[jax.Array]) -> Any:
        """The result for these values of the variables."""
        return scope.pure(self._read, self.variables)([jnp.asarray(v) for v in metric_variables], None)[0]

    def _read(self):
        # `return self.total` is how people write a result: this makes it the array.
        return jax.tree.map(lambda x: x, self.result())

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__` that are attributes of the same name."""
        names = [name for name in config_arguments(type(self)) if name not in ("name", "dtype")]
        own = {name: serialize(getattr(self, name)) for name in names if hasattr(self, name)}
        return {"name": self.name, "dtype": self.dtype} | own

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


def _metrics_in(value):
    if isinstance(value, Metric):
        return [value]
    if isinstance(value, (list, tuple)):
        return [metric for item in value for metric in _metrics_in(item)]
    if isinstance(value, dict):
        return _metrics_in(list(value.values()))
    return []


@registry.register()
class Sum(Metric):
    """The sum of values, weighted if weights are given.

    >>> print(Sum()([1.0, 3.0], sample_weight=[1.0, 2.0]))
    7.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, _ = _per_sample(values, sample_weight, jnp.sum, self.dtype)
        self.total.assign_add(jnp.sum(values))

    def result(self) -> jax.Array:
        return self.total.value


@registry.register()
class Mean(Metric):
    """The mean of values over samples: `sum(weight * value) / sum(weight)`; 0 before the first.

    Values of more axes are averaged to one number a sample first.

    >>> print(Mean()([1.0, 3.0], sample_weight=[3.0, 1.0]))
    1.5
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weights = _per_sample(values, sample_weight, jnp.mean, self.dtype)
        self.total.assign_add(jnp.sum(values))
        self.count.assign_add(values.size if weights is None else jnp.sum(weights))

    def result(self) -> jax.Array:
        return ratio(self.total.value, self.count.value)


@registry.register()
class MeanMetricWrapper(Mean):
    """The mean of a function `fn(y_true, y_pred, **kwargs)` over samples.

    >>> print(MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred))(jnp.ones(2), jnp.zeros(2)))
    1.0
    """

    def __init__(self, fn: Callable, name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name, dtype)
        self.fn, self._options = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        super().update_state(self.fn(y_true, y_pred, **self._options), sample_weight)

    def get_config(self) -> dict[str, Any]:
        options = self._options if type(self).__init__ is MeanMetricWrapper.__init__ else {}
        return super().get_config() | serialize(options)

    @reads
    def from_config(cls, config: dict[str, Any]):
        config = {name: deserialize(value) for name, value in config.items()}
        if isinstance(config.get("fn"), str):
            config["fn"] = registry.find(config["fn"])
        return cls(**config)


def ratio(a: jax.Array, b: jax.Array) -> jax.Array:
    """`a / b`, and 0 where b is 0."""
    return jnp.where(b == 0, 0, a / jnp.where(b == 0, 1, b))


def same_shape(y_true: Any, y_pred: Any) -> tuple[jax.Array, jax.Array]:
    """Both of one shape, where they differ by a last axis of size 1 at most; (batch,) becomes (batch, 1)."""
    given, outputs = same_rank(jnp.asarray(y_true), jnp.asarray(y_pred))
    if given.shape != outputs.shape:
        one_hot = (
            " Class numbers go with 'accuracy' and 'sparse_categorical_accuracy'; "
            f"keryx.utils.to_categorical(y, {outputs.shape[-1]}) makes them one-hot."
        )
        one_hot = one_hot if outputs.ndim > 1 and given.shape in (outputs.shape[:-1], (*outputs.shape[:-1], 1)) else ""
        raise ShapeError(
            f"The targets have shape {np.shape(y_true)}, the outputs {np.shape(y_pred)}; this metric "
            f"compares them element by element and wants the same shape.{one_hot}"
        )
    return given, outputs


def same_rank(a: jax.Array, b: jax.Array, expand: bool = True) -> tuple[jax.Array, jax.Array]:
    """Both of one rank, where one has a last axis of size 1 more."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[:, None]) if b.ndim == 1 and expand else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[:, None], b) if a.ndim == 1 and expand else (a, b[..., 0])
    return a, b


def _per_sample(values, weights, reduce, dtype):
    values = jnp.asarray(values, dtype)
    if weights is not None:
        values, weights = same_rank(values, jnp.asarray(weights, dtype))
        if values.ndim > weights.ndim:
            values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
        fits = weights.ndim <= values.ndim
        if not fits or any(w not in (1, v) for w, v in zip(weights.shape, values.shape, strict=False)):
            raise ShapeError(f"The sample_weight {weights.shape} does not fit the values {values.shape} of the metric.")
        weights = jnp.broadcast_to(weights, values.shape)
        values = values * weights
        weights = reduce(weights, axis=tuple(range(1, weights.ndim)))
    return reduce(values, axis=tuple(range(1, values.ndim))), weights
