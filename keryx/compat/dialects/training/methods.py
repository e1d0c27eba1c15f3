"""compile, fit, evaluate and predict in the words of Keras 1 and 2, and the methods that Keras 3 has dropped."""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from keryx import old_words
from keryx.compat.dialects import age
from keryx.compat.dialects.training import closed_losses, freezing
from keryx.compat.dialects.training import metrics as old_metrics
from keryx.compat.dialects.training import optimizers as old_optimizers
from keryx.compat.dialects.words import values
from keryx.errors import ArgumentError

# What metrics are logged as: Keras 1, and Keras 2 until 2.3, went by the function that a short name stood for.
LOGGED = {
    "accuracy": "acc",
    "mse": "mean_squared_error",
    "MSE": "mean_squared_error",
    "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "MAPE": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error",
    "cosine": "cosine_proximity",
    "learning_rate": "lr",
}
_WORKERS = ("max_q_size", "max_queue_size", "nb_worker", "workers", "pickle_safe", "use_multiprocessing")


def _renamed(given: dict[str, Any]) -> dict[str, Any]:
    """The words of `fit` in today's; how batches are fetched is left aside, which nothing depends on."""
    made = {}
    for word, value in given.items():
        new = old_words.FIT.get(word, (word,))
        if word not in _WORKERS:
            made[new[0] if new and word not in _COUNTS else word] = value
    return made


_COUNTS = ("samples_per_epoch", "nb_val_samples", "val_samples", "show_accuracy")  # of samples, not of steps


