"""How a layer is called: what it is called on, when it is built, and what it sees while it computes."""

import functools
import os
import sys
import threading
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from keryx.core import dtypes, graph, host, scope, shapes, tf_graph
from keryx.core.call_plan import accepted_arguments, plan_of
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, StateError, listing
from keryx.layers.base.output_spec import shapes_for
from keryx.runtime import process

_NO_TENSORS = {str, int, float, bool, complex}
_SINGLE = {str, bytes, int, float}
_building = threading.RLock()  # threads that call an unbuilt layer wait for the first of them


class Calling:
    """The part of a layer that calls it; a layer has the attributes that it speaks of."""

    autograph_info__: ClassVar[dict] = {}  # by which TensorFlow leaves the code of a call as it is
    input_spec: Any
    _policy_map: Any = None  # a DTypePolicyMap, which is looked into when the path of the layer is known
    _remat: Any = None  # the RematScope that it was made in
    _built_for: dict[str, Any] | None = None

    def __call__(self: Any, *args, **kwargs) -> Any:
        """On symbolic tensors, write the call down and return symbols; on arrays, compute."""
        if "name" not in vars(self):
            raise StateError(f"{type(self).__name__}.__init__ has to call super().__init__() before all else.")
        try:
            if self._policy_map is not None:
                self._choose_policy()
            leaves, nest = jax.tree.flatten((args, kwargs))
            if SymbolicTensor in map(type, leaves):
                self._build_for_call(args, kwargs)
                return graph.record(self, args, kwargs, self.symbolic_outputs(args, kwargs))
            if "tensorflow" in sys.modules and tf_graph.is_within(leaves):
                self._build_for_call(args, kwargs)
                return tf_graph.call(self, args, kwargs)
            if self.on_host is not False and host.runs_here(self, leaves):
                return self._call_on_host(args, kwargs)
            if scope.here.scopes:
                return self._call_in_scope(*jax.tree.unflatten(nest, map(self._call_argument, leaves)))
            if process.owner != os.getpid():
                process.ready()
            return self._call_eagerly(args, kwargs)
        except Exception as error:
            from keryx.layers.base.telling import told

            if (better := told(self, error, args)) is not error:
                raise better from None
            raise

    def _choose_policy(self: Any) -> None:
        """Take the policy that the map has for the path of the layer."""
        within = scope.names()
        self._dtype_policy = self._policy_map["/".join(within if within[-1:] == (self.name,) else (*within, self.name))]

    @property
    def trains_alone(self) -> bool:
        """Whether a call outside of any model that does not say `training=` is one of training: augmentation is."""
        return plan_of(type(self).call).alone  # type: ignore[attr-defined]

    def _call_eagerly(self: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Compute as the outermost layer."""
        scopes, running = scope.here.scopes, scope.Scope(training=self.trains_alone)
        scopes.append(running)
        try:
            args, kwargs = jax.tree.map(self._call_argument, (args, kwargs))
            outputs = self._call_in_scope(args, kwargs)
        finally:
            scopes.pop()
        if not any(isinstance(loss, jax.core.Tracer) for loss in running.losses):
            self._call_losses = running.losses
            if running.masks:
                scope.keep_masks(running, outputs)
        return outputs

    def _call_on_host(self: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Compute on NumPy arrays, outside of any scope."""
        args = tuple(host.argument(arg, self.title) for arg in args)
        if args and type(args[0]) in _SINGLE:  # one text or number is an array of no axes
            args = (host.as_array(args[0], self.title), *args[1:])
        kwargs = {name: host.argument(arg, self.title) for name, arg in kwargs.items()}
        self._build_for_call(args, kwargs)
        return self.call(*args, **kwargs)

    def _call_argument(self: Any, x: Any) -> Any:
        """An argument as `call` is given it: on the device, and a float in the dtype that the layer computes in."""
        if isinstance(x, (np.ndarray, np.generic)):
            x = jax.device_put(dtypes.narrowed(x, "input"))
        dtype = self._dtype_policy.compute_dtype
        if not self.autocast or not isinstance(x, jax.Array) or x.dtype == dtype:
            return x
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return x
        cast = x.astype(dtype)
        scope.set_masks(cast, scope.mask_of(x))
        return cast

    def _call_in_scope(self: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Compute, in the innermost scope."""
        here, policy, plan = scope.here, self._dtype_policy, plan_of(type(self).call)
        running = here.scopes[-1]
        self._build_for_call(args, kwargs)
        masked = running.masks or scope.eager_masks
        if masked:
            plan.fill_in_masks(args, kwargs)
        before = running.training, running.autocast
        if plan.training is not None or "training" in kwargs:
            running.training = plan.resolve_training(args, kwargs, running.training)
        running.autocast = policy.compute_dtype if policy.compute_dtype != policy.variable_dtype else None
        here.names.append(self.name)
        try:
            call = self.call if self._remat is None else self._remat.call_of(self)
            outputs = call(*args, **kwargs) if here.watch is None else here.watch(self, call, args, kwargs)
        finally:
            here.names.pop()
            running.training, running.autocast = before
        if self.activity_regularizer is not None:  # the penalty of a row, on average
            running.losses.extend(
                self.activity_regularizer(x) / (max(x.shape[0], 1) if x.ndim else 1) for x in jax.tree.leaves(outputs)
            )
        told = masked or kwargs.get("mask") is not None or type(self).compute_mask is not Calling.compute_mask
        if self.supports_masking and args and told:
            masks = kwargs["mask"] if "mask" in kwargs else scope.masks_of(args[0])
            scope.set_masks(outputs, self.compute_mask(args[0], masks))
        if not shapes.probing.get():
            self._seen_shapes = [x.shape for x in jax.tree.leaves(outputs) if hasattr(x, "shape")]
        return outputs

    def _build_for_call(self: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Check the inputs, and build at the first call."""
        self._check_call(args)
        if self.built:
            return
        plan = plan_of(type(self).call)
        if missing := plan.missing(args, kwargs):
            raise ArgumentError(
                f"{self.title} is called on {listing(plan.required)}; there is no {listing(missing)}. "
                f"Write layer({', '.join(plan.required)})."
            )
        wanted, _ = accepted_arguments(self.build)
        given = shapes_for(plan.names, wanted, args, kwargs)
        build = functools.partial(self._build_once, names=wanted)
        if shapes.probing.get():
            raise shapes.Unbuilt(self, given, scope.at_present(build))
        build(given)
        self._check_call(args)

    def _check_call(self: Any, args: tuple) -> None:
        """Raise where the inputs are no tensors, or not as `input_spec` says, which `build` may have set."""
        inputs = jax.tree.leaves(args[0]) if args else []
        if not _NO_TENSORS.isdisjoint(map(type, inputs)) or (args and self.input_spec is not None and not inputs):
            raise ArgumentError(
                f"{self.title} is called on tensors; got {args[0]!r}. "
                + ("A call without return gives None. " if args[0] is None else "")
                + "Make it one: np.array(...)."
            )
        specs = self.input_spec if isinstance(self.input_spec, (list, tuple)) else [self.input_spec]
        for spec, x in zip(specs, inputs, strict=False):
            if spec is not None and x.shape not in spec.fitting:
                spec.check(self, x)

    def _build_once(self: Any, given: list[Any], names: list[str]) -> None:
        with _building:
            if self.built:  # by another thread
                return
            with scope.named(self.name), jax.ensure_compile_time_eval():  # what build makes outlives any trace
                self.build(*given)
            self.built = True
            several = dict(zip(names, given, strict=False))
            self._built_for = {"input_shape": given[0]} if len(given) == 1 else {"shapes_dict": several}

    def compute_mask(self: Any, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the outputs, given that of the inputs; by default the same one."""
        return previous_mask
