"""What a model of an older file was compiled with, and where its optimizer stood."""

import math
from typing import Any

import jax
import numpy as np

from keryx.core import codec
from keryx.errors import ConfigError, KeryxError, warn
from keryx.saving import layout
from keryx.saving.hdf5 import Array, Group
from keryx.saving.old import weights_h5
from keryx.saving.old.arrays import Origin
from keryx.saving.old.tf_keras import product_of_momenta
from keryx.saving.old.translate import is_today, to_today


def compile_arguments(config: dict[str, Any], version: str | None) -> dict[str, Any]:
    """The arguments of `compile` that a file's `training_config` stands for.

    Raises:
        ConfigError: Where it names what there is not.
    """
    if not isinstance(config, dict) or not isinstance(config.get("optimizer_config"), dict):
        raise ConfigError("The file's training_config does not say which optimizer there was: damaged.")
    from keryx import optimizers

    given = {key: to_today(config.get(key), version) for key in _GIVEN}
    made = {key: codec.deserialize(value) for key, value in given.items() if value is not None}
    optimizer = to_today(config["optimizer_config"], version)
    return made | {"optimizer": optimizers.deserialize(optimizer)}


_GIVEN = ("loss", "loss_weights", "metrics", "weighted_metrics")


def restore_optimizer(model: Any, group: Group, weights: Group, origin: Origin) -> None:
    """Give the optimizer of a compiled model the state that a file keeps; where that does not fit, warn.

    Keras 3 and tf.keras from 2.11 on keep what belongs to a weight together, in Keras 3's order; before, each slot had
    a block of its own, in the order of the weights. Keras 1 did not always count the steps.
    """
    arrays = [group[name] for name in weights_h5.texts(group, "weight_names")]
    optimizer = model.optimizer
    trained = set(model.trainable_variables)
    optimizer.build({path: v for path, v in model.named_variables.items() if v in trained})
    try:
        if not all(isinstance(one, Array) for one in arrays):
            raise _Unfit("one of the arrays it names is none")
        values = [one.array() for one in arrays]
        optimizer.state = _state(model, values, _is_by_weight(origin, group), origin, weights)
    except (_Unfit, KeryxError) as error:
        optimizer.forget()
        warn(
            f"The state of the optimizer in the file does not fit {type(optimizer).__name__} here ({error}): it begins "
            "anew. The weights are the file's."
        )


class _Unfit(Exception):
    pass


def _is_by_weight(origin: Origin, group: Group) -> bool:
    """Whether the slots of one weight stand together."""
    if is_today(origin.version):
        return True
    names = weights_h5.texts(group, "weight_names")
    return bool(names) and names[0].partition(":")[0] == "iteration"


def _state(model: Any, arrays: list[np.ndarray], by_weight: bool, origin: Origin, weights: Group) -> Any:
    optimizer = model.optimizer
    state = optimizer.state
    scalars = 0
    while scalars < len(arrays) and arrays[scalars].shape == ():
        scalars += 1
    counts, rest = arrays[:scalars], arrays[scalars:]
    if counts:
        state["iteration"] = np.asarray(counts[0]).astype(np.int32)
    if is_today(origin.version) and "learning_rate" in state and len(counts) > 1:
        state["learning_rate"] = np.asarray(counts[1], np.float32)
    if not rest:  # of an optimizer that had taken no step
        return state
    if by_weight:
        return _in_todays_order(optimizer, state, rest)
    return _in_blocks(model, state, rest, origin, weights)


def _in_todays_order(optimizer: Any, state: Any, arrays: list[np.ndarray]) -> Any:
    leaves, nest = jax.tree.flatten(state)
    numbers = jax.tree.unflatten(nest, list(range(len(leaves))))
    counts = numbers["iteration"], numbers.get("learning_rate")
    order = [i for i in layout.in_order(optimizer, numbers, list(optimizer.owners)) if i not in counts]
    if "product" in state and len(arrays) == len(order) - 1:  # tf.keras does not write Nadam's down
        arrays = [*arrays, product_of_momenta(optimizer.beta_1, int(state["iteration"]))]
    if len(order) != len(arrays):
        raise _Unfit(f"{len(arrays)} arrays, where it keeps {len(order)}")
    for i, array in zip(order, arrays, strict=True):
        leaves[i] = _fitting(np.asarray(array), leaves[i])
    return jax.tree.unflatten(nest, leaves)


def _in_blocks(model: Any, state: Any, arrays: list[np.ndarray], origin: Origin, weights: Group) -> Any:
    owners = {v: path for path, v in model.optimizer.owners.items()}
    named = weights_h5.named_parts(weights, model, origin)
    kept = [(part, names) for part, names in named if set(part.variables) <= owners.keys()]
    order = [(k, name) for k, (_, names) in enumerate(kept) for name in names]
    if origin.is_keras_1:  # which sorted the weights by their names
        order.sort(key=lambda one: one[1])
    slots = list(model.optimizer.slots())
    if len(arrays) < len(order) * len(slots):
        raise _Unfit(f"{len(arrays)} arrays, where {len(slots)} for each of {len(order)} weights are wanted")
    for slot in slots:
        block = dict(zip(order, arrays, strict=False))
        arrays = arrays[len(order) :]
        for k, (part, names) in enumerate(kept):
            values = part.read([block[k, name] for name in names], origin)
            for variable, value in zip(part.variables, values, strict=True):
                path = owners[variable]
                state[slot][path] = _fitting(value, state[slot][path])
    if "product" in state:
        state["product"] = product_of_momenta(model.optimizer.beta_1, int(state["iteration"]))
    return state


def _fitting(array: np.ndarray, leaf: Any) -> np.ndarray:
    if tuple(array.shape) != tuple(leaf.shape):
        raise _Unfit(f"an array of {array.shape}, where {tuple(leaf.shape)} is wanted")
    if math.prod(array.shape) and array.dtype.kind not in "fiuV":
        raise _Unfit(f"an array of {array.dtype}")
    return np.array(array, leaf.dtype)
