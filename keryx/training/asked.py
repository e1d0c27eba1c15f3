"""What compile() was asked for, and the heads that it comes to once outputs and data are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from keryx.core.matching import is_nested
from keryx.core.names import untaken
from keryx.errors import ConfigError, did_you_mean, listing
from keryx.losses import Loss
from keryx.metrics import Mean, Metric
from keryx.training.identifiers import as_loss, as_metric, check_name, make_variables
from keryx.training.objective import Head, Objective


@dataclass(frozen=True)
class Asked:
    """The losses and metrics that compile() was given.

    Args:
        loss: One for all outputs, or a list or dict by output; a name, a Loss or a function `(y_true, y_pred)`.
        loss_weights: A number, list or dict by output; 1 where nothing is said.
        metrics: One for all outputs, or a list or dict by output.
        weighted_metrics: The same, for metrics that sample weights count in.

    Raises:
        ConfigError: Where a name means nothing.
    """

    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None

    def __post_init__(self) -> None:
        for role, given in (("loss", self.loss), ("metric", self.metrics), ("weighted metric", self.weighted_metrics)):
            _check_names(given, role)
        weights = jax.tree.leaves(self.loss_weights)
        if metrics := [one for one in weights if _is_metric(one)]:
            raise ConfigError(
                f"compile() wants loss_weights, its third argument by place, as numbers; got {listing(metrics)}. Write "
                "metrics=[...]."
            )

    def with_losses(self, objective: Objective, structure: Any, layers: Sequence[str] = ()) -> Objective:
        """The objective in which each output has its losses, now that the outputs are known.

        Args:
            objective: The one so far, whose tracker of the loss is kept.
            structure: The nest of the outputs.
            layers: The names of the layers that they come from, in flat order, as far as there are any.
        """
        paths = [[_key(key) for key in path] for path, _ in jax.tree_util.tree_flatten_with_path(structure)[0]]
        by_key = isinstance(structure, dict) and all(len(path) == 1 for path in paths)
        numbered = [f"output_{i + 1}" for i in range(len(paths))] if len(paths) > 1 else ["output"]
        names = [str(path[-1]) for path in paths] if by_key else list(layers) or numbered
        outputs = _Outputs(structure, names, list(layers) or names)
        asked = outputs.share_out(self.loss, "loss", _is_loss)
        weights = outputs.share_out(self.loss_weights, "loss weight", _is_number)
        several, named = sum(bool(_as_list(losses)) for losses in asked) > 1, by_key or bool(layers)
        heads, taken = [], {"loss": 1}
        for name, path, losses, weight in zip(names, paths, asked, weights, strict=True):
            losses = [as_loss(loss) for loss in _as_list(losses) if loss is not None]
            factors = _as_list(weight) if isinstance(weight, (list, tuple)) else [weight] * len(losses)
            if len(factors) != len(losses):
                raise ConfigError(f"Output {name!r} has {len(losses)} losses, but {len(factors)} loss weights.")
            made = []
            for loss, factor in zip(losses, factors, strict=True):
                parts = [_loss_name(name if named else loss.name, path)] * several
                parts += [loss.name] * (len(losses) > 1 and parts != [loss.name])
                tracker = Mean(name=untaken("_".join([*parts, "loss"]), taken)) if parts else None
                made.append((loss, 1.0 if factor is None else float(factor), tracker))
            heads.append(Head(name, tuple(made)))
        order = list(self.loss) if isinstance(self.loss, dict) and isinstance(structure, dict) else []
        return Objective(
            tuple(heads), structure, tuple(names), tuple(outputs.layers), named, tuple(order), total=objective.total
        )

    def with_metrics(self, objective: Objective, targets: Sequence[Any], outputs: Sequence[Any]) -> Objective:
        """The objective with its metrics, now that the shapes of targets and outputs are known."""
        several = len(objective.heads) > 1 and objective.named
        taken, seen = dict.fromkeys(objective.logged, 1), set[Metric]()
        places = _Outputs(objective.structure, list(objective.names), list(objective.layers))
        made: list[list[tuple[tuple[str, Metric], ...]]] = []
        for asked, role in ((self.metrics, "metric"), (self.weighted_metrics, "weighted metric")):
            made.append([])
            wanted = places.share_out(asked, role, _is_metric)
            for head, identifiers, y, output in zip(objective.heads, wanted, targets, outputs, strict=True):
                prefix, own = f"{head.name}_" if several else "", []
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
                    own.append((untaken(name, taken), metric))
                made[-1].append(tuple(own))
        heads = [replace(h, metrics=m, weighted_metrics=w) for h, m, w in zip(objective.heads, *made, strict=True)]
        return replace(objective, heads=tuple(heads), resolved=True)


@dataclass(frozen=True)
class _Outputs:
    """The outputs of a model: their nest, their names in flat order, and the layers that they come from."""

    structure: Any
    names: list[str]
    layers: list[str]

    def share_out(self, asked: Any, role: str, is_one: Callable[[Any], bool]) -> list[Any]:
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


def _loss_name(name: str, path: list[Any]) -> str:
    """What the loss of an output is logged as: its keys in the nest; for a place in a list its name."""
    return "/".join(map(str, [*path[:-1], name] if path and isinstance(path[-1], int) else path))


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
