"""What training lowers: each loss as a function of (y_true, y_pred) and as a class."""

from typing import Any

from keryx.core.codec import serialize as _serialize
from keryx.losses.base import Loss as Loss
from keryx.losses.base import LossFunctionWrapper as LossFunctionWrapper
from keryx.losses.base import registry
from keryx.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from keryx.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from keryx.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from keryx.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from keryx.losses.hinge import CategoricalHinge as CategoricalHinge
from keryx.losses.hinge import Hinge as Hinge
from keryx.losses.hinge import SquaredHinge as SquaredHinge
from keryx.losses.hinge import categorical_hinge as categorical_hinge
from keryx.losses.hinge import hinge as hinge
from keryx.losses.hinge import squared_hinge as squared_hinge
from keryx.losses.probabilistic import BinaryCrossentropy as BinaryCrossentropy
from keryx.losses.probabilistic import CategoricalCrossentropy as CategoricalCrossentropy
from keryx.losses.probabilistic import (
    CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy,
)
from keryx.losses.probabilistic import KLDivergence as KLDivergence
from keryx.losses.probabilistic import Poisson as Poisson
from keryx.losses.probabilistic import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from keryx.losses.probabilistic import binary_crossentropy as binary_crossentropy
from keryx.losses.probabilistic import categorical_crossentropy as categorical_crossentropy
from keryx.losses.probabilistic import (
    categorical_generalized_cross_entropy as categorical_generalized_cross_entropy,
)
from keryx.losses.probabilistic import kl_divergence as kl_divergence
from keryx.losses.probabilistic import poisson as poisson
from keryx.losses.probabilistic import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from keryx.losses.regression import CosineSimilarity as CosineSimilarity
from keryx.losses.regression import Huber as Huber
from keryx.losses.regression import LogCosh as LogCosh
from keryx.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from keryx.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from keryx.losses.regression import MeanSquaredError as MeanSquaredError
from keryx.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from keryx.losses.regression import cosine_similarity as cosine_similarity
from keryx.losses.regression import huber as huber
from keryx.losses.regression import log_cosh as log_cosh
from keryx.losses.regression import mean_absolute_error as mean_absolute_error
from keryx.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from keryx.losses.regression import mean_squared_error as mean_squared_error
from keryx.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from keryx.losses.segmentation import Dice as Dice
from keryx.losses.segmentation import Tversky as Tversky
from keryx.losses.segmentation import dice as dice
from keryx.losses.segmentation import tversky as tversky
from keryx.losses.similarity import CTC as CTC
from keryx.losses.similarity import Circle as Circle
from keryx.losses.similarity import circle as circle
from keryx.losses.similarity import ctc as ctc

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence


def get(identifier: Any) -> Any:
    """The function or Loss that a name, a config, a class or a callable stands for; None stays None.

    >>> get("mse") is mean_squared_error
    True
    >>> get("Huber").delta
    1.0
    """
    return registry.get(identifier)


def serialize(loss: Any) -> Any:
    """The loss as plain data."""
    return _serialize(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that `serialize` wrote down."""
    return registry.get(name, custom_objects)
