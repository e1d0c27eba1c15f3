"""A training in small on the native kernels, for a processor that is emulated: see .ci/emulate.

python tests/native/one_training.py weights.npz            writes the weights that XLA alone comes to
python tests/native/one_training.py weights.npz avx2       comes to the same on the native library for AVX2
"""

import sys

import numpy as np

import keryx
from keryx import layers


def train():
    """The loss of each epoch, and the weights after the last."""
    keryx.utils.set_random_seed(0)
    image = layers.Input((8, 8, 8))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(2)(x)
    words = layers.Input((6,), dtype="int32")
    y = layers.LSTM(8)(layers.Embedding(20, 8)(words))
    z = layers.concatenate([layers.GlobalAveragePooling2D()(x), y])
    model = keryx.Model([image, words], layers.Dense(3, activation="softmax")(z))
    model.compile("adam", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    data = [random.normal(size=(32, 8, 8, 8)).astype("float32"), random.integers(0, 20, (32, 6))]
    history = model.fit(data, random.integers(0, 3, 32), batch_size=16, epochs=3, verbose=0)
    return [np.array(history.history["loss"]), *model.get_weights()]


def main(path, instruction_set=None):
    keryx.config.set_kernels("xla" if instruction_set is None else "native")
    found = train()
    print(keryx.kernels.report())
    if instruction_set is None:
        np.savez(path, *found)
        return
    assert keryx.kernels.report().library == instruction_set
    served = keryx.kernels.report().served
    assert all("native" in calls for name, calls in served.items()), served
    with np.load(path) as wanted:
        for got, name in zip(found, wanted.files, strict=True):
            np.testing.assert_allclose(got, wanted[name], rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    main(*sys.argv[1:])
