"""Data that Grain loads: shuffled, changed and put into batches by its workers' rules.

pip install 'keryx[examples]' grain && python examples/integrations/grain_loader.py
"""

import grain
import numpy as np
from sklearn.datasets import load_digits

import keryx
from keryx import layers


def moved(row, random):
    """The digit a pixel to one side, now and then."""
    image, digit = row
    return np.roll(image, random.integers(-1, 2), axis=random.integers(2)), digit


def main(epochs=15):
    keryx.utils.set_random_seed(0)
    digits = load_digits()
    rows = list(zip(digits.images.astype("float32") / 16, digits.target, strict=True))

    train = grain.MapDataset.source(rows[:-359]).seed(0).shuffle().random_map(moved).batch(64)
    test = grain.MapDataset.source(rows[-359:]).batch(64)

    image = layers.Input((8, 8))
    x = layers.Conv1D(64, 3, activation="relu")(image)
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    model = keryx.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train.to_iter_dataset(), epochs=epochs, validation_data=test.to_iter_dataset(), verbose=2)
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
