"""Every handler of the native libraries refuses a wrong call in words; and nothing else is seen of a library.

A right call of each is changed in one place after the other: sizes, axes, dtypes, attributes, and how many there are.
They are made in a process of their own, which has to survive them all. `python test_handlers.py HANDLER...` makes them.
"""

import itertools
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
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
    """

    operands: list[jax.ShapeDtypeStruct]
    results: list[jax.ShapeDtypeStruct]
    attributes: dict[str, Any] = field(default_factory=dict)
    as_well: str = "(?!)"

    def run(self, handler: str) -> list[jax.Array]:
        operands = [np.ones(x.shape, x.dtype) for x in self.operands]
        function = jax.jit(lambda *arrays: native.call(handler, self.results, *arrays, **self.attributes))
        return jax.block_until_ready(function(*operands))


ones, three = (1, 1, 1), {"window": (1, 3, 2), "strides": (1, 2, 1), "before": (0, 1, 0)}
direct = {"strides": (1, 2, 1), "pads": (0, 1, 0), "dilation": (1, 1, 2), "groups": 2}
image, kernel, feature = array(2, 1, 7, 9, 4), array(1, 3, 3, 2, 6), array(2, 1, 4, 5, 6)
# More outputs are more zeros behind the inputs; a smaller window, less space in front and wider steps may give as many.
ZEROS_BEHIND = r"{} axis [123] \+ 1|{} axis 2 - 1|pads\[[012]\] = (0|1|2|3|7|1000)|dilation\[0\] = .*|groups = 1$"
steps, state = array(3, 5, 4), array(3, 4)
steps_3, steps_4 = array(3, 5, 12), array(3, 5, 16)
mask = array(3, 5, dtype=BOOL)
pooled, pooled_index = array(2, 1, 4, 8, 3), array(2, 1, 4, 8, 3, dtype=U8)
volume = array(2, 1, 7, 9, 3)
CALLS: dict[str, Call] = {
    "keryx_add_rows_1": Call([array(5, 3), array(5, dtype=S32)], [array(7, 3)], as_well="result 0 axis 0"),
    "keryx_average_pool_1": Call([volume], [pooled], three),
    "keryx_average_pool_gradient_1": Call([pooled], [volume], three | {"divisor": 6}),
    "keryx_ceiling_1": Call([array(3)], [array(3)], {"steps": 100}),
    "keryx_conv_1": Call([image, kernel, array(6)], [feature], direct | {"relu": True}),
    "keryx_conv_input_gradient_1": Call([feature, kernel, array(4)], [image], direct),
    "keryx_conv_kernel_gradient_1": Call([image, feature], [kernel], direct),
    "keryx_dense_1": Call([array(5, 3), array(3, 4), array(4)], [array(5, 4)], {"activation": 1}),
    "keryx_dense_backward_1": Call(
        [array(5, 3), array(5, 4), array(5, 4)], [array(5, 4), array(3, 4), array(4)], {"activation": 1}
    ),
    "keryx_epilogue_gradient_1": Call([array(5, 3)] * 2, [array(5, 3), array(3)], {"activation": 1}),
    "keryx_global_average_pool_1": Call([array(2, 5, 3)], [array(2, 3)]),
    "keryx_global_max_pool_1": Call([array(2, 5, 3)], [array(2, 3)]),
    "keryx_gru_1": Call([steps_3, array(4, 12), array(2, 12), state, mask], [steps, steps_3, steps], {"reverse": True}),
    "keryx_gru_backward_1": Call(
        [array(4, 12), state, mask, steps, steps_3, steps, steps, state],
        [steps_3, steps, array(4, 12), array(2, 12), state],
        {"reverse": True},
    ),
    "keryx_lstm_1": Call(
        [steps_4, array(4, 16), array(16), state, state, mask], [steps, steps, steps_4], {"reverse": True}
    ),
    "keryx_lstm_backward_1": Call(
        [array(4, 16), state, state, mask, steps, steps, steps_4, steps, state, state],
        [steps_4, array(4, 16), array(16), state, state],
        {"reverse": True},
    ),
    "keryx_max_pool_1": Call([volume], [pooled, pooled_index], three),
    "keryx_max_pool_gradient_1": Call([pooled_index, pooled], [volume], three),
    "keryx_product_1": Call(
        [array(5, 3), array(4, 5)], [array(3, 4)], {"left_transposed": True, "right_transposed": True}
    ),
    "keryx_simple_rnn_1": Call([steps, array(4, 4), array(4), state, mask], [steps], {"reverse": True}),
    "keryx_simple_rnn_backward_1": Call(
        [array(4, 4), state, mask, steps, steps, state], [steps, array(4, 4), array(4), state], {"reverse": True}
    ),
    "keryx_sum_of_rows_1": Call([array(5, 3)], [array(3)]),
    "keryx_take_rows_1": Call([array(7, 3), array(5, dtype=S32)], [array(5, 3)], {"nan": True}),
    "keryx_update_1": Call(
        [array(), *(array(n) for n in (3, 8) * 4)],
        [array(n) for n in (3, 8) * 3],
        {"rule": 4, "numbers": np.array([0.9, 0.99, 1e-7])},
    ),
    "keryx_winograd_1": Call(
        [array(2, 7, 9, 4), array(3, 3, 4, 6), array(6)],
        [array(2, 6, 9, 6)],
        {"pads": (0, 1), "mirrored": False, "relu": True},
    ),
    "keryx_winograd_kernel_gradient_1": Call(
        [array(2, 7, 9, 4), array(2, 6, 9, 6)], [array(3, 3, 4, 6)], {"pads": (0, 1)}
    ),
}
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
                yield f"{name} axis {axis} {by}", put(array(*sizes, dtype=x.dtype))
            yield f"{name} has an axis more", put(array(1, *x.shape, dtype=x.dtype))
            if x.shape:
                yield f"{name} has an axis less", put(array(*x.shape[1:], dtype=x.dtype))
                yield f"{name} is empty", put(array(*(0 for _ in x.shape), dtype=x.dtype))
            yield f"{name} of another dtype", put(array(*x.shape, dtype=np.int16))
            yield f"{name} is missing", put()
            yield f"{name} comes twice", put(x, x)
    for name, value in call.attributes.items():

        def give(new, name=name):
            return replace(call, attributes=call.attributes | {name: new})

        yield f"{name} is missing", replace(
            call, attributes={k: v for k, v in call.attributes.items() if k != name}
        )
        yield f"{name} of another dtype", give(1.5)
        if isinstance(value, (tuple, np.ndarray)):
            yield f"{name} is shorter", give(value[:-1])
            yield f"{name} is longer", give(type(value)((*value, 1)) if isinstance(value, tuple) else np.append(value, 1))
        if isinstance(value, tuple):
            for i, number in itertools.product(range(len(value)), NUMBERS):
                yield f"{name}[{i}] = {number}", give((*value[:i], number, *value[i + 1 :]))
        elif isinstance(value, int) and not isinstance(value, bool):
            for number in NUMBERS:
                yield f"{name} = {number}", give(number)
    yield "an attribute more", replace(call, attributes=call.attributes | {"zeal": 1})


def main(*handlers: str) -> None:
    for handler in handlers:
        call = CALLS[handler]
        for what, changed in itertools.chain([("nothing", call)], changes(call)):
            print(f"{handler}\t{what}", end="\t", flush=True)
            try:
                changed.run(handler)
                print("taken", flush=True)
            except Exception as error:
                print(f"{type(error).__name__}: {error}".replace("\n", " "), flush=True)


# Ours, and those with which XLA finds a call to be of another signature.
REFUSAL = r"INVALID_ARGUMENT: .*({handler}: .* wants .*; got .*|Wrong number of|Wrong buffer (rank|dtype)|attribute)"


@pytest.mark.parametrize("handlers", [libraries.TARGETS[i::4] for i in range(4)], ids=lambda names: names[0])
def test_wrong_calls_are_refused_in_words(handlers):
    done = subprocess.run([sys.executable, "-W", "error", __file__, *handlers], capture_output=True, text=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died of {lines[-1:]}: {done.stderr[-2000:]}"
    assert {handler for handler, *_ in lines} == set(handlers)
    wrong = []
    for handler, what, answer in lines:
        if answer == "taken":
            fine = what == "nothing" or re.fullmatch(CALLS[handler].as_well, what)
        else:
            fine = what != "nothing" and re.search(REFUSAL.format(handler=handler), answer)
        if not fine:
            wrong.append(f"{handler}: {what}: {answer}")
    assert not wrong, "\n".join(wrong)


def test_every_handler_is_called():
    assert set(CALLS) == set(libraries.TARGETS)


if __name__ == "__main__":
    main(*sys.argv[1:])
