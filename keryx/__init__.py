"""Keryx: Keras's functional API as one small, fast library on JAX."""

from keryx import activations as activations
from keryx import config as config
from keryx import constraints as constraints
from keryx import initializers as initializers
from keryx import layers as layers
from keryx import ops as ops
from keryx import regularizers as regularizers
from keryx.core.symbol import SymbolicTensor as KerasTensor
from keryx.core.symbol import SymbolicTensor as SymbolicTensor
from keryx.core.variable import Variable as Variable
from keryx.layers import Input as Input
from keryx.layers import Layer as Layer

__version__ = "0.1.0"
