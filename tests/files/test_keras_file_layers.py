"""Every layer, once for each set of weights that it can have, is saved by each library and trained on by the other."""

import warnings

import jax
import keras
import numpy as np
import pytest

import keryx
from tests.specs import SPECS, row

X3 = (2, 3, 4)
RECURRENT = [
    *(row(kind, X3, init={"units": 2, **more}) for kind in ("SimpleRNN", "LSTM", "GRU") for more in (
        {}, {"return_sequences": True, "go_backwards": True}, {"use_bias": False}
    )),
    row("GRU", X3, init={"units": 2, "reset_after": False}),
    row("LSTM", X3, init={"units": 2, "unit_forget_bias": False, "recurrent_regularizer": "l2"}),
]  # fmt: skip
# The logarithm of a magnitude near zero makes the last bit of a weight a thousandth within ten steps, in any library.
STEADY = {"STFTSpectrogram": row("STFTSpectrogram", (2, 24, 2), init={"frame_length": 8, "mode": "psd"})}
RANDOM = ("Dropout", "Noise", "Random")
LAMBDAS = {"Lambda"}


def chosen():
    """Rows by group: each group is one model, with an input and an output for each row."""
    seen, rows = set(), []
    for spec in (STEADY.get(spec.layer, spec) for spec in [*SPECS, *RECURRENT]):
        if not spec.config or spec.layer in LAMBDAS or {shape[0] for shape in shapes_of(spec)} != {2}:
            continue
        layer = getattr(keryx.layers, spec.layer)(**spec.init)
        symbols = [keryx.Input(shape[1:], dtype=spec.input_dtype) for shape in shapes_of(spec)]
        outputs = jax.tree.leaves(called(layer, spec, symbols))
        if any("float" not in output.dtype for output in outputs):
            continue
        kind = type(layer), *(weight.name for weight in layer.weights)
        if kind not in seen:
            rows.append(spec)
        seen.add(kind)
    return [rows[i::4] for i in range(4)]


def shapes_of(spec):
    return spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]


def called(layer, spec, symbols):
    fixed = {name: value for name, value in spec.call.items() if not isinstance(value, np.ndarray)}
    arguments = symbols if spec.separate else [symbols if isinstance(spec.inputs, list) else symbols[0]]
    return layer(*arguments, **fixed)


def model_of(K, group):
    K.utils.clear_session(free_memory=False)
    K.utils.set_random_seed(1)
    inputs, outputs = [], []
    for i, spec in enumerate(group):
        symbols = [
            K.Input(shape[1:], dtype=spec.input_dtype, name=f"x{i}_{j}") for j, shape in enumerate(shapes_of(spec))
        ]
        inputs += symbols
        outputs += jax.tree.leaves(called(getattr(K.layers, spec.layer)(**spec.init), spec, symbols))
    model = K.Model(inputs, outputs)
    model.compile(K.optimizers.SGD(0.01, momentum=0.9), ["mse"] * len(outputs))
    return model


def data_of(group, model):
    rng = np.random.default_rng(0)
    arrays = []
    for spec in group:
        for shape in shapes_of(spec):
            whole = np.issubdtype(np.dtype(spec.input_dtype), np.integer)
            arrays.append((rng.integers(0, 5, shape) if whole else rng.normal(size=shape)).astype(spec.input_dtype))
    return arrays, [np.zeros((2, *output.shape[1:]), "float32") for output in model.outputs]


def close(ours, theirs, group):
    told = [str(spec) for spec in group]
    for i, (a, b) in enumerate(zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), 1e-5, 1e-5, err_msg=f"{i} of {told}")


def train(model, data, steps):
    model.fit(*data, batch_size=2, epochs=steps, shuffle=False, verbose=0)


GROUPS = chosen()


def test_the_table_is_whole():
    """What is not in it is checked as a part of others, elsewhere, or is no layer to be saved."""
    every = {getattr(keryx.layers, name) for name in dir(keryx.layers) if name[0] != "_"}
    classes = {thing for thing in every if isinstance(thing, type) and issubclass(thing, keryx.Layer)}
    left = (
        "Layer Wrapper Lambda InputLayer RNN StackedRNNCells TimeDistributed Bidirectional LSTMCell GRUCell "
        "SimpleRNNCell SpectralNormalization JaxLayer FlaxLayer"  # in test_keras_file.py
    )
    images = "AugMix CutMix ContrastLimitedAdaptiveHistogramEqualization Equalization MaxNumBoundingBoxes MixUp"
    text = "CategoryEncoding Discretization HashedCrossing Hashing IntegerLookup StringLookup TextVectorization"
    elsewhere = {*left.split(), *text.split(), *images.split(), "Pipeline", "RandAugment", "Solarization"}
    checked = {getattr(keryx.layers, spec.layer) for group in GROUPS for spec in group}
    missing = {cls.__name__ for cls in classes - checked} - elsewhere
    assert {name for name in missing if not name.startswith("Random")} == set()  # those: test_layers_image.py
    assert elsewhere <= {cls.__name__ for cls in classes}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's
@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_layers_are_exchanged_with_keras(tmp_path, number, record_property):
    group = GROUPS[number]
    is_random = [any(word in spec.layer for word in RANDOM) for spec in group]
    group = [spec for spec, out in zip(group, is_random, strict=True) if not out]
    record_property("layers", len(group))  # benchmarks/files.py adds them up
    ours = model_of(keryx, group)
    data = data_of(group, ours)
    train(ours, data, 2)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    close(ours.predict(data[0], verbose=0), theirs.predict(data[0], verbose=0), group)
    train(ours, data, 10)
    train(theirs, data, 10)
    close(ours.get_weights(), theirs.get_weights(), group)
    close([v.numpy() for v in kept(ours)], [np.asarray(v) for v in theirs.optimizer.variables], group)
    theirs.save(tmp_path / "theirs.keras")
    again = keryx.models.load_model(tmp_path / "theirs.keras")
    close(again.predict(data[0], verbose=0), theirs.predict(data[0], verbose=0), group)
    train(again, data, 10)
    train(theirs, data, 10)
    close(again.get_weights(), theirs.get_weights(), group)


def kept(model):
    from keryx.saving import layout

    return layout.kept_by(model.optimizer).values()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's
def test_random_layers_are_exchanged_with_keras(tmp_path):
    group = [spec for spec in SPECS if any(word in spec.layer for word in RANDOM) and spec.config]
    ours = model_of(keryx, group)
    data = data_of(group, ours)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    close(ours.predict(data[0], verbose=0), theirs.predict(data[0], verbose=0), group)
    theirs.save(tmp_path / "theirs.keras")
    again = keryx.models.load_model(tmp_path / "theirs.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(again, data, 1)
