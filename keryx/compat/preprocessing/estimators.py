"""Functions that make models as estimators of scikit-learn: what `keras.wrappers.scikit_learn` had."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from keryx.compat.dialects.names.libraries import to_categorical
from keryx.errors import ArgumentError, DataError, StateError, did_you_mean

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
except ImportError:  # they serve without scikit-learn, as they did

    class BaseEstimator:  # type: ignore[no-redef]
        """Nothing, where scikit-learn is missing."""

    class ClassifierMixin:  # type: ignore[no-redef]
        """Nothing, where scikit-learn is missing."""

    class RegressorMixin:  # type: ignore[no-redef]
        """Nothing, where scikit-learn is missing."""


_OF_MODELS = ("fit", "predict", "predict_classes", "evaluate")
_OLD = ("nb_epoch", "samples_per_epoch")


class BaseWrapper(BaseEstimator):
    """What the two estimators share.

    Args:
        build_fn: A function, or an object to call, that makes a compiled model; by default the estimator's own
            `__call__`, in a subclass.
        **sk_params: Arguments of that function, and of the model's `fit`, `predict` and `evaluate`.
    """

    model: Any

    def __init__(self, build_fn: Callable | None = None, **sk_params: Any):
        self.build_fn, self.sk_params = build_fn, sk_params
        self.check_params(sk_params)

    @property
    def _maker(self) -> Callable:
        maker: Any = self.build_fn if self.build_fn is not None else getattr(self, "__call__", None)  # noqa: B004
        if maker is None:
            raise ArgumentError(f"{type(self).__name__} wants build_fn=, a function that makes a compiled model.")
        return maker

    def check_params(self, params: dict[str, Any]) -> None:
        """Raise ArgumentError for what neither the function nor the model takes."""
        known = [*_parameters(self._maker), *_OLD, *(p for name in _OF_MODELS for p in self._taken_by(name))]
        open_ended = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(self._maker).parameters.values())
        for word in params:
            if word not in known and not open_ended:
                raise ArgumentError(f"{word!r} is no argument of build_fn, nor of fit().{did_you_mean(word, known)}")

    def _taken_by(self, name: str) -> list[str]:
        from keryx.models import Sequential

        return _parameters(getattr(Sequential, name))

    def get_params(self, deep: bool = True, **params: Any) -> dict[str, Any]:
        """`build_fn` and the other arguments."""
        return {**(copy.deepcopy(self.sk_params) if deep else self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Any:
        """Take other arguments."""
        if "build_fn" in params:
            self.build_fn = params.pop("build_fn")
        self.check_params(params)
        self.sk_params.update(params)
        return self

    def filter_sk_params(self, fn: Callable, override: dict[str, Any] | None = None) -> dict[str, Any]:
        """The arguments that a function takes."""
        taken = _parameters(fn)
        return {word: value for word, value in self.sk_params.items() if word in taken} | (override or {})

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Make a model, and train it; its History comes back."""
        self.model = self._maker(**self.filter_sk_params(self._maker))
        if _wants_vectors(self.model) and np.ndim(y) != 2:
            y = to_categorical(y)
        given = self.filter_sk_params(type(self.model).fit, kwargs)
        given |= {word: self.sk_params[word] for word in _OLD if word in self.sk_params}
        return self.model.fit(x, y, **_today(given))

    def _asked(self, name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
        if not hasattr(self, "model"):
            raise StateError(f"{type(self).__name__} has no model yet: call fit(x, y) first.")
        return self.filter_sk_params(getattr(type(self.model), name), kwargs)


class KerasClassifier(ClassifierMixin, BaseWrapper):
    """A model as a classifier.

    Args:
        build_fn: A function that makes a compiled model.
        **sk_params: Arguments of that function, and of the model's `fit`, `predict` and `evaluate`.
    """

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Make a model, and train it on the numbers of the classes, or on vectors; its History comes back."""
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim in (1, 2):
            self.classes_, y = np.unique(y, return_inverse=True)[0], np.searchsorted(np.unique(y), y)
        else:
            raise DataError(f"Labels are (rows,) or (rows, classes); got {y.shape}.")
        self.n_classes_ = len(self.classes_)
        return super().fit(x, y, **kwargs)

    def _probabilities(self, x: Any, kwargs: dict[str, Any]) -> np.ndarray:
        outputs: np.ndarray = self.model.predict(x, **({"verbose": 0} | self._asked("predict", kwargs)))
        return outputs

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The class of each row."""
        outputs = self._probabilities(x, kwargs)
        places = outputs.argmax(-1) if outputs.shape[-1] > 1 else (outputs[:, 0] > 0.5).astype(int)
        classes: np.ndarray = self.classes_[places]
        return classes

    def predict_proba(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The probability of each class, (rows, classes)."""
        outputs = self._probabilities(x, kwargs)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The accuracy that the model was compiled with.

        Raises:
            StateError: Where it was compiled without.
        """
        y = np.searchsorted(self.classes_, y)
        if _wants_vectors(self.model) and y.ndim != 2:
            y = to_categorical(y, self.n_classes_)
        logs = self.model.evaluate(x, y, return_dict=True, **({"verbose": 0} | self._asked("evaluate", kwargs)))
        for name in ("acc", "accuracy"):
            if name in logs:
                return float(logs[name])
        raise StateError("The score of a KerasClassifier is the accuracy: compile with metrics=['accuracy'].")


class KerasRegressor(RegressorMixin, BaseWrapper):
    """A model as a regressor.

    Args:
        build_fn: A function that makes a compiled model.
        **sk_params: Arguments of that function, and of the model's `fit`, `predict` and `evaluate`.
    """

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """What the model predicts, without axes of size 1."""
        return np.squeeze(self.model.predict(x, **({"verbose": 0} | self._asked("predict", kwargs))))

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Minus the loss, so that more is better."""
        loss = self.model.evaluate(x, y, **({"verbose": 0} | self._asked("evaluate", kwargs)))
        return -float(loss[0] if isinstance(loss, list) else loss)


def _wants_vectors(model: Any) -> bool:
    return getattr(model._compile_arguments["loss"], "__name__", model._compile_arguments["loss"]) == _VECTORS


_VECTORS = "categorical_crossentropy"


def _today(given: dict[str, Any]) -> dict[str, Any]:
    return {"epochs" if word == "nb_epoch" else word: value for word, value in given.items()}


def _parameters(function: Callable) -> list[str]:
    own = inspect.signature(function).parameters.values()
    return [p.name for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name != "self"]
