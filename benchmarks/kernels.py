"""Time single kernels: native code, XLA, and oneDNN by way of PyTorch, beside what the machine can do at most.

    benchmarks/setup.sh && python benchmarks/kernels.py --json kernels.json
    python benchmarks/kernels.py --rows conv-3x3-64 max-pool-2x2 --only forward --rounds 1
    python benchmarks/kernels.py --instruction-set avx2

Keryx runs in this interpreter, PyTorch in the environment of keras-torch that setup.sh makes. A figure is the best of
many calls; of several rounds the median. Convolutions, products and recurrent layers are in GFLOP/s, what only moves
numbers is in GB/s of the arrays that have to be read and written once.
"""

import argparse
import functools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from time import perf_counter

from harness import load, machine, note, number, report, run_child, take_turns

BY = {"native": "keryx", "xla": "keryx", "onednn": "keras-torch"}
TITLES = {"native": "Keryx", "xla": "XLA", "onednn": "oneDNN (PyTorch)"}
# Freed memory is kept, as it is within one program: else new pages cost more than what is measured.
KEPT = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}
SECONDS = 0.7  # of calls in a measurement, at least
# What Keryx, XLA and PyTorch with oneDNN are told, so that each has what a processor of that instruction set has;
# but XLA's products of matrices, code of jaxlib's own, take as long under `baseline` as under `avx2`.
INSTRUCTION_SETS = {
    "avx512": {},
    "avx2": {
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    "neon": {},
    "baseline": {
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    },
}


@dataclass
class Row:
    """A kernel with its shapes.

    Args:
        what: Shown in the table.
        shapes: Of the arrays that both functions take.
        jax: `(kernels, *arrays) -> y`, or a dict of pass to function where the passes are not those of autodiff.
        torch: Pass to `(torch, *arrays) -> result`; all arrays as in JAX, channels last.
        work: Pass to the FLOP or bytes of one call.
        unit: GFLOP/s or GB/s.
        high: Of integers, the largest plus one; they are the last array.
    """

    what: str
    shapes: list[tuple[int, ...]]
    jax: Callable | dict[str, Callable]
    torch: dict[str, Callable]
    work: dict[str, float]
    unit: str = "GFLOP/s"
    high: int = 0


# -- rows ----------------------------------------------------------------------------------------------------------


def conv(x: tuple, filters: int, window: int, groups: int = 1) -> Row:
    kernel = (window, window, x[-1] // groups, filters)
    kind = "depthwise" if groups > 1 else "conv"

    def ours(kernels, x, kernel):
        return kernels.conv(x, kernel, padding="same", groups=groups)

    def theirs(mask=None):
        def run(torch, x, kernel, dy=None):
            x, kernel = x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1)
            kernel = kernel.contiguous(memory_format=torch.channels_last)
            how = [1, 1], [window // 2] * 2, [1, 1], False, [0, 0], groups
            if mask is None:
                return torch.ops.aten.convolution(x, kernel, None, *how)
            return torch.ops.aten.convolution_backward(dy.permute(0, 3, 1, 2), x, kernel, None, *how, mask)

        return run

    flop = 2 * prod(x[:-1]) * prod(kernel)
    return Row(
        f"{kind} {window}x{window}, {by(x)} to {filters}",
        [x, kernel],
        ours,
        {"forward": theirs(), "dx": theirs([True, False, False]), "dw": theirs([False, True, False])},
        dict.fromkeys(("forward", "dx", "dw"), flop),
    )


def pool(kind: str, x: tuple, window: int, strides: int, padding: str) -> Row:
    def ours(kernels, x):
        function = kernels.max_pool if kind == "max" else kernels.average_pool
        return function(x, window, strides, padding)

    def theirs(torch, x):
        pad, x = window // 2 if padding == "same" else 0, x.permute(0, 3, 1, 2)
        if kind == "max":
            return torch.nn.functional.max_pool2d(x, window, strides, pad)
        return torch.nn.functional.avg_pool2d(x, window, strides, pad, count_include_pad=False)

    out = [-(-n // strides) if padding == "same" else (n - window) // strides + 1 for n in x[1:3]]
    what = f"{kind} pool {window}x{window} / {strides} {padding}, {by(x)}"
    return moving(what, x, (x[0], *out, x[3]), ours, theirs)


def global_mean(x: tuple) -> Row:
    return moving(
        f"global average, {by(x)}",
        x,
        (x[0], x[-1]),
        lambda kernels, x: kernels.global_average_pool(x, (1, 2)),
        lambda torch, x: x.mean((1, 2)),
    )


def moving(what: str, x: tuple, y: tuple, ours: Callable, theirs: Callable) -> Row:
    """Forward alone, and forward with the gradient, in GB/s of x and y, and of their gradients."""

    def train(torch, x):
        x = x.detach().requires_grad_()
        y = theirs(torch, x)
        return torch.autograd.grad(y, x, y.detach())

    size = 4 * (prod(x) + prod(y))
    return Row(what, [x], ours, {"forward": theirs, "train": train}, {"forward": size, "train": 2 * size}, "GB/s")


def dense(rows: int, features: int, units: int) -> Row:
    return Row(
        f"dense, {rows}x{features} to {units}",
        [(rows, features), (features, units)],
        lambda kernels, x, kernel: kernels.dense(x, kernel),
        {
            "forward": lambda torch, x, kernel: x @ kernel,
            "dx": lambda torch, x, kernel, dy: dy @ kernel.T,
            "dw": lambda torch, x, kernel, dy: x.T @ dy,
        },
        dict.fromkeys(("forward", "dx", "dw"), 2 * rows * features * units),
    )


def recurrent(kind: str, x: tuple, units: int) -> Row:
    batch, time, features = x
    gates = {"lstm": 4, "gru": 3}[kind]
    shapes = [x, (features, gates * units), (units, gates * units)]

    def ours(kernels, x, kernel, recurrent_kernel):
        import jax.numpy as jnp

        bias, state = jnp.zeros((gates if kind == "lstm" else 2 * gates) * units), jnp.zeros((batch, units))
        if kind == "lstm":
            return kernels.lstm(x, kernel, recurrent_kernel, bias, state, state)[0]
        return kernels.gru(x, kernel, recurrent_kernel, bias.reshape(2, -1), state)[0]

    @functools.cache
    def layer(torch):
        return getattr(torch.nn, kind.upper())(features, units, batch_first=True)

    def forward(torch, x, *weights):
        with torch.no_grad():
            return layer(torch)(x)[0]

    def train(torch, x, *weights):
        x = x.detach().requires_grad_()
        y = layer(torch)(x)[0]
        return torch.autograd.grad(y, [x, *layer(torch).parameters()], y.detach())

    flop = 2 * batch * time * gates * units * (features + units)
    return Row(
        f"{kind.upper()}, {by(x)} to {units}",
        shapes,
        ours,
        {"forward": forward, "train": train},
        {"forward": flop, "train": 3 * flop},
    )


def embedding(rows: int, width: int, count: int) -> Row:
    def ours(kernels, dy, ids):
        import jax
        import jax.numpy as jnp

        return jax.vjp(lambda table: kernels.embedding(table, ids), jnp.zeros((rows, width)))[1](dy)[0]

    return Row(
        f"embedding gradient, {count} of {rows}x{width}",
        [(count, width), (count,)],
        {"dw": ours},
        {"dw": lambda torch, dy, ids: torch.ops.aten.embedding_dense_backward(dy, ids, rows, -1, False)},
        {"dw": 4 * width * (rows + count)},
        "GB/s",
        high=rows,
    )


def by(shape: tuple) -> str:
    return "x".join(map(str, shape))


ROWS = {
    "conv-3x3-64": conv((4, 224, 224, 64), 64, 3),
    "conv-3x3-256": conv((4, 56, 56, 256), 256, 3),
    "conv-5x5-64": conv((4, 256, 256, 64), 64, 5),
    "conv-3x3-small": conv((32, 25, 25, 64), 64, 3),
    "conv-1x1": conv((4, 56, 56, 256), 64, 1),
    "depthwise": conv((4, 112, 112, 64), 64, 3, groups=64),
    "max-pool-2x2": pool("max", (4, 222, 222, 64), 2, 2, "valid"),
    "max-pool-128": pool("max", (4, 109, 109, 128), 2, 2, "valid"),
    "max-pool-small": pool("max", (32, 23, 23, 64), 2, 2, "valid"),
    "max-pool-3x3": pool("max", (4, 112, 112, 64), 3, 2, "same"),
    "max-pool-image": pool("max", (4, 256, 256, 3), 3, 1, "same"),
    "average-pool": pool("average", (4, 222, 222, 64), 2, 2, "valid"),
    "global-average": global_mean((4, 768, 256, 64)),
    "lstm-32": recurrent("lstm", (32, 100, 512), 32),
    "lstm-64": recurrent("lstm", (32, 140, 256), 64),
    "gru-32": recurrent("gru", (32, 100, 512), 32),
    "gru-64": recurrent("gru", (32, 140, 256), 64),
    "dense-32": dense(32, 784, 64),
    "dense-640": dense(640, 784, 64),
    "dense-wide": dense(4, 160256, 1000),
    "embedding": embedding(10000, 512, 3200),
}


# -- in the child --------------------------------------------------------------------------------------------------


def best(call: Callable) -> float:
    """The seconds of the fastest of many calls; the first two, which compile and warm up, do not count."""
    call()
    call()
    times, start = [], perf_counter()
    while len(times) < 5 or perf_counter() - start < SECONDS:
        before = perf_counter()
        call()
        times.append(perf_counter() - before)
    return min(times)


def arrays_of(row: Row) -> list:
    import numpy as np

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype("float32") for shape in row.shapes]
    if row.high:
        arrays[-1] = rng.integers(0, row.high, row.shapes[-1]).astype("int32")
    return arrays


def measure_jax(row: Row, way: str, mode: str) -> float:
    keryx, _ = load("keryx")
    import jax

    keryx.runtime.process.ready()  # memory as fit has it; without, each call pays for new pages
    keryx.config.set_kernels("auto" if mode == "native" else mode)
    kernels, arrays = keryx.kernels, [jax.numpy.asarray(a) for a in arrays_of(row)]
    if isinstance(row.jax, dict):
        program = jax.jit(lambda *arrays: row.jax[way](kernels, *arrays))
        return best(lambda: jax.block_until_ready(program(*arrays)))

    def forward(*arrays):
        return row.jax(kernels, *arrays)

    def backward(dy, *arrays):
        if way == "train":
            y, back = jax.vjp(forward, *arrays)
            return y, back(dy)
        place = {"dx": 0, "dw": 1}[way]
        return jax.vjp(lambda one: forward(*arrays[:place], one, *arrays[place + 1 :]), arrays[place])[1](dy)

    if way == "forward":
        program = jax.jit(forward)
        return best(lambda: jax.block_until_ready(program(*arrays)))
    program, dy = jax.jit(backward), jax.jit(forward)(*arrays)
    return best(lambda: jax.block_until_ready(program(dy, *arrays)))


def measure_torch(row: Row, way: str) -> float:
    import torch

    arrays = [torch.from_numpy(a) for a in arrays_of(row)]
    if way in ("dx", "dw") and "forward" in row.torch:
        dy = row.torch["forward"](torch, *arrays)
        arrays.append(dy.permute(0, 2, 3, 1) if dy.ndim == 4 else dy)
    return best(lambda: row.torch[way](torch, *arrays))


def measure_ceiling() -> dict:
    """Products with sums in registers on all threads, and one array read and written in place."""
    load("keryx")
    import jax
    import jax.numpy as jnp

    from keryx.kernels import native

    found = {}
    steps, tasks = 2**22, 64
    if native.library():
        y = jax.ShapeDtypeStruct((tasks,), jnp.float32)
        multiply = jax.jit(lambda x: native.call("keryx_ceiling_1", [y], x, steps=steps))
        x = jnp.full(tasks, 0.5)
        found["GFLOP/s"] = 2 * steps * tasks / best(lambda: jax.block_until_ready(multiply(x))) / 1e9
    add = jax.jit(lambda x: x + 1, donate_argnums=0)
    place = [jnp.zeros(2**26)]

    def once():
        place[0] = jax.block_until_ready(add(place[0]))

    found["GB/s"] = 2 * 2**28 / best(once) / 1e9
    return found


def measure(name: str, way: str, who: str) -> dict:
    """The rate of one row and pass, in this process."""
    if name == "ceiling":
        return measure_ceiling()
    row = ROWS[name]
    seconds = measure_torch(row, way) if who == "onednn" else measure_jax(row, way, who)
    return {row.unit: row.work[way] / seconds / 1e9, "us": seconds * 1e6}


# -- in the parent -------------------------------------------------------------------------------------------------


def markdown(results: dict, ceiling: dict, by: list[str]) -> str:
    lines = ["| kernel | pass | | " + " | ".join(TITLES[who] for who in by) + " | ceiling |"]
    lines.append("|---|---|---|" + "---:|" * (len(by) + 1))
    for key, found in results.items():
        name, way = key.split(":")
        unit = ROWS[name].unit
        cells = [number(found[who][unit]["median"]) if unit in found[who] else "failed" for who in by]
        most = number(ceiling[unit]["median"]) if unit in ceiling else "-"
        lines.append(f"| {ROWS[name].what} | {way} | {unit} | " + " | ".join(cells) + f" | {most} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--only", nargs="+", choices=["forward", "dx", "dw", "train"], help="which passes")
    parser.add_argument("--by", nargs="+", choices=BY, default=list(BY))
    parser.add_argument("--instruction-set", choices=INSTRUCTION_SETS, help="that of a lesser processor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--child", nargs=3, metavar=("ROW", "PASS", "BY"), help="measure here, print JSON")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(*options.child)))
        return

    os.environ |= KEPT
    if options.instruction_set:
        os.environ |= {"KERYX_INSTRUCTION_SET": options.instruction_set, **INSTRUCTION_SETS[options.instruction_set]}
    host = machine()
    keys = [
        f"{name}:{way}" for name in options.rows for way in ROWS[name].work if way in (options.only or ROWS[name].work)
    ]

    def run(key, who):
        return run_child(__file__, BY.get(who, "keryx"), *key.split(":"), who)

    ceiling = take_turns(["ceiling:"], ["machine"], options.rounds, run)["ceiling:"]["machine"]
    results = take_turns(keys, options.by, options.rounds, run)
    found = report(host, results, sorted({BY[who] for who in options.by}), options.rounds) | {"ceiling": ceiling}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    print(markdown(results, ceiling, options.by) + "\n")
    print(note(found))


if __name__ == "__main__":
    main()
