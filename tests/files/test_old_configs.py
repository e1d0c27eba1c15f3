"""Configs of each age in today's words, functions of TensorFlow as ops, and what is refused, by name."""

import inspect

import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import layers
from keryx.core.codec import deserialize
from keryx.errors import ConfigError
from keryx.ops import names as ops
from keryx.saving.old import tf_functions, tf_nodes, to_today, words
from keryx.saving.old.translate import class_named

OF_KERAS_1 = [
    ("Dense", {"output_dim": 3, "init": "glorot_normal",
               "W_regularizer": {"name": "L1L2Regularizer", "l1": 0.0, "l2": 0.5}},
     layers.Dense(3, kernel_initializer="glorot_normal", kernel_regularizer=keryx.regularizers.L1L2(0.0, 0.5))),
    ("Dense", {"output_dim": 3, "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0}, "bias": False, "input_dim": 7},
     layers.Dense(3, kernel_constraint=keryx.constraints.MaxNorm(2), use_bias=False)),
    ("TimeDistributedDense", {"output_dim": 3}, layers.Dense(3)),
    ("Embedding", {"input_dim": 9, "output_dim": 3, "init": "uniform", "input_length": 4, "dropout": 0.0},
     layers.Embedding(9, 3, "uniform")),
    ("Convolution2D", {"nb_filter": 4, "nb_row": 3, "nb_col": 5, "subsample": [2, 1], "border_mode": "same",
                       "dim_ordering": "th"},
     layers.Conv2D(4, (3, 5), (2, 1), "same", data_format="channels_first")),
    ("AtrousConvolution1D", {"nb_filter": 4, "filter_length": 3, "subsample_length": 1, "atrous_rate": 2,
                             "border_mode": "valid"},
     layers.Conv1D(4, 3, dilation_rate=2)),
    ("MaxPooling1D", {"pool_length": 3, "stride": 2, "border_mode": "valid"}, layers.MaxPooling1D(3, 2)),
    ("UpSampling1D", {"length": 3}, layers.UpSampling1D(3)),
    ("Dropout", {"p": 0.25}, layers.Dropout(0.25)),
    ("GaussianNoise", {"sigma": 0.5}, layers.GaussianNoise(0.5)),
    ("LeakyReLU", {"alpha": 0.1}, layers.LeakyReLU(0.1)),
    ("ThresholdedReLU", {"theta": 0.7}, layers.ReLU(threshold=0.7)),
    ("PReLU", {"init": "zero"}, layers.PReLU("zero")),
    ("LSTM", {"output_dim": 4, "init": "uniform", "inner_init": "normal", "inner_activation": "hard_sigmoid",
              "forget_bias_init": "one", "consume_less": "gpu", "dropout_W": 0.1, "dropout_U": 0.2, "unroll": False},
     layers.LSTM(4, recurrent_activation="old_hard_sigmoid", kernel_initializer="uniform",
                 recurrent_initializer="normal", dropout=0.1, recurrent_dropout=0.2)),
    ("GRU", {"output_dim": 4, "inner_activation": "sigmoid"}, layers.GRU(4, reset_after=False)),
    ("Merge", {"mode": "concat", "mode_type": "raw", "concat_axis": 1, "dot_axes": -1}, layers.Concatenate(1)),
    ("Merge", {"mode": "mul", "mode_type": "raw"}, layers.Multiply()),
    ("Merge", {"mode": "dot", "dot_axes": [1, 1]}, layers.Dot([1, 1])),
    ("RepeatVector", {"n": 3}, layers.RepeatVector(3)),
]  # fmt: skip

OF_KERAS_2 = [
    ("CuDNNGRU", {"units": 4}, layers.GRU(4, reset_after=True)),
    ("GRU", {"units": 4, "recurrent_activation": "hard_sigmoid", "implementation": 1},
     layers.GRU(4, recurrent_activation="old_hard_sigmoid", reset_after=False)),
    ("GRU", {"units": 4, "reset_after": True, "time_major": False}, layers.GRU(4)),
    ("BatchNormalizationV1", {"axis": [3], "momentum": 0.9, "renorm": False, "fused": True},
     layers.BatchNormalization(3, 0.9)),
    ("Dense", {"units": 2, "kernel_initializer": {"class_name": "VarianceScaling", "config":
               {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None, "dtype": "float32"}}},
     layers.Dense(2, kernel_initializer=keryx.initializers.VarianceScaling(1.0, "fan_avg", "uniform"))),
    ("Dense", {"units": 2, "dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}},
     layers.Dense(2, dtype="mixed_float16")),
    ("DepthwiseConv2D", {"kernel_size": [3, 3], "depth_multiplier": 2, "kernel_initializer": "zeros", "groups": 1},
     layers.DepthwiseConv2D((3, 3), depth_multiplier=2)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "name", "config", "wanted"),
    [("1.2.2", *row) for row in OF_KERAS_1] + [("2.3.1", *row) for row in OF_KERAS_2],
)
def test_a_layer_of_old_words_is_the_one_of_todays(version, name, config, wanted):
    today = to_today({"class_name": name, "config": config | {"name": wanted.name}}, version)
    made = deserialize(today, layers.registry)
    assert type(made) is type(wanted)
    assert made.get_config() == wanted.get_config()


def test_todays_configs_stay_as_they_are():
    config = {"class_name": "GRU", "config": {"units": 3, "recurrent_activation": "hard_sigmoid"}}
    assert to_today(config, "3.15.1") is config


def test_old_hard_sigmoid_is_the_line_of_a_fifth():
    x = jnp.array([-3.0, -1.0, 0.0, 2.0, 3.0])
    np.testing.assert_allclose(keryx.activations.get("old_hard_sigmoid")(x), [0, 0.3, 0.5, 0.9, 1], atol=1e-6)


@pytest.mark.parametrize("old", words.CLASSES)
def test_every_class_of_old_has_one_today(old):
    assert class_named(words.CLASSES[old]) is not None


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("Lambda", {"name": "twice", "function": ["4wEAAAA=", None, None], "function_type": "lambda"},
         "'twice' is a Lambda"),
        ("Lambda", {"name": "twice", "function": {"class_name": "__lambda__", "config": {}}}, "'twice' is a Lambda"),
        ("Merge", {"name": "m", "mode": "4wEAAAA=", "mode_type": "lambda"}, "'m' is a Merge .* Python code"),
        ("Merge", {"name": "m", "mode": "cos", "mode_type": "raw"}, "'m' is a Merge .* 'cos' has no class today"),
        ("BatchNormalization", {"name": "b", "mode": 2, "axis": -1}, "'b' is a BatchNormalization with mode=2"),
        ("BatchNormalization", {"name": "b", "virtual_batch_size": 4}, "'b' is a .* with virtual_batch_size=4"),
        ("Embedding", {"name": "e", "input_dim": 2, "output_dim": 3, "dropout": 0.5}, "'e' is a .* with dropout=0.5"),
        ("InputLayer", {"name": "i", "batch_input_shape": [None, 3], "sparse": True}, "'?i'?.*sparse"),
        ("Highway", {"name": "h", "init": "zero"}, "'Highway'.*not among the things"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_by_name(name, config, said):
    with pytest.raises(ConfigError, match=said):
        deserialize(to_today({"class_name": name, "config": config}, "1.2.2"), layers.registry)


def test_a_function_that_is_registered_is_what_a_lambda_computes():
    def tenfold(x):
        return 10 * x

    config = {"class_name": "Lambda", "config": {"name": "l", "function": "tenfold", "function_type": "function"}}
    made = deserialize(to_today(config, "2.3.1"), layers.registry, {"tenfold": tenfold})
    assert float(made(jnp.ones(1))[0]) == 10


def test_a_class_of_the_users_is_given_its_config_as_it_stands():
    class Scaled(layers.Layer):
        def __init__(self, nb_filter, **kwargs):
            super().__init__(**kwargs)
            self.nb_filter = nb_filter

    config = {"class_name": "Scaled", "config": {"nb_filter": 3, "name": "s"}}
    with keryx.saving.custom_object_scope({"Scaled": Scaled}):
        assert deserialize(to_today(config, "2.3.1"), layers.registry).nb_filter == 3


def graph(inbound, function="math.add", kind="TFOpLambda", **config):
    """A model of one function of TensorFlow's on the input."""
    entries = [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "x"}},
        {"class_name": kind, "name": "op", "inbound_nodes": [inbound],
         "config": {"name": "op", "function": function} | config},
    ]  # fmt: skip
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "m", "layers": entries} | ends}


