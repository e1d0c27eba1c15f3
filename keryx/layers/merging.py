"""Layers that make one tensor of several, and the functions of the same names."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keryx import config
from keryx.core.symbol import Shape
from keryx.errors import ConfigError, ShapeError
from keryx.layers.layer import Layer, registry


def _listed(shapes: Any) -> str:
    return ", ".join(str(tuple(shape)) for shape in shapes)


def _way_out(shapes: Sequence[Shape], joined: int | None = None) -> str:
    from keryx.core import ways_out

    return ways_out.together(shapes, joined)


class Merge(Layer):
    """The base of layers that merge a list of tensors elementwise, where sizes of 1 broadcast.

    A tensor with fewer axes than another gets axes of 1 after the batch axis. The mask of the outputs is True
    where that of any input is; there is none where an input has none.
    """

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check that the shapes fit."""
        if not isinstance(input_shape, (list, tuple)) or any(not isinstance(s, tuple) for s in input_shape):
            raise ShapeError(
                f"{self.title} wants a list of tensors; got a single one of shape {input_shape}. "
                f"Call it on all of them: {type(self).__name__}(...)([a, b])."
            )
        if not input_shape:
            raise ShapeError(f"{self.title} wants a list of at least one tensor; got none.")
        self.check_shapes(input_shape)

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Raise ShapeError unless the shapes broadcast; None fits any size."""
        batch_sizes = {shape[0] for shape in shapes if shape} - {None}
        longest = max(len(shape) for shape in shapes)
        aligned = [(1,) * (longest - len(shape)) + tuple(shape[1:]) for shape in shapes]
        fits = all(len(set(sizes) - {None, 1}) <= 1 for sizes in zip(*aligned, strict=True))
        if len(batch_sizes) > 1 or not fits:
            raise ShapeError(f"{self.title} wants inputs whose shapes fit; got {_listed(shapes)}.{_way_out(shapes)}")

    def call(self, inputs: list[jax.Array], mask: Any = None) -> jax.Array:
        """[(batch, ...), ...] -> (batch, ...)."""
        self.check_shapes([x.shape for x in inputs])
        rank = max(x.ndim for x in inputs)
        if any(x.ndim != rank for x in inputs):
            mask = None
            inputs = [jnp.expand_dims(x, tuple(range(1, 1 + rank - x.ndim))) for x in inputs]
        if mask is None:
            return self.merge(inputs)
        return self.merge_masked(inputs, [m if m is None else _over(m, x) for m, x in zip(mask, inputs, strict=True)])

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """The maths, on inputs of one rank."""
        raise NotImplementedError(f"{type(self).__name__} wants a method merge(inputs).")

    def merge_masked(self, inputs: list[jax.Array], masks: list[jax.Array | None]) -> jax.Array:
        """The maths where an input has a mask, which is laid over all its elements."""
        return self.merge(inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where any input is valid; none where an input has no mask."""
        if previous_mask is None or any(m is None for m in previous_mask):
            return None
        merged, *others = previous_mask
        for other in others:
            merged = merged | other
        return merged


def _over(mask: jax.Array, x: jax.Array) -> jax.Array:
    """A mask (batch, time), laid over all of (batch, time, ...)."""
    return jnp.broadcast_to(jnp.expand_dims(mask, tuple(range(mask.ndim, x.ndim))), x.shape)


@registry.register()
class Add(Merge):
    """The sum of the inputs.

    >>> import keryx
    >>> keryx.layers.Add()([keryx.Input((4,)), keryx.Input((3, 4))]).shape
    (None, 3, 4)
    """

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """x0 + x1 + ..."""
        return sum(inputs[1:], start=inputs[0])


