"""Sound as pictures of its frequencies: MelSpectrogram, STFTSpectrogram."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keryx import config, initializers, kernels, ops
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ConfigError, warn
from keryx.layers.base.sizes import choice, layout, padding_mode, whole
from keryx.layers.layer import InputSpec, Layer, registry


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz, "float64") / 700.0)


@registry.register()
class MelSpectrogram(Layer):
    """How loud each pitch of a sound is at each time, on the mel scale: (batch, time) -> (batch, bins, frames).

    The magnitudes of a short-time Fourier transform, to the power `mag_exp`, are added up with the weights of triangles
    that stand side by side on the scale `1127 log(1 + hertz / 700)`; then
    `10 log10(max(x, min_power)) - 10 log10(max(ref_power, min_power))`, within `top_db` of the greatest.

    Args:
        fft_length: The size of the transform.
        sequence_stride: Steps from one frame to the next.
        sequence_length: The size of the window; by default that of the transform.
        window: Its name, `hann` or `hamming`, or its values.
        sampling_rate: Of the sound, in hertz.
        num_mel_bins: The number of triangles.
        min_freq: Where the first begins, in hertz.
        max_freq: Where the last ends; by default at half of the sampling rate.
        power_to_db: Whether decibels are given.
        top_db: See above.
        mag_exp: See above.
        min_power: See above.
        ref_power: See above.

    Raises:
        ConfigError: For a window that is larger than the transform.

    Source: Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition, 1980.

    >>> import keryx
    >>> keryx.layers.MelSpectrogram(fft_length=64, sequence_stride=32, num_mel_bins=8)(keryx.Input((320,))).shape
    (None, 8, 11)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: float = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride = fft_length, sequence_stride
        self.sequence_length = sequence_length or fft_length
        if self.sequence_length > fft_length:
            raise ConfigError(
                f"MelSpectrogram() wants fft_length= of at least sequence_length={sequence_length}; got {fft_length}."
            )
        self.window, self.sampling_rate, self.num_mel_bins = window, sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def call(self, inputs: jax.Array) -> jax.Array:
        """(time,) or (batch, time) in; (bins, frames), with the batch axis before them, out."""
        x = inputs.astype("float64" if self.compute_dtype == "float64" else "float32")
        real, imaginary = ops.stft(x, self.sequence_length, self.sequence_stride, self.fft_length, self.window)
        power = jnp.power(jnp.sqrt(jnp.square(real) + jnp.square(imaginary)), self.mag_exp)
        loud = power @ self.linear_to_mel_weight_matrix(
            self.num_mel_bins, power.shape[-1], self.sampling_rate, self.min_freq, self.max_freq
        ).astype(power.dtype)
        if self.power_to_db:
            reference = max(abs(self.ref_power), self.min_power)
            loud = 10 * jnp.log10(jnp.maximum(loud, self.min_power)) - 10 * math.log10(reference)
            loud = jnp.maximum(loud, loud.max() - self.top_db)
        return jnp.swapaxes(loud, -1, -2).astype(self.compute_dtype)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> np.ndarray:
        """The weights of frequencies from 0 to half of the sampling rate in triangles on the mel scale.

        Args:
            num_mel_bins: The number of triangles.
            num_spectrogram_bins: That of frequencies.
            sampling_rate: Of the sound, in hertz.
            lower_edge_hertz: Where the first triangle begins.
            upper_edge_hertz: Where the last ends.
            dtype: Of the result, (frequencies, triangles).
        """
        place = _mel(np.linspace(0, sampling_rate / 2, num_spectrogram_bins))[:, None]
        edges = np.linspace(_mel(lower_edge_hertz), _mel(upper_edge_hertz), num_mel_bins + 2)
        rising = (place - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - place) / (edges[2:] - edges[1:-1])
        weights = np.maximum(0, np.minimum(rising, falling))
        weights[0] = 0  # the mean of a sound has no pitch
        return weights.astype(dtype)


_MODES = "log", "magnitude", "psd", "real", "imag", "angle", "stft"


