"""What is odd about a model: all rules, one after the other."""

from collections.abc import Callable, Iterator
from typing import Any

from keryx.errors import ArgumentError, StateError
from keryx.models.explaining import graph, inputs, learning, outputs
from keryx.models.explaining.findings import Finding, Findings
from keryx.models.explaining.view import View
from keryx.training.data.checks import Checks
from keryx.training.data.door import yields_batches
from keryx.training.session import abstract_outputs

RULES: list[Callable[[View], Iterator[Finding]]] = [*outputs.RULES, *inputs.RULES, *graph.RULES, *learning.RULES]


def explain(model: Any, x: Any = None, y: Any = None) -> Findings:
    """What is odd about a model; `Model.explain` says more.

    Raises:
        StateError: Where the model is not built.
    """
    if x is not None and yields_batches(x):
        raise ArgumentError(
            f"explain() looks at arrays; got a {type(x).__name__}. Give it a batch: x, y = next(iter(data))."
        )
    if not model.built and x is not None:
        abstract_outputs(model, Checks(None, None).inputs(x))
    if not model.built:
        raise StateError(f"{model.title} is not built, so there is nothing to look at. Give x: model.explain(x).")
    view = View(model, x, y)
    if view.session is not None and x is not None:
        view.session.prepare(view.x)
    return Findings(model.title, _unseen(view), _all(view))


def _all(view: View) -> list[Finding]:
    """What the rules find, each once: a shared layer has several calls."""
    return list(dict.fromkeys(finding for rule in RULES for finding in rule(view)))


def _unseen(view: View) -> str:
    missing = [name for name, given in (("x", view.x), ("y", view.y)) if given is None]
    parts = []
    if not view.model.has_graph:
        parts.append("The inside of a subclass is not looked at.")
    if view.session is None:
        parts.append("It is not compiled: its loss and optimizer were not looked at.")
    if missing:
        parts.append(f"Without {' and '.join(missing)}, data was not looked at: model.explain(x, y).")
    return " ".join(parts)
