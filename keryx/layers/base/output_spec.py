"""What is known of a layer's outputs before it runs: traced, or as the layer itself says."""

from typing import Any

import jax

from keryx.core import graph, shapes
from keryx.core.call_plan import accepted_arguments, plan_of
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, ShapeError, listing

_FIRST = {"input", "inputs", "sequences", "x"}  # words for what a layer is called on, whatever its call says


class OutputSpec:
    """The part of a layer that tells the shapes of its outputs."""

    def compute_output_shape(self: Any, *input_shapes: Any, **named: Any) -> Any:
        """The shape of the outputs for these shapes of the inputs; None is a size that is not known.

        They are found by tracing `call`. A layer that defines this method itself is believed. By name they are
        `<argument>_shape`, the first also `input_shape`.
        """
        plan = plan_of(type(self).call)
        by_name = {name.removesuffix("_shape"): shape for name, shape in named.items() if shape is not None}
        first = [by_name.pop(name) for name in list(by_name) if name not in plan.names and name in _FIRST]
        if by_name.keys() - set(plan.names) or (first and (input_shapes or len(first) > 1)):
            raise ArgumentError(
                f"compute_output_shape() of {self.title} is told the shapes of {listing(plan.required)}, each as "
                f"<argument>_shape, or the first as input_shape; got {listing(named)}."
            )

        def symbols(nest: Any) -> Any:
            return shapes.map_shapes(lambda shape: SymbolicTensor(shape, self.compute_dtype, name="x"), nest)

        args, kwargs = [*map(symbols, (*first, *input_shapes))], {name: symbols(nest) for name, nest in by_name.items()}
        return jax.tree.map(lambda symbol: symbol.shape, OutputSpec.compute_output_spec(self, *args, **kwargs))

    def compute_output_spec(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Symbolic tensors like the outputs for these inputs. A layer that defines this method itself is believed."""
        self._build_for_call(args, kwargs)
        return graph.trace(self, args, kwargs)

    def symbolic_outputs(self: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """New symbols for the outputs of a call of the layer, which is built.

        Raises:
            Exception: What `call` raises; where the layer tells its shapes, only as far as all sizes but the batch's
                are known.
        """
        told = self._told(args, kwargs)
        if told is None:
            return graph.trace(self, args, kwargs)
        try:
            traced = jax.tree.leaves(graph.trace(self, args, kwargs))
        except Exception:
            if not any(None in symbol.shape[1:] for symbol in graph.symbols_in((args, kwargs))):
                raise
            traced = []
        dtype = self.compute_dtype
        outputs = jax.tree.map(lambda spec: SymbolicTensor(spec.shape, spec.dtype or dtype, name="told"), told)
        leaves = jax.tree.leaves(outputs)
        if traced and len(leaves) != len(traced):
            raise ShapeError(
                f"{type(self).__name__} says that it has {len(leaves)} outputs; its call returns {len(traced)}."
            )
        for symbol, spec, real in zip(leaves, jax.tree.leaves(told), traced, strict=False):
            symbol.mask = real.mask
            symbol.dtype = spec.dtype or real.dtype
        return outputs

    def _told(self: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """The Specs of the outputs that the layer tells, without a dtype if it tells only shapes; None if neither."""
        if type(self).compute_output_spec is not OutputSpec.compute_output_spec:
            symbols = self.compute_output_spec(*args, **kwargs)
            return jax.tree.map(lambda symbol: shapes.Spec(symbol.shape, symbol.dtype), symbols)
        if type(self).compute_output_shape is OutputSpec.compute_output_shape:
            return None
        wanted, _ = accepted_arguments(self.compute_output_shape)
        given = shapes_for(plan_of(type(self).call).names, wanted, args, kwargs)
        told = self.compute_output_shape(*given)
        return shapes.map_shapes(lambda shape: shapes.Spec(shape, None), told)


def shapes_for(names: list[str], wanted: list[str], args: tuple, kwargs: dict[str, Any]) -> list[Any]:
    """The shapes that a method asks for: of the first input, or of each as `<argument>_shape`.

    Args:
        names: The arguments of `call`.
        wanted: Those of the method.
        args: What the layer is called on.
        kwargs: Likewise, by name.
    """
    if len(wanted) <= 1:
        first = args[0] if args else next(iter(kwargs.values()), None)
        return [jax.tree.map(_shape_of, first)][: len(wanted)]
    given = dict(zip(names, args, strict=False)) | kwargs
    return [jax.tree.map(_shape_of, given.get(name.removesuffix("_shape"))) for name in wanted]


def _shape_of(x: Any) -> Any:
    return shapes.known(x.shape) if hasattr(x, "shape") else None
