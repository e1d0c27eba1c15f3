"""The models of the benchmark: those of Keras's guide to the functional API, at the guide's sizes.

A row is built by `build(K)`, where K is a Keras-like module: `import keras as K` or `import keryx as K`.
NumPy is imported late, so that whoever only wants the list of rows stays small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Row(NamedTuple):
    build: Callable  # K -> compiled model
    data: Callable  # (generator, n) -> inputs, targets
    rows: int  # examples in an epoch
    batch: int
    epochs: int  # timed epochs, after one that compiles and one that warms up
    what: str


def compiled(model: Any, loss: Any, **options: Any) -> Any:
    model.compile(optimizer="rmsprop", loss=loss, **options)
    return model


def one_hot(classes: np.ndarray, n: int) -> np.ndarray:
    import numpy as np

    return np.eye(n, dtype="float32")[classes]


# A perceptron, and the same over the steps of a sequence.


def dense_stack(K: Any) -> Any:
    inputs = K.layers.Input(shape=(784,))
    x = K.layers.Dense(64, activation="relu")(inputs)
    x = K.layers.Dense(64, activation="relu")(x)
    return K.models.Model(inputs, K.layers.Dense(10, activation="softmax")(x))


def mlp(K: Any) -> Any:
    return compiled(dense_stack(K), "categorical_crossentropy")


def mlp_data(rng: np.random.Generator, n: int) -> tuple:
    return rng.random((n, 784), "float32"), one_hot(rng.integers(10, size=n), 10)


def td(K: Any) -> Any:
    sequence = K.layers.Input(shape=(20, 784))
    each_step = K.layers.TimeDistributed(dense_stack(K))(sequence)
    return compiled(K.models.Model(sequence, each_step), "categorical_crossentropy")


def td_data(rng: np.random.Generator, n: int) -> tuple:
    return rng.random((n, 20, 784), "float32"), one_hot(rng.integers(10, size=(n, 20)), 10)


# Two inputs and two outputs; a shared recurrent layer.


def news(K: Any) -> Any:
    headline = K.layers.Input(shape=(100,), dtype="int32", name="main_input")
    x = K.layers.Embedding(input_dim=10000, output_dim=512)(headline)
    read = K.layers.LSTM(32)(x)
    early = K.layers.Dense(1, activation="sigmoid", name="aux_output")(read)
    extra = K.layers.Input(shape=(5,), name="aux_input")
    x = K.layers.concatenate([read, extra])
    for _ in range(3):
        x = K.layers.Dense(64, activation="relu")(x)
    final = K.layers.Dense(1, activation="sigmoid", name="main_output")(x)
    model = K.models.Model([headline, extra], [final, early])
    return compiled(model, ["binary_crossentropy"] * 2, loss_weights=[1.0, 0.2])


def news_data(rng: np.random.Generator, n: int) -> tuple:
    retweeted = rng.integers(2, size=(n, 1)).astype("float32")
    headline = rng.integers(1, 10000, size=(n, 100), dtype="int32")
    return [headline, rng.random((n, 5), "float32")], [retweeted, retweeted]


def tweets(K: Any) -> Any:
    tweet_a, tweet_b = (K.layers.Input(shape=(140, 256)) for _ in range(2))
    shared = K.layers.LSTM(64)
    merged = K.layers.concatenate([shared(tweet_a), shared(tweet_b)], axis=-1)
    same_author = K.layers.Dense(1, activation="sigmoid")(merged)
    return compiled(K.models.Model([tweet_a, tweet_b], same_author), "binary_crossentropy")


def tweets_data(rng: np.random.Generator, n: int) -> tuple:
    pair = [one_hot(rng.integers(256, size=(n, 140)), 256) for _ in range(2)]
    return pair, rng.integers(2, size=(n, 1)).astype("float32")


# Vision.


def inception(K: Any) -> Any:
    L = K.layers
    image = L.Input(shape=(256, 256, 3))
    tower_1 = L.Conv2D(64, (1, 1), padding="same", activation="relu")(image)
    tower_1 = L.Conv2D(64, (3, 3), padding="same", activation="relu")(tower_1)
    tower_2 = L.Conv2D(64, (1, 1), padding="same", activation="relu")(image)
    tower_2 = L.Conv2D(64, (5, 5), padding="same", activation="relu")(tower_2)
    tower_3 = L.MaxPooling2D((3, 3), strides=(1, 1), padding="same")(image)
    tower_3 = L.Conv2D(64, (1, 1), padding="same", activation="relu")(tower_3)
    x = L.concatenate([tower_1, tower_2, tower_3], axis=1)  # the guide's axis: (768, 256, 64)
    kind = L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x))
    return compiled(K.models.Model(image, kind), "categorical_crossentropy")


def inception_data(rng: np.random.Generator, n: int) -> tuple:
    return rng.random((n, 256, 256, 3), "float32"), one_hot(rng.integers(10, size=n), 10)


def digits(K: Any) -> Any:
    L = K.layers
    digit = L.Input(shape=(27, 27, 1))
    x = L.Conv2D(64, (3, 3))(digit)
    x = L.Conv2D(64, (3, 3))(x)
    x = L.MaxPooling2D((2, 2))(x)
    vision = K.models.Model(digit, L.Flatten()(x))
    digit_a, digit_b = (L.Input(shape=(27, 27, 1)) for _ in range(2))
    merged = L.concatenate([vision(digit_a), vision(digit_b)])
    same = L.Dense(1, activation="sigmoid")(merged)
    return compiled(K.models.Model([digit_a, digit_b], same), "binary_crossentropy")


def digits_data(rng: np.random.Generator, n: int) -> tuple:
    pair = [rng.random((n, 27, 27, 1), "float32") for _ in range(2)]
    return pair, rng.integers(2, size=(n, 1)).astype("float32")


def vqa(K: Any) -> Any:
    L = K.layers
    vision = K.models.Sequential([L.Input(shape=(224, 224, 3))])
    for filters, deep in ((64, 1), (128, 1), (256, 2)):
        vision.add(L.Conv2D(filters, (3, 3), activation="relu", padding="same"))
        for _ in range(deep):
            vision.add(L.Conv2D(filters, (3, 3), activation="relu"))
        vision.add(L.MaxPooling2D((2, 2)))
    vision.add(L.Flatten())
    image = L.Input(shape=(224, 224, 3))
    question = L.Input(shape=(100,), dtype="int32")
    asked = L.LSTM(256)(L.Embedding(input_dim=10000, output_dim=256)(question))
    merged = L.concatenate([asked, vision(image)])  # 256 + 160,000
    answer = L.Dense(1000, activation="softmax")(merged)
    return compiled(K.models.Model([image, question], answer), "categorical_crossentropy")


def vqa_data(rng: np.random.Generator, n: int) -> tuple:
    image = rng.random((n, 224, 224, 3), "float32")
    question = rng.integers(1, 10000, size=(n, 100), dtype="int32")
    return [image, question], one_hot(rng.integers(1000, size=n), 1000)


ROWS = {
    "mlp": Row(mlp, mlp_data, 6400, 32, 10, "784-64-64-10 perceptron, batch 32"),
    "td": Row(td, td_data, 1280, 32, 6, "the perceptron over 20 steps, batch 32"),
    "news": Row(news, news_data, 1280, 32, 4, "Embedding 10000x512, LSTM 32, two outputs, batch 32"),
    "tweets": Row(tweets, tweets_data, 320, 32, 4, "one LSTM(64) on two (140, 256) inputs, batch 32"),
    "inception": Row(inception, inception_data, 8, 4, 2, "inception module, 256x256, batch 4"),
    "digits": Row(digits, digits_data, 320, 32, 4, "shared vision model on two 27x27 digits, batch 32"),
    "vqa": Row(vqa, vqa_data, 8, 4, 2, "visual question answering, 160 million weights, batch 4"),
}
