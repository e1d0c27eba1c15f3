"""Which native library serves: never one that the processor cannot run, and never half of one."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keryx import config
from keryx.errors import ConfigError
from keryx.kernels import libraries, processor, report

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[2]
HERE = libraries.libraries()
FOLDER = next((library.path.parent for library in HERE.values() if library.path), Path("nowhere"))
# Of CPUID, written down once more: (leaf, register) of the features that the libraries are compiled for, by bit.
LEAF_1 = {12: "fma", 22: "movbe", 28: "avx", 29: "f16c"}
LEAF_7 = {3: "bmi1", 5: "avx2", 8: "bmi2", 16: "f", 17: "dq", 28: "cd", 30: "bw", 31: "vl"}
LEAF_EXTENDED = {5: "lzcnt"}


def fake(has):
    """CPUID of a processor with these features, and all other bits set."""

    def bits(names):
        return 0xFFFFFFFF & ~sum(1 << bit for bit, name in names.items() if name not in has)

    registers = {1: (0, 0, bits(LEAF_1), 0), 7: (0, bits(LEAF_7), 0, 0), 0x80000001: (0, 0, bits(LEAF_EXTENDED), 0)}
    return lambda leaf, subleaf: registers[leaf]


def runnable(found):
    return [name for name in processor.REQUIRED if not processor.missing(name, found)]


@pytest.mark.parametrize("xcr0", [0, 0b11, 0b111, 0b1110_0001, 0b1110_0111])
def test_every_combination_of_abilities(xcr0):
    every = [*LEAF_1.values(), *LEAF_7.values(), *LEAF_EXTENDED.values()]
    level_3 = {"fma", "movbe", "avx", "f16c", "bmi1", "avx2", "bmi2", "lzcnt"}
    for has in itertools.chain.from_iterable(itertools.combinations(every, n) for n in range(len(every) + 1)):
        wanted = ["baseline"]
        if level_3 <= set(has) and xcr0 & 6 == 6:
            wanted.insert(0, "avx2")
            if len(has) == len(every) and xcr0 & 0xE0 == 0xE0:
                wanted.insert(0, "avx512")
        assert runnable(processor.features(fake(has), xcr0)) == wanted, has


def test_the_processor_here_is_asked():
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists() or "flags" not in cpuinfo.read_text():
        pytest.skip("The system does not list the processor's features.")
    flags = cpuinfo.read_text().split("flags")[1].split("\n")[0].replace("abm", "lzcnt").split()
    found = processor.features_here(FOLDER / "libkeryx_processor.so")
    assert found == processor.REQUIRED["avx512"] & set(flags)


def test_names_of_instruction_sets_are_the_same_everywhere():
    assert config._instruction_set.values == ("auto", *processor.REQUIRED)


def test_a_library_for_every_instruction_set_that_runs_here():
    """The tests of this folder cover these."""
    family = ["neon"] if HERE["neon"].path else ["avx512", "avx2", "baseline"]
    refused = {name: HERE[name].refused for name in family if HERE[name].refused}
    unbuilt = [name for name, why in refused.items() if not why.startswith("not for this processor")]
    assert not unbuilt, f"{refused}: install with -C cmake.define.KERYX_INSTRUCTION_SETS=all to test all of them"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of libraries, for a test to fill."""
    monkeypatch.setenv("KERYX_NATIVE_LIBRARIES", str(tmp_path))
    monkeypatch.delenv("KERYX_INSTRUCTION_SET", raising=False)
    config.set_instruction_set("auto")
    return tmp_path


def put(folder, *names):
    for name in names:  # as links, for a second copy in one process would be another library
        (folder / f"libkeryx_{name}.so").symlink_to(FOLDER / f"libkeryx_{name}.so")


def test_a_library_that_lacks_a_handler_is_refused(folder):
    put(folder, "processor")
    (folder / "libkeryx_baseline.so").symlink_to(FOLDER / "libkeryx_processor.so")
    assert libraries.libraries()["baseline"].refused.startswith("it is of another version of Keryx, without keryx_add_")


def test_what_does_not_load_is_refused(folder):
    put(folder, "processor")
    (folder / "libkeryx_baseline.so").write_text("no library at all")
    assert libraries.libraries()["baseline"].refused.startswith("it does not load: ")
    with pytest.warns(libraries.NativeKernelsMissing, match=r"cannot be used \(baseline: it does not load") as seen:
        assert libraries.serving() is None
    assert "compiler" not in str(seen[0].message)
    assert libraries.serving() is None  # and no second warning


def test_without_a_library_the_way_out_is_a_compiler(folder):
    with pytest.warns(libraries.NativeKernelsMissing, match=r"are not there.*install one \(g\+\+ or clang\)"):
        assert libraries.serving() is None
    assert report().library is None


@pytest.mark.skipif(HERE["baseline"].refused is not None, reason="The baseline's library was not built.")
def test_a_processor_that_cannot_be_asked_gets_the_baseline(folder):
    put(folder, "baseline", *(name for name in ("avx2",) if not HERE[name].refused))
    found = libraries.libraries()
    assert found["baseline"].refused is None
    assert libraries.serving() == "baseline"
    if not HERE["avx2"].refused:
        assert found["avx2"].refused.startswith("the processor could not be asked: ")


def test_handlers_are_registered_all_or_the_library_is_not_used(folder, monkeypatch):
    best = next(name for name, library in HERE.items() if library.refused is None)
    put(folder, "processor", best)
    registered = []

    def register(name, function, platform):
        if len(registered) == 5:
            raise RuntimeError("version 0.9 of the API")
        registered.append(name)

    monkeypatch.setattr(libraries.jax.ffi, "register_ffi_target", register)
    why = libraries.libraries()[best].refused
    assert why == "it was built for another version of XLA's foreign functions: version 0.9 of the API"
    with pytest.warns(libraries.NativeKernelsMissing, match="with this JAX"):
        assert libraries.serving() is None


def test_a_lesser_instruction_set_can_be_chosen(monkeypatch):
    usable = [name for name, library in HERE.items() if library.refused is None]
    for name in usable:
        config.set_instruction_set(name)
        assert libraries.serving() == name
        assert report().libraries[name] == "serves"
        assert f"\n  {name}: serves\n" in str(report())
    refused = next(name for name, library in HERE.items() if library.refused)
    config.set_instruction_set(refused)
    with pytest.raises(ConfigError, match=rf"for {refused} cannot be used: .* Those that can: {', '.join(usable)}"):
        libraries.serving()
    with pytest.raises(ConfigError, match=r"set_instruction_set\(\) takes one of auto, .*; got 'avx'. Did you mean"):
        config.set_instruction_set("avx")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("KERYX_KERNELS", "nativ", "KERYX_KERNELS is one of auto, native, xla; got 'nativ'. Did you mean 'native'?"),
        (
            "KERYX_INSTRUCTION_SET",
            "sse",
            "KERYX_INSTRUCTION_SET is one of auto, avx512, avx2, neon, baseline; got 'sse'",
        ),
    ],
)
def test_the_environment_is_checked_as_the_function_is(variable, value, message):
    environment = os.environ | {"PYTHONPATH": str(ROOT), variable: value}
    command = [sys.executable, "-c", "import keryx; keryx.kernels.report()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert message in done.stderr.splitlines()[-1]
