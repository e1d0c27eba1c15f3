"""Normalization: numbers shifted and scaled to mean 0 and variance 1."""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.core import dtypes, host
from keryx.core.codec import serialize
from keryx.core.variable import Variable
from keryx.errors import ConfigError, DataError, ShapeError
from keryx.layers.layer import Layer, registry
from keryx.layers.preprocessing.adapting import batches, is_array


@registry.register()
class Normalization(Layer):
    """`(x - mean) / max(sqrt(variance), epsilon)`, with a mean and variance that are given, or that `adapt` finds.

    Args:
        axis: The axis or axes that have a mean and variance for each index; default the last. None: one for all.
        mean: The mean, if it is known: a number, or an array of at most as many axes as `axis` names.
        variance: The variance, likewise.
        invert: Whether it goes the other way: `mean + x * max(sqrt(variance), epsilon)`.

    Shapes: shape in, same shape out. `epsilon` is `keryx.config.epsilon()`.

    Raises:
        ConfigError, ShapeError: Where mean and variance do not fit each other or the axes.

    >>> import keryx, numpy as np
    >>> layer = keryx.layers.Normalization()
    >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 9.0]]))
    >>> layer(np.array([[1.0, 7.0]])).tolist()
    [[0.0, -1.0]]
    """

    supports_masking = True
    adapt_mean: Variable
    adapt_variance: Variable

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean, self.input_variance, self.invert = mean, variance, invert
        self._built_shape: tuple[int | None, ...] | None = None
        if (mean is None) != (variance is None):
            raise ConfigError(f"{self.title} wants both mean and variance, or neither, and then adapt(data).")
        if mean is not None and (np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis)):
            raise ShapeError(
                f"{self.title}: mean and variance have the same shape, of at most {len(self.axis)} axes for axis="
                f"{self.axis}; got {np.shape(mean)} and {np.shape(variance)}."
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Add mean, variance and count, as Keras does, unless they were given."""
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ShapeError(f"{self.title}: axis={self.axis} is outside of an input of {rank} axes, {input_shape}.")
        self._built_shape = tuple(input_shape)
        self._own_axes = sorted(axis % rank for axis in self.axis)
        shape: Any = tuple(input_shape[axis] for axis in self._own_axes)
        if None in shape:
            raise ShapeError(f"{self.title}: the sizes along axis={self.axis} have to be known; got {input_shape}.")
        self._spread: list[Any] = [input_shape[axis] if axis in self._own_axes else 1 for axis in range(rank)]
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")

    @property
    def mean(self) -> Any:
        """The mean, with an axis for each of the inputs; None before it is built."""
        return None if self._built_shape is None else self._as_inputs("mean")

    @property
    def variance(self) -> Any:
        """The variance, likewise."""
        return None if self._built_shape is None else self._as_inputs("variance")

    def _as_inputs(self, what: str) -> jax.Array:
        given = getattr(self, f"input_{what}")
        if given is None:
            return jnp.reshape(getattr(self, f"adapt_{what}").value, self._spread)
        given = np.asarray(given)
        sizes = [1] * len(self._spread)
        for axis, size in zip(reversed(self._own_axes), reversed(given.shape), strict=False):
            sizes[axis] = size
        return jnp.asarray(np.broadcast_to(given.reshape(sizes), self._spread), self.compute_dtype)

    def call(self, inputs: jax.Array) -> jax.Array:
        """Shape in, same shape out."""
        x, dtype = jnp.asarray(inputs, self.compute_dtype), self.compute_dtype
        mean = self._as_inputs("mean").astype(dtype)
        deviation = jnp.maximum(jnp.sqrt(self._as_inputs("variance").astype(dtype)), config.epsilon())
        return mean + x * deviation if self.invert else (x - mean) / deviation

    # -- adapting ------------------------------------------------------------------------------------------------

    def adapt(
        self, data: Any, batch_size: int | None = None, steps: int | None = None, verbose: int | str = "auto"
    ) -> None:
        """Find the mean and variance of the data.

        Args:
            data: An array; or batches of rows: a PyDataset, a generator, a list of arrays, a data set of TensorFlow's,
                Grain's or PyTorch's. Of batches `(x, y)`, x is taken.
            batch_size: Ignored: an array is taken whole.
            steps: The most batches that are taken.
            verbose: 0 shows nothing; 1 and 2 are those of `fit`; `auto` is a bar where one can be drawn.

        Raises:
            ConfigError: Where mean and variance were given.
            DataError, ShapeError: Where there is no data, or its sizes differ from those the layer was built for.
        """
        if self.input_mean is not None:
            raise ConfigError(f"{self.title} was given its mean and variance: there is nothing to adapt.")
        whole = is_array(data)
        if hasattr(data, "element_spec") and not np.ndim(next(iter(batches(data, self.title, verbose=0)))) > 1:
            data = data.batch(128)  # a data set of TensorFlow's that is not batched
        parts = (
            iter([host.as_array(data, f"data of {self.title}")])
            if whole
            else batches(data, self.title, steps=steps, verbose=verbose)
        )
        first = next(parts, None)
        if first is None or np.size(first) == 0:
            raise DataError(f"{self.title}: adapt was given no data.")
        moments = _Moments()
        for part in itertools.chain([first], parts):
            part = np.asarray(part)
            if part.dtype.kind not in "fiub":
                part = np.asarray(dtypes.narrowed(part, f"data of {self.title}"), "float32")  # bfloat16, or an error
            if not self.built:
                self.build(part.shape)
            self._check(part.shape)
            moments.add(part, tuple(axis for axis in range(part.ndim) if axis not in self._own_axes))
        self.adapt_mean.assign(moments.mean.astype("float32"))
        self.adapt_variance.assign(moments.variance.astype("float32"))

    def _check(self, shape: tuple[int, ...]) -> None:
        assert self._built_shape is not None
        fits = len(shape) == len(self._built_shape)
        if not fits or any(shape[axis] != self._built_shape[axis] for axis in self._own_axes):
            raise ShapeError(
                f"{self.title} was built for {self._built_shape}; adapt was given data of {shape}, which differs along "
                f"axis={self.axis}."
            )

    # -- configs -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments, mean and variance as numbers."""
        given = {
            "mean": None if self.input_mean is None else np.asarray(self.input_mean).tolist(),
            "variance": None if self.input_variance is None else np.asarray(self.input_variance).tolist(),
        }
        base = {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)}
        return base | {"axis": self.axis, "invert": self.invert} | given

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape that it was built for."""
        return None if self._built_shape is None else {"input_shape": self._built_shape}


class _Moments:
    """The mean and variance of what was added so far, in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Any = 0.0
        self.variance: Any = 0.0

    def add(self, part: np.ndarray, axes: tuple[int, ...]) -> None:
        """One more part, in which the axes are gone through.

        Source: Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983.
        """
        count = math.prod(part.shape[axis] for axis in axes)
        mean, variance = part.mean(axes, dtype="float64"), part.var(axes, dtype="float64")
        self.count += count
        share = count / self.count
        shift = mean - self.mean
        self.variance = self.variance * (1 - share) + variance * share + shift**2 * share * (1 - share)
        self.mean = self.mean + shift * share
