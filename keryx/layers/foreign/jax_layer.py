"""Functions of JAX and modules of Flax Linen as layers."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import scope
from keryx.core.codec import deserialize, reads, serialize
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, StateError, listing
from keryx.layers.layer import Layer, registry
from keryx.layers.normalization.features import whole_weights


class Nest:
    """A pytree whose arrays and numbers are variables of a layer; what else is in it stays as it is.

    Args:
        layer: The layer; its `dtype` is that of all floats.
        tree: Any pytree that JAX knows.
        trainable: Whether the variables are trained.
    """

    def __init__(self, layer: Layer, tree: Any, trainable: bool):
        found, structure = jax.tree_util.tree_flatten_with_path(tree)
        self.structure: Any = structure
        self.leaves = [_variable(layer, path, leaf, trainable) for path, leaf in found]
        self.kinds = [jax.random.key_impl(leaf) if _is_key(leaf) else None for _, leaf in found]

    @property
    def variables(self) -> list[Variable]:
        """The variables, in the order of the tree."""
        return [leaf for leaf in self.leaves if isinstance(leaf, Variable)]

    def tree(self, values: bool = True) -> Any:
        """The tree with the values that the variables have at this moment, or with the variables themselves."""
        leaves = [leaf.value if values and isinstance(leaf, Variable) else leaf for leaf in self.leaves]
        if values:
            keys = zip(leaves, self.kinds, strict=True)
            leaves = [x if kind is None else jax.random.wrap_key_data(x, impl=kind) for x, kind in keys]
        return jax.tree.unflatten(self.structure, leaves)

    def tree_in_full(self) -> Any:
        """The tree with values in the variables' own dtype, whatever the layer computes in."""
        with whole_weights():
            return self.tree()

    def take(self, tree: Any, title: str) -> None:
        """Give the variables the values in a tree like this one; what is the same is left alone."""
        new, structure = jax.tree.flatten(tree)
        if structure != self.structure:
            raise StateError(
                f"{title} returned a state of another structure than it began with: {structure}, not {self.structure}."
            )
        for leaf, value in zip(self.leaves, new, strict=True):
            if isinstance(leaf, Variable):
                leaf.store(jax.random.key_data(value) if _is_key(value) else jnp.asarray(value))


def _is_key(x: Any) -> bool:
    return isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _variable(layer: Layer, path: tuple, value: Any, trainable: bool) -> Any:
    if _is_key(value):
        value = jax.random.key_data(value)
    if not isinstance(value, (np.ndarray, np.generic, jax.Array, bool, int, float)):
        return value
    array = jnp.asarray(value)
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    name = jax.tree_util.keystr(path, simple=True, separator=".").replace("/", ".") or "variable"
    dtype = None if floating else array.dtype.name
    return layer.add_weight(
        array.shape, lambda shape, dtype=None: array.astype(dtype), dtype, trainable=trainable and floating, name=name
    )


