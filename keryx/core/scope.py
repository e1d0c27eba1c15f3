"""The bridge between objects that own weights and pure functions of them.

Outside, a layer owns Variables, draws random numbers, adds losses and updates its state as it likes. Inside `pure`,
the same code is a function without side effects: the running Scope lends every variable a value, hands out random
keys, and collects the updates and the added losses, so that jit, grad and vmap apply to it without surprise.
"""

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from keryx.core import seeds
from keryx.errors import StateError

if TYPE_CHECKING:
    from keryx.core.variable import Variable


@dataclass(eq=False)
class Scope:
    """What the code of layers sees of the outside while it runs.

    Args:
        values: The value lent to each variable; None in an eager scope, where variables keep their own.
        key: The random key that all draws are folded from; None draws from the process's own seed.
        training: Whether layers behave as in training.
        losses: What layers have added to the loss.
        masks: The masks that travel beside arrays, and the arrays, by the identity of the array.
        autocast: The dtype that floats of the running layer are read in; None is their own.
        draws: How many keys were folded from the random key.
        gathered: What a model that was called as a pure function has added to the loss, for the `losses` of the model.
    """

    values: "dict[Variable, jax.Array] | None" = None
    key: Any = None
    training: bool = False
    losses: list[jax.Array] = field(default_factory=list)
    masks: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    autocast: str | None = None
    draws: int = 0
    gathered: list[jax.Array] | None = None

    def read(self, variable: "Variable") -> jax.Array:
        """The value of a variable, in the dtype that the running layer computes in."""
        value = None if self.values is None else self.values.get(variable)
        if value is None:
            value = variable.hand_out()
        if self.autocast and variable.autocast and jnp.issubdtype(value.dtype, jnp.floating):
            return value.astype(self.autocast)
        return value

    def write(self, variable: "Variable", value: jax.Array) -> bool:
        """Collect a new value; False where the variable itself is to keep it."""
        if self.values is None:
            return False
        self.values[variable] = value
        return True


class _Thread(threading.local):
    def __init__(self):
        self.scopes: list[Scope] = []  # that run, the innermost last
        self.names: list[str] = []  # of the layers that are being built or called, the innermost last
        self.watch: Callable | None = None  # makes the calls: (operation, call, args, kwargs) -> outputs


here = _Thread()


def current() -> Scope | None:
    """The innermost running scope."""
    return here.scopes[-1] if here.scopes else None


def names() -> tuple[str, ...]:
    """The names of the layers that are being built or called, the outermost first."""
    return tuple(here.names)


@contextmanager
def run(scope: Scope) -> Iterator[Scope]:
    """A block that runs in `scope`."""
    here.scopes.append(scope)
    try:
        yield scope
    finally:
        here.scopes.pop()


@contextmanager
def named(name: str) -> Iterator[None]:
    """A block whose variables have `name` in their path."""
    here.names.append(name)
    try:
        yield
    finally:
        here.names.pop()


@contextmanager
def watched(watch: Callable | None) -> Iterator[None]:
    """A block in which `watch(operation, call, args, kwargs)` makes each call of a layer or op; None: nobody looks."""
    before, here.watch = here.watch, watch
    try:
        yield
    finally:
        here.watch = before


def at_present(function: Callable) -> Callable:
    """`function`, to be called later within the layers that are called now: what it makes has their names."""
    within = names()

    def call(*args):
        before, here.names = here.names, list(within)
        try:
            return function(*args)
        finally:
            here.names = before

    return call


