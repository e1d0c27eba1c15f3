"""Models written as ONNX give in ONNX Runtime what they give here."""

import importlib.util
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from specs import SPECS, row

import keryx
from keryx import layers, ops
from keryx.errors import ArgumentError, ExportError, FileError

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from keryx.export import signature  # noqa: E402
from keryx.export.onnx.write import encoded  # noqa: E402
from keryx.export.onnx.write import made as made_for  # noqa: E402


def made(model, input_signature=None):
    """A model as ONNX's proto."""
    proto, constants = made_for(model, signature.of_model(model, input_signature))
    return onnx.load_from_string(b"".join(encoded(proto, constants)))


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
        wanted = [jax.numpy.asarray(one) for one in jax.tree.leaves(eagerly(model, batch))]  # of a size an int
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
REFUSED = {
    "UpSampling2D(interpolation=lanczos3)": "interpolate by lanczos3",
    "AdaptiveMaxPooling1D(output_size=3)": "windows that depend on an unknown size",
    "Resizing(height=8,width=4,pad_to_aspect_ratio=True,fill_value=0.5)": "only a plain resize is written here",
}
# Layers without a row, so that the error names stablehlo.
WITHOUT = {
    "AutoContrast", "CategoryEncoding", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "FlaxLayer",
    "JaxLayer", "MaxNumBoundingBoxes", "MelSpectrogram", "Pipeline", "RandomCrop", "STFTSpectrogram", "Solarization",
    "SpectralNormalization",
}  # fmt: skip
# Their part of a model is no ONNX.
ON_HOST = {"Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"}
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
    said = REFUSED.get(told)
    said = "the layer has no counterpart in ONNX.*stablehlo" if spec.layer in WITHOUT else said
    said = "layers that run on the host" if spec.layer in ON_HOST else said
    if said is not None:
        with pytest.raises(ExportError, match=said):
            made(model)
        return
    same(model, batch_of(spec, model, 2), batch_of(spec, model, 3, longer=2))


def test_no_layer_is_left_out():
    from keryx.export.onnx.exporter import row_of

    without = {"InputLayer", "Wrapper"}  # no calls of these stand in a graph
    every = {getattr(layers, name) for name in dir(layers) if name[0] != "_"}
    classes = {cls for cls in every if isinstance(cls, type) and issubclass(cls, keryx.Layer)} - {keryx.Layer}
    assert {cls.__name__ for cls in classes if row_of(object.__new__(cls)) is None} == without | WITHOUT | ON_HOST


# -- recurrent layers, wrappers, models in models ------------------------------------------------------------------


def sequences(rows, time=5, features=3, name="x", seed=0):
    """A batch (rows, time, features), some steps of which are masked by 7."""
    x = np.random.default_rng(rows + seed).normal(size=(rows, time, features)).astype("float32")
    x[0, -2:] = 7.0
    return {name: x}


def randomized(model):
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape, scale=0.5) for w in model.weights])
    return model


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
def test_bidirectional(merge_mode, masked):
    x = keryx.Input((None, 3), name="x")
    y = layers.Masking(7.0)(x) if masked else x
    kinds = {"concat": layers.LSTM, "sum": layers.GRU, "mul": layers.SimpleRNN}
    inner = kinds.get(merge_mode, layers.LSTM)(
        2, return_sequences=merge_mode != "mul", return_state=merge_mode == "ave"
    )
    outputs = layers.Bidirectional(inner, merge_mode)(y)
    model = randomized(keryx.Model(x, outputs))
    same(model, sequences(2), sequences(3, 4))
    kinds = [node.op_type for node in made(model).graph.node]
    assert ("Scan" in kinds) == masked
    assert sum(kind in ("LSTM", "GRU", "RNN") for kind in kinds) == (0 if masked else 1)  # both directions in one