@registry.register()
class Subtract(Merge):
    """The first input minus the second.

    >>> import keryx
    >>> keryx.layers.Subtract()([keryx.Input((4,)), keryx.Input((4,))]).shape
    (None, 4)
    """

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Raise ShapeError unless there are two that broadcast."""
        if len(shapes) != 2:
            raise ShapeError(f"{self.title} wants two inputs; got {len(shapes)}.")
        super().check_shapes(shapes)

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """x0 - x1."""
        return inputs[0] - inputs[1]


@registry.register()
class Multiply(Merge):
    """The product of the inputs. A masked element of one counts as 1; one that is masked in all gives 0.

    >>> import keryx
    >>> keryx.layers.Multiply()([keryx.Input((4,)), keryx.Input((4,))]).shape
    (None, 4)
    """

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """x0 * x1 * ..."""
        product = inputs[0]
        for x in inputs[1:]:
            product = product * x
        return product

    def merge_masked(self, inputs: list[jax.Array], masks: list[jax.Array | None]) -> jax.Array:
        """The product of the valid elements."""
        product = self.merge([x if m is None else jnp.where(m, x, 1) for x, m in zip(inputs, masks, strict=True)])
        valid = [m for m in masks if m is not None]
        return product if len(valid) < len(masks) else jnp.where(jnp.any(jnp.stack(valid), 0), product, 0)


@registry.register()
class Average(Merge):
    """The mean of the inputs.

    >>> import keryx
    >>> keryx.layers.Average()([keryx.Input((4,)), keryx.Input((4,))]).shape
    (None, 4)
    """

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """(x0 + x1 + ...) / n."""
        return sum(inputs[1:], start=inputs[0]) / len(inputs)


class _Extremum(Merge):
    extremum: Callable[..., jax.Array]

    def merge(self, inputs: list[jax.Array]) -> jax.Array:
        """The extremum of each element."""
        return self.merge_masked(inputs, [None] * len(inputs))

    def merge_masked(self, inputs: list[jax.Array], masks: list[jax.Array | None]) -> jax.Array:
        """The extremum of the valid ones of each element: a masked one takes the other's value."""
        outputs, valid = inputs[0], masks[0]
        for x, mask in zip(inputs[1:], masks[1:], strict=True):
            x = x if mask is None else jnp.where(mask, x, outputs)
            outputs = self.extremum(outputs if valid is None else jnp.where(valid, outputs, x), x)
            valid = None if valid is None or mask is None else valid | mask
        return outputs


@registry.register()
class Maximum(_Extremum):
    """The greatest of the inputs.

    >>> import keryx
    >>> keryx.layers.Maximum()([keryx.Input((4,)), keryx.Input((4,))]).shape
    (None, 4)
    """

    extremum = staticmethod(jnp.maximum)


@registry.register()
class Minimum(_Extremum):
    """The least of the inputs.

    >>> import keryx
    >>> keryx.layers.Minimum()([keryx.Input((4,)), keryx.Input((4,))]).shape
    (None, 4)
    """

    extremum = staticmethod(jnp.minimum)


