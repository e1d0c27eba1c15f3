"""fit and evaluate: epochs, callbacks, progress."""

import math
from contextlib import nullcontext
from functools import partial
from typing import Any

from keryx.callbacks import CallbackList, History
from keryx.errors import DataError, warn
from keryx.runtime import memory
from keryx.training import interrupts, rescue
from keryx.training.blocks import Blocks, floats
from keryx.training.data.door import capped, source_of
from keryx.training.data.source import Source
from keryx.training.data.streams import unpacked
from keryx.training.options import FitOptions, RunOptions
from keryx.training.progress import Progress
from keryx.training.session import Session
from keryx.training.state import TestState


def fit(model: Any, x: Any, y: Any, weight: Any, options: FitOptions, resume: bool = False) -> History:
    """Train a model; `Model.fit` says on what, and what the options are.

    With `resume` training goes on at the epoch and the batch where the session's clock stands, to the same bits as if
    it had not been interrupted there.
    """
    session: Session = model.session
    source, held_out = sources(session, x, y, weight, options)
    with source, held_out or nullcontext():
        session.begin(source.first(), tests=held_out is not None)
        session.begin_training()
        if held_out is not None:
            session.check_validation(held_out.first())
        run_training(session, source, held_out, options, resume)
    return model.history


def run_training(session: Session, source: Source, held_out: Source | None, options: FitOptions, resume: bool) -> None:
    """The epochs of fit, and a validation after those after which one is due."""
    model, epochs = session.model, options.epochs
    params = {"verbose": options.verbose, "validation_freq": options.validation_freq}
    hooks = CallbackList(options.callbacks, True, model=model, epochs=epochs, steps=source.steps, **params)
    stops_at_nan = options.on_nan == "raise" or hooks.handles_nan
    model.stop_training = False
    with (
        memory.given_back(),
        interrupts.deferred() as signals,
        rescue.net(session) as net,
        Progress(options.verbose, epochs) as progress,
        hooks,
    ):
        blocks = Blocks(
            session.train_program(guard=stops_at_nan),
            source,
            partial(session.lend, net.loan),
            partial(session.take, net.loan),
            hooks=(hooks.on_train_batch_begin, hooks.on_train_batch_end),
            every_batch=hooks.wants_batches("train"),
            next_batch=hooks.next_batch,
            compiling=progress.compiling,
            signals=signals,
        )
        if not resume:
            session.set_clock(begun=session.clock["step"], epoch=options.initial_epoch, position=0)
        first, start = int(session.clock["epoch"]), int(session.clock["position"])
        net.renew()
        hooks.on_train_begin()
        if hooks.resume():
            first, start = int(session.clock["epoch"]), int(session.clock["position"])
            net.renew()
        logs: dict[str, Any] = {}
        for epoch in range(first, epochs):
            hooks.on_epoch_begin(epoch)
            blocks.every_batch = hooks.wants_batches("train")  # a callback may take up a batch method there
            blocks.program = session.train_program(guard=stops_at_nan)  # or set another schedule
            progress.begin(epoch, source.steps)
            steps, logs = train_epoch(session, blocks, epoch, start if epoch == first else 0, progress)
            if stops_at_nan and not weights_are_good(session, blocks, epoch, net, raising=not hooks.handles_nan):
                logs = logs | {"loss": math.nan}
            net.renew()
            if held_out is not None and steps and options.validates_after(epoch):
                values = run_evaluation(session, held_out, hooks, Progress(0, None), signals, within_fit=True)
                logs = logs | {f"val_{name}": value for name, value in values.items()}
            logs = dict(sorted(logs.items(), key=lambda item: (item[0].startswith("val_"), item[0])))
            if steps:
                progress.end(steps, logs)
                hooks.on_epoch_end(epoch, logs)
            signals.check()
            if has_ended(source, steps, last=epoch + 1 == epochs):
                _warn_of_end(epoch, steps, source)
                break
            if model.stop_training:
                break
        session.finish(net.loan)
        hooks.on_train_end(logs)


