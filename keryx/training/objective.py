"""What compile() was asked for, resolved: which loss, weight and metric belongs to which output."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import metrics as metric_objects
from keryx.core.matching import is_nested, match
from keryx.core.variable import Variable
from keryx.errors import ConfigError, DataError, did_you_mean, listing
from keryx.losses import Loss
from keryx.metrics import Mean, Metric
from keryx.training.identifiers import as_loss, as_metric, check_name, make_variables

# A metric of the user's own is handed sample weights alone, as in Keras, for it may not know of masks.
_KNOW_MASKS = {thing for thing in metric_objects.base.registry.table.values() if isinstance(thing, type)}


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
        for role, given in (("loss", loss), ("metric", metrics), ("weighted metric", weighted_metrics)):
            _check_names(given, role)
        self.loss, self.loss_weights = loss, loss_weights
        self.asked_metrics, self.asked_weighted = metrics, weighted_metrics
        self.heads: list[Head] = []
        self.total = Mean(name="loss")
        self.extra: list[Mean] = []  # what a train_step of the user's own logs
        self.names: list[str] = []  # of the outputs, in flat order: as they are logged,
        self.layers: list[str] = []  # and the layers that they come from
        self.named = False
        self.structure: Any = None
        self.resolved = False

    def forget(self) -> None:
        """Unlearn the outputs and the metrics made for them: the model has another graph now."""
        self.heads, self.names, self.layers, self.resolved = [], [], [], False

    # -- what was asked for, output by output --------------------------------------------------------------------

    def resolve_losses(self, structure: Any, layers: Sequence[str] = ()) -> None:
        """Give each output its losses, once the outputs are known.

        Args:
            structure: The nest of the outputs.
            layers: The names of the layers that they come from, in flat order, as far as there are any.
        """
        self.structure = structure
        paths = [[_key(key) for key in path] for path, _ in jax.tree_util.tree_flatten_with_path(structure)[0]]
        self.layers = list(layers)
        by_key = isinstance(structure, dict) and all(len(path) == 1 for path in paths)
        self.named = by_key or bool(layers)
        numbered = [f"output_{i + 1}" for i in range(len(paths))] if len(paths) > 1 else ["output"]
        self.names = [str(path[-1]) for path in paths] if by_key else self.layers or numbered
        self.layers = self.layers or self.names
        self.heads = [Head(name) for name in self.names]
        asked = self._by_output(self.loss, "loss", _is_loss)
        weights = self._by_output(self.loss_weights, "loss weight", _is_number)
        several = sum(bool(_as_list(losses)) for losses in asked) > 1
        taken = {"loss"}
        for head, path, losses, weight in zip(self.heads, paths, asked, weights, strict=True):
            losses = [as_loss(loss) for loss in _as_list(losses) if loss is not None]
            factors = _as_list(weight) if isinstance(weight, (list, tuple)) else [weight] * len(losses)
            if len(factors) != len(losses):
                raise ConfigError(f"Output {head.name!r} has {len(losses)} losses, but {len(factors)} loss weights.")
            for loss, factor in zip(losses, factors, strict=True):
                parts = [self._loss_name(head, path, loss)] * several
                parts += [loss.name] * (len(losses) > 1 and parts != [loss.name])
                tracker = Mean(name=_untaken("_".join([*parts, "loss"]), taken)) if parts else None
                head.losses.append((loss, 1.0 if factor is None else float(factor), tracker))

    def _loss_name(self, head: Head, path: list[Any], loss: Loss) -> str:
        """What the loss of an output is logged as: its keys in the nest; for a place in a list the output's name."""
        if path and isinstance(path[-1], int):
            path = [*path[:-1], head.name if self.named else loss.name]
        return "/".join(map(str, path))

    def resolve_metrics(self, targets: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Make the metrics, once the shapes of targets and outputs are known."""
        several = len(self.heads) > 1 and self.named
        taken, seen = set(self.logged), set[Metric]()
        for asked, role in ((self.asked_metrics, "metric"), (self.asked_weighted, "weighted metric")):
            wanted = self._by_output(asked, role, _is_metric)
            for head, identifiers, y, output in zip(self.heads, wanted, targets, outputs, strict=True):
                prefix = f"{head.name}_" if several else ""
                for identifier in _as_list(identifiers):
                    if identifier is None or y is None:
                        continue
                    metric = as_metric(identifier, y, output)
                    if metric in seen:  # an accumulator for each output
                        metric = type(metric).from_config(metric.get_config())
                    seen.add(metric)
                    make_variables(metric, y, output)
                    name = f"{prefix}{metric.name}"
                    if role == "weighted metric" and name in taken:
                        name = f"{prefix}weighted_{metric.name}"
                    place = head.metrics if role == "metric" else head.weighted_metrics
                    place.append((_untaken(name, taken), metric))
        self.resolved = True

    def _by_output(self, asked: Any, role: str, is_one: Callable[[Any], bool]) -> list[Any]:
        """What was asked for, for each output; None where nothing was.

        A single one goes to every output; a list by position, or, where it is a list of metrics of another length, to
        every output; a dict by name, names left out meaning none; a nest by the nest of the outputs.
        """
        count = len(self.names)
        if asked is None or is_one(asked):
            return [asked] * count
        if isinstance(asked, dict):
            for names in (self.names, self.layers):
                if asked.keys() <= set(names):
                    return [asked.get(name) for name in names]
            if isinstance(self.structure, dict) and asked.keys() <= self.structure.keys():
                return _along(asked, self.structure, is_one)
            extra = next(key for key in asked if key not in self.names)
            raise ConfigError(
                f"compile() was given a {role} for {extra!r}, which is no output.{did_you_mean(extra, self.names)} "
                f"The outputs are {listing(self.names)}."
            )
        asked = list(asked)
        if count == 1:
            return [asked[0] if len(asked) == 1 and isinstance(asked[0], (list, tuple)) else asked]
        if len(asked) == count and not is_nested(self.structure):
            return asked
        if role in ("metric", "weighted metric") and all(is_one(one) for one in asked):
            return [asked] * count
        if is_nested(self.structure):
            flat = all(one is None or is_one(one) for one in asked)
            return asked if flat and len(asked) == count else _along(asked, self.structure, is_one)
        raise ConfigError(
            f"compile() was given a list of {len(asked)} for the {_plural(role)} of {count} outputs "
            f"({listing(self.names)}). Give one for each in this order, a dict by name, or a single one for all."
        )

    # -- what a step computes ------------------------------------------------------------------------------------

    def loss_of(self, targets: Sequence[Any], outputs: Any, weights: Sequence[Any]) -> Any:
        """The weighted sum of the losses, and each loss on its own, all scalars; masks travel beside the outputs."""
        parts, total = [], jnp.zeros(())
        for head, y, y_pred, weight in zip(self.heads, targets, outputs, weights, strict=True):
            for loss, factor, _ in head.losses:
                if y is None:
                    raise DataError(f"Output {head.name!r} has a loss, but the data has no target for it.")
                value = loss(y, y_pred, weight)
                parts.append(value)
                total = total + factor * value
        return total, parts

    def update_metrics(
        self, loss: Any, parts: Any, targets: Any, outputs: Any, weights: Any, masks: Any, size: Any
    ) -> None:
        """Let the trackers and metrics see a batch of `size` rows."""
        self.total.update_state(loss, sample_weight=size)
        trackers = [tracker for head in self.heads for _, _, tracker in head.losses]
        for tracker, value in zip(trackers, parts, strict=True):
            if tracker is not None:
                tracker.update_state(value, sample_weight=size)
        for head, y, y_pred, weight, mask in zip(self.heads, targets, outputs, weights, masks, strict=True):
            for group, given in ((head.metrics, None), (head.weighted_metrics, weight)):
                for _, metric in group:
                    counted = _times(given, mask) if type(metric) in _KNOW_MASKS else given
                    extra = {} if counted is None else {"sample_weight": counted}
                    metric.update_state(y, y_pred, **extra)

    def results(self, training: bool = True) -> dict[str, Any]:
        """What is logged, by name: the loss, the outputs' losses, the metrics."""
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

    @property
    def trackers(self) -> list[Mean]:
        """The means of the losses that are logged on their own."""
        return [tracker for head in self.heads for _, _, tracker in head.losses if tracker is not None]

    @property
    def named_metrics(self) -> list[tuple[str, Metric]]:
        """The metrics, with the names that they are logged under."""
        made = [pair for head in self.heads for pair in head.metrics]
        return made + [pair for head in self.heads for pair in head.weighted_metrics]

    @property
    def metrics(self) -> list[Metric]:
        """All trackers and metrics, that of the loss first."""
        made = [metric for _, metric in self.named_metrics]
        return list(dict.fromkeys([self.total, *self.trackers, *made, *self.extra]))

    @property
    def logged(self) -> list[str]:
        """The names of what is logged, in the order of the list that evaluate returns.

        That is Keras's order: the loss, the metrics of a single output, the outputs' losses, their metrics by name.
        """
        losses = [tracker.name for tracker in self.trackers]
        if isinstance(self.loss, dict) and isinstance(self.structure, dict):
            place = {f"{key}_loss": i for i, key in enumerate(self.loss)}
            losses.sort(key=lambda name: place.get(name, 0))
        plain = [name for name, metric in self.named_metrics if name == metric.name or len(self.heads) == 1]
        rest = sorted(name for name, _ in self.named_metrics if name not in plain)
        return ["loss", *plain, *losses, *rest]

    def as_list(self, logs: dict[str, Any]) -> Any:
        """Logs as evaluate returns them: their numbers in order, or the loss where there is no more."""
        names = [name for name in self.logged if name in logs]
        values = [logs[name] for name in (*names, *sorted(logs.keys() - set(names)))]
        return values if len(values) > 1 else values[0]

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
        with_loss = [bool(head.losses) for head in self.heads]
        parts = list(given) if isinstance(given, (list, tuple)) else [given]
        if role == "target" and not isinstance(given, dict) and len(parts) == sum(with_loss) < len(with_loss):
            rest = iter(parts)
            return [next(rest) if needed else None for needed in with_loss]
        return match(given, self.layers, self.structure, role, partial=True)


def _check_names(given: Any, role: str) -> None:
    """Raise ConfigError where something in a nest is no loss or metric, before the outputs are known."""
    if isinstance(given, (list, tuple, dict)):
        for part in given.values() if isinstance(given, dict) else given:
            _check_names(part, role)
    elif isinstance(given, str):
        check_name(given, role)
    elif given is not None and not callable(given) and not isinstance(given, (Loss, Metric)):
        raise ConfigError(f"compile() wants a {role} by name, as an object or as a function; got {given!r}.")


def _is_loss(value: Any) -> bool:
    return isinstance(value, (str, Loss)) or callable(value)


def _is_metric(value: Any) -> bool:
    return isinstance(value, (str, Metric)) or callable(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number))


