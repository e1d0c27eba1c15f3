"""Every handler of the native libraries refuses a wrong call in words; and nothing else is seen of a library.

A right call of each is changed in one place after the other: sizes, axes, dtypes, attributes, and how many there are.
They are made in a process of their own, which has to survive them all. `python test_handlers.py HANDLER...` makes them.
"""

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
import pytest

from keryx.kernels import libraries, native

F32, S32, U8, BOOL = np.float32, np.int32, np.uint8, np.bool_


def array(*shape: int, dtype: Any = F32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


@dataclass(frozen=True)
class Call:
    """A call.

    Attributes:
        operands: Their shapes.
        results: Likewise.
        attributes: By name.
        as_well: A pattern of the changes that make another right call of it.
        agree: Whether a call whose windows, steps or sizes of space were changed is right.
    """

    operands: list[jax.ShapeDtypeStruct]
    results: list[jax.ShapeDtypeStruct]
    attributes: dict[str, Any] = field(default_factory=dict)
    as_well: str = "(?!)"
    agree: Callable[["Call"], bool] | None = None

    def run(self, handler: str) -> list[jax.Array]:
        operands = [np.ones(x.shape, x.dtype) for x in self.operands]
        function = jax.jit(lambda *arrays: native.call(handler, self.results, *arrays, **self.attributes))
        return jax.block_until_ready(function(*operands))


FAR = 2**31 - 1


def fits(outputs: int, inputs: int, reach: int, stride: int, before: int, after: int) -> bool:
    """Whether so many windows begin on an axis, with up to `after` zeros behind it."""
    fewest, most = (max(0, (inputs + before + zeros - reach) // stride + 1) for zeros in (0, after))
    return fewest <= outputs <= most


def convolves(x: tuple[str, int], kernel: tuple[str, int], y: tuple[str, int]) -> Callable[[Call], bool]:
    """For a convolution, direct or Winograd's, of which the arrays are there."""

    def agree(call: Call) -> bool:
        sizes, window, outputs = (getattr(call, kind)[i].shape for kind, i in (x, kernel, y))
        axes = len(sizes) - 2
        pads, steps, gaps = (call.attributes.get(k, (1,) * axes) for k in ("pads", "strides", "dilation"))
        least = 0 if axes == 3 else -FAR
        return (
            sizes[0] == outputs[0]
            and (sizes[-1], outputs[-1]) == (window[-2] * call.attributes.get("groups", 1), window[-1])
            and (axes == 3 or window[:2] in ((3, 3), (5, 5)))
            and all(
                least <= before <= FAR
                and 1 <= min(step, gap) <= max(step, gap) <= FAR
                and k >= 1
                and fits(out, n, (k - 1) * gap + 1, step, before, FAR)
                for n, k, out, before, step, gap in zip(sizes[1:], window, outputs[1:], pads, steps, gaps, strict=False)
            )
        )

    return agree


def pools(x: tuple[str, int], y: tuple[str, int], index: tuple[str, int] | None = None) -> Callable[[Call], bool]:
    def agree(call: Call) -> bool:
        sizes, outputs = (getattr(call, kind)[i].shape for kind, i in (x, y))
        numbers = getattr(call, index[0])[index[1]].shape if index else outputs
        window, strides, before = (call.attributes[k] for k in ("window", "strides", "before"))
        return (
            (sizes[0], sizes[4]) == (outputs[0], outputs[4])
            and (numbers == outputs or (index == ("results", 1) and 0 in numbers))
            and np.prod(window, dtype=float) <= 256
            and all(
                k >= 1 and 1 <= step <= FAR and 0 <= b < k and fits(out, n, k, step, b, k - 1)
                for n, k, out, b, step in zip(sizes[1:], window, outputs[1:], before, strides, strict=False)
            )
        )

    return agree


three = {"window": (1, 3, 2), "strides": (1, 2, 1), "before": (0, 1, 0)}
direct = {"strides": (1, 2, 1), "pads": (0, 1, 0), "dilation": (1, 1, 2), "groups": 2}
image, kernel, feature = array(2, 1, 7, 9, 4), array(1, 3, 3, 2, 6), array(2, 1, 4, 5, 6)
steps, state = array(3, 5, 4), array(3, 4)
steps_3, steps_4 = array(3, 5, 12), array(3, 5, 16)
mask = array(3, 5, dtype=BOOL)
pooled, pooled_index = array(2, 1, 4, 8, 3), array(2, 1, 4, 8, 3, dtype=U8)
volume = array(2, 1, 7, 9, 3)
CALLS: dict[str, Call] = {
    "keryx_add_rows_1": Call(
        [array(5, 3), array(5, dtype=S32)], [array(7, 3)], as_well=r"result 0 axis 0 .*|an attribute more"
    ),
    "keryx_average_pool_1": Call([volume], [pooled], three, agree=pools(("operands", 0), ("results", 0))),
    "keryx_average_pool_gradient_1": Call(
        [pooled], [volume], three | {"divisor": 6}, agree=pools(("results", 0), ("operands", 0))
    ),
    "keryx_ceiling_1": Call([array(3)], [array(3)], {"steps": 100}, r".* has an axis more|steps = (0|1000|2147483648)"),
    "keryx_conv_1": Call(
        [image, kernel, array(6)],
        [feature],
        direct | {"relu": True},
        agree=convolves(("operands", 0), ("operands", 1), ("results", 0)),
    ),
    "keryx_conv_input_gradient_1": Call(
        [feature, kernel, array(4)], [image], direct, agree=convolves(("results", 0), ("operands", 1), ("operands", 0))
    ),
    "keryx_conv_kernel_gradient_1": Call(
        [image, feature], [kernel], direct, agree=convolves(("operands", 0), ("results", 0), ("operands", 1))
    ),
    "keryx_dense_1": Call([array(5, 3), array(3, 4), array(4)], [array(5, 4)], {"activation": 1}, "activation = 0"),
    "keryx_dense_backward_1": Call(
        [array(5, 3), array(5, 4), array(5, 4)],
        [array(5, 4), array(3, 4), array(4)],
        {"activation": 1},
        "activation = 0",
    ),
    "keryx_epilogue_gradient_1": Call([array(5, 3)] * 2, [array(5, 3), array(3)], {"activation": 1}, "activation = 0"),
    "keryx_global_average_pool_1": Call([array(2, 5, 3)], [array(2, 3)], {}, "operand 0 axis 1 .*|an attribute more"),
    "keryx_global_max_pool_1": Call([array(2, 5, 3)], [array(2, 3)], {}, "operand 0 axis 1 .*|an attribute more"),
    "keryx_gru_1": Call(
        [steps_3, array(4, 12), array(2, 12), state, mask],
        [steps, steps_3, steps],
        {"reverse": True},
        "operand 4 is empty",
    ),
    "keryx_gru_backward_1": Call(
        [array(4, 12), state, mask, steps, steps_3, steps, steps, state],
        [steps_3, steps, array(4, 12), array(2, 12), state],
        {"reverse": True},
        "operand 2 is empty",
    ),
    "keryx_lstm_1": Call(
        [steps_4, array(4, 16), array(16), state, state, mask],
        [steps, steps, steps_4],
        {"reverse": True},
        "operand 5 is empty",
    ),
    "keryx_lstm_backward_1": Call(
        [array(4, 16), state, state, mask, steps, steps, steps_4, steps, state, state],
        [steps_4, array(4, 16), array(16), state, state],
        {"reverse": True},
        "operand 3 is empty",
    ),
    "keryx_max_pool_1": Call(
        [volume], [pooled, pooled_index], three, agree=pools(("operands", 0), ("results", 0), ("results", 1))
    ),
    "keryx_max_pool_gradient_1": Call(
        [pooled_index, pooled], [volume], three, agree=pools(("results", 0), ("operands", 1), ("operands", 0))
    ),
    "keryx_product_1": Call(
        [array(5, 3), array(4, 5)], [array(3, 4)], {"left_transposed": True, "right_transposed": True}
    ),
    "keryx_simple_rnn_1": Call(
        [steps, array(4, 4), array(4), state, mask], [steps], {"reverse": True}, "operand 4 is empty"
    ),
    "keryx_simple_rnn_backward_1": Call(
        [array(4, 4), state, mask, steps, steps, state],
        [steps, array(4, 4), array(4), state],
        {"reverse": True},
        "operand 2 is empty",
    ),
    "keryx_sum_of_rows_1": Call([array(5, 3)], [array(3)], {}, "operand 0 axis 0 .*|an attribute more"),
    "keryx_take_rows_1": Call([array(7, 3), array(5, dtype=S32)], [array(5, 3)], {"nan": True}, "operand 0 axis 0 .*"),
    "keryx_update_1": Call(
        [array(), *(array(n) for n in (3, 8) * 4)],
        [array(n) for n in (3, 8) * 3],
        {"rule": 4, "numbers": np.array([0.9, 0.99, 1e-7])},
    ),
    "keryx_winograd_1": Call(
        [array(2, 7, 9, 4), array(3, 3, 4, 6), array(6)],
        [array(2, 6, 9, 6)],
        {"pads": (0, 1), "mirrored": False, "relu": True},
        "operand 2 is empty",
        agree=convolves(("operands", 0), ("operands", 1), ("results", 0)),
    ),
    "keryx_winograd_kernel_gradient_1": Call(
        [array(2, 7, 9, 4), array(2, 6, 9, 6)],
        [array(3, 3, 4, 6)],
        {"pads": (0, 1)},
        agree=convolves(("operands", 0), ("results", 0), ("operands", 1)),
    ),
}
EVERY = int(os.environ.get("KERYX_EVERY_WRONG_CALL", "1"))  # of the wrong calls one in so many is tried
NUMBERS = (-(2**63), -1, 0, 1000, 2**31, 2**40, 2**63 - 1)


def changes(call: Call):
    """(what was changed, the call) for everything that may be wrong with one."""
    for kind in ("operands", "results"):
        arrays = getattr(call, kind)
        for i, x in enumerate(arrays):
            name = f"{kind[:-1]} {i}"

            def put(*new, kind=kind, arrays=arrays, i=i):
                return replace(call, **{kind: [*arrays[:i], *new, *arrays[i + 1 :]]})

            for axis, (n, by) in itertools.product(range(len(x.shape)), ((1, "+ 1"), (-1, "- 1"))):
                sizes = tuple(size + n * (a == axis) for a, size in enumerate(x.shape))
                if kind == "results" and len(arrays) == 1 and 0 in sizes:
                    continue  # XLA leaves out a call of which there is no result
                yield f"{name} axis {axis} {by}", put(array(*sizes, dtype=x.dtype))
            yield f"{name} has an axis more", put(array(1, *x.shape, dtype=x.dtype))
            yield f"{name} of another dtype", put(array(*x.shape, dtype=np.int16))
            if x.shape:
                yield f"{name} has an axis less", put(array(*x.shape[1:], dtype=x.dtype))
            if kind == "results" and len(arrays) == 1:
                continue
            if x.shape:
                yield f"{name} is empty", put(array(*(0 for _ in x.shape), dtype=x.dtype))
            yield f"{name} is missing", put()
            yield f"{name} comes twice", put(x, x)
    for name, value in call.attributes.items():

        def give(new, name=name):
            return replace(call, attributes=call.attributes | {name: new})

        yield f"{name} is missing", replace(call, attributes={k: v for k, v in call.attributes.items() if k != name})
        yield f"{name} of another dtype", give(1.5)
        if isinstance(value, (tuple, np.ndarray)):
            yield f"{name} is shorter", give(value[:-1])
            yield (
                f"{name} is longer",
                give(type(value)((*value, 1)) if isinstance(value, tuple) else np.append(value, 1)),
            )
        if isinstance(value, tuple):
            for i, number in itertools.product(range(len(value)), NUMBERS):
                if number == value[i]:
                    continue
                yield f"{name}[{i}] = {number}", give((*value[:i], number, *value[i + 1 :]))
        elif isinstance(value, int) and not isinstance(value, bool):
            for number in NUMBERS:
                yield f"{name} = {number}", give(number)
    yield "an attribute more", replace(call, attributes=call.attributes | {"zeal": 1})


def main(*handlers: str) -> None:
    jax.config.update("jax_disable_most_optimizations", True)  # programs that run once need not be fast
    for handler in handlers:
        call = CALLS[handler]
        for what, changed in itertools.chain([("nothing", call)], itertools.islice(changes(call), 0, None, EVERY)):
            print(f"{handler}\t{what}", end="\t", flush=True)
            try:
                changed.run(handler)
                print("taken", flush=True)
            except Exception as error:
                print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)


# Ours, and those with which XLA finds a call to be of another signature.
REFUSAL = r"INVALID_ARGUMENT: .*({handler}: .* wants .*; got .*|Wrong number of|Wrong (buffer|scalar)|attribute)"


# Changes after which the sizes may agree all the same.
OF_SPACE = r"(operand|result) [01] axis [0-3] .*|result 1 is empty|(window|strides|pads|before|dilation)\[.*"


@pytest.mark.once  # what is checked is the same code for all; each of the many calls is a program to compile
@pytest.mark.parametrize("handlers", [libraries.TARGETS[i::4] for i in range(4)], ids=lambda names: names[0])
def test_wrong_calls_are_refused_in_words(handlers):
    done = subprocess.run([sys.executable, "-W", "error", __file__, *handlers], capture_output=True, text=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died of {lines[-1:]}: {done.stderr[-2000:]}"
    assert {handler for handler, *_ in lines} == set(handlers)
    wrong = []
    for handler, what, answer in lines:
        call = CALLS[handler]
        right = what == "nothing" or bool(re.fullmatch(call.as_well, what))
        if call.agree and re.fullmatch(OF_SPACE, what):
            right = call.agree(dict(changes(call))[what])
        if answer != "taken" if right else not re.search(REFUSAL.format(handler=handler), answer):
            wrong.append(f"{handler}: {what}: {answer}")
    assert not wrong, "\n".join(wrong)


def test_every_handler_is_called():
    assert set(CALLS) == set(libraries.TARGETS)


MESSAGES = {
    "kernel has an axis less": (
        replace(CALLS["keryx_dense_1"], operands=[array(5, 3), array(4), array(4)]),
        r"keryx_dense_1: kernel wants 2 axes; got \(4,\)",
    ),
    "bias": (
        replace(CALLS["keryx_dense_1"], operands=[array(5, 3), array(3, 4), array(3)]),
        r"keryx_dense_1: bias wants the shape \(4,\); got \(3,\)",
    ),
    "activation": (
        replace(CALLS["keryx_dense_1"], attributes={"activation": 9}),
        "keryx_dense_1: activation wants a number from 0 to 3; got 9",
    ),
}


@pytest.mark.once
@pytest.mark.parametrize("name", list(MESSAGES))
def test_messages(name):
    call, message = MESSAGES[name]
    with pytest.raises(jax.errors.JaxRuntimeError, match=message):
        call.run("keryx_dense_1")


@pytest.mark.once
def test_nothing_but_the_handlers_is_exported():
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm, of the binutils that come with a compiler, is not here.")
    found = {name: library.path for name, library in libraries.libraries().items() if library.path}
    assert found
    for path in found.values():
        options = ["-gU"] if sys.platform == "darwin" else ["-D", "--defined-only"]
        listed = subprocess.run([nm, *options, path], capture_output=True, text=True, check=True).stdout
        names = sorted(line.split()[-1].removeprefix("_") for line in listed.splitlines() if line.strip())
        assert names == sorted(libraries.TARGETS), path


if __name__ == "__main__":
    main(*sys.argv[1:])
