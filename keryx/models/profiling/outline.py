"""What the summary of a model tells of its calls: the shapes that come out of them, and their FLOPs."""

from collections import defaultdict
from typing import Any

import jax
import numpy as np

from keryx.models.profiling.calls import Call, inputs_like, outlined, traced
from keryx.models.profiling.operations import Program
from keryx.models.structure import Structure


def output_shapes(model: Any) -> dict[Any, list[tuple]]:
    """By layer, the shapes of its outputs, where a subclass is at work, whose calls no graph has written down."""
    found: dict[Any, list[tuple]] = {}
    if model.built and any(not one.has_graph and one.built for one in (model, *_models_in(model))):
        for call in outlined(model):
            found.setdefault(call.operation, []).extend(x.shape for x in jax.tree.leaves(call.outputs))
    return found


def _models_in(model: Any) -> list[Any]:
    inner = [layer for layer in model.layers if isinstance(layer, Structure)]
    return [*inner, *(one for layer in inner for one in _models_in(layer))]


def flops(model: Any) -> dict[Any, float] | None:
    """By layer, op and model, the floating-point operations of one row forward; None where no sizes are known."""
    calls = _of_one_row(model)
    if calls is None:
        return None
    found: dict[Any, float] = defaultdict(float)
    for call in calls:
        values = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in call.variables]
        counted = Program(call.function(), values, jax.ShapeDtypeStruct((2,), np.uint32), call.arrays).flops
        for operation in {call.operation, *call.models, model}:
            found[operation] += counted
    return found


def _of_one_row(model: Any) -> list[Call] | None:
    for specs in inputs_like(model, 1) if model.built else []:
        if any(None in spec.shape for spec in jax.tree.leaves(specs)):
            return None
        try:
            return traced(model, jax.tree.map(lambda spec: jax.ShapeDtypeStruct(spec.shape, spec.dtype), specs))
        except Exception:  # floats, where integers are wanted
            if model.has_graph:
                raise
    return None
