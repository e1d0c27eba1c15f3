"""Ops and layers by the same kernels: both as Keras has them, and the table of a kernel's ways."""

import contextlib

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax import export

from keryx import errors, kernels, layers, ops
from keryx.core import scope
from keryx.kernels.kernel import KERNELS, Kernel, Way
from tests.oracle import array, close, loss

FIRST, LAST = "channels_first", "channels_last"

# Layers, and the arguments of their ops beside inputs and kernels.
CONVOLUTIONS = {
    "Conv1D": ("conv", (2, 9, 4), {"filters": 5, "kernel_size": 3, "strides": 2}),
    "Conv2D": ("conv", (2, 9, 8, 4), {"filters": 6, "kernel_size": (3, 2), "padding": "same", "strides": (2, 1)}),
    "Conv2D in groups": ("conv", (2, 7, 6, 4), {"filters": 6, "kernel_size": 3, "groups": 2, "dilation_rate": 2}),
    "Conv2D first": ("conv", (2, 4, 7, 6), {"filters": 5, "kernel_size": 3, "data_format": FIRST}),
    "Conv3D": ("conv", (1, 5, 4, 6, 2), {"filters": 3, "kernel_size": 2, "padding": "same"}),
    "DepthwiseConv1D": ("depthwise_conv", (2, 9, 4), {"kernel_size": 3, "depth_multiplier": 2}),
    "DepthwiseConv2D": ("depthwise_conv", (2, 7, 6, 4), {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "DepthwiseConv2D wide": ("depthwise_conv", (2, 7, 6, 4), {"kernel_size": 2, "dilation_rate": 2}),
    "SeparableConv1D": ("separable_conv", (2, 9, 4), {"filters": 5, "kernel_size": 3}),
    "SeparableConv2D": ("separable_conv", (2, 7, 6, 4), {"filters": 5, "kernel_size": 3, "padding": "same"}),
    "Conv1DTranspose": ("conv_transpose", (2, 5, 4), {"filters": 3, "kernel_size": 3, "strides": 2}),
    "Conv1DTranspose far": ("conv_transpose", (2, 5, 4), {"filters": 3, "kernel_size": 2, "strides": 5}),
    "Conv2DTranspose": (
        "conv_transpose",
        (2, 5, 4, 3),
        {"filters": 4, "kernel_size": (4, 3), "strides": (2, 3), "padding": "same"},
    ),
    "Conv2DTranspose more": (
        "conv_transpose",
        (2, 5, 4, 3),
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
    ),
    "Conv2DTranspose wide": ("conv_transpose", (2, 5, 4, 3), {"filters": 4, "kernel_size": 2, "dilation_rate": 2}),
    "Conv2DTranspose first": (
        "conv_transpose",
        (2, 3, 5, 4),
        {"filters": 4, "kernel_size": 3, "strides": 2, "data_format": FIRST},
    ),
    "Conv3DTranspose": ("conv_transpose", (1, 3, 2, 3, 2), {"filters": 3, "kernel_size": 3, "strides": 2}),
}
OF_LAYERS = {"filters", "kernel_size", "groups", "depth_multiplier"}


def with_gradients(function, *arrays):
    """The outputs, and the gradient of a weighted sum of them at all arrays."""
    return jax.jit(lambda *a: (function(*a), jax.grad(lambda *a: loss(function(*a)), range(len(a)))(*a)))(*arrays)


@pytest.mark.parametrize("case", list(CONVOLUTIONS))
def test_convolutions_of_layer_op_and_keras(case):
    op, shape, arguments = CONVOLUTIONS[case]
    name, x = case.split()[0], array(*shape)
    theirs = getattr(keras.layers, name)(use_bias=False, **arguments)
    theirs.build(shape)
    weights = [array(*w.shape, seed=i + 1) for i, w in enumerate(theirs.weights)]
    layer = getattr(layers, name)(use_bias=False, **arguments)
    layer.build(shape)
    of_op = {k: v for k, v in arguments.items() if k not in OF_LAYERS}

    def by_layer(x, *weights):
        with scope.run(scope.Scope(dict(zip(layer.weights, weights, strict=True)))):
            return layer(x)

    want = with_gradients(lambda x, *w: theirs.stateless_call(w, [], x)[0], x, *weights)
    close(with_gradients(by_layer, x, *weights), want, 1e-4)
    close(with_gradients(lambda *a: getattr(ops, op)(*a, **of_op), x, *weights), want, 1e-4)
    if "output_padding" not in of_op:  # Keras's own op refuses it on this engine
        close(getattr(ops, op)(x, *weights, **of_op), getattr(keras.ops, op)(x, *weights, **of_op), 1e-4)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((2, 9, 3), {"pool_size": 2}),
        ((2, 9, 8, 3), {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}),
        ((2, 3, 9, 8), {"pool_size": 3, "strides": 2, "data_format": FIRST}),
        ((1, 5, 6, 4, 2), {"pool_size": 2}),
    ],
)
def test_pools_of_layer_op_and_keras(kind, shape, arguments):
    name, x = f"{kind.capitalize()}Pooling{len(shape) - 2}D", array(*shape)
    layer, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    want = with_gradients(lambda x: theirs.stateless_call([], [], x)[0], x)
    close(with_gradients(layer, x), want)
    close(with_gradients(lambda x: getattr(ops, f"{kind}_pool")(x, **arguments), x), want)


