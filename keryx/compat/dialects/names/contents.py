"""The names of the modules of Keras 1 and 2: a function for each module, given the age."""

import functools
from typing import Any

import numpy as np

from keryx import activations as todays_activations
from keryx import constraints as todays_constraints
from keryx import initializers as todays_initializers
from keryx import layers as todays_layers
from keryx import models as todays_models
from keryx import regularizers as todays_regularizers
from keryx.compat.dialects import backend as old_backend
from keryx.compat.dialects.layers import dropped as old_layers
from keryx.compat.dialects.layers import merging
from keryx.compat.dialects.modules import gone
from keryx.compat.dialects.patches import begin_with, by_keryx
from keryx.compat.dialects.training import callbacks as old_callbacks
from keryx.compat.dialects.training import files
from keryx.compat.dialects.training import metrics as old_metrics
from keryx.compat.dialects.training import optimizers as old_optimizers
from keryx.compat.dialects.words import values
from keryx.compat.dialects.words.calls import arguments
from keryx.core.codec import Registry
from keryx.layers import InputSpec, Layer


def layers(age: int) -> dict[str, Any]:
    """Layers that are no more, and those whose name took other arguments than today's class."""
    kept = ("LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU")
    more = ("MaxoutDense", "Highway", "ParametricSoftplus", "SReLU")
    found = {name: getattr(old_layers, name) for name in (*kept, *more)}
    found |= {"_Merge": old_layers._Merge} if age == 2 else {}
    found |= {
        name: _renamed(age, name, getattr(todays_layers, cls))
        for name, cls in {
            "AtrousConvolution1D": "Conv1D",
            "AtrousConv1D": "Conv1D",
            "AtrousConvolution2D": "Conv2D",
            "AtrousConv2D": "Conv2D",
            "CuDNNGRU": "GRU",
            "CuDNNLSTM": "LSTM",
            "Deconvolution2D": "Conv2DTranspose",
            "Deconv2D": "Conv2DTranspose",
            "Deconvolution3D": "Conv3DTranspose",
            "Deconv3D": "Conv3DTranspose",
        }.items()
    }
    found |= {"TimeDistributedDense": functools.partial(time_distributed_dense, age)}
    found |= {"merge": merging.merge, "Merge": merging.Merge, "Recurrent": todays_layers.RNN}
    return found


_SIGNATURE_OF = {
    "AtrousConv1D": "AtrousConvolution1D",
    "AtrousConv2D": "AtrousConvolution2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "Deconv3D": "Conv3DTranspose",
}


def _renamed(age: int, name: str, cls: type) -> Any:
    """A class that had a name and an order of arguments of its own, as a function that makes today's."""

    def make(*args: Any, **kwargs: Any) -> Any:
        given = arguments(age, _SIGNATURE_OF.get(name, name), cls, args, kwargs)
        weights = given.pop("weights", None)
        layer = cls(**given)
        if weights is not None:
            begin_with(layer, weights)
        return layer

    make.__name__, make.__doc__ = name, f"A `keryx.layers.{cls.__name__}`, made in the words of its age."
    return make


def time_distributed_dense(age: int, *args: Any, **kwargs: Any) -> Any:
    """A Dense, which treats every step by itself; with `input_dim` alone it takes series of any length."""
    if "input_dim" in kwargs and "input_length" not in kwargs:
        kwargs["input_shape"] = (None, kwargs.pop("input_dim"))
    return _renamed(age, "TimeDistributedDense", todays_layers.Dense)(*args, **kwargs)


def models(age: int) -> dict[str, Any]:
    """What models were made with."""
    graph = gone(
        "keras.models.Graph", "it went with Keras 1.0. Call layers on Input(...), and close Model(inputs, outputs)"
    )
    found = {word: engine(age)[word] for word in ("Input", "InputLayer", "Layer", "Merge", "get_source_inputs")}
    made = {"model_from_config": todays_layers.deserialize, "model_from_yaml": files.model_from_yaml, "Graph": graph}
    return found | made


def engine(age: int) -> dict[str, Any]:
    """The classes that everything was made of."""
    from keryx.utils import get_source_inputs

    model = todays_models.Model
    return {
        "Container": model,
        "Input": todays_layers.Input,
        "InputLayer": todays_layers.InputLayer,
        "InputSpec": InputSpec,
        "Layer": Layer,
        "Merge": merging.Merge,
        "Model": model,
        "Network": model,
        "Sequential": todays_models.Sequential,
        "get_source_inputs": get_source_inputs,
        "merge": merging.merge,
    }


def optimizers(age: int) -> dict[str, Any]:
    """Those with rules of their own, and the names in small letters."""
    from keryx import optimizers as today

    names = {
        name: old_optimizers.NAMES.get(name) or getattr(today, name)
        for name in values.DEFAULTS[age]
        if hasattr(today, name)
    }
    return dict(old_optimizers.NAMES) | {name.lower(): cls for name, cls in names.items()} | {
        "get": functools.partial(_optimizer, age),
        "TFOptimizer": gone("TFOptimizer", "use one of keras.optimizers, or an optimizer of Optax"),
    }  # fmt: skip


