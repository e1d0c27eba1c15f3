"""tqdm.keras: bars over epochs and batches."""

import io

import keras
import numpy as np
from tqdm.keras import TqdmCallback

x = np.ones((64, 4), "float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
result = {}
for verbose in (0, 1, 2):
    written = io.StringIO()
    bars = TqdmCallback(verbose=verbose, file=written, mininterval=0, ascii=True)
    model.fit(x, x[:, :1], batch_size=16, epochs=2, callbacks=[bars], verbose=0)
    result[verbose] = {
        "text": written.getvalue(),
        "epochs": [bars.epoch_bar.n, bars.epoch_bar.total],
        "batches": [bars.batch_bar.n, bars.batch_bar.total] if verbose else None,
    }
