"""Rules of learning: what is frozen, how fast it learns, and which units and weights do nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from keryx.errors import KeryxError
from keryx.models.explaining.findings import Finding
from keryx.models.explaining.view import View
from keryx.training.data.checks import Checks
from keryx.training.step import Batch, loss_of

_ROWS = 128  # that the model is run on
_FEWEST = 16  # below which a unit may be silent by chance
_USUAL = {"SGD": (1e-5, 1.0), "Adadelta": (1e-4, 2.0), "Adagrad": (1e-5, 1.0), "Ftrl": (1e-5, 1.0)}
_ADAPTIVE = (1e-7, 0.05)
_STEPS = (0, 1, 10, 100, 1000, 10_000, 100_000)  # at which a schedule is looked at: many begin at 0


def all_frozen(view: View) -> Iterator[Finding]:
    """A model that was compiled, and has no weight that is trained."""
    model = view.model
    if view.session is not None and model.weights and not model.trainable_weights:
        yield Finding(
            None,
            f"none of its {len(model.weights)} weights is trained: all layers are frozen.",
            "fit() changes nothing.",
            f"{'model' if not model.trainable else 'layer'}.trainable = True",
        )


def frozen_behind_trained(view: View) -> Iterator[Finding]:
    """A frozen layer whose inputs come from layers that are trained."""
    if view.session is None:
        return
    trained = set(view.trainable.values())
    for call in view.calls:
        variables = [v for v in getattr(call.layer, "variables", []) if v.trainable]
        if not variables or not trained or trained & set(variables):
            continue
        before = [c for c in call.upstream() if c is not call and trained & set(getattr(c.layer, "variables", []))]
        if before:
            yield Finding(
                call.path,
                f"it is frozen, and stands behind {before[0].path}, which is trained.",
                "Layers that were taken over stand in front. In the discriminator of a GAN this is as it should be.",
                f"model.get_layer({call.path!r}).trainable = True",
            )
            return


def learning_rate(view: View) -> Iterator[Finding]:
    """A learning rate far from what its optimizer is used with."""
    optimizer = getattr(view.session, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = _rate(optimizer)
    low, high = _USUAL.get(type(optimizer).__name__, _ADAPTIVE)
    if rate is None or low <= rate <= high:
        return
    usual = 0.01 if high > 0.05 else 0.001
    much = "much: steps overshoot, and the loss jumps or turns NaN" if rate > high else "little: nothing moves"
    yield Finding(
        None,
        f"the learning rate of {type(optimizer).__name__} is {rate:g}.",
        f"Usual is about {usual:g}. This is {much}.",
        f"model.compile(keryx.optimizers.{type(optimizer).__name__}({usual:g}), ...)",
    )


def _rate(optimizer: Any) -> float | None:
    """The learning rate, the highest of a schedule; None where it is a function, or the optimizer another library's."""
    if type(optimizer).__name__ == "OptaxOptimizer":
        return None
    try:
        given = optimizer.schedule if optimizer.schedule is not None else optimizer.learning_rate
        return max(float(np.asarray(given(step))) for step in _STEPS) if callable(given) else float(np.asarray(given))
    except (AttributeError, TypeError, ValueError):
        return None


def dead_units(view: View) -> Iterator[Finding]:
    """Units behind a relu that are 0 on all rows."""
    if not view.inputs or len(view.inputs[0][1]) < _FEWEST:
        return
    for call, values in _activations(view):
        units = values.reshape(-1, values.shape[-1])
        dead = int((units == 0).all(0).sum())
        if dead and (dead == units.shape[-1] or dead >= max(4, units.shape[-1] / 2)):
            yield Finding(
                call.path,
                f"{dead} of {units.shape[-1]} units are 0 on all {len(values)} rows that were tried.",
                "A relu that is never positive has no gradient: it stays silent. Large learning rates, unscaled inputs "
                "and negative biases do it.",
                f'{call.kind}(..., activation="leaky_relu")' if call.has_kernel else "x = layers.LeakyReLU()(x)",
            )


