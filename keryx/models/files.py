"""The methods of a model that write files and read them."""

import importlib
import os
from typing import Any


def saving(module: str) -> Any:
    """A module of `keryx.saving`, which stands above models: it is imported when it is wanted."""
    return importlib.import_module(f"keryx.saving.{module}")


class Files:
    """What a model does with files; the functions of `keryx.saving` say how."""

    def save(
        self, filepath: str | os.PathLike, overwrite: bool = True, zipped: bool | None = None, **unknown: Any
    ) -> None:
        """Write the whole model, as `keryx.saving.save_model` does."""
        saving("models").save_model(self, filepath, overwrite, zipped, **unknown)
