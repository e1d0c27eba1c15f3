"""Loops and branches that are compiled.

In a graph each is one call. What its function needs of the graph has to come in as an argument; only the
functions of `cond` may use symbolic tensors from outside, and then both of them are computed.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keryx.core import scope
from keryx.core.graph import lift, symbols_in
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError
from keryx.ops.table import as_array


def _body(function: Callable) -> Callable:
    """`function` so that it neither changes variables nor uses symbols from outside."""

    @functools.wraps(function)
    def body(*args, **kwargs):
        with scope.isolated():
            results = function(*args, **kwargs)
        strangers = symbols_in(results)
        if strangers:
            raise ArgumentError(
                f"The function of a loop or branch uses {strangers[0]!r}, which comes from outside of it. "
                "Hand symbolic tensors in as arguments of the op."
            )
        return results

    return body


def cond(pred, true_fn: Callable, false_fn: Callable) -> Any:
    """true_fn() where the scalar `pred` is true, else false_fn().

    >>> cond(True, lambda: jnp.array(1.0), lambda: jnp.array(2.0)).item()
    1.0
    """
    if isinstance(pred, SymbolicTensor):
        return _choose(pred, true_fn(), false_fn())
    return _cond(pred, true_fn, false_fn)


@lift
def _cond(pred, true_fn, false_fn):
    return jax.lax.cond(jnp.asarray(pred), _body(true_fn), _body(false_fn))


def _pick(pred, true, false):
    return jax.lax.cond(pred, lambda true, false: true, lambda true, false: false, true, false)


_choose = lift(_pick, "cond")


@lift
def switch(index, branches, *operands):
    """branches[index](*operands); an index out of range counts as the nearest."""
    return jax.lax.switch(index, [_body(branch) for branch in branches], *operands)


@lift
def fori_loop(lower, upper, body_fun, init_val):
    """`value = body_fun(i, value)` for each i from `lower` to `upper`, which is left out.

    >>> fori_loop(0, 4, lambda i, value: value + i, 0).item()
    6
    """
    return jax.lax.fori_loop(lower, upper, _body(body_fun), init_val)


@lift
def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """`loop_vars = body(*loop_vars)` as long as cond(*loop_vars), at most `maximum_iterations` times.

    >>> while_loop(lambda x: x < 10, lambda x: x * 3, (jnp.array(1),))[0].item()
    27
    """
    several = isinstance(loop_vars, (list, tuple))
    start = jax.tree.map(jnp.asarray, tuple(loop_vars) if several else (loop_vars,))
    cond, body = _body(cond), _body(body)

    def go_on(state):
        count, values = state
        holds = cond(*values)
        return holds if maximum_iterations is None else jnp.logical_and(holds, count < maximum_iterations)

    def step(state):
        count, values = state
        results = body(*values)
        return count + 1, tuple(results) if isinstance(results, (list, tuple)) else (results,)

    _, values = jax.lax.while_loop(go_on, step, (0, start))
    return type(loop_vars)(values) if several else values[0]


@lift
def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """`carry, y = f(carry, x)` for each x along the first axis of `xs`: the last carry, and all y stacked.

    >>> scan(lambda carry, x: (carry + x, carry), jnp.array(0), jnp.array([1, 2, 3]))[1].tolist()
    [0, 1, 3]
    """
    return jax.lax.scan(_body(f), init, xs, length, reverse, unroll)


@lift
def associative_scan(f, elems, reverse=False, axis=0):
    """All prefixes of `elems` along `axis`, joined by the associative function f, in logarithmic time."""
    return jax.lax.associative_scan(_body(f), elems, reverse, axis)


@lift
def map(f, xs):
    """f of each slice along the first axis, one after the other, stacked."""
    return jax.lax.map(_body(f), jax.tree.map(jnp.asarray, xs))


@lift
def vectorized_map(function, elements):
    """f of each slice along the first axis, all at once, stacked."""
    return jax.vmap(_body(function))(jax.tree.map(as_array, elements))
