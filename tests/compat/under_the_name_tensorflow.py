"""What holds in a program in which `tensorflow.keras` is Keryx: run as under_the_name_keras.py is."""

import numpy as np
import pytest
from under_the_name_keras import imported, main, refused

import keryx


def check_tensorflow_ways_to_import():
    import tensorflow as tf
    import tensorflow.keras as by_path
    from tensorflow import keras
    from tensorflow.keras import backend as K
    from tensorflow.keras.models import Sequential
    from tensorflow.python.keras.layers.core import Dense

    assert tf.keras is keras is by_path
    assert tf.keras.layers.Dense is keras.layers.Dense is Dense is keryx.layers.Dense
    assert Sequential is keryx.Sequential
    assert K.epsilon is keryx.backend.epsilon
    assert imported("from tensorflow.keras.layers import *")["Dense"] is Dense
    assert tf.keras.__version__ == keras.version()


def check_tensorflow_harmless_names():
    import tensorflow as tf

    assert tf.__version__.startswith("2.")
    assert tf.__version__ >= "2.0"
    assert tf.float32 == np.dtype("float32")
    assert tf.config.list_physical_devices("TPU") == []
    assert [device.platform for device in tf.config.list_physical_devices("CPU")][:1] == ["cpu"]
    tf.get_logger().setLevel("ERROR")
    for device in tf.config.experimental.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
    assert tf.test.is_gpu_available() == bool(tf.config.list_physical_devices("GPU"))
    assert tf.executing_eagerly()
    assert np.ones((2, 3))[..., tf.newaxis].shape == (2, 3, 1)
    assert {"config", "keras", "nn", "random", "float32"} < set(dir(tf))
    assert "experimental" in dir(tf.config)
    assert isinstance(keryx.ops.ones((2,)), tf.Tensor)
    assert isinstance(keryx.Input((2,)), tf.Tensor)
    assert isinstance(keryx.optimizers.SGD().learning_rate, tf.Variable)
    assert not isinstance(np.ones(2), (tf.Tensor, tf.Variable))
    np.random.seed(1)  # noqa: NPY002
    wanted = np.random.rand()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    tf.random.set_seed(3)
    assert np.random.rand() == wanted  # noqa: NPY002
    first = keryx.random.normal((2,))
    tf.random.set_seed(3)
    np.testing.assert_array_equal(first, keryx.random.normal((2,)))


def check_tensorflow_a_program_trains():
    import tensorflow as tf

    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((3,)),
            tf.keras.layers.Dense(4, activation=tf.nn.relu),
            tf.keras.layers.Dense(2, activation=tf.nn.softmax, dtype=tf.float32),
        ]
    )
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss=tf.keras.losses.SparseCategoricalCrossentropy())
    x, y = np.ones((8, 3)), np.zeros(8)
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.layers[0].get_config()["activation"] == "relu"


def check_tensorflow_keeps_words_of_keras_2():
    import tensorflow as tf
    from tensorflow.keras.preprocessing.text import Tokenizer

    tokenizer = Tokenizer(num_words=5)
    tokenizer.fit_on_texts(["a b a", "b c"])
    assert tokenizer.texts_to_sequences(["a c"]) == [[1, 3]]
    assert tf.keras.preprocessing.text.Tokenizer is Tokenizer
    K = tf.keras.backend
    assert float(K.mean(K.square(np.arange(3.0)))) == pytest.approx(5 / 3)
    import keras

    assert not hasattr(keras.backend, "mean")
    assert not hasattr(keras.preprocessing, "text")


def check_tensorflow_paths_of_years_ago():
    import tensorflow as tf
    from tensorflow.keras.layers.experimental import preprocessing
    from tensorflow.python.keras.engine.base_layer import Layer
    from tensorflow.python.keras.engine.training import Model
    from tensorflow.python.keras.preprocessing.image import ImageDataGenerator
    from tensorflow.python.keras.preprocessing.text import Tokenizer

    assert preprocessing.Rescaling is tf.keras.layers.experimental.preprocessing.Rescaling is keryx.layers.Rescaling
    assert tf.keras.layers.experimental.EinsumDense is keryx.layers.EinsumDense
    assert tf.keras.optimizers.experimental.AdamW is keryx.optimizers.AdamW
    assert tf.keras.experimental.CosineDecay is keryx.optimizers.schedules.CosineDecay
    assert (Layer, Model) == (keryx.Layer, keryx.Model)
    assert Tokenizer is tf.keras.preprocessing.text.Tokenizer
    assert ImageDataGenerator is tf.keras.preprocessing.image.ImageDataGenerator


def check_tensorflow_what_else_there_is_is_refused_by_its_name():
    import tensorflow as tf

    for name in ("GradientTape", "data", "function", "constant", "compat"):
        with pytest.raises(AttributeError, match=rf"tensorflow\.{name} is TensorFlow's own.*without --tensorflow"):
            getattr(tf, name)
    with pytest.raises(AttributeError, match=r"tensorflow\.Variable\(\) is TensorFlow's own"):
        tf.Variable(1.0)
    with pytest.raises(AttributeError, match=r"tensorflow\.random\.normal is TensorFlow's own"):
        tf.random.normal((2,))
    assert refused("import tensorflow.compat.v1 as tf").startswith("tensorflow.compat is TensorFlow's own")
    assert refused("from tensorflow.python.framework import ops").startswith("tensorflow.python.framework is")
    assert refused("from tensorflow.keras.layers import Dens") == "keras.layers has no 'Dens'. Did you mean 'Dense'?"


if __name__ == "__main__":
    main(globals())
