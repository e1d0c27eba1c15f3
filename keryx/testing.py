"""check_layer: the invariants that every layer keeps, for layers that you write yourself."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import scope
from keryx.core.symbol import SymbolicTensor
from keryx.layers.input import Input
from keryx.layers.layer import Layer
from keryx.models.model import Model


def check_layer(
    layer_class: type[Layer],
    init: dict[str, Any] | None = None,
    input_shape: Any = (2, 3),
    input_dtype: str = "float32",
    *,
    training: bool = False,
    bfloat16: bool = True,
    config: bool = True,
    seed: int = 0,
) -> Layer:
    """Check that a layer keeps what a model, `fit` and a file rely on.

    The shape that a symbolic call promises is the real one, whatever the batch size; compiled and eager calls agree;
    so do calls one row at a time where nothing is trained; gradients are finite; the config makes the same layer
    again; weights survive `get_weights` and `set_weights`; a mixed_bfloat16 layer computes in bfloat16 and keeps
    float32 weights.

    Args:
        layer_class: The class.
        init: The arguments that it is made with.
        input_shape: The shape of an input, batch axis included; a list of shapes for a layer that takes a list.
        input_dtype: The dtype of the inputs; integers are drawn from 0 to 4.
        training: Whether the layer is called as in training.
        bfloat16: Whether mixed precision is tried.
        config: Whether the config is tried.
        seed: What the inputs are drawn from.

    Returns:
        The layer, built.

    Raises:
        AssertionError: Naming the layer, what does not hold, and what came instead.

    >>> import keryx
    >>> class Half(keryx.Layer):
    ...     def call(self, inputs):
    ...         return inputs / 2
    >>> check_layer(Half, input_shape=(2, 5)).built
    True
    """
    init = init or {}
    inputs = _drawn(input_shape, input_dtype, seed)
    layer = layer_class(**init)
    outputs = layer(inputs, training=training)
    who = f"{layer_class.__name__}({', '.join(f'{k}={v!r}' for k, v in init.items())})"
    _check_shapes(who, layer_class(**init), input_shape, input_dtype, outputs)
    _check_compiled(who, layer, inputs, training)
    _check_gradients(who, layer, inputs, training)
    _check_weights(who, layer)
    if config:
        _check_config(who, layer, inputs)
    if bfloat16:
        _check_bfloat16(who, layer_class, init, inputs)
    return layer


def _drawn(shapes: Any, dtype: str, seed: int) -> Any:
    rng = np.random.default_rng(seed)

    def draw(shape):
        values = rng.normal(size=shape) if np.dtype(dtype).kind == "f" else rng.integers(0, 5, shape)
        return jax.device_put(values.astype(dtype))

    return [draw(shape) for shape in shapes] if isinstance(shapes, list) else draw(shapes)


def _check_shapes(who: str, layer: Layer, shapes: Any, dtype: str, outputs: Any) -> None:
    def symbol(shape: Sequence[int]) -> SymbolicTensor:
        return Input(batch_shape=(None, *shape[1:]), dtype=dtype)

    symbols = [symbol(shape) for shape in shapes] if isinstance(shapes, list) else symbol(shapes)
    promised = jax.tree.leaves(layer(symbols))
    for promise, real in zip(promised, jax.tree.leaves(outputs), strict=True):
        fits = len(promise.shape) == real.ndim and all(
            p in (None, r) for p, r in zip(promise.shape, real.shape, strict=True)
        )
        assert fits, f"{who}: a symbolic call promises {promise.shape}, a real one gives {real.shape}."
        assert promise.dtype == real.dtype.name, (
            f"{who}: a symbolic call promises {promise.dtype}, a real one gives {real.dtype}."
        )
    Model(symbols, layer.nodes[-1].outputs)


def _program(layer: Layer, training: bool):
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]
    key = np.zeros(2, np.uint32)
    pure = scope.pure(lambda inputs: layer(inputs, training=training), variables, training)
    return lambda values, inputs: pure(values, key, inputs), [v.value for v in variables]


def _check_compiled(who: str, layer: Layer, inputs: Any, training: bool) -> None:
    program, values = _program(layer, training)
    for eager, compiled in zip(
        jax.tree.leaves(program(values, inputs)), jax.tree.leaves(jax.jit(program)(values, inputs)), strict=True
    ):
        _assert_close(eager, compiled, f"{who}: eager and compiled calls differ")


def _check_gradients(who: str, layer: Layer, inputs: Any, training: bool) -> None:
    program, values = _program(layer, training)
    count = len(layer.trainable_weights)

    def total(weights, inputs):
        outputs, _, losses = program([*weights, *values[count:]], inputs)
        floats = [jnp.sum(x) for x in jax.tree.leaves(outputs) if jnp.issubdtype(x.dtype, jnp.floating)]
        return sum(floats) + sum(losses)

    gradients = jax.jit(jax.grad(total))(values[:count], inputs) if count else []
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        assert jnp.isfinite(gradient).all(), f"{who}: the gradient of {weight.path!r} is not finite."


def _check_weights(who: str, layer: Layer) -> None:
    before = layer.get_weights()
    layer.set_weights(before)
    for old, new, weight in zip(before, layer.get_weights(), layer.weights, strict=True):
        np.testing.assert_array_equal(old, new, f"{who}: set_weights(get_weights()) changes {weight.path!r}")
    names = [weight.path for weight in layer.weights]
    assert len(set(names)) == len(names), f"{who}: two weights have the same path; all paths: {names}."


def _check_config(who: str, layer: Layer, inputs: Any) -> None:
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config, f"{who}: its config makes a layer with another config, {again.get_config()}."
    again(inputs)
    again.set_weights(layer.get_weights())
    for a, b in zip(jax.tree.leaves(layer(inputs)), jax.tree.leaves(again(inputs)), strict=True):
        _assert_close(a, b, f"{who}: made again from its config and given the same weights, it computes something else")


def _check_bfloat16(who: str, layer_class: type[Layer], init: dict[str, Any], inputs: Any) -> None:
    half = layer_class(**init, dtype="mixed_bfloat16")
    for output in jax.tree.leaves(half(inputs)):
        assert output.dtype != jnp.float32, f"{who}: under mixed_bfloat16 it gives {output.dtype}."
    for weight in half.weights:
        assert weight.dtype != "bfloat16", (
            f"{who}: under mixed_bfloat16 the weight {weight.path!r} is kept in {weight.dtype}."
        )


def _assert_close(a: Any, b: Any, what: str) -> None:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}."
    worst = float(np.max(np.abs(a - b) / (1 + np.abs(b)), initial=0.0))
    assert worst < 1e-5, f"{what}, by {worst:.1e} relative to the larger of 1 and the value."
