"""What a model's subclass may bring of its own: the steps, the loss, what the metrics see."""

from typing import Any, cast

from keryx.core.codec import deserialize, serialize
from keryx.core.names import is_own
from keryx.errors import warn
from keryx.training import keras_steps, step
from keryx.training.protocol import TrainedModel
from keryx.training.state import TrainState


class Overridable:
    """The parts of a step that are looked up on the model, each with what it does by default."""

    def train_step(self, state: Any, data: Any) -> Any:
        """One step of training, a pure function; a subclass may bring its own, in one of two forms.

        `train_step(self, state, batch) -> (state, logs)`: the state is a TrainState, dicts by path; batch has `x` in
        the model's nest, `y` and `weight` as lists by output. fit reports the means of the logs over the epoch.

        `train_step(self, state, data) -> (logs, state)`, Keras's form on JAX: the state is (trainable, non_trainable,
        optimizer, metrics variables), lists of arrays; data is `(x, y)` or `(x, y, sample_weight)`. fit reports the
        logs of the last step, which are means where they are the results of metrics.
        """
        if isinstance(state, TrainState):
            return step.train_step(self._model, state, data)
        return keras_steps.train_step(self._model, state, data)

    def test_step(self, state: Any, data: Any) -> tuple[dict[str, Any], tuple]:
        """Measure one batch, in Keras's form: state is (trainable, non_trainable, metrics variables)."""
        return keras_steps.test_step(self._model, state, data)

    def predict_step(self, state: Any, data: Any) -> tuple[Any, Any]:
        """The outputs for one batch and the non-trainable variables, in Keras's form: state is (trainable, those)."""
        x, _, _ = keras_steps.unpack_x_y_sample_weight(data)
        return self._model.stateless_call(*state, x, training=False)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: what compile() was given, plus added losses and penalties. A subclass may override it.

        Args:
            x: The inputs.
            y: The targets, in the nest of the outputs.
            y_pred: The outputs.
            sample_weight: The sample weights, if there are any.
            training: Whether it is a step of training.
        """
        return keras_steps.compute_loss(self._model, y, y_pred, sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics with a batch, and return what is logged. A subclass may override it."""
        return keras_steps.compute_metrics(self._model, x, y, y_pred, sample_weight)

    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> tuple[Any, tuple]:
        """The loss as a pure function of lists of arrays, for `jax.value_and_grad(..., has_aux=True)`.

        Returns:
            The loss to differentiate, and (loss, outputs, non-trainable variables, metrics variables).
        """
        return keras_steps.compute_loss_and_updates(
            self._model,
            trainable_variables,
            non_trainable_variables,
            metrics_variables,
            x,
            y,
            sample_weight,
            training,
            optimizer_variables,
        )

    def get_compile_config(self) -> dict[str, Any]:
        """What compile() was given, as plain data."""
        model: Any = self._model
        if not model.compiled:
            return {}
        more = {"run_eagerly": model.run_eagerly, "steps_per_execution": 1, "jit_compile": "auto"}
        return serialize({**model._compile_arguments, **more})

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the model was of which `get_compile_config` told."""
        model: Any = self._model
        if not is_own(type(self).compile):  # type: ignore[attr-defined]
            warn(
                f"{model.title} is not compiled, for its class has a compile() of its own. Call it, or write "
                "get_compile_config() and compile_from_config(config) too."
            )
            return
        model.compile(**{name: deserialize(value) for name, value in config.items()})

    @property
    def has_own_step(self) -> bool:
        """Whether a subclass has brought a train_step."""
        return type(self).train_step is not Overridable.train_step

    @property
    def steps_by_keras(self) -> bool:
        """Whether a subclass has brought a part of a step by Keras's contract."""
        return keras_steps.overrides(self, Overridable)

    @property
    def _model(self) -> TrainedModel:
        """The model that this is a part of."""
        return cast(TrainedModel, self)
