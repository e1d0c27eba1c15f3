"""What the layers refuse, and in which words."""

import jax.numpy as jnp
import numpy as np
import pytest

import keryx
from keryx import Input, errors, layers
from keryx.errors import ArgumentError, ConfigError, ShapeError

OLD_WORDS = [
    (lambda: layers.Dense(output_dim=3), "Dense() has no argument 'output_dim': it is 'units' now."),
    (
        lambda: layers.Dense(3, init="zeros"),
        "Dense() has no argument 'init': it is 'kernel_initializer' now.",
    ),
    (lambda: layers.Dense(3, W_regularizer="l2"), "'W_regularizer': it is 'kernel_regularizer' now."),
    (lambda: layers.Dense(3, bias=False), "'bias': it is 'use_bias' now."),
    (lambda: layers.Dropout(p=0.5), "Dropout() has no argument 'p': it is 'rate' now."),
    (lambda: layers.LeakyReLU(alpha=0.1), "LeakyReLU() has no argument 'alpha': it is 'negative_slope' now."),
    (lambda: layers.GaussianNoise(sigma=1), "'sigma': it is 'stddev' now."),
    (lambda: layers.Embedding(5, 3, dropout=0.5), "Embedding() has no argument 'dropout'."),
    (lambda: layers.Embedding(5, 3, init="zeros"), "'init': it is 'embeddings_initializer' now."),
    (lambda: layers.Embedding(5, 3, lora_rank=2), "Embedding() has no argument 'lora_rank' yet"),
    (
        lambda: layers.Conv2D(8, 3, 3),
        "Conv2D(8, 3, 3) was a kernel of (3, 3) in Keras 1, and is a stride of 3 since Keras 2",
    ),
    (lambda: layers.Conv3D(8, 3, 3, 3), "was a kernel of (3, 3, 3) in Keras 1"),
    (lambda: layers.Conv2D(8, 3, border_mode="same"), "'border_mode': it is 'padding' now."),
    (lambda: layers.Conv2D(8, 3, subsample=2), "'subsample': it is 'strides' now."),
    (lambda: layers.Conv2D(8, 3, dim_ordering="tf"), "'dim_ordering': it is 'data_format' now."),
    (lambda: layers.Conv1D(8, filter_length=3), "'filter_length': it is 'kernel_size' now."),
    (lambda: layers.Conv1D(nb_filter=8, kernel_size=3), "'nb_filter': it is 'filters' now."),
    (lambda: layers.MaxPooling1D(pool_length=2), "'pool_length': it is 'pool_size' now."),
    (lambda: layers.Concatenate(concat_axis=1), "'concat_axis': it is 'axis' now."),
    (
        lambda: layers.Conv2D(8, 3, pading="same"),
        "Conv2D() has no argument 'pading'. Did you mean 'padding'?",
    ),
    (lambda: layers.Conv2D(3), "Conv2D() lacks 'kernel_size': write Conv2D(filters, kernel_size)."),
    (lambda: layers.LSTM(name="a"), "LSTM() lacks 'units': write LSTM(units)."),
    (lambda: layers.Dense(3, units=3), "Dense() got multiple values for argument 'units'."),
    (lambda: layers.Add(3), "Add() takes 0 arguments by place, and got 1: give the rest by name."),
    (
        lambda: layers.MultiHeadAttention(2, 4)(Input((4, 8))),
        "is called on 'query', 'value'; there is no 'value'. Write layer(query, value).",
    ),
]


@pytest.mark.parametrize(("make", "words"), OLD_WORDS, ids=[words for _, words in OLD_WORDS])
def test_old_and_unknown_words_are_named(make, words):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert words in str(caught.value)


def on(layer, *shapes):
    return lambda: layer([Input(batch_shape=s) for s in shapes] if len(shapes) > 1 else Input(batch_shape=shapes[0]))


