"""Nothing is lost: the last good weights, kept on the host, and what is said when a loss turns NaN."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from keryx.errors import NonFiniteLossError
from keryx.training.checks import non_finite
from keryx.training.feed import ArrayFeed


class Net:
    """A copy of all variables on the host, as they were when the epoch began."""

    def __init__(self, session: Any):
        self.session = session
        self.kept: list[np.ndarray] = []

    def renew(self) -> None:
        """Copy the variables as they are now."""
        self.kept = [np.array(v._value) for v in self._variables()]

    def restore_lost(self) -> bool:
        """Put the copies back if a failed call has taken any variable's array with it."""
        lost = any(v._value.is_deleted() for v in self._variables())
        if lost:
            self._restore()
        return lost

    def restore_bad(self) -> bool:
        """Put the copies back if any variable holds NaN or inf."""
        values = [np.asarray(v._value) for v in self._variables()]
        bad = not all(np.isfinite(value).all() for value in values if value.dtype.kind == "f")
        if bad:
            self._restore()
        return bad

    def _variables(self) -> list[Any]:
        return [*self.session.trained, *self.session.rest]

    def _restore(self) -> None:
        for variable, value in zip(self._variables(), self.kept, strict=True):
            variable._value = jax.numpy.asarray(value)
        self.session.start_afresh()


@contextmanager
def net(session: Any) -> Iterator[Net]:
    """A block after which the weights are whole and readable, whatever went wrong in it."""
    guard = Net(session)
    try:
        yield guard
    except BaseException as error:
        if guard.restore_lost():
            error.add_note("The weights are those from the beginning of the epoch; the optimizer starts afresh.")
        raise


def explain(session: Any, feed: Any, epoch: int, net: Net) -> NonFiniteLossError:
    """Put back the last good weights, and say at which step the loss turned NaN, and what in the data may be why."""
    step, position = int(session.clock["bad_step"]), int(session.clock["position"])
    kept = "those from the beginning of the epoch" if net.restore_bad() else "those from before that step"
    causes = _causes(session, feed, epoch, position) if isinstance(feed, ArrayFeed) else []
    if causes:
        reason = f"In that batch {'; '.join(causes)}."
    else:
        reason = "The batch holds no NaN or inf: try a smaller learning rate, or clipnorm=1.0 in the optimizer."
    return NonFiniteLossError(
        f"The loss turned NaN or infinite at step {step} (in epoch {epoch + 1}). {reason} The weights are {kept}; "
        "fit(on_nan='continue') goes on regardless."
    )


def _causes(session: Any, feed: ArrayFeed, epoch: int, position: int) -> list[str]:
    size = feed.batch_size
    first = math.ceil(position / size) * size - size if feed.resident else (position - 1) * size
    rows = feed.order(session.clock["key"], epoch)[max(first, 0) :][:size]
    x_names = [repr(name) for name in session.model.input_names] or ["an input"] * len(jax.tree.leaves(feed.host.x))
    pairs = [*zip(x_names, jax.tree.leaves(feed.host.x), strict=False)]
    for name, y, weight in zip(session.objective.names, feed.host.y, feed.host.weight, strict=True):
        pairs += [(f"the target of {name!r}", y), (f"the sample weights of {name!r}", weight)]
    return [cause for name, array in pairs if array is not None for cause in non_finite(name, array[rows], rows)]
