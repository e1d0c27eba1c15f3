"""What is trained was settled by compile() in Keras 1 and 2: whoever froze a model later froze it for others.

So a discriminator that is compiled, then frozen within a model around it, went on to learn when it was trained itself.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keryx.core.owner import Owner

_at_compile: weakref.WeakKeyDictionary[Any, dict[Owner, bool]] = weakref.WeakKeyDictionary()


def _within(model: Owner) -> list[Owner]:
    found: dict[Owner, None] = {}
    waiting: list[Owner] = [model]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = None
            waiting += one.children()
    return list(found)


def settle(model: Any) -> None:
    """Note what is trained of a model that is compiled now."""
    _at_compile[model] = {one: one._trainable for one in _within(model)}


@contextmanager
def as_compiled(model: Any) -> Iterator[None]:
    """A block in which of a model is trained what was when it was compiled."""
    settled = _at_compile.get(model, {})
    before = {one: one._trainable for one in _within(model)}
    for one in before:
        one._trainable = settled.get(one, one._trainable)
    try:
        yield
    finally:
        for one, trained in before.items():
            one._trainable = trained
