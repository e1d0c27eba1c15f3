"""What compile() was asked for, resolved: which loss, weight and metric belongs to which output."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import losses as loss_functions
from keryx import metrics as metric_objects
from keryx.core.matching import match
from keryx.core.variable import Variable
from keryx.errors import ConfigError, DataError, did_you_mean, listing
from keryx.losses import Loss, LossFunctionWrapper
from keryx.metrics import Mean, MeanMetricWrapper, Metric

_BY_SHAPE = {
    "accuracy": ("BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"),
    "crossentropy": ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"),
}
_SHORT = {"acc": "accuracy", "ce": "crossentropy"}


@dataclass
class Head:
    """One output of the model: what it is compared with, and how.

    Args:
        name: The output's name.
        losses: Each loss, with its weight and with the tracker that logs its mean, if it is logged on its own.
        metrics: Metrics, with the names that they are logged under.
        weighted_metrics: Metrics that sample weights count in.
    """

    name: str
    losses: list[tuple[Loss, float, Mean | None]] = field(default_factory=list)
    metrics: list[tuple[str, Metric]] = field(default_factory=list)
    weighted_metrics: list[tuple[str, Metric]] = field(default_factory=list)


class Objective:
    """The losses and metrics of a model, output by output.

    Args:
        loss: One for all outputs, or a list or dict by output; a name, a Loss or a function `(y_true, y_pred)`.
        loss_weights: A number, list or dict by output; 1 where nothing is said.
        metrics: One for all outputs, or a list or dict by output.
        weighted_metrics: The same, for metrics that sample weights count in.
    """

    def __init__(self, loss: Any = None, loss_weights: Any = None, metrics: Any = None, weighted_metrics: Any = None):
        self.loss, self.loss_weights = loss, loss_weights
        self.asked_metrics, self.asked_weighted = metrics, weighted_metrics
        self.heads: list[Head] = []
        self.total = Mean(name="loss")
        self.names: list[str] = []
        self.structure: Any = None
        self.resolved = False

    # -- what was asked for, output by output --------------------------------------------------------------------

    def resolve_losses(self, names: Sequence[str], structure: Any) -> None:
        """Give each output its losses, once the outputs' names are known.

        Args:
            names: The outputs' names, in flat order.
            structure: The nest of the outputs.
        """
        self.names, self.structure = list(names), structure
        self.heads = [Head(name) for name in self.names]
        asked = _by_output(self.loss, self.names, structure, "loss", _is_loss)
        weights = _by_output(self.loss_weights, self.names, structure, "loss weight", _is_number)
        several = sum(bool(_as_list(losses)) for losses in asked) > 1
        for head, losses, weight in zip(self.heads, asked, weights, strict=True):
            losses = [as_loss(loss) for loss in _as_list(losses) if loss is not None]
            factors = _as_list(weight) if isinstance(weight, (list, tuple)) else [weight] * len(losses)
            if len(factors) != len(losses):
                raise ConfigError(f"Output {head.name!r} has {len(losses)} losses, but {len(factors)} loss weights.")
            for loss, factor in zip(losses, factors, strict=True):
                parts = [head.name] * several + [loss.name] * (len(losses) > 1)
                tracker = Mean(name="_".join([*parts, "loss"])) if parts else None
                head.losses.append((loss, 1.0 if factor is None else float(factor), tracker))

    def resolve_metrics(self, targets: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Make the metrics, once the shapes of targets and outputs are known."""
        several = len(self.heads) > 1
        asked = _by_output(self.asked_metrics, self.names, self.structure, "metric", _is_metric)
        weighted = _by_output(self.asked_weighted, self.names, self.structure, "weighted metric", _is_metric)
        taken = {"loss"}
        for i, head in enumerate(self.heads):
            for wanted, place, prefix in ((asked[i], head.metrics, ""), (weighted[i], head.weighted_metrics, "weighted_")):
                for identifier in _as_list(wanted):
                    if identifier is None or targets[i] is None:
                        continue
                    metric = as_metric(identifier, targets[i], outputs[i])
                    name = f"{head.name}_{metric.name}" if several else metric.name
                    name = f"{prefix}{name}" if name in taken else name
                    taken.add(name)
                    place.append((name, metric))
        self.resolved = True

    # -- what a step computes ------------------------------------------------------------------------------------

    def loss_of(self, targets: Sequence[Any], outputs: Any, weights: Sequence[Any], masks: Sequence[Any]) -> Any:
        """The weighted sum of the losses, and each loss on its own, all scalars."""
        parts, total = [], jnp.zeros(())
        for head, y, y_pred, weight, mask in zip(self.heads, targets, outputs, weights, masks, strict=True):
            for loss, factor, _ in head.losses:
                if y is None:
                    raise DataError(f"Output {head.name!r} has a loss, but the data has no target for it.")
                value = loss(y, y_pred, sample_weight=weight, mask=mask)
                parts.append(value)
                total = total + factor * value
        return total, parts

    def update_metrics(self, loss: Any, parts: Any, targets: Any, outputs: Any, weights: Any, masks: Any, size: Any) -> None:
        """Let the trackers and metrics see a batch of `size` rows."""
        self.total.update_state(loss, sample_weight=size)
        trackers = [tracker for head in self.heads for _, _, tracker in head.losses]
        for tracker, value in zip(trackers, parts, strict=True):
            if tracker is not None:
                tracker.update_state(value, sample_weight=size)
        for head, y, y_pred, weight, mask in zip(self.heads, targets, outputs, weights, masks, strict=True):
            for group, sample_weight in ((head.metrics, mask), (head.weighted_metrics, _times(weight, mask))):
                for _, metric in group:
                    extra = {} if sample_weight is None else {"sample_weight": sample_weight}
                    metric.update_state(y, y_pred, **extra)

    def results(self) -> dict[str, Any]:
        """What is logged, by name: the loss, the outputs' losses, the metrics."""
        logs = {"loss": self.total.result()}
        for head in self.heads:
            logs |= {tracker.name: tracker.result() for _, _, tracker in head.losses if tracker is not None}
        for head in self.heads:
            for name, metric in (*head.metrics, *head.weighted_metrics):
                result = metric.result()
                logs |= result if isinstance(result, dict) else {name: result}
        return logs

    @property
    def metrics(self) -> list[Metric]:
        """All trackers and metrics, that of the loss first."""
        trackers = [tracker for head in self.heads for _, _, tracker in head.losses if tracker is not None]
        made = [metric for head in self.heads for _, metric in (*head.metrics, *head.weighted_metrics)]
        return list(dict.fromkeys([self.total, *trackers, *made]))

    @property
    def variables(self) -> list[Variable]:
        """The variables of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def label_ranges(self, outputs: Sequence[Any]) -> list[tuple[int, int] | None]:
        """For each output the labels that its losses can take, as (lowest, one past the highest), if that is known."""
        ranges: list[tuple[int, int] | None] = []
        for head, output in zip(self.heads, outputs, strict=True):
            known = (loss.label_range(tuple(output.shape)) for loss, _, _ in head.losses)
            ranges.append(next((r for r in known if r is not None), None))
        return ranges

    def match(self, given: Any, role: str) -> list[Any]:
        """Targets or sample weights in the order of the outputs; None where there are none."""
        if given is None:
            return [None] * len(self.names)
        if not isinstance(given, (list, tuple, dict)) and role == "sample weight":
            return [given] * len(self.names)
        return match(given, self.names, self.structure, role, partial=True)


def as_loss(identifier: Any) -> Loss:
    """The Loss that a name, a function or an object stands for."""
    found = loss_functions.get(identifier)
    if isinstance(found, Loss):
        return found
    return LossFunctionWrapper(found, name=getattr(found, "__name__", "loss"))


def as_metric(identifier: Any, target: Any, output: Any) -> Metric:
    """The Metric that a name, a function or an object stands for; `accuracy` goes by the shapes."""
    known_as = identifier if isinstance(identifier, str) else None
    kind = _SHORT.get(str(known_as).lower(), str(known_as).lower())
    if kind in _BY_SHAPE:
        binary, categorical, sparse = _BY_SHAPE[kind]
        y_shape, shape = tuple(target.shape), tuple(output.shape)
        if shape[-1:] == (1,) or len(shape) == 1:
            cls = binary
        elif len(y_shape) < len(shape) or (y_shape[-1] == 1 and shape[-1] > 1):
            cls = sparse
        else:
            cls = categorical
        return getattr(metric_objects, cls)(name=known_as)
    found = metric_objects.get(identifier)
    if isinstance(found, Metric):
        return found
    return MeanMetricWrapper(found, name=known_as or getattr(found, "__name__", type(found).__name__))


def _is_loss(value: Any) -> bool:
    return isinstance(value, (str, Loss)) or callable(value)


def _is_metric(value: Any) -> bool:
    return isinstance(value, (str, Metric)) or callable(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _times(weight: Any, mask: Any) -> Any:
    if weight is None or mask is None:
        return mask if weight is None else weight
    mask = mask.astype(weight.dtype)
    return weight.reshape(weight.shape + (1,) * (mask.ndim - weight.ndim)) * mask


def _by_output(asked: Any, names: list[str], structure: Any, role: str, is_one: Callable[[Any], bool]) -> list[Any]:
    """What was asked for, for each output; None where nothing was.

    A single one goes to every output; a list by position, or, where its length is not that of the outputs, to every
    output; a dict by name, names left out meaning none.
    """
    if asked is None or is_one(asked):
        return [asked] * len(names)
    if isinstance(asked, dict):
        keys = sorted(structure) if isinstance(structure, dict) else names
        by = names if asked.keys() <= set(names) else keys
        extra = [key for key in asked if key not in by]
        if extra:
            raise ConfigError(
                f"compile() was given a {role} for {extra[0]!r}, which is no output.{did_you_mean(extra[0], names)} "
                f"The outputs are {listing(names)}."
            )
        return [asked.get(key) for key in by]
    asked = list(asked)
    if len(names) == 1:
        flat = asked[0] if len(asked) == 1 and isinstance(asked[0], (list, tuple)) else asked
        return [flat]
    if len(asked) == len(names):
        return asked
    if all(is_one(one) for one in asked) and role != "loss weight" and role != "loss":
        return [asked] * len(names)
    flat = jax.tree.leaves(asked, is_leaf=lambda x: x is None or is_one(x))
    if len(flat) == len(names):
        return flat
    raise ConfigError(
        f"compile() was given a list of {len(asked)} for the {role}es of {len(names)} outputs ({listing(names)}). "
        "Give one for each in this order, a dict by name, or a single one for all."
    )
