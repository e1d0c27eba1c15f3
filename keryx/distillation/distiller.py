"""Distiller: a model that trains another one to agree with a third."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx import losses, metrics
from keryx.core.codec import serialize
from keryx.distillation.losses import DistillationLoss
from keryx.errors import ArgumentError, ConfigError, ShapeError
from keryx.layers.layer import registry
from keryx.models import Model


@registry.register()
class Distiller(Model):
    """Train a student on the labels, and on what a teacher makes of the same inputs.

    `loss = a * student_loss + (1 - a) * sum(weight * distillation_loss)`, with a the `student_loss_weight`. Its
    outputs are the student's; the teacher is frozen. The logs tell `student_loss`, `distillation_loss` and
    `total_loss`. Compile it with the student's loss.

    Args:
        teacher: A trained model.
        student: The model to train, of the same inputs and outputs.
        distillation_losses: A `DistillationLoss`, or a list of them.
        distillation_loss_weights: A weight for each of a list; 1.
        student_loss_weight: a, from 0 to 1.
        name: Its name.
        **kwargs: The arguments of `Model`.

    Raises:
        ArgumentError: Where teacher or student is no model, or there is no distillation loss.
        ShapeError: Where the inputs or outputs of both differ in shape or dtype.
        ConfigError: On weights out of range or of another number; where a loss takes other models.

    >>> import keryx
    >>> teacher, student = (keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(3)]) for _ in range(2))
    >>> distiller = Distiller(teacher, student, keryx.distillation.LogitsDistillation())
    >>> distiller.compile("adam", "mse")
    >>> sorted(distiller.fit(jnp.ones((8, 4)), jnp.ones((8, 3)), verbose=0).history)
    ['distillation_loss', 'loss', 'student_loss', 'total_loss']
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        distillation_losses: Any,
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str | None = "distiller",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        several = isinstance(distillation_losses, (list, tuple))
        given = list(distillation_losses) if several else [distillation_losses]
        for one in given:
            if not isinstance(one, DistillationLoss):
                raise ArgumentError(f"Distiller() wants distillation losses, as LogitsDistillation(); got {one!r}.")
            one.validate_model_compatibility(teacher, student)
        weights = [1.0] * len(given) if distillation_loss_weights is None or not several else distillation_loss_weights
        if len(weights) != len(given):
            raise ConfigError(
                f"Distiller() wants a weight for each of {len(given)} losses; got {len(weights)} weights."
            )
        if not isinstance(student_loss_weight, (int, float)) or not 0 <= student_loss_weight <= 1:
            raise ConfigError(f"student_loss_weight is a number from 0 to 1; got {student_loss_weight!r}.")
        self.teacher, self.student = teacher, student
        self.student_loss_weight = student_loss_weight
        self.distillation_losses, self.distillation_loss_weights = given, list(weights)
        teacher.trainable = False
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")
        self._student_loss: Any = None

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any) -> None:  # type: ignore[override]
        """Say how the student is trained.

        Args:
            optimizer: As for any model.
            loss: The student's loss, in the nest of its outputs.
            metrics: Metrics of the student's outputs, a list.
            **kwargs: The other arguments of `Model.compile`.

        Raises:
            ArgumentError: Where there is no loss, or the metrics are no list.
        """
        if loss is None:
            raise ArgumentError("Distiller.compile() wants the loss of the student; got None.")
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            raise ArgumentError(f"Distiller.compile() wants a list of metrics; got {metrics!r}.")
        self._student_loss = jax.tree.map(losses.get, loss)
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        return super().get_compile_config() | {"loss": serialize(self._student_loss)} if self.compiled else {}

    def call(self, inputs: Any, training: bool | None = None, **kwargs: Any) -> Any:  # type: ignore[override]
        return self.student(inputs, training=training, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> jax.Array:
        """The loss of a batch; sample weights do not enter it, as in Keras."""
        y_pred = self(x, training=training) if y_pred is None else y_pred
        own, shared, share = jnp.zeros(()), jnp.zeros(()), self.student_loss_weight
        if share > 0 and y is not None:
            values = jax.tree.map(lambda loss, *pair: jnp.mean(loss(*pair)), self._student_loss, y, y_pred)
            own = sum(jax.tree.leaves(values), start=own)
        if share < 1:
            names = [(one.teacher_layer_name, one.student_layer_name) for one in self.distillation_losses]
            taught = _features(self.teacher, [a for a, _ in names], x, training=False)
            learnt = _features(self.student, [b for a, b in names if a], x, training, y_pred)
            for loss, weight in zip(self.distillation_losses, self.distillation_loss_weights, strict=True):
                shared = shared + weight * _value_of(loss, taught, learnt)
        total = share * own + (1 - share) * shared
        self.student_loss_tracker.update_state(own)
        self.distillation_loss_tracker.update_state(shared)
        self.total_loss_tracker.update_state(total)
        return total

    def get_config(self) -> dict[str, Any]:
        """Both models, the losses and their weights."""
        names = ("teacher", "student", "distillation_losses", "distillation_loss_weights", "student_loss_weight")
        return {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)} | {
            name: serialize(getattr(self, name)) for name in names
        }


Distiller.config_module = "keras.distillation"  # type: ignore


def _value_of(loss: DistillationLoss, taught: dict[str | None, Any], learnt: dict[str | None, Any]) -> jax.Array:
    if loss.teacher_layer_name is None:  # then the outputs of both are compared
        of_teacher, of_student = taught[None], learnt[None]
    else:
        of_teacher, of_student = taught[loss.teacher_layer_name], learnt[loss.student_layer_name]
    loss.validate_outputs(of_teacher, of_student)
    value = jnp.asarray(loss.compute_loss(of_teacher, of_student))
    if value.ndim:
        raise ShapeError(f"{type(loss).__name__}.compute_loss has to return a scalar; got {value.shape}.")
    return value


def _features(model: Any, names: list[Any], x: Any, training: bool, outputs: Any = None) -> dict[str | None, Any]:
    """The outputs of layers by name, None standing for those of the model, which may be known."""
    names = [name for name in dict.fromkeys(names) if name]
    if not names:
        return {None: model(x, training=training) if outputs is None else outputs}
    wanted = {"": model.output} | {name: model.get_layer(name).output for name in names}
    found = Model(model.inputs, wanted, name="features")(jax.tree.leaves(x), training=training)
    return found | {None: found[""] if outputs is None else outputs}


def _check_models(teacher: Any, student: Any) -> None:
    for who, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ArgumentError(f"Distiller() wants a model as the {who}; got {model!r}.")
    if not (teacher.has_graph and student.has_graph):
        return
    for what in ("input", "output"):
        mine, theirs = getattr(student, f"{what}s"), getattr(teacher, f"{what}s")
        same = len(mine) == len(theirs) and all(_fits(a, b) for a, b in zip(mine, theirs, strict=True))
        if not same:
            raise ShapeError(
                f"Teacher and student want the same {what}s; the teacher has {_told(theirs)}, the student "
                f"{_told(mine)}."
            )


def _fits(a: Any, b: Any) -> bool:
    sizes = len(a.shape) == len(b.shape) and all(
        None in (m, n) or m == n for m, n in zip(a.shape, b.shape, strict=True)
    )
    return sizes and a.dtype == b.dtype


def _told(symbols: list[Any]) -> str:
    return ", ".join(f"{symbol.shape} {symbol.dtype}" for symbol in symbols)
