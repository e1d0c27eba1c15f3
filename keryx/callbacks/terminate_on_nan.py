"""TerminateOnNaN: end training quietly when the loss is no longer finite."""

import math
from typing import Any

from keryx.callbacks.callback import Callback
from keryx.errors import NonFiniteLossError
from keryx.screens import tell


class TerminateOnNaN(Callback):
    """End training without an error when the loss turns NaN or infinite.

    Without it, `fit` raises NonFiniteLossError at such a step and keeps the weights of the step before.

    Args:
        raise_error: Whether it raises all the same, which leaves out `on_train_end` of every callback.

    >>> TerminateOnNaN().raise_error
    False
    """

    handles_nan = True
    needs_every_batch = False  # a mean that was NaN once stays NaN: the end of a block tells as much

    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss so far."""
        self._look(f"Batch {batch}", logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss of the epoch."""
        self._look(f"Epoch {epoch + 1}", logs)

    def _look(self, where: str, logs: dict[str, Any] | None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if math.isfinite(loss) or self.model.stop_training:
            return
        if self.raise_error:
            raise NonFiniteLossError(f"{where}: the loss is {loss}.")
        tell(f"{where}: the loss is {loss}, training ends.")
        self.model.stop_training = True