@registry.register()
class STFTSpectrogram(Layer):
    """The short-time Fourier transform of signals, by convolutions whose kernels may be trained.

    Args:
        mode: `log`, `magnitude`, `psd` (the density of the power), `real`, `imag`, `angle`, or `stft` for the real and
            the imaginary parts side by side.
        frame_length: The size of the window.
        frame_step: Steps from one frame to the next; by default half of the window.
        fft_length: The size of the transform; by default the least power of 2 that holds the window.
        window: Its name, as in `scipy.signal.get_window`, its values, or None.
        periodic: Whether the window is a periodic one.
        scaling: `density` divides the window by its L2 norm, `spectrum` by its sum, None by nothing.
        padding: `valid` or `same`.
        expand_dims: Whether channels and frequencies have an axis each: (batch, frames, frequencies, channels) rather
            than (batch, frames, channels * frequencies).
        data_format: `channels_last`, for (batch, time, channels), or `channels_first`.

    Raises:
        ConfigError: For a mode, a scaling or a padding that there is not, steps larger than the window, and a transform
            smaller than it.

    Source: Cheuk et al., nnAudio, 2019.

    >>> import keryx
    >>> keryx.layers.STFTSpectrogram("log", frame_length=64)(keryx.Input((320, 1))).shape
    (None, 9, 33)
    """

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs,
    ):
        where = "STFTSpectrogram()"
        super().__init__(**kwargs)
        self.mode, self.frame_length = choice(where, "mode", mode, _MODES), whole(where, "frame_length", frame_length)
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ConfigError(f"{where} wants frame_step= from 1 to frame_length={frame_length}; got {frame_step!r}.")
        if fft_length is not None and fft_length < frame_length:
            raise ConfigError(f"{where} wants fft_length= of at least frame_length={frame_length}; got {fft_length!r}.")
        if fft_length is not None and fft_length & -fft_length != fft_length:
            warn(f"{where} is made for fft_length= of a power of 2; got {fft_length}.")
        self.frame_step, self.fft_length, self.window, self.periodic = frame_step, fft_length, window, periodic
        if scaling not in ("density", "spectrum", None):
            raise ConfigError(f"{where} wants scaling= as 'density', 'spectrum' or None; got {scaling!r}.")
        self.scaling, self.padding, self.expand_dims = scaling, padding_mode(where, padding), expand_dims
        self.data_format = layout(where, data_format)
        self.input_spec = InputSpec(ndim=3)

    real_kernel: Variable
    imag_kernel: Variable

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """The kernels, (window, 1, frequencies)."""
        size = self.fft_length or 2 ** math.ceil(math.log2(self.frame_length))
        shape = self.frame_length, 1, size // 2 + 1
        for side, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                initializer = initializers.STFT(side, self.window, self.scaling, self.periodic)
                setattr(self, f"{side}_kernel", self.add_weight(shape, initializer, name=f"{side}_kernel"))

    def call(self, inputs: jax.Array) -> jax.Array:
        """Signals in, frames with their frequencies out."""
        if not jnp.issubdtype(inputs.dtype, jnp.floating):
            raise ArgumentError(f"{self.title} wants floats; got {inputs.dtype}.")
        if self.mode in ("real", "imag"):
            return self._arranged(self._transformed(inputs, getattr(self, f"{self.mode}_kernel")))
        real, imaginary = (self._transformed(inputs, kernel) for kernel in (self.real_kernel, self.imag_kernel))
        if self.mode == "angle":
            return self._arranged(jnp.arctan2(imaginary, real))
        if self.mode == "stft":
            return self._arranged(jnp.concatenate([real, imaginary], -1))
        power = jnp.square(real) + jnp.square(imaginary)
        if self.mode == "psd":  # each frequency but the first and the last stands for its mirror image, too
            return self._arranged(power.at[..., 1:-1].multiply(2))
        magnitude = jnp.sqrt(jnp.maximum(power, config.epsilon()))
        found = magnitude if self.mode == "magnitude" else jnp.log(jnp.maximum(magnitude, config.epsilon()))
        return self._arranged(found)

    def _transformed(self, inputs: jax.Array, kernel: Any) -> jax.Array:
        """(batch, channels, frames, frequencies)."""
        x = inputs if self.data_format == "channels_first" else jnp.swapaxes(inputs, 1, 2)
        rows = x.reshape(-1, x.shape[2], 1)
        step = self.frame_step or self.frame_length // 2
        weights = jnp.asarray(kernel).astype(x.dtype)
        found = kernels.conv(rows, weights, step, self.padding, 1, 1, "channels_last")
        return found.reshape(-1, x.shape[1], *found.shape[1:])

    def _arranged(self, x: jax.Array) -> jax.Array:
        batch, channels, frames, frequencies = x.shape
        if self.expand_dims:
            return x if self.data_format == "channels_first" else jnp.transpose(x, (0, 2, 3, 1))
        rows = jnp.transpose(x, (0, 2, 1, 3)).reshape(batch, frames, channels * frequencies)
        return rows if self.data_format == "channels_last" else jnp.swapaxes(rows, 1, 2)