def _optimizer(age: int, identifier: Any) -> Any:
    from keryx import optimizers as today

    return old_optimizers.named(age, identifier) if isinstance(identifier, str) else today.get(identifier)


def losses(age: int) -> dict[str, Any]:
    """The functions, which symbols may be given to as well."""
    return old_metrics.names(age, "losses")


def metrics(age: int) -> dict[str, Any]:
    """The functions, which symbols may be given to as well."""
    return old_metrics.names(age, "metrics")


def _by_every_name(registry: Registry) -> dict[str, Any]:
    return {name: thing for name, thing in registry.table.items() if name.isidentifier()}


def regularizers(age: int) -> dict[str, Any]:
    """The functions in small letters, and the classes of Keras 1."""
    both = todays_regularizers.L1L2
    found = {"l1": todays_regularizers.L1, "l2": todays_regularizers.L2, "l1_l2": _l1_l2}
    if age == 1:
        found |= {"l1l2": _l1_l2, "activity_l1": found["l1"], "activity_l2": found["l2"], "activity_l1l2": _l1_l2}
        found |= dict.fromkeys(("WeightRegularizer", "ActivityRegularizer", "L1L2Regularizer"), both)
        found["EigenvalueRegularizer"] = gone("EigenvalueRegularizer", "write a function of the weight")
    return found


def _l1_l2(l1: float = 0.01, l2: float = 0.01) -> Any:
    """`L1L2`, with 0.01 for both."""
    return todays_regularizers.L1L2(l1=l1, l2=l2)


def constraints(age: int) -> dict[str, Any]:
    """The names in small letters."""
    found = todays_constraints
    names = {"maxnorm": found.MaxNorm, "nonneg": found.NonNeg, "unitnorm": found.UnitNorm}
    return names | {
        "max_norm": found.MaxNorm,
        "non_neg": found.NonNeg,
        "unit_norm": found.UnitNorm,
        "min_max_norm": found.MinMaxNorm,
    }


def initializers(age: int) -> dict[str, Any]:
    """In Keras 1 functions of a shape, in Keras 2 the names in small letters."""
    table = _by_every_name(todays_initializers.registry)
    if age == 2:
        return {name: thing for name, thing in table.items() if name.islower()}
    names = ("uniform", "normal", "zero", "one", "identity", "orthogonal", "lecun_uniform")
    names += ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform")
    return {name: Distribution(name) for name in names} | {"get": _distribution}


class Distribution(todays_initializers.Initializer):
    """A function of Keras 1 that makes a variable, `(shape, scale, name)`; to layers it is today's initializer.

    Args:
        distribution: Its name.

    >>> Distribution("zero").of_today
    Zeros()
    """

    def __init__(self, distribution: str):
        self.distribution = self.__name__ = distribution
        self.of_today = todays_initializers.get(values.initializer(1, distribution))

    def __call__(self, shape: Any, *args: Any, **kwargs: Any) -> Any:
        """The variable; today's values where Keryx asks for them."""
        if by_keryx(1):
            return self.of_today(shape, *args, **kwargs)
        return _of_shape(self.distribution, shape, *args, **kwargs)


def _distribution(identifier: Any, **kwargs: Any) -> Any:
    found = initializers(1)
    return found[identifier] if isinstance(identifier, str) and identifier in found else identifier


def _of_shape(distribution: str, shape: Any, scale: float | None = None, name: str | None = None, **_: Any) -> Any:
    """A variable of this shape, by an initial distribution of Keras 1."""
    given = {} if scale is None else _SCALES[distribution](scale)
    made = values.initializer(1, distribution)
    made = todays_initializers.get(made) if not given else type(todays_initializers.get(distribution))(**given)
    return old_backend.NAMES["variable"](np.asarray(made(tuple(shape))), name=name)


_SCALES = {
    "uniform": lambda scale: {"minval": -scale, "maxval": scale},
    "normal": lambda scale: {"stddev": scale},
    "identity": lambda scale: {"gain": scale},
    "orthogonal": lambda scale: {"gain": scale},
}


def activations(age: int) -> dict[str, Any]:
    """Those that were something else."""
    return {"hard_sigmoid": todays_activations.old_hard_sigmoid, "relu": old_backend.NAMES["relu"]}


def callbacks(age: int) -> dict[str, Any]:
    """Those that took other words."""
    from keryx.utils import Progbar

    return {
        "BaseLogger": old_callbacks.BaseLogger,
        "ModelCheckpoint": old_callbacks.ModelCheckpoint,
        "Progbar": Progbar,
    }


def backend(age: int) -> dict[str, Any]:
    """K."""
    return dict(old_backend.NAMES)
