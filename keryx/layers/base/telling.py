"""What an error says that came up in the call of a layer: imported only when there is one."""

from typing import Any

import jax

from keryx.core import mistaken, scope
from keryx.core.symbol import describe
from keryx.errors import ArgumentError, KeryxError


def told(layer: Any, error: Exception, args: tuple) -> Exception:
    """The error, or a better one, with a note of the layer in which it came up: the innermost one, by its path."""
    if any("In layer" in note for note in getattr(error, "__notes__", ())):
        return error
    title = getattr(layer, "title", type(layer).__name__) if "name" in vars(layer) else type(layer).__name__
    others = mistaken.no_tensors(args[:1])
    if others and (not isinstance(error, KeryxError) or isinstance(error, ValueError)):
        got = f"{title} is called on tensors; got {mistaken.described(others[0])}."
        error = ArgumentError(got).with_traceback(error.__traceback__)
    error = mistaken.retold(error, f"{title}.call()")
    shapes = ", ".join(describe(x.shape, x.dtype) for x in jax.tree.leaves(args) if hasattr(x, "shape"))
    path = "/".join((*scope.names(), getattr(layer, "name", "?")))
    error.add_note(f"In layer {path!r} ({type(layer).__name__}), called on {shapes or 'no tensor'}.")
    return error
