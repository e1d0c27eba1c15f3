"""Time what is small: one call, one step, an import, a start with programs compiled by an earlier process.

    benchmarks/setup.sh && python benchmarks/latency.py --json latency.json

Calls and steps are those of a 16-32-32-1 network, so nearly all of the time is the framework's own.
`JAX by hand` is the same network as a jitted function with a Python loop around it.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from harness import BACKENDS, load, machine, note, report, run_child, table, take_turns
from models import ROWS, compiled

FRAMEWORKS = ["keryx", "jax", *list(BACKENDS)[1:]]
FIGURES = {
    "predict": "predict of one row, µs",
    "call": "model(x) of one row, µs",
    "step": "fit, a step of batch 32, µs",
    "import": "import, s",
    "memory": "memory after import, MB",
    "first": "news model, first epoch, s",
    "second": "news model, first epoch in a second process, s",
}


def microseconds(work, repeats=300):
    """Median of single timings, after calls that compile and warm up."""
    times = []
    for _ in range(20 + repeats):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return statistics.median(times[20:]) * 1e6


# The children.


def imports(framework: str) -> dict:
    if framework == "jax":
        start = perf_counter()
        import jax  # noqa: F401

        seconds = perf_counter() - start
    else:
        _, seconds = load(framework)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"import": seconds, "memory": peak / (2**20 if sys.platform == "darwin" else 2**10)}


def calls(framework: str) -> dict:
    if framework == "jax":
        return calls_by_hand()
    K, _ = load(framework)
    import numpy as np

    inputs = K.layers.Input(shape=(16,))
    x = K.layers.Dense(32, activation="relu")(inputs)
    x = K.layers.Dense(32, activation="relu")(x)
    model = compiled(K.models.Model(inputs, K.layers.Dense(1)(x)), "mse")
    rng = np.random.default_rng(0)
    data, target = rng.random((16_000, 16), "float32"), rng.random((16_000, 1), "float32")
    one = data[:1]
    times = {
        "predict": microseconds(lambda: model.predict(one, verbose=0), 100),
        "call": microseconds(lambda: K.ops.convert_to_numpy(model(one))),
    }
    epochs = []
    for _ in range(6):
        start = perf_counter()
        model.fit(data, target, epochs=1, batch_size=32, verbose=0)
        epochs.append(perf_counter() - start)
    return times | {"step": statistics.median(epochs[2:]) / 500 * 1e6}


def calls_by_hand() -> dict:
    import jax
    import jax.numpy as jnp
    import numpy as np

    rng = np.random.default_rng(0)
    weights = [
        (jnp.asarray(rng.normal(0, 0.2, (n, m)), "float32"), jnp.zeros(m)) for n, m in ((16, 32), (32, 32), (32, 1))
    ]

    @jax.jit
    def forward(weights, x):
        *hidden, (last, bias) = weights
        for w, b in hidden:
            x = jax.nn.relu(x @ w + b)
        return x @ last + bias

    @jax.jit
    def step(weights, means, x, y):  # RMSprop
        loss, gradients = jax.value_and_grad(lambda w: jnp.mean((forward(w, x) - y) ** 2))(weights)
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g**2, means, gradients)
        update = jax.tree.map(lambda w, m, g: w - 1e-3 * g / jnp.sqrt(m + 1e-7), weights, means, gradients)
        return update, means, loss

    data, target = rng.random((16_000, 16), "float32"), rng.random((16_000, 1), "float32")
    times = {"call": microseconds(lambda: np.asarray(forward(weights, data[:1])))}
    means, epochs = jax.tree.map(jnp.zeros_like, weights), []
    for _ in range(6):
        start, order = perf_counter(), rng.permutation(16_000)
        for first in range(0, 16_000, 32):
            batch = order[first : first + 32]
            weights, means, loss = step(weights, means, data[batch], target[batch])
        float(loss)
        epochs.append(perf_counter() - start)
    return times | {"step": statistics.median(epochs[2:]) / 500 * 1e6}


def start(framework: str) -> dict:
    K, _ = load(framework)
    import numpy as np

    x, y = ROWS["news"].data(np.random.default_rng(0), 64)
    begin = perf_counter()
    ROWS["news"].build(K).fit(x, y, epochs=1, batch_size=32, verbose=0)
    return {"first": perf_counter() - begin}


CHILDREN = {"imports": imports, "calls": calls, "start": start}


# The parent.


def run(kind: str, framework: str) -> dict:
    if kind != "start":
        return run_child(__file__, framework, kind, framework)
    if framework == "jax":
        return {}
    with tempfile.TemporaryDirectory() as cache:  # what the first process compiles, the second one finds
        first, second = (run_child(__file__, framework, kind, framework, cache=cache) for _ in range(2))
    return first | {"second": second["first"]} if "first" in second else second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=CHILDREN, default=list(CHILDREN))
    parser.add_argument("--frameworks", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FRAMEWORK"), help="measure here, print JSON")
    options = parser.parse_args()
    if options.child:
        kind, framework = options.child
        print(json.dumps(CHILDREN[kind](framework)))
        return

    host = machine()
    results = take_turns(options.kinds, options.frameworks, options.rounds, run)
    found = report(host, results, options.frameworks, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    by_figure = {}  # figure -> framework -> spread
    for frameworks in found["results"].values():
        for framework, figures in frameworks.items():
            for figure, spread in figures.items():
                by_figure.setdefault(figure, {f: {} for f in options.frameworks})[framework] = {"": spread}
    errors = by_figure.pop("error", {})
    in_order = {figure: by_figure[figure] for figure in FIGURES if figure in by_figure}
    print(table(in_order, "", "", options.frameworks, FIGURES, True) + "\n")
    print(note(found))
    if any(errors.values()):
        sys.exit(f"failed: {', '.join(framework for framework, error in errors.items() if error)}")


if __name__ == "__main__":
    main()
