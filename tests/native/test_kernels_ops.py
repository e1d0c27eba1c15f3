"""That native code serves ops as it serves layers: the calls in the lowered programs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from keryx import layers, ops
from keryx.core import scope


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X, IMAGE, STEPS = array(8, 32), array(2, 12, 12, 32), array(2, 12, 32)
DENSE, DEPTHWISE, POINTWISE = array(3, 3, 32, 32), array(3, 3, 32, 1), array(1, 1, 32, 16)
BOTH = {"conv_input_gradient", "conv_kernel_gradient"}
CALLS = {  # the op, its arrays, the calls of its outputs and those that its gradients add
    "conv": (lambda x, k: ops.conv(x, k, strides=2), (IMAGE, DENSE), {"conv"}, BOTH),
    "depthwise": (ops.depthwise_conv, (IMAGE, DEPTHWISE), {"conv"}, BOTH),
    "separable": (ops.separable_conv, (IMAGE, DEPTHWISE, POINTWISE), {"conv"}, BOTH),
    "transposed": (
        lambda x, k: ops.conv_transpose(x, k, strides=2),
        (IMAGE, DENSE),
        {"conv_input_gradient"},
        {"conv", "conv_kernel_gradient"},
    ),
    "first": (
        lambda x, k: ops.conv(x, k, 2, data_format="channels_first"),
        (array(2, 32, 9, 9), DENSE),
        {"conv"},
        BOTH,
    ),
    "max_pool": (lambda x: ops.max_pool(x, 3, 2), (IMAGE,), {"max_pool"}, {"max_pool_gradient"}),
    "average_pool": (
        lambda x: ops.average_pool(x, 3, 2, "same"),
        (IMAGE,),
        {"average_pool"},
        {"average_pool_gradient"},
    ),
    "matmul": (ops.matmul, (STEPS, array(32, 16)), {"product"}, {"product"}),
    "take": (lambda t: ops.take(t, np.arange(9), axis=0), (array(90, 32),), {"take_rows"}, {"add_rows"}),
}


def calls(function, *arrays):
    """The native functions that a program calls, without their version and instruction set."""
    text = jax.jit(function).lower(*arrays).as_text()
    found = {part.split("(")[0].split('"')[0] for part in text.split("@keryx_")[1:]}
    return {name.rpartition("_1_")[0] for name in found if "_1_" in name}


def gradients(function):
    return lambda *a: jax.grad(lambda *a: (function(*a) ** 2).sum(), range(len(a)))(*a)


@pytest.mark.parametrize("name", list(CALLS))
def test_an_op_calls_native_code(name, way):
    function, arrays, forward, backward = CALLS[name]
    assert calls(function, *arrays) == forward
    assert calls(gradients(function), *arrays) == forward | backward


@pytest.mark.once
@pytest.mark.parametrize("name", list(CALLS))
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_dtypes_call_none(name, dtype):
    function, arrays, *_ = CALLS[name]
    with jax.enable_x64(dtype == "float64"):
        assert calls(gradients(function), *(jnp.asarray(a, dtype) for a in arrays)) == set()


@pytest.mark.parametrize("cell", [layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell])
def test_a_cell_calls_native_products(cell):
    cell = cell(16)
    states = [jnp.zeros((8, n)) for n in jax.tree.leaves(cell.state_size)]
    cell(X, states)

    def step(x, *weights):
        with scope.run(scope.Scope(dict(zip(cell.weights, weights, strict=True)))):
            return cell(x, states)[0]

    assert calls(step, X, *(w.value for w in cell.weights)) == {"product"}
