"""Hashes of text, many at a time: FarmHash's Fingerprint64, SipHash-2-4, and TensorFlow's way to join fingerprints.

Texts of one length are hashed together, as columns of bytes. All arithmetic is modulo 2**64, as NumPy's uint64 is.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_K0, _K1, _K2 = (np.uint64(k) for k in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F))
_CROSSING_KEY, _JOIN = np.uint64(0xDECAFCAFFE), np.uint64(0xC6A4A7935BD1E995)
Words = Any  # an array of uint64, one a text


def fingerprint64(texts: np.ndarray) -> np.ndarray:
    """FarmHash's Fingerprint64 of each text, of its UTF-8 bytes: uint64, in the shape of `texts`.

    Source: Pike and Alakuijala, FarmHash, https://github.com/google/farmhash (farmhashna::Hash64).

    >>> fingerprint64(np.array(["", "a", "hello"], object)).tolist()
    [11160318154034397263, 12917804110809363939, 13009744463427800296]
    """
    return _by_length(texts, _farm)


def siphash64(texts: np.ndarray, key: Sequence[int]) -> np.ndarray:
    """SipHash-2-4 of each text under a key of two integers: uint64, in the shape of `texts`.

    Source: Aumasson and Bernstein, SipHash: a fast short-input PRF, 2012.

    >>> siphash64(np.array([""], object), (0x0706050403020100, 0x0F0E0D0C0B0A0908)).tolist()  # of the paper's test
    [8246050544436514353]
    """
    k0, k1 = (np.uint64(int(k) % 2**64) for k in key)
    return _by_length(texts, lambda data: _sip(data, k0, k1))


def bins(texts: np.ndarray, count: int, salt: Sequence[int] | None = None) -> np.ndarray:
    """A bin below `count` for each text, int64: its fingerprint, or its SipHash where there is a salt."""
    values = fingerprint64(texts) if salt is None else siphash64(texts, salt)
    return (values % np.uint64(count)).astype(np.int64)


def crossed_bins(columns: Sequence[np.ndarray], count: int) -> np.ndarray:
    """A bin below `count` for each combination of what stands in the columns, text or integers: int64.

    Source: TensorFlow's SparseCross with hashed output, which joins fingerprints by FarmHash's FingerprintCat64; an
    integer is its own fingerprint.
    """
    joined: Words = _CROSSING_KEY
    for column in columns:
        own = fingerprint64(column) if column.dtype == object else column.astype(np.int64).view(np.uint64)
        mixed = (joined ^ _JOIN ^ _shift_mix(own * _JOIN) * _JOIN) * _JOIN
        joined = _shift_mix(_shift_mix(mixed) * _JOIN)
    return (joined % np.uint64(count)).astype(np.int64)


def as_words(values: np.ndarray) -> np.ndarray:
    """Numbers as the text that TensorFlow makes of them before it hashes: floats lose what is after the point.

    >>> as_words(np.array([3, -1])).tolist(), as_words(np.array([1.9, -1.9])).tolist(), as_words(np.array(True)).item()
    (['3', '-1'], ['1', '-1'], 'true')
    """
    if values.dtype == bool:
        return np.where(values, "true", "false").astype(object)
    return values.astype(np.int64).astype(str).astype(object) if values.dtype != object else values


def _by_length(texts: np.ndarray, of: Callable[[np.ndarray], Words]) -> np.ndarray:
    """What `of` gives for the bytes of the texts, uint8 (texts, length), length by length."""
    encoded = [text.encode() for text in texts.ravel().tolist()]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    joined = np.frombuffer(b"".join(encoded), np.uint8)
    starts = np.cumsum(lengths) - lengths
    results = np.empty(len(encoded), np.uint64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        results[rows] = of(joined[starts[rows][:, None] + np.arange(length)])
    return results.reshape(texts.shape)


def _word(data: np.ndarray, start: int, size: int = 8) -> Words:
    """The bytes from `start` on as a little-endian number."""
    return np.ascontiguousarray(data[:, start : start + size]).view(f"<u{size}")[:, 0].astype(np.uint64)


def _u(number: int) -> np.uint64:
    return np.uint64(number % 2**64)


def _turn(x: Words, right: int) -> Words:
    return (x >> _u(right)) | (x << _u(64 - right))


def _shift_mix(x: Words) -> Words:
    return x ^ (x >> _u(47))


def _mix(u: Words, v: Words, by: Words) -> Words:
    """Two words in one (Murmur's way)."""
    a = _shift_mix((u ^ v) * by)
    return _shift_mix((v ^ a) * by) * by


def _farm(data: np.ndarray) -> Words:
    length = data.shape[1]
    with np.errstate(over="ignore"):
        if length > 64:
            return _farm_long(data)
        by = _K2 + _u(2 * length)
        if length > 16:
            return _farm_middle(data, by)
        if length >= 8:
            a, b = _word(data, 0) + _K2, _word(data, length - 8)
            return _mix(_turn(b, 37) * by + a, (_turn(a, 25) + b) * by, by)
        if length >= 4:
            return _mix(_u(length) + (_word(data, 0, 4) << _u(3)), _word(data, length - 4, 4), by)
        if length:
            first, half, last = (data[:, i].astype(np.uint64) for i in (0, length // 2, length - 1))
            return _shift_mix((first + (half << _u(8))) * _K2 ^ (_u(length) + (last << _u(2))) * _K0) * _K2
        return np.full(len(data), _K2)


def _farm_middle(data: np.ndarray, by: Words) -> Words:
    """Of 17 to 64 bytes."""
    length, long = data.shape[1], data.shape[1] > 32
    a, b = _word(data, 0) * (_K2 if long else _K1), _word(data, 8)
    c, d = _word(data, length - 8) * by, _word(data, length - 16) * _K2
    y, x = _turn(a + b, 43) + _turn(c, 30) + d, a + _turn(b + _K2, 18) + c
    z = _mix(y, x, by)
    if not long:
        return z
    e, f = _word(data, 16) * by, _word(data, 24)
    g, h = (y + _word(data, length - 32)) * by, (z + _word(data, length - 24)) * by
    return _mix(_turn(e + f, 43) + _turn(g, 30) + h, e + _turn(f + a, 18) + g, by)


def _farm_long(data: np.ndarray) -> Words:
    """Of more than 64 bytes: blocks of 64, then the last 64 once more."""
    length = data.shape[1]
    seed = 81
    y: Words = np.full(len(data), _u(seed * int(_K1) + 113))
    z: Words = _shift_mix(y * _K2 + _u(113)) * _K2
    x = _u(seed * int(_K2)) + _word(data, 0)
    v: Any = (np.zeros_like(y), np.zeros_like(y))
    w = v
    for start in range(0, (length - 1) // 64 * 64, 64):
        x, y, z, v, w = _block(data, start, x, y, z, v, w, _K1, _u(1))
        x, z = z, x
    by = _K1 + ((z & _u(0xFF)) << _u(1))
    first = w[0] + _u((length - 1) % 64)
    v = v[0] + first, v[1]
    w = first + v[0], w[1]
    x, y, z, v, w = _block(data, length - 64, x, y, z, v, w, by, _u(9))
    x, z = z, x
    return _mix(_mix(v[0], w[0], by) + _shift_mix(y) * _K0 + z, _mix(v[1], w[1], by) + x, by)


def _block(data, at, x, y, z, v, w, by, weight) -> tuple:
    """One block of 64 bytes from `at` on."""
    x = _turn(x + y + v[0] + _word(data, at + 8), 37) * by ^ w[1] * weight
    y = _turn(y + v[1] + _word(data, at + 48), 42) * by + v[0] * weight + _word(data, at + 40)
    z = _turn(z + w[0], 33) * by
    v = _weak(data, at, v[1] * by, x + w[0])
    w = _weak(data, at + 32, z + w[1], y + _word(data, at + 16))
    return x, y, z, v, w


def _weak(data: np.ndarray, at: int, a: Words, b: Words) -> tuple[Words, Words]:
    first, second, third, fourth = (_word(data, at + i) for i in (0, 8, 16, 24))
    a = a + first
    b = _turn(b + a + fourth, 21)
    c = a
    a = a + second + third
    return a + fourth, b + _turn(a, 44) + c


def _sip(data: np.ndarray, k0: np.uint64, k1: np.uint64) -> Words:
    rows, length = data.shape
    tail = np.zeros((rows, length // 8 * 8 + 8), np.uint8)  # the rest, zeros, and the length in the last byte
    tail[:, :length] = data
    tail[:, -1] = length % 256
    words = tail.view("<u8").astype(np.uint64)
    begin = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    v0, v1, v2, v3 = (np.full(rows, _u(b) ^ k) for b, k in zip(begin, (k0, k1, k0, k1), strict=True))
    for i in range(words.shape[1]):
        v3 = v3 ^ words[:, i]
        v0, v1, v2, v3 = _rounds(v0, v1, v2, v3, 2)
        v0 = v0 ^ words[:, i]
    v0, v1, v2, v3 = _rounds(v0, v1, v2 ^ _u(0xFF), v3, 4)
    return v0 ^ v1 ^ v2 ^ v3


def _rounds(v0: Words, v1: Words, v2: Words, v3: Words, count: int) -> tuple[Words, Words, Words, Words]:
    for _ in range(count):
        v0, v2 = v0 + v1, v2 + v3
        v1, v3 = _turn(v1, 51) ^ v0, _turn(v3, 48) ^ v2
        v0 = _turn(v0, 32)
        v2, v0 = v2 + v1, v0 + v3
        v1, v3 = _turn(v1, 47) ^ v2, _turn(v3, 43) ^ v0
        v2 = _turn(v2, 32)
    return v0, v1, v2, v3
