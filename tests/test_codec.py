"""The one way from plain data to objects: what it refuses, and that it refuses whatever else is thrown at it."""

import copy
import json
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import keryx
from keryx import layers as L
from keryx import ops
from keryx.core import codec, plain, registered
from keryx.errors import ArgumentError, ConfigError

called = []


@keryx.utils.register_keras_serializable("codec_test")
def dangerous(*args, **kwargs):
    called.append((args, kwargs))


def config(layer: str, **arguments):
    return {"module": "keras.layers", "class_name": layer, "config": arguments, "registered_name": None}


# -- hostile data --------------------------------------------------------------------------------------------------

CALLS_A_FUNCTION = {"class_name": "codec_test>dangerous", "config": {"path": "/etc"}}
HOSTILE = {
    "module": {"module": "os", "class_name": "system", "config": {"command": "true"}},
    "builtin": {"module": "builtins", "class_name": "eval", "config": {"source": "1"}},
    "function of a module": {"module": "os", "class_name": "function", "config": "system"},
    "state setter": {"module": "keras.config", "class_name": "set_epsilon", "config": {"value": 1}},
    "switch": {"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization"},
    "lambda": config("Lambda", function={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}),
    "lambda of Keras 2": config("Lambda", function=["4wEAAAA=", None, None], function_type="lambda"),
    "a function called": CALLS_A_FUNCTION,
    "by its registered name": CALLS_A_FUNCTION | {"class_name": "Dense", "registered_name": "codec_test>dangerous"},
    "a function called in a layer": config("Dense", units=1, kernel_initializer=CALLS_A_FUNCTION),
    "an activation called": {"module": "keras.activations", "class_name": "relu", "config": {"x": 1}},
    "a class as function": {"module": "keras.layers", "class_name": "function", "config": "Dense"},
    "an attribute": {"module": "keras.layers", "class_name": "__init__", "config": {}},
    "dunder": {"module": "keras.layers", "class_name": "Dense.__class__", "config": {}},
    "wrapper": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "x"}},
    "saved model": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
    "class of a number": {"class_name": 3, "config": {}},
    "class of a list": {"class_name": ["Dense"], "config": {}},
    "config of text": {"module": "keras.layers", "class_name": "Dense", "config": "units"},
    "parent as name": config("Dense", units=1, name=".."),
    "slash in a name": config("Dense", units=1, name="a/b"),
    "NUL in a name": config("Dense", units=1, name="a\0b"),
    "number as name": config("Dense", units=1, name=3),
    "huge number": config("Dense", units=10**30),
    "unknown argument": config("Dense", units=1, path="/etc/passwd"),
    "objects": {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "object"}},
    "text as dtype": {"class_name": "__numpy__", "config": {"value": [1], "dtype": "S9"}},
    "ragged": {"class_name": "__numpy__", "config": {"value": [[1], [2, 3]], "dtype": "float32"}},
    "typespec": {"class_name": "__typespec__", "config": [], "spec_name": "x", "module": "os"},
    "policy": config("Dense", units=1, dtype={"module": "keras", "class_name": "DTypePolicy", "config": {"name": "x"}}),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_data_is_refused(what):
    before = keryx.config.epsilon()
    for read in (codec.deserialize, lambda c: keryx.models.model_from_json(json.dumps(c))):
        with pytest.raises(ConfigError):
            read(copy.deepcopy(HOSTILE[what]))
    assert not called
    assert keryx.config.epsilon() == before


FAMILIES = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_calls_a_function_with_what_a_config_says(family):
    for read in (getattr(keryx, family).deserialize, getattr(keryx, family).get):
        for bad in (CALLS_A_FUNCTION, {"class_name": "os.system", "config": {}}, {"class_name": "Dense"}, {}):
            with pytest.raises(ConfigError):
                read(bad)
    assert not called


def test_a_registered_function_is_handed_on_as_it_is():
    written = codec.serialize(dangerous)
    assert written["config"] == "codec_test>dangerous"
    assert codec.deserialize(json.loads(json.dumps(written))) is dangerous
    assert keryx.activations.deserialize(written) is dangerous
    assert not called


def gelu(x):
    return x


def test_a_function_goes_by_its_name_and_whoever_reads_the_config_hands_it_over():
    def slope(x):
        return 3 * x

    written = codec.serialize(slope)
    assert written == {"module": "builtins", "class_name": "function", "config": "slope", "registered_name": "slope"}
    assert codec.deserialize(written, custom_objects={"slope": slope}) is slope
    with pytest.raises(ConfigError, match=r"names 'slope'.*custom_objects="):
        codec.deserialize(written)
    with pytest.raises(ConfigError, match=r"<lambda>' cannot be written down.*name with\s+def"):
        codec.serialize(lambda x: x)
    with pytest.raises(ConfigError, match=r"'gelu' cannot be written down by its name.*register yours"):
        codec.serialize(gelu)  # read, it would be Keryx's


