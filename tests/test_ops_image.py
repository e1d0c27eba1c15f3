"""Each op of images gives Keras's numbers, gradients and shape, in a graph too, and its config is Keras's."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx import ops
from keryx.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.05, 0.95, (2, 7, 9, 3)).astype("float32")
FIRST = IMAGES.transpose(0, 3, 1, 2)
INTEGERS = RNG.integers(0, 255, (2, 7, 9, 3)).astype("uint8")
VOLUMES = RNG.normal(size=(1, 4, 5, 6, 2)).astype("float32")
LARGE = RNG.uniform(size=(2, 2, 14, 13, 3)).astype("float32")
TURNS = (np.array([[1, 0, 0, 0, 1, 0, 0, 0]]) + RNG.normal(0, 0.3, (2, 8)) * [1, 1, 9, 1, 1, 9, 0, 0]).astype("float32")
CORNERS = np.array([[[0, 0], [8, 0], [0, 6], [8, 6]]] * 2, "float32")
MOVED = CORNERS + RNG.uniform(-1, 1, CORNERS.shape).astype("float32")
PLACES = RNG.uniform(-4, 12, (2, 3, 5)).astype("float32")
PADS = {"bottom_padding": 1, "right_padding": 2, "top_padding": 0, "left_padding": 4}
CROPS = {"bottom_cropping": 1, "right_cropping": 2, "top_cropping": 0, "left_cropping": 3}
STRETCH = {"output_shape": (2, 5, 6, 3), "scale": np.float32([0.7, 1.4]), "translation": np.float32([1, -0.5])}
LAST = {"data_format": "channels_last"}
CHANNELS_FIRST = {"data_format": "channels_first"}

CALLS = [
    ("resize", (INTEGERS[0],), {"size": (10, 5)}),
    ("resize", (IMAGES,), {"size": (4, 12), "antialias": True}),
    ("resize", (IMAGES,), {"size": (4, 12), "interpolation": "nearest"}),
    ("resize", (IMAGES,), {"size": (4, 12), "interpolation": "bicubic"}),
    ("resize", (INTEGERS[0],), {"size": (10, 5), "interpolation": "bicubic", "antialias": True}),
    ("resize", (FIRST,), {"size": (4, 12), "interpolation": "lanczos3", "antialias": True, **CHANNELS_FIRST}),
    ("resize", (IMAGES[0],), {"size": (10, 5), "interpolation": "lanczos5"}),
    ("resize", (IMAGES,), {"size": (3, 9), "crop_to_aspect_ratio": True}),
    ("resize", (FIRST[0],), {"size": (9, 4), "crop_to_aspect_ratio": True, **CHANNELS_FIRST}),
    ("resize", (IMAGES,), {"size": (3, 9), "pad_to_aspect_ratio": True, "fill_value": 2.0}),
    ("resize", (FIRST[0],), {"size": (9, 4), "pad_to_aspect_ratio": True, **CHANNELS_FIRST}),
    *[
        ("affine_transform", (IMAGES, TURNS), {"interpolation": kind, "fill_mode": mode, "fill_value": 0.5})
        for kind, mode in [
            ("bilinear", "constant"),
            ("nearest", "nearest"),
            ("bilinear", "wrap"),
            ("bilinear", "mirror"),
            ("nearest", "reflect"),
        ]
    ],
    ("affine_transform", (FIRST, TURNS), CHANNELS_FIRST),
    ("affine_transform", (INTEGERS[0], TURNS[0]), {"fill_mode": "reflect"}),
    ("perspective_transform", (IMAGES, CORNERS, MOVED), {}),
    ("perspective_transform", (FIRST, CORNERS, MOVED), {"interpolation": "nearest", "fill_value": 3, **CHANNELS_FIRST}),
    ("perspective_transform", (IMAGES[0], CORNERS[0], MOVED[0]), {}),
    *[
        ("map_coordinates", (IMAGES[0, :, :, 0], PLACES), {"order": order, "fill_mode": mode})
        for order, mode in ((0, "constant"), (1, "nearest"), (0, "wrap"), (0, "mirror"), (1, "reflect"))
    ],
    ("map_coordinates", (INTEGERS[0, 0, :, 0], PLACES[:1]), {"order": 1, "fill_value": 7}),
    ("map_coordinates", (np.arange(4), np.arange(-9, 9)[None]), {"order": 0, "fill_mode": "reflect"}),
    ("gaussian_blur", (IMAGES,), LAST),
    ("gaussian_blur", (FIRST,), {"kernel_size": (5, 3), "sigma": (0.7, 2.0), **CHANNELS_FIRST}),
    ("gaussian_blur", (IMAGES[0],), {"kernel_size": (4, 1), **LAST}),
    ("extract_patches", (IMAGES,), {"size": 3}),
    ("extract_patches", (IMAGES[0],), {"size": (2, 3), "strides": (3, 1), "padding": "same"}),
    ("extract_patches", (FIRST,), {"size": 2, "strides": 1, "dilation_rate": 2, **CHANNELS_FIRST}),
    ("extract_patches", (VOLUMES,), {"size": (2, 1, 3)}),
    ("extract_patches_3d", (VOLUMES,), {"size": 2, "strides": (1, 2, 3), "padding": "same"}),
    ("extract_patches_3d", (VOLUMES[0],), {"size": (4, 2, 2)}),
    ("pad_images", (IMAGES,), {"top_padding": 1, "left_padding": 2, "target_height": 10, "target_width": 12}),
    ("pad_images", (FIRST[0],), PADS | CHANNELS_FIRST),
    ("crop_images", (IMAGES,), {"top_cropping": 1, "left_cropping": 2, "target_height": 4, "target_width": 5}),
    ("crop_images", (FIRST[0],), CROPS | CHANNELS_FIRST),
    ("rgb_to_grayscale", (IMAGES,), {}),
    ("rgb_to_grayscale", (INTEGERS[0, ..., :1],), {}),
    ("rgb_to_grayscale", (FIRST,), CHANNELS_FIRST),
    ("rgb_to_hsv", (IMAGES,), {}),
    ("rgb_to_hsv", (FIRST[0],), CHANNELS_FIRST),
    ("hsv_to_rgb", (IMAGES,), {}),
    ("hsv_to_rgb", (FIRST[0],), CHANNELS_FIRST),
    ("scale_and_translate", (IMAGES,), {**STRETCH, "spatial_dims": (1, 2), "method": "cubic"}),
    ("scale_and_translate", (IMAGES,), {**STRETCH, "spatial_dims": (1, 2), "method": "lanczos5", "antialias": False}),
    ("sobel_edges", (IMAGES,), {}),
    ("sobel_edges", (FIRST,), CHANNELS_FIRST),
    ("ssim", tuple(LARGE), {}),
    ("ssim", tuple(LARGE[:, 0].transpose(0, 3, 1, 2)), {"max_val": 2.0, "filter_size": 4} | CHANNELS_FIRST),
]  # fmt: skip
NAMES = sorted(name for name in dir(keras.ops.image) if callable(getattr(keras.ops.image, name)))


def ids(call):
    name, tensors, options = call
    return f"{name}-{tensors[0].ndim}-{'-'.join(str(v)[:12] for v in options.values())}"


def test_the_table_has_every_op():
    assert {name for name, _, _ in CALLS} == set(NAMES) - {"elastic_transform"}


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_those_of_keras(name):
    def arguments(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert arguments(getattr(ops.image, name)) == arguments(getattr(keras.ops.image, name))


@pytest.mark.parametrize("call", CALLS, ids=ids)
def test_numbers_and_gradients_are_those_of_keras(call):
    name, tensors, options = call
    tensors = tuple(map(jnp.asarray, tensors))
    # All floats are differentiated but where Keras's own gradient is that of a jump.
    by = tuple(i for i, x in enumerate(tensors) if jnp.issubdtype(x.dtype, jnp.floating))

    def program(module):
        def scalar(*tensors):
            y = getattr(module.ops.image, name)(*tensors, **options)
            return (y * jnp.cos(jnp.arange(y.size).reshape(y.shape))).sum(), y

        return jax.jit(jax.value_and_grad(scalar, by, has_aux=True) if by else scalar)

    (_, ours), our_gradients = program(keryx)(*tensors) if by else (program(keryx)(*tensors), ())
    (_, theirs), their_gradients = program(keras)(*tensors) if by else (program(keras)(*tensors), ())
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, 1e-5, 1e-5)
    for a, b in zip(our_gradients, their_gradients, strict=True):
        if name == "affine_transform" and a.shape[-1] == 8:
            a, b = a[..., :6], b[..., :6]  # c0 and c1 are another thing here, see below
        np.testing.assert_allclose(a, b, 1e-4, 1e-5 * max(1, float(jnp.abs(b).max())))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "elastic_transform"])
def test_a_graph_computes_the_same_and_its_config_is_that_of_keras(name):
    _, tensors, options = next(call for call in CALLS if call[0] == name and call[1][0].ndim != 3)
    inputs = [keryx.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in tensors]
    output = getattr(ops.image, name)(*inputs, **options)
    direct = getattr(ops.image, name)(*tensors, **options)
    assert output.shape == direct.shape
    model = keryx.Model(inputs, output)
    got = model(list(tensors))
    np.testing.assert_allclose(got, direct, 1e-5, 1e-5)
    config = model.get_config()
    again = keryx.Model.from_config(config)
    assert again.get_config() == config
    if name != "scale_and_translate":  # whose class takes tensors among its options
        theirs = keras.Model.from_config(config)
        np.testing.assert_allclose(theirs([jnp.asarray(x) for x in tensors]), got, 1e-5, 1e-5)
        keras_inputs = [keras.Input(batch_shape=x.shape, dtype=x.dtype.name) for x in tensors]
        written = keras.Model(keras_inputs, getattr(keras.ops.image, name)(*keras_inputs, **options)).get_config()
        np.testing.assert_allclose(keryx.Model.from_config(written)(list(tensors)), got, 1e-5, 1e-5)


def test_unknown_sizes_stay_unknown():
    x = keryx.Input((None, None, 3))
    assert ops.image.resize(x, (4, 5)).shape == (None, 4, 5, 3)
    assert ops.image.pad_images(x, 1, 1, 1, target_width=8).shape == (None, None, 8, 3)
    assert ops.image.gaussian_blur(x).shape == (None, None, None, 3)
    assert ops.image.affine_transform(x, [1, 0, 0, 0, 1, 0, 0, 0]).shape == (None, None, None, 3)
    assert ops.image.extract_patches(x, 4).shape == (None, None, None, 48)
    assert ops.image.sobel_edges(x).shape == (None, None, None, 3, 2)


def test_elastic_transform_is_drawn_by_its_seed_and_bends_channels_alike():
    x = np.repeat(IMAGES[..., :1], 3, -1)
    once, again, other = (np.asarray(ops.image.elastic_transform(x, 3.0, 1.0, seed=n)) for n in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()
    assert (once != x).any()
    assert (once[..., 0] == once[..., 1]).all()
    assert once.min() >= x.min()
    assert once.max() <= x.max()
    first = ops.image.elastic_transform(x.transpose(0, 3, 1, 2), 3.0, 1.0, seed=1, **CHANNELS_FIRST)
    np.testing.assert_allclose(np.asarray(first).transpose(0, 2, 3, 1), once, 1e-5, 1e-5)
    np.testing.assert_allclose(ops.image.elastic_transform(x, 0.0, 1.0, seed=1), x, 1e-6)
    assert ops.image.elastic_transform(keryx.Input((7, 9, 3))).shape == (None, 7, 9, 3)


def test_elastic_transform_moves_rows_and_columns_on_their_own():
    rows, columns = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    x = np.stack([rows, columns], -1).astype("float32")
    moved = np.asarray(ops.image.elastic_transform(x, 1.0, 2.0, fill_mode="nearest", seed=3)) - x
    down, right = moved[4:-4, 4:-4, 0].ravel(), moved[4:-4, 4:-4, 1].ravel()
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.3
    assert 0.05 < down.std() < 2


def test_a_projection_divides_by_the_depth():
    # Keras on JAX adds c0 and c1 to the row and the column instead, times the number of the channel.
    x = np.arange(5, dtype="float32").reshape(1, 1, 5, 1)
    got = ops.image.affine_transform(x, [2.0, 0, 0, 0, 1, 0, 0.5, 0], **LAST)
    wanted = [2 * n / (0.5 * n + 1) for n in range(5)]
    np.testing.assert_allclose(np.ravel(got), wanted, 1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ops.image.resize(IMAGES[0, 0], (2, 2)), "rank 3 .one image. or 4"),
        (lambda: ops.image.resize(IMAGES, (2, 2), "cubic"), "interpolation is one of 'nearest', 'bilinear'"),
        (lambda: ops.image.resize(IMAGES, (0, 2)), "height and a width above 0"),
        (lambda: ops.image.resize(IMAGES, (2, 2), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "not both"),
        (lambda: ops.image.resize(IMAGES, (2, 2), fill_mode="reflect"), "fill_mode is one of 'constant'"),
        (lambda: ops.image.pad_images(IMAGES, 1, 1), "exactly two of top_padding, bottom_padding, target_height"),
        (lambda: ops.image.pad_images(IMAGES, 1, 1, target_height=7, target_width=12), "1 before and -1 after"),
        (lambda: ops.image.crop_images(IMAGES, 9, 1, 1, target_width=3), "The height is 7"),
        (lambda: ops.image.extract_patches(IMAGES, (1, 2, 3, 4)), "one number, or two, or three"),
        (lambda: ops.image.extract_patches(IMAGES, 8), "more than its inputs"),
        (lambda: ops.image.map_coordinates(IMAGES, PLACES, 1), "one array for each axis"),
        (lambda: ops.image.map_coordinates(IMAGES[0, 0], PLACES, 2), "order is one of '0', '1'"),
        (lambda: ops.image.affine_transform(IMAGES, TURNS[:, :6]), "eight numbers"),
        (lambda: ops.image.affine_transform(IMAGES, TURNS, fill_mode="mean"), "fill_mode is one of"),
        (lambda: ops.image.perspective_transform(IMAGES, CORNERS, MOVED[:, :3]), "want the shape"),
        (lambda: ops.image.rgb_to_hsv(INTEGERS), "Divide by 255"),
        (lambda: ops.image.rgb_to_grayscale(IMAGES[..., :2]), "3 channels; got 2"),
        (lambda: ops.image.sobel_edges(IMAGES[0]), "rank 4"),
        (lambda: ops.image.ssim(IMAGES, IMAGES), "window of 11"),
        (lambda: ops.image.resize(IMAGES, (2, 2), data_format="last"), "'channels_last' or 'channels_first'"),
        (lambda: ops.image.scale_and_translate(IMAGES, IMAGES.shape, 1, 1, (1,), "nearest"), "method is one of"),
    ],
)
def test_errors_say_what_is_wanted(call, words):
    with pytest.raises((ArgumentError, ShapeError), match=words):
        call()
