"""What a kernel is: one operation as a JAX primitive, written in plain JAX and, where that wins, in native code.

A kernel behaves like any function of JAX. Which of its ways is taken is decided late, when a program is lowered for a
device: native code for float32 on one CPU where it was measured to win; the CPU's detour in JAX, if there is one; else
plain JAX. So `jvp`, `vmap`, other dtypes, other devices, sharded arrays and exported programs work wherever plain JAX
does. Forward mode, batching and derivatives of derivatives go through the plain way unless a kernel says better.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from keryx import config
from keryx.kernels import native

KERNELS: dict[str, "Kernel"] = {}


def _never(*arrays, **static) -> bool:
    return False


def _always(*arrays, **static) -> bool:
    return True


class Kernel:
    """One operation: `kernel(*arrays, **static) -> list of arrays`.

    Args:
        name: What `keryx.kernels.report()` calls it.
        plain: The definition: `(*arrays, **static) -> tuple of arrays` in JAX that JAX can differentiate.
        native: The same by way of `native.call`; only ever given what `takes` allows.
        takes: `(*shapes, **static) -> bool`: whether the native code can do this. Shapes are what jax.eval_shape
            gives: they have `.shape` and `.dtype`. That all are float32 (or bool, int32 or uint8) is checked before.
        wins: Likewise, whether it was measured to be faster than XLA.
        detour: The same in JAX, written for XLA's CPU compiler, if plain JAX is slow there.
    """

    def __init__(
        self,
        name: str,
        plain: Callable,
        native: Callable | None = None,
        takes: Callable[..., bool] = _always,
        wins: Callable[..., bool] = _always,
        detour: Callable | None = None,
    ):
        self.name, self.plain, self.native, self.takes, self.wins = name, plain, native, takes, wins
        self.detour = detour or plain
        self.served: Counter[str] = Counter()  # which way the calls of the compiled programs go
        primitive = self.primitive = Primitive(f"keryx_{name}")
        primitive.multiple_results = True
        primitive.def_impl(self._run)
        primitive.def_abstract_eval(partial(_outputs, plain))
        ad.primitive_jvps[primitive] = self._differentiate
        batching.primitive_batchers[primitive] = self._batch
        mlir.register_lowering(primitive, mlir.lower_fun(lambda *xs, **static: list(plain(*xs, **static))))
        mlir.register_lowering(primitive, self._lower_for_cpu, platform="cpu")
        KERNELS[name] = self

    def __call__(self, *arrays: Any, **static: Any) -> list[jax.Array]:
        return self.primitive.bind(*arrays, **static)

    def _run(self, *arrays, **static):
        with jax.disable_jit(False):  # outside jit a kernel is a program of its own
            return jax.jit(_bind, static_argnums=(0, 1))(self.primitive, tuple(static.items()), *arrays)

    def _batch(self, arrays, axes, /, **static):
        outputs = jax.vmap(partial(self.plain, **static), axes)(*arrays)
        return list(outputs), [0] * len(outputs)

    def _differentiate(self, primals, tangents, /, **static):
        return jvp_of(partial(self.plain, **static), primals, tangents)

    def _lower_for_cpu(self, context, /, *operands, **static):
        chosen = self._native_here(context, static)
        self.served["native" if chosen else "xla"] += 1
        way: Callable = self.native if chosen and self.native else self.detour
        return mlir.lower_fun(lambda *xs: list(way(*xs, **static)))(context, *operands)

    def _native_here(self, context, static) -> bool:
        mode, module = config.kernels(), context.module_context
        if self.native is None or mode == "xla" or module.lowering_parameters.for_export:
            return False
        if tuple(module.platforms) != ("cpu",) or getattr(module.axis_context, "num_devices", 2) != 1:
            return False
        shapes = context.avals_in
        if any(str(a.dtype) not in ("float32", "int32", "uint8", "bool") for a in (*shapes, *context.avals_out)):
            return False
        if native.library() is None or not self.takes(*shapes, **static):
            return False
        return mode == "native" or self.wins(*shapes, **static)


def _bind(primitive, static, *arrays):
    return primitive.bind(*arrays, **dict(static))


def _outputs(function, *avals, **static):
    return [jax.core.ShapedArray(out.shape, out.dtype) for out in jax.eval_shape(partial(function, **static), *avals)]


def jvp_of(function: Callable, primals: Sequence, tangents: Sequence) -> tuple[list, list]:
    """A primitive's JVP by differentiating `function`; symbolic zeros take no part."""
    moving = [i for i, t in enumerate(tangents) if type(t) is not ad.Zero]

    def of_moving(*moved):
        arrays = list(primals)
        for i, array in zip(moving, moved, strict=True):
            arrays[i] = array
        return list(function(*arrays))

    return jax.jvp(of_moving, [primals[i] for i in moving], [tangents[i] for i in moving])


