"""The words of Keras 1 and 2 that Keras 3 has dropped, and the errors that name the new ones.

An old word is never taken in another meaning, and never without a word.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from keryx import later
from keryx.core.names import init_arguments
from keryx.core.symbol import SymbolicTensor
from keryx.errors import ArgumentError, did_you_mean, listing

Function = TypeVar("Function", bound=Callable[..., Any])

# What a layer's argument was called -> what it is called now. Which one is meant where a word has several meanings
# is seen from the arguments that the layer has.
LAYERS = {
    "activity_regulariser": ("activity_regularizer",),
    "atrous_rate": ("dilation_rate",),
    "b_constraint": ("bias_constraint",),
    "b_regularizer": ("bias_regularizer",),
    "beta_init": ("beta_initializer",),
    "bias": ("use_bias",),
    "border_mode": ("padding",),
    "consume_less": ("unroll",),
    "dim_ordering": ("data_format",),
    "dropout_U": ("recurrent_dropout",),
    "dropout_W": ("dropout",),
    "filter_length": ("kernel_size",),
    "forget_bias_init": ("unit_forget_bias",),
    "gamma_init": ("gamma_initializer",),
    "init": ("kernel_initializer", "embeddings_initializer", "depthwise_initializer"),
    "inner_activation": ("recurrent_activation",),
    "inner_init": ("recurrent_initializer",),
    "mode": (),
    "nb_col": ("kernel_size",),
    "nb_filter": ("filters",),
    "nb_row": ("kernel_size",),
    "output_dim": ("units",),
    "output_shape_fn": ("output_shape",),
    "p": ("rate",),
    "pool_length": ("pool_size",),
    "sigma": ("stddev",),
    "stride": ("strides",),
    "subsample": ("strides",),
    "subsample_length": ("strides",),
    "U_regularizer": ("recurrent_regularizer",),
    "W_constraint": ("kernel_constraint", "embeddings_constraint"),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer"),
    "concat_axis": ("axis",),
}
FIT = {
    "nb_epoch": ("epochs",),
    "nb_val_samples": ("validation_steps",),
    "samples_per_epoch": ("steps_per_epoch",),
    "show_accuracy": ("metrics",),
    "generator": ("x",),
    "max_q_size": (),
    "max_queue_size": (),
    "nb_worker": (),
    "workers": (),
    "use_multiprocessing": (),
    "pickle_safe": (),
}
MODEL = {"input": ("inputs",), "output": ("outputs",)}
COMPILE: dict[str, tuple[str, ...]] = {
    "sample_weight_mode": (),
    "target_tensors": (),
}

# Arguments that every layer takes beside its own, for Sequential's sake.
DECLARED = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "input_length", "batch_size")


def check_arguments(
    where: str, given: Iterable[str], known: Iterable[str], renamed: dict[str, tuple[str, ...]]
) -> None:
    """Raise ArgumentError at the first of `given` that is not among `known`, with the new word or a close one.

    >>> check_arguments("fit()", ["nb_epoch"], ["epochs"], FIT)
    Traceback (most recent call last):
    keryx.errors.ArgumentError: fit() has no argument 'nb_epoch': it is 'epochs' now.
    """
    known = list(known)
    for word in given:
        if word in known:
            continue
        new = renamed.get(word)
        if word in later.ARGUMENTS:
            raise ArgumentError(f"{where} has no argument {word!r} yet: {later.ARGUMENTS[word]}.")
        if new is None:
            hint = did_you_mean(word, known) or f" It has {listing(known)}."
            raise ArgumentError(f"{where} has no argument {word!r}.{hint}")
        fitting = [name for name in new if name in known]
        if fitting:
            raise ArgumentError(f"{where} has no argument {word!r}: it is {fitting[0]!r} now.")
        raise ArgumentError(f"{where} has no argument {word!r} any more: leave it out.")


def refuses_unknown(function: Function) -> Function:
    """Mark a function that takes `**unknown` to refuse it: programs that ask for its arguments see the others alone.

    >>> @refuses_unknown
    ... def fit(x, epochs=1, **unknown):
    ...     check_arguments("fit()", unknown, ["x", "epochs"], FIT)
    >>> inspect.signature(fit)
    <Signature (x, epochs=1)>
    """
    signature = inspect.signature(function)
    named = [argument for argument in signature.parameters.values() if argument.kind is not argument.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    return function


def shape_first(function: Function) -> Function:
    """Mark `add_weight` to refuse a name by place, which came first before Keras 3."""

    @functools.wraps(function)
    def add_weight(self, *args, **kwargs):
        if args and isinstance(args[0], str):
            raise ArgumentError(
                f"add_weight({args[0]!r}, ...): the shape comes first since Keras 3. Write add_weight(shape=..., "
                f"initializer=..., name={args[0]!r})."
            )
        return function(self, *args, **kwargs)

    return add_weight  # type: ignore[return-value]


def check_layer_arguments(cls: type, args: tuple, kwargs: dict[str, Any]) -> None:
    """Refuse the arguments of older dialects, and unknown ones, before a layer is made."""
    where, known = f"{cls.__name__}()", init_arguments(cls)
    renamed = getattr(cls, "renamed_arguments", {}) | LAYERS
    if cls.__module__.startswith("keryx.layers."):
        _refuse_tensors(cls, args)
    own = cls.__module__.startswith("keryx.")  # a class of the user's may take words out of its **kwargs itself
    given = [word for word in kwargs if word not in DECLARED and (own or word in renamed)]
    check_arguments(where, given, known, renamed)
    if own:
        _check_complete(cls, args, kwargs)
    kernel_rank = getattr(cls, "rank", 0)
    counts = args[: kernel_rank + 1]
    # A third number is a stride since Keras 2. Written as Keras 1 wrote a kernel, it is one that hardly anybody means.
    if kernel_rank > 1 and len(counts) > kernel_rank and all(isinstance(a, int) and a > 2 for a in counts):
        written = ", ".join(repr(a) for a in args)
        size = ", ".join(str(a) for a in args[1 : kernel_rank + 1])
        raise ArgumentError(
            f"{cls.__name__}({written}) was a kernel of ({size}) in Keras 1, and is a stride of {args[2]} since "
            f"Keras 2. Write kernel_size=({size}), or strides={args[2]}, to say which you mean."
        )


def _check_complete(cls: type, args: tuple, kwargs: dict[str, Any]) -> None:
    """Refuse to make a layer without what it needs, or from more arguments by place than it has."""
    signature = _signature(cls)
    try:
        signature.bind(*args, **kwargs)
        return
    except TypeError as error:
        told = str(error)
    name, taken = cls.__name__, [p for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    needed = [p.name for p in taken if p.default is p.empty]
    if missing := [word for word in needed[len(args) :] if word not in kwargs]:
        raise ArgumentError(f"{name}() lacks {listing(missing)}: write {name}({', '.join(needed)}).")
    if len(args) > len(taken):
        raise ArgumentError(
            f"{name}() takes {len(taken)} arguments by place, and got {len(args)}: give the rest by name."
        )
    raise ArgumentError(f"{name}() got {told}.")  # the same argument by place and by name


@functools.lru_cache(1000)
def _signature(cls: type) -> inspect.Signature:
    """What a class is made from."""
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _refuse_tensors(cls: type, args: tuple) -> None:
    """Refuse a layer that is made on a tensor, and was to be called on it."""
    nests = [arg if isinstance(arg, (list, tuple)) else [arg] for arg in args]
    tensors = [any(isinstance(part, SymbolicTensor) for part in nest) for nest in nests]
    if any(tensors):
        rest = ", ".join(repr(arg) for arg, is_tensor in zip(args, tensors, strict=True) if not is_tensor)
        rest = rest or "..." * _has_required_arguments(cls)
        raise ArgumentError(
            f"{cls.__name__}(...) makes a layer, and takes no tensor. Call the layer on it: {cls.__name__}({rest})(x)."
        )


def _has_required_arguments(cls: type) -> bool:
    parameters = list(_signature(cls).parameters.values())
    return any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)


LAYER_CLASSES = {
    "AtrousConvolution1D": "Conv1D(..., dilation_rate=...)",
    "AtrousConvolution2D": "Conv2D(..., dilation_rate=...)",
    "CuDNNGRU": "GRU(...)",
    "CuDNNLSTM": "LSTM(...)",
    "Deconvolution2D": "Conv2DTranspose(...)",
    "Merge": "Concatenate(), Add(), Multiply(), Average(), Maximum() or Dot(axes)",
    "TimeDistributedDense": "TimeDistributed(Dense(...)), or Dense(...), which does the same",
    "merge": "concatenate([a, b]), add([a, b]), multiply([a, b]), average([a, b]) or dot([a, b], axes)",
}


def layer_class(name: str, known: Iterable[str]) -> Any:
    """What stands at a name that `keryx.layers` does not have: an old one says, when it is called, what to write."""
    if name in LAYER_CLASSES:
        return replaced(f"keryx.layers.{name}", LAYER_CLASSES[name])
    later.refuse("keryx.layers", name)
    raise AttributeError(f"keryx.layers has no {name!r}.{did_you_mean(name, known)}")


def replaced(old: str, new: str):
    """A function that stands where an old one stood, and says what to write instead."""

    def gone(*args, **kwargs):
        raise ArgumentError(f"{old} is gone: write {new}.")

    gone.__name__ = old.split(".")[-1].split("(")[0]
    return gone
