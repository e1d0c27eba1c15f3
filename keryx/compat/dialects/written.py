"""What configs say while a dialect is active: functions go by their names, and what is no more is found by its own.

Keras 1 and 2 wrote the name of a loss, a metric or a Lambda's function, and whoever read the file handed the function
over with `custom_objects`; so it is here. A `lambda` has no name, and its code is never written.
"""

import functools
from collections.abc import Callable
from typing import Any

from keryx.compat.dialects import modules
from keryx.compat.dialects.training import metrics, optimizers
from keryx.errors import ConfigError


def naming(original: Callable) -> Callable:
    """`codec._serialize_function`, which writes the name of a function that is not registered.

    >>> def wide(x): ...
    >>> def refuses(function): raise ConfigError("It is not registered.")
    >>> naming(refuses)(wide)["config"]
    'wide'
    """

    @functools.wraps(original)
    def serialize_function(function: Any) -> Any:
        try:
            return original(function)
        except ConfigError:
            name = getattr(function, "__name__", "")
            if not name.isidentifier():  # a lambda
                raise
            return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}

    return serialize_function


def finding(age: int, original: Callable) -> Callable:
    """`registered.find`, which knows what an age had and today has not, behind what the user handed over."""
    own = {cls.__name__: cls for cls in modules.own_classes(age)} | metrics.of_age(age)
    own |= {cls.config_registered_name: cls for cls in optimizers.NAMES.values()}

    @functools.wraps(original)
    def find(name: Any) -> Any:
        found = original(name)
        return own.get(name) if found is None and isinstance(name, str) else found

    return find
