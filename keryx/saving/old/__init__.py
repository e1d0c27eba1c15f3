"""Files of older Keras: whole models in HDF5, weights of every age, configs in the words of their time."""

from keryx.saving.old.tf_keras import todays_values as todays_values
from keryx.saving.old.translate import is_today as is_today
from keryx.saving.old.translate import to_today as to_today
