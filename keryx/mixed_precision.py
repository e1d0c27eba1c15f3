"""Weights in float32, computation in a smaller float: `keras.mixed_precision`'s names for the dtype policy."""

from keryx.config import set_dtype_policy as set_global_policy
from keryx.core.dtypes import DTypePolicy
from keryx.core.dtypes import dtype_policy as global_policy

Policy = DTypePolicy
__all__ = ["DTypePolicy", "Policy", "global_policy", "set_global_policy"]
