"""An optimizer put together with Optax.

pip install 'keryx[examples]' && python examples/integrations/optax_chain.py
"""

import optax
from sklearn.datasets import load_digits

import keryx
from keryx import layers


def main(epochs=20, batch_size=64):
    keryx.utils.set_random_seed(0)
    digits = load_digits()
    steps = epochs * (len(digits.data) // batch_size)

    rule = optax.chain(
        optax.adaptive_grad_clip(0.1),
        optax.scale_by_lion(),
        optax.add_decayed_weights(1e-3),
        optax.scale_by_learning_rate(optax.warmup_cosine_decay_schedule(0.0, 1e-3, steps // 10, steps)),
    )

    image = layers.Input((64,))
    x = layers.Dense(64, activation="relu")(image)
    model = keryx.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile(keryx.optimizers.OptaxOptimizer(rule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = digits.data / 16, digits.target
    history = model.fit(*data, validation_split=0.2, batch_size=batch_size, epochs=epochs, verbose=2)
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