def compile_(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """`metrics` stands third; names of optimizers and metrics are those of the age."""
    for word in ("sample_weight_mode", "target_tensors", "class_mode", "theano_mode"):
        if word == "target_tensors" and given.get(word) is not None:
            raise ArgumentError(
                "compile(target_tensors=) fed targets as tensors of TensorFlow: give fit the arrays, y=."
            )
        given.pop(word, None)
    optimizer = given.get("optimizer", "rmsprop")
    if isinstance(optimizer, str):
        given["optimizer"] = old_optimizers.named(age.current(), optimizer)
    for word in ("metrics", "weighted_metrics"):
        if word in given:
            given[word] = _each(given[word], lambda name: old_metrics.by_name(age.current(), LOGGED.get(name, name)))
    if "loss" in given:
        loss = _each(given["loss"], lambda name: old_metrics.by_name(age.current(), name))
        given["loss"] = closed_losses.opened(self, loss)
    call(**given)
    freezing.settle(self)


def _each(given: Any, of_name: Callable[[str], Any]) -> Any:
    """Losses or metrics, by output or not, in which the names stand for what `of_name` says."""
    if isinstance(given, dict):
        return {name: _each(value, of_name) for name, value in given.items()}
    if isinstance(given, (list, tuple)):
        return [_each(value, of_name) for value in given]
    return of_name(given) if isinstance(given, str) else given


def word_of_log(name: str) -> str:
    """The name of a number in the logs in the words of the age.

    >>> word_of_log("val_accuracy"), word_of_log("main_output_acc")
    ('val_acc', 'main_output_acc')
    """
    prefix = "val_" if name.startswith("val_") else ""
    rest = name.removeprefix("val_")
    return prefix + next((rest.removesuffix(new) + old for new, old in LOGGED.items() if _is_tail(rest, new)), rest)


def _is_tail(name: str, word: str) -> bool:
    return name == word or name.endswith(f"_{word}")


class Logs(dict):
    """The logs of a fit by the names of the age, which answers to those of today as well.

    >>> Logs(acc=[0.5])["accuracy"]
    [0.5]
    """

    def __missing__(self, name: str) -> Any:
        other = word_of_log(name)
        if other == name or other not in self:
            raise KeyError(name)
        return self[other]


def fit(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """`nb_epoch` epochs, of which the History tells in the words of the age."""
    given = {**values.DEFAULTS[age.current()].get("fit", {}), **_renamed(given)}
    if given.pop("show_accuracy", False):
        raise ArgumentError("fit(show_accuracy=True) is of Keras 0: write compile(..., metrics=['accuracy']).")
    if given.get("validation_split", 0.0) is None:
        del given["validation_split"]
    with _telling(self, given), freezing.as_compiled(self):
        history = call(**given)
    history.history = Logs(history.history)
    return history


_told: list[dict[str, Any]] = [{}]


@contextmanager
def _telling(model: Any, given: dict[str, Any]) -> Iterator[None]:
    """A block in which callbacks find in their `params` what they found there in Keras 1 and 2."""
    rows = None if given.get("x") is None or not hasattr(given["x"], "__len__") else _rows(given["x"])
    split = given.get("validation_split")
    if rows is not None and split and given.get("validation_data") is None:
        rows = int(rows * (1 - split))
    names = [word_of_log(name) for name in ["loss", *_asked_for(model._compile_arguments["metrics"])]]
    sizes = {"samples": rows, "nb_sample": rows, "batch_size": given.get("batch_size") or 32}
    held_out = _held_out(given)
    validated = bool(given.get("validation_data") or given.get("validation_split"))
    _told.append(
        {**sizes, "validation_data": held_out, "nb_epoch": given.get("epochs", 1), "do_validation": validated}
        | {"metrics": names + [f"val_{name}" for name in names]}
    )
    try:
        yield
    finally:
        _told.pop()


def _asked_for(metrics: Any) -> list[str]:
    if isinstance(metrics, dict):
        metrics = [one for value in metrics.values() for one in (value if isinstance(value, list) else [value])]
    return [str(getattr(one, "name", None) or getattr(one, "__name__", one)) for one in metrics or []]


def params_of_age(params: dict[str, Any]) -> dict[str, Any]:
    """What a callback is told of a fit, with what it was told in its age."""
    return {word: value for word, value in (_told[-1] | params).items() if word != "validation_data"}


def validation_data() -> list[Any] | None:
    """What a callback found as its `validation_data`: inputs, targets and weights in one list; None for generators."""
    found: list[Any] | None = _told[-1].get("validation_data")
    return found


def _held_out(given: dict[str, Any]) -> list[Any] | None:
    data, split = given.get("validation_data"), given.get("validation_split")
    if isinstance(data, (tuple, list)):
        parts: Any = (*data, None)[:3]
    elif data is None and split:
        parts = [given.get(word) for word in ("x", "y", "sample_weight")]
    else:
        return None
    if not all(hasattr(part, "shape") for part in jax.tree.leaves(parts)):
        return None
    if data is None and split:
        first = int(_rows(given["x"]) * (1 - split))
        parts = jax.tree.map(lambda part: part[first:], parts)
    x, y, weight = map(jax.tree.leaves, parts)
    weights = weight or [np.ones(len(targets), "float32") for targets in y]
    return [*map(np.asarray, x), *map(_column, y), *weights]


def _column(targets: Any) -> np.ndarray:
    targets = np.asarray(targets)
    return targets[:, None] if targets.ndim == 1 else targets


def of_batch(index: int) -> dict[str, int]:
    """What the logs of a batch of `fit` told beside today's: its number, and its samples where they are arrays."""
    rows, size = _told[-1].get("samples"), _told[-1].get("batch_size")
    if rows is None or size is None:
        return {"batch": index}
    return {"batch": index, "size": min(size, rows - index * size)}


def evaluate(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """The same, without `show_accuracy`."""
    given = _renamed(given)
    given.pop("show_accuracy", None)
    return call(**given)


def train_on_batch(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """One step, of what was to be trained when the model was compiled."""
    with freezing.as_compiled(self):
        return call(**given)


def fit_generator(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """`fit` with a generator: Keras 1 counted the samples of an epoch, Keras 2 its steps."""
    given = {**_epochs_of_generators(), **_renamed(given)}
    given["x"], given["steps_per_epoch"] = _batches(given["x"], given.pop("samples_per_epoch", None), given)
    given.setdefault("shuffle", True)
    data = given.get("validation_data")
    if data is not None and not isinstance(data, (tuple, list)):
        given["validation_data"], given["validation_steps"] = _batches(
            data, given.pop("nb_val_samples", None), given, "validation_steps"
        )
    given.pop("nb_val_samples", None)
    with _telling(self, {**given, "x": None}), freezing.as_compiled(self):
        history = type(self).fit(self, **{word: value for word, value in given.items() if value is not None})
    history.history = Logs(history.history)
    return history


def _epochs_of_generators() -> dict[str, Any]:
    return {"epochs": 1}


def evaluate_generator(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """`evaluate` with a generator."""
    return _with_generator(self, type(self).evaluate, given)


def predict_generator(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """`predict` with a generator."""
    return _with_generator(self, type(self).predict, {"verbose": 0} | given)


def _with_generator(self: Any, method: Callable, given: dict[str, Any]) -> Any:
    given = _renamed(given)
    given["x"], given["steps"] = _batches(given["x"], given.pop("val_samples", None), given, "steps")
    return method(self, **{word: value for word, value in given.items() if value is not None})


def _batches(data: Any, samples: Any, given: dict[str, Any], word: str = "steps_per_epoch") -> tuple[Any, int | None]:
    """Batches, and how many of them make up `samples`, going by the size of the first."""
    steps = given.get(word)
    if samples is None:
        return data, None if steps is None else int(steps)
    size = getattr(data, "batch_size", None)
    if size is None:
        first = next(data)
        size, data = _rows(first), _chained(first, data)
    return data, math.ceil(samples / size)


def _chained(first: Any, rest: Any) -> Iterator[Any]:
    yield from itertools.chain([first], rest)


def _rows(batch: Any) -> int:
    while isinstance(batch, (tuple, list, dict)):
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    return len(batch)


def predict(self: Any, given: dict[str, Any], call: Callable) -> Any:
    """Silent, as it was."""
    return call(**{"verbose": 0} | given)


def predict_proba(self: Any, x: Any, batch_size: int = 32, verbose: int = 0) -> np.ndarray:
    """The outputs for `x`."""
    outputs: np.ndarray = self.predict(x, batch_size=batch_size, verbose=verbose)
    return outputs


def predict_classes(self: Any, x: Any, batch_size: int = 32, verbose: int = 0) -> np.ndarray:
    """The class of each row: the largest of the outputs, or whether a single one is above 0.5."""
    outputs = predict_proba(self, x, batch_size, verbose)
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype("int32")
