"""Files of exported functions, read and run."""

import json
import math
import os
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from keryx.core import seeds
from keryx.core.matching import as_wanted, match
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, FileError, ShapeError, did_you_mean, listing
from keryx.export import child, signature
from keryx.export.archive import FORMAT, SERVE, VERSION, described
from keryx.export.program import KEY, check_flatbuffers, known
from keryx.saving.archive import Archive
from keryx.saving.limits import Budget

_MOST_TEXT = 64 * 2**20
# What a program may call by name beside StableHLO's own operations: random numbers, linear algebra, checks of shapes.
# Calls back into Python, and of anything else, are refused.
_CALLS = re.compile(
    r"shape_assertion|Sharding|cu_threefry2x32(_ffi)?|mhlo\.\w+|chlo\.\w+|stablehlo\.\w+|TopK|ApproxTopK|"
    r"(lapack|blas|cusolver|cublas|cu_lu|hipsolver|hipblas)_\w+|Qr|Eigh|LuDecomposition|ProductOfElementaryHouseholderReflectors"
)


class Function:
    """An exported function, called on NumPy arrays or JAX's.

    Attributes:
        name: Its name.
        inputs: The arguments, nests of symbolic tensors.
        outputs: What it returns, a nest of symbolic tensors.
    """

    def __init__(self, name: str, exported: Any, inputs: list[Any], outputs: Any, values: list[Any], least: int):
        self.name, self.inputs, self.outputs, self._least = name, inputs, outputs, least
        self._values, self._run = values, jax.jit(exported.call)

    def __call__(self, *args: Any) -> Any:
        """The outputs for these arguments; a nest of inputs is given by name, as a dict, or by position."""
        if len(args) != len(self.inputs):
            raise ArgumentError(f"{described(self.name, self)} takes {len(self.inputs)} arguments; got {len(args)}.")
        flat: list[Any] = []
        for given, wanted in zip(args, self.inputs, strict=True):
            symbols: list[SymbolicTensor] = jax.tree.leaves(wanted)
            arrays = match(given, [symbol.name for symbol in symbols], wanted)
            flat += [as_wanted(x, symbol, symbols) for x, symbol in zip(arrays, symbols, strict=True)]
        for x, symbol in zip(flat, jax.tree.leaves(self.inputs), strict=True):
            small = [axis for axis, n in enumerate(symbol.shape) if n is None and axis and x.shape[axis] < self._least]
            if small:
                raise ShapeError(
                    f"Input {symbol.name!r} of {self.name!r} was exported for sizes of {self._least} and more in axis "
                    f"{small[0]}; got {x.shape}. Make it longer, or export the model with that size."
                )
        outputs = self._run(seeds.next_key(), self._values, *flat)
        return jax.tree.unflatten(jax.tree.structure(self.outputs), outputs)

    def __repr__(self):
        return f"<Function {described(self.name, self)}>"


class Loaded:
    """What a file of exported functions holds; called, it runs the function `serve`, or the only one.

    Attributes:
        functions: The functions by name; each is an attribute as well.
        variables: The variables by path.
        collections: The variables of each named collection.
    """

    def __init__(self, functions: dict[str, Function], variables: dict[str, Any], collections: dict[str, list[Any]]):
        self.functions, self.variables, self.collections = functions, variables, collections

    def __getattr__(self, name: str) -> Function:
        functions = vars(self).get("functions", {})
        if name not in functions:
            raise AttributeError(
                f"The file has no function {name!r}.{did_you_mean(name, functions)} It has {listing(functions)}."
            )
        return functions[name]

    def __call__(self, *args: Any) -> Any:
        """The outputs of `serve`, or of the only function."""
        only = next(iter(self.functions)) if len(self.functions) == 1 else SERVE
        return getattr(self, only)(*args)

    def __repr__(self):
        return f"<Loaded {', '.join(described(f.name, f) for f in self.functions.values())}>"


def load(filepath: str | os.PathLike, safe_mode: bool = True) -> Loaded:
    """The functions of a file that `model.export(path, format="stablehlo")` or an ExportArchive wrote.

    The models' code is not needed. What the file says of itself is checked before anything is allocated, against a
    budget, and so are checksums and each program's signature; nothing is imported, unpickled or looked up by name. A
    program computes, and only that: one that calls Python, or anything else by name, is refused. XLA's parser, which
    crashes on some bytes, reads it in a child process first. What is not promised: it is still a program, which may
    compute for ever or fill the memory, and XLA compiles it when it is called. Run what you trust.

    Args:
        filepath: The file.
        safe_mode: Whether the child process reads it first, which takes a second.

    Raises:
        FileError: Where the file is damaged, is no such file, or was exported for other platforms.
        ExportError: Where the package flatbuffers is not installed.

    >>> import keryx, tempfile
    >>> model = keryx.Sequential([keryx.Input((3,), name="x"), keryx.layers.Dense(2)])
    >>> path = tempfile.mkdtemp() + "/dense.zip"
    >>> model.export(path, format="stablehlo", verbose=False)
    >>> load(path)
    <Loaded serve(x (None, 3) float32) -> output_0 (None, 2) float32>
    """
    check_flatbuffers()
    budget = Budget()
    archive = Archive(filepath, budget)
    said = _signature(archive)
    variables = {}
    for i, (path, spec) in enumerate(_each(said, "variables", dict).items()):
        variables[path] = _array(archive, f"variables/{i}", spec, budget)
    device = {path: jax.device_put(array) for path, array in variables.items()}
    specs = _each(said, "functions", dict)
    for name in specs:
        if not name.isidentifier() or name.startswith("_"):
            raise FileError(f"{filepath} names a function {name!r:.40}, which is no name.")
    programs = {name: _part(archive, f"programs/{name}") for name in specs}
    if safe_mode:
        child.check(programs, str(filepath))
    functions = {name: _function(archive, name, spec, programs[name], device) for name, spec in specs.items()}
    collections = {name: _those(device, paths, filepath) for name, paths in _each(said, "collections", dict).items()}
    return Loaded(functions, device, collections)


