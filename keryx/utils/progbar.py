"""A bar for loops of one's own."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keryx.errors import ArgumentError
from keryx.training.progress import Progress


class Progbar:
    """The progress of a loop: a bar in a terminal or notebook, elsewhere one line when it is over.

    A metric is the mean of what it was given, each value weighted with the steps since the last one; what stands in
    `stateful_metrics`, and what comes with the last step, is shown as it is.

    Args:
        target: The number of steps; None where nobody knows.
        width: The bar's width in characters.
        verbose: 0 shows nothing, 1 a bar, 2 a line at the end.
        interval: Seconds between two drawings, at least.
        stateful_metrics: Names that are shown as they are; all others are means.
        stateless_metrics: Names that are means; all others are shown as they are.
        unit_name: What is counted.

    Raises:
        ArgumentError: Where both lists of names are given.

    >>> bar = Progbar(4)
    >>> for loss in (4.0, 3.0, 2.0, 1.0):
    ...     bar.add(1, [("loss", loss)])
    0s ...us/step - 4 steps - loss: 1.0000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ArgumentError("Progbar takes stateful_metrics or stateless_metrics, not both: each tells the other.")
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.unit_name = unit_name
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[Any, int]] = {}
        self._seen = 0
        self._progress = Progress(verbose, None, width=width, interval=interval, unit=unit_name)
        self._progress.begin(0, target)

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """So many steps are done.

        Args:
            current: The steps that are done.
            values: Pairs of a metric's name and its value in the last step.
            finalize: Whether these are all; by default, whether `target` is reached.
        """
        last = (self.target is not None and current >= self.target) if finalize is None else finalize
        steps = max(current - self._seen, 1)
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0))
            whole = last or not self._is_mean(name)
            self._sums[name] = (value, 1) if whole else (total + value * steps, count + steps)
        self._seen = current
        means = {name: np.mean(total) / count for name, (total, count) in self._sums.items()}
        if last:
            self._progress.end(current, means)
        else:
            self._progress.update(current, means)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """`n` more steps are done."""
        self.update(self._seen + n, values)

    def _is_mean(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in (self.stateful_metrics or ())
