"""Ten steps of training on native kernels against the same ten on XLA."""

import jax
import numpy as np
import pytest

import keryx
from keryx import config, layers
from keryx.kernels import kernel

ROWS, STEPS = 8, 10


def perceptron():
    x = inputs = keryx.Input((20,))
    for activation in ("relu", "tanh", "sigmoid", "gelu"):
        x = layers.Dense(17, activation=activation)(x)
    return keryx.Model(inputs, layers.Dense(3, activation="softmax")(x))


def each_step():
    inputs = keryx.Input((5, 9))
    x = layers.TimeDistributed(layers.Dense(7, activation="relu"))(inputs)
    return keryx.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def reader(cell, **options):
    def build():
        words = keryx.Input((12,), dtype="int32")
        x = layers.Embedding(30, 10, mask_zero=True)(words)
        x = layers.Bidirectional(cell(6, return_sequences=True))(x)
        return keryx.Model(words, layers.Dense(3, activation="softmax")(cell(5, **options)(x)))

    return build


def shared_reader():
    first, second = keryx.Input((6, 10)), keryx.Input((6, 10))
    read = layers.LSTM(8)
    x = layers.concatenate([read(first), read(second)])
    return keryx.Model([first, second], layers.Dense(3, activation="softmax")(x))


def vision():
    image = keryx.Input((13, 12, 3))
    x = layers.Conv2D(33, 3, padding="same", activation="relu")(image)
    towers = [
        layers.Conv2D(34, 1, activation="tanh")(x),
        layers.Conv2D(34, 3, padding="same", activation="relu")(x),
        layers.Conv2D(34, 5, padding="same")(x),
        layers.Conv2D(34, 3, padding="same", dilation_rate=2, groups=1)(x),
        layers.MaxPooling2D(3, strides=1, padding="same")(x),
    ]
    x = layers.MaxPooling2D(2)(layers.concatenate(towers))
    x = layers.AveragePooling2D(2, padding="same")(layers.SeparableConv2D(32, 3)(x))
    x = layers.Conv2D(32, 2, strides=2, groups=4)(x)
    return keryx.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def sound():
    wave = keryx.Input((40, 2))
    x = layers.Conv1D(16, 5, strides=2, padding="causal", activation="relu")(wave)
    x = layers.Conv1D(16, 3, dilation_rate=2)(layers.MaxPooling1D(2)(x))
    return keryx.Model(wave, layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling1D()(x)))


MODELS = {
    "perceptron": perceptron,
    "each_step": each_step,
    "lstm": reader(layers.LSTM),
    "gru_backwards": reader(layers.GRU, go_backwards=True),
    "simple_rnn": reader(layers.SimpleRNN),
    "shared_lstm": shared_reader,
    "vision": vision,
    "sound": sound,
}
OPTIMIZERS = {"perceptron": "adam", "each_step": "sgd", "sound": "adam"}


def trained(name, mode):
    """The losses, weights and predictions after ten steps, and how many calls went to native code."""
    config.set_kernels(mode)
    keryx.utils.set_random_seed(0)
    model = MODELS[name]()
    rng = np.random.default_rng(1)
    shapes = [(ROWS * STEPS, *symbol.shape[1:]) for symbol in model.inputs]
    words = model.inputs[0].dtype == "int32"
    x = [rng.integers(0, 30, s).astype("int32") if words else rng.normal(size=s).astype("float32") for s in shapes]
    y = np.eye(3, dtype="float32")[rng.integers(3, size=ROWS * STEPS)]
    model.compile(optimizer=OPTIMIZERS.get(name, "rmsprop"), loss="categorical_crossentropy")
    before = sum(k.served["native"] for k in kernel.KERNELS.values())
    losses = model.fit(x, y, batch_size=ROWS, epochs=1, shuffle=False, verbose=0).history["loss"]
    predictions = model.predict(x, batch_size=ROWS, verbose=0)
    served = sum(k.served["native"] for k in kernel.KERNELS.values()) - before
    return losses, [w.numpy() for w in model.weights], predictions, served


@pytest.mark.parametrize("name", MODELS)
def test_ten_steps(name):
    *on_xla, none = trained(name, "xla")
    *on_native, some = trained(name, "native")
    assert none == 0
    assert some > 0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), on_native, on_xla)