def test_an_op_that_is_an_activation_goes_by_its_name():
    for op in (ops.relu, ops.tanh, ops.softmax, ops.leaky_relu, ops.nn.silu):
        assert codec.serialize(op) == op.__name__
        x = np.linspace(-3, 3, 12, dtype="float32").reshape(3, 4)
        np.testing.assert_array_equal(op(x), keryx.activations.get(op.__name__)(x))
    with pytest.raises(ConfigError, match="'gelu' cannot be written down"):
        codec.serialize(ops.gelu)  # the activation has another default


def test_a_class_of_the_user_s_is_never_taken_for_one_of_the_library_s():
    class Dense(L.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

    Dense.__module__ = "mine.layers"
    written = codec.serialize(Dense(3))
    with pytest.raises(ConfigError, match=r"names 'Dense'.*custom_objects="):
        codec.deserialize(written)
    assert type(codec.deserialize(written, custom_objects={"Dense": Dense})) is Dense


def test_names_of_what_wants_arguments_and_of_another_family():
    with pytest.raises(ConfigError, match=r"The metric MeanIoU wants 'num_classes': make it, MeanIoU\(num_classes="):
        keryx.metrics.get("MeanIoU")
    with pytest.raises(ConfigError, match=r"no optimizer 'categorical_crossentropy'\..* is the name of a"):
        keryx.optimizers.get("categorical_crossentropy")


def test_the_form_that_people_write_is_suggested():
    with pytest.raises(ConfigError, match="Did you mean 'rmsprop'"):
        keryx.optimizers.get("rms_prop")


def test_a_class_that_leaves_the_arguments_of_the_base_out_is_told_how_to_take_them():
    class Narrow(L.Layer):
        def __init__(self, units):
            super().__init__()
            self.units = units

    written = codec.serialize(Narrow(3))
    with pytest.raises(ConfigError, match=r"argument 'name', which a layer's config holds: let __init__ take \*\*kw"):
        codec.deserialize(written, custom_objects={"Narrow": Narrow})
    with pytest.raises(ConfigError, match=r"argument 'foo'\n"):
        keryx.regularizers.deserialize({"class_name": "L1", "config": {"foo": 2}})


def test_json_is_checked_as_it_is_read():
    for text, why in [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": {"b": [{"c": 1, "c": 1}]}}', "twice"),
        ("[" * 100_000, "deep"),
        ("[" * 1_500 + "]" * 1_500, "deep"),
        ('{"a": 1' + "0" * 5_000 + "}", "number"),
        ('{"a": 100000000000000000000}', "number"),
        ("{", "JSON"),
        ("", "JSON"),
        (None, "text"),
        (5, "text"),
        (b"\xff\xfe", "JSON"),
        ("3", "no"),
        ("null", "not of a model"),
        ("[]", "not of a model"),
    ]:
        with pytest.raises(ConfigError, match=why):
            keryx.models.model_from_json(text)


def test_size_and_depth_are_bounded(monkeypatch):
    nest = []
    for _ in range(2_000):
        nest = [nest]
    with pytest.raises(ConfigError, match="deep"):
        codec.deserialize(nest)
    monkeypatch.setattr(plain, "MAX_VALUES", 100)
    with pytest.raises(ConfigError, match="at most 100 values"):
        codec.deserialize([[0] * 60, [0] * 60])
    with pytest.raises(ConfigError, match="strings"):
        codec.deserialize({1: 2})
    monkeypatch.setattr(plain, "MAX_TEXT", 10)
    with pytest.raises(ConfigError, match="characters"):
        keryx.models.model_from_json(" " * 20)


def test_a_weight_that_is_larger_than_memory_is_refused_before_it_is_allocated():
    text = keryx.Sequential([keryx.Input((1000,)), L.Dense(7)]).to_json()
    with pytest.raises(ConfigError, match="bytes"):
        keryx.models.model_from_json(text.replace('"units": 7', '"units": 8000000000'))
    with plain.budget(4 * 7 * 1001):
        assert keryx.models.model_from_json(text).count_params() == 7007
    with plain.budget(4 * 7 * 1001 - 1), pytest.raises(ConfigError, match=r"weight of shape \(7,\)"):
        keryx.models.model_from_json(text)


def test_an_op_that_makes_too_many_tensors_is_refused():
    x = keryx.Input((20,))
    text = keryx.Model(x, ops.split(x, 20, axis=1)[0]).to_json()
    text = text.replace("20]", "20000000]").replace('"indices_or_sections": 20', '"indices_or_sections": 20000000')
    with pytest.raises(ConfigError, match="at most"):
        keryx.models.model_from_json(text)


def test_an_error_says_whose_config_it_is_and_keeps_its_cause():
    with pytest.raises(ConfigError, match=r"Dense.*units.*-1") as raised:
        codec.deserialize(config("Dense", units=-1))
    assert raised.value.__notes__ == ["In the config of Dense."]
    with pytest.raises(ConfigError, match=r"Dense.*no argument 'rate'") as raised:
        keryx.layers.Dense.from_config({"units": 1, "rate": 0.5})
    assert isinstance(raised.value.__cause__, ArgumentError)
    with pytest.raises(ConfigError, match=r"'Denze'.*Did you mean 'Dense'"):
        codec.deserialize(config("Denze", units=1))
    with pytest.raises(ConfigError, match=r"lambda.*register"):
        keryx.Sequential([keryx.Input((2,)), L.Lambda(lambda x: x)]).to_json()
    with pytest.raises(ConfigError, match=r"never run.*register_keras_serializable"):
        codec.deserialize(HOSTILE["lambda"])


# -- scopes --------------------------------------------------------------------------------------------------------


def test_a_scope_belongs_to_its_thread():
    inside, outside = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait(10)
        seen.append(registered.find("Mine"))
        with registered.custom_object_scope({"Mine": int}):
            outside.set()
            seen.append(registered.find("Mine"))

    thread = threading.Thread(target=other)
    thread.start()
    with registered.custom_object_scope({"Mine": str}):
        inside.set()
        outside.wait(10)
        assert registered.find("Mine") is str
        with registered.custom_object_scope({"Mine": bytes}):
            assert registered.find("Mine") is bytes
        assert registered.find("Mine") is str
    thread.join()
    assert seen == [None, int]
    assert registered.find("Mine") is None


class Scale(L.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


def test_custom_objects_go_everywhere():
    x = keryx.Input((2,))
    models = [keryx.Model(x, Scale(3.0)(x)), keryx.Sequential([keryx.Input((2,)), Scale(3.0)])]
    mine = {"Scale": Scale}
    for model in models:
        data = codec.serialize(model)
        for module in (keryx.saving, keryx.utils):
            again = module.deserialize_keras_object(data, custom_objects=mine)
            assert again.layers[-1].factor == 3.0
            again = module.deserialize_keras_object(data, mine, safe_mode=False)
        assert type(model).from_config(model.get_config(), custom_objects=mine).layers[-1].factor == 3.0
        assert keryx.models.model_from_json(model.to_json(), mine).layers[-1].factor == 3.0
        assert keryx.layers.deserialize(data, custom_objects=mine).layers[-1].factor == 3.0
        with pytest.raises(ConfigError, match="custom_objects="):
            keryx.models.model_from_json(model.to_json())
        with keryx.utils.custom_object_scope(mine):
            keryx.models.model_from_json(model.to_json())


# -- get_config of the user's own classes ----------------------------------------------------------------------------


def test_the_base_config_of_a_class_with_a_get_config():
    class Hidden(L.Layer):
        def __init__(self, units, activation=None, **kwargs):
            super().__init__(**kwargs)
            self._units, self._activation = units, keryx.activations.get(activation)

        def get_config(self):
            base = super().get_config()
            assert set(base) == {"name", "trainable", "dtype"}
            return {**base, "units": self._units, "activation": keryx.activations.serialize(self._activation)}

    class Wider(Hidden):
        def __init__(self, width=2, **kwargs):
            super().__init__(**kwargs)
            self.width = width

        def get_config(self):
            return super().get_config() | {"width": self.width}

    class Scaled(L.Dense):
        def __init__(self, units, scale, **kwargs):
            super().__init__(units, **kwargs)
            self._scale = scale

        def get_config(self):
            base = super().get_config()
            assert "units" in base
            assert "scale" not in base
            base.update({"scale": self._scale})
            return base

    for layer in (Hidden(3, "relu", name="h"), Wider(units=3, width=5), Scaled(3, 0.5, activation="tanh")):
        written = json.loads(json.dumps(layer.get_config()))
        assert type(layer).from_config(written).get_config() == layer.get_config()


def test_what_a_class_does_not_store_is_what_it_was_given():
    class Unstored(L.Layer):
        def __init__(self, units, scale=2.0, **kwargs):
            super().__init__(**kwargs)
            self.dense = L.Dense(units)

    written = Unstored(3, name="u").get_config()
    assert (written["units"], written["scale"]) == (3, 2.0)
    assert Unstored.from_config(written).dense.units == 3

    class Given(L.Layer):
        def __init__(self, function, **kwargs):
            super().__init__(**kwargs)

    with pytest.raises(keryx.errors.StateError, match="'function'"):
        Given(len).get_config()


def test_models_that_close_their_own_graph():
    class Closed(keryx.Model):
        def __init__(self, units=3, **kwargs):
            x = keryx.Input((4,))
            super().__init__(inputs=x, outputs=L.Dense(units)(x), **kwargs)
            self.units = units

    class Handed(keryx.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.extra = 1

    data = np.ones((2, 4), "float32")
    x = keryx.Input((4,))
    for model in (Closed(5, name="c"), Handed(x, L.Dense(5)(x), name="c")):
        again = keryx.models.model_from_json(model.to_json(), {type(model).__name__: type(model)})
        assert type(again) is type(model)
        assert again.name == "c"
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again.predict(data, verbose=0), model.predict(data, verbose=0))


# -- mutations of real configs ---------------------------------------------------------------------------------------


def _models():
    x = keryx.Input((6,), name="x")
    y = keryx.Input((6, 3), name="y")
    inner = keryx.Model(x, L.Dense(3, activation="relu", kernel_regularizer="l2")(x), name="inner")
    a = ops.sum(L.Bidirectional(L.LSTM(2, return_sequences=True))(L.Masking()(y)), axis=1, keepdims=True)
    largest = ops.cast(ops.argmax(x, axis=1), "float32")[:, None]
    b = ops.concatenate([inner(x), ops.reshape(x, (-1, 6))[:, 1:3], largest], axis=1)
    parts = ops.split(ops.einsum("bi,bj->bij", x, x), 2, axis=1)
    yield keryx.Model({"x": x, "y": y}, {"a": a, "b": b, "c": parts[1], "d": inner(2.0 * x + np.ones(6, "float32"))})
    images = keryx.Input((8, 8, 2))
    z = L.MaxPooling2D()(L.BatchNormalization()(L.Conv2D(2, 3, padding="same", kernel_constraint="max_norm")(images)))
    z = L.Dropout(0.5)(L.Flatten()(L.SpatialDropout2D(0.1)(z)))
    yield keryx.Model(images, L.Dense(2, "softmax", kernel_initializer="orthogonal")(z))
    text = keryx.Input((5,), dtype="int32")
    e = L.Embedding(10, 4, mask_zero=True)(text)
    yield keryx.Model(text, [L.GRU(3)(e), L.MultiHeadAttention(2, 3)(e, e), L.GlobalAveragePooling1D()(e)])
    yield keryx.Sequential([keryx.Input((4, 3)), L.TimeDistributed(L.Dense(2)), L.LayerNormalization(), L.Flatten()])


REAL = [json.loads(model.to_json()) for model in _models()]
_WORDS = [
    "", ".", "..", "a/b", "a\0", "x" * 5_000, "function", "__lambda__", "__numpy__", "__tuple__", "__slice__", "Dense",
    "Functional", "Sequential", "Lambda", "InputLayer", "Sum", "Einsum", "GetItem", "Split", "Unstack", "OneHot",
    "codec_test>dangerous", "os.system", "float16", "int8", "complex64", "channels_first", "valid", "relu",
    "keras.src.ops.numpy",
    "keras.layers", "builtins", "x", "inner", "Adam", "mse", "Mean", "L2", "Zeros", "GlorotUniform", "bi,bj->b", "same",
]  # fmt: skip
_VALUES = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from([None, True, False, 0, 1, -1, 2, 3, 7, 64, 10**6, 2**31, 2**63, -(2**63), 10**25]),
    st.sampled_from([0.0, -1.0, 0.5, 1e300, float("inf"), float("nan"), 1e-40]),
    st.sampled_from([[], {}, [[]], [0, 1], [None], [1, 2, 3], {"class_name": "Dense", "config": {}}]),
    st.sampled_from(list(HOSTILE.values())),
)


def _places(value, found):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        found.append((value, key))
        if isinstance(inner, (dict, list)):
            _places(inner, found)
    return found


@st.composite
def mutated(draw):
    data = copy.deepcopy(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 4))):
        places = _places(data, [])
        if not places:
            break
        parent, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.sampled_from(["put", "put", "put", "drop", "move", "wrap", "twice"]))
        if kind == "put":
            parent[key] = copy.deepcopy(draw(_VALUES))
        elif kind == "drop":
            del parent[key]
        elif kind == "move":
            other, there = places[draw(st.integers(0, len(places) - 1))]
            parent[key] = copy.deepcopy(other[there])
        elif kind == "wrap":
            parent[key] = [parent[key]]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
    return data


@settings(max_examples=150, deadline=30_000, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=mutated())
def test_a_mutated_config_makes_a_model_or_a_config_error(data):
    text = json.dumps(data)
    with plain.budget(2**20):
        try:
            model = keryx.models.model_from_json(text)
        except ConfigError:
            model = None
    assert not called
    assert model is None or isinstance(model, keryx.Model)
