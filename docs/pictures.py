"""The pictures of the documentation, drawn anew from the models that they show.

    python docs/pictures.py [FOLDER]

They are SVG files, by default in docs/images/; `tests/test_pictures_files.py` sees to it that those are
as they would be drawn today.
"""

import sys
from pathlib import Path

import keryx
from keryx import layers
from keryx.visualization.model import layout, picture, rows, svg


def two_inputs() -> keryx.Model:
    """Two inputs, two outputs: how often will a headline be passed on?"""
    headline = keryx.Input((100,), dtype="int32", name="main_input")
    read = layers.LSTM(32, name="lstm")(layers.Embedding(10000, 512, name="embedding")(headline))
    early = layers.Dense(1, activation="sigmoid", name="aux_output")(read)
    extra = keryx.Input((5,), name="aux_input")
    x = layers.Concatenate(name="concatenate")([read, extra])
    x = layers.Dense(64, activation="relu", name="dense")(x)
    answer = layers.Dense(1, activation="sigmoid", name="main_output")(x)
    return keryx.Model([headline, extra], [answer, early], name="news")


def shared_model() -> keryx.Model:
    """A model within a model, called twice: do two images show the same digit?"""
    digit = keryx.Input((27, 27, 1), name="digit")
    x = layers.MaxPooling2D(name="pool")(layers.Conv2D(64, 3, activation="relu", name="conv")(digit))
    vision = keryx.Model(digit, layers.Flatten(name="flatten")(x), name="vision")
    pair = [keryx.Input((27, 27, 1), name=f"digit_{which}") for which in "ab"]
    both = layers.Concatenate(name="concatenate")([vision(one) for one in pair])
    return keryx.Model(pair, layers.Dense(1, activation="sigmoid", name="same")(both), name="same_digit")


def residual() -> keryx.Model:
    """A residual block, from left to right."""
    image = keryx.Input((32, 32, 16), name="image")
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv_1")(image)
    x = layers.Conv2D(16, 3, padding="same", name="conv_2")(x)
    return keryx.Model(image, layers.ReLU(name="relu")(layers.Add(name="add")([x, image])), name="block")


MODELS = {"two_inputs": (two_inputs, "TB"), "shared_model": (shared_model, "TB"), "residual": (residual, "LR")}


def draw(name: str) -> str:
    """One of them as SVG; models within are open."""
    make, direction = MODELS[name]
    read = picture.of(make())
    drawing = layout.place(read, rows.Shown(), {box.key for box in read.walk()}, direction)
    return svg.document(drawing, f"Model {read.title}") + "\n"


def main(folder: str = str(Path(__file__).parent / "images")) -> None:
    """Write all of them."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        (Path(folder) / f"{name}.svg").write_text(draw(name), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
