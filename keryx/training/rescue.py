"""Nothing is lost: the last good weights, kept on the host, and what is said when a loss turns NaN."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np

from keryx.core import scope
from keryx.core.lending import Kept, is_deleted, reading
from keryx.core.split import Fed
from keryx.core.variable import Variable, owned
from keryx.errors import NonFiniteLossError
from keryx.training.data.arrays import first_non_finite
from keryx.training.state import folded
from keryx.training.step import Batch


class Net:
    """A copy of all variables on the host, as they were when the epoch began.

    Attributes:
        loan: What lends the session's values to the steps of this fit.
    """

    def __init__(self, session: Any):
        self.session, self.loan = session, session.loan()
        self.weights = [*session.trainable.values(), *session.non_trainable.values()]
        self.kept: list[np.ndarray] = []
        self.rate: dict[Variable, np.ndarray] = {}  # the learning rates that follow no schedule
        self.clock: dict[str, Any] = {}

    def renew(self) -> None:
        """Copy the variables as they are now, all of them or none, into the memory of the last copies."""
        try:
            values = jax.block_until_ready(self.loan.begin(taken_over=False))[: len(self.weights)]
            if not self.kept:
                self.kept = [np.empty(value.shape, value.dtype) for value in values]
            for kept, value in zip(self.kept, values, strict=True):
                np.copyto(kept, value)
        finally:
            self.loan.close()
        rates = [one.learning_rate for one in self.session.optimizer.rated.values()]
        self.rate = {rate: rate.numpy() for rate in rates if isinstance(rate, Variable)}
        self.clock = {name: np.asarray(value) for name, value in self.session.clock.items()}

    def settle(self) -> bool:
        """End what is lent; whether a failed call has taken any array with it, so that the copies were put back."""
        lost = bool(self.clock) and any(_lost(value) for value in self.loan.values())
        if lost:
            self._restore()
        self.loan.close()
        return lost

    def restore_bad(self) -> list[str]:
        """Put the copies back if a variable has turned NaN or infinite since; the paths of those."""
        with reading(self.weights) as values:
            triples = zip(self.weights, values, self.kept, strict=True)
            bad = [v.path for v, value, kept in triples if not _finite(value) and _finite(kept)]
        if bad:
            self._restore()
        return bad

    def _restore(self) -> None:
        """Put the copies back, or let them lie ready where the device has no memory for them just now."""
        kept = [Kept(partial(_to_device, value)) for value in self.kept]
        session, held = self.session, dict(zip(self.loan.cells, self.loan.values(), strict=True))
        others = [*session.optimizer.variables, *session.objective.variables.values()]
        empty = {v: Kept(partial(_to_device, np.zeros(v.shape, v.dtype))) for v in others}
        for rate, value in self.rate.items():
            empty[rate] = Kept(partial(_to_device, value)) if _lost(held[rate]) else held[rate]
        self.loan.close(instead=[*kept, *empty.values(), dict(self.clock)])
        try:
            with reading(self.weights):
                pass
            session.optimizer.build(session.trainable)
            session.reset_metrics()
        except Exception:  # such as a lack of memory
            session.optimizer.forget()


def _to_device(host: np.ndarray) -> jax.Array:
    return owned(host, host.dtype)


def _lost(value: Any) -> bool:
    """Whether an array was taken over by a call that failed, or was to come out of one."""
    if is_deleted(value):
        return True
    try:
        jax.block_until_ready(value)
    except Exception:
        return True
    return False


def _finite(array: Any) -> bool:
    return not jax.dtypes.issubdtype(array.dtype, np.floating) or bool(np.isfinite(np.asarray(array)).all())


@contextmanager
def net(session: Any) -> Iterator[Net]:
    """A block after which the weights are whole and readable, whatever went wrong in it."""
    guard = Net(session)
    try:
        yield guard
    except BaseException as error:
        if guard.settle():
            error.add_note("The weights are those from the beginning of the epoch; the optimizer starts afresh.")
            if any(isinstance(v._value, Kept) for v in guard.weights):
                error.add_note(
                    "The device had no memory for them: they are kept on the host, and put back when they are used. "
                    "Free some memory first."
                )
        raise
    finally:
        guard.kept.clear()


def stopped(session: Any, source: Any, culprit: tuple[Batch, int], epoch: int, net: Net) -> NonFiniteLossError:
    """Put back the last good weights, and say at which step the loss turned NaN, and what may be why."""
    batch, number = culprit
    step, spoilt = int(session.clock["bad_step"]), net.restore_bad()
    causes = _causes(session, source, batch, number, epoch)
    if causes:
        reason = f"In that batch {'; '.join(causes)}."
    elif spoilt:
        reason = f"{spoilt[0]!r} was NaN or infinite already, from a gradient of a step before. {_REMEDY}"
    else:
        reason = _first_layer(session, batch) or f"The batch holds no NaN or inf. {_REMEDY}"
    kept = "those from the beginning of the epoch" if spoilt else "those from before that step"
    return NonFiniteLossError(
        f"The loss turned NaN or infinite at step {step} (in epoch {epoch + 1}). {reason} The weights are {kept}; "
        "fit(on_nan='continue') goes on regardless."
    )


def spoilt(epoch: int, net: Net) -> NonFiniteLossError | None:
    """Put back the last good weights where a step has spoilt them whose loss was still finite."""
    paths = net.restore_bad()
    if not paths:
        return None
    return NonFiniteLossError(
        f"{paths[0]!r} turned NaN or infinite in epoch {epoch + 1}, from a gradient that was not finite behind a loss "
        f"that was. {_REMEDY} The weights are those from the beginning of the epoch; fit(on_nan='continue') goes on "
        "regardless."
    )


_REMEDY = "Try a smaller learning rate, or clipnorm=1.0 in the optimizer."


def _causes(session: Any, source: Any, batch: Batch, number: int, epoch: int) -> list[str]:
    """What in the batch is not finite, in words."""
    model, inputs = session.model, jax.tree.leaves(batch.x)
    x_names = model.halves.fed_names or [repr(name) for name in model.input_names] or ["an input"] * len(inputs)
    pairs = [*zip(x_names, inputs, strict=False)]
    for name, y, weight in zip(session.objective.names, batch.y, batch.weight, strict=True):
        pairs += [(f"the target of {name!r}", y), (f"the sample weight of {name!r}", weight)]
    found = [(name, first_non_finite(array)) for name, array in pairs if array is not None]
    key = session.order_key
    return [f"{name} holds {f[0]} in {source.place(key, epoch, number, f[1])}" for name, f in found if f is not None]


def _first_layer(session: Any, batch: Batch) -> str:
    """Which layer of the graph is the first whose output is not finite for this batch, in words."""
    closed, bad = session.model.halves.device, list[Any]()
    if closed is None:
        return ""

    def watch(node: Any, results: list[Any]) -> None:
        if not bad and not all(map(_finite, results)):
            bad.append(node.operation)

    with scope.run(scope.Scope({}, folded(session.clock["key"], session.clock["step"]), training=True)):
        closed.run(batch.x.values if isinstance(batch.x, Fed) else session.model._arguments(batch.x), watch)
    if not bad:
        return ""
    ids = getattr(bad[0], "input_range", None)
    why = f"; an id outside of 0 to {ids[1] - 1} gives NaN" if ids else ""
    return f"The first layer whose output is not finite is {bad[0].name!r}{why}."
