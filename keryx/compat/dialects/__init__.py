"""The words of Keras 1 and 2, taken for what they meant while a dialect is active.

`keryx.compat.use(2)` begins it, `use(3)` or `use(None)` ends it; `with use(1): ...` does both. What is translated is
what a program says: a call that Keryx itself makes is in today's words. Nothing of it is in the layers: while a dialect
is active, the constructors and the methods of training stand behind others that translate (`patches`, `members`), by
the tables of `words` and of `keryx.saving.old.words`, which old files are read by too. What is made is today's objects:
a model outlives its dialect, and its files are read without, but for layers, losses and metrics that are no more, which
the dialect finds (`written`).

- Keras 1 is as of 1.2.2; Keras 2 as of 2.2.4, which took the words of Keras 1 too. Keras 2.3 and tf.keras had today's
  LSTM, GRU and names of metrics already: `use(2)` takes their words, and gives 2.2's numbers.
- Metrics are logged as `acc` and `mean_squared_error`; the History, `monitor=` and today's names go together.
- Channels come last, unless `K.set_image_dim_ordering("th")` or, in Keras 1, `~/.keras/keras.json` says otherwise.
- `get_weights()` gives today's arrays, also of an LSTM, which had twelve in Keras 1.
- A frozen BatchNormalization takes its own mean and variance, as today; it took the batch's.
"""

from collections.abc import Mapping
from typing import Any

from keryx.compat.dialects import modules
from keryx.compat.dialects.age import active as active
from keryx.compat.dialects.using import VERSIONS
from keryx.compat.dialects.using import use as use


def version() -> str | None:
    """The version of Keras whose words are taken, such as `2.2.4`; None where no dialect is active."""
    age = active()
    return None if age is None else VERSIONS[age]


def module(path: str) -> Mapping[str, Any] | None:
    """What a module of the active dialect has beside what Keryx has under that path; None where it has nothing.

    Args:
        path: Such as `keras.layers.core`.

    >>> with use(1):
    ...     "probas_to_classes" in module("keras.utils.np_utils"), module("keras.nothing")
    (True, None)
    """
    age = active()
    return None if age is None else modules.contents(age, path)


def name(path: str, name: str) -> Any:
    """What a name of a module stands for in the active dialect.

    Raises:
        AttributeError: Where it stands for nothing, or for what cannot be, with what to write.
    """
    age = active()
    if age is None:
        raise AttributeError(f"{path} has no {name!r} in a dialect: none is active.")
    return modules.find(age, path, name)
