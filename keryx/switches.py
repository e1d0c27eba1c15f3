"""The switches of `keras.config`: limits of a run, where progress is told, and what has one answer here."""

import os
from typing import Any

import jax

from keryx.errors import ConfigError


def _from_environment() -> dict[str, Any]:
    """The limits that the process was started with: None, or text that is looked at when a limit is asked for."""
    names = "MAX_EPOCHS", "MAX_STEPS_PER_EPOCH"
    return {name: os.environ.get(f"KERYX_{name}") or os.environ.get(f"KERAS_{name}") or None for name in names}


_limits = _from_environment()
_flags: dict[str, Any] = {"interactive_logging": True, "flash_attention": None}


def backend() -> str:
    """The engine: always `"jax"`."""
    return "jax"


def set_backend(backend: str) -> None:
    """Nothing for `"jax"`; for another engine a ConfigError: there is one.

    >>> set_backend("jax")
    """
    if backend != "jax":
        raise ConfigError(
            f"Keryx runs on JAX alone: there is no backend {backend!r}. Leave set_backend() out; for models in other "
            "programs there is model.export(...)."
        )


def max_epochs() -> int | None:
    """The most epochs that a `fit` takes; None where there is no limit.

    The environment variable KERYX_MAX_EPOCHS, or Keras's KERAS_MAX_EPOCHS, sets it for a process.
    """
    limit = _limits["MAX_EPOCHS"]
    return _checked("The environment's MAX_EPOCHS", limit) if isinstance(limit, str) else limit


def set_max_epochs(max_epochs: int | None) -> None:
    """Let no `fit` take more epochs than this, to try a script quickly.

    >>> set_max_epochs(3)
    >>> max_epochs()
    3
    >>> set_max_epochs(None)
    """
    _limits["MAX_EPOCHS"] = _checked("max_epochs", max_epochs)


def max_steps_per_epoch() -> int | None:
    """The most batches that an epoch of `fit`, an `evaluate` or a `predict` takes; None where there is no limit.

    The environment variable KERYX_MAX_STEPS_PER_EPOCH, or Keras's KERAS_MAX_STEPS_PER_EPOCH, sets it for a process.
    """
    limit = _limits["MAX_STEPS_PER_EPOCH"]
    return _checked("The environment's MAX_STEPS_PER_EPOCH", limit) if isinstance(limit, str) else limit


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Let no epoch of `fit`, no `evaluate` and no `predict` take more batches than this.

    >>> set_max_steps_per_epoch(3)
    >>> max_steps_per_epoch()
    3
    >>> set_max_steps_per_epoch(None)
    """
    _limits["MAX_STEPS_PER_EPOCH"] = _checked("max_steps_per_epoch", max_steps_per_epoch)


def _checked(what: str, value: Any) -> int | None:
    if value is None or (str(value).isdecimal() and int(value) > 0):
        return None if value is None else int(value)
    raise ConfigError(f"{what} is a whole number above 0, or None; got {value!r}.")


def enable_interactive_logging() -> None:
    """Draw progress on the standard output: what holds unless it is disabled."""
    _flags["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Tell progress line by line to the logger `keryx` of Python's `logging`, and draw nothing."""
    _flags["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress is drawn, rather than logged."""
    return bool(_flags["interactive_logging"])


def enable_traceback_filtering() -> None:
    """Leave JAX's own frames out of tracebacks. Keryx's are never left out: they are few."""
    jax.config.update("jax_traceback_filtering", "auto")


def disable_traceback_filtering() -> None:
    """Show all frames in tracebacks, JAX's own among them."""
    jax.config.update("jax_traceback_filtering", "off")


def is_traceback_filtering_enabled() -> bool:
    """Whether JAX's own frames are left out of tracebacks."""
    return bool(jax.config.jax_traceback_filtering != "off")  # type: ignore[attr-defined]


def enable_flash_attention() -> None:
    """Remembered for `is_flash_attention_enabled`, no more: XLA chooses how attention is computed."""
    _flags["flash_attention"] = True


def disable_flash_attention() -> None:
    """See `enable_flash_attention`."""
    _flags["flash_attention"] = False


def is_flash_attention_enabled() -> bool | None:
    """What was asked for last; None where nothing was. Nothing depends on it."""
    value: bool | None = _flags["flash_attention"]
    return value


def enable_unsafe_deserialization() -> None:
    """A ConfigError: nothing that a file or a config says is ever run as code, and no switch changes that."""
    raise ConfigError(
        "Keryx never runs code from a file, so there is no unsafe way to read one. Write the function with def, "
        "register it with @keryx.utils.register_keras_serializable(), or hand it over with custom_objects=."
    )


def is_nnx_enabled() -> bool:
    """False: variables are Keryx's own, whether Flax is installed or not."""
    return False
