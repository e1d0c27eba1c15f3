"""What configs may name, by Keras's names; saving and loading files comes later."""

from keryx.core.serialization import custom_object_scope as custom_object_scope
from keryx.core.serialization import deserialize as deserialize_keras_object
from keryx.core.serialization import get_custom_objects as get_custom_objects
from keryx.core.serialization import get_registered_name as get_registered_name
from keryx.core.serialization import get_registered_object as get_registered_object
from keryx.core.serialization import register_keras_serializable as register_keras_serializable
from keryx.core.serialization import serialize as serialize_keras_object

CustomObjectScope = custom_object_scope
__all__ = ["deserialize_keras_object", "serialize_keras_object"]
