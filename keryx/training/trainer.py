"""The methods of a model that train it and use it."""

from contextlib import closing, nullcontext
from typing import Any

import jax
import numpy as np

from keryx import old_words, switches
from keryx.callbacks import History
from keryx.errors import StateError, warn
from keryx.metrics import Metric
from keryx.runtime import process
from keryx.training import interrupts, keras_steps, loop, prediction
from keryx.training.asked import Asked
from keryx.training.blocks import floats
from keryx.training.data.checks import Checks
from keryx.training.keras_names import KerasTraining
from keryx.training.objective import Objective
from keryx.training.options import FitOptions, RunOptions, names_of
from keryx.training.overridable import Overridable
from keryx.training.session import Session
from keryx.training.state import TestState


class Trainer(Overridable, KerasTraining):
    """compile, fit, evaluate, predict: what makes a layer a model."""

    stop_training: bool = False
    stop_evaluating: bool = False
    stop_predicting: bool = False
    run_eagerly: bool = False
    optimizer: Any
    history: History
    _session: Session | None = None
    _input_checks: Checks | None = None
    _compile_arguments: dict[str, Any]  # what compile() was last given

    @old_words.refuses_unknown
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
        **unknown: Any,
    ) -> None:
        """Say how the model is to be trained.

        Args:
            optimizer: A name, an Optimizer, or any `optax.GradientTransformation`.
            loss: A name, a Loss or a function `(y_true, y_pred)`: one for all outputs, or a list or dict by output.
                An output that a dict leaves out has no loss. A list for a single output adds its losses up.
            loss_weights: A number for each output, as a list or dict; 1 where nothing is said.
            metrics: Names, Metrics or functions, for all outputs or as a list or dict by output.
            weighted_metrics: The same, for metrics that sample weights count in.
            run_eagerly: Run every step outside of compiled code, to look into it with print or a debugger: slow.
            steps_per_execution: Ignored; the number of steps in a call finds itself.
            jit_compile: False is `run_eagerly=True`; else ignored.
            auto_scale_loss: Whether the optimizer of a `mixed_float16` model is put into a LossScaleOptimizer.

        Raises:
            ConfigError: Where a name means nothing, or an output does not exist. The model keeps the compile it had.
        """
        known = ["optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly"]
        old_words.check_arguments("compile()", unknown, known, old_words.COMPILE)
        keras_steps.overrides(self, Trainer)  # raises where a step is written for TensorFlow
        from keryx import optimizers

        given = optimizer = optimizers.get(optimizer)
        half = self._model.dtype_policy.name == "mixed_float16"
        if auto_scale_loss and half and isinstance(optimizer, optimizers.Optimizer):
            optimizer = optimizers.scaling(optimizer)
        rest = {} if auto_scale_loss else {"auto_scale_loss": False}
        asked = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        made = {
            "optimizer": optimizer,
            "loss": loss,
            "run_eagerly": run_eagerly or jit_compile is False,
            "_session": Session(self._model, optimizer, Asked(**asked)),
            "_compile_arguments": {"optimizer": given, **asked, **rest},
        }
        vars(self).update(made)  # in one call, so that an error or Ctrl-C leaves the last compile whole

    @property
    def compiled(self) -> bool:
        """Whether compile() was called."""
        return self._session is not None

    @property
    def session(self) -> Session:
        """The model's training session, which compile() begins."""
        if self._session is None:
            raise StateError(f"{self._model.title} is not compiled yet: call compile(optimizer, loss) first.")
        return self._session

    @property
    def objective(self) -> Objective:
        """The losses and metrics, output by output."""
        return self.session.objective

    @property
    def metrics(self) -> list[Any]:
        """The metrics, that of the loss first; then those that the model and its layers keep as attributes."""
        own = self._model.objects_of(Metric)
        compiled = [] if self._session is None else self._session.objective.shown
        return list(dict.fromkeys([*compiled, *own]))

    @property
    def metrics_variables(self) -> list[Any]:
        """The variables of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def get_metrics_result(self) -> dict[str, Any]:
        """What the metrics show, by name."""
        names = {metric: name for name, metric in self.objective.named_metrics}
        results: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            results |= result if isinstance(result, dict) else {names.get(metric, metric.name): result}
        return results

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers in the list that `evaluate` returns."""
        return self.objective.logged if self.compiled else []

    # -- training ------------------------------------------------------------------------------------------------

    @old_words.refuses_unknown
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        on_nan: str = "raise",
        **unknown: Any,
    ) -> History:
        """Train the model.

        Args:
            x: Arrays (NumPy, JAX, pandas, lists) as one, a list, a tuple or a dict by input name, or an iterable of
                batches `(x, y)` or `(x, y, sample_weight)`: a generator, a PyDataset, a data loader.
            y: The targets, likewise, by output.
            batch_size: Rows a step; 32 by default.
            epochs: The number of the last epoch.
            verbose: 0 nothing, 1 a bar, 2 a line an epoch, `"auto"` a bar in a terminal and lines elsewhere.
            callbacks: Callbacks.
            validation_split: The share of the last rows that is held out for validation.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or an iterable of such batches.
            shuffle: Whether the rows of arrays, and the batches of a PyDataset, are shuffled anew each epoch.
            class_weight: A weight for each class, or such a dict by output name.
            sample_weight: A weight for each row, or for each time step; for all outputs, or by output.
            initial_epoch: The number of epochs that are done already.
            steps_per_epoch: Steps an epoch; by default all batches that there are.
            validation_steps: Steps of a validation.
            validation_batch_size: Rows a step of validation; `batch_size` by default.
            validation_freq: Validate every so many epochs, or at the end of the epochs in a list.
            on_nan: `"raise"`: stop at the first step whose loss is not finite, with the last good weights, and raise.
                `"continue"`: leave such steps out and go on; the logs show them.

        Returns:
            The History, whose `history` holds the logs of each epoch by name.

        Raises:
            DataError, ShapeError: Where the data does not fit the model. Nothing is changed.
            NonFiniteLossError: Where the loss turned NaN; the weights are the last good ones.
        """
        old_words.check_arguments("fit()", unknown, ["x", "y", "sample_weight", *names_of(FitOptions)], old_words.FIT)
        options = FitOptions(
            batch_size=batch_size,
            epochs=_within_limit(epochs),
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
            on_nan=on_nan,
        )
        with self.session.training(fit=True), self._as_asked():
            return loop.fit(self, x, y, sample_weight, options)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **unknown: Any,
    ) -> Any:
        """Measure the model: its loss, and its metrics if it has any.

        Args:
            x: The inputs, as for `fit`.
            y: The targets.
            batch_size: Rows a step; 32 by default.
            verbose: As for `fit`.
            sample_weight: As for `fit`.
            steps: The most batches that are looked at.
            callbacks: Callbacks.
            return_dict: Whether the result is a dict by name.

        Returns:
            The loss, a list of the loss and the metrics, or the dict.
        """
        known = ["x", "y", "batch_size", "verbose", "sample_weight", "steps", "callbacks", "return_dict"]
        old_words.check_arguments("evaluate()", unknown, known, old_words.FIT)
        options = RunOptions("evaluate()", batch_size, verbose, steps, callbacks)
        with self._as_asked():
            logs = loop.evaluate(self, x, y, sample_weight, options)
        if return_dict:
            return logs
        return self.objective.as_list(logs)

    @old_words.refuses_unknown
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        **unknown: Any,
    ) -> Any:
        """The outputs for all of `x`, as NumPy arrays in the nest of the model's outputs.

        Args:
            x: The inputs, as for `fit`.
            batch_size: Rows that are computed at once; 32 by default.
            verbose: As for `fit`; one batch is silent.
            steps: The most batches that are computed.
            callbacks: Callbacks.
        """
        if unknown:
            known = ["x", "batch_size", "verbose", "steps", "callbacks"]
            old_words.check_arguments("predict()", unknown, known, old_words.FIT)
        return prediction.predict(self, x, RunOptions("predict()", batch_size, verbose, steps, callbacks))

    fit_generator = old_words.replaced("fit_generator(generator, ...)", "fit(generator, ...)")
    evaluate_generator = old_words.replaced("evaluate_generator(generator, ...)", "evaluate(generator, ...)")
    predict_generator = old_words.replaced("predict_generator(generator, ...)", "predict(generator, ...)")

    # -- single batches ------------------------------------------------------------------------------------------

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ):
        """One step on one batch.

        Returns:
            The loss, a list of the loss and the metrics, or a dict by name: of this batch alone.
        """
        session = self.session
        batch = session.admit(x, y, sample_weight)
        if class_weight is not None:
            batch = session.checks().weighing(class_weight, batch)
        session.begin(batch, tests=False)
        with session.training(), interrupts.deferred(), self._as_asked():
            session.begin_training()
            session.set_clock(bad_step=-1)
            with closing(session.loan()) as loan:
                fresh, before = session.fresh_metrics(), session.lend(loan, taken_over=False)
                state, logs = session.train_program(guard=False).single(before._replace(metrics=fresh), (), batch)
                logs = floats(logs)  # waits, so that nothing is taken of a step that failed
                state = state._replace(position=before.position)  # of an epoch, which this batch is no part of
                if session.in_fit:
                    state = state._replace(metrics=before.metrics)
                session.take(loan, state)
        return self._returned(logs, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False):
        """The loss and metrics of one batch, returned as by `train_on_batch`."""
        session = self.session
        batch = session.admit(x, y, sample_weight)
        session.begin(batch)
        state = TestState.begin(session.fresh_metrics())
        with self._as_asked(), session.reading() as values:
            state, logs = session.test_program().batch(state, values, batch)
        session.show_metrics(state.metrics)
        return self._returned(logs, return_dict)

    def _returned(self, logs: dict[str, Any], return_dict: bool) -> Any:
        logs = floats(dict(sorted(logs.items())))
        return logs if return_dict else self.objective.as_list(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        inputs = self.input_checks.batch(x).x
        with jax.disable_jit() if self.run_eagerly else nullcontext():
            return jax.tree.map(prediction.on_host, self._model.compiled_call.predict(inputs))

    def reset_metrics(self) -> None:
        """Let the metrics forget what they have seen."""
        self.session.reset_metrics()
        for metric in self._model.objects_of(Metric):  # those too that no step has met yet
            metric.reset_state()

    def _as_asked(self) -> Any:
        """A block that runs compiled, or step by step where `run_eagerly` was asked for."""
        return jax.disable_jit() if self.run_eagerly else process.compiling()

    @property
    def input_checks(self) -> Checks:
        """What the model wants of its inputs."""
        if self._input_checks is None:
            self._input_checks = Checks.of(self._model)
        return self._input_checks

    @property
    def input_structure(self) -> Any:
        """The nest of the inputs; None for a subclass with a call of its own."""
        return self._model.input if self._model.has_graph else None


def _within_limit(epochs: Any) -> Any:
    """The epochs, or those that `config.set_max_epochs` allows where there are more."""
    limit = switches.max_epochs()
    if limit is None or not isinstance(epochs, (int, np.integer)) or epochs <= limit:
        return epochs
    warn(f"fit() takes {limit} epochs of {epochs}: config.max_epochs() is set.")
    return limit
