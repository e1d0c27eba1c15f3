"""What a name, a function or an object given to compile() stands for."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import losses as loss_functions
from keryx import metrics as metric_objects
from keryx.core.names import snake_case
from keryx.losses import Loss, LossFunctionWrapper
from keryx.metrics import MeanMetricWrapper, Metric

_SHORT = {"acc": "accuracy", "ce": "crossentropy"}


class Crossentropy(Loss):
    """The crossentropy that fits the shapes: binary for one output, sparse for class numbers, else categorical."""

    integer_labels = True

    def call(self, y_true: Any, y_pred: Any) -> jax.Array:
        """The crossentropy of each sample."""
        kind = _kind(y_true.shape, y_pred.shape)
        names = {"Binary": "binary", "Categorical": "categorical", "SparseCategorical": "sparse_categorical"}
        return getattr(loss_functions, f"{names[kind]}_crossentropy")(y_true, y_pred)


def as_loss(identifier: Any) -> Loss:
    """The Loss that a name, a function or an object stands for; `crossentropy` goes by the shapes."""
    known_as = identifier if isinstance(identifier, str) else None
    if _kind_of_name(known_as) == "crossentropy":
        return Crossentropy(name=known_as)
    found = loss_functions.get(identifier)
    if isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found, name=known_as or getattr(found, "__name__", None))


def as_metric(identifier: Any, target: Any, output: Any) -> Metric:
    """The Metric that a name, a function or an object stands for; `accuracy` goes by the shapes."""
    known_as = identifier if isinstance(identifier, str) else None
    kind = _kind_of_name(known_as)
    if kind in ("accuracy", "crossentropy"):
        cls = getattr(metric_objects, f"{_kind(target.shape, output.shape)}{kind.capitalize()}")
        return cls(name=known_as)
    found = metric_objects.get(identifier)
    if not isinstance(found, Metric):
        return MeanMetricWrapper(found, name=known_as or getattr(found, "__name__", snake_case(type(found).__name__)))
    found.name = known_as or found.name
    return found


def check_name(name: str, role: str) -> None:
    """Raise ConfigError, with what is near, where no loss or metric is called so."""
    if _kind_of_name(name) not in ("accuracy", "crossentropy"):
        (loss_functions if role == "loss" else metric_objects).get(name)


def make_variables(metric: Metric, target: Any, output: Any) -> None:
    """Let a metric that makes its variables at the first batch make them now, before it runs in compiled code."""
    if hasattr(metric, "build"):
        metric.build(tuple(target.shape), tuple(output.shape))
    if not metric.variables:
        metric.update_state(
            jnp.ones((1, *target.shape[1:]), target.dtype), jnp.ones((1, *output.shape[1:]), output.dtype)
        )
        metric.reset_state()


def _kind(target: tuple[int, ...], output: tuple[int, ...]) -> str:
    if output[-1:] == (1,) or len(output) == 1:
        return "Binary"
    return "SparseCategorical" if len(target) < len(output) or target[-1] == 1 else "Categorical"


def _kind_of_name(name: str | None) -> str:
    return _SHORT.get(str(name).lower(), str(name).lower())
