"""What a kernel is: one operation as a JAX primitive, defined in plain JAX, with faster ways for some platforms.

A kernel behaves like any function of JAX. Which of its ways is taken is decided late, when a program is lowered for a
platform: the first in the platform's list that serves the call, else the definition. So `jvp`, `vmap`, other dtypes,
other devices, sharded arrays and exported programs work wherever plain JAX does. Forward mode, batching and derivatives
of derivatives go through the definition unless a kernel says better.

The lists are tables, written where the kernel is: `{"cpu": [native.way(...), Way("detour", ...)]}`. A GPU's or TPU's
ways would stand beside them; today these platforms run the definition, which XLA compiles well for them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

KERNELS: dict[str, "Kernel"] = {}


def _always(context, **static) -> bool:
    return True


class Way(NamedTuple):
    """One way to compute an operation.

    Args:
        name: What `keryx.kernels.report()` calls it.
        run: `(*arrays, **static) -> tuple of arrays`, as the definition.
        serves: `(context, **static) -> bool`: whether it can take a call and should. The context is JAX's of the
            lowering: `avals_in` and `avals_out` have shapes and dtypes, `module_context` knows the devices.
    """

    name: str
    run: Callable
    serves: Callable[..., bool] = _always


class Kernel:
    """One operation: `kernel(*arrays, **static) -> list of arrays`.

    Args:
        name: What `keryx.kernels.report()` calls it.
        plain: The definition: `(*arrays, **static) -> tuple of arrays` in JAX that JAX can differentiate.
        ways: For a platform (cpu, gpu, tpu) its faster ways, best first.
    """

    def __init__(self, name: str, plain: Callable, ways: dict[str, list[Way]] | None = None):
        self.name, self.plain = name, plain
        self.ways: dict[str, list[Way]] = {}
        self.served: Counter[str] = Counter()  # which ways the calls of the compiled programs go
        primitive = self.primitive = Primitive(f"keryx_{name}")
        primitive.multiple_results = True
        primitive.def_impl(self._run)
        primitive.def_abstract_eval(partial(_outputs, plain))
        ad.primitive_jvps[primitive] = self._differentiate
        batching.primitive_batchers[primitive] = self._batch
        mlir.register_lowering(primitive, partial(self._lower, None))
        for platform, best_first in (ways or {}).items():
            self.serve(platform, best_first)
        KERNELS[name] = self

    def serve(self, platform: str, ways: list[Way]) -> None:
        """Set the ways of a platform; programs that are compiled from now on take them."""
        self.ways[platform] = ways
        mlir.register_lowering(self.primitive, partial(self._lower, platform), platform=platform)

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

    def _lower(self, platform, context, /, *operands, **static):
        known = all(isinstance(n, int) for aval in context.avals_in for n in aval.shape)
        # A program for any size, which is exported, is the definition: ways choose by sizes.
        ways = [way for way in self.ways.get(platform, ()) if known and way.serves(context, **static)]
        way = ways[0] if ways else Way("plain", self.plain)
        self.served[way.name] += 1
        return mlir.lower_fun(lambda *xs: list(way.run(*xs, **static)))(context, *operands)


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
        name: As of Kernel.
        plain: As of Kernel.
        saving: A Kernel, or a function of Kernels, `(*arrays, **static) -> outputs + what the backward pass needs`.
        backward: Likewise `(*arrays, *saved, *cotangents of the outputs, **static) -> cotangents of the arrays that
            `differentiable` names`, in their order.
        outputs: How many of the results of `saving` are the outputs.
        differentiable: How many of the arrays, from the first on, have derivatives; the others (masks, ids) have none.
        ways: As of Kernel.
    """

    def __init__(
        self,
        name: str,
        plain: Callable,
        saving: Callable,
        backward: Callable,
        outputs: int,
        differentiable: int,
        ways: dict[str, list[Way]] | None = None,
    ):
        super().__init__(name, plain, ways)
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
