"""Sound from files of the format WAV."""

import math
import struct
from pathlib import Path

import numpy as np

from keryx.errors import DataError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def read_wav(path: str) -> tuple[np.ndarray, int]:
    """The samples of a file (time, channels) as float32 from -1 to 1, and how many there are in a second.

    After Microsoft's "Multiple channel audio data and WAVE files": chunks of a name, a length and data; integers of 8
    bits have no sign, longer ones do.

    Raises:
        DataError: Where it is no such file, or packed in a way of its own.
    """
    data = Path(path).read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise DataError(f"{path} is no WAV file.")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        chunks.setdefault(name, data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    head, sound = chunks.get(b"fmt ", b""), chunks.get(b"data")
    if len(head) < 16 or sound is None:
        raise DataError(f"{path} is truncated: it lacks the part that says what it is, or the sound.")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head)
    if kind == _EXTENSIBLE and len(head) >= 26:
        kind = struct.unpack_from("<H", head, 24)[0]
    width = bits // 8
    if (kind, bits) not in [(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)] or not channels:
        raise DataError(f"{path} holds {channels} channels of kind {kind} and {bits} bits; PCM and floats are read.")
    sound = sound[: len(sound) // (width * channels) * width * channels]
    if kind == _FLOAT:
        samples = np.frombuffer(sound, f"<f{width}").astype("float32")
    elif bits == 8:
        samples = (np.frombuffer(sound, "uint8").astype("float32") - 128) / 128
    elif bits == 24:
        bytes_ = np.frombuffer(sound, "uint8").reshape(-1, 3)
        whole = np.concatenate([np.zeros((len(bytes_), 1), "uint8"), bytes_], 1).view("<i4")  # 256 times the number
        samples = (whole.ravel() / 2**31).astype("float32")
    else:
        samples = (np.frombuffer(sound, f"<i{width}") / 2.0 ** (bits - 1)).astype("float32")
    return samples.reshape(-1, channels), rate


def resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Sound at another number of samples a second, through SciPy's polyphase filter."""
    from scipy.signal import resample_poly  # comes with JAX

    if rate == new_rate:
        return samples
    common = math.gcd(rate, new_rate)
    return resample_poly(samples, new_rate // common, rate // common, axis=0).astype("float32")
