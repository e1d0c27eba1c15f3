"""What a step computes of the outputs: the losses and metrics of each, resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from keryx import metrics as metric_objects
from keryx.core.matching import match
from keryx.core.names import structural_name, untaken
from keryx.core.variable import Variable
from keryx.errors import DataError, StateError
from keryx.losses import Loss
from keryx.metrics import Mean, Metric

# A metric of the user's own is handed sample weights alone, as in Keras, for it may not know of masks.
_KNOW_MASKS = {thing for thing in metric_objects.base.registry.table.values() if isinstance(thing, type)}


@dataclass(frozen=True)
class Head:
    """One output of the model: what it is compared with, and how.

    Args:
        name: The output's name.
        losses: Each loss, with its weight and with the tracker that logs its mean, if it is logged on its own.
        metrics: Metrics, with the names that they are logged under.
        weighted_metrics: Metrics that sample weights count in.
    """

    name: str
    losses: tuple[tuple[Loss, float, Mean | None], ...] = ()
    metrics: tuple[tuple[str, Metric], ...] = ()
    weighted_metrics: tuple[tuple[str, Metric], ...] = ()


@dataclass(frozen=True)
class Objective:
    """The losses and metrics of a model, output by output; what a step reads never changes.

    Args:
        heads: The outputs, in flat order; none as long as they are not known.
        structure: The nest of the outputs.
        names: Their names, as they are logged.
        layers: The names of the layers that they come from.
        named: Whether the names are the model's own, rather than numbers.
        order: The outputs in the order in which compile() was given their losses, where that tells.
        total: The tracker of the loss.
        extra: Trackers of what a train_step of the user's own logs.
        held: Metrics that the model itself keeps, for steps of the user's own.
        step_logs: What keeps the logs of a step by Keras's contract, of training (True) and testing (False).
        resolved: Whether the metrics are made.
    """

    heads: tuple[Head, ...] = ()
    structure: Any = None
    names: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    named: bool = False
    order: tuple[str, ...] = ()
    total: Mean = field(default_factory=lambda: Mean(name="loss"))
    extra: tuple[Mean, ...] = ()
    held: tuple[Metric, ...] = ()
    step_logs: Mapping[bool, tuple[Metric, ...]] = field(default_factory=dict)
    resolved: bool = False

    def loss_of(self, targets: Sequence[Any], outputs: Any, weights: Sequence[Any]) -> Any:
        """The weighted sum of the losses, and each loss on its own, all scalars; masks travel beside the outputs."""
        parts, total = [], jnp.zeros(())
        for head, y, y_pred, weight in zip(self.heads, targets, outputs, weights, strict=True):
            for loss, factor, _ in head.losses:
                if y is None:
                    raise DataError(
                        f"Output {head.name!r} has a loss, but the data has no target for it. Give y as well: "
                        "fit(x, y), or batches (x, y)."
                    )
                try:
                    value = loss(y, y_pred, weight)
                except Exception as error:
                    raise _told(error, f"loss {loss.name!r}", head.name) from error.__cause__
                parts.append(value)
                total = total + factor * value
        return total, parts

    def update_metrics(
        self, loss: Any, parts: Any, targets: Any, outputs: Any, weights: Any, masks: Any, size: Any
    ) -> None:
        """Let the trackers and metrics see a batch of `size` rows."""
        if loss is not None:
            self.total.update_state(loss, sample_weight=size)
        trackers = [tracker for head in self.heads for _, _, tracker in head.losses]
        for tracker, value in zip(trackers, parts or [None] * len(trackers), strict=True):
            if tracker is not None and value is not None:
                tracker.update_state(value, sample_weight=size)
        for head, y, y_pred, weight, mask in zip(self.heads, targets, outputs, weights, masks, strict=True):
            for group, given in ((head.metrics, None), (head.weighted_metrics, weight)):
                for _, metric in group:
                    counted = _times(given, mask) if type(metric) in _KNOW_MASKS else given
                    extra = {} if counted is None else {"sample_weight": counted}
                    try:
                        metric.update_state(y, y_pred, **extra)
                    except Exception as error:
                        raise _told(error, f"metric {metric.name!r}", head.name) from error.__cause__
                    _refuse_lost_values(metric)

    def results(self, training: bool = True) -> dict[str, Any]:
        """What is logged, by name: the loss, the outputs' losses, the metrics."""
        if training in self.step_logs:
            return self._step_results(training)
        extra = self.extra if training else []
        logs = {tracker.name: tracker.result() for tracker in (self.total, *self.trackers, *extra)}
        for name, metric in self.named_metrics:
            result = metric.result()
            prefix = name.removesuffix(metric.name)
            logs |= (
                {f"{prefix}{key}": value for key, value in result.items()}
                if isinstance(result, dict)
                else {name: result}
            )
        return logs

    def _step_results(self, training: bool) -> dict[str, Any]:
        """What a step by Keras's contract has last logged, or the metrics have counted, where it logs just those."""
        logs = {tracker.name: tracker.result() for tracker in self.step_logs[training]}
        names, measured = {metric: name for name, metric in self.named_metrics}, dict[str, Any]()
        for metric in self.shown:
            result = metric.result()
            measured |= result if isinstance(result, dict) else {names.get(metric, metric.name): result}
        if measured.keys() != logs.keys():
            return logs
        has_counted = self.total.count.value > 0  # a step that logs a loss may leave its mean alone
        return measured | {"loss": jnp.where(has_counted, measured["loss"], logs["loss"])}

    @cached_property
    def trackers(self) -> list[Mean]:
        """The means of the losses that are logged on their own."""
        return [tracker for head in self.heads for _, _, tracker in head.losses if tracker is not None]

    @cached_property
    def named_metrics(self) -> list[tuple[str, Metric]]:
        """The metrics, with the names that they are logged under."""
        made = [pair for head in self.heads for pair in head.metrics]
        return made + [pair for head in self.heads for pair in head.weighted_metrics]

    @cached_property
    def shown(self) -> list[Metric]:
        """The trackers and metrics of compile(), that of the loss first, and those that the model keeps."""
        return list(dict.fromkeys([self.total, *self.trackers, *(m for _, m in self.named_metrics), *self.held]))

    @cached_property
    def metrics(self) -> list[Metric]:
        """All trackers and metrics, that of the loss first."""
        made = [metric for _, metric in self.named_metrics]
        logs = [tracker for trackers in self.step_logs.values() for tracker in trackers]
        return list(dict.fromkeys([self.total, *self.trackers, *made, *self.extra, *self.held, *logs]))

    @property
    def logged(self) -> list[str]:
        """The names of what is logged, in the order of the list that evaluate returns.

        That is Keras's order: the loss, the metrics of a single output, the outputs' losses, their metrics by name.
        """
        losses = [tracker.name for tracker in self.trackers]
        place = {f"{key}_loss": i for i, key in enumerate(self.order)}
        losses.sort(key=lambda name: place.get(name, 0))
        plain = [name for name, metric in self.named_metrics if name == metric.name or len(self.heads) == 1]
        rest = sorted(name for name, _ in self.named_metrics if name not in plain)
        return ["loss", *plain, *losses, *rest]

    def as_list(self, logs: dict[str, Any]) -> Any:
        """Logs as evaluate returns them: their numbers in order, or the loss where there is no more."""
        names = [name for name in self.logged if name in logs]
        values = [logs[name] for name in (*names, *sorted(logs.keys() - set(names)))]
        return values if len(values) > 1 else values[0]

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """The variables of all metrics, by metric and name, such as `loss/total`."""
        pairs = [(t.name, t) for t in (self.total, *self.trackers)] + self.named_metrics
        found, taken = dict[str, Variable](), dict[str, int]()
        logged = {metric for _, metric in pairs}
        for name, metric in [*pairs, *((m.name, m) for m in self.metrics if m not in logged)]:
            name = untaken(name.removesuffix(metric.name) + structural_name(metric), taken)
            found |= {f"{name}/{path}": v for path, v in metric.named_variables.items()}
        return found

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
        with_loss = [bool(head.losses) for head in self.heads]
        parts = list(given) if isinstance(given, (list, tuple)) else [given]
        if role == "target" and not isinstance(given, dict) and len(parts) == sum(with_loss) < len(with_loss):
            rest = iter(parts)
            return [next(rest) if needed else None for needed in with_loss]
        return match(given, list(self.layers), self.structure, role, partial=True)


def _told(error: Exception, who: str, output: str) -> Exception:
    """What a loss or a metric raised, with a note of which, and of which output."""
    from keryx.core import mistaken

    told = mistaken.retold(error, f"The {who}")
    told.add_note(f"In the {who} of output {output!r}, which is called on (y_true, y_pred).")
    return told


def _refuse_lost_values(metric: Metric) -> None:
    """Raise StateError where a metric has kept a value of compiled code in an attribute, where it is none."""
    for name, value in vars(metric).items():
        if isinstance(value, jax.core.Tracer):
            raise StateError(
                f"The update_state() of metric {metric.name!r} sets self.{name} to a tensor, which has no value "
                f"outside of compiled code. Make it a variable in __init__, self.{name} = "
                f"self.add_weight(name={name!r}, initializer='zeros'), and set that: self.{name}.assign_add(...)."
            )


def _times(weight: Any, mask: Any) -> Any:
    if weight is None or mask is None:
        return mask if weight is None else weight
    return weight.reshape(weight.shape + (1,) * (mask.ndim - weight.ndim)) * mask.astype(weight.dtype)
