"""Steps of one's own by Keras's contract on JAX: what a subclass overrides, in lists of arrays.

`train_step(self, state, data) -> (logs, state)`, where the state is (trainable, non_trainable, optimizer, metrics
variables), each a list of arrays. `adapted` makes of it the step of a TrainState that `fit` runs.
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from keryx.core import scope
from keryx.errors import StateError
from keryx.metrics import Metric
from keryx.training.protocol import TrainedModel
from keryx.training.state import TestState, TrainState, folded
from keryx.training.step import Batch, is_finite

_METHODS = ("train_step", "test_step", "compute_loss", "compute_loss_and_updates", "compute_metrics")


class Latest(Metric):
    """What a step has last logged under a name."""

    def __init__(self, name: str, value: Any):
        super().__init__(value.dtype, name)
        self.value = self.add_variable(value.shape, name="value")

    def update_state(self, value: Any) -> None:
        self.value.store(value)

    def result(self) -> jax.Array:
        return self.value.value


def overrides(model: Any, base: type) -> bool:
    """Whether a class of the user's has a part of a step by Keras's contract.

    Raises:
        StateError: Where it is written for TensorFlow's tape, or takes other arguments.
    """
    found = [name for name in (*_METHODS, "predict_step") if getattr(type(model), name) is not getattr(base, name)]
    for name in found:
        arguments = list(inspect.signature(getattr(type(model), name)).parameters.values())[1:]
        if name.endswith("_step") and not _takes_state(arguments):
            told = ", ".join(str(argument) for argument in arguments)
            raise StateError(
                f"{type(model).__name__}.{name} takes ({told}), which is no step on JAX. Write it as a "
                f"pure function of the state:\n{_FORMS[name]}"
            )
    parts = [name for name in found if name in _METHODS]
    if "train_step" not in found or "batch" not in inspect.signature(type(model).train_step).parameters:
        return bool(parts)
    for name in parts:
        if name != "train_step":
            raise StateError(
                f"{type(model).__name__}.{name} would never be called: its train_step(state, batch) is Keryx's. Write "
                f"{name} into it, or a train_step(self, state, data) by Keras's contract."
            )
    return False


def _takes_state(arguments: list[inspect.Parameter]) -> bool:
    """Whether a step's arguments are a state and a batch, by name or as `*args`."""
    names = [argument.name for argument in arguments]
    return names in (["state", "data"], ["state", "batch"]) or any(a.kind is a.VAR_POSITIONAL for a in arguments)


_FORMS = {
    "train_step": """
    def train_step(self, state, data):
        trainable, non_trainable, optimizer_variables, metrics_variables = state
        x, y = data
        grad_fn = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, (loss, y_pred, non_trainable, metrics_variables)), grads = grad_fn(
            trainable, non_trainable, metrics_variables, x, y, None, training=True,
            optimizer_variables=optimizer_variables,
        )
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
        return {"loss": loss}, (trainable, non_trainable, optimizer_variables, metrics_variables)
""",
    "test_step": """
    def test_step(self, state, data):
        trainable, non_trainable, metrics_variables = state
        x, y = data
        loss, (_, y_pred, non_trainable, metrics_variables) = self.compute_loss_and_updates(
            trainable, non_trainable, metrics_variables, x, y, None, training=False
        )
        return {"loss": loss}, (trainable, non_trainable, metrics_variables)
""",
    "predict_step": """
    def predict_step(self, state, data):
        trainable, non_trainable = state
        return self.stateless_call(trainable, non_trainable, data, training=False)
""",
}


# -- what Keras's methods do where they are not overridden ---------------------------------------------------------


def compute_loss(model: TrainedModel, y: Any, y_pred: Any, sample_weight: Any) -> jax.Array:
    """The losses that compile() was given, plus what was added and the penalties of the weights."""
    objective = model.objective
    targets, weights = objective.match(y, "target"), objective.match(sample_weight, "sample weight")
    loss, _ = objective.loss_of(targets, jax.tree.leaves(y_pred), weights)
    return loss + sum(model.losses)


def compute_metrics(model: TrainedModel, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> dict[str, Any]:
    """Let the compiled metrics see a batch, and read all metrics."""
    objective, outputs = model.objective, jax.tree.leaves(y_pred)
    targets, weights = objective.match(y, "target"), objective.match(sample_weight, "sample weight")
    compares = objective.trackers and any(target is not None for target in targets)  # a compute_loss may not
    parts = objective.loss_of(targets, outputs, weights)[1] if compares else None
    masks = [scope.mask_of(output) for output in outputs]
    objective.update_metrics(None, parts, targets, outputs, weights, masks, _rows(x))
    unseen = [] if compares else [tracker.name for tracker in objective.trackers]
    return {name: value for name, value in model.get_metrics_result().items() if name not in unseen}


def compute_loss_and_updates(
    model: TrainedModel,
    trainable: list,
    non_trainable: list,
    metrics: list,
    x: Any,
    y: Any,
    sample_weight: Any,
    training: bool,
    optimizer_variables: Any,
) -> tuple[jax.Array, tuple]:
    """The loss to differentiate, and (the loss, the outputs, non-trainable and metrics variables after them)."""
    takes = inspect.signature(model.compute_loss).parameters
    y_pred, non_trainable = model.stateless_call(trainable, non_trainable, x, training=training)
    extra = {"training": training} if "training" in takes else {}
    loss, non_trainable, metrics = loss_with_variables(
        model,
        (trainable, non_trainable, metrics),
        training,
        lambda: model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **extra),
    )
    scaled = loss
    if training and optimizer_variables is not None:
        state = jax.tree.unflatten(model.optimizer.structure, list(optimizer_variables))
        scaled = loss * jnp.asarray(model.optimizer.loss_scale(state), loss.dtype)
    return scaled, (loss, y_pred, non_trainable, metrics)


