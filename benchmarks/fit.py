"""Time Keryx and Keras on the models of the guide, or on single layers.

    benchmarks/setup.sh && python benchmarks/fit.py --json fit.json
    python benchmarks/fit.py --rows mlp news --frameworks keryx keras-jax --rounds 1 --markdown
    python benchmarks/fit.py --layers

Keryx runs in this interpreter, Keras in the environments that setup.sh makes.
"""

import argparse
import json
import resource
import statistics
import sys
from pathlib import Path
from time import perf_counter

from harness import BACKENDS, load, machine, note, report, run_child, table, take_turns
from layer_models import LAYER_ROWS
from models import ROWS

MODELS = {**ROWS, **LAYER_ROWS}
FIGURES = {
    "fit": "ms a step in fit",
    "predict": "ms a step in predict",
    "first": "first epoch with compilation, s",
    "import": "import, s",
    "memory": "peak memory, MB",
    "loss": "last loss",
}


def measure(name: str, framework: str) -> dict:
    """All figures of one row and framework, in this process."""
    K, import_s = load(framework)
    import numpy as np

    row = MODELS[name]
    x, y = row.data(np.random.default_rng(0), row.rows)
    K.utils.set_random_seed(0)
    model = row.build(K)
    steps = -(-row.rows // row.batch)

    start = perf_counter()
    model.fit(x, y, epochs=1, batch_size=row.batch, verbose=0)
    first_s = perf_counter() - start

    ends = []

    class Stopwatch(K.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            float(logs["loss"])  # where work is still under way, this waits for it
            ends.append(perf_counter())

    # The first of these epochs warms up; from end to end, so that the work between two epochs counts.
    history = model.fit(x, y, epochs=1 + row.epochs, batch_size=row.batch, verbose=0, callbacks=[Stopwatch()])

    predictions = []
    for _ in range(1 + row.epochs):
        start = perf_counter()
        model.predict(x, batch_size=row.batch, verbose=0)
        predictions.append(perf_counter() - start)

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "fit": float(np.median(np.diff(ends))) / steps * 1e3,
        "predict": statistics.median(predictions[1:]) / steps * 1e3,
        "first": first_s,
        "import": import_s,
        "memory": peak / (2**20 if sys.platform == "darwin" else 2**10),
        "loss": float(history.history["loss"][-1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=MODELS)
    parser.add_argument("--layers", action="store_true", help="single layers instead of the guide's models")
    parser.add_argument("--frameworks", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--markdown", action="store_true", help="print the README's table, and only that")
    parser.add_argument("--child", nargs=2, metavar=("ROW", "FRAMEWORK"), help="measure here, print JSON")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(*options.child)))
        return

    host, rows = machine(), options.rows or list(LAYER_ROWS if options.layers else ROWS)
    results = take_turns(rows, options.frameworks, options.rounds, lambda row, f: run_child(__file__, f, row, f))
    found = report(host, results, options.frameworks, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    what = {name: f"{name}: {row.what}" for name, row in MODELS.items()}
    for figure in ["fit"] if options.markdown else FIGURES:
        print(table(results, figure, FIGURES[figure], options.frameworks, what, not options.markdown) + "\n")
    print(note(found))


if __name__ == "__main__":
    main()
