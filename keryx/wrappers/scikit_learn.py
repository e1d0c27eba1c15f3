"""Models as classifiers, regressors and transformers of scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np

from keryx.errors import DataError, StateError
from keryx.models import Model, clone_model

try:
    import sklearn
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.utils.metadata_routing import MetadataRequest
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"The estimators of keryx.wrappers want scikit-learn, 1.6 or later ({error}): pip install 'keryx[sklearn]'."
    ) from None


class SKLBase(BaseEstimator):
    """What the estimators share.

    Args:
        model: A compiled model, of which each fit trains a clone with new weights; or a function `model(X, y, ...)`
            that makes a compiled model for the data, `y` as the model is given it.
        warm_start: Whether a second fit goes on with the model of the first.
        model_kwargs: A dict of arguments of the function.
        fit_kwargs: A dict of arguments of `Model.fit`, such as `epochs`; those given to `fit` itself come first.

    Attributes:
        model_: The trained model.
        history_: The History of the fit.
    """

    model_: Any

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ):
        self.model, self.warm_start, self.model_kwargs, self.fit_kwargs = model, warm_start, model_kwargs, fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def set_fit_request(self, **kwargs: Any) -> Any:
        """Say which metadata `fit` takes, by scikit-learn's metadata routing, which has to be enabled."""
        if not sklearn.get_config()["enable_metadata_routing"]:
            raise StateError(
                "set_fit_request() wants scikit-learn's metadata routing: "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        self._metadata_request = MetadataRequest(owner=type(self).__name__)
        for param, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=param, alias=alias)
        return self

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Train the model.

        Args:
            X: The inputs, (rows, features).
            y: The targets, (rows,).
            **kwargs: Arguments of `Model.fit`.

        Raises:
            StateError: Where the model is not compiled with a loss and an optimizer.
        """
        X, y = validate_data(self, X, y)
        y = self._encoded(y)
        model = self.model_ if self.warm_start and hasattr(self, "model_") else self._new_model(X, y)
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _new_model(self, X: Any, y: Any) -> Model:
        make: Callable | Model = self.model
        if isinstance(make, Model):
            model = clone_model(make)
            if make.compiled and not model.compiled:
                model.compile_from_config(make.get_compile_config())
        else:
            model = make(X=X, y=y, **(self.model_kwargs or {}))
        if not model.compiled or model.optimizer is None or not model.objective.heads:
            raise StateError("The model of an estimator is to be compiled: model.compile(optimizer, loss).")
        return model

    def predict(self, X: Any) -> np.ndarray:
        """What the model predicts, in the form of the targets."""
        return self._decoded(self._outputs(X))

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        outputs: np.ndarray = self.model_.predict(validate_data(self, X, reset=False), verbose=0)
        return outputs

    def _encoded(self, y: np.ndarray) -> np.ndarray:
        """The targets as the model is given them, (rows, outputs)."""
        if type_of_target(y) == "unknown":
            raise DataError(f"Unknown label type: {y.dtype}. Targets are numbers.")
        return y.reshape(len(y), -1)

    def _decoded(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs


class SKLearnClassifier(ClassifierMixin, SKLBase):
    """A model as a classifier of scikit-learn. The model is given the classes one-hot, (rows, classes).

    Args:
        model: A compiled model, of which each fit trains a clone with new weights; or a function `model(X, y, ...)`
            that makes a compiled model for the data.
        warm_start: Whether a second fit goes on with the model of the first.
        model_kwargs: A dict of arguments of the function.
        fit_kwargs: A dict of arguments of `Model.fit`, such as `epochs`; those given to `fit` itself come first.

    Attributes:
        model_: The trained model.
        history_: The History of the fit.
        classes_: The labels, in the order of the model's outputs.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.Input((1,)), keryx.layers.Dense(2, "softmax")])
    >>> model.compile(keryx.optimizers.Adam(0.1), "categorical_crossentropy")
    >>> classifier = SKLearnClassifier(model, fit_kwargs={"epochs": 100, "verbose": 0})
    >>> classifier.fit([[-1.0], [1.0]], ["low", "high"]).predict([[-2.0], [2.0]]).tolist()
    ['low', 'high']
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs of the model, (rows, classes); of two classes how much the second one's is above the first's."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def _encoded(self, y: np.ndarray) -> np.ndarray:
        kind = type_of_target(y, raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise DataError(f"Only binary and multiclass target types are supported. Unknown label type: {kind}.")
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise DataError("Classifier can't train when only one class is present.")
        return np.eye(len(self.classes_), dtype=np.float32)[labels]

    def _decoded(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes_[outputs.argmax(-1)]


class SKLearnRegressor(RegressorMixin, SKLBase):
    """A model as a regressor of scikit-learn.

    Args:
        model: A compiled model, of which each fit trains a clone with new weights; or a function `model(X, y, ...)`
            that makes a compiled model for the data.
        warm_start: Whether a second fit goes on with the model of the first.
        model_kwargs: A dict of arguments of the function.
        fit_kwargs: A dict of arguments of `Model.fit`, such as `epochs`; those given to `fit` itself come first.

    Attributes:
        model_: The trained model.
        history_: The History of the fit.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.Input((1,)), keryx.layers.Dense(1)])
    >>> model.compile(keryx.optimizers.SGD(0.1), "mse")
    >>> regressor = SKLearnRegressor(model, fit_kwargs={"epochs": 100, "verbose": 0})
    >>> regressor.fit([[0.0], [1.0]], [1.0, 3.0]).predict([[2.0]]).round().tolist()
    [5.0]
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


class SKLearnTransformer(TransformerMixin, SKLBase):
    """A model as a transformer of scikit-learn: its outputs are the features of what comes next in a pipeline.

    Args:
        model: A compiled model, of which each fit trains a clone with new weights; or a function `model(X, y, ...)`
            that makes a compiled model for the data.
        warm_start: Whether a second fit goes on with the model of the first.
        model_kwargs: A dict of arguments of the function.
        fit_kwargs: A dict of arguments of `Model.fit`, such as `epochs`; those given to `fit` itself come first.

    Attributes:
        model_: The trained model.
        history_: The History of the fit.

    >>> import keryx
    >>> model = keryx.Sequential([keryx.Input((1,)), keryx.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> SKLearnTransformer(model).fit([[0.0], [1.0]], [1.0, 3.0], verbose=0).transform([[2.0]]).shape
    (1, 1)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X: Any) -> np.ndarray:
        """The outputs of the model."""
        return self._outputs(X)
