"""What training asks of a model. Nothing here runs: it is for readers and the type checker."""

from typing import TYPE_CHECKING, Any, Protocol

import jax

from keryx.core.variable import Variable

if TYPE_CHECKING:
    from keryx.training.objective import Objective
    from keryx.training.session import Session
    from keryx.training.state import TrainState
    from keryx.training.step import Batch


class TrainedModel(Protocol):
    """A model as the rooms of training see it."""

    stop_training: bool
    stop_evaluating: bool
    stop_predicting: bool
    run_eagerly: bool
    optimizer: Any
    compiled_call: Any  # the forward pass outside of training

    @property
    def title(self) -> str: ...  # how an error speaks of it
    @property
    def dtype_policy(self) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    # Its weights

    @property
    def named_variables(self) -> dict[str, Variable]: ...
    @property
    def trainable_variables(self) -> list[Variable]: ...
    def regularization(self) -> list[jax.Array]: ...

    # Its graph; a subclass with a call of its own has none

    @property
    def has_graph(self) -> bool: ...
    @property
    def inputs(self) -> list[Any]: ...
    @property
    def outputs(self) -> list[Any]: ...
    @property
    def input(self) -> Any: ...
    @property
    def output(self) -> Any: ...
    @property
    def input_names(self) -> list[str]: ...
    @property
    def output_names(self) -> list[str]: ...
    @property
    def input_structure(self) -> Any: ...

    def input_ranges(self) -> list[Any]: ...

    # What compile has made

    @property
    def has_own_step(self) -> bool: ...

    @property
    def session(self) -> "Session": ...
    @property
    def objective(self) -> "Objective": ...
    def train_step(self, state: "TrainState", batch: "Batch") -> "tuple[TrainState, dict[str, jax.Array]]": ...
