"""Whole numbers, booleans and short floats: each op gives the number and the dtype that Keras gives for them."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from keryx import ops

DTYPES = ["bool", "uint8", "bfloat16"]
PAIRS = [("bool", "float32"), ("uint8", "uint8"), ("int32", "bfloat16")]
NO_TENSORS = {"custom_gradient", "conv_transpose"}  # a function; images
OTHERWISE = {("sparsemax", "bool")}  # Keras's rows do not sum to 1


def required(function):
    """How many arguments it wants; 0 for what is no function of tensors by position."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return 0
    wanted = [p for p in parameters if p.default is p.empty]
    return len(wanted) if all(p.kind == p.POSITIONAL_OR_KEYWORD for p in wanted) else 0


def of(count):
    functions = {name: getattr(keras.ops, name) for name in dir(keras.ops) if name.islower() and name[0] != "_"}
    functions = {name: one for name, one in functions.items() if name not in NO_TENSORS}
    return sorted(name for name, one in functions.items() if inspect.isfunction(one) and required(one) == count)


def numbers(dtype):
    plain = np.arange(1, 7).reshape(2, 3) % 5
    return plain % 2 > 0 if dtype == "bool" else np.asarray(jnp.asarray(plain, dtype))


def check(name, *tensors):
    try:
        wanted = jax.tree.leaves(getattr(keras.ops, name)(*tensors))
    except Exception:
        return
    got = jax.tree.leaves(getattr(ops, name)(*tensors))
    for one, other in zip(got, wanted, strict=True):
        kinds = [str(getattr(value, "dtype", type(value).__name__)) for value in (one, other)]
        assert kinds[0] == kinds[1]
        if kinds[0] not in ("str", "DType"):
            close = {"rtol": 2e-2, "atol": 2e-2} if "16" in kinds[0] else {"rtol": 1e-5, "atol": 1e-5}
            one, other = (
                np.asarray(value, "complex64" if "complex" in kinds[0] else "float64") for value in (one, other)
            )
            np.testing.assert_allclose(one, other, **close)


@pytest.mark.parametrize("name", of(1))
@pytest.mark.filterwarnings("ignore")
def test_of_one_tensor(name):
    for dtype in DTYPES:
        if (name, dtype) not in OTHERWISE:
            check(name, numbers(dtype))


@pytest.mark.parametrize("name", of(2))
@pytest.mark.filterwarnings("ignore")
def test_of_two_tensors(name):
    for first, second in PAIRS:
        check(name, numbers(first), numbers(second))