@registry.register()
class Concatenate(Merge):
    """The inputs, one after the other along an axis.

    Args:
        axis: The axis; default the last.

    Raises:
        ShapeError: Where the sizes of another axis differ.

    >>> import keryx
    >>> keryx.layers.Concatenate()([keryx.Input((4,)), keryx.Input((3,))]).shape
    (None, 7)
    """

    def __init__(self, axis: int = -1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Raise ShapeError unless all sizes but those of the axis agree; None fits any size."""
        rank = len(shapes[0])
        fits = all(len(shape) == rank for shape in shapes)
        if fits and not -rank <= self.axis < rank:
            raise ShapeError(
                f"{self.title} works along axis {self.axis}, which its inputs do not have; got {shapes[0]}."
            )
        for axis in range(rank) if fits else ():
            fits = fits and (axis == self.axis % rank or len({shape[axis] for shape in shapes} - {None}) <= 1)
        if not fits:
            raise ShapeError(
                f"{self.title} wants inputs that differ in axis {self.axis} only; got {_listed(shapes)}."
                + _way_out(shapes, self.axis)
            )

    def call(self, inputs: list[jax.Array], mask: Any = None) -> jax.Array:
        """[(batch, ..., n), (batch, ..., m)] -> (batch, ..., n + m)."""
        self.check_shapes([x.shape for x in inputs])
        return jnp.concatenate(inputs, self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The masks, one after the other; an input without one counts as valid."""
        if previous_mask is None or all(m is None for m in previous_mask):
            return None
        masks = [
            jnp.ones(x.shape, bool) if m is None else _over(m, x) for x, m in zip(inputs, previous_mask, strict=True)
        ]
        return jnp.concatenate(masks, self.axis).any(-1)


@registry.register()
class Dot(Merge):
    """The sum of products along an axis of each of two inputs, sample by sample.

    Args:
        axes: The axis, or the axis of each.
        normalize: Whether both are first divided by their norm along the axis: the cosine.

    Shapes: (batch, ..., n), (batch, ..., n) -> (batch, the other axes of the first, those of the second).

    >>> import keryx
    >>> keryx.layers.Dot(axes=(2, 1))([keryx.Input((3, 4)), keryx.Input((4, 5))]).shape
    (None, 3, 5)
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs):
        super().__init__(**kwargs)
        try:
            self.axes = (
                type(axes)(map(operator.index, axes)) if isinstance(axes, (list, tuple)) else operator.index(axes)
            )
        except TypeError:
            raise ConfigError(f"Dot() wants axes= as an integer or two; got {axes!r}.") from None
        if not isinstance(self.axes, int) and len(self.axes) != 2:
            raise ConfigError(f"Dot() wants axes= as an integer or two; got {axes!r}.")
        self.normalize = normalize

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Raise ShapeError unless there are two that agree in the batch axis and in those of the sum."""
        if len(shapes) != 2 or min(len(shape) for shape in shapes) < 2:
            raise ShapeError(f"{self.title} wants two inputs of at least 2 axes; got {_listed(shapes)}.")
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(given, shapes, strict=True):
            if not -len(shape) < axis < len(shape) or axis == 0:
                raise ShapeError(f"{self.title} cannot sum along axis {axis} of {tuple(shape)}.")
        sums = {shape[axis] for axis, shape in zip(given, shapes, strict=True)} - {None}
        if len(sums) > 1 or len({shape[0] for shape in shapes} - {None}) > 1:
            from keryx.core import ways_out

            raise ShapeError(
                f"{self.title} cannot multiply along axes {self.axes} of {_listed(shapes)}.{ways_out.of_dot(shapes)}"
            )

    def call(self, inputs: list[jax.Array], mask: Any = None) -> jax.Array:
        """[(batch, ..., n), (batch, ..., n)] -> (batch, ..., ...)."""
        x, y = inputs
        self.check_shapes([x.shape, y.shape])
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        a, b = given[0] % x.ndim, given[1] % y.ndim
        if self.normalize:
            x, y = _normalized(x, a), _normalized(y, b)
        products = jax.lax.dot_general(x, y, (((a,), (b,)), ((0,), (0,))))
        return products[:, None] if products.ndim == 1 else products

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the axis of time may be gone."""
        return


def _normalized(x: jax.Array, axis: int) -> jax.Array:
    square = jnp.sum(x * x, axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(square, config.epsilon() ** 2))


def add(inputs: list[Any], **kwargs) -> Any:
    """The sum of the inputs: `Add(**kwargs)(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: list[Any], **kwargs) -> Any:
    """The first input minus the second: `Subtract(**kwargs)(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: list[Any], **kwargs) -> Any:
    """The product of the inputs: `Multiply(**kwargs)(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: list[Any], **kwargs) -> Any:
    """The mean of the inputs: `Average(**kwargs)(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: list[Any], **kwargs) -> Any:
    """The greatest of the inputs: `Maximum(**kwargs)(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: list[Any], **kwargs) -> Any:
    """The least of the inputs: `Minimum(**kwargs)(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: list[Any], axis: int = -1, **kwargs) -> Any:
    """The inputs, one after the other: `Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: list[Any], axes: Any = -1, **kwargs) -> Any:
    """The sum of products along an axis: `Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)
