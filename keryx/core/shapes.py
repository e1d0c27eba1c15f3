"""The shapes of a call's results, found by tracing it while sizes are unknown.

A call is traced once with symbolic dimensions: `batch` for an unknown first axis, `None` for any other. Code that asks
more of a size than JAX can answer for all sizes (is it larger than 3, is it a multiple of 7) is traced again with
probes, a number in place of each unknown size, at two numbers: a size of the results that is the same at both is
known. Where that fails too, the error shows which numbers are needed: larger ones, multiples, or a certain one.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import export

from keryx.core import retelling
from keryx.core.symbol import Shape
from keryx.errors import ShapeError

PROBE = 960  # has many divisors, so that a reshape or a strided window fits; others are multiples of it
_LARGEST = 2**24
_MOST_PAIRS = 6
_MOST_SIZES = 5

# Whether numbers stand for unknown sizes in the trace that runs.
probing: ContextVar[bool] = ContextVar("probing", default=False)


@dataclass(frozen=True)
class Spec:
    """What is known of an array: its shape, with None for an unknown size, and its dtype."""

    shape: Shape
    dtype: Any


class Unbuilt(BaseException):
    """Leaves a trace at a probe, whose numbers are no shapes to build by, for a layer that has to be built.

    Args:
        layer: The layer.
        given: The shapes that it is to be built for, in any nest, as they are at the probe.
        build: Builds it for such shapes.
    """

    def __init__(self, layer: Any, given: Any, build: Callable[[Any], None]):
        super().__init__("A layer is to be built for unknown sizes.")
        self.layer, self.given, self.build = layer, given, build


def known(shape: Sequence[Any]) -> Shape:
    """The shape of an array that may belong to a symbolic trace: None where a symbol stands for the size."""
    return tuple(n if isinstance(n, int) else None for n in shape)


def map_shapes(function: Callable[[Shape], Any], nest: Any) -> Any:
    """A nest of shapes, given as tuples or lists of sizes, with the result of a function in place of each.

    >>> map_shapes(len, {"a": (None, 3), "b": [[None], (2, 3, 4)]})
    {'a': 2, 'b': [1, 3]}
    """

    def is_shape(x: Any) -> bool:
        return isinstance(x, (list, tuple)) and all(n is None or isinstance(n, (int, np.integer)) for n in x)

    return jax.tree.map(lambda shape: function(tuple(shape)), nest, is_leaf=is_shape)


def results(call: Callable, given: tuple, others: Sequence[Shape] = ()) -> Any:
    """What `call(*given)` returns, with a Spec in place of each array.

    Args:
        call: A function of arrays that JAX can trace.
        given: Its arguments, nests of Specs.
        others: Shapes of arrays among which an unknown size may have to be equal to a known one.

    Raises:
        Exception: What `call` raises, in words that speak of None and not of a probe.

    >>> import jax.numpy as jnp
    >>> results(lambda x: jnp.concatenate([x, x[:, 1:]], 1), (Spec((None, None, 3), "float32"),))
    Spec(shape=(None, None, 3), dtype=dtype('float32'))
    """
    if not any(None in spec.shape for spec in jax.tree.leaves(given)):
        return _agreement([_trace(call, given, tuple)])
    try:
        return _agreement([_trace(call, given, _symbolic)])
    except Exception as error:
        inconclusive = error
    return _Search(call, given, others, inconclusive).results()


@functools.cache
def _dimensions() -> Sequence[Any]:
    # Sizes of 1 would broadcast. One symbol serves for all axes but the first: most often they are the same.
    return export.symbolic_shape("batch, None", constraints=("batch >= 2", "None >= 2"))


def _symbolic(shape: Shape) -> list[Any]:
    batch, other = _dimensions()
    return [n if n is not None else other if i else batch for i, n in enumerate(shape)]


def _trace(call: Callable, given: tuple, fill: Callable[[Shape], Sequence[Any]]) -> Any:
    def array(spec: Spec) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(fill(spec.shape), jax.dtypes.canonicalize_dtype(spec.dtype))

    return jax.eval_shape(call, *jax.tree.map(array, given))


def _agreement(traces: Sequence[Any]) -> Any:
    """The results of a call that was traced at several sizes: a size in which the traces agree is known."""
    flat: list[tuple[list[Any], Any]] = [jax.tree.flatten(trace) for trace in traces]
    (leaves, nest), *more = flat
    if any(other != nest or [x.ndim for x in found] != [x.ndim for x in leaves] for found, other in more):
        raise ShapeError(
            "What comes out has another nest or another number of axes where an axis that is None has another size. "
            "Give that axis a size in Input(...)."
        )
    alike = zip(leaves, *(found for found, _ in more), strict=True)
    specs = [Spec(tuple(map(_same, *(x.shape for x in arrays))), arrays[0].dtype) for arrays in alike]
    return jax.tree.unflatten(nest, specs)


def _same(size: Any, *others: Any) -> int | None:
    return size if isinstance(size, int) and all(other == size for other in others) else None


class _Search:
    """The search for numbers that a call can be traced at.

    Args:
        call: As of `results`, like the next two.
        given: The arguments, nests of Specs.
        others: Shapes that known sizes are taken from.
        inconclusive: The error of the symbolic trace.
    """

    def __init__(self, call: Callable, given: tuple, others: Sequence[Shape], inconclusive: Exception):
        self.call, self.given, self.inconclusive = call, given, inconclusive
        self.unknown = [spec.shape for spec in jax.tree.leaves(given) if None in spec.shape]
        self.shapes = [*self.unknown, *others]
        self.shown = retelling.numbers(inconclusive)  # in errors
        self.failure: tuple[list[Exception], int] | None = None  # the first pair of errors, and the smaller probe

    def results(self) -> Any:
        """The results at the first numbers that serve.

        Raises:
            Exception: Where there are none: the first error, retold.
        """
        for way in (self._at_multiples, self._at_sizes_of_others, self._at_sizes_shown):
            found = way()
            if found is not None:
                return found
        assert self.failure is not None
        raise retelling.without_probes(self.inconclusive, *self.failure)

    def _at_multiples(self) -> Any:
        """At a probe and its double that are as large, and of as many divisors, as errors show to be needed."""
        tried: list[int] = []
        while len(tried) < _MOST_PAIRS:
            probe = next((n for n in self._multiples() if n not in tried), None)
            if probe is None:
                break
            tried.append(probe)
            traces, errors = self._pair(probe)
            if not errors:
                return _agreement(traces)
            if {str(error) for error in errors} == {str(self.inconclusive)}:
                raise self.inconclusive  # which is not about sizes
            if traces:
                self.shown.add(2 * probe)  # the larger one served
            else:
                self.shown |= set.intersection(*map(retelling.numbers, errors))
        return None

    def _multiples(self) -> Iterator[int]:
        """Probes: the first, then one above all numbers that errors show, then multiples of them."""
        shown = sorted(n for n in self.shown if 1 < n < _LARGEST)
        yield PROBE
        yield PROBE * (max(shown, default=0) // PROBE + 1)
        for numbers in (shown, *([n] for n in shown)):
            multiple = math.lcm(PROBE, *numbers)
            if multiple <= _LARGEST:
                yield multiple

    def _at_sizes_of_others(self) -> Any:
        """With as few unknown axes as possible of the one size that other arrays have there."""
        for from_the_end in (False, True):
            sizes: dict[int, set[int]] = {}
            for axis, n in self._axes(self.shapes, from_the_end):
                sizes.setdefault(axis, set()).update({n or 1} - {1})
            unknown = {axis for axis, n in self._axes(self.unknown, from_the_end) if n is None}
            certain = [(axis, min(sizes[axis])) for axis in sorted(unknown) if len(sizes[axis]) == 1]
            for count in range(1, len(certain) + 1):
                for pinned in itertools.combinations(certain, count):
                    traces, errors = self._pair(PROBE, dict(pinned))
                    if not errors:
                        return _agreement(traces)
        return None

    def _at_sizes_shown(self) -> Any:
        """With one unknown axis, or two, of a size that errors show: what all the ways that serve agree on."""
        axes = sorted({axis for axis, n in self._axes(self.unknown, False) if n is None and axis > 0})
        shown = sorted(n for n in self.shown if 1 < n < PROBE)[:_MOST_SIZES]
        for count in (1, 2):
            ways = [
                dict(zip(pinned, sizes, strict=True))
                for pinned in itertools.combinations(axes, count)
                for sizes in itertools.product(shown, repeat=count)
            ]
            pairs = [self._pair(PROBE, way) for way in ways]
            served = [trace for traces, errors in pairs if not errors for trace in traces]
            if served:
                return _agreement(served)
        return None

    def _axes(self, shapes: Sequence[Shape], from_the_end: bool) -> Iterator[tuple[int, int | None]]:
        return ((i - from_the_end * len(shape), n) for shape in shapes for i, n in enumerate(shape))

    def _pair(self, probe: int, pinned: Mapping[int, int] = {}) -> tuple[list[Any], list[Exception]]:
        """The traces, or the errors, at a probe and its double, with other sizes at the pinned axes."""
        outcomes = [self._at(probe, pinned), self._at(2 * probe, pinned)]
        while not any(isinstance(outcome, Exception) for outcome in outcomes):
            waiting = [outcome for outcome in outcomes if isinstance(outcome, Unbuilt)]
            if not waiting:
                break
            if len({id(outcome.layer) for outcome in waiting}) == 1 and len(waiting) == 2:
                try:
                    waiting[0].build(_agreed_shapes(*(outcome.given for outcome in waiting)))
                except Exception as error:
                    outcomes = [error, error]
                    break
                outcomes = [self._at(probe, pinned), self._at(2 * probe, pinned)]
            else:  # a layer that is made in the call, for this trace alone
                outcomes = [self._at(probe, pinned, False), self._at(2 * probe, pinned, False)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if errors and self.failure is None:
            self.failure = errors, probe
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)], errors

    def _at(self, size: int, pinned: Mapping[int, int], leaving: bool = True) -> Any:
        """The trace at a size, or the error; with `leaving`, layers that are not built leave it."""

        def fill(shape: Shape) -> list[int]:
            rank = len(shape)
            return [pinned.get(i, pinned.get(i - rank, size)) if n is None else n for i, n in enumerate(shape)]

        before = probing.set(leaving)
        try:
            return _trace(self.call, self.given, fill)
        except (Exception, Unbuilt) as outcome:
            return outcome
        finally:
            probing.reset(before)


def _agreed_shapes(small: Any, large: Any) -> Any:
    """A nest of shapes at two probes, with None where they differ."""
    if isinstance(small, int):
        return _same(small, large)
    if isinstance(small, dict):
        return {name: _agreed_shapes(shape, large[name]) for name, shape in small.items()}
    return small if small is None else type(small)(map(_agreed_shapes, small, large))
