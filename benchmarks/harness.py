"""What the benchmarks share: a process for every measurement, frameworks in turn, medians, tables."""

import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

HERE = Path(__file__).resolve().parent
VENVS = Path(os.environ.get("KERYX_BENCH_VENVS", HERE / ".venvs"))  # made by setup.sh
BACKENDS = {"keryx": None, "keras-jax": "jax", "keras-tf": "tensorflow", "keras-torch": "torch"}
TITLES = {
    "keryx": "Keryx",
    "keras-jax": "Keras 3, JAX",
    "keras-tf": "Keras 3, TensorFlow",
    "keras-torch": "Keras 3, PyTorch",
    "jax": "JAX by hand",
}
PACKAGES = {
    "keryx": ["keryx", "jax"],
    "keras-jax": ["keras", "jax"],
    "keras-tf": ["keras", "tensorflow-cpu"],
    "keras-torch": ["keras", "torch"],
    "jax": ["jax"],
}


# In the child.


def load(framework: str) -> tuple:
    """The framework's module, and the seconds that importing it took."""
    if BACKENDS[framework]:
        os.environ["KERAS_BACKEND"] = BACKENDS[framework]
    sys.path.append(str(HERE.parent))  # a clone of Keryx that is not installed
    start = perf_counter()
    K = importlib.import_module("keras" if BACKENDS[framework] else "keryx")
    K.layers.Dense, K.models.Model  # noqa: B018 -- a lazy package has to be touched
    return K, perf_counter() - start


# In the parent. It stays small: on Linux the peak memory of a child starts at that of its parent.


def python(framework: str) -> str:
    """Keryx runs in this interpreter, a peer in its own environment."""
    return sys.executable if framework in ("keryx", "jax") else str(VENVS / framework / "bin" / "python")


def run_child(script: str, framework: str, *arguments: str, cache: str | None = None) -> dict:
    """The line of JSON that `script --child ...` prints last, or {'error': ...}.

    `cache` is the folder for programs compiled by earlier processes; without it a child starts from nothing.
    """
    with tempfile.TemporaryDirectory() as empty:
        environment = os.environ | {"XDG_CACHE_HOME": cache or empty, "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [python(framework), script, "--child", *arguments]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        except (OSError, subprocess.TimeoutExpired) as problem:
            return {"error": str(problem)}
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"error": done.stderr.strip()[-2000:] or f"exit code {done.returncode}"}


def take_turns(rows: list[str], frameworks: list[str], rounds: int, run: Callable) -> dict:
    """{row: {framework: summary}}; A B C D, A B C D, ..., so that a slow minute of the machine hits all."""
    results: dict = {}
    for row in rows:
        runs: dict = {framework: [] for framework in frameworks}
        for turn in range(rounds):
            for framework in frameworks:
                found = run(row, framework)
                runs[framework].append(found)
                shown = found.get("error") or ", ".join(f"{k} {number(v)}" for k, v in found.items())
                print(f"{row}, {framework}, round {turn + 1}: {shown}", file=sys.stderr, flush=True)
        results[row] = {framework: summarize(runs[framework]) for framework in frameworks}
    return results


def summarize(runs: list[dict]) -> dict:
    """{figure: {median, min, max}} over the rounds that came through."""
    good = [run for run in runs if "error" not in run]
    if not good:
        return {"error": runs[-1]["error"]}
    reduce = {"median": statistics.median, "min": min, "max": max}
    return {figure: {n: f([run[figure] for run in good]) for n, f in reduce.items()} for figure in good[0]}


def machine() -> dict:
    """Processor, cores, system, and the load before anything is measured; says so when that is high."""
    cpu, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = round(os.getloadavg()[0], 2)
    if load > cores / 4:
        print(
            f"The machine is busy (load {load} on {cores} cores): the figures will be too high.",
            file=sys.stderr,
        )
    return {
        "cpu": cpu,
        "cores": cores,
        "load": load,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions(framework: str) -> dict:
    script = "import importlib.metadata as m, json; "
    script += "print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    try:
        done = subprocess.run([python(framework), "-c", script], capture_output=True, text=True)
        found = {name.replace("_", "-").lower(): version for name, version in json.loads(done.stdout)}
    except (OSError, ValueError):
        return {}
    return {name: found[name] for name in PACKAGES[framework] if name in found}


def report(host: dict, results: dict, frameworks: list[str], rounds: int) -> dict:
    """What goes into the JSON file: the figures, and where they come from."""
    return {
        "machine": host,
        "versions": {framework: versions(framework) for framework in frameworks},
        "rounds": rounds,
        "results": results,
    }


def note(found: dict) -> str:
    """One sentence on the machine and the versions."""
    host, seen = found["machine"], {}
    for packages in found["versions"].values():
        seen |= {name: version for name, version in packages.items() if version}
    where = f"{host['cpu']}, {host['cores']} cores, load {host['load']} before, {host['system']}"
    made_with = ", ".join(f"{name} {version}" for name, version in seen.items())
    return (
        f"{where}, Python {host['python']}; {made_with}; "
        f"median of {found['rounds']} rounds, every measurement in a process of its own."
    )


def number(value: float) -> str:
    """Three significant digits, thousands with a comma, never an exponent."""
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-4 else f"{value:.6f}"


def cell(found: dict, base: dict, figure: str, ranges: bool) -> str:
    if figure not in found:
        return "failed" if "error" in found else "-"
    spread, text = found[figure], number(found[figure]["median"])
    if ranges and spread["min"] != spread["max"]:
        text += f" [{number(spread['min'])} to {number(spread['max'])}]"
    if found is not base and figure in base and figure != "loss":
        text += f" ({spread['median'] / base[figure]['median']:.2g}x)"
    return text


def table(results: dict, figure: str, title: str, frameworks: list[str], what: dict, ranges: bool = True) -> str:
    """One figure in Markdown: a row a model, a column a framework, in brackets the ratio to Keryx."""
    lines = [f"| {title} | " + " | ".join(TITLES[f] for f in frameworks) + " |"]
    lines.append("|---|" + "---:|" * len(frameworks))
    for row, found in results.items():
        cells = (cell(found[f], found.get("keryx", {}), figure, ranges) for f in frameworks)
        lines.append(f"| {what[row]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