def loss_with_variables(
    model: TrainedModel, groups: tuple[list, list, list], training: bool, loss: Callable[[], Any]
) -> tuple[Any, list, list]:
    """A loss that may call the model's layers again and update its metrics, and the variables after it."""
    outer = scope.current() or scope.Scope()
    variables = [model.trainable_variables, model.non_trainable_variables, model.metrics_variables]

    def run() -> Any:
        running = scope.current()
        assert running is not None
        running.gathered, running.masks = outer.gathered, dict(outer.masks)
        return loss()

    key = None if outer.key is None else jax.random.key_data(scope.random_key())
    values = [jnp.asarray(value) for group in groups for value in group]
    result, updates, _ = scope.pure(run, [v for group in variables for v in group], training)(values, key)
    new = [updates.get(i, value) for i, value in enumerate(values)]
    first, second = len(variables[0]), len(variables[0]) + len(variables[1])
    return result, new[first:second], new[second:]


def train_step(model: TrainedModel, state: tuple, data: Any) -> tuple[dict[str, Any], tuple]:
    """One step of training by Keras's contract."""
    trainable, non_trainable, optimizer_variables, metrics = state
    x, y, weight = unpack_x_y_sample_weight(data)
    given = trainable, non_trainable, metrics, x, y, weight
    more = {"training": True, "optimizer_variables": optimizer_variables}
    _refuse_other_arguments(model, "train_step", *given, **more)
    loss_at = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
    (_, (loss, y_pred, non_trainable, metrics)), gradients = loss_at(*given, **more)
    trainable, optimizer_variables = model.optimizer.stateless_apply(optimizer_variables, gradients, trainable)
    logs, metrics = _measured(model, metrics, loss, x, y, y_pred, weight)
    return logs, (trainable, non_trainable, optimizer_variables, metrics)


def test_step(model: TrainedModel, state: tuple, data: Any) -> tuple[dict[str, Any], tuple]:
    """Measure one batch by Keras's contract."""
    trainable, non_trainable, metrics = state
    x, y, weight = unpack_x_y_sample_weight(data)
    given = trainable, non_trainable, metrics, x, y, weight
    _refuse_other_arguments(model, "test_step", *given, training=False)
    _, (loss, y_pred, non_trainable, metrics) = model.compute_loss_and_updates(*given, training=False)
    logs, metrics = _measured(model, metrics, loss, x, y, y_pred, weight)
    return logs, (trainable, non_trainable, metrics)


def _refuse_other_arguments(model: TrainedModel, step: str, *given: Any, **named: Any) -> None:
    """Refuse a helper of the user's that has the name of a part of the step, and takes other arguments."""
    signature = inspect.signature(model.compute_loss_and_updates)
    try:
        signature.bind(*given, **named)
    except TypeError:
        names = ["trainable_variables", "non_trainable_variables", "metrics_variables", "x", "y", "sample_weight"]
        told = ", ".join([*names, *(f"{name}=" for name in named)])
        raise StateError(
            f"{type(model).__name__}.compute_loss_and_updates takes {signature}, but {step} calls it with ({told}). "
            f"Give it another name, or write a {step} of your own."
        ) from None


def _measured(model: TrainedModel, metrics: list, loss: Any, x: Any, y: Any, y_pred: Any, weight: Any) -> tuple:
    variables, total = model.metrics_variables, model.objective.total

    def measure():
        if total.total in variables:  # a `metrics` of the user's own may leave it out
            total.update_state(loss, sample_weight=_rows(x))
        return model.compute_metrics(x=x, y=y, y_pred=y_pred, sample_weight=weight)

    logs, updates, _ = scope.pure(measure, variables)(metrics, None)
    return {"loss": loss, **logs}, [updates.get(i, value) for i, value in enumerate(metrics)]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """The inputs, targets and sample weights of what a step is given; None where there are none."""
    if not isinstance(data, tuple):
        return data, None, None
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


def _rows(x: Any) -> int:
    return jax.tree.leaves(x)[0].shape[0]


# -- as the loop runs them -----------------------------------------------------------------------------------------


