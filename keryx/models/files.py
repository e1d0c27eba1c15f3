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

    def save_weights(
        self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Write the weights, as `keryx.saving.save_weights` does."""
        saving("weights").save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(
        self, filepath: str | os.PathLike, skip_mismatch: bool = False, by_name: bool = False, **unknown: Any
    ) -> Any:
        """Take the weights of a file, as `keryx.saving.load_weights` does, and return its Report."""
        return saving("weights").load_weights(self, filepath, skip_mismatch, by_name, **unknown)
