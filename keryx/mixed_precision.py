"""Weights in float32, computation in a smaller float: `keras.mixed_precision`'s names for the dtype policy."""

from keryx import lazy
from keryx.config import set_dtype_policy as set_dtype_policy
from keryx.core.dtypes import DTypePolicy as DTypePolicy
from keryx.core.dtypes import dtype_policy as dtype_policy

# Their names in Keras 2.
Policy = DTypePolicy
global_policy, set_global_policy = dtype_policy, set_dtype_policy

__getattr__, __dir__ = lazy.exports(__name__, {"keryx.optimizers": "LossScaleOptimizer"})