def adapted_train_step(model: TrainedModel) -> Callable:
    """The model's `train_step(state, data)` as `(TrainState, batch) -> (TrainState, logs)`."""
    trainable, non_trainable, metrics = _paths(model)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Any]]:
        given = _listed(state.trainable, trainable), _listed(state.non_trainable, non_trainable)
        with scope.run(scope.Scope({}, folded(state.key, state.step), True)):
            slots, structure = jax.tree.flatten(state.optimizer)
            logs, new = model.train_step((*given, slots, _listed(state.metrics, metrics)), _data(model, batch))
        new_state = state._replace(
            trainable=_by_path(model, trainable, new[0]),
            non_trainable=_by_path(model, non_trainable, new[1]),
            optimizer=jax.tree.unflatten(structure, list(new[2])),
            step=state.step + 1,
        )
        logs, kept = _noted(model, True, logs, state.metrics | _by_path(model, metrics, new[3]))
        fine = is_finite(logs) & (state.bad_step < 0)
        return lax.cond(fine, lambda: new_state, lambda: state)._replace(metrics=kept), logs

    return step


def adapted_test_step(model: TrainedModel) -> Callable:
    """The model's `test_step(state, data)` as `(TestState, weights, batch) -> (TestState, logs)`."""
    trainable, non_trainable, metrics = _paths(model)

    def step(state: TestState, fixed: Any, batch: Batch) -> tuple[TestState, dict[str, Any]]:
        given = _listed(fixed[0], trainable), _listed(fixed[1], non_trainable), _listed(state.metrics, metrics)
        with scope.run(scope.Scope({}, folded(state.key, state.position))):
            logs, new = model.test_step(given, _data(model, batch))
        logs, kept = _noted(model, False, logs, state.metrics | _by_path(model, metrics, new[-1]))
        return state._replace(metrics=kept), logs

    return step


def adapted_predict_step(model: TrainedModel) -> Callable:
    """The model's `predict_step(state, data)` as `(x, training) -> outputs`, to be called where weights are lent."""

    def forward(x: Any, training: bool) -> Any:
        rest = model.non_trainable_variables
        given = [v.value for v in model.trainable_variables], [v.value for v in rest]
        outputs, new = model.predict_step(given, (x,) if isinstance(x, (tuple, list)) else x)
        for variable, old, value in zip(rest, given[1], new, strict=True):
            if value is not old:
                variable.store(value)
        return outputs

    return forward


def trackers(model: TrainedModel, step: Callable, *given: Any) -> tuple[Latest, ...]:
    """What keeps the logs of a step; it is only traced."""
    _, logs = jax.eval_shape(step, *given)
    return tuple(Latest(name, value) for name, value in logs.items())


def _noted(model: TrainedModel, training: bool, logs: dict[str, Any], metrics: dict) -> tuple[dict, dict]:
    """The logs as one flat dict, and the metrics with what keeps these logs."""
    flat = dict[str, Any]()
    for name, value in logs.items():
        flat |= value if isinstance(value, dict) else {name: value}
    flat = {name: jnp.asarray(value) for name, value in flat.items()}

    def note():
        for tracker in model.objective.step_logs.get(training, ()):
            tracker.update_state(flat[tracker.name])

    _, updates, _ = scope.pure(note, model.objective.variables)(metrics, None)
    return flat, scope.updated(metrics, updates)


def _paths(model: TrainedModel) -> tuple[list[str], list[str], list[str]]:
    """The paths of the variables, in the order of the lists of Keras's contract."""
    paths = {v: path for path, v in model.named_variables.items()}
    metrics = {v: path for path, v in model.objective.variables.items()}
    trainable, rest = model.trainable_variables, model.non_trainable_variables
    return [paths[v] for v in trainable], [paths[v] for v in rest], [metrics[v] for v in model.metrics_variables]


def _listed(arrays: dict[str, jax.Array], paths: list[str]) -> list[jax.Array]:
    return [arrays[path] for path in paths]


def _by_path(model: TrainedModel, paths: list[str], arrays: Any) -> dict[str, jax.Array]:
    arrays = list(arrays)
    if len(arrays) != len(paths):
        raise StateError(
            f"A step of {model.title} has to return {len(paths)} arrays for {len(paths)} variables; got {len(arrays)}."
        )
    return dict(zip(paths, arrays, strict=True))


def _data(model: TrainedModel, batch: Batch) -> Any:
    """A batch as Keras hands it to a step: `x`, `(x, y)` or `(x, y, sample_weight)`."""
    y, weight = (_in_nest(model, part) for part in (batch.y, batch.weight))
    if weight is not None:
        return batch.x, y, weight
    if y is not None:
        return batch.x, y
    return (batch.x,) if isinstance(batch.x, (tuple, list)) else batch.x


def _in_nest(model: TrainedModel, parts: list[Any]) -> Any:
    if all(part is None for part in parts):
        return None
    return parts[0] if len(parts) == 1 else jax.tree.unflatten(jax.tree.structure(model.objective.structure), parts)
