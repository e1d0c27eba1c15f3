"""Constants in the calls of TensorFlow's functions, as they stand in a graph of today."""

from typing import Any


def argument(word: str, value: Any) -> Any:
    """A constant as it stands in a call: lists of numbers for a tensor as an array, others as tuples."""
    if word == "dtype":
        return value if isinstance(value, str) else None
    if not isinstance(value, (list, tuple)) or _holds_tensors(value):
        return value
    if word in ("x", "x1", "x2", "xs", "condition", "indices", "values"):
        flat = value
        while flat and isinstance(flat[0], (list, tuple)):
            flat = flat[0]
        kind = {bool: "bool", int: "int32"}.get(type(flat[0]) if flat else float, "float32")
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": kind}}
    return _tuples(value)


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("class_name") == "__keras_tensor__"
    return isinstance(value, (list, tuple)) and any(_holds_tensors(v) for v in value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def special(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """A value that JSON has no form for, such as a slice."""
    return {"class_name": f"__{name}__", "config": config}
