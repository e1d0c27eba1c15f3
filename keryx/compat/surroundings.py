"""What programs for Keras find around it: the file of its settings, the environment, the version that is installed."""

import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from keryx import config
from keryx.errors import ConfigError, warn

# The Keras whose names and numbers Keryx follows: what programs that look at the version are told.
KERAS_VERSION = "3.15.1"

_SETTINGS: dict[str, Callable[[Any], None]] = {
    "floatx": config.set_floatx,
    "epsilon": config.set_epsilon,
    "image_data_format": config.set_image_data_format,
}


@cache
def look_around() -> None:
    """Take the settings of `keras.json`, as Keras does when it is first imported; warn of an engine that it would take.

    Raises:
        ConfigError: A setting in the file means nothing.
    """
    engine = os.environ.get("KERAS_BACKEND") or "jax"
    if engine != "jax":
        warn(f"KERAS_BACKEND is {engine!r}; Keryx runs on JAX alone, and ops give and take JAX's arrays.")
    path = settings_file()
    for name, value in settings(path).items():
        try:
            _SETTINGS[name](value)
        except (ConfigError, TypeError, ValueError) as error:
            raise ConfigError(f"{path}: {name!r} is {value!r}. {error}") from None


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