BAD_VALUES = [
    (lambda: layers.Dropout(1.5), "Dropout() wants rate= between 0 and 1; got 1.5."),
    (lambda: layers.SpatialDropout2D(-1), "SpatialDropout2D() wants rate= between 0 and 1; got -1."),
    (lambda: layers.GaussianDropout(1), "GaussianDropout() wants rate= below 1"),
    (lambda: layers.Dropout(0.5, noise_shape="ab"), "Dropout() wants noise_shape= as sizes"),
    (lambda: layers.Embedding(0, 3), "Embedding() wants input_dim= as an integer of at least 1; got 0."),
    (lambda: layers.Conv2D(0, 3), "Conv2D() wants filters= as an integer of at least 1; got 0."),
    (
        lambda: layers.Conv2D(8, (3, 3, 3)),
        "Conv2D() wants kernel_size= as an integer, or 2 of them, of at least 1; got (3, 3, 3).",
    ),
    (lambda: layers.Conv2D(8, 3, strides=0), "Conv2D() wants strides="),
    (
        lambda: layers.Conv2D(8, 3, padding="causal"),
        "Conv2D() wants padding= as one of 'valid', 'same'; got 'causal'.",
    ),
    (
        lambda: layers.Conv2D(8, 3, data_format="NCHW"),
        "data_format='channels_last' or 'channels_first'; got 'NCHW'.",
    ),
    (lambda: layers.Conv2D(8, 3, groups=3), "Conv2D() cannot share 8 filters among 3 groups evenly."),
    (
        lambda: layers.Conv2D(8, 3, strides=2, dilation_rate=2),
        "Conv2D() takes strides or dilation_rate above 1",
    ),
    (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2, "rmax": 1}),
        "BatchNormalization(renorm_clipping=) wants rmin <= rmax; got 2 and 1",
    ),
    (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"max": 1}),
        "BatchNormalization(renorm_clipping=) has the keys rmin, rmax and dmax; got 'max'",
    ),
    (
        lambda: layers.GroupQueryAttention(8, 4, 3),
        "GroupQueryAttention() wants num_query_heads= as a multiple of num_key_value_heads=; got 4 and 3",
    ),
    (
        lambda: layers.ConvLSTM2D(8, 3, strides=2, dilation_rate=2),
        "ConvLSTM2D() takes strides or dilation_rate above 1, not both; got (2, 2) and (2, 2)",
    ),
    (lambda: layers.AdaptiveMaxPooling2D((3, 0)), "AdaptiveMaxPooling2D() wants output_size= as an integer, or 2"),
    (lambda: layers.SpectralNormalization(layers.Dense(2), 0), "SpectralNormalization() wants power_iterations="),
    (lambda: layers.GroupNormalization(0), "GroupNormalization() wants groups= above 0, or -1; got 0."),
    (lambda: layers.LayerNormalization("last"), "LayerNormalization() wants axis= as an integer"),
    (lambda: layers.Permute((1, 1)), "Permute() wants each of 1 to 2 once; got (1, 1)."),
    (
        lambda: layers.Reshape((-1, -1)),
        "Reshape() wants integers, at most one of them -1; got (-1, -1).",
    ),
    (lambda: layers.ZeroPadding2D((1, 2, 3)), "ZeroPadding2D() wants padding="),
    (lambda: layers.UpSampling2D(interpolation="cubic spline"), "UpSampling2D() wants interpolation="),
    (
        lambda: layers.Attention(score_mode="sum"),
        "Attention() wants score_mode= as one of 'dot', 'concat'; got 'sum'.",
    ),
    (lambda: layers.MultiHeadAttention(0, 3), "MultiHeadAttention() wants num_heads="),
    (lambda: layers.Dot("a"), "Dot() wants axes= as an integer or two; got 'a'."),
    (lambda: layers.ReLU(negative_slope=-1), "ReLU() wants negative_slope= of at least 0; got -1."),
    (on(layers.EinsumDense("ab", 3), (None, 4)), "EinsumDense() wants an equation like"),
    (lambda: keryx.ops.image.extract_patches(np.ones((8, 8, 3)), 2, padding="sme"), "'valid' or 'same'; got 'sme'"),
]


