"""A data set of Hugging Face's `datasets`, whose columns are read batch by batch.

pip install 'keryx[examples]' datasets && python examples/integrations/hugging_face_dataset.py
"""

from datasets import Dataset
from sklearn.datasets import load_digits

import keryx
from keryx import layers


class Batches:
    """The batches of a data set, in an order of its own each time it is asked for them."""

    def __init__(self, rows, size, shuffle=False):
        self.rows, self.size, self.shuffle = rows.with_format("numpy"), size, shuffle

    def __len__(self):
        return -(-len(self.rows) // self.size)

    def __iter__(self):
        rows = self.rows.shuffle() if self.shuffle else self.rows
        for batch in rows.iter(self.size):
            yield batch["image"], batch["digit"]


def main(epochs=20):
    keryx.utils.set_random_seed(0)
    digits = load_digits()
    rows = Dataset.from_dict({"image": (digits.data / 16).astype("float32"), "digit": digits.target})
    parts = rows.train_test_split(test_size=0.2, seed=0)
    train, test = Batches(parts["train"], 64, shuffle=True), Batches(parts["test"], 64)

    image = layers.Input((64,))
    x = layers.Dense(64, activation="relu")(image)
    model = keryx.Model(image, layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, epochs=epochs, validation_data=test, verbose=2)
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