def test_bidirectional_of_unlike_layers_and_of_one_that_begins_at_the_end():
    x = keryx.Input((None, 3), name="x")
    a = layers.Bidirectional(
        layers.LSTM(2, return_sequences=True), backward_layer=layers.GRU(3, return_sequences=True, go_backwards=True)
    )(x)
    b = layers.Bidirectional(layers.LSTM(2, return_sequences=True, go_backwards=True))(x)
    c = layers.Bidirectional(layers.GRU(2, go_backwards=True))(x)
    same(randomized(keryx.Model(x, [a, b, c])), sequences(2), sequences(3, 4))


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_first_states(kind):
    x, first = keryx.Input((None, 3), name="x"), keryx.Input((None, 3), name="first")
    encoder = getattr(layers, kind)(4, return_state=True)
    _, *states = encoder(first)
    masked = layers.Masking(7.0)(x)
    outputs = [
        getattr(layers, kind)(4, return_sequences=True)(x, initial_state=states),
        getattr(layers, kind)(4, return_sequences=True)(masked, initial_state=states),
        layers.Bidirectional(getattr(layers, kind)(4))(x, initial_state=[*states, *states]),
    ]
    model = randomized(keryx.Model([x, first], outputs))
    begins_masked = sequences(3)
    begins_masked["x"][1, 0] = 7.0
    same(model, sequences(2) | sequences(2, 3, name="first"), begins_masked | sequences(3, 6, name="first"))


class OwnCell(layers.Layer):
    """A cell of a user's own, with a choice of a state."""

    state_size = output_size = 4

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 4), name="kernel")

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + states[0] * 0.5)
        return h, [h]


def test_cells():
    x = keryx.Input((None, 3), name="x")
    masked = layers.Masking(7.0)(x)
    stacked = layers.RNN([layers.LSTMCell(2), layers.GRUCell(3), layers.SimpleRNNCell(2)], return_sequences=True)
    outputs = [stacked(masked), layers.RNN(OwnCell(), go_backwards=True)(x), layers.RNN(layers.LSTMCell(2))(x)]
    same(randomized(keryx.Model(x, outputs)), sequences(2), sequences(3, 4))


def test_time_distributed_models_and_shared_ones():
    x = keryx.Input((4, 4, 2), name="frame")
    inner = keryx.Model(
        x, [layers.Flatten()(layers.Conv2D(3, 2, activation="relu")(x)), layers.GlobalMaxPooling2D()(x)]
    )
    video, still = keryx.Input((None, 4, 4, 2), name="video"), keryx.Input((4, 4, 2), name="still")
    one, other = layers.TimeDistributed(inner)(video)
    again, _ = inner(still)
    model = randomized(keryx.Model({"video": video, "still": still}, [layers.LSTM(2)(one), other, again]))
    rng = np.random.default_rng(0)
    batches = [
        {
            "video": rng.normal(size=(n, t, 4, 4, 2)).astype("float32"),
            "still": rng.normal(size=(n, 4, 4, 2)).astype("float32"),
        }
        for n, t in [(2, 3), (3, 5)]
    ]
    same(model, *batches)
    kernels = [
        constant
        for constant in made(model).graph.initializer
        if "conv2d" in constant.name and "kernel" in constant.name
    ]
    assert len(kernels) == 1


def guide_models(monkeypatch):
    """The ten models of the guide, small, and not trained."""
    path = Path(__file__).parents[2] / "examples" / "functional_guide.py"
    spec = importlib.util.spec_from_file_location("functional_guide_to_export", path)
    guide = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guide)
    monkeypatch.setattr(keryx.Model, "fit", lambda *args, **kwargs: None)
    monkeypatch.setattr(keryx.Model, "predict", lambda *args, **kwargs: np.zeros(1))
    made = {"dense": guide.dense()[0]}
    made |= {name: getattr(guide, name)(made["dense"]) for name in ("model_as_layer", "every_step")}
    made |= {name: getattr(guide, name)() for name in ("news", "tweets", "shared_vision")}
    made |= {name: getattr(guide, name)(size=16) for name in ("inception", "residual")}
    *vqa, parts = guide.visual_question_answering(size=32)
    made |= {"vqa": vqa[0], "video": guide.video_question_answering(*parts, frames=3, size=32)}
    return {name: model[0] if isinstance(model, tuple) else model for name, model in made.items()}


