"""A model as TensorFlow's SavedModel, where TensorFlow is installed."""

import os
from typing import Any

import jax

from keryx.core import scope
from keryx.core.lending import reading
from keryx.errors import ExportError
from keryx.layers import Layer


def to_saved_model(
    model: Any,
    filepath: str | os.PathLike,
    inputs: Any,
    is_static: bool | None = None,
    jax2tf_kwargs: dict[str, Any] | None = None,
) -> None:
    """Write a model as a SavedModel with the function `serve`, by jax2tf.

    Args:
        model: The model.
        filepath: The folder.
        inputs: Its inputs, a nest of symbols.
        is_static: As in Keras; an exported function only reads.
        jax2tf_kwargs: More arguments of `jax2tf.convert`.

    Raises:
        ExportError: Where TensorFlow, or JAX's way to it, is not installed.
    """
    try:
        import tensorflow as tf
        from jax.experimental import jax2tf
    except ImportError as error:
        raise ExportError(
            f"The format 'tf_saved_model' is written by TensorFlow, which is not installed ({error}). Export to "
            "format='onnx' (pip install 'keryx[onnx]') or format='stablehlo', which need no TensorFlow; or pip install "
            "tensorflow."
        ) from None
    variables = model.variables
    with reading(variables) as values:
        module = tf.Module()
        module.weights = [tf.Variable(value) for value in jax.tree.map(jax.device_get, values)]
    key = jax.random.key_data(jax.random.key(0))
    symbols, nest = jax.tree.flatten(inputs)

    def run(values: Any, *arrays: Any) -> Any:
        pure = scope.pure(lambda x: Layer.__call__(model, x), variables)
        return pure(values, key, jax.tree.unflatten(nest, list(arrays)))[0]

    names = [
        ["batch" if i == 0 else f"size_{i}" if n is None else str(n) for i, n in enumerate(s.shape)] for s in symbols
    ]
    shapes = [None, *(f"({', '.join(sizes)})" for sizes in names)]
    options = {"polymorphic_shapes": shapes, "with_gradient": False} | (jax2tf_kwargs or {})
    converted = jax2tf.convert(run, **options)
    specs = jax.tree.unflatten(nest, [tf.TensorSpec(s.shape, s.dtype, s.name) for s in symbols])
    # As in Keras, the function takes the nest of inputs as its one argument.
    module.serve = tf.function(lambda x: converted(module.weights, *jax.tree.leaves(x)), [specs], autograph=False)
    tf.saved_model.save(
        module, os.fspath(filepath), signatures={"serve": module.serve, "serving_default": module.serve}
    )
