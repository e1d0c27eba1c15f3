"""Models written by each library and read by the other: layers, ops with arguments, nested models."""

import json

import jax
import keras
import numpy as np
import pytest

import keryx
from keryx.errors import ConfigError
from keryx.ops import names
from tests.ops_table import CALLS
from tests.specs import SPECS
from tests.twin_models import trees_close, twins

WHOLE = [spec for spec in SPECS if spec.config]


def model_of(K, spec):
    shapes = spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]
    inputs = [K.Input(shape[1:], dtype=spec.input_dtype, name=f"x{i}") for i, shape in enumerate(shapes)]
    fixed = {name: value for name, value in spec.call.items() if not isinstance(value, np.ndarray)}
    layer = getattr(K.layers, spec.layer)(**spec.init, name="it")
    arguments = inputs if spec.separate else [inputs if isinstance(spec.inputs, list) else inputs[0]]
    return K.Model(inputs, layer(*arguments, **fixed), name="m")


def told(model):
    """What a config says of each layer; some of Keras's keep the key of a regularizer that is not there."""
    layers = json.loads(json.dumps(model.get_config()))["layers"]
    for entry in layers:
        if entry["config"].get("activity_regularizer", 0) is None:
            del entry["config"]["activity_regularizer"]
    return [(entry["class_name"], entry["config"]) for entry in layers]


@pytest.mark.parametrize("spec", WHOLE, ids=str)
def test_every_layer_both_ways(spec):
    theirs, ours = (model_of(K, spec) for K in (keras, keryx))
    again = keryx.models.model_from_json(theirs.to_json())
    for read in (ours, again):
        assert told(keras.models.model_from_json(read.to_json())) == told(theirs)
    assert told(keryx.models.model_from_json(ours.to_json())) == told(ours)
    assert [s.shape for s in again.outputs] == [s.shape for s in ours.outputs]


# -- ops -----------------------------------------------------------------------------------------------------------

NOT_IN_A_GRAPH = {"nonzero"}  # its shape depends on the values
KERAS_CANNOT = {  # Keras fails on its own model, or on its own JSON, where a list stands for the tuple it was given
    "adaptive_average_pool", "adaptive_max_pool", "average_pool", "bincount", "conv_transpose", "histogram", "max_pool",
    "norm", "quantile", "rearrange", "rot90",
}  # fmt: skip


def op_model(K, name, args, options):
    K.utils.clear_session(free_memory=False)
    inputs, values = [], []

    def symbol(value):
        if isinstance(value, np.ndarray):
            values.append(value)
            inputs.append(K.Input(batch_shape=value.shape, dtype=value.dtype.name, name=f"input_{len(inputs)}"))
            return inputs[-1]
        if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
            return type(value)(symbol(v) for v in value)
        return value

    args = [symbol(value) for value in args]
    return (K.Model(inputs, getattr(K.ops, name)(*args, **options)), values) if inputs else (None, values)


OP_CALLS = [
    (name, args, options)
    for name, args, options in CALLS
    if name not in NOT_IN_A_GRAPH and any(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(args))
]


def close(got, want):
    got, want = jax.tree.leaves(got), jax.tree.leaves(want)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), 1e-4, 1e-4)


@pytest.mark.parametrize(
    "call", OP_CALLS, ids=lambda call: f"{call[0]}({','.join(map(str, call[2]))})".replace(" ", "")
)
@pytest.mark.filterwarnings("ignore")  # Keras's
def test_every_op_both_ways(call):
    ours, values = op_model(keryx, *call)
    wanted = ours(values)
    close(keryx.models.model_from_json(ours.to_json())(values), wanted)
    if call[0] in KERAS_CANNOT or (call[0] == "conv" and "data_format" not in call[2] and values[0].shape[-1] == 4):
        written, read = None, None
    else:
        theirs, _ = op_model(keras, *call)
        written, read = theirs.to_json(), keras.models.model_from_json(ours.to_json())
    if written is not None:
        close(keryx.models.model_from_json(written)(values), wanted)
        close(read(values), theirs(values))


