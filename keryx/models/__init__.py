"""Models: functional, sequential, subclassed."""

from typing import Any

from keryx.models.cloning import clone_model as clone_model
from keryx.models.cloning import model_from_json as model_from_json
from keryx.models.files import saving as _saving
from keryx.models.model import Model as Model
from keryx.models.sequential import Sequential as Sequential


def __getattr__(name: str) -> Any:
    if name in ("load_model", "save_model"):
        return getattr(_saving("models"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
