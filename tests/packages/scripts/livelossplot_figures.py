"""livelossplot: the curves of a training, as a figure and as text."""

from pathlib import Path

import keras
import numpy as np
from livelossplot import PlotLossesKeras
from livelossplot.outputs import ExtremaPrinter, MatplotlibPlot
from PIL import Image

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
printer = ExtremaPrinter()
plot = PlotLossesKeras(outputs=[MatplotlibPlot(figpath="curves_{i}.png"), printer])
history = model.fit(x, x[:, :1], epochs=3, validation_split=0.25, callbacks=[plot], verbose=0)
figures = sorted(Path().glob("curves_*.png"))
result = {
    "figures": [[path.name, float(np.asarray(Image.open(path)).std())] for path in figures],
    "told": printer.last_message,
    "history": history.history,
}
