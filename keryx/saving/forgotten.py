"""What the files of Keras do not keep: where training stands, what metrics have counted, what was drawn at random.

With it a model that is loaded goes on to the same bits as one that was never saved. It lies in the group `keryx` of the
file, which Keras passes over.
"""

import json
from typing import Any

import jax
import numpy as np

from keryx.core import plain
from keryx.core.lending import put as put_values
from keryx.core.lending import reading
from keryx.errors import FileError
from keryx.models.model import Model
from keryx.random import SeedGenerator
from keryx.saving import hdf5, layout
from keryx.saving.hdf5_writer import Group
from keryx.training.state import CLOCK
from keryx.training.step import Batch

GROUP = "keryx"


def put(model: Model, root: Group) -> None:
    """Put into a file what Keras forgets of a model."""
    state: dict[str, Any] = {"seeds": _seeds(model)}
    own = Group()
    if isinstance(model, Model) and model.compiled:
        session = model.session
        state["clock"] = {name: np.asarray(value).tolist() for name, value in session.clock.items()}
        variables = session.objective.variables if session.example is not None else {}
        with reading(list(variables.values())) as values:
            state["metrics"] = list(variables)
            for i, value in enumerate(values):
                own.put(f"metrics/{i}", np.array(value))
        if variables:
            state["targets"], state["weights"] = map(_described, (session.example.y, session.example.weight))
    own.put("state", np.frombuffer(json.dumps(state).encode(), np.uint8))  # an array, for it has a checksum
    root.members[GROUP] = own


def _seeds(model: Any) -> dict[str, list[int]]:
    return {path: [one._start, one._counter] for path, one in layout.parts(model) if isinstance(one, SeedGenerator)}


def _described(leaves: Any) -> list[Any]:
    return [None if leaf is None else [list(leaf.shape), np.dtype(leaf.dtype).name] for leaf in leaves]


def take(model: Model, root: hdf5.Group) -> None:
    """Give a model what a file holds of it that Keras forgets; nothing where that is of another model."""
    if not isinstance(own := root.get(GROUP), hdf5.Group) or "state" not in own:
        return
    state = plain.loads(own["state"].array().tobytes(), "What the file says of training")
    try:
        for path, one in layout.parts(model):
            if isinstance(one, SeedGenerator) and path in state["seeds"]:
                one._start, one._counter = map(int, state["seeds"][path])
        if isinstance(model, Model) and model.compiled and "clock" in state:
            _continue(model, state, own)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"What the file says of training is damaged: {error!r}.") from None


def _continue(model: Model, state: dict[str, Any], own: hdf5.Group) -> None:
    session = model.session
    clock = {name: np.asarray(state["clock"][name], np.uint32 if name == "key" else np.int32) for name in CLOCK}
    if clock["key"].shape != (2,) or any(value.shape for name, value in clock.items() if name != "key"):
        raise ValueError("a clock has numbers")
    session.clock = clock
    if not state.get("targets") or model.steps_by_keras or not model.has_graph:
        return
    session.begin(Batch((), *(list(map(_struct, state[what])) for what in ("targets", "weights"))))
    variables = session.objective.variables
    values = [own[f"metrics/{i}"].array() for i in range(len(state["metrics"]))]
    if list(variables) == state["metrics"] and [v.shape for v in variables.values()] == [v.shape for v in values]:
        cells = list(variables.values())
        put_values(cells, [v.owned(value) for v, value in zip(cells, values, strict=True)])


def _struct(leaf: Any) -> Any:
    return None if leaf is None else jax.ShapeDtypeStruct(tuple(leaf[0]), np.dtype(leaf[1]))