def _signature(archive: Archive) -> dict[str, Any]:
    text = _part(archive, "signature.json")
    if len(text) > _MOST_TEXT:
        raise FileError(f"The signature of {archive.path} is of {len(text):,} bytes: no model's is as large.")
    try:
        said = json.loads(bytes(text))
    except (ValueError, RecursionError) as error:
        raise FileError(f"The signature of {archive.path} is no JSON: {error}.") from None
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise FileError(f"{archive.path} holds no exported functions; a model is read by keryx.models.load_model.")
    if said.get("version") != VERSION:
        raise FileError(
            f"{archive.path} has version {said.get('version')!r:.40} of the format, and {VERSION} is read here. Use "
            f"the Keryx that wrote it, {said.get('keryx')!r:.40}, or a newer one."
        )
    return said


def _each(said: dict[str, Any], what: str, kind: type) -> Any:
    found = said.get(what)
    if not isinstance(found, kind):
        raise FileError(f"The signature of the file has no {what}.")
    return found


def _part(archive: Archive, name: str) -> memoryview:
    """The bytes of a part, which are those that were written."""
    data = archive[name]
    if not archive.check(name):
        raise FileError(f"{name!r} in {archive.path} is damaged: its checksum is not that of its bytes.")
    return data


def _array(archive: Archive, name: str, spec: Any, budget: Budget) -> np.ndarray:
    if not isinstance(spec, dict):
        raise FileError(f"{name!r} in {archive.path} has no shape and dtype.")
    shape, dtype = signature.array_spec(spec)
    kind = jnp.dtype(dtype)
    nbytes = math.prod(shape) * kind.itemsize
    if nbytes != len(archive[name]):
        raise FileError(f"{name!r} in {archive.path} has {len(archive[name]):,} bytes, where {nbytes:,} are stated.")
    budget.allocate(nbytes, f"{name!r} in {archive.path}")
    return np.frombuffer(_part(archive, name), kind).reshape(shape)


def _those(variables: dict[str, Any], paths: Any, where: Any) -> list[Any]:
    if not isinstance(paths, list) or not all(isinstance(path, str) and path in variables for path in paths):
        raise FileError(f"{where} speaks of variables that it does not hold.")
    return [variables[path] for path in paths]


def _function(archive: Archive, name: str, spec: Any, program: memoryview, variables: dict[str, Any]) -> Function:
    if not isinstance(spec, dict):
        raise FileError(f"The function {name!r} of {archive.path} has no signature.")
    inputs, outputs = signature.read(spec.get("inputs")), signature.read(spec.get("outputs"))
    if not isinstance(inputs, list):
        raise FileError(f"The function {name!r} of {archive.path} has no list of arguments.")
    values = _those(variables, spec.get("variables"), archive.path)
    try:
        exported = export.deserialize(bytearray(program))
        text = exported.mlir_module()
    except Exception as error:  # of many kinds on damaged bytes
        raise FileError(f"The program {name!r} of {archive.path} cannot be read: {error!r:.200}.") from None
    strangers = set(re.findall(r'custom_call(?: @|.*?call_target_name = ")([^\s("]+)', text))
    strangers = {call for call in strangers if not _CALLS.fullmatch(call)}
    if strangers:
        raise FileError(f"The program {name!r} of {archive.path} calls {listing(sorted(strangers))}: it is not run.")
    wanted = [(KEY.shape, str(KEY.dtype)), *((v.shape, str(v.dtype)) for v in values)]
    wanted += [(s.shape, str(s.dtype)) for s in jax.tree.leaves(inputs)]
    if [known(aval) for aval in exported.in_avals] != wanted or exported.nr_devices != 1:
        raise FileError(f"The program {name!r} of {archive.path} takes other arguments than its signature says.")
    if [known(aval) for aval in exported.out_avals] != [(s.shape, str(s.dtype)) for s in jax.tree.leaves(outputs)]:
        raise FileError(f"The program {name!r} of {archive.path} returns other values than its signature says.")
    here = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    if here not in exported.platforms:
        raise FileError(
            f"{archive.path} was exported for {listing(exported.platforms)}, and this process runs on {here}. Export "
            f"it with platforms=[{here!r}]."
        )
    least = spec.get("least")
    return Function(name, exported, inputs, outputs, values, least if type(least) is int else 1)