def _activations(view: View) -> Iterator[tuple[Any, np.ndarray]]:
    """What comes out of each call that ends in a relu, for some rows."""
    wanted = [call for call in view.calls if call.activation == "relu" and len(call.shape) > 1]
    graph, model = view.model._graph, view.model
    symbols = {node.operation: jax.tree.leaves(node.outputs)[0] for node in graph.nodes} if graph else {}
    calls = [call for call in wanted if call.layer in symbols]
    if not calls or model.halves.host is not None:
        return
    from keryx.models.model import Model

    probe = Model(model.inputs, [symbols[call.layer] for call in calls], name="probe")
    try:
        outputs = probe([x[:_ROWS] for _, x in view.inputs], training=False)
    except KeryxError:
        return  # data_that_does_not_fit says it
    yield from zip(calls, map(np.asarray, jax.tree.leaves(outputs)), strict=True)


def data_that_does_not_fit(view: View) -> Iterator[Finding]:
    """What fit() would refuse, or predict() where there are no targets."""
    error = _refusal(view, view.x, view.y) and _refusal(view, *view.given)  # of all of it, for the numbers of rows
    if error is not None and view.y is not None and view.session is not None:
        yield Finding(None, f"fit stops: {error}", "Nothing is trained as it is.", "model.fit(x, y)  # raises it")
    elif error is not None:
        yield Finding(None, f"predict stops: {error}", "The model cannot take x.", "model.predict(x)  # raises it")


def _refusal(view: View, x: Any, y: Any) -> KeryxError | None:
    """What is raised where data goes into the model and its loss; None where nothing is."""
    session = view.session
    if x is None:
        return None
    try:
        if session is None or y is None:
            Checks.of(view.model).inputs(x)
            return None
        batch = session.checks().batch(x, y)
        if view.model.has_graph and view.trainable:
            jax.eval_shape(_loss_on(view, batch), _trained(view))
    except KeryxError as error:
        return error
    return None


def weights_without_gradient(view: View) -> Iterator[Finding]:
    """Layers whose weights the loss does not depend on."""
    layers = {v: call.path for call in view.calls for v in getattr(call.layer, "variables", [])}
    by_layer: dict[str, list[bool]] = {}
    for path, gradient in _gradients(view).items():
        layer = layers.get(view.trainable[path], path.rpartition("/")[0])
        by_layer.setdefault(layer, []).append(bool(np.any(np.asarray(gradient) != 0)))
    silent = [layer for layer, moved in by_layer.items() if not any(moved)]
    if silent:
        more = f", nor those of {len(silent) - 1} other layers" if len(silent) > 1 else ""
        yield Finding(
            silent[0],
            f"the loss does not depend on its weights{more}.",
            "Their gradient is 0 on these rows: what comes after is dead or saturated, or does not lead to a loss.",
            f"model.get_layer({silent[0]!r})",
        )


def _gradients(view: View) -> dict[str, Any]:
    """The gradient of each trained weight on some rows; nothing where there is no loss, or no data."""
    session, model = view.session, view.model
    if session is None or view.x is None or view.y is None or not view.trainable or not model.has_graph:
        return {}
    try:
        batch = session.checks().batch(view.x, view.y)
        return jax.jit(jax.grad(_loss_on(view, jax.tree.map(lambda a: a[:_ROWS], batch))))(_trained(view))
    except KeryxError:
        return {}  # data_that_does_not_fit says it


def _trained(view: View) -> dict[str, Any]:
    return {path: variable.value for path, variable in view.trainable.items()}


def _loss_on(view: View, batch: Batch) -> Callable[[dict[str, Any]], Any]:
    """The loss of a batch in training, as a function of the weights that are trained."""
    named = view.model.named_variables
    rest = {path: variable.value for path, variable in named.items() if path not in view.trainable}
    key = jax.random.key_data(jax.random.key(0))
    return lambda weights: loss_of(view.model, weights, rest, batch, key, True)[0]


RULES = [
    data_that_does_not_fit,
    all_frozen,
    frozen_behind_trained,
    learning_rate,
    dead_units,
    weights_without_gradient,
]
