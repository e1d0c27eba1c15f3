"""Keryx: Keras's functional API as one small, fast library on JAX."""

from keryx import activations as activations
from keryx import backend as backend
from keryx import callbacks as callbacks
from keryx import config as config
from keryx import constraints as constraints
from keryx import export as export
from keryx import initializers as initializers
from keryx import layers as layers
from keryx import lazy as _lazy
from keryx import losses as losses
from keryx import metrics as metrics
from keryx import mixed_precision as mixed_precision
from keryx import models as models
from keryx import ops as ops
from keryx import random as random
from keryx import regularizers as regularizers
from keryx import runtime as runtime
from keryx import saving as saving
from keryx import tree as tree
from keryx import utils as utils
from keryx.core.dtypes import DTypePolicy as DTypePolicy
from keryx.core.symbol import SymbolicTensor as SymbolicTensor
from keryx.core.variable import Variable as Variable
from keryx.initializers import Initializer as Initializer
from keryx.layers import Input as Input
from keryx.layers import Layer as Layer
from keryx.losses import Loss as Loss
from keryx.metrics import Metric as Metric
from keryx.models import Model as Model
from keryx.models import Sequential as Sequential
from keryx.ops import symbolic as _operators  # noqa: F401  # symbolic tensors and variables have them from here on
from keryx.regularizers import Regularizer as Regularizer

KerasTensor = SymbolicTensor

__version__ = "0.1.0"


def version() -> str:
    """The version of Keryx."""
    return __version__


# Layers that applications alone use.
layers.registry.homes |= {
    "CustomScaleLayer": "keryx.applications.inception_resnet_v2",
    "LayerScale": "keryx.applications.convnext",
}

# What most programs do without; Optax is imported with the first optimizer.
__getattr__, __dir__ = _lazy.exports(
    __name__,
    {
        "keryx.optimizers": "optimizers Optimizer",
        "keryx.core.dtypes": "FloatDTypePolicy",
        "keryx.core.function": "Function Operation",
        "keryx.core.remat": "RematScope remat",
        "keryx.core.scopes": "StatelessScope SymbolicScope device name_scope",
        "keryx.layers.base.input_spec": "InputSpec",
        "keryx.compat.notebook": "load_ipython_extension",
        "keryx.applications": "",
        "keryx.compat": "",
        "keryx.datasets": "",
        "keryx.distillation": "",
        "keryx.dtype_policies": "",
        "keryx.legacy": "",
        "keryx.preprocessing": "",
        "keryx.testing": "",
        "keryx.visualization": "",
        "keryx.wrappers": "",
    },
)