def computed(*args, version="2.8.0", **kwargs):
    model = deserialize(to_today(graph(*args, **kwargs), version), layers.registry)
    return np.asarray(model(X))


X = np.float32([[1, -2, 3, 4], [0, 5, -6, 7]])


@pytest.mark.parametrize(
    ("function", "inbound", "wanted"),
    [
        ("math.add", ["x", 0, 0, {"y": [1.0, 2.0, 3.0, 4.0]}], X + np.float32([1, 2, 3, 4])),
        ("math.subtract", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["x", 0, 0], "name": None}], 1 - X),
        ("nn.leaky_relu", ["x", 0, 0, {"alpha": 0.5}], np.where(X > 0, X, X / 2)),
        ("math.reduce_sum", ["x", 0, 0, {"axis": [1], "keepdims": True}], X.sum(1, keepdims=True)),
        ("math.reduce_mean", ["x", 0, 0, {"axis": None}], X.mean()),
        ("concat", [["x", 0, 0, {"axis": 1}], ["x", 0, 0, {"axis": 1}]], np.concatenate([X, X], 1)),
        ("concat", [["x", 0, 0, {}], ["x", 0, 0, {}]], np.concatenate([X, X])),
        ("stack", [["x", 0, 0, {"axis": 1}]], X[:, None]),
        ("split", ["x", 0, 0, {"num_or_size_splits": [1, 3], "axis": 1}], X[:, :1]),
        ("pad", ["x", 0, 0, {"paddings": [[0, 0], [1, 2]], "mode": "CONSTANT"}], np.pad(X, [(0, 0), (1, 2)])),
        ("gather", ["x", 0, 0, {"indices": [2, 0], "axis": 1}], X[:, [2, 0]]),
        ("cast", ["x", 0, 0, {"dtype": "int32"}], X.astype(int)),
        ("tile", ["x", 0, 0, {"multiples": [1, 2]}], np.tile(X, (1, 2))),
        ("reverse", ["x", 0, 0, {"axis": [1]}], X[:, ::-1]),
        ("clip_by_value", ["x", 0, 0, {"clip_value_min": -1.0, "clip_value_max": 2.0}], X.clip(-1, 2)),
        ("math.l2_normalize", ["x", 0, 0, {"axis": 1}], X / np.sqrt((X**2).sum(1, keepdims=True))),
        ("math.floormod", ["x", 0, 0, {"y": 3.0}], X % 3),
        ("__operators__.pow", ["x", 0, 0, {"y": 2.0}], X**2),
        ("compat.v1.transpose", ["x", 0, 0, {"perm": [0, 1], "conjugate": False, "name": "transpose"}], X),
        ("__operators__.getitem", ["x", 0, 0, {"slice_spec": [{"class_name": "__ellipsis__"}, None, 1]}],
         X[..., None, 1]),
        ("math.argmax", ["x", 0, 0, {"axis": 1, "output_type": "int64"}], X.argmax(1)),
    ],
)  # fmt: skip
def test_a_function_of_tensorflow_computes_what_it_did(function, inbound, wanted):
    np.testing.assert_allclose(computed(inbound, function), wanted, atol=1e-6)


