"""A call in the words of an age, in today's: positions become names, names and values become today's."""

import inspect
from collections.abc import Callable
from typing import Any

from keryx import old_words, optimizers
from keryx.compat.dialects.training import penalties
from keryx.compat.dialects.words import values
from keryx.compat.dialects.words.signatures import SIGNATURES
from keryx.core.names import init_arguments
from keryx.errors import ArgumentError, ConfigError, did_you_mean
from keryx.saving.old import translate
from keryx.saving.old.words import CLASSES as old_classes


def bound(where: str, words: list[str], args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name.

    Raises:
        ArgumentError: Where there are too many, or one is given twice.

    >>> bound("Dense()", ["output_dim", "init"], (3,), {"init": "uniform"})
    {'output_dim': 3, 'init': 'uniform'}
    """
    if len(args) > len(words):
        raise ArgumentError(f"{where} takes {len(words)} arguments by position; got {len(args)}.")
    given = dict(zip(words, args, strict=False))
    twice = [word for word in kwargs if word in given]
    if twice:
        raise ArgumentError(f"{where} has been given {twice[0]!r} twice, by position and by name.")
    return given | kwargs


def positions(age: int, name: str, function: Callable) -> list[str]:
    """The arguments of a class or method in the order of its age."""
    if name in SIGNATURES[age]:
        return SIGNATURES[age][name].split()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds][1:]


def arguments(age: int, name: str, cls: type, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What an object of a class is made with today, given a call of this age.

    Args:
        age: 1 or 2.
        name: What the class was called.
        cls: The class of today.
        args: The arguments by position, in the order of the age.
        kwargs: The arguments by name, in the words of the age or of today.

    Raises:
        ArgumentError: For words that no age has, and what cannot be meant today.

    >>> from keryx.layers import Dense
    >>> arguments(1, "Dense", Dense, (3, "uniform"), {"W_regularizer": None, "input_dim": 4})
    {'input_shape': (4,), 'units': 3, 'kernel_initializer': 'uniform', 'kernel_regularizer': None}
    """
    where = f"{name}()"
    known = init_arguments(cls)
    words = positions(age, name, cls.__init__)  # type: ignore[misc]
    if age == 2 and getattr(cls, "rank", 0) > 1:
        args = _kernel_in_numbers(cls, args, kwargs)
    given = bound(where, words, args, kwargs)
    renamed, aside = values.RENAMED.get(cls.__name__, {}), values.ASIDE.get(cls.__name__, ())
    given = {renamed.get(word, word): value for word, value in given.items() if word not in aside}
    declared = _declared(given, known) | {word: given.pop(word) for word in ("weights",) if word in given}
    try:
        made = translate.arguments(name, cls, _with_whole_kernel(given))
    except ConfigError as error:
        raise _misunderstood(where, given, known, error) from None
    made = declared | made
    for word, value in made.items():
        if word.endswith("initializer"):
            made[word] = values.initializer(age, value)
        elif word.endswith(("constraint", "regularizer")) and isinstance(value, str):
            made[word] = old_classes.get(value, value)
        if word == "activity_regularizer" and made[word] is not None:
            made[word] = penalties.OfWholeBatch(made[word])
    defaults = values.DEFAULTS[age].get(name, {})
    made = {word: value() if callable(value) else value for word, value in defaults.items() if word not in made} | made
    return _of_optimizer(made) if issubclass(cls, optimizers.Optimizer) else made


def _kernel_in_numbers(cls: Any, args: tuple, kwargs: dict[str, Any]) -> tuple:
    """Keras 2 took `Conv2D(8, 3, 3)` for a kernel of (3, 3) where no word of its own stood beside it."""
    sizes = args[1 : 1 + cls.rank]
    new_words = {"padding", "strides", "data_format"} & kwargs.keys()
    if len(args) == 1 + cls.rank and all(isinstance(size, int) for size in sizes) and not new_words:
        return args[0], tuple(sizes)
    return args


def _declared(given: dict[str, Any], known: list[str]) -> dict[str, Any]:
    """The arguments that say the shape of what comes in, taken out of `given`, in today's words.

    >>> _declared({"input_dim": 3, "input_length": 7}, [])
    {'input_shape': (7, 3)}
    """
    found = {word: given.pop(word) for word in old_words.DECLARED if word in given and word not in known}
    found = {word: value for word, value in found.items() if value is not None}
    size, length = found.pop("input_dim", None), found.pop("input_length", None)
    if {"input_shape", "batch_input_shape", "batch_shape"} & found.keys():
        return found
    if length is not None and "input_dim" in known:  # an Embedding
        return found | {"input_shape": tuple(length) if isinstance(length, (list, tuple)) else (length,)}
    if size is not None:
        return found | {"input_shape": (length, size) if length is not None or _takes_series(known) else (size,)}
    return found


def _takes_series(known: list[str]) -> bool:
    return "return_sequences" in known or {"filters", "kernel_size"} <= set(known)


def _with_whole_kernel(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the sizes of a kernel, which Keras 1 took one by one, as one."""
    sizes = [given.pop(word) for word in _KERNEL if word in given]
    if sizes:
        given["kernel_size"] = tuple(sizes) if len(sizes) > 1 else sizes[0]
    return given


_KERNEL = ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")


def _misunderstood(where: str, given: dict[str, Any], known: list[str], error: ConfigError) -> Exception:
    for word, value in given.items():
        if f"with {word}=" not in str(error):
            continue
        if word in values.REFUSED.get(where, {}):
            return ArgumentError(f"{where} with {word}={value!r:.80} is not offered: {values.REFUSED[where][word]}.")
        if word in old_words.LAYERS:
            return ArgumentError(f"{where} took {word}={value!r:.80} in its age; nothing does so today. Leave it out.")
        every = [*known, *old_words.LAYERS]
        return ArgumentError(f"{where} has no argument {word!r}, of any age.{did_you_mean(word, every)}")
    return error


# -- optimizers ----------------------------------------------------------------------------------------------------


def _of_optimizer(made: dict[str, Any]) -> dict[str, Any]:
    """`lr` and `decay` as a learning rate; `clipnorm` was the norm of all gradients together."""
    rate = made.pop("lr", None)
    if rate is not None:
        made["learning_rate"] = rate
    decay = made.pop("decay", None)
    if decay:
        made["learning_rate"] = optimizers.schedules.InverseTimeDecay(float(made["learning_rate"]), 1, float(decay))
    if made.get("epsilon", 0) is None:
        del made["epsilon"]
    norm = made.pop("clipnorm", None)
    if norm:
        made["global_clipnorm"] = norm
    return made
