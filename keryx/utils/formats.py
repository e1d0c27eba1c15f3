"""Our data sets as those of other libraries."""

from typing import Any

import numpy as np

from keryx.errors import ArgumentError, ConfigError


def in_format(data: Any, format: str | None) -> Any:
    """A data set as the other library's whose name is `format`; each element of that is a batch.

    Args:
        data: The data set, which goes on doing the work.
        format: None or `keryx` for itself, `tf` for a `tf.data.Dataset`, `grain` for a `grain.IterDataset`.
    """
    if format in (None, "keryx"):
        return data
    if format == "grain":
        try:
            import grain
        except ImportError:
            raise ConfigError("format='grain' wants Grain: pip install grain. Without it take format=None.") from None
        other = grain.MapDataset.source(data).to_iter_dataset()
    elif format == "tf":
        try:
            import tensorflow as tf
        except ImportError:
            raise ConfigError(
                "format='tf' wants TensorFlow: pip install tensorflow. format=None gives a data set that needs none."
            ) from None
        signature = tf.nest.map_structure(_signature, data[0])
        other = tf.data.Dataset.from_generator(lambda: iter(data), output_signature=signature)
        other = other.apply(tf.data.experimental.assert_cardinality(len(data))).prefetch(tf.data.AUTOTUNE)
    else:
        raise ArgumentError(f"format is None, 'tf' or 'grain'; got {format!r}.")
    for name in ("class_names", "file_paths"):
        if hasattr(data, name):
            setattr(other, name, getattr(data, name))
    return other


def _signature(array: Any) -> Any:
    import tensorflow as tf

    array = np.asarray(array)
    dtype = tf.string if array.dtype.kind in "OU" else array.dtype
    return tf.TensorSpec((None, *array.shape[1:]) if array.ndim else (), dtype)