def test_the_models_of_the_guide(monkeypatch):
    found = guide_models(monkeypatch)
    assert len(found) == 10
    for model in found.values():
        rng = np.random.default_rng(0)
        batch = {
            s.name: np.asarray(rng.random((2, *s.shape[1:])) * (50 if "int" in s.dtype else 1), s.dtype)
            for s in model.inputs
        }
        same(model, batch)


# -- ops on symbols ----------------------------------------------------------------------------------------------

OPS = {
    "arithmetic": lambda x, y: (2 * x + 1 - y / 3) ** 2 * -x + (1 - x) / (2 + abs(y)),
    "integers": lambda x, y: (ops.cast(x * 3, "int32") // 2) % 3 + ops.cast(y, "int32"),
    "floats divided": lambda x, y: x // 0.5 + y % 0.7,
    "comparisons": lambda x, y: ops.where((x > y) & (x >= 0) | ~(y < 1) ^ (x != y), x, 0),
    "bools": lambda x, y: ops.any(x > 0, axis=1) & ops.all(y < 9, axis=1),
    "slices": lambda x, y: [
        x[:, 0], x[:, -1:], x[:, ::-1, None], x[..., 1:3], x[:, -2], x[:, 1::2, 0], x[:, :, [2, 0]],
    ],
    "shapes": lambda x, y: [
        x.reshape(-1, 4), ops.reshape(x, (-1, 3 * 4)), x.transpose(0, 2, 1), ops.swapaxes(x, 1, 2),
        ops.moveaxis(x, 1, -1), ops.expand_dims(x, (1, -1)), ops.squeeze(ops.expand_dims(x, 1), 1), ops.ravel(x),
        ops.broadcast_to(x[:1, :1], (5, 3, 4)),
    ],
    "joined": lambda x, y: [
        ops.concatenate([x, y], 1), ops.stack([x, y, x], 1), *ops.split(x, 2, axis=2), *ops.split(x, [1], axis=1),
        *ops.unstack(x, axis=2), ops.hstack([x, y]),
    ],
    "repeated": lambda x, y: [
        ops.repeat(x, 2, axis=1), ops.tile(x, (1, 2, 1)), ops.roll(x, 1, axis=1), ops.flip(x, 1),
        ops.pad(x, ((0, 0), (1, 2), (0, 1))),
    ],
    "reductions": lambda x, y: [
        ops.sum(x, 1), ops.mean(x, (1, 2)), ops.max(x, -1, keepdims=True), ops.min(x), ops.prod(x, 2), ops.var(x, 1),
        ops.std(x, 1), ops.logsumexp(x, 1), ops.argmax(x, 1), ops.argmin(x, -1), ops.cumsum(x, 1), ops.norm(x, axis=-1),
    ],
    "functions": lambda x, y: [
        f(x)
        for f in (ops.exp, ops.sin, ops.cos, ops.tanh, ops.floor, ops.ceil, ops.round, ops.sign, ops.square,
                  ops.trunc, ops.erf, ops.expm1, ops.exp2, ops.negative, ops.isnan, ops.isfinite, ops.arctan, ops.sinh)
    ] + [f(abs(x) + 0.5) for f in (ops.log, ops.sqrt, ops.rsqrt, ops.log1p, ops.log2, ops.log10, ops.reciprocal)],
    "products": lambda x, y: [
        x @ y.transpose(0, 2, 1), ops.einsum("bij,bkj->bik", x, y), ops.tensordot(x, np.ones((4, 2), "float32"), 1),
        ops.dot(x, np.ones((4, 2), "float32")), ops.matmul(x, np.eye(4, dtype="float32")),
    ],
    "places": lambda x, y: [
        ops.take(x, [2, 0], axis=1), ops.take_along_axis(x, ops.argsort(x, 1), 1), ops.sort(x, 1), ops.top_k(x, 2)[0],
        ops.one_hot(ops.argmax(x, 1), 3), ops.slice(x, (0, 1, 0), (-1, 2, -1)), ops.tril(x), ops.triu(x, 1),
    ],
    "made alike": lambda x, y: [ops.zeros_like(x), ops.ones_like(x) * y, ops.full_like(x, 3.0), ops.size(x)],
    "limits": lambda x, y: [
        ops.clip(x, -0.5, 0.5), ops.maximum(x, y), ops.minimum(x, 0), x.clip(0.0, 1.0), ops.divide_no_nan(x, y * 0),
    ],
    "NumPy's": lambda x, y: [
        np.exp(x), np.concatenate([x, y], 1), np.mean(x, axis=1), np.where(x > 0, x, y), np.maximum(x, 0.1),
    ],
    "networks": lambda x, y: [
        ops.softmax(x), ops.log_softmax(x, 1), ops.relu(x), ops.gelu(x), ops.normalize(x), ops.softmax(x, (1, 2)),
        keryx.activations.relu(x, 0.1, 1.0, 0.2), keryx.activations.gelu(x), ops.silu(x), ops.glu(x),
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", OPS)
def test_ops_give_the_same(what):
    x, y = (keryx.Input((3, 4), name=name) for name in "xy")
    model = keryx.Model([x, y], OPS[what](x, y))
    rng = np.random.default_rng(1)
    same(model, *({name: rng.normal(size=(n, 3, 4)).astype("float32") for name in "xy"} for n in (2, 3)))


@pytest.mark.parametrize("name", sorted(keryx.activations.registry.table.keys() - {"threshold"}))
def test_activations_give_the_same(name):
    x = keryx.Input((4,), name="x")
    function = keryx.activations.registry.table[name]
    outputs = layers.Dense(6, activation=name)(x) if callable(function) else x
    same(randomized(keryx.Model(x, outputs)), {"x": np.random.default_rng(0).normal(size=(5, 4)).astype("float32")})


# -- what users write ----------------------------------------------------------------------------------------------


class Gated(layers.Layer):
    """A layer of a user's own, of other layers and ops, with a mask of its own."""

    def build(self, input_shape):
        self.inner = layers.Dense(input_shape[-1], activation=lambda x: x * 0.5)
        self.inner.build(input_shape)
        self.inner.built = True
        self.scale = self.add_weight(shape=(input_shape[-1],), name="scale")

    def call(self, inputs):
        return self.inner(inputs) * self.scale + inputs

    def compute_mask(self, inputs, mask=None):
        return inputs[..., 0] > 0


class Whole(keryx.Model):
    """A model without a graph."""

    def __init__(self):
        super().__init__()
        self.one, self.other = layers.Dense(4, activation="relu"), layers.Dense(2)

    def call(self, inputs):
        return self.other(self.one(inputs)) + ops.mean(inputs, -1, keepdims=True)


def test_layers_and_functions_of_the_users_are_taken_apart():
    x = keryx.Input((None, 3), name="x")
    y = Gated(name="gated")(x)
    y = layers.GlobalAveragePooling1D()(y)
    y = layers.Lambda(lambda x, scale: x * scale, arguments={"scale": 3.0})(y)
    y = layers.Activation(lambda x: ops.tanh(x) + 1)(y)
    model = randomized(keryx.Model(x, y))
    count = len(model.get_layer("gated").inner.nodes), layers.Dense(1).name
    same(model, sequences(2), sequences(3, 4))
    made(model)
    assert len(model.get_layer("gated").inner.nodes) == count[0]  # nothing was written down for good,
    base, number = count[1].rsplit("_", 1)
    assert layers.Dense(1).name == f"{base}_{int(number) + 1}"  # and no name was used up


def test_a_model_without_a_graph(tmp_path):
    model = Whole()
    x = np.ones((2, 3), "float32")
    wanted = model(x)
    with pytest.raises(ExportError, match=r"has no graph, so it does not know its inputs: give input_signature="):
        model.export(tmp_path / "m.onnx", format="onnx")
    model.export(tmp_path / "m.onnx", format="onnx", input_signature=[keryx.Input((3,), name="x")], verbose=False)
    got = there(runtime.InferenceSession(tmp_path / "m.onnx"), {"x": x})
    np.testing.assert_allclose(got[0], wanted, 1e-5)


# -- what is refused, and what is written ---------------------------------------------------------------------------


class OnJax(layers.Layer):
    def call(self, inputs):
        return jax.numpy.exp(inputs)


def test_all_that_is_in_the_way_is_told_at_once_and_nothing_is_written(tmp_path):
    x = keryx.Input((4, 4, 3), name="x")
    inner = keryx.Model(x, layers.UpSampling2D(interpolation="lanczos5", name="up")(x), name="inner")
    y = layers.Flatten()(inner(x))
    y = ops.fft((OnJax(name="own")(y), y))[0]
    y = layers.Dropout(0.5, name="drop")(y, training=True)
    model = keryx.Model(x, y)
    with pytest.raises(ExportError) as refused:
        model.export(tmp_path / "m.onnx", format="onnx")
    text = str(refused.value)
    assert "inner/up (UpSampling2D): ONNX's Resize does not interpolate by lanczos5. Use 'nearest'" in text
    assert re.search(r"own \(OnJax\): call cannot be taken apart into ops and layers: .*keryx\.ops", text)
    assert "In the graph: the op 'fft' has no counterpart in ONNX. Export to format='stablehlo'" in text
    assert "drop (Dropout): the layer is called with training=True" in text
    assert not list(tmp_path.iterdir())


def test_states_that_are_kept_are_refused():
    x = keryx.Input(batch_shape=(2, 4, 3))
    with pytest.raises(ExportError, match=r"lstm\w* \(LSTM\): LSTM 'lstm\w*' keeps its states.* Set stateful=False"):
        made(keryx.Model(x, layers.LSTM(2, stateful=True)(x)))


def test_the_file_and_what_is_said_of_it(tmp_path, capsys):
    x = keryx.Input((None, 3), name="x")
    model = keryx.Model(x, [layers.Dense(2, name="dense")(x), layers.LSTM(2, name="last")(x)], name="model")
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", opset_version=18)
    assert capsys.readouterr().out == (
        f"{path} holds model(x (batch, x_1, 3)) -> dense (batch, x_1, 2), last (batch, 2).\n"
    )
    proto = onnx.load(path)
    assert {"dense/kernel", "dense/bias"} <= {constant.name for constant in proto.graph.initializer}
    assert [o.name for o in proto.graph.output] == ["dense", "last"]
    model.export(path, "onnx", False, [keryx.Input(batch_shape=(1, 8, 3))])
    assert capsys.readouterr().out == ""
    assert [d.dim_value for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim] == [1, 8, 3]
    with pytest.raises(ExportError, match=r"is of opset 18; got opset_version=12"):
        model.export(path, "onnx", opset_version=12)
    with pytest.raises(ArgumentError, match=r"has no argument 'opset'; it has 'opset_version'"):
        model.export(path, "onnx", opset=12)
    with pytest.raises(ArgumentError, match=r"for each of the 1 inputs of .*got \[\]"):
        model.export(path, "onnx", input_signature=[])
    with pytest.raises(FileError, match="there is no folder"):
        model.export(tmp_path / "none" / "model.onnx", "onnx")


def test_neighbouring_transposes_cancel():
    x = keryx.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = layers.MaxPooling2D()(layers.BatchNormalization()(layers.Conv2D(4, 3)(y)))
    proto = made(keryx.Model(x, layers.GlobalAveragePooling2D()(y)))
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Transpose") == 2
    assert kinds[:4] == ["Transpose", "Conv", "Relu", "Conv"]


def test_half_precision_is_written_as_float32():
    x = keryx.Input((3,), name="x")
    model = keryx.Model(x, layers.Dense(2, dtype="mixed_bfloat16")(x))
    got = there(session(model), {"x": np.ones((2, 3), "float32")})[0]
    assert got.dtype == "float32"
    np.testing.assert_allclose(got, np.ones((2, 3)) @ model.get_weights()[0], 1e-6)


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    x = keryx.Input((3,))
    with pytest.raises(ExportError, match=r"pip install 'keryx\[onnx\]'"):
        keryx.Model(x, layers.Dense(2)(x)).export(tmp_path / "m.onnx", "onnx")


def test_too_many_weights(monkeypatch):
    monkeypatch.setattr("keryx.export.onnx.write._MOST_BYTES", 10)
    x = keryx.Input((3,))
    with pytest.raises(ExportError, match=r"has 32 bytes of weights; .*format='stablehlo'"):
        made(keryx.Model(x, layers.Dense(2)(x)))