@pytest.mark.parametrize(("make", "words"), BAD_VALUES, ids=[words for _, words in BAD_VALUES])
def test_values_that_mean_nothing_are_refused(make, words):
    with pytest.raises(ConfigError) as caught:
        make()
    assert words in str(caught.value)


BAD_SHAPES = [
    (
        on(layers.Conv2D(8, 3, name="edges"), (None, 2, 9, 3)),
        "Conv2D 'edges' has a kernel that reaches over (3, 3), more than its inputs (2, 9). Use padding=",
    ),
    (on(layers.Conv1D(8, 3, dilation_rate=4), (None, 8, 3)), "a kernel that reaches over (9,)"),
    (on(layers.Conv2D(8, 3), (None, 9, 9, None)), "wants a known number of channels in axis -1"),
    (on(layers.Conv2D(8, 3, groups=2), (None, 9, 9, 3)), "cannot share 3 channels among 2 groups"),
    (on(layers.Conv2D(8, 3), (None, 9, 9)), "wants an input of 4 axes; got (batch, 9, 9)."),
    (on(layers.MaxPooling2D(3), (None, 2, 9, 3)), "has windows of (3, 3), larger than its inputs (2, 9)."),
    (on(layers.Cropping1D(2), (None, 4, 3)), "cannot cut 2 + 2 from the 4 in axis 1."),
    (
        on(layers.Reshape((5, -1), name="fold"), (None, 3, 4)),
        "Reshape 'fold' cannot bring samples of (3, 4), 12 elements, into (5, -1).",
    ),
    (on(layers.PReLU(), (None, None, 3)), "name it in shared_axes=."),
    (
        on(layers.Add(name="sum"), (None, 3), (None, 4)),
        "Add 'sum' wants inputs whose shapes fit; got (None, 3), (None, 4).",
    ),
    (on(layers.Add(), (None, 3)), "wants a list of tensors; got a single one of shape (None, 3)."),
    (on(layers.Multiply(), (2, 3), (4, 3)), "wants inputs whose shapes fit; got (2, 3), (4, 3)."),
    (on(layers.Subtract(), (None, 3), (None, 3), (None, 3)), "wants two inputs; got 3."),
    (
        on(layers.Concatenate(name="join"), (None, 3, 4), (None, 2, 4)),
        "Concatenate 'join' wants inputs that differ in axis -1 only; got (None, 3, 4), (None, 2, 4).",
    ),
    (on(layers.Dot(1), (None, 3), (None, 4)), "cannot multiply along axes 1 of (None, 3), (None, 4)."),
    (on(layers.Dot(0), (None, 3), (None, 3)), "cannot sum along axis 0 of (None, 3)."),
    (on(layers.GroupNormalization(2), (None, 5)), "cannot share 5 channels among 2 groups evenly."),
    (on(layers.Attention(), (None, 3, 4)), "wants a list [query, value] or [query, value, key]."),
    (on(layers.EinsumDense("abc,cd->abd", (None, 2)), (None, 3)), "wants inputs of 3 axes; got (None, 3)."),
]


@pytest.mark.parametrize(("make", "words"), BAD_SHAPES, ids=[words for _, words in BAD_SHAPES])
def test_shapes_that_do_not_fit_are_named_before_anything_runs(make, words):
    with pytest.raises(ShapeError) as caught:
        make()
    assert words in str(caught.value)


def test_an_error_says_in_which_layer_it_came_up():
    with pytest.raises(ShapeError) as caught:
        layers.Add(name="sum")([Input((3,)), Input((4,))])
    assert caught.value.__notes__ == ["In layer 'sum' (Add), called on (batch, 3) float32, (batch, 4) float32."]


def test_later_arrays_that_do_not_fit_are_named_too():
    join = layers.Concatenate(axis=1)
    join([Input((None, 4)), Input((None, 4))])
    with pytest.raises(ShapeError, match=r"differ in axis 1 only; got \(2, 3, 4\), \(2, 3, 5\)"):
        join([jnp.ones((2, 3, 4)), jnp.ones((2, 3, 5))])


