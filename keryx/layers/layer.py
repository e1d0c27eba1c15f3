"""Layer: build, call, weights, config."""

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np

from keryx import constraints, initializers, old_words, regularizers
from keryx.core import dtypes, graph, plain, remat, scope
from keryx.core.codec import Configurable, Registry, deserialize, reads, serialize
from keryx.core.copying import Copyable
from keryx.core.names import config_arguments, given_arguments, init_arguments, is_name, is_own, snake_case
from keryx.core.owner import Owner
from keryx.core.variable import Variable
from keryx.errors import ArgumentError, ShapeError, StateError
from keryx.layers.base.calling import Calling
from keryx.layers.base.input_spec import InputSpec, declared_shape
from keryx.layers.base.keras_members import KerasMembers
from keryx.layers.base.output_spec import OutputSpec

registry = Registry("layer", "keras.layers")


class Layer(Calling, OutputSpec, KerasMembers, Owner, Copyable, Configurable):
    """A function with weights.

    A subclass stores its arguments in `__init__`, adds weights in `build(input_shape)`, and computes in
    `call(inputs, ...)`. Weights and sub-layers are found by walking its attributes in the order in which they were
    set. Called on symbolic tensors, a layer writes the call down; called on arrays, it computes.

    A layer with `on_host = True` runs before the rest of a model, outside of compiled code: its `call` is given NumPy
    arrays, text among them, and returns such. One with `on_host = None` runs where its inputs are: its `call` is given
    NumPy arrays on the host, and JAX's behind a layer that runs on the device.

    Args:
        activity_regularizer: A function of the outputs that is added to the loss.
        trainable: Whether its weights are trained.
        dtype: The dtype of its weights and computation, or a policy such as `"mixed_bfloat16"`.
        autocast: Whether float inputs are cast to the dtype it computes in.
        name: Its name; by default the class's, in snake_case, made unique.

    >>> import keryx
    >>> class Scale(keryx.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=input_shape[-1:], initializer="ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(keryx.Input((3,))).shape
    (None, 3)
    """

    config_module = "keras.layers"
    _made_again: tuple[str, ...] = "nodes", "_call_losses", "_seen_shapes"
    supports_masking = False
    name: str
    built: bool
    nodes: list[graph.Node]
    input_spec: InputSpec | None = None
    _given: dict[str, Any]
    _base_arguments: frozenset[str]  # those that get_config writes by itself, or that are no part of a config
    # An embedding says which integers it takes, so that data can be checked on the host before any cast.
    input_range: tuple[int, int] | None = None
    on_host: bool | None = False
    takes_text = False

    @property
    def declared_dtype(self) -> str | None:
        """The dtype of an input that is made for the layer; None is the default one."""
        return "string" if self.takes_text else "int32" if self.input_range else None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "compute_mask" in vars(cls) and "supports_masking" not in vars(cls):
            cls.supports_masking = True
        if "build" in vars(cls):
            cls.build = _that_marks_built(cls.build)  # type: ignore[method-assign]

    def __new__(cls, *args, **kwargs):
        old_words.check_layer_arguments(cls, args, kwargs)
        layer = cls._blank()
        layer._given = given_arguments(cls, args, kwargs)
        if (rematerialized := remat.current()) is not None:
            layer._remat = rematerialized
        return layer

    @classmethod
    def _blank(cls):
        layer = super().__new__(cls)
        layer.nodes = []
        layer.built = False
        layer._call_losses = []
        return layer

    def __init__(
        self,
        *,
        activity_regularizer=None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **declared,
    ):
        self.name = name or graph.unique_name(snake_case(type(self).__name__))
        if not is_name(self.name):
            raise ArgumentError(
                f"The name of a layer is a string without '/' and control characters, not '.' or '..'; got {name!r}."
            )
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = dtype
        self.autocast = autocast
        self._trainable = bool(trainable)
        unknown = [word for word in declared if word not in old_words.DECLARED]
        old_words.check_arguments(f"{type(self).__name__}()", unknown, init_arguments(type(self)), {})
        self._declared_shape = declared_shape(declared)
        # What this library offers without a build has nothing to build; a layer of the user's may have within.
        self.built = type(self).build is Layer.build and type(self).__module__.startswith("keryx.layers.")

    # -- what a subclass writes ----------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Add the weights, now that the shape of the input is known. None is a size that is not."""
        self.built = True

    def call(self, *args, **kwargs) -> Any:
        """The maths."""
        raise StateError(f"{type(self).__name__} has no call(self, inputs) method yet: write one.")

    @old_words.shape_first
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
        autocast: bool = True,
        **_,
    ) -> Variable:
        """A new weight; keep it as an attribute.

        Args:
            shape: Its shape, `()` by default.
            initializer: By default `glorot_uniform` for floats, `zeros` for others.
            dtype: By default the layer's variable dtype.
            trainable: Whether the optimizer changes it.
            regularizer: A function of the weight that is added to the loss.
            constraint: A projection that is applied after each step.
            name: Its name.
            autocast: Whether `call` sees it in the dtype that the layer computes in.
        """
        dtype = dtypes.standardize_dtype(dtype or self.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        if shape is not None:
            shape = tuple(shape) if np.ndim(shape) else (shape,)
        if shape is not None and None in shape:
            way_out = " The first is that of the batch: leave it out." if shape[0] is None else ""
            raise ShapeError(
                f"{self.title} cannot make the weight {name or 'variable'!r} of shape {shape}: a size is not known."
                + way_out
            )
        plain.spend(tuple(shape or ()), np.dtype(dtype).itemsize)
        within = scope.names()[-1:] == (self.name,)  # build, when a call brings it about
        with nullcontext() if within else scope.named(self.name):
            return Variable(
                initializers.get(initializer),
                tuple(shape or ()),
                dtype,
                trainable,
                autocast,
                name=name or "variable",
                regularizer=regularizers.get(regularizer),
                constraint=constraints.get(constraint),
            )

    def add_loss(self, loss: Any) -> None:
        """Add to the loss of the model that this layer runs in, within `call`: a scalar, or the sum of a tensor."""
        running = scope.current()
        if running is None:
            raise StateError(f"{self.title}: add_loss belongs into call(), where the inputs are.")
        running.losses.extend(x.sum() if getattr(x, "ndim", 0) else x for x in jax.tree.leaves(loss))

    @property
    def losses(self) -> list[jax.Array]:
        """What the last eager call added with add_loss, then the regularization of the weights."""
        return [*self._call_losses, *self.regularization()]

    # -- introspection --------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """How an error speaks of the layer."""
        return f"{type(self).__name__} {self.name!r}"

    @property
    def dtype_policy(self) -> dtypes.DTypePolicy:
        """Which dtype the weights have, and which the layer computes in; weights that there are keep theirs."""
        return self._dtype_policy if self._policy_map is None else self._policy_map

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = dtypes.get(value)
        self._policy_map = self._dtype_policy if hasattr(self._dtype_policy, "policy_map") else None

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that the layer computes in."""
        return self._dtype_policy.compute_dtype

    @property
    def input(self) -> Any:
        """The symbolic tensors of its first call; of an Input its own."""
        node = graph.first_call(self, self.title, "input")
        given = [*node.args, *node.kwargs.values()]  # the first may have been given by name
        return next((one for one in given if graph.symbols_in(one)), node.outputs)

    @property
    def output(self) -> Any:
        """The symbolic tensors that came out of its first call."""
        return graph.first_call(self, self.title, "output").outputs

    def count_params(self) -> int:
        """The number of scalars in the weights.

        Raises:
            StateError: Where it is not built, so that it has none yet.
        """
        if not self.built:
            raise StateError(
                f"{self.title} is not built, so its weights are not known: call it, or build(shape), first."
            )
        return super().count_params()

    def get_config(self) -> dict[str, Any]:
        """Name, trainable, dtype and the layer's own arguments, as plain data."""
        own = [name for name in config_arguments(type(self)) if name not in self._base_arguments]
        config = {"name": self.name, "trainable": self.trainable, "dtype": serialize(self.dtype_policy)}
        takes = is_own(type(self)) and "activity_regularizer" in init_arguments(type(self))
        if self.activity_regularizer is not None or takes:
            config["activity_regularizer"] = serialize(self.activity_regularizer)
        missing = [name for name in own if not hasattr(self, name) and name not in self._given]
        if missing:
            raise StateError(
                f"{type(self).__name__} has no attribute {missing[0]!r}, so its config cannot be read off it: store "
                "the argument under its own name in __init__, or write a get_config method."
            )
        values = {name: getattr(self, name) if hasattr(self, name) else self._given[name] for name in own}
        return config | {name: serialize(value) for name, value in values.items()}

    @reads
    def from_config(cls, config: dict[str, Any]):
        """A layer made anew from what `get_config` gave, here or in Keras."""
        # What Keras has and Keryx has not is left aside where it is off.
        unused = [name for name, value in config.items() if name == "quantization_config" and value is None]
        return cls(**{name: deserialize(value) for name, value in config.items() if name not in unused})

    # -- files ---------------------------------------------------------------------------------------------------

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Put what a file is to keep of the layer itself into `store`, arrays by name; override it to choose."""
        for i, variable in enumerate(self._kept()):
            store[str(i)] = variable

    def load_own_variables(self, store: dict[str, Any]) -> None:
        """Take what `save_own_variables` put into `store`, or Keras."""
        own = self._kept()
        if len(store) != len(own):
            raise ShapeError(f"{self.title} keeps {len(own)} variables in a file; this one has {len(store)} for it.")
        for i, variable in enumerate(own):
            variable.assign(store[str(i)])

    def _kept(self) -> list[Variable]:
        return [variable for variable in self.own_variables if not variable.transient]

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` makes the weights from in a process to come: the shapes that it was built for."""
        return self._built_for

    def build_from_config(self, config: dict[str, Any] | None) -> None:
        """Make the weights as they were when `get_build_config` was asked."""
        if not config:
            return
        if "input_shape" in config:
            self.build(config["input_shape"])
        elif "shapes_dict" in config:
            self.build(**config["shapes_dict"])

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name!r} built={self.built}>"


Layer._base_arguments = frozenset(init_arguments(Layer))


def _that_marks_built(build: Callable) -> Callable:
    """A build method that may also be called by hand: the weights it makes are not made again."""

    @functools.wraps(build)
    def built(self, *args, **kwargs):
        if self._policy_map is not None:
            self._choose_policy()
        result = build(self, *args, **kwargs)
        self.built = True
        given = inspect.signature(build).bind(self, *args, **kwargs).arguments
        shapes = {name: shape for i, (name, shape) in enumerate(given.items()) if i}  # without self
        if all(size is None or isinstance(size, (int, np.integer)) for size in jax.tree.leaves(shapes)):
            first = next(iter(shapes.values()), None)
            self._built_for = {"input_shape": first} if len(shapes) == 1 else {"shapes_dict": shapes}
        return result

    return built
