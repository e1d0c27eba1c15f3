"""What a student is to have in common with its teacher."""

from typing import Any

import jax
import jax.numpy as jnp

from keryx import losses, tree
from keryx.core.codec import Configurable, Registry
from keryx.errors import ConfigError, ShapeError

registry = Registry("distillation loss", "keras.distillation")


@registry.register()
class DistillationLoss(Configurable):
    """The base: a subclass writes `compute_loss`.

    A subclass with the attributes `teacher_layer_name` and `student_layer_name` is given the outputs of those layers;
    None stands for the outputs of the model.

    >>> class Distance(DistillationLoss):
    ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
    ...         return jnp.abs(teacher_outputs - student_outputs).mean()
    >>> Distance().compute_loss(jnp.ones(2), jnp.zeros(2)).item()
    1.0
    """

    teacher_layer_name: str | None = None
    student_layer_name: str | None = None

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The loss, a scalar, of outputs in the nest of the model's."""
        raise NotImplementedError(
            f"{type(self).__name__} wants a method compute_loss(teacher_outputs, student_outputs)."
        )

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raise ShapeError where the outputs are no such nests as the loss takes."""
        taught, learnt = _form(teacher_outputs), _form(student_outputs)
        if taught != learnt:
            raise ShapeError(f"The outputs of teacher and student are nests of different form: {taught} and {learnt}.")

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raise ConfigError where the models are none that the loss takes."""


def _is_none(value: Any) -> bool:
    return value is None


def _form(nest: Any) -> Any:
    """The structure of a nest, in which None is a leaf."""
    return jax.tree.structure(nest, is_leaf=_is_none)


class _Losses(DistillationLoss):
    """A loss for each output, in the nest of the outputs; None leaves one out."""

    loss: Any

    def _take(self, loss: Any) -> None:
        self.loss = (
            tree.map_structure(losses.get, loss, none_is_leaf=True) if tree.is_nested(loss) else losses.get(loss)
        )
        if not jax.tree.leaves(self.loss):
            raise ConfigError(f"{type(self).__name__} wants a loss for one output at least; got {loss!r}.")

    def _sum(self, value: Any, teacher_outputs: Any, student_outputs: Any) -> jax.Array:
        """The sum of `value(loss, of_teacher, of_student)` over the outputs that have a loss."""
        flat, nest = jax.tree.leaves(self.loss, is_leaf=_is_none), _form(self.loss)
        outputs = nest.flatten_up_to(teacher_outputs), nest.flatten_up_to(student_outputs)
        parts = [value(*one) for one in zip(flat, *outputs, strict=True) if one[0] is not None]
        return jnp.sum(jnp.stack(parts))

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        super().validate_outputs(teacher_outputs, student_outputs)
        wanted, came = _form(self.loss), _form(teacher_outputs)
        if wanted != came:
            raise ShapeError(f"{type(self).__name__} has losses in the form {wanted}; the outputs have {came}.")


@registry.register()
class FeatureDistillation(_Losses):
    """The mean loss between the outputs of a layer of the teacher and one of the student. Romero et al. 2015.

    Args:
        loss: A loss, or a nest of losses in the form of the outputs; None leaves an output out.
        teacher_layer_name: The layer of the teacher; None stands for the model itself.
        student_layer_name: The layer of the student.

    Raises:
        ConfigError: Where no output has a loss; where a layer is named of a model that has no graph, or has not.

    >>> FeatureDistillation("mse").compute_loss(jnp.ones((1, 2)), jnp.zeros((1, 2))).item()
    1.0
    """

    def __init__(self, loss: Any = "mse", teacher_layer_name: str | None = None, student_layer_name: str | None = None):
        self._take(loss)
        self.teacher_layer_name, self.student_layer_name = teacher_layer_name, student_layer_name

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> jax.Array:
        return self._sum(lambda loss, t, s: jnp.mean(loss(t, s)), teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        names = {"teacher": (teacher, self.teacher_layer_name), "student": (student, self.student_layer_name)}
        for who, (model, name) in names.items():
            if any(name is not None for _, name in names.values()) and not model.has_graph:
                raise ConfigError(
                    f"FeatureDistillation names a layer, and the {who} {model.name!r} has no graph to find one in: "
                    "name none, so that the outputs are compared, or make it a Model of Input and layers."
                )
            if name is not None:
                try:
                    model.get_layer(name)
                except ConfigError as error:
                    raise ConfigError(f"FeatureDistillation, of the {who}: {error}") from None


@registry.register()
class LogitsDistillation(_Losses):
    """The loss between the outputs of teacher and student over a temperature. Hinton et al. 2015.

    With the divergence of Kullback and Leibler it is `T ** 2 * KL(softmax(teacher / T), softmax(student / T))`, with
    others `loss(teacher / T, student / T)`. Keras 3.15.1 leaves the softmax out where that divergence comes by its
    name, rather than as `KLDivergence()`.

    Args:
        temperature: T, above 0; 3.
        loss: A loss, or a nest of losses in the form of the outputs; None leaves an output out.

    Raises:
        ConfigError: Where no output has a loss, or the temperature is no number above 0.

    >>> LogitsDistillation(2.0).compute_loss(jnp.ones((1, 2)), jnp.ones((1, 2))).item()
    0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence"):
        self._take(loss)
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not temperature > 0:
            raise ConfigError(f"The temperature of LogitsDistillation is a number above 0; got {temperature!r}.")
        self.temperature = temperature

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> jax.Array:
        def value(loss: Any, t: jax.Array, s: jax.Array) -> jax.Array:
            t, s = t / self.temperature, s / self.temperature
            # The name stands for the class in Keras, and for the function here.
            if isinstance(loss, losses.KLDivergence) or loss is losses.kl_divergence:
                t, s = jax.nn.softmax(t), jax.nn.softmax(s)
                return self.temperature**2 * jnp.mean(loss(t, s))
            return jnp.mean(loss(t, s))

        return self._sum(value, teacher_outputs, student_outputs)