def sources(session: Session, x: Any, y: Any, weight: Any, options: FitOptions) -> tuple[Source, Source | None]:
    """What fit trains on, and what it validates on, if there is any."""
    source = source_of(
        x,
        y,
        weight,
        session.admit,
        who="fit()",
        batch_size=options.batch_size,
        steps=options.steps_per_epoch,
        steps_name="steps_per_epoch",
        shuffle=bool(options.shuffle),
        around=True,
    )
    held_out, data = None, options.validation_data
    own_size = options.validation_batch_size or options.batch_size
    if data is not None:
        x, y, weight = unpacked(data) if isinstance(data, (tuple, list)) else (data, None, None)
        held_out = source_of(
            x,
            y,
            weight,
            session.admit,
            who="The validation of fit()",
            batch_size=own_size,
            steps=options.validation_steps,
            steps_name="validation_steps",
            again=True,
        )
    elif options.validation_split:
        source, held_out = source.split(options.validation_split, own_size, capped(options.validation_steps))
    if options.class_weight is not None:
        source = source.map(lambda batch: session.checks().weighing(options.class_weight, batch))
    return source, held_out


def train_epoch(
    session: Session, blocks: Blocks, epoch: int, start: int, progress: Progress
) -> tuple[int, dict[str, Any]]:
    """Run the steps of an epoch from batch `start` on: how many are done, and what is logged."""
    if start == 0:
        session.reset_metrics()
    session.set_clock(epoch=epoch, position=start, bad_step=-1)
    # Where an epoch is gone on with after its last batch, its numbers are those that the metrics hold.
    steps, logs, stopped = start, floats(session.objective.results(True)) if start else {}, False
    for steps, logs in blocks.epoch(session.order_key, epoch, start):
        progress.update(steps, logs)
        stopped = session.model.stop_training and blocks.every_batch and steps != blocks.source.steps
        if stopped:
            break
    if not stopped:
        session.set_clock(epoch=epoch + 1, position=0)
    return steps, logs


def weights_are_good(session: Session, blocks: Blocks, epoch: int, net: rescue.Net, raising: bool) -> bool:
    """Whether the epoch went well; else the last good weights are put back, and training stops.

    Raises:
        NonFiniteLossError: With `raising`, saying at which step and what may be why.
    """
    if blocks.culprit:
        error = rescue.stopped(session, blocks.source, blocks.culprit, epoch, net)
    else:
        error = rescue.spoilt(epoch, net)
    if error is not None and raising:
        raise error
    if error is not None:
        session.model.stop_training = True
    return error is None


def has_ended(source: Source, steps: int, last: bool) -> bool:
    """Whether a stream that cannot begin again ended before all steps were taken."""
    return steps == 0 or (source.ended and (not last or steps < (source.steps or 0)))


def evaluate(model: Any, x: Any, y: Any, weight: Any, options: RunOptions) -> dict[str, float]:
    """Measure a model; `Model.evaluate` says on what, and what the options are."""
    session: Session = model.session
    with source_of(
        x, y, weight, session.admit, who=options.who, batch_size=options.batch_size, steps=options.steps
    ) as source:
        session.begin(source.first())
        hooks = CallbackList(options.callbacks, model=model, steps=source.steps)
        with interrupts.deferred() as signals, Progress(options.verbose, None) as progress:
            return run_evaluation(session, source, hooks, progress, signals)


def run_evaluation(
    session: Session, source: Source, hooks: CallbackList, progress: Progress, signals: Any, within_fit: bool = False
) -> dict[str, float]:
    """The loss and the metrics over all batches of a source, counted apart where the metrics are those of a fit."""
    state = TestState.begin(session.fresh_metrics())

    def take(new: TestState) -> None:
        nonlocal state
        state = new
        session.show_metrics(new.metrics, within_fit)

    session.model.stop_evaluating = False
    hooks.on_test_begin()  # which may change the weights
    with session.reading() as values:
        blocks = Blocks(
            session.test_program(),
            source,
            lambda: state,
            take,
            fixed=values,
            hooks=(hooks.on_test_batch_begin, hooks.on_test_batch_end),
            every_batch=hooks.wants_batches("test"),
            compiling=progress.compiling,
            signals=signals,
        )
        progress.begin(0, source.steps)
        steps, logs = 0, dict[str, float]()
        for steps, logs in blocks.epoch(None, 0):
            progress.update(steps, logs)
            if session.model.stop_evaluating:
                break
    if not steps:
        raise DataError("No batch came to evaluate: the data is empty, or a generator that has ended.")
    logs = dict(sorted(logs.items()))
    progress.end(steps, logs)
    hooks.on_test_end(logs)
    return logs


def _warn_of_end(epoch: int, steps: int, source: Source) -> None:
    wanted = "" if source.steps is None else f" of {source.steps}"
    warn(f"The data ended after {steps}{wanted} steps of epoch {epoch + 1} and cannot begin again: training stops.")