def test_classes_and_options_are_those_of_keras():
    """For every class of op that Keras exports: the name, and which arguments stand in the config."""
    import inspect

    import keras.src.ops as keras_ops

    of_function = {"Function", "Operation"}
    checked = 0
    for name, cls in vars(keras_ops).items():
        if not (isinstance(cls, type) and issubclass(cls, keras.Operation)) or name in of_function:
            continue
        op_name = names._names_of_classes().get(name)
        if op_name is None or op_name == "cond":
            continue
        made = set(inspect.signature(cls.__init__).parameters) - {"self", "name", "kwargs"}
        called = list(inspect.signature(cls.call).parameters)[1:]
        own = [p for p in inspect.signature(names.by_name(op_name)).parameters if p != "kwargs"]
        assert [p for p in own if names._is_tensor(op_name, p)] == [p for p in called if p != "kwargs"], name
        assert {p for p in own if not names._is_tensor(op_name, p)} == made - {"rms_scaling"}, name
        checked += 1
    assert checked > 230


def test_numpy_functions_on_symbols_are_written_as_the_op_they_are():
    x = keryx.Input((4, 3))
    y = np.concatenate([np.clip(x, -1.0, 1.0), np.exp(x)], axis=1)
    model = keryx.Model(x, np.sum(y, axis=1, keepdims=True) + np.expand_dims(np.mean(x, 1), 1))
    data = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    trees_close(keras.models.model_from_json(model.to_json())(data), model(data))
    std = keryx.Model(x, np.std(x, axis=1, ddof=1))  # no op has ddof
    trees_close(keryx.models.model_from_json(std.to_json())(data), std(data))


def test_options_that_an_op_does_not_have():
    x = keras.Input((4,))
    layer_norm = keras.src.ops.LayerNorm(axis=-1, epsilon=1e-3, rms_scaling=True)
    text = keras.Model(x, layer_norm(x, np.ones(4, "float32"), np.zeros(4, "float32"))).to_json()
    with pytest.raises(ConfigError, match="rms_scaling"):
        keryx.models.model_from_json(text)
    assert keryx.models.model_from_json(text.replace('"rms_scaling": true', '"rms_scaling": false'))


# -- models --------------------------------------------------------------------------------------------------------


def nested_output(K):
    x = K.Input((4,), name="x")
    i = K.Input((4,), name="i")
    inner = K.Model(i, [K.layers.Dense(3)(i), K.ops.sum(i, axis=1, keepdims=True)], name="inner")
    first, second = inner(x), inner(2.0 * x)
    return K.Model(x, [first[0], second[1], K.layers.Dense(2)(second[0])], name="outer")


def nested_thrice(K):
    x = K.Input((4,), name="x")
    inner = K.Sequential([K.Input((4,)), K.layers.Dense(4, "relu")], name="stack")
    for depth in range(3):
        i = K.Input((4,), name=f"i{depth}")
        inner = K.Model(i, inner(i), name=f"level{depth}")
    return K.Model(x, inner(x), name="top")


def wrapped(K):
    x = K.Input((5, 4), name="x")
    i = K.Input((4,))
    frame = K.Model(i, K.layers.Dense(3)(i), name="frame")
    y = K.layers.Bidirectional(K.layers.LSTM(2, return_sequences=True, use_cudnn=False), merge_mode="sum")(x)
    return K.Model(x, [K.layers.TimeDistributed(frame)(x), y, K.layers.SpatialDropout1D(0.5)(y)], name="w")


def dicts(K):
    x = {"a": K.Input((4,), name="a"), "b": K.Input((4,), name="b")}
    return K.Model(x, {"sum": x["a"] + x["b"], "rows": x["a"][:, 1:3]}, name="d")


