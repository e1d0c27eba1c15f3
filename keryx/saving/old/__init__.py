"""Files of older Keras: whole models in HDF5, weights of every age, configs in the words of their time."""

from keryx.saving.old.translate import to_today as to_today
