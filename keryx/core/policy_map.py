"""A dtype policy for each layer of a model, by its path."""

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from keryx.core import dtypes
from keryx.core.codec import serialize
from keryx.errors import ArgumentError, listing


@dtypes.registry.register()
class DTypePolicyMap(dtypes.DTypePolicy, MutableMapping):
    """A dtype policy for each path of a layer, such as `encoder/dense`.

    A key is a path, or a regular expression that the whole of a path has to match. Given to a layer as its `dtype`, it
    holds for that layer and those within that are made with `dtype=self.dtype_policy`.

    Args:
        default_policy: Of the paths that no key is for; the default policy of the process unless given.
        policy_map: A dict of policies by key.

    Raises:
        ArgumentError: Where the default is a map, a key is there already, or more than one expression matches a path.

    >>> policies = DTypePolicyMap("float32", {"encoder/.*": "mixed_bfloat16"})
    >>> policies["encoder/dense"].compute_dtype, policies["head"].compute_dtype
    ('bfloat16', 'float32')
    """

    config_module = "keras.dtype_policies"

    def __init__(self, default_policy: Any = None, policy_map: dict[str, Any] | None = None):
        if isinstance(default_policy, DTypePolicyMap):
            raise ArgumentError("The default of a DTypePolicyMap is a policy, not another map.")
        if not isinstance(policy_map or {}, dict):
            raise ArgumentError(f"DTypePolicyMap() wants a dict of policies by key; got {policy_map!r}.")
        self._given = default_policy
        self.policy_map: dict[str, dtypes.DTypePolicy] = {}
        for key, policy in (policy_map or {}).items():
            self[key] = policy
        self.compute_dtype, self.variable_dtype = self.default_policy.compute_dtype, self.default_policy.variable_dtype

    @property
    def default_policy(self) -> dtypes.DTypePolicy:
        """The policy of the paths that no key is for."""
        return dtypes.get(self._given)

    @property
    def name(self) -> str:  # type: ignore[override]
        """`map_` and the name of the default."""
        return f"map_{self.default_policy.name}"

    def __getitem__(self, key: str) -> dtypes.DTypePolicy:
        if key in self.policy_map:
            return self.policy_map[key]
        matching = [pattern for pattern in self.policy_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ArgumentError(f"The path {key!r} matches {listing(matching)}: a layer has one policy.")
        return self.policy_map[matching[0]] if matching else self.default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if not isinstance(key, str) or key in self.policy_map:
            why = "there is one for it already: delete that first" if isinstance(key, str) else "a key is a string"
            raise ArgumentError(f"DTypePolicyMap[{key!r}]: {why}.")
        self.policy_map[key] = dtypes.get(policy)

    def __delitem__(self, key: str) -> None:
        del self.policy_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self.policy_map

    def __iter__(self) -> Iterator[str]:
        return iter(self.policy_map)

    def __len__(self) -> int:
        return len(self.policy_map)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicyMap) and (self._given, self.policy_map) == (other._given, other.policy_map)

    def __hash__(self) -> int:
        return hash((self.name, *self.policy_map))

    def get_config(self) -> dict[str, Any]:
        """The default as it was given, and the policies by key."""
        return {"default_policy": serialize(self._given), "policy_map": serialize(self.policy_map)}