@registry.register()
class JaxLayer(Layer):
    """A function of JAX as a layer: `outputs = call_fn(params, inputs)`.

    Args:
        call_fn: The function. Of its arguments, which go by these names, `inputs` alone is demanded: `params`, what is
            trained; `state`, what is not; `rng`, a random key in training and None otherwise; `inputs`, an array or a
            nest of arrays; `training`, whether it is called in training. One with a `state` returns
            (outputs, new state).
        init_fn: A function of `rng`, `inputs` (ones of the shape of the inputs) and `training` (True), of which the
            first and the last may be left out. It returns the first `params`, or (params, state).
        params: The first params, a pytree, in place of an `init_fn`.
        state: The first state, likewise.
        seed: Sets the draws of `rng` apart from others'.
        native_serialization_platforms: Taken as Keras takes it, for TensorFlow.

    Floats in `params` and `state` become variables of the layer's dtype; integers are not trained.

    Raises:
        ArgumentError: Where a function has other arguments, or there is nothing to begin with.

    >>> import jax.numpy as jnp, keryx
    >>> def scaled(params, inputs):
    ...     return inputs * params["scale"]
    >>> layer = keryx.layers.JaxLayer(scaled, params={"scale": jnp.array(2.0)})
    >>> layer(jnp.ones((1, 3))).tolist(), layer.trainable_weights
    ([[2.0, 2.0, 2.0]], [<Variable jax_layer/scale () float32>])
    """

    def __init__(
        self,
        call_fn: Callable,
        init_fn: Callable | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Any = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.call_fn, self.init_fn, self.seed = call_fn, init_fn, seed
        self.native_serialization_platforms = native_serialization_platforms
        self.built = False
        self._wants = _arguments(self.title, "call_fn", call_fn, ("params", "state", "rng", "inputs", "training"))
        if init_fn is not None:
            _arguments(self.title, "init_fn", init_fn, ("rng", "inputs", "training"))
        if params is not None or state is not None:
            with scope.named(self.name):
                self._keep(params, state)
            self.built = True
        elif init_fn is None and {"params", "state"} & set(self._wants):
            raise ArgumentError(f"{self.title} has nothing to begin with: give init_fn=, or params= and state=.")

    def _keep(self, params: Any, state: Any) -> None:
        self._params, self._state = Nest(self, params, True), Nest(self, state, False)
        self.tracked_params, self.tracked_state = self._params.variables, self._state.variables

    @property
    def params(self) -> Any:
        """The nest of the variables that are trained; None before there are any."""
        return self._params.tree(values=False) if self.built else None

    @property
    def state(self) -> Any:
        """The nest of the variables that are not trained; None before there are any."""
        return self._state.tree(values=False) if self.built else None

    def _build_for_call(self, args: tuple, kwargs: dict[str, Any]) -> None:
        if not self.built and args:
            self._dtypes = [x.dtype for x in jax.tree.leaves(args[0]) if hasattr(x, "dtype")]
        super()._build_for_call(args, kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the first params and state from ones."""
        if self.built:
            return
        params = state = None
        if self.init_fn is not None and {"params", "state"} & set(self._wants):
            params, state = self._first(input_shape)
        self._keep(params, state)

    def _first(self, input_shape: Any) -> tuple[Any, Any]:
        is_shape = lambda x: isinstance(x, tuple) and all(n is None or isinstance(n, int) for n in x)  # noqa: E731
        shapes, nest = jax.tree.flatten(input_shape, is_leaf=is_shape)
        dtypes = getattr(self, "_dtypes", [self.compute_dtype] * len(shapes))
        ones = [jnp.ones([n or 1 for n in s], dtype) for s, dtype in zip(shapes, dtypes, strict=True)]
        given = {"rng": self._init_rng(), "inputs": jax.tree.unflatten(nest, ones), "training": True}
        assert self.init_fn is not None
        made = self.init_fn(*(given[name] for name in inspect.signature(self.init_fn).parameters))
        return made if "state" in self._wants else (made, None)

    def _init_rng(self) -> Any:
        return jax.random.key_data(scope.random_key(self.seed))

    def _call_rng(self, training: bool) -> Any:
        return jax.random.key_data(scope.random_key(self.seed)) if training else None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What `call_fn` gives; its new state is kept."""
        given: dict[str, Any] = {"inputs": inputs, "training": training}
        given |= {"params": self._params.tree(), "state": self._state.tree_in_full()}
        if "rng" in self._wants:
            given["rng"] = self._call_rng(training)
        results = self.call_fn(*(given[name] for name in self._wants))
        if "state" not in self._wants:
            return results
        outputs, state = results
        self._state.take(state, self.title)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """The functions, which have to be registered; params and state are no part of it, but of files."""
        config = super().get_config()
        for name in ("params", "state"):
            del config[name]
        return config


def _arguments(title: str, name: str, function: Callable, known: tuple[str, ...]) -> list[str]:
    found = list(inspect.signature(function).parameters)
    strange = [word for word in found if word not in known]
    if strange or "inputs" not in found:
        has = f"has {strange[0]!r}" if strange else "has no 'inputs'"
        raise ArgumentError(f"{name} of {title} takes arguments by the names {listing(known)}; this one {has}.")
    return found


@registry.register()
class FlaxLayer(JaxLayer):
    """A module of Flax Linen as a layer; its collections beside `params` are the state. Flax is an extra.

    Args:
        module: The module. It is called on one argument, an array or a nest, and on `training` if it takes that.
        method: The method that is called, by name or as a function of the module; default `__call__`.
        variables: The first variables, as `module.init` gives them; by default they are made when the layer is built.

    Random numbers in training come by the name `dropout`.

    Raises:
        ConfigError: Where Flax is not installed.

    >>> import flax.linen, keryx  # doctest: +SKIP
    >>> keryx.layers.FlaxLayer(flax.linen.Dense(4))(keryx.Input((3,))).shape  # doctest: +SKIP
    (None, 4)
    """

    def __init__(self, module: Any, method: Any = None, variables: Any = None, **kwargs):
        try:
            from flax.linen import DenyList
        except ImportError:
            raise ConfigError("FlaxLayer() wants Flax: pip install 'keryx[flax]'.") from None
        self.module = module
        self.method = getattr(module, method) if isinstance(method, str) else method
        takes_training = "training" in inspect.signature(self.method or module.__call__).parameters

        def words(training):
            return {"method": self.method} | ({"training": training} if takes_training else {})

        def call_fn(params, state, rng, inputs, training):
            mutable = DenyList(["params"])
            both = params | state
            outputs, new = module.apply(both, inputs, rngs=rng, mutable=mutable, **words(training))
            return outputs, state | {name: value for name, value in new.items() if name in state}

        def init_fn(rng, inputs, training):
            return _params_and_state(module.init(rng, inputs, **words(training)))

        params, state = (None, None) if variables is None else _params_and_state(variables)
        super().__init__(call_fn, init_fn, params, state, **kwargs)

    def _init_rng(self) -> Any:
        return {name: super(FlaxLayer, self)._init_rng() for name in ("params", "dropout")}

    def _call_rng(self, training: bool) -> Any:
        return {"dropout": super()._call_rng(True)} if training else {}

    def get_config(self) -> dict[str, Any]:
        """The module, whose class has to be registered, and the method."""
        own = {"module": self.module, "method": self.method}
        if getattr(self.method, "__self__", None) is self.module:
            own["method"] = self.method.__name__
        base = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy}
        return {name: serialize(value) for name, value in (base | own).items()}

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A layer around a module made anew."""
        return cls(**{name: deserialize(value) for name, value in config.items()})


def _params_and_state(variables: Any) -> tuple[Any, Any]:
    state = dict(variables)
    return {"params": state.pop("params")} if "params" in state else {}, state
