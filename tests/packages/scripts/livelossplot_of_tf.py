"""livelossplot's callback for tf.keras."""

from livelossplot import PlotLossesKerasTF
from livelossplot.outputs import ExtremaPrinter
from tensorflow import keras

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
printer = ExtremaPrinter()
ones = [[1.0] * 4] * 8
model.fit(ones, [[1.0]] * 8, epochs=2, callbacks=[PlotLossesKerasTF(outputs=[printer])], verbose=0)
result = {"told": printer.last_message}