def node(op, **attributes):
    return {"kind": "TensorFlowOpLayer", "node_def": {"op": op, "name": "n", "attr": attributes}, "version": "2.2.0"}


@pytest.mark.parametrize(
    ("inbound", "more", "wanted"),
    [
        ([["x", 0, 0, {}]], node("Mul") | {"constants": {"1": 2.0}}, X * 2),
        ([["x", 0, 0, {}]], node("Sub") | {"constants": {"0": 1.0}}, 1 - X),
        ([["x", 0, 0, {}], ["x", 0, 0, {}]], node("ConcatV2") | {"constants": {"2": 1}}, np.concatenate([X, X], 1)),
        ([["x", 0, 0, {}]], node("Sum", keep_dims={"b": True}) | {"constants": {"1": [1]}}, X.sum(1, keepdims=True)),
        ([["x", 0, 0, {}]],
         node("StridedSlice", begin_mask={"i": "1"}, end_mask={"i": "1"}, shrink_axis_mask={"i": "2"})
         | {"constants": {"1": [0, 2], "2": [0, 3], "3": [1, 1]}}, X[:, 2]),
        ([["x", 0, 0, {}]], node("Cast", DstT={"type": "DT_INT32"}), X.astype(int)),
        ([["x", 0, 0, {}]], node("Pack", axis={"i": "1"}), X[:, None]),
    ],
)  # fmt: skip
def test_a_node_of_tensorflow_computes_what_it_did(inbound, more, wanted):
    np.testing.assert_allclose(computed(inbound, **more), wanted, atol=1e-6)


@pytest.mark.parametrize(("table", "rows"), [(tf_functions, tf_functions._FUNCTIONS), (tf_nodes, tf_nodes._NODES)])
def test_every_row_names_an_op_and_its_arguments(table, rows):
    for name, (op, arguments) in rows.items():
        known = inspect.signature(ops.by_name(op)).parameters
        wanted = arguments.values() if isinstance(arguments, dict) else arguments
        if op != "get_item":
            assert {word.lstrip("*") for word in wanted if word} <= known.keys(), name


