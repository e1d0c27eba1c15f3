"""Layers, by Keras's names."""

from keryx.layers.core import Activation as Activation
from keryx.layers.core import Dense as Dense
from keryx.layers.input import Input as Input
from keryx.layers.input import InputLayer as InputLayer
from keryx.layers.layer import InputSpec as InputSpec
from keryx.layers.layer import Layer as Layer
