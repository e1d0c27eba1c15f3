"""Functions that are exported together, and the variables that they share."""

import importlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from keryx.core.lending import reading
from keryx.core.names import is_name
from keryx.core.variable import Variable, is_variable
from keryx.errors import ArgumentError, ExportError, listing
from keryx.export import signature
from keryx.export.program import PLATFORMS, Program, traced
from keryx.layers import Layer
from keryx.models import Model
from keryx.saving import atomic
from keryx.saving.archive import Writer
from keryx.screens import put

FORMAT, VERSION = "keryx.export", 1
SERVE = "serve"


class ExportArchive:
    """Functions of models, compiled ahead of time and written into one file that runs without the models' code.

    The file holds a StableHLO program a function, what goes in and comes out, and the variables, each once.
    `keryx.export.load` reads it. JAX promises to run such a program for six months of its releases at least.

    Args:
        format: `stablehlo`, or Keras's `saved_model`, which needs TensorFlow.
        platforms: Where the functions are to run: `cpu`, `cuda`, `tpu`; all by default.

    >>> import keryx, tempfile
    >>> model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
    >>> archive = keryx.export.ExportArchive()
    >>> archive.track(model)
    >>> archive.add_endpoint("twice", lambda x: 2 * model(x), input_signature=[keryx.Input((3,))])
    >>> path = tempfile.mkdtemp() + "/twice.zip"
    >>> archive.write_out(path, verbose=False)
    >>> keryx.export.load(path).twice(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, format: str = "stablehlo", platforms: Sequence[str] = PLATFORMS):
        if format == "saved_model":
            raise ExportError(
                "An ExportArchive of TensorFlow's format takes one function, a model: model.export(path, "
                "format='tf_saved_model'). Several are written by ExportArchive(format='stablehlo')."
            )
        if format != "stablehlo":
            raise ArgumentError(f"The format of an ExportArchive is 'stablehlo'; got {format!r}.")
        platforms = [platforms] if isinstance(platforms, str) else list(platforms)
        if not platforms or not set(platforms) <= {*PLATFORMS, "rocm"}:
            raise ArgumentError(f"platforms= are among {listing((*PLATFORMS, 'rocm'))}; got {listing(platforms)}.")
        self.platforms = platforms
        self._variables: dict[str, Variable] = {}
        self._programs: dict[str, Program] = {}
        self._collections: dict[str, list[str]] = {}

    def track(self, resource: Layer) -> None:
        """Let the functions that are added read the variables of a layer or model, which has to be built."""
        if not isinstance(resource, Layer):
            raise ArgumentError(f"track() wants a layer or a model; got {resource!r}.")
        if not resource.built:
            raise ExportError(f"{resource.title} is not built, so it has no variables yet: call it, or build(shape).")
        taken = {variable: path for path, variable in self._variables.items()}
        for variable in resource.variables:
            if variable not in taken:
                self._variables[self._free(variable.path)] = variable

    def _free(self, path: str) -> str:
        """The path, or one like it that no other variable has."""
        paths = (path, *(f"{path}_{i}" for i in range(1, 2 + len(self._variables))))
        return next(free for free in paths if free not in self._variables)

    def add_endpoint(self, name: str, fn: Callable, input_signature: Any = None, **kwargs: Any) -> None:
        """Add a function.

        Args:
            name: By which it is called once it is loaded.
            fn: A function of arrays, or nests of them, that reads the variables of what is tracked.
            input_signature: A list with what has a shape and a dtype, such as `keryx.Input((10,))`, for each
                argument, or a nest of such; of a model with a graph it is known.

        Raises:
            ExportError: Where it cannot be traced.
        """
        if kwargs:
            raise ArgumentError(f"add_endpoint() has no argument {listing(kwargs)} for StableHLO.")
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or not is_name(name):
            raise ArgumentError(f"The name of a function is an identifier, such as 'serve'; got {name!r}.")
        if name in self._programs:
            raise ArgumentError(f"There is a function {name!r} already: give each a name of its own.")
        if isinstance(fn, Model):
            self.track(fn)
            inputs: tuple[Any, ...] = (signature.of_model(fn, input_signature),)
            model = fn

            def fn(x):
                return Layer.__call__(model, x)
        else:
            if input_signature is None:
                raise ArgumentError(
                    f"add_endpoint({name!r}) wants an input_signature=, such as [keryx.Input((10,))], for what the "
                    "function takes."
                )
            inputs = signature.of_arguments(input_signature)
        self._programs[name] = traced(fn, inputs, self._variables, self.platforms, f"The function {name!r}")

    def track_and_add_endpoint(self, name: str, resource: Layer, input_signature: Any = None, **kwargs: Any) -> None:
        """Track a layer or model, and add its call as a function."""
        self.track(resource)
        self.add_endpoint(name, resource, input_signature, **kwargs)

    def add_variable_collection(self, name: str, variables: Sequence[Variable]) -> None:
        """Give some of the variables a name together, under which the loaded file has them."""
        paths = {variable: path for path, variable in self._variables.items()}
        unknown = [v for v in variables if not is_variable(v) or v not in paths]
        if unknown:
            raise ArgumentError(
                f"add_variable_collection({name!r}) wants variables of what is tracked; got {unknown[0]!r}."
            )
        self._collections[str(name)] = [paths[variable] for variable in variables]

    def write_out(self, filepath: str | os.PathLike, options: Any = None, verbose: bool = True) -> None:
        """Write the file, whole or not at all.

        Args:
            filepath: The file.
            options: Keras's, of TensorFlow's format: None.
            verbose: Whether the functions are printed.
        """
        if not self._programs:
            raise ExportError("There is nothing to write: add_endpoint() first.")
        if options is not None:
            raise ArgumentError("options= are TensorFlow's; the format 'stablehlo' has none.")
        used = {path for program in self._programs.values() for path in program.variables}
        used |= {path for paths in self._collections.values() for path in paths}
        kept = {path: variable for path, variable in self._variables.items() if path in used}
        with reading(list(kept.values())) as values:
            arrays = [np.asarray(value) for value in values]
            with atomic.writing(filepath) as file:
                self._write(Writer(file), dict(zip(kept, arrays, strict=True)))
        if verbose:
            put(f"{os.fspath(filepath)} holds {', '.join(map(described, *zip(*self._programs.items(), strict=True)))}.")

    def _write(self, writer: Writer, arrays: dict[str, np.ndarray]) -> None:
        said = {
            "format": FORMAT,
            "version": VERSION,
            "keryx": importlib.import_module("keryx").__version__,
            "jax": jax.__version__,
            "platforms": self.platforms,
            "variables": {path: {"shape": list(a.shape), "dtype": a.dtype.name} for path, a in arrays.items()},
            "collections": self._collections,
            "functions": {
                name: {
                    "inputs": signature.write(list(program.inputs)),
                    "outputs": signature.write(program.outputs),
                    "variables": program.variables,
                    "least": program.least,
                }
                for name, program in self._programs.items()
            },
        }
        writer.add("signature.json", json.dumps(said, indent=1).encode())
        for name, program in self._programs.items():
            writer.add(f"programs/{name}", program.serialized)
        for i, array in enumerate(arrays.values()):
            writer.add(f"variables/{i}", np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        writer.close()


def described(name: str, program: Any) -> str:
    """A function with what it takes and gives, for people.

    Args:
        name: Its name.
        program: What has `inputs` and `outputs`.
    """
    takes, gives = (
        ", ".join(f"{s.name} {tuple(s.shape)} {s.dtype}" for s in jax.tree.leaves(nest))
        for nest in (program.inputs, program.outputs)
    )
    return f"{name}({takes}) -> {gives}"
