"""fit and evaluate: epochs, callbacks, progress."""

import math
import warnings
from functools import partial
from typing import Any

import numpy as np

from keryx.callbacks import CallbackList, History
from keryx.errors import ArgumentError, DataError
from keryx.runtime import memory
from keryx.training import interrupts, rescue
from keryx.training.blocks import Blocks
from keryx.training.feed import Feed, check_count, feed_of, split
from keryx.training.progress import Progress
from keryx.training.session import Session
from keryx.training.state import TestState
from keryx.training.stream import StreamFeed, is_stream, peek, unpacked


def fit(model: Any, data: tuple[Any, Any, Any], *, validation_data: Any, options: dict[str, Any]) -> History:
    """Train a model on `(x, y, sample_weight)`; `Model.fit` says what the options are."""
    session: Session = model.session
    check_options(options)
    data, validation_data = with_split(data, validation_data, options["validation_split"])
    feed = training_feed(session, data, options)
    held_out = validation_feed(session, validation_data, options)
    if held_out is not None:
        session.check_validation(held_out.example())
    epochs, frequency = options["epochs"], options["validation_freq"]
    params = {"epochs": epochs, "steps": feed.steps, "verbose": options["verbose"], "validation_freq": frequency}
    hooks = CallbackList(options["callbacks"], add_history=True, model=model, **params)
    stops_at_nan = options["on_nan"] == "raise" or hooks.handles_nan
    model.stop_training = False
    with (
        memory.given_back(),
        interrupts.deferred() as signals,
        rescue.net(session) as net,
        Progress(options["verbose"], epochs) as progress,
    ):
        blocks = Blocks(
            session.train_program(guard=stops_at_nan),
            feed,
            partial(session.lend, net.loan),
            partial(session.take, net.loan),
            hooks=(hooks.on_train_batch_begin, hooks.on_train_batch_end),
            every_batch=hooks.wants_batches("train"),
            compiling=progress.compiling,
            signals=signals,
        )
        session.set_clock(begun=session.clock["step"])
        net.renew()
        hooks.on_train_begin()
        logs: dict[str, Any] = {}
        for epoch in range(options["initial_epoch"], epochs):
            hooks.on_epoch_begin(epoch)
            progress.begin(epoch, feed.steps)
            steps, logs = train_epoch(session, blocks, epoch, progress)
            if stops_at_nan and not weights_are_good(session, blocks, epoch, net, raising=not hooks.handles_nan):
                logs = logs | {"loss": math.nan}
            net.renew()
            if held_out is not None and steps and _due(frequency, epoch):
                values = run_evaluation(session, held_out, hooks, Progress(0, None), signals, within_fit=True)
                logs = logs | {f"val_{name}": value for name, value in values.items()}
            logs = dict(sorted(logs.items(), key=lambda item: (item[0].startswith("val_"), item[0])))
            if steps:
                progress.end(steps, logs)
                hooks.on_epoch_end(epoch, logs)
            signals.check()
            if has_ended(feed, steps, last=epoch + 1 == epochs):
                _warn_of_end(epoch, steps, feed)
                break
            if model.stop_training:
                break
        session.finish(net.loan)
        hooks.on_train_end(logs)
    return model.history


def check_options(options: dict[str, Any]) -> None:
    """Raise ArgumentError where a number that fit is given means nothing."""
    if options["on_nan"] not in ("raise", "continue"):
        raise ArgumentError(f"on_nan is 'raise' or 'continue'; got {options['on_nan']!r}.")
    check_count(options["epochs"], "fit()", "epochs")
    initial, share = options["initial_epoch"], options["validation_split"]
    if isinstance(initial, bool) or not isinstance(initial, (int, np.integer)) or initial < 0:
        raise ArgumentError(f"fit() wants a whole initial_epoch from 0, the epochs that are done; got {initial!r}.")
    if share is not None and (isinstance(share, bool) or not isinstance(share, (int, float, np.number))):
        raise ArgumentError(f"validation_split lies between 0 and 1; got {share!r}.")
    if isinstance(options["validation_freq"], (int, float)):
        check_count(options["validation_freq"], "fit()", "validation_freq")


def train_epoch(session: Session, blocks: Blocks, epoch: int, progress: Progress) -> tuple[int, dict[str, Any]]:
    """Run the steps of an epoch: how many there were, and what is logged."""
    session.reset_metrics()
    session.set_clock(epoch=epoch, position=0, bad_step=-1)
    steps, logs = 0, dict[str, Any]()
    for steps, logs in blocks.epoch(session.order_key, epoch):
        progress.update(steps, logs)
        if session.model.stop_training and blocks.every_batch:
            break
    return steps, logs