def _plural(role: str) -> str:
    return f"{role}es" if role.endswith("s") else f"{role}s"


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _times(weight: Any, mask: Any) -> Any:
    if weight is None or mask is None:
        return mask if weight is None else weight
    return weight.reshape(weight.shape + (1,) * (mask.ndim - weight.ndim)) * mask.astype(weight.dtype)


def _untaken(name: str, taken: set[str]) -> str:
    """`name`, or with a number where it is taken; it is taken from here on."""
    names = (name, *(f"{name}_{i}" for i in range(1, len(taken) + 1)))
    free = next(n for n in names if n not in taken)
    taken.add(free)
    return free


def _key(entry: Any) -> Any:
    return getattr(entry, "key", getattr(entry, "idx", None))


def _along(asked: Any, structure: Any, is_one: Callable[[Any], bool]) -> list[Any]:
    """What was asked for in a nest like `structure`, in flat order; one for a part of the nest goes to all within."""
    if not isinstance(structure, (dict, list, tuple)):
        return [asked]
    keys = sorted(structure) if isinstance(structure, dict) else range(len(structure))
    if asked is None or is_one(asked):
        parts = dict.fromkeys(keys, asked)
    elif isinstance(structure, dict) and isinstance(asked, dict) and asked.keys() <= structure.keys():
        parts = {key: asked.get(key) for key in keys}
    elif isinstance(structure, (list, tuple)) and isinstance(asked, (list, tuple)) and len(asked) == len(structure):
        parts = dict(enumerate(asked))
    else:
        raise ConfigError(
            f"compile() was given {type(asked).__name__} of {len(asked)} where the outputs are a nest like "
            f"{jax.tree.map(lambda _: '*', structure)}. Give the same nest, a dict by output name, or one for all."
        )
    return [leaf for key in keys for leaf in _along(parts[key], structure[key], is_one)]
