"""Every row of tests/specs.py against what must hold for all layers."""

import functools
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from specs import SPECS

import keryx
from keryx.core import scope

KEY = jax.random.key_data(jax.random.key(0))
rows = pytest.mark.parametrize("spec", SPECS, ids=str)
oracle_rows = pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.oracle], ids=str)


def shapes_of(spec):
    return spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]


@functools.lru_cache(maxsize=8)
def inputs_of(spec):
    rng = np.random.default_rng(1)
    if np.issubdtype(np.dtype(spec.input_dtype), np.floating):
        arrays = [rng.normal(size=shape).astype(spec.input_dtype) for shape in shapes_of(spec)]
        if spec.padding is not None:
            arrays[0][:, -1] = arrays[0][:, 0, 0] = spec.padding
        return arrays
    return [rng.integers(0, 5, shape).astype(spec.input_dtype) for shape in shapes_of(spec)]


def arguments(spec, inputs):
    """The positional arguments of a call on these inputs."""
    return list(inputs) if spec.separate else [list(inputs)] if isinstance(spec.inputs, list) else list(inputs)


def call(layer, spec, inputs, set_mask=scope.set_mask, **more):
    """Call the layer as the row says, with the masks beside the inputs."""
    for x, mask in zip(inputs, spec.masks or (), strict=False):
        if mask is not None:
            set_mask(x, jnp.asarray(mask))
    return layer(*arguments(spec, inputs), **spec.call, **more)


def made(spec, module, **more):
    """The layer of the row, built, with weights that are the same in each library."""
    keras.utils.clear_session(free_memory=False)  # its masks go by the ids of arrays, dead ones too
    layer = getattr(module.layers, spec.layer)(**spec.init | more)
    inputs = [jnp.asarray(x) for x in inputs_of(spec)]
    call(layer, spec, inputs, scope.set_mask if module is keryx else keras.src.backend.set_keras_mask)
    rng = np.random.default_rng(2)
    draws = [rng.normal(size=weight.shape, scale=0.5) for weight in layer.weights]
    layer.set_weights([abs(x) if "variance" in w.name else x for x, w in zip(draws, layer.weights, strict=True)])
    return layer


@functools.lru_cache(maxsize=2)
def layer_of(spec):
    return made(spec, keryx)


def cotangents(outputs):
    rng = np.random.default_rng(3)
    return [rng.normal(size=x.shape).astype("float32") for x in jax.tree.leaves(outputs)]


def weighted(outputs):
    """A scalar that depends on every output in another way."""
    return sum((x * w).sum() for x, w in zip(jax.tree.leaves(outputs), cotangents(outputs), strict=True))


def keryx_program(spec, layer):
    """(trainable, others, inputs) -> (scalar, (outputs, mask, new state)) of the Keryx layer."""
    variables = [*layer.trainable_weights, *layer.non_trainable_weights]

    def run(*inputs):
        outputs = call(layer, spec, inputs)
        return outputs, scope.mask_of(jax.tree.leaves(outputs)[0]), layer.regularization()

    def program(trainable, others, inputs):
        pure = scope.pure(run, variables, spec.training)
        (outputs, mask, penalties), updates, losses = pure([*trainable, *others], KEY, *inputs)
        state = [updates.get(i + len(trainable), value) for i, value in enumerate(others)]
        return weighted(outputs) + sum(losses) + sum(penalties), (outputs, mask, state)

    return program, [[v.value for v in part] for part in (layer.trainable_weights, layer.non_trainable_weights)]


def keras_program(spec, layer):
    """The same of the Keras layer."""
    parts = layer.trainable_weights, layer.non_trainable_weights
    takes_training = "training" in layer._call_signature.parameters

    def program(trainable, others, inputs):
        lent = zip([*parts[0], *parts[1]], [*trainable, *others], strict=True)
        with keras.StatelessScope(list(lent), collect_losses=True) as state:
            more = {"training": spec.training} if takes_training else {}
            outputs = call(layer, spec, inputs, keras.src.backend.set_keras_mask, **more)
            mask = keras.src.backend.get_keras_mask(jax.tree.leaves(outputs)[0])
            losses = list(layer.losses)
        return weighted(outputs) + sum(losses), (
            outputs,
            mask,
            [state.get_current_value(v) for v in parts[1]],
        )

    return program, [[v.value for v in part] for part in parts]