def test_products_and_rows_of_ops():
    x, kernel, table = array(2, 5, 4), array(4, 3, seed=1), array(6, 3, seed=2)
    close(with_gradients(ops.matmul, x, kernel), with_gradients(jnp.matmul, x, kernel))
    for shapes in (((4,), (4, 3)), ((2, 5, 4), (2, 4, 3)), ((4,), (4,)), ((5, 4), (4,))):
        a, b = array(*shapes[0]), array(*shapes[1], seed=1)
        close(ops.matmul(a, b), a @ b)
    assert ops.matmul(x.astype("float16"), kernel).dtype == jnp.float32
    ids = np.array([[0, 5, 2], [-1, 2, -6]])
    got = with_gradients(lambda t: ops.take(t, ids, axis=0), table)
    close(got, with_gradients(lambda t: jnp.take(t, ids, axis=0), table))
    assert np.isnan(ops.take(table, [6, -7], axis=0)).all()
    assert ops.take(np.arange(6).reshape(3, 2), [-1], axis=0).tolist() == [[4, 5]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_other_dtypes(dtype):
    x, kernel = np.arange(16).reshape(1, 4, 4, 1) % 3, np.ones((2, 2, 1, 1))
    for op in (ops.conv, ops.depthwise_conv, ops.conv_transpose):
        got = op(x.astype(dtype), jnp.asarray(kernel, dtype))
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.astype("float32"), op(x.astype("float32"), kernel.astype("float32")))
    assert ops.max_pool(x.astype(dtype), 2).dtype == dtype


def test_integer_images_take_the_dtype_of_the_kernel():
    x, kernel = np.arange(9, dtype="uint8").reshape(1, 3, 3, 1), np.full((2, 2, 1, 1), 0.5, "float32")
    np.testing.assert_array_equal(ops.conv(x, kernel), keras.ops.conv(x, kernel))
    assert ops.conv(x, kernel).ravel().tolist() == [4, 6, 10, 12]


def test_what_ops_refuse():
    with pytest.raises(errors.ShapeError, match=r"reaches over \(5, 5\), more than its inputs \(4, 4\)"):
        ops.conv(array(1, 4, 4, 1), array(5, 5, 1, 1))
    with pytest.raises(errors.ShapeError, match=r"as many axes, three or more; got \(4, 4\) and \(3, 3\)"):
        ops.conv(np.ones((4, 4)), np.ones((3, 3)))
    with pytest.raises(errors.ShapeError, match=r"kernel of 3 channels cannot take inputs of 4"):
        ops.conv(array(1, 4, 4, 4), array(2, 2, 3, 1))
    with pytest.raises(errors.ShapeError, match=r"3 group\(s\) with a kernel of 1 channels cannot take inputs of 4"):
        ops.depthwise_conv(array(1, 4, 4, 4), array(2, 2, 3, 1))


def test_unknown_sizes_stay_unknown():
    from keryx import Input

    x, kernel = Input((None, None, 3)), array(3, 3, 3, 8)
    assert ops.conv(x, kernel, padding="same").shape == (None, None, None, 8)
    assert ops.conv_transpose(x, array(3, 3, 8, 3), 2).shape == (None, None, None, 8)
    assert layers.Conv2DTranspose(8, 3, strides=2, padding="same")(x).shape == (None, None, None, 8)
    assert ops.max_pool(x, 2).shape == (None, None, None, 3)


# -- the table -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def with_ways(kernel, platform, ways):
    before = kernel.ways.get(platform, [])
    kernel.serve(platform, ways)
    jax.clear_caches()
    try:
        yield
    finally:
        kernel.serve(platform, before)
        jax.clear_caches()


def test_a_way_is_added_without_a_touch_of_its_callers():
    """A platform's first way that serves is taken, by op and layer alike; its calls are counted under its name."""
    pool, x = KERNELS["average_pool"], array(1, 4, 4, 3)
    zero = Way("zero", lambda x, **how: [0 * out for out in pool.plain(x, **how)], lambda context, **how: True)
    never = Way("never", lambda x, **how: 1 / 0, lambda context, **how: context.avals_in[0].shape[0] > 1)
    layer, want = layers.AveragePooling2D((2, 1)), ops.average_pool(x, (2, 1))
    with with_ways(pool, "cpu", [never, zero]):
        assert not np.any(ops.average_pool(x, 2))
        assert not np.any(layer(x))
        assert kernels.report().ways["average_pool"]["cpu"] == ["never", "zero", "plain"]
        assert pool.served["zero"] == 2
        assert "never" not in pool.served
    np.testing.assert_array_equal(layer(x), want)
    del pool.served["zero"]


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_a_platform_stands_beside_the_cpu(platform):
    """Programs for platforms without a list run the definition; one with a list its ways; and the CPU its own."""
    twice = Kernel("twice", lambda x: (x + x,), {"cpu": [Way("shift", lambda x: (jnp.cos(x),))]})
    program = jax.jit(lambda x: twice(x)[0])

    def text(platform):
        return export.export(program, platforms=[platform])(np.ones(3, "float32")).mlir_module()

    assert "cosine" not in text(platform)
    assert "cosine" in text("cpu")
    twice.serve("gpu" if platform == "cuda" else platform, [Way("sine", lambda x: (jnp.sin(x),))])
    jax.clear_caches()
    assert "stablehlo.sine" in text(platform)
    assert "stablehlo.sine" not in text("cpu")
    assert twice.served == {"plain": 1, "shift": 2, "sine": 1}
    del KERNELS["twice"]


def test_the_report_names_the_ways():
    ways = kernels.report().ways
    assert ways["conv"] == {"cpu": ["native", "detour", "plain"]}
    assert ways["average_pool"] == {"cpu": ["native", "plain"]}
    ops.conv(array(1, 4, 4, 1), array(2, 2, 1, 1))
    line = next(line for line in str(kernels.report()).splitlines() if line.startswith("conv "))
    assert line.endswith("cpu: native, detour, plain")
