"""What was measured of each instruction set: where its kernels beat XLA's, and what Winograd's transforms cost.

XLA was held to the same instruction set. `benchmarks/kernels.py --instruction-set` prints where that leads.
"""

from dataclasses import dataclass, replace

from keryx.kernels import native


@dataclass(frozen=True)
class Tuning:
    """The numbers of one instruction set.

    Attributes:
        measured: The processor that they were measured on.
        lanes: Floats in a vector; tiles of results are two vectors wide.
        winograd_tile: What it costs to transform a tile, for each of its channels before and after, in products of a
            good direct convolution.
        winograd_kernel: What it costs to transform the kernel, for each of its weights, likewise.
        winograd_largest: Numbers of a transformed kernel; to move more costs more than the products saved.
        conv_filters: A convolution wins with so many channels of results;
        conv_ratio: with fewer, if it sums over no more than so many times as many channels,
        conv_channels: or over no more than so many.
        dense_columns: A product of fewer columns loses if it has more rows than
        dense_rows: this.
        dense_deep: A product no deeper than that loses, or
        dense_high: of fewer rows, if the largest of its three matrices has
        dense_large: so many numbers.
        global_average: Whether the mean over all of space wins,
        global_max: and the maximum.
    """

    measured: str
    lanes: int
    winograd_tile: float
    winograd_kernel: float
    winograd_largest: int
    conv_filters: int
    conv_ratio: int
    conv_channels: int
    dense_columns: int
    dense_rows: int
    dense_deep: int
    dense_high: int
    dense_large: int
    global_average: bool
    global_max: bool


_ANY = 2**62  # more than any array has
_AVX512 = Tuning(
    measured="Zen 5",
    lanes=16,
    winograd_tile=840,
    winograd_kernel=1900,
    winograd_largest=2**22,
    conv_filters=16,
    conv_ratio=4,
    conv_channels=0,
    dense_columns=16,
    dense_rows=128,
    dense_deep=0,
    dense_high=0,
    dense_large=_ANY,
    global_average=True,
    global_max=True,
)
_AVX2 = Tuning(
    measured="Zen 3",
    lanes=8,
    winograd_tile=400,
    winograd_kernel=500,
    winograd_largest=2**24,
    conv_filters=9,
    conv_ratio=2,
    conv_channels=16,
    dense_columns=2,
    dense_rows=1024,
    dense_deep=32,
    dense_high=4,
    dense_large=2**17,
    global_average=True,
    global_max=False,
)
# XLA's products of matrices were as fast when it was held to SSE4.2 as when to AVX2, so that limit does not seem to
# reach them. Against those SSE2 has small products alone.
_BASELINE = replace(
    _AVX512,
    measured="Zen 3; of convolutions, Winograd's costs alone",
    lanes=4,
    winograd_tile=400,
    winograd_kernel=300,
    dense_columns=2,
    dense_rows=1024,
    dense_deep=_ANY,
    dense_large=2**15,
    global_average=False,
    global_max=False,
)
TUNING = {
    "avx512": _AVX512,
    "avx2": _AVX2,
    "neon": replace(_AVX512, measured="nowhere yet: as AVX-512", lanes=4),
    "baseline": _BASELINE,
}


def here() -> Tuning:
    """The numbers of the library that serves; only asked where one does."""
    serving = native.library()
    if serving is None:
        raise RuntimeError("No native library serves, so nothing is tuned; keryx.kernels.report() says why.")
    return TUNING[serving]