def evaluated(spec, program, values):
    """The results of a program and, where the row has them, its gradients: all in one compilation."""
    inputs = tuple(jnp.asarray(x) for x in inputs_of(spec))
    if not spec.gradient:
        return jax.jit(program)(*values, inputs)
    by = (0, 2) if np.issubdtype(np.dtype(spec.input_dtype), np.floating) else 0
    return jax.jit(jax.value_and_grad(program, by, has_aux=True))(*values, inputs)


def assert_close(got, wanted, tolerance=1e-5):
    got, wanted = jax.tree.leaves(got), jax.tree.leaves(wanted)
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(np.asarray(a, "float32"), np.asarray(b, "float32"), tolerance, tolerance)


@oracle_rows
def test_numbers_gradients_and_masks_are_those_of_keras(spec):
    theirs = made(spec, keras)
    ours = made(spec, keryx)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    assert [w.path.split("/")[1:] for w in ours.weights] == [w.path.split("/")[1:] for w in theirs.weights]
    ours.set_weights([np.asarray(w.value) for w in theirs.weights])
    wanted = evaluated(spec, *keras_program(spec, theirs))
    got = evaluated(spec, *keryx_program(spec, ours))
    assert_close(got, wanted)


@rows
def test_compiled_is_eager(spec):
    program, values = keryx_program(spec, layer_of(spec))
    inputs = tuple(jnp.asarray(x) for x in inputs_of(spec))
    assert_close(jax.jit(program)(*values, inputs), program(*values, inputs))


@rows
def test_symbolic_shapes_are_the_real_ones(spec):
    fixed = {name: value for name, value in spec.call.items() if not isinstance(value, np.ndarray)}
    real = jax.tree.leaves(call(layer_of(spec), spec, [jnp.asarray(x) for x in inputs_of(spec)]))
    for unknown in {(), spec.unknown}:
        shapes = [[None if i in (0, *unknown) else n for i, n in enumerate(s)] for s in shapes_of(spec)]
        symbols = [keryx.Input(batch_shape=shape, dtype=spec.input_dtype) for shape in shapes]
        layer = getattr(keryx.layers, spec.layer)(**spec.init)
        outputs = jax.tree.leaves(layer(*arguments(spec, symbols), **fixed))
        for symbol, array in zip(outputs, real, strict=True):
            known = [None if i == 0 or (unknown and n is None) else n for i, n in enumerate(symbol.shape)]
            assert symbol.shape == tuple(known)
            assert all(n in (None, size) for n, size in zip(known, array.shape, strict=True))
            assert symbol.dtype == array.dtype


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.bfloat16 is not None and spec.oracle], ids=str)
def test_bfloat16_stays_near(spec):
    half = getattr(keryx.layers, spec.layer)(**spec.init, dtype="mixed_bfloat16")
    inputs = [jnp.asarray(x) for x in inputs_of(spec)]
    call(half, spec, inputs)
    whole = layer_of(spec)
    half.set_weights(whole.get_weights())
    near = call(half, spec, inputs, training=spec.training)
    assert {x.dtype.name for x in jax.tree.leaves(near)} == {"bfloat16"}
    assert {w.dtype for w in half.weights} <= {"float32"}
    weights = whole.get_weights()
    assert_close(near, call(whole, spec, inputs, training=spec.training), spec.bfloat16)
    whole.set_weights(weights)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.config], ids=str)
def test_config_makes_the_same_layer(spec):
    layer = layer_of(spec)
    config = layer.get_config()
    twin = type(layer).from_config(config)
    assert twin.get_config() == config
    inputs = [jnp.asarray(x) for x in inputs_of(spec)]
    if not spec.training:
        outputs = call(layer, spec, inputs)
        call(twin, spec, inputs)
        twin.set_weights(layer.get_weights())
        assert_close(call(twin, spec, inputs), outputs, 0)
    theirs = getattr(keras.layers, spec.layer)(**spec.init).get_config()
    theirs = {name: value for name, value in theirs.items() if "quant" not in name and "lora" not in name}
    read = type(layer).from_config(theirs).get_config()
    assert {name: read[name] for name in theirs} == theirs | {"dtype": read["dtype"]}


def test_moving_statistics_keep_their_precision_in_bfloat16():
    layer = keryx.layers.BatchNormalization(dtype="mixed_bfloat16")
    x = jnp.asarray(np.random.default_rng(0).normal(1, 2, (64, 3)), "bfloat16").astype("float32")
    assert layer(x, training=True).dtype == "bfloat16"
    wanted = 0.01 * np.asarray(x).mean(0), 0.99 + 0.01 * np.asarray(x).var(0)
    assert_close([layer.moving_mean.value, layer.moving_variance.value], wanted, 1e-6)
