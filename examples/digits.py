"""Read handwritten digits with a model of two branches: `pip install '.[examples]' && python examples/digits.py`.

A functional model earns its name when data flows along more than one path. Here a convolution looks at the image,
a dense layer looks at how much ink lies in each row and column, and the answer is drawn from both.
The 1,797 digits of 8x8 pixels come with scikit-learn; a quarter of them is held out.
"""

import keryx
import numpy as np
from keryx import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def load():
    """Images (n, 8, 8, 1) of ink from 0 to 1, profiles (n, 16) of ink by row and by column, digits (n,)."""
    digits = load_digits()
    images = digits.images.astype("float32")[..., None] / 16
    profiles = np.concatenate([images.mean(axis=2), images.mean(axis=1)], axis=1)[..., 0]
    return images, profiles, digits.target


def build():
    image = layers.Input(shape=(8, 8, 1), name="image")
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(image)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.3)(x)
    seen = layers.Flatten()(x)

    profile = layers.Input(shape=(16,), name="profile")
    weighed = layers.Dense(32, activation="relu")(profile)

    x = layers.concatenate([seen, weighed])
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.4)(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    return keryx.Model(inputs=[image, profile], outputs=digit)


def show(images, said, truth):
    """Digits side by side, in ink of ten shades."""
    shades = np.array(list(" .:-=+*#%@"))
    for row in range(8):
        print(
            "   ".join("".join(np.repeat(shades[(image[row, :, 0] * 9).astype(int)], 2)) for image in images)
        )
    for word, digits in (("model", said), ("truth", truth)):
        print("   ".join(f"{word}: {digit}".ljust(16) for digit in digits))
    print()


def main():
    keryx.utils.set_random_seed(0)
    images, profiles, digits = load()
    train, held_out = train_test_split(
        np.arange(len(digits)), test_size=0.25, stratify=digits, random_state=0
    )

    model = build()
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        {"image": images[train], "profile": profiles[train]},
        digits[train],
        epochs=30,
        batch_size=32,
        validation_data=({"image": images[held_out], "profile": profiles[held_out]}, digits[held_out]),
    )

    chances = model.predict([images[held_out], profiles[held_out]], verbose=0)
    said, truth = chances.argmax(axis=1), digits[held_out]
    accuracy = np.mean(said == truth)
    print(f"\n{accuracy:.2%} of {len(truth)} held-out digits read right. Four of them:\n")
    show(images[held_out][:4], said[:4], truth[:4])

    hard = chances.max(axis=1).argsort()[:4]
    print("The four that the model was least sure of:\n")
    show(images[held_out][hard], said[hard], truth[hard])
    return accuracy


if __name__ == "__main__":
    main()
