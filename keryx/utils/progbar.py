"""Progbar: the progress of a loop of your own, as `fit` shows its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keryx.training.progress import Progress


class Progbar:
    """The progress of a loop.

    Args:
        target: The number of steps; None where nobody knows.
        width: Ignored: the bar is as wide as that of `fit`.
        verbose: 0 nothing, 1 a bar in a terminal and a line at the end elsewhere, 2 a line at the end.
        interval: Ignored: it is drawn at most twenty times a second.
        stateful_metrics: The names of values that are shown as they are; of the others the mean over the steps is.
        stateless_metrics: Ignored: what is no stateful one is a mean.
        unit_name: Ignored: a step is a step.

    >>> bar = Progbar(2)
    >>> bar.update(1, [("loss", 0.5)])
    >>> bar.update(2, [("loss", 0.25)])
    0s ...s/step - 2 steps - loss: 0.3750
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Sequence[str] | None = None,
        stateless_metrics: Sequence[str] | None = None,
        unit_name: str = "step",
    ):
        self.target, self.stateful_metrics = target, set(stateful_metrics or ())
        self._sums: dict[str, list[Any]] = {}  # the sum and the number of steps; of stateful ones the value and 1
        self._seen = 0
        self._progress = Progress(verbose, None)
        self._progress.begin(0, target)

    def update(
        self, current: int, values: Sequence[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """So many steps are done in all.

        Args:
            current: The number of steps.
            values: Pairs of a name and the value of the last steps.
            finalize: Whether it is over; by default when `target` is reached.
        """
        steps = current - self._seen
        for name, value in values or ():
            sums = self._sums.setdefault(name, [0.0, 0])
            if name in self.stateful_metrics:
                sums[:] = [value, 1]
            else:
                sums[:] = [sums[0] + np.asarray(value) * steps, sums[1] + steps]
        self._seen = current
        logs = {name: total / max(count, 1) for name, (total, count) in self._sums.items()}
        if finalize or (finalize is None and self.target is not None and current >= self.target):
            self._progress.end(current, logs)
        else:
            self._progress.update(current, logs)

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """`n` more steps are done."""
        self.update(self._seen + n, values)
