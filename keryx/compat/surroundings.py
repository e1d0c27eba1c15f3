"""What programs for Keras find around it: the file of its settings, the environment, the version that is installed."""

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jax

from keryx import config
from keryx.errors import ConfigError, warn

# The Keras whose names and numbers Keryx follows: what programs that look at the version are told.
KERAS_VERSION = "3.15.1"

_SETTINGS: dict[str, Callable[[Any], None]] = {
    "floatx": config.set_floatx,
    "epsilon": config.set_epsilon,
    "image_data_format": config.set_image_data_format,
}


# What the environment said of JAX's settings when JAX read it: before the program began, where that is run by Keryx.
_KNOWN_TO_JAX = {name: os.environ.get(name.upper()) for name in jax.config.values}


@cache
def look_around() -> None:
    """Take the settings of `keras.json`, as Keras does when it is first imported; warn of an engine that it would take.

    What the program has written into the environment for JAX holds too, as it does where `import keras` is what
    imports JAX.

    Raises:
        ConfigError: A setting in the file, or one of JAX's in the environment, means nothing.
    """
    for name, known in _KNOWN_TO_JAX.items():
        said = os.environ.get(name.upper())
        if said is not None and said != known:
            _tell_jax(name, said)
    engine = os.environ.get("KERAS_BACKEND") or "jax"
    if engine != "jax":
        warn(f"KERAS_BACKEND is {engine!r}; Keryx runs on JAX alone, and ops give and take JAX's arrays.")
    path = settings_file()
    for name, value in settings(path).items():
        try:
            _SETTINGS[name](value)
        except (ConfigError, TypeError, ValueError) as error:
            raise ConfigError(f"{path}: {name!r} is {value!r}. {error}") from None


def _tell_jax(name: str, said: str) -> None:
    """Set one of JAX's settings to what the environment says of it, read as JAX reads it."""
    kind = type(jax.config.values[name])
    try:
        value: Any = said
        if kind is bool:
            value = _TRUTH[said.lower()]
        elif kind in (int, float):
            value = kind(said)
        jax.config.update(name, value)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{name.upper()} is {said!r} in the environment, which means nothing to JAX.") from error


_TRUTH = dict.fromkeys(("y", "yes", "t", "true", "on", "1"), True) | dict.fromkeys(
    ("n", "no", "f", "false", "off", "0"), False
)


def settings_file() -> Path:
    """Where Keras keeps its settings: in the folder that KERAS_HOME names, by default `.keras` at home."""
    # os.path leaves the ~ where a process has no home; Path raises.
    return Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")) / "keras.json"


def settings(path: Path) -> dict[str, Any]:
    """The settings in a file that Keryx has too; none where there is no such file, or it cannot be read."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {name: said[name] for name in _SETTINGS if name in said} if isinstance(said, dict) else {}


class Distribution(importlib.metadata.Distribution):
    """What `importlib.metadata` says of `keras`: a name and a version."""

    def read_text(self, filename: str) -> str | None:
        said = f"Metadata-Version: 2.1\nName: keras\nVersion: {KERAS_VERSION}\n"
        return said if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Path:
        return Path(__file__).parents[1] / path


def distributions(context: importlib.metadata.DistributionFinder.Context) -> Iterator[Distribution]:
    """The distribution of `keras` where it is asked for by name; among all that is installed it does not stand."""
    if context.name is not None and context.name.lower() == "keras":
        yield Distribution()
