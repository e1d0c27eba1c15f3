"""What programs that were written for Keras ask of a layer, beyond what a layer needs."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from keryx import later
from keryx.core import remat, scope, seeds
from keryx.core.codec import Configurable
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ShapeError, StateError
from keryx.layers.base.calling import Calling


class KerasMembers:
    """Members of a layer by Keras's names."""

    quantization_mode = None  # there is none
    quantize = later.method("quantize")
    enable_lora = later.method("enable_lora")

    @property
    def _layer(self) -> Any:
        return self  # what it is mixed into

    @property
    def path(self) -> str | None:
        """Where the layer stands, such as `model/block/dense`: what the paths of its weights begin with.

        Its name where it has no weights; None as long as it is not built.
        """
        layer = self._layer
        if not layer.built:
            return None
        own = layer.own_variables
        return own[0].path.rpartition("/")[0] if own else layer.name

    @property
    def input_dtype(self) -> str:
        """The dtype that float inputs are cast to."""
        return self._layer.compute_dtype

    _metrics: Sequence[Any] = ()  # programs for Keras give a layer of theirs some by this name, and look for them there

    @property
    def metrics(self) -> list[Any]:
        """The metrics that the layer and those within keep as attributes."""
        return [one for one in self._layer.objects_of(Configurable) if hasattr(one, "reset_state")]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def add_variable(self, *args: Any, **kwargs: Any) -> Variable:
        """The same as `add_weight`."""
        return self._layer.add_weight(*args, **kwargs)

    def add_metric(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Gone since Keras 3."""
        raise ArgumentError(
            "add_metric() is gone since Keras 3: keep a metric as an attribute, self.seen = keryx.metrics.Mean(), and "
            "call self.seen.update_state(value) in call()."
        )

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic tensors like the outputs of a call on these ones, which is not written down."""
        return self._layer.compute_output_spec(*args, **kwargs)

    def rematerialized_call(self, layer_call: Callable, *args: Any, **kwargs: Any) -> Callable:
        """`layer_call` as `keryx.remat` makes it."""
        return remat.remat(layer_call)

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        key: Any = None,
        **kwargs: Any,
    ) -> tuple:
        """The layer as a pure function of its weights.

        Args:
            trainable_variables: A value for each of `layer.trainable_variables`.
            non_trainable_variables: A value for each of `layer.non_trainable_variables`.
            *args: What the layer is called on.
            return_losses: Whether the added losses are returned as well.
            key: A random key, for layers that draw; within a function of your own that JAX compiles it has to be given.
            **kwargs: Such as `training`.

        Returns:
            The outputs, and the new values of the non-trainable variables (and the losses).

        Raises:
            StateError: Where it is not built, or draws without a key within a function that JAX compiles.
            ShapeError: Where there are more or fewer values than variables.

        >>> import keryx
        >>> layer = keryx.layers.Dense(2, kernel_initializer="ones")
        >>> layer.build((None, 3))
        >>> outputs, _ = layer.stateless_call(layer.trainable_variables, [], jnp.ones((1, 3)))
        >>> outputs.tolist()
        [[3.0, 3.0]]
        """
        layer = self._layer
        trained, rest = layer.trainable_variables, layer.non_trainable_variables
        if not layer.built:
            raise StateError(f"{layer.title} is not built, so that it has no weights to stand for: call it on a batch.")
        for what, values, variables in (
            ("trainable_variables", trainable_variables, trained),
            ("non_trainable_variables", non_trainable_variables, rest),
        ):
            if len(values) != len(variables):
                raise ShapeError(
                    f"stateless_call of {layer.title} wants {len(variables)} values in {what}, one a variable; got "
                    f"{len(values)}."
                )
        args = self._fed(args)
        outer = scope.current()
        if key is None and outer is not None and outer.key is not None:
            key = scope.random_key()  # of the step that this is called in
        raw = seeds.next_key() if key is None else _raw_key(key)

        def run() -> Any:
            outputs, running = Calling.__call__(layer, *args, **kwargs), scope.current()
            if key is None and running is not None and running.draws and isinstance(jnp.zeros(()), jax.core.Tracer):
                raise StateError(
                    f"{layer.title} draws random numbers, and is called within a function that JAX compiles: they "
                    "would be the same each time. Give stateless_call a key=."
                )
            return outputs, layer.regularization(), [scope.mask_of(output) for output in jax.tree.leaves(outputs)]

        function = scope.pure(run, [*trained, *rest], bool(kwargs.get("training")))
        values = [jnp.asarray(v) for v in (*trainable_variables, *non_trainable_variables)]
        (outputs, penalties, masks), updates, losses = function(values, raw)
        new = [updates.get(len(trained) + i, value) for i, value in enumerate(non_trainable_variables)]
        if outer is not None:  # a step of the user's own: its compute_loss wants them
            outer.gathered = losses + penalties
            for output, mask in zip(jax.tree.leaves(outputs), masks, strict=True):
                scope.set_mask(output, mask) if mask is not None else None
        return (outputs, new, losses + penalties) if return_losses else (outputs, new)

    def _fed(self, args: tuple) -> tuple:
        """The arguments of a call as the part that runs on the device takes them."""
        return args


def _raw_key(key: Any) -> Any:
    return jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
