"""The first values of weights.

All are drawn on the host by NumPy, so that making a model compiles nothing; see `on_host`.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config
from keryx.core import draw
from keryx.core.codec import Configurable, Registry
from keryx.core.codec import serialize as _serialize
from keryx.core.seeds import as_seed, first_seed
from keryx.errors import ConfigError, ShapeError
from keryx.random import SeedGenerator

registry = Registry("initializer", "keras.initializers")

Shape = Sequence[int]
Seed = int | SeedGenerator | None


class Initializer(Configurable):
    """What gives a weight its first value: `initializer(shape, dtype=None) -> array`.

    Subclasses define `on_host`, or `__call__` itself where the values are made by JAX.
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> jax.Array:
        """Values of this shape and dtype (`config.floatx()` unless given)."""
        # Not jnp.asarray, which compiles a program for each new shape.
        return jax.device_put(self.on_host(tuple(shape), jnp.dtype(dtype or config.floatx())))

    def on_host(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """The same values as a NumPy array."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype=None).")

    def clone(self) -> "Initializer":
        """One of the same config: with a seed the same numbers, without one others.

        >>> Constant(2.0).clone().value
        2.0
        """
        return type(self).from_config(self.get_config())


@registry.register("zero")
class Zeros(Initializer):
    """All 0.

    >>> Zeros()((2,)).tolist()
    [0.0, 0.0]
    """

    def on_host(self, shape, dtype):
        return np.zeros(shape, dtype)


@registry.register("one")
class Ones(Initializer):
    """All 1."""

    def on_host(self, shape, dtype):
        return np.ones(shape, dtype)


@registry.register()
class Constant(Initializer):
    """All `value`, a number or an array that broadcasts to the shape (default 0).

    >>> Constant([1, 2])((2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def on_host(self, shape, dtype):
        value = np.asarray(self.value).astype(dtype)
        try:
            return np.broadcast_to(value, shape)
        except ValueError:
            raise ShapeError(f"Constant() holds an array of {value.shape}; the weight is {shape}.") from None


@registry.register("IdentityInitializer")
class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    >>> Identity(2.0)((2, 2)).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def on_host(self, shape, dtype):
        if len(shape) != 2:
            raise ShapeError(f"The identity is a matrix; got shape {shape}.")
        return (self.gain * np.eye(*shape)).astype(dtype)


@registry.register("STFTInitializer", "stft")
class STFT(Initializer):
    """The kernel of a convolution that takes a short-time Fourier transform, (frame, 1, frequencies).

    `window[t] / scale * cos(2 pi t f / n)`, or `-sin` of the same for the imaginary side, where
    `n = 2 (frequencies - 1)`.

    Args:
        side: `"real"` or `"imag"`.
        window: The name of a window in `scipy.signal.windows`, its values (frame,), or None.
        scaling: `"density"` divides by the window's L2 norm, `"spectrum"` by its L1 norm, None by nothing.
        periodic: Whether the window is a periodic one.

    >>> STFT("imag")((128, 1, 65)).shape
    (128, 1, 65)
    """

    def __init__(self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic=False):
        if side not in ("real", "imag"):
            raise ConfigError(f"side is 'real' or 'imag'; got {side!r}.")
        if scaling not in ("density", "spectrum", None):
            raise ConfigError(f"scaling is 'density', 'spectrum' or None; got {scaling!r}.")
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def on_host(self, shape, dtype):
        if len(shape) != 3:
            raise ShapeError(f"STFT wants the shape (frame, 1, frequencies); got {shape}.")
        frame, _, frequencies = shape
        turns = np.outer(np.arange(frame), np.arange(frequencies)) / max(2 * (frequencies - 1), 1)
        kernel = np.cos(2 * np.pi * turns) if self.side == "real" else -np.sin(2 * np.pi * turns)
        if self.window is not None:
            window = self._window(frame)
            norms = {"density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window)), None: 1.0}
            kernel = kernel * (window / norms[self.scaling])[:, None]
        return kernel[:, None, :].astype(dtype) + np.zeros(shape, dtype)

    def _window(self, frame: int) -> np.ndarray:
        if isinstance(self.window, str):
            from scipy.signal import get_window  # comes with JAX, and is slow to import

            return get_window(self.window, frame, self.periodic)
        window = np.asarray(self.window, np.float64)
        if window.shape != (frame,):
            raise ShapeError(f"The window of STFT has the shape {window.shape}; the frame wants ({frame},).")
        return window


class RandomInitializer(Initializer):
    """An initializer with a `seed`.

    An integer gives the same values at each call, a `SeedGenerator` its next ones, and None (the default)
    the next of the global seed (`keryx.utils.set_random_seed`).
    """

    def __init__(self, seed: Seed = None):
        self.seed = seed if seed is None or isinstance(seed, SeedGenerator) else as_seed(seed)

    def entropy(self) -> tuple[int, int]:
        """The pair of numbers that this call's values follow from."""
        if isinstance(self.seed, SeedGenerator):
            return self.seed.next_seed()
        return first_seed() if self.seed is None else (self.seed, 0)


@registry.register("normal")
class RandomNormal(RandomInitializer):
    """Normal: mean `mean` (0), standard deviation `stddev` (0.05).

    >>> RandomNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None):
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def on_host(self, shape, dtype):
        return draw.normal(self.entropy(), shape, dtype, self.mean, self.stddev)


@registry.register()
class TruncatedNormal(RandomInitializer):
    """Normal, redrawn where farther than two `stddev` (0.05) from `mean` (0)."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Seed = None):
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def on_host(self, shape, dtype):
        return draw.truncated_normal(self.entropy(), shape, dtype, self.mean, self.stddev)


@registry.register("uniform")
class RandomUniform(RandomInitializer):
    """Spread evenly from `minval` (-0.05) to `maxval` (0.05)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Seed = None):
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def on_host(self, shape, dtype):
        return draw.uniform(self.entropy(), shape, dtype, self.minval, self.maxval)


@registry.register()
class VarianceScaling(RandomInitializer):
    """Mean 0 and variance scale / n, where n counts the connections of a unit.

    Args:
        scale: Default 1.
        mode: n is the number of inputs ("fan_in", default), of outputs ("fan_out") or their mean ("fan_avg").
        distribution: "truncated_normal" (the default, also "normal"), "untruncated_normal" or "uniform".
        seed: See `RandomInitializer`.
        input_axes, output_axes: The axes whose sizes multiply to the number of inputs and of outputs. Unless
            both are given: (inputs, outputs), or (*window, inputs, outputs) for a convolution.

    >>> VarianceScaling(2.0, seed=1)((3, 3, 8, 16)).shape
    (3, 3, 8, 16)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(seed)
        distribution = distribution.lower()
        if scale <= 0:
            raise ConfigError(f"scale must be above 0; got {scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ConfigError(f"mode is 'fan_in', 'fan_out' or 'fan_avg'; got {mode!r}.")
        if distribution not in ("normal", "truncated_normal", "untruncated_normal", "uniform"):
            raise ConfigError(
                f"distribution is 'truncated_normal', 'untruncated_normal' or 'uniform'; got {distribution!r}."
            )
        self.scale, self.mode = scale, mode
        self.distribution = "truncated_normal" if distribution == "normal" else distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def on_host(self, shape, dtype):
        inputs, outputs = fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return draw.uniform(self.entropy(), shape, dtype, -limit, limit)
        if self.distribution == "untruncated_normal":
            return draw.normal(self.entropy(), shape, dtype, 0.0, math.sqrt(variance))
        return draw.truncated_normal(self.entropy(), shape, dtype, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV)


# The standard deviation of a standard normal number that is cut off at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978


class _Fixed(VarianceScaling):
    rule: tuple[float, str, str]

    def __init__(
        self,
        seed: Seed = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(*self.rule, seed, input_axes, output_axes)


@registry.register()
class GlorotUniform(_Fixed):
    """Uniform within ±sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010).

    >>> bool(abs(GlorotUniform(seed=1)((3, 3))).max() <= 1)
    True
    """

    rule = (1.0, "fan_avg", "uniform")


@registry.register()
class GlorotNormal(_Fixed):
    """Truncated normal of variance 2 / (inputs + outputs) (Glorot & Bengio 2010)."""

    rule = (1.0, "fan_avg", "truncated_normal")


@registry.register()
class HeUniform(_Fixed):
    """Uniform within ±sqrt(6 / inputs), for relu (arXiv:1502.01852)."""

    rule = (2.0, "fan_in", "uniform")


@registry.register()
class HeNormal(_Fixed):
    """Truncated normal of variance 2 / inputs, for relu (arXiv:1502.01852)."""

    rule = (2.0, "fan_in", "truncated_normal")


@registry.register()
class LecunUniform(_Fixed):
    """Uniform within ±sqrt(3 / inputs) (LeCun et al. 1998, Efficient BackProp)."""

    rule = (1.0, "fan_in", "uniform")


@registry.register()
class LecunNormal(_Fixed):
    """Truncated normal of variance 1 / inputs (LeCun et al. 1998, Efficient BackProp)."""

    rule = (1.0, "fan_in", "truncated_normal")


@registry.register("OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """A random orthogonal matrix times `gain` (1): the Q of the QR of a normal one (arXiv:1312.6120).

    More than two axes are seen as a matrix (all but the last, last).

    >>> q = Orthogonal(seed=1)((3, 3))
    >>> bool(abs(q @ q.T - jnp.eye(3)).max() < 1e-6)
    True
    """

    def __init__(self, gain: float = 1.0, seed: Seed = None):
        super().__init__(seed)
        self.gain = gain

    def on_host(self, shape, dtype):
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal weights need two axes or more; got shape {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        q, r = np.linalg.qr(draw.normal(self.entropy(), tall, np.promote_types(dtype, np.float32), 0.0, 1.0))
        q *= np.where(np.diag(r) < 0, -1, 1)  # QR alone prefers one sign; this makes every Q as likely as any other
        return (self.gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)


def fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """How many inputs and outputs a unit of this weight has.

    >>> fans((3, 3, 8, 16)), fans((5, 7)), fans((4,))
    ((72, 144), (5, 7), (4, 4))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


zeros, ones, constant, identity, orthogonal, stft = Zeros, Ones, Constant, Identity, Orthogonal, STFT
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT


def get(identifier: Any) -> Any:
    """The initializer that a name, a config, a class, a function or an array stands for; None stays None.

    >>> get("he_normal")
    HeNormal(seed=None, input_axes=None, output_axes=None)
    """
    if isinstance(identifier, (np.ndarray, np.generic, jax.Array)):
        return _Given(identifier)
    return registry.get(identifier)


def serialize(initializer: Any) -> Any:
    """The initializer as plain data."""
    return _serialize(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that `serialize` wrote down."""
    return registry.get(config, custom_objects)


class _Given(Constant):
    config_class_name, config_module = "Constant", "keras.initializers"

    def on_host(self, shape, dtype):
        if shape != self.value.shape:
            raise ShapeError(f"The array given as initializer has shape {self.value.shape}; the weight wants {shape}.")
        return super().on_host(shape, dtype)