def weights_are_good(session: Session, blocks: Blocks, epoch: int, net: rescue.Net, raising: bool) -> bool:
    """Whether the epoch went well; else the last good weights are put back, and training stops.

    Raises:
        NonFiniteLossError: With `raising`, saying at which step and what may be why.
    """
    if blocks.culprit:
        error = rescue.stopped(session, blocks.feed, blocks.culprit, epoch, net)
    else:
        error = rescue.spoilt(epoch, net)
    if error is not None and raising:
        raise error
    if error is not None:
        session.model.stop_training = True
    return error is None


def has_ended(feed: Feed, steps: int, last: bool) -> bool:
    """Whether a stream that cannot begin again ended before all steps were taken."""
    ended = isinstance(feed, StreamFeed) and feed.exhausted
    return steps == 0 or (ended and (not last or steps < (feed.steps or 0)))


def with_split(data: tuple[Any, Any, Any], validation_data: Any, fraction: float) -> tuple[Any, Any]:
    """The data to train on, and that to validate on: with `validation_split`, the last rows of the first."""
    if not fraction or validation_data is not None:
        return data, validation_data
    if is_stream(data[0]):
        raise ArgumentError("validation_split takes the last rows of arrays; beside a stream, give validation_data.")
    return split(data, fraction)


def training_feed(session: Session, data: tuple[Any, Any, Any], options: dict[str, Any]) -> Feed:
    """The feed that fit trains on, and the session made ready for it."""
    x, y, weight = data
    feed = feed_of(
        _prepared(session, x),
        y,
        weight,
        checks=session.checks(),
        batch_size=options["batch_size"],
        shuffle=bool(options["shuffle"]),
        steps=options["steps_per_epoch"],
        class_weight=options["class_weight"],
        epochs="steps_per_epoch",
        around=True,
    )
    session.begin(feed.example())
    session.begin_training()
    return feed


def validation_feed(session: Session, data: Any, options: dict[str, Any]) -> Feed | None:
    """The feed that fit validates on, if there is any."""
    if data is None:
        return None
    x, y, weight = unpacked(data) if isinstance(data, (tuple, list)) else (data, None, None)
    own_size = options["validation_batch_size"]
    return feed_of(
        x,
        y,
        weight,
        checks=session.checks(),
        batch_size=options["batch_size"] if own_size is None else own_size,
        steps=options["validation_steps"],
        who="The validation of fit()",
        epochs="validation_steps",
    )


def evaluate(model: Any, data: tuple[Any, Any, Any], *, batch_size, verbose, steps, callbacks) -> dict[str, float]:
    """Measure a model on `(x, y, sample_weight)`; `Model.evaluate` says what the arguments are."""
    session: Session = model.session
    x, y, weight = data
    feed = feed_of(
        _prepared(session, x),
        y,
        weight,
        checks=session.checks(),
        batch_size=batch_size,
        steps=steps,
        who="evaluate()",
    )
    session.begin(feed.example())
    hooks = CallbackList(callbacks, model=model, steps=feed.steps)
    with interrupts.deferred() as signals, Progress(verbose, None) as progress:
        return run_evaluation(session, feed, hooks, progress, signals)


def _prepared(session: Session, x: Any) -> Any:
    """The data, with nothing taken out of it, after a model without a graph was built for it."""
    if not session.objective.names:
        first, x = peek(x)
        session.prepare(first)
    return x


def run_evaluation(
    session: Session, feed: Feed, hooks: CallbackList, progress: Progress, signals: Any, within_fit: bool = False
) -> dict[str, float]:
    """The loss and the metrics over all batches of a feed, counted apart where the metrics are those of a fit."""
    state = TestState.begin(session.fresh_metrics())

    def take(new: TestState) -> None:
        nonlocal state
        state = new
        session.show_metrics(new.metrics, within_fit)

    with session.reading() as values:
        blocks = Blocks(
            session.test_program(),
            feed,
            lambda: state,
            take,
            fixed=values,
            hooks=(hooks.on_test_batch_begin, hooks.on_test_batch_end),
            every_batch=hooks.wants_batches("test"),
            compiling=progress.compiling,
            signals=signals,
        )
        hooks.on_test_begin()
        progress.begin(0, feed.steps)
        steps, logs = 0, dict[str, float]()
        for steps, logs in blocks.epoch(None, 0):
            progress.update(steps, logs)
    if not steps:
        raise DataError("No batch came to evaluate: the data is empty, or a generator that has ended.")
    logs = dict(sorted(logs.items()))
    progress.end(steps, logs)
    hooks.on_test_end(logs)
    return logs


def _warn_of_end(epoch: int, steps: int, feed: Feed) -> None:
    wanted = "" if feed.steps is None else f" of {feed.steps}"
    warnings.warn(
        f"The data ended after {steps}{wanted} steps of epoch {epoch + 1} and cannot begin again: training stops.",
        stacklevel=4,
    )


def _due(frequency: Any, epoch: int) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency
