"""Optimizers: Keras's names, arguments and numbers over Optax transformations."""

from typing import Any

import optax

from keryx import lazy
from keryx.core import codec
from keryx.errors import ConfigError
from keryx.optimizers import rules as rules
from keryx.optimizers import schedules as schedules
from keryx.optimizers.adam import Adam as Adam
from keryx.optimizers.adam import Adamax as Adamax
from keryx.optimizers.adam import AdamW as AdamW
from keryx.optimizers.adam import Lamb as Lamb
from keryx.optimizers.adam import Nadam as Nadam
from keryx.optimizers.adaptive import Adadelta as Adadelta
from keryx.optimizers.adaptive import Adagrad as Adagrad
from keryx.optimizers.adaptive import RMSprop as RMSprop
from keryx.optimizers.base import Optimizer as Optimizer
from keryx.optimizers.base import registry
from keryx.optimizers.loss_scaling import LossScaleOptimizer as LossScaleOptimizer
from keryx.optimizers.sgd import SGD as SGD
from keryx.optimizers.sgd import Ftrl as Ftrl
from keryx.optimizers.sgd import Lion as Lion
from keryx.optimizers.wrapping import OptaxOptimizer as OptaxOptimizer


def get(identifier: Any) -> Optimizer | None:
    """The optimizer of a name in any case, a config, a class, an Optax transformation, or the thing itself.

    >>> get("rmsprop").rho
    0.9
    >>> type(get(optax.sgd(0.1))).__name__
    'OptaxOptimizer'
    """
    if isinstance(identifier, optax.GradientTransformation):
        return OptaxOptimizer(identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str) and registry.known(identifier.lower()):
        identifier = identifier.lower()
    found = registry.get(identifier)
    if found is not None and not isinstance(found, Optimizer):
        raise ConfigError(f"Wanted an optimizer as a name, a config or an object; got {identifier!r}.")
    return found


def scaling(optimizer: Optimizer) -> Optimizer:
    """The optimizer so that it scales the loss: as it is where it does already, else in a LossScaleOptimizer."""
    scales = isinstance(optimizer, LossScaleOptimizer) or optimizer.loss_scale_factor is not None
    return optimizer if scales else LossScaleOptimizer(optimizer)


def serialize(optimizer: Optimizer) -> Any:
    """The optimizer as plain data."""
    return codec.serialize(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """The optimizer that `serialize` wrote down, or one that Keras wrote.

    >>> deserialize({"class_name": "Adam", "config": {"learning_rate": 0.5}}).get_config()["learning_rate"]
    0.5
    """
    name = config.get("class_name")
    if isinstance(name, str):  # Keras 2 wrote 'Custom>Adam' for its own
        name = name.removeprefix("Custom>")
        config = {**config, "class_name": name.lower() if registry.known(name.lower()) else name}
    return codec.deserialize(config, registry, custom_objects)


# What most programs do without, by module.
_LATER = {
    "keryx.optimizers.adafactor": "Adafactor",
    "keryx.optimizers.multi_optimizer": "MultiOptimizer OptimizerMap",
    "keryx.optimizers.muon": "Muon",
    "keryx.optimizers.schedule_free_adamw": "ScheduleFreeAdamW",
}
registry.homes.update({alias: home for name, home in lazy.home_of(_LATER).items() for alias in (name, name.lower())})
__getattr__, __dir__ = lazy.exports(__name__, _LATER | {"keryx.optimizers.legacy": ""})
