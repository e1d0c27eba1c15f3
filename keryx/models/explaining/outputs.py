"""Rules of outputs: the last activation, the loss, and the targets."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keryx.core.names import snake_case
from keryx.models.explaining.findings import Finding
from keryx.models.explaining.view import Output, View

_CATEGORICAL = {"categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_focal_crossentropy"}
_BINARY = {"binary_crossentropy", "binary_focal_crossentropy"}
_REGRESSION = {"mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "mean_absolute_percentage_error"}
_REGRESSION |= {"mean_squared_logarithmic_error"}
_REACHED = {
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "softmax": (0, 1),
    "tanh": (-1, 1),
    "softsign": (-1, 1),
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "softplus": (0, np.inf),
    "exponential": (0, np.inf),
}


def name_of(loss: Any) -> str:
    """The name of the function that a loss computes."""
    function = getattr(loss, "fn", None) or type(loss)._function
    return getattr(function, "__name__", None) or snake_case(type(loss).__name__)


def _takes_logits(loss: Any) -> bool:
    return bool(getattr(loss, "from_logits", getattr(loss, "kwargs", {}).get("from_logits", False)))


def _class_of(loss: Any) -> str:
    return "".join(part.capitalize() for part in name_of(loss).split("_"))


def _losses(view: View, names: set[str]) -> Iterator[tuple[Output, Any]]:
    return ((output, loss) for output in view.outputs for loss in output.losses if name_of(loss) in names)


def probabilities_as_logits(view: View) -> Iterator[Finding]:
    """A softmax or sigmoid, and a loss that applies it once more."""
    for output, loss in _losses(view, _CATEGORICAL | _BINARY):
        if _takes_logits(loss) and output.activation in ("softmax", "sigmoid"):
            yield Finding(
                output.where,
                f"it ends in {output.activation}, and the loss takes logits (from_logits=True).",
                f"The loss applies {output.activation} once more: its outputs hardly differ, and it learns slowly.",
                f"model.compile(..., loss=keryx.losses.{_class_of(loss)}())",
            )


def logits_as_probabilities(view: View) -> Iterator[Finding]:
    """A loss of probabilities, and outputs that are none."""
    for output, loss in _losses(view, _CATEGORICAL | _BINARY):
        if not _takes_logits(loss) and output.activation in ("linear", "relu", "tanh", "leaky_relu", "elu", "softplus"):
            wanted = "sigmoid" if name_of(loss) in _BINARY else "softmax"
            yield Finding(
                output.where,
                f"its outputs are {_in_words(output.activation)}, and {name_of(loss)} takes probabilities.",
                "Outside of 0 to 1 the loss cuts them off and has no gradient there.",
                f"model.compile(..., loss=keryx.losses.{_class_of(loss)}(from_logits=True))"
                if output.activation == "linear"
                else f'the last layer: activation="{wanted}"',
            )


def _in_words(activation: str | None) -> str:
    return "any numbers (no activation)" if activation == "linear" else f"those of {activation}"


def other_probabilities(view: View) -> Iterator[Finding]:
    """A sigmoid for classes of which one is right, or a softmax for several yes or no."""
    for output, loss in _losses(view, _CATEGORICAL | _BINARY):
        units = output.shape[-1] if output.shape else None
        if output.activation == "sigmoid" and name_of(loss) in _CATEGORICAL and units != 1:
            yield Finding(
                output.where,
                f"{units} sigmoids, and {name_of(loss)}.",
                "That loss is for classes of which one is right, whose probabilities sum to 1. Sigmoids are for "
                "classes of which several may be right, with binary_crossentropy.",
                f'the last layer: Dense({units}, activation="softmax")',
            )
        if output.activation == "softmax" and name_of(loss) in _BINARY and units not in (None, 1):
            yield Finding(
                output.where,
                f"a softmax over {units}, and {name_of(loss)}.",
                "A softmax is for classes of which one is right; binary_crossentropy looks at each by itself.",
                'model.compile(..., loss="categorical_crossentropy")',
            )


def softmax_of_one(view: View) -> Iterator[Finding]:
    """A softmax over one unit."""
    for call in view.calls:
        if call.activation == "softmax" and call.shape[-1:] == (1,) and getattr(call.inner, "axis", -1) in (-1, None):
            yield Finding(
                call.path,
                "a softmax over one unit.",
                "It is 1 whatever comes in, and has no gradient.",
                'Dense(1, activation="sigmoid"), with loss="binary_crossentropy"',
            )


def regression_of_classes(view: View) -> Iterator[Finding]:
    """A softmax that is compared by squared or absolute differences."""
    for output, loss in _losses(view, _REGRESSION):
        if output.activation == "softmax" and output.shape[-1:] != (1,):
            yield Finding(
                output.where,
                f"a softmax, and {name_of(loss)}.",
                "Where the model is sure and wrong, that loss has hardly a gradient; crossentropy has.",
                'model.compile(..., loss="categorical_crossentropy")',
            )


def targets_out_of_reach(view: View) -> Iterator[Finding]:
    """Targets that the last activation cannot give."""
    for output in view.outputs:
        y, reach = output.target, _REACHED.get(output.activation or "")
        if y is None or reach is None or y.dtype.kind not in "fiub" or not y.size:
            continue
        if any(name_of(loss) not in _REGRESSION for loss in output.losses):
            continue
        low, high = float(np.min(y)), float(np.max(y))
        if low < reach[0] or high > reach[1]:
            if np.issubdtype(y.dtype, np.integer) and output.activation == "softmax":
                continue  # class numbers, which other rules look at
            bounds = "at least 0" if reach[1] == np.inf else f"{reach[0]} to {reach[1]}"
            yield Finding(
                output.where,
                f"{output.activation} gives {bounds}, and the targets lie between {low:g} and {high:g}.",
                "What lies outside can never be learned.",
                "the last layer: activation=None, or scale the targets: y = (y - y.mean()) / y.std()",
            )


def targets_that_do_not_fit(view: View) -> Iterator[Finding]:
    """Targets between 0 and 1 are wanted, or a row of them that sums to 1."""
    for output, loss in _losses(view, _BINARY | {"categorical_crossentropy"}):
        y = output.target
        if y is None or y.dtype.kind not in "fiub" or not y.size:
            continue
        low, high = float(np.min(y)), float(np.max(y))
        if low < 0 or high > 1:
            two = len(np.unique(y[:100])) == 2
            yield Finding(
                output.name,
                f"{name_of(loss)} compares with 0 to 1, and the targets lie between {low:g} and {high:g}.",
                "The loss falls without end where targets lie outside.",
                f"y = (y == {high:g}).astype('float32')" if two else "y = keryx.utils.to_categorical(y)",
            )
        elif name_of(loss) not in _BINARY and y.ndim > 1 and not np.allclose(y.sum(-1), 1, atol=1e-3):
            yield Finding(
                output.name,
                "the targets of a row do not sum to 1, and categorical_crossentropy takes them as probabilities.",
                "Where several classes of a row may be right, each is a yes or no of its own.",
                f'Dense({y.shape[-1]}, activation="sigmoid"), with loss="binary_crossentropy"',
            )


def not_finite(view: View) -> Iterator[Finding]:
    """NaN and infinity among the targets."""
    for output in view.outputs:
        y = output.target
        if y is None or y.dtype.kind != "f" or np.isfinite(y).all():
            continue
        bad = ~np.isfinite(y)
        yield Finding(
            output.name,
            f"{bad.sum():,} of {y.size:,} targets are NaN or infinite, the first in row "
            f"{view.row(np.argwhere(bad)[0][0])}.",
            "One of them makes the loss NaN, and training stops.",
            "known = np.isfinite(y); x, y = x[known], y[known]" if y.ndim == 1 else "y = np.nan_to_num(y)",
        )


def constant_targets(view: View) -> Iterator[Finding]:
    """Targets that are all the same."""
    for output in view.outputs:
        y = output.target
        if y is None or _is_frozen(view, output):
            continue  # what is frozen judges what stands before it, as a GAN's discriminator does
        if y.dtype.kind in "fiub" and len(y) > 1 and np.all(y == y[:1]):
            value = f" {y.flat[0]:g}" if np.all(y == y.flat[0]) else ""
            yield Finding(
                output.name,
                f"all targets are the same{value}.",
                "There is nothing to learn from the inputs: a constant has the lowest loss.",
                "np.unique(y, axis=0)",
            )


def _is_frozen(view: View, output: Output) -> bool:
    """Whether an output comes from a layer whose weights are not trained."""
    weights = getattr(output.call.before().layer, "variables", []) if output.call is not None else []
    return bool(weights) and not any(v is w for v in view.trainable.values() for w in weights)


def classes_out_of_balance(view: View) -> Iterator[Finding]:
    """A class that is nearly always right, and accuracy, which says so."""
    for output in view.outputs:
        y = output.target
        names = {name_of(loss) for loss in output.losses}
        if y is None or not names & (_CATEGORICAL | _BINARY) or y.dtype.kind not in "fiub" or len(y) < 20:
            continue
        classes = _classes(y)
        if classes is None:
            continue
        values, counts = np.unique(classes, return_counts=True)
        share = counts.max() / counts.sum()
        if len(values) > 1 and share >= 0.9:
            even = len(classes) / len(values)
            weights = {int(v): round(float(even / count), 2) for v, count in zip(values, counts, strict=True)}
            yield Finding(
                output.name,
                f"{share:.0%} of the targets are class {values[counts.argmax()]:g}.",
                f"A model that always says so has an accuracy of {share:.0%}: look at AUC, precision and recall.",
                f"model.fit(..., class_weight={weights})",
            )


def _classes(y: np.ndarray) -> np.ndarray | None:
    """The class of each row; None where rows hold several targets."""
    if y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
        classes = y.reshape(-1)
    elif y.ndim == 2 and np.allclose(y.sum(-1), 1):
        classes = y.argmax(-1)
    else:
        return None
    return classes if np.all(classes == np.round(classes)) else None


def accuracy_of_numbers(view: View) -> Iterator[Finding]:
    """Accuracy, and targets that are no classes."""
    for output, loss in _losses(view, _REGRESSION):
        y = output.target
        numbers = y is not None and y.dtype.kind == "f" and np.any(y != np.round(y))
        if any(name in ("accuracy", "acc") for name in output.metrics) and numbers:
            yield Finding(
                output.name,
                f"the metric accuracy, and {name_of(loss)} of targets that are no classes.",
                "Accuracy counts outputs that are equal to the target, which numbers hardly ever are.",
                'model.compile(..., metrics=["mean_absolute_error"])',
            )


def dropout_at_the_end(view: View) -> Iterator[Finding]:
    """Outputs that are dropped in training."""
    for output in view.outputs:
        call = output.call
        if call is not None and output.losses and "Dropout" in call.kind:
            yield Finding(
                call.path,
                "it drops outputs of the model.",
                "In training, a share of the predictions is set to 0 before the loss sees them.",
                f"x = {call.kind}({getattr(call.inner, 'rate', '...')})(x)  # before the last Dense",
            )


RULES = [
    probabilities_as_logits,
    logits_as_probabilities,
    other_probabilities,
    softmax_of_one,
    regression_of_classes,
    targets_out_of_reach,
    targets_that_do_not_fit,
    not_finite,
    constant_targets,
    classes_out_of_balance,
    accuracy_of_numbers,
    dropout_at_the_end,
]
