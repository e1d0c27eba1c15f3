"""Knowledge of a large model for a small one, by Keras's names."""

from keryx.distillation.distiller import Distiller as Distiller
from keryx.distillation.losses import DistillationLoss as DistillationLoss
from keryx.distillation.losses import FeatureDistillation as FeatureDistillation
from keryx.distillation.losses import LogitsDistillation as LogitsDistillation
