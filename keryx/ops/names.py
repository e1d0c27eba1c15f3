"""The ops that a saved graph may name, functions of tensors without side effects, and how a call is written down.

Keras has a class for each op: what it is made with, the options, stands in its config, and what it is called on, the
tensors, among the arguments of the call. The signatures of Keryx's functions say the rest.
"""

import copyreg
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from keryx.core.codec import Registry
from keryx.core.dtypes import DTypePolicy, standardize_dtype
from keryx.core.graph import Op, lift, symbols_in
from keryx.errors import ConfigError, did_you_mean
from keryx.ops import control, convolution, core, creation, ctc, image, linalg, math, nn, numpy, patterns

_HOMES = {"numpy": jnp, "numpy.linalg": jnp.linalg, "numpy.fft": jnp.fft}
_MODULES = (convolution, core, creation, ctc, image, linalg, math, nn, numpy, patterns)

# Arguments of these names are tensors; all others are options.
_TENSORS = frozenset(
    """a abs_ angle array b beta bias bins choicelist condition condlist constant_values coordinates data default
    depthwise_kernel end_points fill_value gamma image1 image2 images indices inputs kernel key mask mean offset
    operands output output_length pointwise_kernel pred predictions q query scale segment_ids sequence_lengths
    sorted_sequence start start_indices start_points step stop target target_length targets transform translation
    updates value values variable variance weights x x1 x2 xs y true false""".split()  # noqa: SIM905
)
_OPTIONS_OF = {
    "bincount": {"weights"}, "diagonal": {"offset"}, "histogram": {"bins"}, "squareplus": {"b"},
    "trace": {"offset"}, "trapezoid": {"x"}, "unique": {"fill_value"},
    "affine_transform": {"fill_value"}, "elastic_transform": {"fill_value"}, "map_coordinates": {"fill_value"},
    "perspective_transform": {"fill_value"}, "resize": {"fill_value"},
}  # fmt: skip
_TENSORS_OF = {
    "isclose": {"rtol", "atol"}, "rearrange": {"tensor", "pattern", "axes_lengths"},
    "scale_and_translate": {"output_shape"},
}  # fmt: skip

# The classes that are not called as the function is, in camel case.
_CLASSES = {
    "allclose": "AllClose", "batch_normalization": "BatchNorm", "cdist": "CDist", "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss", "fft": "FFT", "fft2": "FFT2", "hsv_to_rgb": "HSVToRGB", "ifft2": "IFFT2", "irfft": "IRFFT",
    "isin": "IsIn", "istft": "ISTFT", "layer_normalization": "LayerNorm", "psnr": "PSNR", "rfft": "RFFT",
    "rgb_to_grayscale": "RGBToGrayscale", "rgb_to_hsv": "RGBToHSV", "rms_normalization": "RMSNorm",
    "searchsorted": "SearchSorted", "ssim": "SSIM", "stft": "STFT", "svd": "SVD",
}  # fmt: skip

MAX_SECTIONS = 10_000  # a graph holds a symbol for each


registry = Registry("op", "keras.ops")
registry.table.update(
    {name: op for module in _MODULES for name, op in vars(module).items() if hasattr(op, "__wrapped__")},
    cond=control._choose,
)


@functools.cache
def by_name(name: str) -> Callable:
    """The op that is recorded under this name; `numpy.sum` is the one with NumPy's arguments.

    Raises:
        ConfigError: Where there is none. No name leads to anything that is not in the table.

    >>> by_name("maximum")(1, 2).item(), by_name("numpy.linalg.norm")(jnp.ones(4)).item()
    (2, 2.0)
    """
    home, _, short = name.rpartition(".")
    if home in ("", *_HOMES) and short in registry.table:
        if not home:
            return registry.table[short]
        function = getattr(_HOMES[home], short, None)
        if function is not None:
            return lift(function, name)
    raise ConfigError(f"There is no op {name!r}.{did_you_mean(short, registry.table)}")


def _again(op_name: str, name: str) -> Op:
    op = object.__new__(Op)
    op.function, op.op_name, op.name = by_name(op_name), op_name, name
    return op


copyreg.pickle(Op, lambda op: (_again, (op.op_name, op.name)))


def class_name(name: str) -> str:
    """The class that Keras's configs name for an op.

    >>> class_name("get_item"), class_name("rfft"), class_name("numpy.clip")
    ('GetItem', 'RFFT', 'numpy.clip')
    """
    by_name(name)
    if "." in name:
        return name
    return _CLASSES.get(name) or "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def module_name(name: str) -> str:
    """The module in which Keras finds the class of an op.

    >>> module_name("sum"), module_name("resize")
    ('keras.src.ops', 'keras.src.ops.image')
    """
    return "keras.src.ops.image" if hasattr(image, name) else "keras.src.ops"


