"""Keryx: Keras's functional API as one small, fast library on JAX."""

from keryx import activations as activations
from keryx import backend as backend
from keryx import callbacks as callbacks
from keryx import config as config
from keryx import constraints as constraints
from keryx import initializers as initializers
from keryx import layers as layers
from keryx import losses as losses
from keryx import metrics as metrics
from keryx import models as models
from keryx import ops as ops
from keryx import random as random
from keryx import regularizers as regularizers
from keryx import utils as utils
from keryx.core.symbol import SymbolicTensor as SymbolicTensor
from keryx.core.variable import Variable as Variable
from keryx.layers import Input as Input
from keryx.layers import Layer as Layer
from keryx.models import Model as Model
from keryx.models import Sequential as Sequential

KerasTensor = SymbolicTensor

__version__ = "0.1.0"


def __getattr__(name: str):
    if name == "optimizers":  # Optax is imported with the first optimizer
        import importlib

        return importlib.import_module("keryx.optimizers")
    raise AttributeError(f"module 'keryx' has no attribute {name!r}")
