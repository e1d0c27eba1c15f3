"""Models built twice, in Keras and in Keryx, with the same weights and the same data."""

import copy
from typing import Any

import jax
import keras
import numpy as np

import keryx


def twins(build, weights: bool = True) -> tuple[Any, Any]:
    """`build(K)` for K = keras and K = keryx, the second with the weights of the first."""
    for library in (keras, keryx):
        library.utils.clear_session(free_memory=False)  # both count the names of unnamed things from 0
        library.utils.set_random_seed(0)
    theirs, ours = build(keras), build(keryx)
    if weights:
        ours.set_weights(theirs.get_weights())
    return theirs, ours


def compile_both(theirs, ours, **arguments) -> None:
    """Compile both; an argument that is a function of the library is called with each."""
    for library, model in ((keras, theirs), (keryx, ours)):
        given = {name: made(library, value) for name, value in arguments.items()}
        model.compile(given.pop("optimizer", "sgd"), **given)


def made(library, value: Any) -> Any:
    """`value` for this library: a `For(...)` within is called with it."""
    if isinstance(value, For):
        return value.make(library)
    if isinstance(value, dict):
        return {key: made(library, v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(made(library, v) for v in value)
    return copy.copy(value)


class For:
    """Something that each library has of its own: `For(lambda K: K.losses.MeanSquaredError())`."""

    def __init__(self, make):
        self.make = make


def same_logs(ours: dict[str, Any], theirs: dict[str, Any], tolerance: float = 1e-5) -> None:
    """The same keys in the same order, and the same numbers."""
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, tolerance, tolerance, err_msg=name)


def same_weights(ours, theirs, tolerance: float = 1e-5) -> None:
    """The same weights in the same order."""
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)


def trees_close(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    """The same nest of the same numbers."""
    ours, theirs = (jax.tree.map(np.asarray, tree) for tree in (ours, theirs))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, tolerance, tolerance), ours, theirs)