@pytest.mark.parametrize(
    ("function", "inbound", "said"),
    [
        ("io.read_file", ["x", 0, 0, {}], "'op' of the model is TensorFlow's function tf.io.read_file"),
        ("reshap", ["x", 0, 0, {"shape": [4]}], "Did you mean 'reshape'"),
        ("where", ["x", 0, 0, {}], "where of a condition alone"),
        ("linalg.matmul", ["x", 0, 0, {"b": ["x", 0, 0], "transpose_b": True}], "transpose_b"),
        ("math.cumsum", ["x", 0, 0, {"exclusive": True}], "exclusive=True, which is not translated"),
        ("math.add", ["y", 0, 0, {}], "speaks of a layer 'y'; there is none"),
        ("__operators__.getitem", ["x", 0, 0, {}], "does not say what it takes"),
        ("__operators__.getitem", ["x", 0, 0, {"slice_spec": ["a"]}], "by 'a' is not translated"),
    ],
)
def test_a_function_that_is_not_translated_is_named(function, inbound, said):
    with pytest.raises(ConfigError, match=said):
        computed(inbound, function)


def test_a_node_that_is_not_translated_is_named():
    with pytest.raises(ConfigError, match="'op' of the model is TensorFlow's node 'ReadFile'"):
        computed([["x", 0, 0, {}]], **node("ReadFile"))
    with pytest.raises(ConfigError, match="node 'Mul'"):
        computed([["x", 0, 0, {}]], **node("Mul") | {"node_def": 'name: "n"\nop: "Mul"\n'})


# -- graphs --------------------------------------------------------------------------------------------------------


def test_a_nest_of_models_counts_its_calls_from_one():
    inner = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {
        "units": 2, "batch_input_shape": [None, 4], "name": "d"}}]}  # fmt: skip
    config = graph([["s", 1, 0], ["s", 2, 0]])
    config["config"]["layers"][1] = {"class_name": "Add", "name": "op", "inbound_nodes": [[["s", 1, 0], ["s", 2, 0]]],
                                     "config": {"name": "op"}}  # fmt: skip
    config["config"]["layers"].insert(1, inner | {"name": "s", "inbound_nodes": [[["x", 0, 0]], [["x", 0, 0]]]})
    config["config"]["layers"][1]["config"] = {"name": "s", "layers": inner["config"]}
    model = deserialize(to_today(config, "2.3.1"), layers.registry)
    np.testing.assert_allclose(model(X), 2 * model.get_layer("s")(X), rtol=1e-6)


def test_states_beside_a_sequence_are_the_initial_state():
    def entry(name, kind, inbound, **config):
        return {"class_name": kind, "name": name, "inbound_nodes": inbound, "config": {"name": name} | config}

    entries = [
        entry("x", "InputLayer", [], batch_input_shape=[None, 3, 2]),
        entry("h", "InputLayer", [], batch_input_shape=[None, 4]),
        entry("rnn", "SimpleRNN", [[["x", 0, 0, {}], ["h", 0, 0, {}]]], units=4),
    ]
    ends = {"input_layers": [["x", 0, 0], ["h", 0, 0]], "output_layers": [["rnn", 0, 0]]}
    model = deserialize(
        to_today({"class_name": "Model", "config": {"layers": entries} | ends}, "2.3.1"), layers.registry
    )
    x, h = np.ones((1, 3, 2), np.float32), np.full((1, 4), 0.5, np.float32)
    assert not np.allclose(model([x, h]), model([x, 0 * h]))


@pytest.mark.parametrize("break_it", [
    lambda c: c.update(layers=[1]),
    lambda c: c.update(output_layers="op"),
    lambda c: c.pop("input_layers"),
    lambda c: c["layers"][1].update(inbound_nodes=[[["x", 0, 0, 0]]]),
    lambda c: c["layers"][0]["config"].update(batch_input_shape=5),
    lambda c: c["layers"][1].update(inbound_nodes=[[["op", 0, 0, {}]]]),
    lambda c: c["layers"][1].update(class_name=["Dense"]),
    lambda c: c["layers"][1].update(config=None),
])  # fmt: skip
def test_a_damaged_config_is_a_config_error(break_it):
    config = graph(["x", 0, 0, {"y": 1.0}])
    break_it(config["config"])
    with pytest.raises(ConfigError):
        deserialize(to_today(config, "2.8.0"), layers.registry)


def test_sizes_of_a_split_become_the_places_of_its_cuts():
    assert tf_functions._sections([1, 1, 2]) == (1, 2)
    with pytest.raises(ConfigError, match="sizes that are not known"):
        tf_functions._sections([-1, 1, 2])
