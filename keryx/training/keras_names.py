"""What programs that were written for Keras's training ask of a model, beyond what training needs."""

from typing import Any

import jax
import numpy as np

from keryx import later
from keryx.core.lending import put
from keryx.errors import ArgumentError, DataError, ShapeError, did_you_mean
from keryx.training import keras_steps

_GROUPS = "trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables"
_FORMATS = "backend_tensor", "numpy_array"


class KerasTraining:
    """Members of a model by Keras's names."""

    jit_compile = True  # steps are compiled
    get_quantization_layer_structure = later.method("get_quantization_layer_structure")

    @property
    def _trained(self) -> Any:
        return self  # what it is mixed into

    @property
    def _loss_tracker(self) -> Any:
        """The metric that keeps the mean of the loss; steps of programs for Keras update it by this name."""
        return self._trained.objective.total

    def make_train_function(self, force: bool = False) -> None:
        """Nothing to do: a step is compiled when it runs first, and again after `compile()`."""

    def make_test_function(self, force: bool = False) -> None:
        """Nothing to do, as for `make_train_function`."""

    def make_predict_function(self, force: bool = False) -> None:
        """Nothing to do, as for `make_train_function`."""

    def jax_state_sync(self) -> None:
        """Nothing to do: whoever reads a variable in a callback reads its value after the last step."""

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[jax.Array, tuple]:
        """The loss of outputs as a pure function of the variables, in lists of arrays.

        Returns:
            The loss, and (trainable, non-trainable, metrics variables) after it.
        """
        model = self._trained
        groups = list(trainable_variables), list(non_trainable_variables), list(metrics_variables)
        loss, rest, metrics = keras_steps.loss_with_variables(
            model,
            groups,
            training,
            lambda: model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training),
        )
        return loss, (groups[0], rest, metrics)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All variables as dicts within dicts, by the names in their paths.

        Args:
            value_format: `backend_tensor` for JAX's arrays, `numpy_array` for NumPy's.

        Returns:
            `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and `metrics_variables`; those two
            are empty in a model that is not compiled.

        Raises:
            DataError: Where two variables have the same path, so that one would stand for both.

        >>> import keryx
        >>> model = keryx.Sequential([keryx.Input((1,)), keryx.layers.Dense(1, name="dense")], name="model")
        >>> jax.tree.map(np.shape, model.get_state_tree()["trainable_variables"])
        {'model': {'dense': {'bias': (1,), 'kernel': (1, 1)}}}
        """
        if value_format not in _FORMATS:
            raise ArgumentError(f"value_format is one of {', '.join(map(repr, _FORMATS))}; got {value_format!r}.")
        tree: dict[str, Any] = {}
        for group, variables in self._state_variables().items():
            inner = tree.setdefault(group, {})
            for variable in variables:
                *steps, last = variable.path.split("/")
                place = inner
                for step in steps:
                    place = place.setdefault(step, {})
                if last in place:
                    raise DataError(
                        f"Two {group} have the path {variable.path!r}, so that the tree cannot hold both: give their "
                        "layers different names, or take model.named_variables, whose paths are unique."
                    )
                place[last] = np.asarray(variable) if value_format == "numpy_array" else variable.value
        return tree

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Give the variables the values of a tree that `get_state_tree` made; it may hold some of them alone.

        Raises:
            DataError: Where it holds what the model has no variable for. Nothing is changed.
            ShapeError: Where a value has another shape. Nothing is changed.
        """
        groups, found = self._state_variables(), {}
        for group, tree in state_tree.items():
            if group not in groups:
                raise DataError(f"A state tree has no {group!r}.{did_you_mean(group, _GROUPS)} It has {_GROUPS}.")
            named = {variable.path: variable for variable in groups[group]}
            for steps, value in jax.tree_util.tree_leaves_with_path(tree):
                path = jax.tree_util.keystr(steps, simple=True, separator="/")
                if path not in named:
                    raise DataError(f"The model has no variable {path!r} among its {group}.")
                variable = named[path]
                if np.shape(value) != variable.shape:
                    raise ShapeError(f"The variable {path!r} wants {variable.shape}; the tree has {np.shape(value)}.")
                found[variable] = value
        put(list(found), [variable.owned(value) for variable, value in found.items()])

    def _state_variables(self) -> dict[str, list[Any]]:
        model = self._trained
        optimizer = model.optimizer.variables if model.compiled and model.optimizer is not None else []
        metrics = model.metrics_variables if model.compiled else []
        return dict(
            zip(_GROUPS, (model.trainable_variables, model.non_trainable_variables, optimizer, metrics), strict=True)
        )
