"""What a model shows of itself: its layers, its picture, and what they cost."""

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keryx.models.profiling.estimate import Estimate
    from keryx.models.profiling.profile import Profile


class Views:
    """Tables of a model, made by modules that are imported when one is asked for."""

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        show_flops: bool = False,
    ) -> None:
        """Print a table of the layers, their output shapes and sizes.

        Args:
            line_length: The width of the table, in characters.
            positions: The share of the width at which each column ends.
            print_fn: Called with the text in place of print.
            expand_nested: Whether the layers of nested models are listed.
            show_trainable: Whether a column tells which layers are trained.
            layer_range: The names of the first and last layer to list.
            show_flops: Whether a column tells the floating-point operations of one row, forward; a multiply-add is 2.

        >>> import keryx
        >>> keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2, name="head")], name="m").summary(show_flops=True)
        Model: "m"
        ...
        │ head (Dense) │ (None, 2) │ 8 │ 14 │
        ...
        """
        from keryx.models.summary import summary

        arguments = line_length, positions, print_fn, expand_nested, show_trainable, layer_range, show_flops
        return summary(self, *arguments)

    def profile(self, x: Any, y: Any = None, training: bool | None = None, repeats: int = 10) -> "Profile":
        """Where the operations, the bytes, the time and the memory of a step go, layer by layer.

        A row is a layer that a model calls, or an op; nested models are unfolded, and what a layer calls within itself
        is in its row. FLOPs are counted from the maths, whatever code serves: a multiply-add is 2. Time is measured:
        each call is compiled and run alone, in a loop on the device, on the arrays that it gets in the step, and the
        step likewise, as `fit` runs it; all of them in turn. The row `rest` is the difference to the step as a whole,
        below zero where XLA gains by computing neighbours together, or independent ones at once.

        Args:
            x: A batch of inputs, as for `fit`; all of it is one step.
            y: Its targets, for a step of training.
            training: Whether a step of training is looked at, with the way back, or one of `predict`; by default as y
                is given or not.
            repeats: The rounds in which each program is timed, of which the median counts; after ten seconds there
                are no more than three.

        Returns:
            A Profile: `rows` and `others` with their `flops`, `bytes`, `memory`, `forward`, `backward`, and `flops`,
            `seconds` and `memory` of the whole; `to_dict()` is plain data. It prints as a table.

        Raises:
            StateError: Where training is looked at and the model is not compiled.
            DataError, ShapeError: Where the data does not fit the model.

        >>> import keryx, numpy as np
        >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2, name="head")])
        >>> profile = model.profile(np.ones((4, 3)), repeats=1)
        >>> [(row.name, row.flops) for row in profile.rows]  # 4 rows of 2 * 3 * 2, and a bias of 2
        [('head', 56.0)]
        """
        from keryx.models.profiling.profile import profile

        return profile(self, x, y, training, repeats)

    def estimate(self, batch_size: int = 32, x: Any = None, y: Any = None) -> "Estimate":
        """What a step of `predict` and, of a compiled model, of `fit` will cost, before anything runs.

        Memory is what XLA lays out for the compiled step, beside the data that `fit` holds on the device. The time is a
        roofline: each operation takes as long as its arithmetic or its bytes do at the speed that was measured on this
        machine, so a step takes at least about that long. FLOPs are counted as by `profile`.

        Args:
            batch_size: The rows of the step.
            x: An example of the inputs, of any number of rows, where the model does not say their sizes.
            y: An example of the targets; by default they are taken to be what the losses want.

        Returns:
            An Estimate: `predict` and `train` with `weights`, `optimizer`, `data`, `activations` and `peak` in bytes,
            `flops`, `seconds`, `fits` and `largest_batch`; `to_dict()` is plain data. It prints as a table.

        Raises:
            ArgumentError: Where sizes are not known, and no example was given.
            StateError: Where the model has a step of training by Keras's contract.

        >>> import keryx
        >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
        >>> model.compile("adam", "mse")
        >>> estimate = model.estimate(batch_size=64)
        >>> estimate.train.weights, estimate.train.optimizer, estimate.predict.flops
        (32, 72, 896.0)
        """
        from keryx.models.profiling.estimate import estimate

        return estimate(self, batch_size, x, y)

    def explain(self, x: Any = None, y: Any = None) -> Any:
        """What is odd about the model, in words; the more is given, the more is looked at.

        A loss that does not fit the last activation, inputs that are not scaled, labels of the wrong kind, units that
        are never active, weights in the wrong place: what runs without an error, and hardly learns. Of data some rows
        are looked at; nothing is trained, and nothing is changed.

        Args:
            x: The inputs, as for `fit`, as arrays.
            y: The targets, as for `fit`.

        Returns:
            A list of findings, each with `layer`, `what`, `why` and `suggestion`, a line of code. It prints in words,
            and is empty where nothing odd was seen.

        Raises:
            StateError: Where the model is not built.

        >>> import keryx
        >>> model = keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(3, activation="softmax")])
        >>> model.compile("adam", keryx.losses.CategoricalCrossentropy(from_logits=True))
        >>> [finding.suggestion for finding in model.explain()]
        ['model.compile(..., loss=keryx.losses.CategoricalCrossentropy())']
        """
        from keryx.models.explaining.explaining import explain

        return explain(self, x, y)

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture of the model."""
        return importlib.import_module("keryx.visualization.model.page").of_model(self)  # pictures stand above models
