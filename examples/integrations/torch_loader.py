"""Data that PyTorch's DataLoader serves; its tensors are taken as they come.

pip install 'keryx[examples]' torch && python examples/integrations/torch_loader.py
"""

import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

import keryx
from keryx import layers


def main(epochs=20):
    keryx.utils.set_random_seed(0)
    order = torch.Generator().manual_seed(0)
    digits = load_digits()
    rows = TensorDataset(torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target))
    train, test = random_split(rows, [0.8, 0.2], generator=order)
    train, test = DataLoader(train, batch_size=64, shuffle=True, generator=order), DataLoader(test, batch_size=64)

    image = layers.Input((64,))
    x = layers.Dense(64, activation="relu")(image)
    model = keryx.Model(image, layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, epochs=epochs, validation_data=test, verbose=2)
    return history.history["val_accuracy"][-1]


if __name__ == "__main__":
    main()
