"""What is promised of files, counted, and their speed beside NumPy and Keras.

    python benchmarks/files.py
    python benchmarks/files.py --rows exchanged old onnx hostile
    python benchmarks/files.py --rows large --rounds 7 --folder /dev/shm

What is counted are the tests' own cases (Keras and ONNX Runtime are wanted, as in the `test` extra). What is timed
takes turns in one process, and the least of the rounds counts; NumPy's file is synced and renamed as ours is.
"""

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np

import keryx


def take_turns(rounds: int, **functions: Callable) -> dict[str, float]:
    """The least seconds that each function took."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = perf_counter()
            result = function()
            taken[name].append(perf_counter() - start)
            del result
            gc.collect()
    return {name: min(times) for name, times in taken.items()}


def peak() -> float:
    """The most memory that the process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def large(folder: Path, rounds: int) -> list[str]:
    """160 million weights: saved and loaded beside numpy.save and numpy.load of as many bytes."""
    x = keryx.Input((4000,))
    model = keryx.Model(x, keryx.layers.Dense(3900)(keryx.layers.Dense(20000)(x)))
    path, array = folder / "m.keras", folder / "n.npy"
    before = peak()
    model.save(path)
    added, size = peak() - before, path.stat().st_size / 2**20
    flat = np.random.default_rng(0).random(model.count_params(), dtype="float32")

    def numpy_save():
        with open(folder / "n.new", "wb") as file:
            np.save(file, flat)
            file.flush()
            os.fsync(file.fileno())
        os.replace(folder / "n.new", array)

    taken = take_turns(
        rounds,
        save=lambda: model.save(path),
        numpy_save=numpy_save,
        load=lambda: keryx.models.load_model(path),
        numpy_load=lambda: np.load(array),
    )
    return [
        f"save, {size:,.0f} MB: {taken['save']:.2f} s, {taken['save'] / taken['numpy_save']:.2f} times numpy.save, "
        f"with {added:,.0f} MB of memory more",
        f"load: {taken['load']:.2f} s, {taken['load'] / taken['numpy_load']:.2f} times numpy.load",
    ]


def layers(folder: Path, rounds: int) -> list[str]:
    """100 Dense layers, trained by Adam for a step: saved and loaded beside Keras."""
    import keras

    models = {}
    for K in (keryx, keras):
        model = K.Sequential([K.Input((32,)), *(K.layers.Dense(32) for _ in range(100))])
        model.compile("adam", "mse")
        model.fit(np.zeros((8, 32)), np.zeros((8, 32)), verbose=0)
        models[K] = model
    paths = {keryx: folder / "a.keras", keras: folder / "b.keras"}
    taken = take_turns(
        rounds,
        save=lambda: models[keryx].save(paths[keryx]),
        keras_save=lambda: models[keras].save(paths[keras]),
        load=lambda: keryx.models.load_model(paths[keryx]),
        load_other=lambda: keryx.models.load_model(paths[keras]),
        keras_load=lambda: keras.models.load_model(paths[keras]),
    )
    return [
        f"save of 100 layers: {taken['save']:.3f} s, Keras {taken['keras_save'] / taken['save']:.1f} times as long",
        f"load of 100 layers: {taken['load']:.3f} s, Keras {taken['keras_load'] / taken['load']:.1f} times as long",
        f"of Keras's file: {taken['load_other']:.3f} s, Keras {taken['keras_load'] / taken['load_other']:.1f} times",
    ]


TESTS = Path(__file__).resolve().parents[1] / "tests" / "files"
COUNTED = {
    "exchanged": {
        "layers, optimizers and structures that Keras reads, trains on, and writes for us to train on": [
            "test_keras_file_layers.py", "test_keras_file_optimizers.py",
            "test_keras_file.py::test_structures_are_exchanged_with_keras",
            "test_keras_file.py::test_a_subclass_is_exchanged_with_keras",
        ],
    },
    "old": {
        "models of tf_keras 2.21 and tf.keras 2.3, each in its forms, that load and train on": [
            "test_old_tf_keras.py::test_a_model_computes_the_same_and_trains_on_to_the_same"
        ],
        "models of Keras 0.3 to 2.3, and whole files of Keras 3 in HDF5": ["test_old_keras.py", "test_old_whole_h5.py"],
    },
    "onnx": {"layers, ops and models in ONNX Runtime": ["test_onnx.py"]},
    "hostile": {"hostile files, refused": ["test_hostile.py"]},
}  # fmt: skip


def count(row: str) -> list[str]:
    """What the tests of a row found: cases that passed, of how many; those that did not, by name."""
    told = []
    for what, tests in COUNTED[row].items():
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
            done = subprocess.run(
                [sys.executable, *command, *(str(TESTS / test) for test in tests)],
                cwd=TESTS.parents[1], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            if not report.exists():
                raise SystemExit(done.stdout)
            cases = list(ElementTree.parse(report).iter("testcase"))
        failed = [case.get("name") for case in cases if len(case) and case[0].tag != "properties"]
        more = [p for case in cases for p in case.iter("property") if case.get("name") not in failed]
        models = sum(int(p.get("value", 0)) for p in more)
        told.append(
            f"{what}: {len(cases) - len(failed)} of {len(cases)} tests{f', {models} in them' if models else ''}"
        )
        told += [f"    not: {name}" for name in failed]
    return told


def script(name: str, *arguments: str) -> list[str]:
    """What a script beside the tests prints in the end."""
    environment = os.environ | {"PYTHONPATH": str(TESTS.parents[1])}
    done = subprocess.run(
        [sys.executable, str(TESTS / name), *arguments], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()


ROWS: dict[str, Callable[[Path, int], list[str]]] = {
    **{row: lambda _folder, _rounds, row=row: count(row) for row in COUNTED},  # type: ignore[misc]
    "mutants": lambda _folder, _rounds: script("mutants.py", "--mutants", "10000"),
    "kills": lambda _folder, _rounds: script("kills.py", "200"),
    "large": large,
    "layers": layers,
}


def main() -> None:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where the files are written; the system's place for such files by default")
    arguments = parser.parse_args()
    for row in arguments.rows:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            print(*ROWS[row](Path(folder), arguments.rounds), sep="\n")


if __name__ == "__main__":
    main()
