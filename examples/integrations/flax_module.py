"""A module of Flax NNX as a layer, trained with the rest of a model.

pip install 'keryx[examples,flax]' && python examples/integrations/flax_module.py
"""

from flax import nnx
from sklearn.datasets import load_digits

import keryx
from keryx import layers


class Mixer(nnx.Module):
    """The eight rows of a digit look at each other, then each at itself."""

    def __init__(self, rngs):
        self.across = nnx.Linear(8, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.within = nnx.Linear(8, 8, rngs=rngs)

    def __call__(self, x):  # (batch, 8, 8)
        x = x + nnx.gelu(self.across(x.swapaxes(1, 2)).swapaxes(1, 2))
        return x + self.within(self.norm(x))


def main(epochs=15):
    keryx.utils.set_random_seed(0)
    digits = load_digits()
    mixer = layers.from_nnx(Mixer(nnx.Rngs(0)), name="mixer")

    image = layers.Input((8, 8))
    x = layers.Flatten()(mixer(image))
    x = layers.Dense(64, activation="relu")(x)
    model = keryx.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(digits.images / 16, digits.target, validation_split=0.2, epochs=epochs, verbose=2)

    # The module with what it has learned, averages of its BatchNorm too, for programs of Flax.
    learned = mixer.module
    print(f"BatchNorm's running means: {learned.norm.mean[...].round(2)}")
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
