"""Mutated files of every format: each is read or refused by an error of Keryx's own, in time and within bounds.

python tests/files/mutants.py --mutants 1000000 [--seed 1] [--formats m.keras m.h5]
"""

import argparse
import contextlib
import random
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from watching import BYTES, peak, reset_peak

import keryx
from keryx import layers
from keryx.errors import KeryxError

SECONDS = 2
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, 2**40, 1000]


def small() -> keryx.Model:
    """A model with a layer of a few kinds, trained for a step so that its files hold an optimizer's state."""
    keryx.utils.set_random_seed(0)
    x = keryx.Input((4, 3), name="x")
    h = layers.LSTM(2, name="lstm")(layers.Dropout(0.5)(x))
    h = layers.Add()([h, layers.Dense(2, name="dense")(h)])
    model = keryx.Model(x, layers.BatchNormalization(name="norm")(h), name="small")
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 4, 3), np.float32), np.ones((4, 2), np.float32), verbose=0)
    return model


def formats(folder: Path, model: keryx.Model) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """A file of each format, and what reads it."""
    readers: dict[str, Callable[[Path], object]] = {}
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
        readers[name] = keryx.saving.load_model
    for name in ("m.weights.h5", "w.h5", "m.npz", "m.safetensors"):
        model.save_weights(folder / name)
        readers[name] = model.load_weights
    model.save_weights(folder / "m.weights.json", max_shard_size=1e-6)
    readers["m.weights.json"] = model.load_weights
    return {name: ((folder / name).read_bytes(), read) for name, read in readers.items()}


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The bytes after one to eight changes of the kinds that crash readers."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(max(1, len(changed)))
        size = rng.choice((1, 2, 4, 8))
        kind = rng.randrange(8)
        if kind == 0:
            changed[at : at + 1] = bytes([changed[at] ^ 1 << rng.randrange(8)]) if changed else b""
        elif kind == 1:
            changed[at : at + size] = rng.randbytes(size)
        elif kind in (2, 3):
            changed[at : at + size] = (rng.choice(NUMBERS) % 2 ** (8 * size)).to_bytes(size, "little")
        elif kind == 4:
            del changed[at : at + rng.choice((1, 8, 100))]
        elif kind == 5:
            changed[at:at] = rng.randbytes(rng.choice((1, 8, 100)))
        elif kind == 6:
            other = rng.randrange(max(1, len(changed)))
            changed[at : at + 64] = changed[other : other + 64]
        elif rng.random() < 0.3:
            del changed[at:]
    return bytes(changed)


class TooLong(BaseException):
    """A mutant that took longer than it may."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """A block that may take two seconds."""

    def ring(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)  # on a busy machine
    start = time.process_time()
    try:
        yield
        if time.process_time() - start > SECONDS:
            raise TooLong
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(mutants: int, seed: int, only: list[str] | None = None) -> dict[str, list[int]]:
    """Read so many mutants, as many of each format: how many of each were read and refused.

    Raises:
        AssertionError: At the first that brings about anything else; the message says how to make it again.
    """
    counts: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = small()
        files = {k: v for k, v in formats(Path(temporary), model).items() if not only or k in only}
        for name, (_, read) in files.items():
            read(Path(temporary) / name)
        reset_peak()
        before = peak()
        for number in range(mutants):
            name = list(files)[number % len(files)]
            data, read = files[name]
            path = Path(temporary) / name
            path.write_bytes(mutated(random.Random(f"{seed}/{number}"), data))
            refused = False
            try:
                with limited():
                    read(path)
            except KeryxError:
                refused = True
            except BaseException as error:
                trace = "".join(traceback.format_exception(error)[-3:])
                raise AssertionError(f"{name}, seed {seed}, mutant {number}:\n{trace}") from error
            finally:
                path.write_bytes(data)
            counts.setdefault(name, [0, 0])[refused] += 1
            assert peak() - before < BYTES, f"{name}, seed {seed}, mutant {number}: {peak() - before:,} bytes"
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="+")
    options = parser.parse_args()
    for name, (read, refused) in run(options.mutants, options.seed, options.formats).items():
        print(f"{name}: {read:,} read, {refused:,} refused")
