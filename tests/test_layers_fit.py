"""Every layer within fit: from arrays, from a generator and from a PyDataset, to the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from specs import SPECS
from test_specs import arguments, inputs_of, shapes_of

import keryx
from keryx import layers

# One row of the table for each layer: the first that is called on a batch of inputs alone.
ROWS = {}
for _spec in SPECS:
    if not _spec.call and all(shape[0] == 2 for shape in shapes_of(_spec)):
        ROWS.setdefault(_spec.layer, _spec)

STEPS = 2, 3, 4
OTHERS = {
    "Bidirectional": (lambda: layers.Bidirectional(layers.GRU(2)), STEPS),
    "GRU": (lambda: layers.GRU(2), STEPS),
    "IntegerLookup": (lambda: layers.IntegerLookup(vocabulary=[-1, 0, 1]), STEPS),
    "LSTM": (lambda: layers.LSTM(2), STEPS),
    "RNN": (lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(2), layers.LSTMCell(3)])), STEPS),
    "SimpleRNN": (lambda: layers.SimpleRNN(2), STEPS),
    "SpectralNormalization": (lambda: layers.SpectralNormalization(layers.Dense(3)), STEPS),
    "TimeDistributed": (lambda: layers.TimeDistributed(layers.Dense(3)), STEPS),
}
AUGMENTATION = [
    *("AutoContrast", "CutMix", "Equalization", "MixUp", "RandomBrightness"),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert"),
    *("RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness"),
    *("RandomShear", "RandomTranslation", "RandomZoom", "Solarization"),
]
ELSEWHERE = {
    "ContrastLimitedAdaptiveHistogramEqualization": "wants images of some size: test_layers_image.py",
    **dict.fromkeys(["AugMix", "RandAugment"], "consist of the others: test_layers_image.py"),
    "MaxNumBoundingBoxes": "takes boxes: test_layers_image.py",
    "Pipeline": "calls others: test_layers_image.py",
    **dict.fromkeys(["HashedCrossing", "Hashing", "StringLookup", "TextVectorization"], "text: test_preprocessing.py"),
    **dict.fromkeys(["JaxLayer", "FlaxLayer"], "functions of the user's: test_layers_more.py"),
    **dict.fromkeys(["GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"], "run by RNN"),
    **dict.fromkeys(["InputLayer", "Layer", "Wrapper"], "compute nothing by themselves"),
}


class Batches(keryx.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return jax.tree.map(lambda a: a[2 * i : 2 * i + 2], (self.x, self.y))


def closed(inputs, outputs):
    """The outputs before a Dense layer, which learns where nothing else has anything to learn."""
    first = jax.tree.leaves(outputs)[0]
    return keryx.Model(inputs, layers.Dense(1)(layers.Flatten()(keryx.ops.cast(first, "float32"))))


def check(model, x):
    """Fit it from the same data in three forms."""
    model.compile("sgd", "mse")
    begin = model.get_weights(), {name: np.array(value) for name, value in model.session.clock.items()}
    y = np.linspace(-1, 1, 4, dtype="float32")[:, None]
    data = Batches(x, y)
    ends = []
    for given in ({"x": x, "y": y, "batch_size": 2}, {"x": (data[i] for i in (0, 1))}, {"x": data}):
        model.set_weights(begin[0])
        model.session.clock = begin[1]  # the same random keys
        model.fit(**given, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    assert any(np.any(a != b) for a, b in zip(begin[0], ends[0], strict=True))
    for other in ends[1:]:
        for a, b in zip(ends[0], other, strict=True):
            np.testing.assert_allclose(a, b, 1e-5, 1e-6)
    assert jnp.isfinite(jnp.asarray(model.predict(data, verbose=0))).all()


@pytest.mark.parametrize("spec", ROWS.values(), ids=ROWS)
def test_layers_of_the_table(spec):
    inputs = [keryx.Input(shape[1:], dtype=spec.input_dtype) for shape in shapes_of(spec)]
    model = closed(inputs, getattr(layers, spec.layer)(**spec.init, name="layer")(*arguments(spec, inputs)))
    x = [np.concatenate([a, a[::-1]]) for a in inputs_of(spec)]
    check(model, x[0] if len(x) == 1 else x)


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers(name):
    make, shape = OTHERS[name]
    x = np.random.default_rng(0).integers(-2, 3, (4, *shape[1:])).astype("float32")
    inputs = keryx.Input(shape[1:], dtype="int32" if name == "IntegerLookup" else "float32")
    check(closed(inputs, make()(inputs)), x.astype(inputs.dtype))


def test_all_augmentation_in_one_model():
    arguments = {
        "RandomBrightness": {"factor": 0.1}, "RandomColorDegeneration": {"factor": 0.1},
        "RandomContrast": {"factor": 0.1},
        "RandomCrop": {"height": 6, "width": 6}, "RandomHue": {"factor": 0.1}, "RandomPosterization": {"factor": 6},
        "RandomRotation": {"factor": 0.1}, "RandomSaturation": {"factor": 0.6}, "RandomSharpness": {"factor": 0.1},
        "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1}, "RandomZoom": {"height_factor": 0.1},
    }  # fmt: skip
    x = inputs = keryx.Input((8, 8, 3))
    for name in AUGMENTATION:
        x = getattr(layers, name)(**arguments.get(name, {}))(x)
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype("float32")
    check(closed(inputs, layers.Rescaling(1 / 255)(x)), images)


def test_no_layer_is_left_out():
    every = {getattr(layers, name) for name in dir(layers) if name[0] != "_"}
    classes = {one for one in every if isinstance(one, type) and issubclass(one, keryx.Layer)}
    assert classes == {getattr(layers, name) for name in (*ROWS, *OTHERS, *AUGMENTATION, *ELSEWHERE)}