MODELS = {f.__name__: f for f in (nested_output, nested_thrice, wrapped, dicts)}
INPUT = np.random.default_rng(1).normal(size=(2, 4)).astype("float32")
INPUTS = {"wrapped": np.repeat(INPUT[:, None], 5, 1), "dicts": {"a": INPUT, "b": 2 * INPUT}}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's
@pytest.mark.parametrize("name", MODELS)
def test_whole_models_both_ways(name):
    theirs, ours = twins(MODELS[name])
    data = INPUTS.get(name, INPUT)
    wanted = theirs.predict(data, verbose=0)
    assert {key: json.loads(ours.to_json())[key] for key in ("module", "class_name", "registered_name")} == {
        key: json.loads(theirs.to_json())[key] for key in ("module", "class_name", "registered_name")
    }
    for read in (
        keras.models.model_from_json(ours.to_json()),
        keras.Model.from_config(ours.get_config()),
        keryx.models.model_from_json(theirs.to_json()),
        keryx.Model.from_config(theirs.get_config()),
        keryx.models.model_from_json(ours.to_json()),
    ):
        read.set_weights(theirs.get_weights())
        trees_close(read.predict(data, verbose=0), wanted)
        assert read.name == theirs.name


def test_classes_of_the_users_own_both_ways():
    def made(K):
        class Twice(K.layers.Layer):
            def __init__(self, factor=2.0, **kwargs):
                super().__init__(**kwargs)
                self.factor = factor

            def call(self, x):
                return self.factor * x

            def get_config(self):
                return super().get_config() | {"factor": self.factor}

        return Twice

    for K, other in ((keras, keryx), (keryx, keras)):
        x = K.Input((3,))
        text = K.Model(x, made(K)(3.0)(x)).to_json()
        again = other.models.model_from_json(text, custom_objects={"Twice": made(other)})
        np.testing.assert_allclose(np.asarray(again(np.ones((1, 3), "float32"))), 3.0)


def test_a_shared_object_is_made_once():
    layer = keras.layers.Dense(2, name="one")
    with keras.src.saving.serialization_lib.ObjectSharingScope():
        written = keras.saving.serialize_keras_object([layer, layer])
    assert "shared_object_id" in written[0]
    first, second = keryx.saving.deserialize_keras_object(json.loads(json.dumps(written)))
    assert first is second


@pytest.mark.parametrize("kind", ["functional", "sequential", "subclass"])
def test_a_clone_is_compiled_as_its_model_is(kind):
    class Mine(keryx.Model):
        def __init__(self, units=1, **kwargs):
            super().__init__(**kwargs)
            self.units, self.dense = units, keryx.layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    x = keryx.Input((4,))
    models = {
        "functional": lambda: keryx.Model(x, keryx.layers.Dense(1)(x)),
        "sequential": lambda: keryx.Sequential([keryx.Input((4,)), keryx.layers.Dense(1)]),
        "subclass": Mine,
    }
    model = models[kind]()
    assert not keryx.models.clone_model(model).compiled
    rate = keryx.optimizers.schedules.ExponentialDecay(0.25, 10, 0.5)
    model.compile(keryx.optimizers.SGD(rate, momentum=0.5), lambda t, p: (t - p) ** 2, metrics=["mae"])
    clone = keryx.models.clone_model(model)
    assert clone.compiled
    assert clone.optimizer is not model.optimizer
    assert clone.optimizer.get_config() == model.optimizer.get_config()
    assert clone.loss is model.loss
    logs = clone.fit(INPUT, INPUT[:, :1], verbose=0).history
    assert set(logs) == {"loss", "mae"}


def test_two_layers_of_one_name_have_no_config():
    x = keryx.Input((4,))
    model = keryx.Model(x, keryx.layers.Dense(1, name="d")(keryx.layers.Dense(1, name="d")(x)))
    with pytest.raises(ConfigError, match="'d'"):
        model.to_json()
    named = keryx.Input((4,), name="tanh")
    again = keryx.models.model_from_json(keryx.Model(named, keryx.ops.tanh(named)).to_json())
    np.testing.assert_allclose(again(INPUT), np.tanh(INPUT), 1e-5, 1e-5)
