"""Functions of TensorFlow in the graphs of tf.keras 2 as the ops that a graph here knows.

TensorFlow 2.4 and later wrote a function's public name and its arguments (TFOpLambda, SlicingOpLambda), earlier ones
the node of TensorFlow's own graph with its constants (TensorFlowOpLayer). Nothing is looked up in TensorFlow.
"""

from typing import Any

from keryx.ops import names as ops
from keryx.saving.old import tf_functions, tf_nodes

CLASSES = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")


def as_op(layer: dict[str, Any]) -> dict[str, Any]:
    """An entry of a graph that is a function of TensorFlow's, as an op; its calls are rewritten once they are known.

    Raises:
        ConfigError: For a function that has no row, by its name and the layer's.
    """
    config = layer["config"]
    name = layer.get("name") or config.get("name")
    if layer["class_name"] == "TensorFlowOpLayer":
        op, rewrite = tf_nodes.of_node(name, config)
    else:
        function = config.get("function")
        function = function if isinstance(function, str) else str(function)
        sliced = layer["class_name"] == "SlicingOpLambda" or function == "__operators__.getitem"
        op, rewrite = ("get_item", tf_functions.of_slice) if sliced else tf_functions.of_function(name, function)
    made = {"module": "keras.src.ops", "class_name": ops.class_name(op), "config": {"name": name}, "name": name}
    return made | {"inbound_nodes": layer["inbound_nodes"], "as_written": True, "rewrite": rewrite}