@functools.cache
def _names_of_classes() -> dict[str, str]:
    return {class_name(name): name for name in registry.table}


def write_call(name: str, args: tuple, kwargs: dict[str, Any]) -> tuple[str, dict[str, Any], tuple, dict[str, Any]]:
    """A call of an op as Keras writes it: the name of the class, the options, and the arguments of the call.

    >>> write_call("sum", ("x", 1), {})
    ('Sum', {'axis': 1, 'keepdims': False}, ('x',), {})
    """
    name, args, kwargs = in_own_words(name, args, kwargs)
    if "." in name:
        return name, {}, args, kwargs
    bound = inspect.signature(by_name(name)).bind(*args, **kwargs)
    options: dict[str, Any] = {}
    tensors: list[Any] = []
    named: dict[str, Any] = {}
    bound.apply_defaults()  # some classes want the tensors that may be None, too
    for parameter in bound.signature.parameters.values():
        value = bound.arguments[parameter.name]
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= value
        elif parameter.kind is parameter.VAR_POSITIONAL:
            tensors += value
        elif _is_tensor(name, parameter.name):
            tensors.append(value)
        else:
            (named if symbols_in(value) else options)[parameter.name] = _option(parameter.name, value)
    return class_name(name), options, tuple(tensors), named


def read_call(written: str, options: dict[str, Any]) -> Callable:
    """The op of a class of Keras's with these options, as a function of the tensors.

    Raises:
        ConfigError: For a class that is no op, and options that the op does not have, unless they are off.

    >>> read_call("Sum", {"axis": 1, "keepdims": True})(jnp.ones((2, 3))).shape
    (2, 1)
    """
    name = written if "." in written else _names_of_classes().get(written, written)
    op = by_name(name)
    if "." in name:
        return functools.partial(op, **options)
    parameters = inspect.signature(op).parameters.values()
    kinds = {p.name: p.kind for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    for word, value in options.items():
        if word not in kinds and value:
            raise ConfigError(f"The op {name!r} has no option {word!r}.{did_you_mean(word, kinds)}")
    options = {word: _option(word, _as_tuples(value)) for word, value in options.items() if word in kinds}
    for word in ("indices_or_sections", "num"):
        if isinstance(options.get(word), int) and options[word] > MAX_SECTIONS:
            raise ConfigError(f"The op {name!r} makes at most {MAX_SECTIONS:,} tensors; got {options[word]:,}.")

    def call(*tensors, **named):
        waiting, positional, rest = list(tensors), [], dict(options | named)
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += waiting
                waiting = []
            elif parameter.kind is parameter.KEYWORD_ONLY:
                break
            elif parameter.name in rest:
                positional.append(rest.pop(parameter.name))
            elif waiting and _is_tensor(name, parameter.name):
                positional.append(waiting.pop(0))
            else:
                break
        return op(*positional, *waiting, **rest)

    return call


def _is_tensor(op_name: str, argument: str) -> bool:
    if argument in _OPTIONS_OF.get(op_name, ()):
        return False
    return argument in _TENSORS or argument in _TENSORS_OF.get(op_name, ())


def _option(name: str, value: Any) -> Any:
    if name != "dtype" or value is None:
        return value
    return value.compute_dtype if isinstance(value, DTypePolicy) else standardize_dtype(value)


def _as_tuples(value: Any) -> Any:
    """JSON knows no tuples, and every option takes one where it takes a list."""
    return tuple(_as_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


def in_own_words(name: str, args: tuple, kwargs: dict[str, Any]) -> tuple[str, tuple, dict[str, Any]]:
    """A call of a function of NumPy's as one of the op of that name, where that has all the given arguments."""
    home, _, short = name.rpartition(".")
    if not home or short not in registry.table:
        return name, args, kwargs
    theirs = inspect.signature(getattr(_HOMES[home], short))
    own = list(inspect.signature(registry.table[short]).parameters.values())
    bound = theirs.bind(*args, **kwargs).arguments
    words: dict[str, Any] = {}
    for i, (word, parameter) in enumerate(theirs.parameters.items()):
        if word not in bound:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL and list(bound) == [word]:  # JAX's ufuncs take *args
            return short, args, {}
        same = i < len(own) and (own[i].default is own[i].empty or _is_tensor(short, own[i].name))
        target = own[i].name if same else word
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or target not in (p.name for p in own):
            return name, args, kwargs
        words[target] = bound[word]
    return short, (), words