def pure(
    function: Callable, variables: "Sequence[Variable] | Mapping[str, Variable]", training: bool = False
) -> Callable:
    """`function` as a pure function of its variables, a list or a dict by path.

    Returns:
        A function `(values, key, *args, **kwargs) -> (outputs, updates, losses)`: `values` holds an array for each
        of `variables`, as a list or a dict likewise; `updates` the new value of each variable that was assigned, by
        its index or path; `losses` the scalars that were added with `add_loss`.
    """
    named = dict(variables) if isinstance(variables, Mapping) else dict(enumerate(variables))

    def call(values: Any, key, *args, **kwargs):
        if len(values) != len(named):
            raise StateError(f"{len(named)} variables want as many values; got {len(values)}.")
        lent = {variable: values[place] for place, variable in named.items()}
        with run(Scope(lent, key, training)) as scope:
            outputs = function(*args, **kwargs)
        strangers = [v for v in lent if v not in known]
        if strangers:
            raise StateError(
                f"The variable {strangers[0].path!r} was assigned while the model ran, but the model does not own it. "
                "Keep it as an attribute of one of the model's layers; a metric is updated in compute_loss() or "
                "compute_metrics(), not in call()."
            )
        updates = {place: lent[v] for place, v in named.items() if lent[v] is not values[place]}
        return outputs, updates, scope.losses

    known = set(named.values())
    return call


def updated(values: dict[str, jax.Array], updates: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """The values by path, with the updates of those among them that have one."""
    return {path: updates.get(path, value) for path, value in values.items()}


@contextmanager
def isolated() -> Iterator[Scope]:
    """A block for the body of a scan, map or cond: it may read variables, but updates and losses cannot leave it."""
    outer = current() or Scope()
    inner = Scope(dict(outer.values or {}), outer.key, outer.training)
    inner.autocast, inner.draws = outer.autocast, outer.draws
    before = dict(inner.values or {})
    with run(inner):
        yield inner
    if inner.key is outer.key:
        outer.draws = inner.draws
    changed = [v for v, value in (inner.values or {}).items() if before.get(v, v._value) is not value]
    if changed or inner.losses:
        what = f"the variable {changed[0].path!r} was assigned" if changed else "a loss was added"
        raise StateError(f"Inside a loop over time {what}; a loop can only read. Move it out of the cell.")


def random_key(seed: int | None = None) -> jax.Array:
    """A key that no one has used: folded from the scope's key, else from the process's seed."""
    scope = current()
    if scope is not None and scope.key is not None:
        scope.draws += 1
        key = jax.random.fold_in(jax.random.wrap_key_data(scope.key), scope.draws)
    else:
        start, count = seeds.first_seed()
        key = jax.random.fold_in(jax.random.key(start % 2**32), count)
    return key if seed is None else jax.random.fold_in(key, seed % 2**32)


# A mask travels beside its tensor, found by the identity of the array. Inside a scope the array is kept alive by
# the scope; outside, the mask goes when the array goes.
eager_masks: dict[int, tuple[Any, Any]] = {}


def mask_of(x: Any) -> Any:
    """The mask that travels beside `x`, boolean, True where `x` is valid; None where there is none."""
    scope = current()
    found = scope.masks.get(id(x)) if scope is not None else None
    if found is None and eager_masks:
        reference, mask = eager_masks.get(id(x), (None, None))
        return mask if reference is not None and reference() is x else None
    return found[1] if found else None


def masks_of(tree: Any) -> Any:
    """The masks that travel beside the arrays in a nest, as such a nest; None where there is none."""
    masks = jax.tree.map(mask_of, tree)
    return masks if jax.tree.leaves(masks) else None


def set_mask(x: Any, mask: Any) -> None:
    """Let `mask` travel beside `x`, where programs for Keras find it as an attribute as well."""
    with suppress(AttributeError):
        x._keras_mask = mask
    scope = current()
    if scope is not None:
        scope.masks[id(x)] = (x, mask)
    else:
        place = id(x)
        eager_masks[place] = (weakref.ref(x, lambda _: eager_masks.pop(place, None)), mask)


def set_masks(outputs: Any, masks: Any) -> None:
    """Let masks travel beside the arrays in a nest: a list of them, or one for the first."""
    leaves = jax.tree.leaves(outputs)
    masks = masks if isinstance(masks, (list, tuple)) else [masks] * min(len(leaves), 1)
    for output, mask in zip(leaves, masks, strict=False):
        if mask is not None:
            set_mask(output, mask)


def keep_masks(ended: Scope, outputs: Any) -> None:
    """Let the masks of an eager call's outputs outlive its scope."""
    for output in jax.tree.leaves(outputs):
        kept = ended.masks.get(id(output))
        if kept is not None:
            set_mask(output, kept[1])
