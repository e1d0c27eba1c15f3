"""Help around models: labels, sequences, data sets, seeds, and the names of things in configs."""

from keryx import lazy
from keryx.core.codec import Registry
from keryx.core.dtypes import standardize_dtype as standardize_dtype
from keryx.core.registered import custom_object_scope as custom_object_scope
from keryx.core.registered import get_custom_objects as get_custom_objects
from keryx.core.registered import get_registered_name as get_registered_name
from keryx.core.registered import get_registered_object as get_registered_object
from keryx.core.registered import register_keras_serializable as register_keras_serializable
from keryx.saving import deserialize_keras_object as deserialize_keras_object
from keryx.saving import serialize_keras_object as serialize_keras_object
from keryx.switches import disable_interactive_logging as disable_interactive_logging
from keryx.switches import enable_interactive_logging as enable_interactive_logging
from keryx.switches import is_interactive_logging_enabled as is_interactive_logging_enabled
from keryx.utils.arrays import normalize as normalize
from keryx.utils.arrays import pad_sequences as pad_sequences
from keryx.utils.arrays import to_categorical as to_categorical
from keryx.utils.data import PyDataset as PyDataset
from keryx.utils.data import Sequence as Sequence
from keryx.utils.data import pack_x_y_sample_weight as pack_x_y_sample_weight
from keryx.utils.data import split_dataset as split_dataset
from keryx.utils.data import timeseries_dataset_from_array as timeseries_dataset_from_array
from keryx.utils.data import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from keryx.utils.session import clear_session as clear_session
from keryx.utils.session import get_source_inputs as get_source_inputs
from keryx.utils.session import is_keras_tensor as is_keras_tensor
from keryx.utils.session import set_random_seed as set_random_seed

CustomObjectScope = custom_object_scope

# What configs name of FeatureSpace.
_parts = {"keryx.utils.feature_space": "FeatureSpace", "keryx.utils.features": "Feature Cross TFDIdentity"}
Registry("utility", "keras.utils").homes.update(lazy.home_of(_parts))
__getattr__, __dir__ = lazy.exports(
    __name__,
    {
        "keryx.utils.bounding_boxes": "",
        "keryx.utils.files.datasets": "audio_dataset_from_directory image_dataset_from_directory "
        "text_dataset_from_directory",
        "keryx.utils.files.download": "get_file",
        "keryx.utils.feature_space": "FeatureSpace",
        "keryx.utils.files.images": "array_to_img img_to_array load_img save_img smart_resize",
        "keryx.utils.legacy": "",
        "keryx.utils.named_values": "Config",
        "keryx.utils.progbar": "Progbar",
        "keryx.visualization.model.plotting": "model_to_dot plot_model",
    },
)
