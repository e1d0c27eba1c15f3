"""The update of all weights in one pass, against its formulas in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keryx import config, kernels
from keryx.kernels.update import RULES

NUMBERS = {"descent": (), "momentum": (0.9,), "nesterov": (0.9,), "rms": (0.9, 1e-7), "adam": (0.9, 0.999, 1e-7)}


def arrays(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def in_float64(rule, rate, weights, gradients, slots):
    """The formulas as the optimizers' docstrings write them."""
    new = []
    for w, g, *s in zip(weights, gradients, *slots, strict=True):
        w, g, *s = (np.asarray(a, "float64") for a in (w, g, *s))
        if rule == "descent":
            new.append((w - rate * g,))
        elif rule == "momentum":
            v = 0.9 * s[0] - rate * g
            new.append((w + v, v))
        elif rule == "nesterov":
            v = 0.9 * s[0] - rate * g
            new.append((w + 0.9 * v - rate * g, v))
        elif rule == "rms":
            n = 0.9 * s[0] + 0.1 * g**2
            new.append((w - rate * g / np.sqrt(n + 1e-7), n))
        else:
            m, v = 0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g**2
            new.append((w - rate * m / (np.sqrt(v) + 1e-7), m, v))
    return list(zip(*new, strict=True))


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.native])
@given(
    shapes=st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=5),
    large=st.integers(0, 20000),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=12)
def test_formula(rule, shapes, large, seed):
    shapes = [*shapes, (large,)]
    weights, gradients = arrays(shapes, seed), arrays(shapes, seed + 1)
    slots = [[np.abs(a) for a in arrays(shapes, seed + 2 + i)] for i in range(RULES[rule].slots)]
    found = kernels.update(rule, jnp.float32(0.01), weights, gradients, *slots, numbers=NUMBERS[rule])
    for mine, right in zip(found, in_float64(rule, 0.01, weights, gradients, slots), strict=True):
        for a, b in zip(mine, right, strict=True):
            np.testing.assert_allclose(a, b, rtol=3e-6, atol=5e-7)  # four units in the last place of 1


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.native])
def test_nan_and_infinity_pass(rule):
    gradients = [np.array([np.nan, np.inf, -np.inf, 1e30, 0, 1], "float32")]
    weights = [np.ones(6, "float32")]
    slots = [[np.array([0, 0, 0, 0, np.inf, 0], "float32")] for _ in range(RULES[rule].slots)]
    found = {}
    for mode in ("native", "xla"):
        config.set_kernels(mode)
        found[mode] = kernels.update(rule, jnp.float32(0.01), weights, gradients, *slots, numbers=NUMBERS[rule])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found["native"], found["xla"])


def test_what_is_written_over_is_not_read_again():
    """Donated weights lie where the results do; gradients, and weights that are still wanted, stay as they are."""
    weights, gradients, slots = [jnp.ones(1000)], [jnp.full(1000, 2.0)], [jnp.ones(1000)]
    numbers = NUMBERS["rms"]
    (new,), (n,) = kernels.update("rms", jnp.float32(0.1), weights, gradients, slots, numbers=numbers)
    assert float(weights[0].sum()) == 1000
    assert float(gradients[0].sum()) == 2000
    assert float(slots[0].sum()) == 1000

    def steps(weights, slots):
        return jax.lax.fori_loop(
            0,
            3,
            lambda _, c: kernels.update("rms", jnp.float32(0.1), c[0], gradients, c[1], numbers=numbers),
            (weights, slots),
        )

    (looped,), _ = jax.jit(steps, donate_argnums=(0, 1))([jnp.ones(1000)], [jnp.ones(1000)])
    for _ in range(2):
        (new,), (n,) = kernels.update("rms", jnp.float32(0.1), [new], gradients, [n], numbers=numbers)
    np.testing.assert_allclose(looped, new, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_dtypes_run_on_xla(dtype):
    ones = [jnp.ones(5, dtype)]
    (new,) = kernels.update("descent", jnp.float32(0.5), ones, ones)
    assert new[0].dtype == dtype
    assert new[0].tolist() == [0.5] * 5


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.native])
def test_many_weights_go_in_several_calls(rule):
    """XLA takes a time to compile that grows with the square of a call's operands: 2,000 layers took four minutes."""
    shapes = [(i % 5,) for i in range(150)]
    weights, gradients = arrays(shapes, 0), arrays(shapes, 1)
    slots = [[np.abs(a) for a in arrays(shapes, 2 + i)] for i in range(RULES[rule].slots)]

    def step(weights, gradients, *slots):
        return kernels.update(rule, jnp.float32(0.01), weights, gradients, *slots, numbers=NUMBERS[rule])

    calls = [e for e in jax.make_jaxpr(step)(weights, gradients, *slots).eqns if e.primitive.name == "keryx_update"]
    assert [len(e.outvars) // (1 + len(slots)) for e in calls] == [64, 64, 22]
    for mine, right in zip(
        step(weights, gradients, *slots), in_float64(rule, 0.01, weights, gradients, slots), strict=True
    ):
        for a, b in zip(mine, right, strict=True):
            np.testing.assert_allclose(a, b, rtol=3e-6, atol=5e-7)
