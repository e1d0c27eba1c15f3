"""What is measured beside the loss: each metric as a class, and where it is one, as a function."""

from typing import Any

from keryx.core import codec
from keryx.losses import binary_crossentropy as binary_crossentropy
from keryx.losses import binary_focal_crossentropy as binary_focal_crossentropy
from keryx.losses import categorical_crossentropy as categorical_crossentropy
from keryx.losses import categorical_focal_crossentropy as categorical_focal_crossentropy
from keryx.losses import categorical_hinge as categorical_hinge
from keryx.losses import hinge as hinge
from keryx.losses import huber as huber
from keryx.losses import kl_divergence as kl_divergence
from keryx.losses import log_cosh as log_cosh
from keryx.losses import mean_absolute_error as mean_absolute_error
from keryx.losses import mean_absolute_percentage_error as mean_absolute_percentage_error
from keryx.losses import mean_squared_error as mean_squared_error
from keryx.losses import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from keryx.losses import poisson as poisson
from keryx.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from keryx.losses import squared_hinge as squared_hinge
from keryx.metrics.accuracy import Accuracy as Accuracy
from keryx.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from keryx.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from keryx.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from keryx.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from keryx.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from keryx.metrics.accuracy import accuracy as accuracy
from keryx.metrics.accuracy import binary_accuracy as binary_accuracy
from keryx.metrics.accuracy import categorical_accuracy as categorical_accuracy
from keryx.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from keryx.metrics.accuracy import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from keryx.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from keryx.metrics.base import Mean as Mean
from keryx.metrics.base import MeanMetricWrapper as MeanMetricWrapper
from keryx.metrics.base import Metric as Metric
from keryx.metrics.base import Sum as Sum
from keryx.metrics.base import registry
from keryx.metrics.confusion import FalseNegatives as FalseNegatives
from keryx.metrics.confusion import FalsePositives as FalsePositives
from keryx.metrics.confusion import Precision as Precision
from keryx.metrics.confusion import PrecisionAtRecall as PrecisionAtRecall
from keryx.metrics.confusion import Recall as Recall
from keryx.metrics.confusion import RecallAtPrecision as RecallAtPrecision
from keryx.metrics.confusion import SensitivityAtSpecificity as SensitivityAtSpecificity
from keryx.metrics.confusion import SpecificityAtSensitivity as SpecificityAtSensitivity
from keryx.metrics.confusion import TrueNegatives as TrueNegatives
from keryx.metrics.confusion import TruePositives as TruePositives
from keryx.metrics.curves import AUC as AUC
from keryx.metrics.iou import BinaryIoU as BinaryIoU
from keryx.metrics.iou import IoU as IoU
from keryx.metrics.iou import MeanIoU as MeanIoU
from keryx.metrics.iou import OneHotIoU as OneHotIoU
from keryx.metrics.iou import OneHotMeanIoU as OneHotMeanIoU
from keryx.metrics.losses import BinaryCrossentropy as BinaryCrossentropy
from keryx.metrics.losses import CategoricalCrossentropy as CategoricalCrossentropy
from keryx.metrics.losses import CategoricalHinge as CategoricalHinge
from keryx.metrics.losses import CosineSimilarity as CosineSimilarity
from keryx.metrics.losses import Hinge as Hinge
from keryx.metrics.losses import KLDivergence as KLDivergence
from keryx.metrics.losses import LogCoshError as LogCoshError
from keryx.metrics.losses import MeanAbsoluteError as MeanAbsoluteError
from keryx.metrics.losses import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from keryx.metrics.losses import MeanSquaredError as MeanSquaredError
from keryx.metrics.losses import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from keryx.metrics.losses import Poisson as Poisson
from keryx.metrics.losses import RootMeanSquaredError as RootMeanSquaredError
from keryx.metrics.losses import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from keryx.metrics.losses import SquaredHinge as SquaredHinge
from keryx.metrics.losses import cosine_similarity as cosine_similarity
from keryx.metrics.scores import ConcordanceCorrelation as ConcordanceCorrelation
from keryx.metrics.scores import F1Score as F1Score
from keryx.metrics.scores import FBetaScore as FBetaScore
from keryx.metrics.scores import PearsonCorrelation as PearsonCorrelation
from keryx.metrics.scores import R2Score as R2Score
from keryx.metrics.scores import concordance_correlation as concordance_correlation
from keryx.metrics.scores import pearson_correlation as pearson_correlation

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence


_class_of: dict[Any, type[Metric]] = {
    function: registry.table[name]
    for name, function in (
        ("Accuracy", accuracy),
        ("BinaryAccuracy", binary_accuracy),
        ("BinaryCrossentropy", binary_crossentropy),
        ("CategoricalAccuracy", categorical_accuracy),
        ("CategoricalCrossentropy", categorical_crossentropy),
        ("CategoricalHinge", categorical_hinge),
        ("ConcordanceCorrelation", concordance_correlation),
        ("CosineSimilarity", cosine_similarity),
        ("Hinge", hinge),
        ("KLDivergence", kl_divergence),
        ("LogCoshError", log_cosh),
        ("MeanAbsoluteError", mean_absolute_error),
        ("MeanAbsolutePercentageError", mean_absolute_percentage_error),
        ("MeanSquaredError", mean_squared_error),
        ("MeanSquaredLogarithmicError", mean_squared_logarithmic_error),
        ("PearsonCorrelation", pearson_correlation),
        ("Poisson", poisson),
        ("SparseCategoricalAccuracy", sparse_categorical_accuracy),
        ("SparseCategoricalCrossentropy", sparse_categorical_crossentropy),
        ("SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy),
        ("SquaredHinge", squared_hinge),
        ("TopKCategoricalAccuracy", top_k_categorical_accuracy),
    )
}


def get(identifier: Any) -> Any:
    """The Metric or function that a name, a config, a class or a callable stands for; None stays None.

    A name that a class and a function share stands for a new Metric.

    >>> get("mse")
    <MeanSquaredError name=mean_squared_error>
    >>> get("AUC").curve
    'ROC'
    """
    found = registry.get(identifier)
    return _class_of[found]() if isinstance(identifier, str) and found in _class_of else found


def serialize(metric: Any) -> Any:
    """The metric as plain data."""
    return codec.serialize(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric that `serialize` wrote down."""
    return registry.get(config, custom_objects)