def linear(kernel: Kernel, transpose: Callable) -> None:
    """Say that a kernel of one result is linear in its first array; the others, such as ids, have no derivatives.

    Args:
        kernel: The kernel.
        transpose: `(dy, *others, first array's shape, **static) -> d first array`; a kernel.
    """

    def jvp(primals, tangents, /, **static):
        (_, *others), change = primals, ad.instantiate_zeros(tangents[0])
        return kernel(*primals, **static), kernel(change, *others, **static)

    def transposed(cotangents, first, *others, **static):
        (dout,) = cotangents
        change = None if type(dout) is ad.Zero else transpose(dout, *others, first.aval, **static)
        return [change, *(None for _ in others)]

    ad.primitive_jvps[kernel.primitive] = jvp
    ad.primitive_transposes[kernel.primitive] = transposed


def bilinear(kernel: Kernel, transpose_left: Callable, transpose_right: Callable) -> None:
    """Say that a kernel of two arrays and one result is linear in each.

    Args:
        kernel: The kernel.
        transpose_left: `(dy, right, left's shape, **static) -> d left`, by kernels, so that all derivatives are.
        transpose_right: `(dy, left, right's shape, **static) -> d right`, likewise.
    """

    def jvp(primals, tangents, /, **static):
        (x, y), (dx, dy) = primals, tangents
        (out,) = kernel(x, y, **static)
        change = None
        if type(dx) is not ad.Zero:
            (change,) = kernel(dx, y, **static)
        if type(dy) is not ad.Zero:
            (other,) = kernel(x, dy, **static)
            change = other if change is None else change + other
        return [out], [change]

    def transpose(cotangents, x, y, **static):
        (dout,) = cotangents
        if ad.is_undefined_primal(x):
            return [None if type(dout) is ad.Zero else transpose_left(dout, y, x.aval, **static), None]
        return [None, None if type(dout) is ad.Zero else transpose_right(dout, x, y.aval, **static)]

    ad.primitive_jvps[kernel.primitive] = jvp
    ad.primitive_transposes[kernel.primitive] = transpose


class Trained(Kernel):
    """A kernel with a derivative of its own in reverse, and forward mode by the plain way.

    Args:
        name: As of Kernel, whose further arguments are taken too.
        plain: As of Kernel.
        saving: A Kernel, or a function of Kernels, `(*arrays, **static) -> outputs + what the backward pass needs`.
        backward: Likewise `(*arrays, *saved, *cotangents of the outputs, **static) -> cotangents of the arrays that
            `differentiable` names`, in their order.
        outputs: How many of the results of `saving` are the outputs.
        differentiable: How many of the arrays, from the first on, have derivatives; the others (masks, ids) have none.
    """

    def __init__(
        self,
        name: str,
        plain: Callable,
        saving: Callable,
        backward: Callable,
        outputs: int,
        differentiable: int,
        **how: Any,
    ):
        super().__init__(name, plain, **how)
        self.saving, self.backward, self.outputs, self.differentiable = saving, backward, outputs, differentiable
        linear = self.linear = Primitive(f"keryx_{name}_linear")
        linear.multiple_results = True
        linear.def_impl(self._push)
        linear.def_abstract_eval(partial(_outputs, self._push))
        ad.primitive_jvps[linear] = lambda primals, tangents, **static: jvp_of(
            partial(self._push, **static), primals, tangents
        )
        ad.primitive_transposes[linear] = self._pull
        batching.primitive_batchers[linear] = self._batch_linear
        mlir.register_lowering(linear, mlir.lower_fun(self._push))

    def _differentiate(self, primals, tangents, /, **static):
        everything = self.saving(*primals, **static)
        outputs, saved = everything[: self.outputs], everything[self.outputs :]
        moving = [ad.instantiate_zeros(t) for t in tangents[: self.differentiable]]
        changes = self.linear.bind(*primals, *saved, *moving, count=len(primals), **static)
        return outputs, changes

    def _push(self, *operands, count, **static):
        """Forward mode: the tangents of the outputs."""
        primals, tangents = operands[:count], operands[len(operands) - self.differentiable :]
        fixed = primals[self.differentiable :]

        def function(*moved):
            return list(self.plain(*moved, *fixed, **static))

        return jax.jvp(function, list(primals[: self.differentiable]), list(tangents))[1]

    def _pull(self, cotangents, /, *operands, count, **static):
        """Reverse mode: the cotangents of the tangents."""
        rest = operands[: len(operands) - self.differentiable]
        cotangents = [ad.instantiate_zeros(c) for c in cotangents]
        found = self.backward(*rest, *cotangents, **static)
        return [None] * len(rest) + list(found)

    def _batch_linear(self, operands, axes, /, **static):
        outputs = jax.vmap(partial(self._push, **static), axes)(*operands)
        return list(outputs), [0] * len(outputs)
