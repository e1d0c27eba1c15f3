"""The ops that a saved graph may name: functions of tensors, without side effects."""

import functools
from collections.abc import Callable

import jax.numpy as jnp

from keryx.core.graph import lift
from keryx.errors import ConfigError, did_you_mean
from keryx.ops import control, convolution, core, creation, linalg, math, nn, numpy

_HOMES = {"numpy": jnp, "numpy.linalg": jnp.linalg, "numpy.fft": jnp.fft}


@functools.cache
def _table() -> dict[str, Callable]:
    modules = (convolution, core, creation, linalg, math, nn, numpy)
    table = {name: op for module in modules for name, op in vars(module).items() if hasattr(op, "__wrapped__")}
    return table | {"cond": control._choose}


@functools.cache
def by_name(name: str) -> Callable:
    """The op that is recorded under this name; `numpy.sum` is the one with NumPy's arguments.

    Raises:
        ConfigError: Where there is none. No name leads to anything that is not in the table.

    >>> by_name("maximum")(1, 2).item(), by_name("numpy.linalg.norm")(jnp.ones(4)).item()
    (2, 2.0)
    """
    home, _, short = name.rpartition(".")
    table = _table()
    if home in ("", *_HOMES) and short in table:
        if not home:
            return table[short]
        function = getattr(_HOMES[home], short, None)
        if function is not None:
            return lift(function, name)
    raise ConfigError(f"There is no op {name!r}.{did_you_mean(short, table)}")
