"""A graph of ONNX in the making: nodes are added one by one, and ONNX itself says what comes out of each."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from keryx.core.lending import hand_out
from keryx.errors import ExportError
from keryx.export.onnx import passes
from keryx.export.onnx.value import Value

OPSET = 18  # the oldest with Resize, reductions and BitwiseAnd as they are today: every runtime since 2023 reads it
IR_VERSION = 8
Size = int | Value  # of an axis: a number, or a tensor [1] of int64 that holds it when the graph runs
_OPEN = 2**63 - 1
_KINDS = "biuf"
_NARROW = {"float16": "float32", "bfloat16": "float32"}  # half precision is written as float32


def exported_dtype(dtype: Any) -> str:
    """The dtype that a tensor has in the file: floats narrower than float32 are widened."""
    name = np.dtype(dtype).name if not isinstance(dtype, str) else dtype
    return _NARROW.get(name, name)


def import_onnx() -> Any:
    """The package onnx.

    Raises:
        ExportError: Where it is not installed.
    """
    try:
        import onnx.shape_inference
    except ImportError:
        raise ExportError(
            "Export to ONNX writes with the package 'onnx', which is not installed: pip install 'keryx[onnx]'."
        ) from None
    return onnx


class Builder:
    """The nodes, constants and names of an ONNX graph.

    Args:
        variables: The variables by path, after which their constants are named.
    """

    def __init__(self, variables: Mapping[str, Any]):
        self.onnx = import_onnx()
        self.paths = {variable: path for path, variable in variables.items()}
        self.values = dict(zip(self.paths, hand_out(list(self.paths)), strict=True))  # all of one moment
        self.constants: dict[str, Value] = {}  # by name
        self.path: list[str] = []  # of the layer whose nodes are being added
        self._levels: list[tuple[list[Any], dict[Any, list[Value]]]] = [([], {})]  # nodes of the graph, of a loop in it
        self._taken: set[str] = set()

    # -- nodes ---------------------------------------------------------------------------------------------------

    def node(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """Add a node, and get its one result."""
        return self.nodes(op, *inputs, **attributes)[0]

    def nodes(
        self, op: str, *inputs: Value | None, outputs: int = 1, types: list[Any] | None = None, **attributes: Any
    ) -> list[Value]:
        """Add a node.

        Args:
            op: ONNX's operator.
            *inputs: What it takes; None for what it may do without.
            outputs: How many results are wanted.
            types: Of the results, where ONNX cannot tell.
            **attributes: As the operator has them.
        """
        names = ["" if x is None else x.name for x in inputs]
        key = op, outputs, tuple(names), repr(sorted(attributes.items())) if "body" not in attributes else object()
        found = next((seen[key] for _, seen in self._levels if key in seen), None)
        if found is None:
            results = [self.unique(op) for _ in range(outputs)]
            node = self.onnx.helper.make_node(op, names, results, results[0], **attributes)
            types = types or self._inferred(node, [x for x in inputs if x is not None])
            nodes, seen = self._levels[-1]
            nodes.append(node)
            found = seen[key] = [Value(self, name, kind) for name, kind in zip(results, types, strict=True)]
        return [Value(self, x.name, x.type) for x in found]  # each with a mask of its own

    def _inferred(self, node: Any, inputs: list[Value]) -> list[Any]:
        """The types of the results of a node."""
        onnx = self.onnx
        schema = onnx.defs.get_schema(node.op_type, OPSET, "")
        from_array = onnx.numpy_helper.from_array
        known = {x.name: from_array(x.array) for x in inputs if x.array is not None and x.array.size < 100}
        versions = [onnx.helper.make_opsetid("", OPSET)]
        try:
            types = onnx.shape_inference.infer_node_outputs(
                schema, node, {x.name: x.type for x in inputs}, known, opset_imports=versions
            )
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            kinds = ", ".join(f"{x.shape} {x.dtype}" for x in inputs)
            reason = str(error).partition("\n")[0]
            raise ExportError(f"{'/'.join(self.path)}: ONNX's {node.op_type} does not take {kinds}: {reason}") from None
        return [types[name] for name in node.output]

    def unique(self, base: str) -> str:
        """A name within the layer at hand that no one has."""
        base = name = "/".join([*self.path, base])
        for count in range(1, 1 + len(self._taken)):
            if name not in self._taken:
                break
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def type(self, dtype: str, shape: Sequence[Any]) -> Any:
        """ONNX's type of a tensor; a size is a number, a name, or None where it is not known.

        Raises:
            ExportError: For a dtype that ONNX does not have.
        """
        try:
            code = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        except (KeyError, TypeError):
            raise ExportError(f"ONNX has no tensors of {dtype}.") from None
        return self.onnx.helper.make_tensor_type_proto(code, [None if isinstance(n, Value) else n for n in shape])

    # -- constants -----------------------------------------------------------------------------------------------

    def constant(self, array: Any, dtype: Any = None, name: str | None = None) -> Value:
        """A tensor of known values; one of this name that is there already is returned as it is."""
        if name is None or name not in self.constants:
            array = np.asarray(array)
            array = np.ascontiguousarray(array.astype(exported_dtype(dtype or array.dtype))).reshape(array.shape)
            if name is None:
                name = f"constant_{array.dtype}_{'x'.join(map(str, array.shape))}"
                small = array.size < 100
                name = f"{name}_{re.sub('[^0-9a-zA-Z.+-]+', '_', str(array.tolist()))}" if small else self.unique(name)
            self.constants[name] = Value(self, name, self.type(array.dtype.name, array.shape), array)
        value = self.constants[name]
        return Value(self, value.name, value.type, value.array)

    def weight(self, variable: Any, form: str = "", change: Callable[[np.ndarray], np.ndarray] | None = None) -> Value:
        """The value of a variable as a constant.

        Args:
            variable: The variable.
            form: What its name ends in where the constant is not the variable as it is.
            change: Makes that form of it.
        """
        name = (self.paths.get(variable) or variable.path) + form
        if name in self.constants:
            return self.constant(None, name=name)
        array = self.array(variable)
        return self.constant(array if change is None else change(array), name=name)

    def array(self, variable: Any) -> np.ndarray:
        """The value of a variable, as its constant is written."""
        array = np.asarray(self.values[variable]) if variable in self.values else variable.numpy()
        return array.astype(exported_dtype(array.dtype), copy=False)

    def value(self, x: Any, dtype: str | None = None) -> Value:
        """`x`, a tensor, a number or an array, as a tensor of this dtype."""
        return self.cast(x, dtype or x.dtype) if isinstance(x, Value) else self.constant(x, dtype)

    def alike(self, *xs: Any) -> list[Value]:
        """Tensors and numbers as tensors of one dtype, which JAX's rules say."""
        dtype = self.common(xs)
        return [self.value(x, dtype) for x in xs]

    def common(self, xs: Sequence[Any]) -> str:
        """The dtype that tensors and numbers have in common."""
        dtypes = {x.dtype for x in xs if isinstance(x, Value)}
        if len(dtypes) == 1:
            (dtype,) = dtypes
            others = [np.asarray(x).dtype.kind for x in xs if not isinstance(x, Value)]
            if all(_KINDS.index(kind) <= _KINDS.index(np.dtype(dtype).kind) for kind in others):
                return dtype
        return exported_dtype(jnp.result_type(*(np.dtype(x.dtype) if isinstance(x, Value) else x for x in xs)))

    # -- what most layers need -----------------------------------------------------------------------------------

    def elementwise(self, op: str, *xs: Any) -> Value:
        """An operator on tensors and numbers that are brought to one dtype."""
        return self.node(op, *self.alike(*xs))

    def cast(self, x: Value, dtype: Any) -> Value:
        """`x` in another dtype; its mask stays beside it."""
        dtype = exported_dtype(dtype)
        if x.dtype == dtype:
            return x
        if x.array is not None:
            return self.constant(x.array, dtype)
        y = self.node("Cast", x, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
        y.mask = x.mask
        return y

    def floating(self, x: Value, dtype: str = "float32") -> Value:
        """`x` as floats."""
        return x if x.dtype in ("float32", "float64") else self.cast(x, dtype)

    def floats(self, x: Any) -> Value:
        """`x`, which may be numbers, as floats."""
        return self.floating(self.value(x))

    def transpose(self, x: Value, axes: Sequence[int]) -> Value:
        """`x` with its axes in another order."""
        axes = [axis % x.ndim for axis in axes]
        return x if axes == list(range(x.ndim)) else self.node("Transpose", x, perm=axes)

    def move(self, x: Value, source: int, target: int) -> Value:
        """`x` with one axis at another place."""
        axes = [axis for axis in range(x.ndim) if axis != source % x.ndim]
        axes.insert(target % x.ndim, source % x.ndim)
        return self.transpose(x, axes)

    def size(self, x: Value, axis: int) -> Size:
        """The size of an axis."""
        n, axis = x.shape[axis], axis % x.ndim
        return n if n is not None else self.node("Shape", x, start=axis, end=axis + 1)

    def sizes(self, x: Value) -> list[Size]:
        """The sizes of all axes."""
        return [self.size(x, axis) for axis in range(x.ndim)]

    def times(self, *sizes: Size) -> Size:
        """The product of sizes."""
        known = int(np.prod([n for n in sizes if isinstance(n, int)], dtype=np.int64))
        product: Any = None
        for n in sizes:
            if isinstance(n, Value):
                product = n if product is None else product * n
        return known if product is None else product if known == 1 else product * known

    def shape(self, sizes: Sequence[Size]) -> Value:
        """Sizes as one tensor."""
        parts = [self.constant([n], "int64") if isinstance(n, int) else n for n in sizes]
        if all(isinstance(n, int) for n in sizes):
            return self.constant(np.array(sizes, "int64"))
        return self.node("Concat", *parts, axis=0)

    def reshape(self, x: Value, sizes: Sequence[Size]) -> Value:
        """`x` in another shape; one size may be -1, which is what is left."""
        unknown = [i for i, n in enumerate(sizes) if isinstance(n, Value)]
        if len(unknown) == 1 and -1 not in [n for n in sizes if isinstance(n, int)]:
            sizes = [-1 if i in unknown else n for i, n in enumerate(sizes)]
        return self._shaped("Reshape", x, sizes)

    def expand(self, x: Value, sizes: Sequence[Size]) -> Value:
        """`x` broadcast to these sizes."""
        return self._shaped("Expand", x, sizes)

    def _shaped(self, op: str, x: Value, sizes: Sequence[Size]) -> Value:
        shape = self.shape(sizes)
        if shape.array is not None:
            return self.node(op, x, shape)
        known = [n if isinstance(n, int) and n >= 0 else None for n in sizes]
        return self.nodes(op, x, shape, types=[self.type(x.dtype, known)])[0]

    def zeros(self, sizes: Sequence[Size], dtype: str) -> Value:
        """Zeros."""
        return self.expand(self.constant(0, dtype), sizes)

    def expand_dims(self, x: Value, *axes: int) -> Value:
        """`x` with axes of size 1 where the result is to have them."""
        return self.node("Unsqueeze", x, self.constant(np.array(axes, "int64"))) if axes else x

    def squeeze(self, x: Value, *axes: int) -> Value:
        """`x` without these axes of size 1."""
        return self.node("Squeeze", x, self.constant(np.array(axes, "int64"))) if axes else x

    def slice(self, x: Value, axis: int, start: int | None, stop: int | None, step: int = 1) -> Value:
        """A part of `x` along an axis, as Python's slices have it."""
        if start is None:
            start = 0 if step > 0 else -1
        if stop is None:
            stop = _OPEN if step > 0 else -_OPEN
        bounds = [self.constant([n], "int64") for n in (start, stop, axis % x.ndim, step)]
        return self.node("Slice", x, *bounds)

    def split(self, x: Value, count: int, axis: int) -> list[Value]:
        """`x` in equal parts along an axis."""
        axis = axis % x.ndim
        size = x.shape[axis]
        if size is None:
            return self.nodes("Split", x, None, outputs=count, axis=axis, num_outputs=count)
        part = self.constant(np.full(count, size // count, "int64"))
        return self.nodes("Split", x, part, outputs=count, axis=axis)

    def clip(self, x: Value, least: Any = None, most: Any = None) -> Value:
        """`x`, no less and no more than."""
        x = x if least is None else self.elementwise("Max", x, least)
        return x if most is None else self.elementwise("Min", x, most)

    def scalar(self, n: Size) -> Value:
        """A size as a tensor without axes."""
        return self.constant(np.int64(n)) if isinstance(n, int) else self.squeeze(n, 0)

    def flip(self, x: Value, axis: int) -> Value:
        """`x` from its end along an axis."""
        return self.slice(x, axis, None, None, -1)

    def concat(self, xs: Sequence[Value], axis: int) -> Value:
        """Tensors one after another."""
        xs = self.alike(*xs)
        return xs[0] if len(xs) == 1 else self.node("Concat", *xs, axis=axis % xs[0].ndim)

    def reduce(self, op: str, x: Value, axes: Any = None, keepdims: bool = False) -> Value:
        """`x` with one of ONNX's reductions along axes, all by default."""
        axes = range(x.ndim) if axes is None else np.atleast_1d(axes).tolist()
        along = np.array([axis % x.ndim for axis in axes], "int64")
        return self.node(f"Reduce{op}", x, self.constant(along), keepdims=int(keepdims)) if len(along) else x

    def where(self, condition: Value, x: Any, y: Any) -> Value:
        """`x` where the condition holds, else `y`."""
        return self.node("Where", self.cast(condition, "bool"), *self.alike(x, y))

    def softmax(self, x: Value, axis: Any = -1) -> Value:
        """Softmax along an axis, or several."""
        axes = np.atleast_1d(axis).tolist()
        if len(axes) == 1:
            return self.node("Softmax", x, axis=axes[0] % x.ndim)
        y = self.node("Exp", x - self.reduce("Max", x, axes, True))
        return y / self.reduce("Sum", y, axes, True)

    def scan(
        self, step: Callable[[list[Value], list[Value]], tuple[list[Value], list[Value]]],
        states: list[Value], xs: list[Value], backwards: bool = False,
    ) -> tuple[list[Value], list[Value]]:  # fmt: skip
        """A loop along the first axis: `states, outputs = step(states, xs at t)`.

        Returns:
            The last states, and the outputs of all steps, in the order of time.
        """
        helper = self.onnx.helper
        self._levels.append(([], {}))
        at_hand = [Value(self, self.unique("state"), x.type) for x in states]
        at_hand += [Value(self, self.unique("at"), self.type(x.dtype, x.shape[1:])) for x in xs]
        try:
            new, outputs = step(at_hand[: len(states)], at_hand[len(states) :])
            new = [self.cast(y, x.dtype) for x, y in zip(states, new, strict=True)]
        finally:
            nodes, _ = self._levels.pop()
        results = [(self.unique("result"), y) for y in (*new, *outputs)]
        nodes += [helper.make_node("Identity", [y.name], [name], name) for name, y in results]
        inputs = [helper.make_value_info(x.name, x.type) for x in at_hand]
        infos = [helper.make_value_info(name, y.type) for name, y in results]
        body = helper.make_graph(passes.tidy(nodes, [name for name, _ in results]), self.unique("step"), inputs, infos)
        types = [x.type for x in states] + [self.type(y.dtype, (xs[0].shape[0], *y.shape)) for y in outputs]
        found = self.nodes(
            "Scan", *states, *xs, outputs=len(types), types=types, body=body, num_scan_inputs=len(xs),
            scan_input_directions=[int(backwards)] * len(xs), scan_output_directions=[int(backwards)] * len(outputs),
        )  # fmt: skip
        return found[: len(states)], found[len(states) :]

    # -- the whole -----------------------------------------------------------------------------------------------

    def model(self, inputs: list[Value], outputs: dict[str, Value], name: str) -> tuple[Any, dict[str, np.ndarray]]:
        """The model between inputs and outputs, which get their names here, and apart from it its constants."""
        helper = self.onnx.helper
        ends = [helper.make_node("Identity", [x.name], [end], end) for end, x in outputs.items()]
        nodes = passes.tidy([*self._levels[0][0], *ends], list(outputs))
        used = passes.names_used(nodes)
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_value_info(x.name, x.type) for x in inputs],
            [helper.make_value_info(end, x.type) for end, x in outputs.items()],
        )
        versions = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="keryx", opset_imports=versions, ir_version=IR_VERSION)
        arrays = {name: value.array for name, value in self.constants.items() if name in used}
        return model, {name: array for name, array in arrays.items() if array is not None}
