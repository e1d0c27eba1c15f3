"""SwapEMAWeights: evaluate, predict and save with the moving average of the weights."""

from collections.abc import Iterator
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.core.lending import put, reading
from keryx.core.variable import Variable
from keryx.errors import ConfigError


class SwapEMAWeights(Callback):
    """Put the moving averages of the weights in their place while a model is evaluated or predicts, and back after.

    The optimizer has to keep them: `use_ema=True`. Callbacks that end training come before it in the list, those that
    save after it.

    Args:
        swap_on_epoch: Whether they stand there from the end of an epoch to the beginning of the next as well, so that
            what is saved after an epoch are the averages.

    Raises:
        ConfigError: Where the optimizer keeps no average.

    >>> SwapEMAWeights(swap_on_epoch=True).swap_on_epoch
    True
    """

    def __init__(self, swap_on_epoch: bool = False):
        self.swap_on_epoch = swap_on_epoch
        self.swapped = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """See that there are averages."""
        list(self._pairs())

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Train with the weights."""
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Let the averages stand there; after the last epoch they do for good, as `fit` ends with them."""
        if not self.swap_on_epoch:
            return
        self._swap(True)
        if self.model.stop_training or epoch + 1 == (self.params or {}).get("epochs"):
            weights, averages = zip(*self._pairs(), strict=True)
            with reading(weights) as values:
                put(averages, values, shared=True)
            self.swapped = False

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Evaluate with the averages."""
        self._swap(True)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go on with the weights."""
        self._swap(False)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Predict with the averages."""
        self._swap(True)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Go on with the weights."""
        self._swap(False)

    def _swap(self, wanted: bool) -> None:
        """Let the averages stand in the place of the weights, or the weights again."""
        if self.swapped == wanted:
            return
        weights, averages = zip(*self._pairs(), strict=True)
        with reading([*weights, *averages]) as values:
            put([*averages, *weights], values, shared=True)
        self.swapped = wanted

    def _pairs(self) -> Iterator[tuple[Variable, Variable]]:
        """Each weight that has an average, and that."""
        optimizer = self.model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        several = getattr(inner, "optimizers", None)
        keeping = [one for one in (several or [inner]) if one.use_ema]
        if not keeping or not optimizer.built:
            why = "keeps no average of the weights: make it with use_ema=True" if not keeping else "has not begun yet"
            raise ConfigError(f"SwapEMAWeights: the optimizer {inner.name!r} {why}.")
        for i, one in enumerate(several or [inner]):
            nest = optimizer.nest if several is None else optimizer.nest[str(i)]
            if one.use_ema:
                yield from ((optimizer.owners[path], average) for path, average in nest["average"].items())
