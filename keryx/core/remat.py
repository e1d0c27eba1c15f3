"""Rematerialization: what a layer computes on the way forward is computed again on the way back, not kept.

It takes less memory and more time, and gives the same numbers (Chen et al. 2016, arXiv:1604.06174). It is
`jax.checkpoint`, with what the code of layers does beside computing, such as new values of variables and losses,
carried out of it.
"""

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from keryx.core import scope, shapes
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ConfigError

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class _Thread(threading.local):
    def __init__(self):
        self.scopes: list[RematScope] = []


_here = _Thread()


class RematScope:
    """A block whose new layers are rematerialized wherever they run, by `jax.checkpoint`.

    Args:
        mode: `full`: each layer, but for whole models, whose layers are; `activations`: within layers that have an
            activation all but the products and convolutions; `larger_than`: layers whose outputs have more elements
            than `output_size_threshold`; `list_of_layers`: those named; None: none, within another scope.
        output_size_threshold: 1024.
        layer_names: The names.

    Raises:
        ConfigError: On another mode.

    >>> import keryx
    >>> with RematScope("full"):
    ...     layer = keryx.layers.Dense(3, "tanh")
    >>> "remat" in str(jax.make_jaxpr(jax.grad(lambda x: layer(x).sum()))(np.ones((2, 4), "float32")))
    True
    """

    def __init__(
        self, mode: str | None = "full", output_size_threshold: int = 1024, layer_names: Sequence[str] | None = None
    ):
        if mode not in _MODES:
            raise ConfigError(f"The mode of a RematScope is one of {', '.join(map(repr, _MODES))}; got {mode!r}.")
        self.mode, self.output_size_threshold = mode, output_size_threshold
        self.layer_names = list(layer_names or [])

    def __enter__(self) -> "RematScope":
        _here.scopes.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _here.scopes.pop()

    def call_of(self, layer: Any) -> Callable:
        """The `call` of a layer that was made in this block."""
        call: Callable = layer.call
        if self.mode == "full" and not getattr(layer, "has_graph", False):
            return remat(call)
        if self.mode == "list_of_layers" and layer.name in self.layer_names:
            return remat(call)
        if self.mode == "activations" and getattr(layer, "activation", None) is not None:
            return _checkpointed(call, policy=_is_product)
        if self.mode == "larger_than" and not getattr(layer, "has_graph", False):
            return _checkpointed(call, above=self.output_size_threshold)
        return call


def current() -> RematScope | None:
    """The innermost block that is open."""
    scopes = _here.scopes
    return scopes[-1] if scopes and scopes[-1].mode is not None else None


def remat(f: Callable) -> Callable:
    """`f`, a function of arrays or a layer, rematerialized: what it computes is computed again on the way back.

    Args:
        f: It may read and update variables, add losses, draw and be given masks, as the `call` of a layer may.

    Raises:
        ArgumentError: Where it is called on symbolic tensors.

    >>> jax.grad(remat(lambda x: jax.numpy.sin(x) ** 2))(0.0).item()
    0.0
    """
    return _checkpointed(f)


def _checkpointed(function: Callable, policy: Callable | None = None, above: int | None = None) -> Callable:
    """A function rematerialized, where its outputs have more than `above` elements; what the policy names is kept."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if shapes.probing.get():
            return function(*args, **kwargs)
        leaves, nest = jax.tree.flatten((args, kwargs))
        if any(isinstance(leaf, SymbolicTensor) for leaf in leaves):
            raise ArgumentError(
                "remat() makes a function of arrays, to be called in the `call` of a layer; for the layers of a graph "
                "there is keryx.RematScope, in which they are made."
            )
        outer = scope.current() or scope.Scope()
        before = dict(outer.values or {})
        told: list[Any] = []  # of the trace, what is no array

        def pure(arrays: dict[int, Any], masks: dict[int, Any]) -> Any:
            filled_args, filled_kwargs = jax.tree.unflatten(nest, [arrays.get(i, x) for i, x in enumerate(leaves)])
            inner = scope.Scope(dict(before), outer.key, outer.training, autocast=outer.autocast, draws=outer.draws)
            with scope.run(inner):
                for i, mask in masks.items():
                    scope.set_mask(arrays[i], mask)
                outputs = function(*filled_args, **filled_kwargs)
                masks_out = [scope.mask_of(output) for output in jax.tree.leaves(outputs)]
            updates = {v: value for v, value in (inner.values or {}).items() if before.get(v) is not value}
            told[:] = [list(updates), inner.draws]
            return outputs, list(updates.values()), inner.losses, masks_out

        arrays = {i: leaf for i, leaf in enumerate(leaves) if isinstance(leaf, (jax.Array, np.ndarray))}
        masks = {i: mask for i, leaf in arrays.items() if (mask := scope.mask_of(leaf)) is not None}
        if above is not None:
            outputs = jax.tree.leaves(jax.eval_shape(pure, arrays, masks)[0])
            if sum(math.prod(output.shape) for output in outputs) <= above:
                return function(*args, **kwargs)
        outputs, values, losses, masks_out = jax.checkpoint(pure, policy=policy)(arrays, masks)
        variables, outer.draws = told
        for variable, value in zip(variables, values, strict=True):
            variable.store(value)
        outer.losses.extend(losses)
        for output, mask in zip(jax.tree.leaves(outputs), masks_out, strict=True):
            if mask is not None:
                scope.set_mask(output, mask)
        return outputs

    return call


def _is_product(primitive: Any, *_: Any, **__: Any) -> bool:
    """Whether the result of a primitive is kept for the way back: products, convolutions, and kernels of our own."""
    return primitive.name in ("dot_general", "conv_general_dilated") or primitive.name.startswith("keryx_")
