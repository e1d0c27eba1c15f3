"""What is built, what is installed, and on what it is said to run."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import pytest
from packaging.requirements import Requirement
from smoke import SMOKE, smoke

import keryx
from keryx.kernels import processor

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(keryx.__file__).parent
NATIVE = PACKAGE / "kernels/native"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FAMILY = {"x86_64": ["avx512", "avx2", "baseline"], "aarch64": ["neon"], "arm64": ["neon"]}


def requirement(requirements, name):
    return next(found for found in map(Requirement, requirements) if found.name == name)


def test_jax_here_is_one_that_is_supported():
    supported = requirement(PROJECT["project"]["dependencies"], "jax")
    assert jax.__version__ in supported.specifier
    assert any(part.operator == "<" for part in supported.specifier)


def test_the_kernels_are_built_with_the_oldest_headers_that_are_supported():
    supported = requirement(PROJECT["project"]["dependencies"], "jax").specifier
    oldest = next(part.version for part in supported if part.operator == ">=")
    assert str(requirement(PROJECT["build-system"]["requires"], "jaxlib").specifier) == f"=={oldest}"


def test_nothing_private_of_jax_is_used():
    private = "jax." + "_src"
    files = [path for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks") for path in folder.rglob("*.py")]
    assert len(files) > 100
    assert not [path for path in files if private in path.read_text(encoding="utf-8")]


def test_the_version_stands_in_one_place():
    where = PROJECT["tool"]["scikit-build"]["metadata"]["version"]["input"]
    assert PACKAGE.parent / where == PACKAGE / "__init__.py"
    assert "version" not in PROJECT["project"]
    assert re.findall(r'^__version__ = "(.*)"$', (PACKAGE / "__init__.py").read_text(), re.M) == [keryx.__version__]


def test_type_checkers_are_told_of_the_types():
    assert (PACKAGE / "py.typed").exists()


def test_an_installed_wheel_holds_the_package_and_its_libraries_alone():
    try:
        files = importlib.metadata.files("keryx")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("The package is not installed.")
    others = {path.suffix for path in files if path.parts[0] == "keryx" and path.name != "py.typed"}
    assert others <= {".py", ".pyc", ".so"}
    rooms = {path.parts[0] for path in files if not path.parts[0].startswith(("_editable_", "__pycache__"))}
    assert {room.partition("-")[0] for room in rooms} == {"keryx"}  # the package, and keryx-1.2.3.dist-info
    assert any(path.name == "LICENSE" for path in files)


@pytest.fixture(scope="module")
def best(tmp_path_factory):
    """The best instruction set of this machine."""
    compiler, cmake = shutil.which("c++"), shutil.which("cmake")
    if not (NATIVE / "CMakeLists.txt").exists() or not (compiler and cmake and shutil.which("ninja")):
        pytest.skip("There are no sources, or no compiler, CMake and Ninja to build them with.")
    library = tmp_path_factory.mktemp("processor") / "processor.so"
    subprocess.run([compiler, "-shared", "-fPIC", NATIVE / "processor.cc", "-o", library], check=True)
    features = processor.features_here(library)
    return next(name for name in processor.REQUIRED if not processor.missing(name, features))


@pytest.fixture
def configure(best, tmp_path, monkeypatch):
    """What CMake says when it is asked for instruction sets."""
    monkeypatch.delenv("KERYX_INSTRUCTION_SETS", raising=False)

    def run(*options):
        build = tmp_path / str(len(list(tmp_path.iterdir())))
        command = ["cmake", "-G", "Ninja", "-S", NATIVE, "-B", build, f"-DPython_EXECUTABLE={sys.executable}"]
        done = subprocess.run([*command, *options], capture_output=True, text=True)
        chosen = re.search("Native kernels for: (.*)", done.stdout)
        return chosen.group(1).split(";") if chosen else " ".join(done.stderr.split())

    return run


def test_a_build_is_for_this_machine_unless_asked_for_more(configure, best):
    family = next(sets for sets in FAMILY.values() if best in sets)
    assert configure() == [best]
    assert configure("-DKERYX_INSTRUCTION_SETS=all") == family
    assert configure(f"-DKERYX_INSTRUCTION_SETS={family[-1]};{family[0]}") == [family[-1], family[0]]
    assert configure("-DKERYX_INSTRUCTION_SETS=host") == [best]


def test_the_environment_says_what_is_built(configure, best, monkeypatch):
    monkeypatch.setenv("KERYX_INSTRUCTION_SETS", "all")
    assert configure() == next(sets for sets in FAMILY.values() if best in sets)


def test_a_build_for_another_machine_takes_all_that_it_may_need(configure):
    assert configure("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64") == ["neon"]
    assert configure("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=x86_64") == FAMILY["x86_64"]


def test_an_instruction_set_that_is_not_known_stops_the_build(configure):
    says = configure("-DKERYX_INSTRUCTION_SETS=avx1024")
    assert "KERYX_INSTRUCTION_SETS is 'avx1024': there is no library for 'avx1024'" in says
    assert "It takes host, all, or a list of these:" in says


def test_without_a_compiler_there_is_nothing_to_build(configure, monkeypatch):
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    assert "No C++ compiler: Keryx is installed without its native kernels" in configure()


def test_every_file_of_the_smoke_suite_is_there():
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")} | {"README.md"}
    assert not SMOKE.keys() - files


def test_a_test_of_the_smoke_suite_that_is_gone_is_missed(request):
    here = [item for item in request.session.items if item.path.name == "test_packaging.py"]
    SMOKE["test_packaging.py"] = ["what_nobody_wrote"]
    try:
        with pytest.raises(LookupError, match="what_nobody_wrote"):
            smoke(here)
    finally:
        del SMOKE["test_packaging.py"]