def test_an_id_outside_the_embedding_is_nan_and_never_another_row():
    layer = layers.Embedding(4, 2)
    rows = np.asarray(layer(np.array([[3, 4, -1, -4, 100]])))[0]
    assert np.isnan(rows[1:]).all()
    assert np.isfinite(rows[0]).all()
    assert layer.input_range == (0, 4)


@pytest.mark.parametrize("inputs", [3, 2.5, [1, 2], [[1.0, 2.0]], None, "text"])
def test_what_is_no_tensor_is_told_so(inputs):
    with pytest.raises(ValueError, match="is called on tensors; got") as caught:
        layers.Dense(2)(inputs)
    assert "np.array" in str(caught.value)


def test_an_argument_that_is_missing_is_named_before_anything_is_built():
    layer = layers.MultiHeadAttention(2, 2)
    for query in (np.ones((1, 2, 3)), Input((2, 3))):
        with pytest.raises(TypeError, match="is called on 'query', 'value'; there is no 'value'"):
            layer(query)
    with pytest.raises(TypeError, match="there is no 'inputs'"):
        layers.Dense(2)()
    assert not layer.built


def test_parameters_are_counted_once_there_are_any():
    for layer in (layers.Dense(2), keryx.Sequential([layers.Dense(2)])):
        with pytest.raises(ValueError, match="is not built, so its weights are not known"):
            layer.count_params()
        layer.build((None, 3))
        assert layer.count_params() == 8
    assert layers.Dropout(0.5).count_params() == 0


def test_a_layer_is_found_by_its_name_or_by_its_index():
    model = keryx.Sequential([Input((3,)), layers.Dense(2, name="last")])
    assert model.get_layer(index=-1) is model.get_layer("last")
    for words, message in (
        ({"index": 5}, "has 1 layers; got index=5"),
        ({}, "wants a name or an index; got name=None and index=None"),
        ({"name": "last", "index": 0}, "wants a name or an index; got name='last' and index=0"),
    ):
        with pytest.raises(ValueError, match=message):
            model.get_layer(**words)


def test_a_symbol_has_no_numbers():
    for convert in (np.asarray, float, int):
        with pytest.raises(ValueError, match="has no values yet"):
            convert(Input((3,)))


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: keryx.quantizers, "keryx has no 'quantizers' yet: quantization is a work of its own"),
        (
            lambda: keryx.distribution.DeviceMesh,
            "keryx has no 'distribution' yet: it comes with training on many devices",
        ),
        (lambda: layers.TFSMLayer("m"), "keryx.layers has no 'TFSMLayer' yet: it runs TensorFlow"),
        (lambda: layers.TorchModuleWrapper(None), "keryx.layers has no 'TorchModuleWrapper' yet: it runs PyTorch"),
        (lambda: layers.Dense(2, lora_rank=4), r"Dense\(\) has no argument 'lora_rank' yet: low-rank adaptation"),
        (lambda: layers.Dense(2).enable_lora(4), r"There is no enable_lora\(\) yet: low-rank adaptation"),
        (lambda: keryx.Sequential([]).quantize("int8"), r"There is no quantize\(\) yet: quantization is"),
        (
            lambda: layers.Dense(2, dtype="int8_from_float32"),
            "There is no policy 'int8_from_float32' yet: quantization",
        ),
        (lambda: keryx.Input((2,), sparse=True), "give a dense tensor"),
    ],
)
def test_what_is_not_here_yet_says_why(use, said):
    with pytest.raises((errors.KeryxError, AttributeError), match=said):
        use()


def test_the_name_of_a_weight_by_place():
    class Old(layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", shape=(3, 2))

    with pytest.raises(ArgumentError, match=r"add_weight\('kernel', ...\): the shape comes first.*name='kernel'"):
        Old().build((None, 3))
