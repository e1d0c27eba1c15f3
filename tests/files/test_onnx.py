"""Models written as ONNX give in ONNX Runtime what they give here."""

import re

import jax
import numpy as np
import pytest
from specs import SPECS, row

import keryx
from keryx import layers, ops
from keryx.errors import ArgumentError, ExportError, FileError

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from keryx.export.onnx.write import made  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    """Programs that run once need not be fast."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def session(model, **options):
    """A model in ONNX Runtime, once ONNX has found nothing wrong with it."""
    proto = made(model, **options)
    onnx.checker.check_model(proto, full_check=True)
    return runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


def there(running, inputs):
    """What ONNX Runtime makes of arrays by name."""
    return running.run(None, inputs)


def same(model, *batches, tolerance=1e-5):
    """A model gives the same in ONNX Runtime for each of some batches, dicts of arrays by the inputs' names."""
    running = session(model)
    assert [i.name for i in running.get_inputs()] == model.input_names
    for batch in batches:
        got = there(running, batch)
        wanted = jax.tree.leaves(eagerly(model, batch))
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            np.testing.assert_allclose(np.asarray(a, "float64"), np.asarray(b, "float64"), tolerance, tolerance)
    return running


def eagerly(model, batch):
    """What the model gives, op by op: nothing is compiled for one call."""
    inputs = [jax.numpy.asarray(batch[name]) for name in model.input_names]
    with keryx.core.scope.run(keryx.core.scope.Scope()):
        return model._graph.run(inputs)


# -- every row of the table of layers ----------------------------------------------------------------------------

# What ONNX cannot say, with what the refusal speaks of.
REFUSED = {"UpSampling2D(interpolation=lanczos3)": "interpolates by lanczos3"}
RECURRENT = [
    row(kind, (2, 4, 3), init={"units": 2} | init, masks=masks, unknown=(1,))
    for kind in ("SimpleRNN", "GRU", "LSTM")
    for init, masks in [
        ({}, None),
        ({"return_sequences": True, "return_state": True, "go_backwards": True, "use_bias": False}, None),
        ({"activation": "relu", "return_sequences": True}, None),
        ({"activation": "gelu", "return_sequences": True, "go_backwards": True}, None),
        ({"return_state": True}, [np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)]),
        ({"return_sequences": True, "zero_output_for_mask": True, "go_backwards": True, "activation": "elu"},
         [np.array([[0, 1, 1, 0], [1, 0, 1, 0]], bool)]),
    ]
]  # fmt: skip
RECURRENT += [
    row("GRU", (2, 4, 3), init={"units": 2, "reset_after": False, "return_sequences": True}, unknown=(1,)),
    row("GRU", (2, 4, 3), init={"units": 2, "reset_after": False, "activation": "selu"}, unknown=(1,)),
]
ROWS = {str(spec): spec for spec in [*SPECS, *RECURRENT]}  # a layer is exported as it infers, in training or not


def model_of(spec):
    """The layer of a row as a model, of inputs whose batch and unknown axes have no size, and arrays for them."""
    shapes = spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]
    shapes = [tuple(None if i in (0, *spec.unknown) else n for i, n in enumerate(shape)) for shape in shapes]
    symbols = [keryx.Input(batch_shape=s, dtype=spec.input_dtype, name=f"x{i}") for i, s in enumerate(shapes)]
    given = {
        name: keryx.Input(batch_shape=(None, *value.shape[1:]), dtype=str(value.dtype), name=name)
        for name, value in spec.call.items()
        if isinstance(value, np.ndarray)
    }
    masked = [
        layers.Masking(7.0)(x) if mask is not None else x
        for x, mask in zip(symbols, spec.masks or [None] * len(symbols), strict=True)
    ]
    layer = getattr(layers, spec.layer)(**spec.init)
    args = masked if spec.separate else [masked] if isinstance(spec.inputs, list) else masked
    model = keryx.Model([*symbols, *given.values()], layer(*args, **spec.call | given))
    rng = np.random.default_rng(2)
    draws = [rng.normal(size=w.shape, scale=0.5) for w in model.weights]
    model.set_weights([abs(x) if "variance" in w.name else x for x, w in zip(draws, model.weights, strict=True)])
    return model


def batch_of(spec, model, rows, longer=0):
    """Arrays for such a model: `rows` rows, and unknown axes that are `longer` than in the table."""
    rng = np.random.default_rng(rows)
    arrays = {}
    shapes = spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]
    masks = spec.masks or [None] * len(shapes)
    for i, (shape, mask) in enumerate(zip(shapes, masks, strict=True)):
        shape = [rows, *(n + longer * (axis in spec.unknown) for axis, n in enumerate(shape[1:], 1))]
        floats = "float" in spec.input_dtype
        x = rng.normal(size=shape) if floats else rng.integers(0, 5, shape)
        if spec.padding is not None:
            x[:, -1] = x[:, 0, 0] = spec.padding
        if mask is not None:
            mask = np.resize(mask, shape[:2])
            x[~mask] = 7.0
        arrays[f"x{i}"] = x.astype(spec.input_dtype)
    for name, value in spec.call.items():
        if isinstance(value, np.ndarray):
            arrays[name] = np.resize(value, (rows, *value.shape[1:]))
    return arrays


@pytest.mark.parametrize("told", ROWS)
def test_layers_give_the_same(told):
    spec = ROWS[told]
    model = model_of(spec)
    if told in REFUSED:
        with pytest.raises(ExportError, match=REFUSED[told]):
            made(model)
        return
    same(model, batch_of(spec, model, 2), batch_of(spec, model, 3, longer=2))


def test_no_layer_is_left_out():
    from keryx.export.onnx.exporter import row_of

    inner = {"layer": layers.LSTM(2, return_sequences=True)}
    made_with = {"Bidirectional": inner, "TimeDistributed": inner, "Wrapper": inner, "RNN": {"cell": layers.LSTMCell(2)},
                 "StackedRNNCells": {"cells": [layers.LSTMCell(2)]}, "InputLayer": {"shape": (2,)}}  # fmt: skip
    told = {spec.layer: spec.init for spec in ROWS.values()}
    told |= dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell"), {"units": 2}) | made_with
    without = {"InputLayer", "Wrapper"}  # no calls of these stand in a graph
    classes = {cls for cls in layers.registry.table.values() if cls.__module__.startswith("keryx.layers")}
    missing = {cls.__name__ for cls in classes if row_of(cls(**told[cls.__name__])) is None}
    assert missing == without
