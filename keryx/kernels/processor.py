"""What this processor can run: the instruction sets that both it and the operating system provide.

Sources: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, sections 13.3 (XCR0), 14.3 and 15.2;
the levels x86-64-v3 and x86-64-v4 of the x86-64 psABI.
"""

import ctypes
import platform
import sys
from collections.abc import Callable
from pathlib import Path

Cpuid = Callable[[int, int], tuple[int, int, int, int]]  # (leaf, subleaf) -> eax, ebx, ecx, edx

# Where CPUID tells of each feature: leaf, register, bit.
_EBX, _ECX = 1, 2
_FEATURES = {
    "fma": (1, _ECX, 12),
    "movbe": (1, _ECX, 22),
    "avx": (1, _ECX, 28),
    "f16c": (1, _ECX, 29),
    "bmi1": (7, _EBX, 3),
    "avx2": (7, _EBX, 5),
    "bmi2": (7, _EBX, 8),
    "avx512f": (7, _EBX, 16),
    "avx512dq": (7, _EBX, 17),
    "avx512cd": (7, _EBX, 28),
    "avx512bw": (7, _EBX, 30),
    "avx512vl": (7, _EBX, 31),
    "lzcnt": (0x80000001, _ECX, 5),
}
_V3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe"}
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}

# What the library of each instruction set is compiled for; the best first.
REQUIRED: dict[str, frozenset[str]] = {
    "avx512": frozenset(_V4),
    "avx2": frozenset(_V3),
    "neon": frozenset({"neon"}),
    "baseline": frozenset(),
}
# Registers that the operating system has to save: bits of XCR0.
_SAVES_YMM, _SAVES_ZMM = 0b110, 0b1110_0110


def features(cpuid: Cpuid, xcr0: int) -> frozenset[str]:
    """The features that an x86-64 processor has and the operating system lets programs use.

    Args:
        cpuid: The CPUID instruction: (leaf, subleaf) to the registers eax, ebx, ecx and edx.
        xcr0: The register of that name; 0 where there is none.

    >>> sorted(features(lambda leaf, subleaf: (0, 0b100000, 1 << 28, 0), xcr0=0b111))
    ['avx', 'avx2']
    """
    found = {name for name, (leaf, register, bit) in _FEATURES.items() if cpuid(leaf, 0)[register] >> bit & 1}
    if xcr0 & _SAVES_ZMM != _SAVES_ZMM:
        found = {name for name in found if not name.startswith("avx512")}
    if xcr0 & _SAVES_YMM != _SAVES_YMM:
        found -= {"avx", "avx2", "f16c", "fma"}
    return frozenset(found)


def features_here(library: Path) -> frozenset[str]:
    """The features of the processor that this process runs on.

    Args:
        library: The compiled half of this module, from native/processor.cc.

    Raises:
        OSError: Where it is not there or cannot be loaded.
    """
    if platform.machine().lower() in ("aarch64", "arm64"):
        return frozenset({"neon"})  # all of them have it
    here = ctypes.CDLL(str(library))
    here.keryx_cpuid.argtypes = (ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))
    here.keryx_cpuid.restype = None
    here.keryx_xcr0.argtypes, here.keryx_xcr0.restype = (), ctypes.c_uint64

    def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        registers = (ctypes.c_uint32 * 4)()
        here.keryx_cpuid(leaf, subleaf, registers)
        return tuple(registers)  # type: ignore[return-value]

    return features(cpuid, here.keryx_xcr0())


def missing(instruction_set: str, found: frozenset[str]) -> list[str]:
    """The features that a library for this instruction set needs and that were not found."""
    return sorted(REQUIRED[instruction_set] - found)


if __name__ == "__main__":  # for the build: the best instruction set of this machine
    here = features_here(Path(sys.argv[1]))
    print(next(name for name in REQUIRED if not missing(name, here)))
