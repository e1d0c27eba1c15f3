"""Modules of Flax NNX and of Equinox as layers. Both libraries are extras."""

import inspect
from typing import Any

import jax

from keryx.core import scope
from keryx.errors import ArgumentError, ConfigError
from keryx.layers.foreign.jax_layer import Nest
from keryx.layers.layer import Layer, registry


class _Borrowed(Layer):
    """A module of another library: what it learns are variables of the layer, and so is its state."""

    def __init__(self, params: Any, state: Any, name: str | None, **kwargs):
        super().__init__(name=name, **kwargs)
        with scope.named(self.name):
            self._params, self._state = Nest(self, params, True), Nest(self, state, False)
        self.tracked_params, self.tracked_state = self._params.variables, self._state.variables
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Raises: a module of another library cannot be written down."""
        raise ConfigError(
            f"{self.title} holds a module of another library, which no config can make anew. Save the weights alone, "
            "by model.save_weights, and load them into a model that is built by the same code."
        )


def _call(module: Any, inputs: Any, **words: Any) -> Any:
    if isinstance(inputs, dict):
        return module(**inputs, **words)
    return module(*inputs, **words) if isinstance(inputs, (list, tuple)) else module(inputs, **words)


@registry.register()
class NNXLayer(_Borrowed):
    """What `from_nnx` returns; `module` is the NNX module with the weights of this moment."""

    def __init__(self, module: Any, name: str | None = None, **kwargs):
        try:
            from flax import nnx
        except ImportError:
            raise ConfigError("from_nnx() wants Flax: pip install 'keryx[flax]'.") from None
        if not isinstance(module, nnx.Module):
            raise ArgumentError(f"from_nnx() wants a module of Flax NNX; got {module!r}.")
        parts: Any = nnx.split(module, nnx.Param, ...)
        self._definition, params, state = parts
        super().__init__(params, state, name, **kwargs)

    @property
    def module(self) -> Any:
        """A module like the one that was given, with the weights and the state of this moment."""
        from flax import nnx

        return nnx.merge(self._definition, self._params.tree(), self._state.tree_in_full())

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the module gives; its state is kept."""
        from flax import nnx

        module = self.module
        module.train() if training else module.eval()
        outputs = _call(module, inputs)
        if self.tracked_state:
            parts: Any = nnx.split(module, nnx.Param, ...)
            self._state.take(parts[2], self.title)
        return outputs


def from_nnx(module: Any, name: str | None = None, **kwargs) -> Layer:
    """A module of Flax NNX as a layer, whose parameters are trained with the rest of a model.

    All of its variables but `nnx.Param` are state, updated at each call: running averages, random streams. In training
    the module is called as after `module.train()`, else as after `module.eval()`. The module itself is not changed;
    `layer.module` is one like it with the weights of the moment.

    Args:
        module: The module, called on the inputs; on several where they are a list, by name where they are a dict.
        name: The layer's name.
        **kwargs: As of any layer: `trainable`, `dtype`, ...

    Raises:
        ConfigError: Where Flax is not installed; also where the layer is to be written down as a config.

    >>> import keryx
    >>> from flax import nnx  # doctest: +SKIP
    >>> layer = keryx.layers.from_nnx(nnx.Linear(3, 4, rngs=nnx.Rngs(0)))  # doctest: +SKIP
    >>> layer(keryx.Input((3,))).shape  # doctest: +SKIP
    (None, 4)
    """
    return NNXLayer(module, name, **kwargs)


@registry.register()
class EquinoxLayer(_Borrowed):
    """What `from_equinox` returns; `module` is the Equinox module with the weights of this moment."""

    def __init__(
        self,
        module: Any,
        state: Any = None,
        vmap: bool = True,
        axis_name: str = "batch",
        name: str | None = None,
        **kwargs,
    ):
        try:
            import equinox
        except ImportError:
            raise ConfigError("from_equinox() wants Equinox: pip install 'keryx[equinox]'.") from None
        if not callable(module):
            raise ArgumentError(f"from_equinox() wants a module of Equinox that can be called; got {module!r}.")
        params, self._rest = equinox.partition(module, equinox.is_inexact_array)
        super().__init__(params, state, name, **kwargs)
        self.vmap, self.axis_name, self._stateful = vmap, axis_name, state is not None
        self._draws = "key" in inspect.signature(module).parameters

    @property
    def module(self) -> Any:
        """A module like the one that was given, with the weights of this moment."""
        import equinox

        return equinox.combine(self._params.tree(), self._rest)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the module gives, sample by sample; its state is kept."""
        import equinox

        module = self.module if training else equinox.nn.inference_mode(self.module)
        key = scope.random_key() if training and self._draws else None

        def one(inputs, key, state):
            words = {} if key is None else {"key": key}
            return _call(module, inputs, **words, **({"state": state} if self._stateful else {}))

        if self.vmap:
            size = jax.tree.leaves(inputs)[0].shape[0]
            key = None if key is None else jax.random.split(key, size)
            out_axes = (0, None) if self._stateful else 0
            one = jax.vmap(one, (0, 0, None), out_axes, axis_name=self.axis_name)
        results = one(inputs, key, self._state.tree_in_full())
        if not self._stateful:
            return results
        outputs, state = results
        self._state.take(state, self.title)
        return outputs


def from_equinox(
    module: Any, state: Any = None, vmap: bool = True, axis_name: str = "batch", name: str | None = None, **kwargs
) -> Layer:
    """A module of Equinox as a layer, whose arrays of floats are trained with the rest of a model.

    Outside of training the module is called as `equinox.nn.inference_mode` makes it. A `key` is handed over in training
    if the module takes one. The module itself is not changed; `layer.module` is one like it with the weights of the
    moment.

    Args:
        module: The module, called on the inputs; on several where they are a list, by name where they are a dict.
        state: The first state of a module that has one, from `equinox.nn.make_with_state`; it is handed over as
            `state=`, and the module returns (outputs, new state).
        vmap: Whether the module is for one sample, as those of Equinox are, and is mapped over the batch.
        axis_name: The name of the axis that it is mapped over, for `equinox.nn.BatchNorm`.
        name: The layer's name.
        **kwargs: As of any layer: `trainable`, `dtype`, ...

    Raises:
        ConfigError: Where Equinox is not installed; also where the layer is to be written down as a config.

    >>> import equinox, jax, keryx  # doctest: +SKIP
    >>> layer = keryx.layers.from_equinox(equinox.nn.Linear(3, 4, key=jax.random.key(0)))  # doctest: +SKIP
    >>> layer(keryx.Input((3,))).shape  # doctest: +SKIP
    (None, 4)
    """
    return EquinoxLayer(module, state, vmap, axis_name, name, **kwargs)
