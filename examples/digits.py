"""Read handwritten digits with a model of two branches.

    pip install '.[examples]' && python examples/digits.py

Data may flow along more than one path: here convolutions look at the image, a dense layer looks at how
much ink lies in every row and column, and the answer is drawn from both. Scikit-learn brings the 1,797 digits.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keryx
from keryx import layers


def nudged(images):
    """Every image five times: as it is, and moved by a pixel up, down, left and right."""
    edged = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    corners = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    return np.concatenate([edged[:, top : top + 8, left : left + 8] for top, left in corners])


def views(images):
    """What the two inputs see: (n, 8, 8, 1) of ink from 0 to 1, and (n, 16) of ink by row and by column."""
    profile = np.concatenate([images.mean(axis=2), images.mean(axis=1)], axis=1)[..., 0]
    return {"image": images, "profile": profile}


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
    pictures = shades[(images[..., 0] * 9).astype(int)].repeat(2, axis=-1)  # (n, 8, 16)
    for row in pictures.swapaxes(0, 1):
        print("   ".join("".join(line) for line in row).rstrip())
    for word, digits in (("model", said), ("truth", truth)):
        print("   ".join(f"{word}: {digit}".ljust(16) for digit in digits).rstrip())
    print()


def main(epochs=8, batch_size=64):
    keryx.utils.set_random_seed(0)
    digits = load_digits()
    images = digits.images.astype("float32")[..., None] / 16
    train, test, train_digits, test_digits = train_test_split(
        images, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    train, train_digits = nudged(train), np.tile(train_digits, 5)

    model = build()
    model.summary()
    steps = epochs * -(-len(train) // batch_size)
    model.compile(
        optimizer=keryx.optimizers.Adam(keryx.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    held_out = (views(test), test_digits)
    model.fit(views(train), train_digits, batch_size=batch_size, epochs=epochs, validation_data=held_out)

    chances = model.predict(views(test), verbose=0)  # (n, 10)
    said = chances.argmax(axis=1)
    accuracy = np.mean(said == test_digits)
    print(f"\n{accuracy:.1%} of {len(test)} held-out digits read right. Four of them:\n")
    show(test[:4], said[:4], test_digits[:4])

    hard = chances.max(axis=1).argsort()[:4]
    print("The four that the model was least sure of:\n")
    show(test[hard], said[hard], test_digits[hard])
    return accuracy


if __name__ == "__main__":
    main()
