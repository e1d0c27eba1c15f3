"""`keras.backend` as Keras 1 and 2 had it: K, for as much as means something on JAX."""

from typing import Any

from keryx.compat.dialects.backend import arrays as arrays
from keryx.compat.dialects.backend import functions as functions
from keryx.compat.dialects.backend import nn as nn
from keryx.compat.dialects.backend import state as state
from keryx.compat.dialects.backend.words import NAMES as _every
from keryx.core.scopes import name_scope

NAMES: dict[str, Any] = {name: thing for name, thing in _every.items() if name[0] != "_"}
NAMES |= {"Function": functions.Function, "name_scope": name_scope}
