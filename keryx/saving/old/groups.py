"""Weights layer by layer, as `.h5` files keep them: how they are written. Keras 2 and 3 read such files alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keryx.core.names import untaken
from keryx.saving import layout
from keryx.saving.hdf5_writer import Group

TOP = "top_level_model_weights"
_MAX_ATTRIBUTE = 64_512  # bytes of a list of names; a longer one is cut into pieces


@contextmanager
def groups(model: Any, keras_version: str) -> Iterator[Group]:
    """A block that is given the groups of a model's weights, which are those of one moment."""
    taken: dict[str, int] = {}  # two layers may have one name; the file goes by their order, too
    layers = {untaken(layer.name, taken): _named(layer) for layer in model.layers}
    within = {v for weights in layers.values() for v in weights.values()}
    layers_and_top = layers | {TOP: {v.path: v for v in model.weights if v not in within}}
    flat = {f"{layer}/{name}": v for layer, weights in layers_and_top.items() for name, v in weights.items()}
    with layout.at_one_moment(flat) as arrays:
        about = {"backend": "jax", "keras_version": keras_version}
        root = Group(attributes={**in_pieces("layer_names", list(layers)), **about})
        for layer, weights in layers_and_top.items():
            root.members[layer] = group = Group(attributes=in_pieces("weight_names", list(weights)))
            for name in weights:
                group.put(name, arrays[f"{layer}/{name}"])
        yield root


def _named(layer: Any) -> dict[str, Any]:
    """The weights of a layer in the order of the files, those that are trained first, by the names that Keras gives."""
    taken: dict[str, int] = {}
    paths = {v: path for path, v in layer.named_variables.items()}
    return {
        untaken(f"{layer.name}/{paths[v]}", taken): v for v in [*layer.trainable_weights, *layer.non_trainable_weights]
    }


def in_pieces(name: str, words: list[str]) -> dict[str, Any]:
    """An attribute that is a list of words; one that is too long for HDF5's headers as `name0`, `name1` and on.

    >>> in_pieces("layer_names", ["a", "b"])
    {'layer_names': ['a', 'b']}
    """
    width = max((len(word.encode()) for word in words), default=1)
    count = max(_MAX_ATTRIBUTE // max(width, 1), 1)
    if len(words) <= count:
        return {name: words}
    return {f"{name}{i}": words[k : k + count] for i, k in enumerate(range(0, len(words), count))}
