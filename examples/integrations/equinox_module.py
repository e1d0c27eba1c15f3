"""A module of Equinox as a layer: written for one row, here called on batches.

pip install 'keryx[examples,equinox]' && python examples/integrations/equinox_module.py
"""

import equinox as eqx
import jax
from sklearn.datasets import load_digits

import keryx
from keryx import layers


def main(epochs=20):
    keryx.utils.set_random_seed(0)
    digits = load_digits()
    reader = eqx.nn.MLP(in_size=64, out_size=32, width_size=64, depth=2, key=jax.random.key(0))

    image = layers.Input((64,))
    x = layers.from_equinox(reader, name="reader")(image)  # vmap over the batch, unless vmap=False
    model = keryx.Model(image, layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(digits.data / 16, digits.target, validation_split=0.2, epochs=epochs, verbose=2)

    # The module with what it has learned, for programs of Equinox.
    learned = model.get_layer("reader").module
    print(f"One row, by the module itself: {learned(digits.data[0] / 16).shape}")
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
