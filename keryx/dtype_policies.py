"""The names of `keras.dtype_policies`: which dtype weights have, and which layers compute in."""

from typing import Any

from keryx.core import codec, dtypes
from keryx.core.dtypes import DTypePolicy as DTypePolicy
from keryx.core.dtypes import FloatDTypePolicy as FloatDTypePolicy
from keryx.core.dtypes import get as get
from keryx.core.policy_map import DTypePolicyMap as DTypePolicyMap


def serialize(dtype_policy: DTypePolicy) -> Any:
    """The policy as plain data.

    >>> serialize(DTypePolicy("mixed_bfloat16"))["config"]
    {'name': 'mixed_bfloat16'}
    """
    return codec.serialize(dtype_policy)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> DTypePolicy:
    """The policy that `serialize` wrote down, or Keras.

    >>> deserialize({"class_name": "DTypePolicy", "config": {"name": "bfloat16"}}).name
    'bfloat16'
    """
    policy: DTypePolicy = codec.deserialize(config, dtypes.registry, custom_objects)
    return policy
