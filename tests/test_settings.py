"""What holds for a process or a layer: dtype policies, the switches of config, and names that stand around them."""

import json
import logging

import jax
import keras
import numpy as np
import pytest

import keryx
from keryx import dtype_policies, layers, mixed_precision, optimizers, saving, utils
from keryx.errors import ArgumentError, ConfigError, StateError
from tests.oracle import array


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    keryx.config.set_dtype_policy("float32")
    keryx.config.enable_interactive_logging()
    keryx.config.set_max_epochs(None)
    keryx.config.set_max_steps_per_epoch(None)


# -- dtype policies ------------------------------------------------------------------------------------------------


def test_policies_by_keras_names():
    assert dtype_policies.get("mixed_float16") == keryx.FloatDTypePolicy("mixed_float16")
    assert keryx.DTypePolicy("mixed_bfloat16").quantization_mode is None
    keryx.config.set_dtype_policy(keryx.DTypePolicy("mixed_bfloat16"))
    for policy in (keryx.config.dtype_policy(), mixed_precision.dtype_policy(), keryx.DTypePolicy()):
        assert (policy.name, policy.compute_dtype, policy.variable_dtype) == ("mixed_bfloat16", "bfloat16", "float32")
    mixed_precision.set_dtype_policy("float32")
    assert layers.Dense(1).dtype_policy.name == "float32"
    assert mixed_precision.LossScaleOptimizer is optimizers.LossScaleOptimizer
    assert mixed_precision.Policy is keryx.DTypePolicy


@pytest.mark.parametrize("name", ["DTypePolicy", "FloatDTypePolicy"])
def test_configs_of_policies_are_keras_configs(name):
    ours, theirs = (getattr(K.dtype_policies, name)("mixed_bfloat16") for K in (keryx, keras))
    plain = dtype_policies.serialize(ours)
    assert plain["config"] == keras.dtype_policies.serialize(theirs)["config"]
    assert keras.dtype_policies.deserialize(plain).name == "mixed_bfloat16"
    assert dtype_policies.deserialize(keras.dtype_policies.serialize(theirs)) == ours
    assert dtype_policies.get(plain) == ours


def test_a_map_gives_a_policy_for_each_path_as_in_keras():
    made = []
    for K in (keryx, keras):
        policies = K.dtype_policies.DTypePolicyMap("float32", {"encoder/.*": K.DTypePolicy("bfloat16")})
        policies["encoder/head"] = K.DTypePolicy("float16")
        paths = ("encoder/dense", "encoder/head", "encoder", "head")
        made.append([policies[path].name for path in paths])
        assert (policies.name, policies.compute_dtype, len(policies)) == ("map_float32", "float32", 2)
        assert "encoder/.*" in policies
        assert "encoder/dense" not in policies
        assert list(policies) == ["encoder/.*", "encoder/head"]
        again = K.dtype_policies.deserialize(K.dtype_policies.serialize(policies))
        assert [again[path].name for path in paths] == made[-1]
    assert made[0] == made[1] == ["bfloat16", "float16", "float32", "float32"]
    policies = dtype_policies.DTypePolicyMap(policy_map={"a.*": "float16", ".*b": "float16"})
    assert policies == dtype_policies.DTypePolicyMap(None, {"a.*": "float16", ".*b": "float16"})
    keryx.config.set_dtype_policy("bfloat16")
    assert policies["c"].name == "bfloat16"  # the default of the process
    with pytest.raises(ArgumentError, match="matches 'a"):
        policies["ab"]
    with pytest.raises(ArgumentError, match="there is one for it already"):
        policies["a.*"] = "float32"
    with pytest.raises(ArgumentError, match="a key is a string"):
        policies[1] = "float32"
    with pytest.raises(ArgumentError, match="not another map"):
        dtype_policies.DTypePolicyMap(policies)
    with pytest.raises(ArgumentError, match=r"a dict of policies by key; got \[1\]"):
        dtype_policies.DTypePolicyMap(None, [1])
    del policies["a.*"]
    assert policies["ab"].name == "float16"


PATHS = {"first": "mixed_bfloat16", "second": "float16"}


def test_layers_follow_the_map_by_their_paths():
    def block(K):
        class Block(K.layers.Layer):
            def __init__(self, **words):
                super().__init__(**words)
                self.first = K.layers.Dense(3, dtype=self.dtype_policy, name="first")
                self.second = K.layers.Dense(2, dtype=self.dtype_policy, name="second")

            def build(self, input_shape):
                self.first.build(input_shape)
                self.second.build((None, 3))

            def call(self, x):
                return self.second(self.first(x))

        policies = K.dtype_policies.DTypePolicyMap(
            "float32", {f"block/{name}": K.DTypePolicy(policy) for name, policy in PATHS.items()}
        )
        return Block(dtype=policies, name="block")

    seen = []
    for K in (keryx, keras):
        made = block(K)
        outputs = made(array(4, 5))
        parts = (made, made.first, made.second)
        dtypes = [(part.compute_dtype, part.variable_dtype) for part in parts]
        seen.append([*dtypes, str(outputs.dtype), *(v.dtype for v in made.weights)])
        assert made.dtype_policy.name == "map_float32"
    assert seen[0] == seen[1]
    assert seen[0][1] == ("bfloat16", "float32")


def test_a_layer_with_a_map_is_written_down_with_it():
    policies = dtype_policies.DTypePolicyMap("float32", {"dense": "bfloat16"})
    layer = layers.Dense(2, dtype=policies, name="dense")
    again = layers.Dense.from_config(layer.get_config())
    assert again.dtype_policy == policies
    for one in (layer, again):
        assert one(array(3, 4)).dtype == "bfloat16"
    theirs = keras.layers.deserialize(layers.serialize(layer))
    assert theirs.dtype_policy["dense"].name == "bfloat16"


def test_float16_trains_within_a_dynamic_scale():
    keryx.config.set_dtype_policy("mixed_float16")
    model = keryx.Sequential([keryx.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.1), "mse")
    assert isinstance(model.optimizer, optimizers.LossScaleOptimizer)
    x = np.full((8, 2), 0.01, "float32")
    model.fit(x, np.zeros((8, 1)), verbose=0)
    assert model.optimizer.iterations == 1
    scale = float(model.optimizer.loss_scale(model.optimizer.state))
    model.fit(1e6 * x, np.zeros((8, 1)), verbose=0, on_nan="continue")  # beyond the largest float16: left out
    assert float(model.optimizer.loss_scale(model.optimizer.state)) == scale / 2
    assert model.optimizer.iterations == 1
    assert np.isfinite(model.get_weights()[0]).all()


# -- config --------------------------------------------------------------------------------------------------------


def test_every_name_of_keras_config_is_there():
    names = [name for name in dir(keras.config) if not name.startswith("_")]
    assert {name for name in names if not callable(getattr(keryx.config, name, None))} == set()
    assert set(names) <= set(dir(keryx.config))


def test_there_is_one_engine():
    keryx.config.set_backend("jax")
    assert keryx.config.backend() == keryx.backend.backend() == "jax"
    with pytest.raises(ConfigError, match=r"runs on JAX alone: there is no backend 'torch'\. Leave set_backend"):
        keryx.config.set_backend("torch")
    with pytest.raises(ConfigError, match="no unsafe way to read one"):
        keryx.config.enable_unsafe_deserialization()
    assert keryx.config.is_nnx_enabled() is False


def model_of_one():
    model = keryx.Sequential([keryx.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Count(keryx.callbacks.Callback):
    def __init__(self):
        self.epochs = self.batches = 0

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1

    on_test_batch_end = on_predict_batch_end = on_train_batch_end


def test_limits_hold_for_all_that_runs():
    model, x, y = model_of_one(), array(64, 2), array(64, 1)

    def counted(method, *args, **words):
        count = Count()
        getattr(model, method)(*args, verbose=0, callbacks=[count], **words)
        return count.epochs, count.batches

    keryx.config.set_max_epochs(2)
    keryx.config.set_max_steps_per_epoch(3)
    assert (keryx.config.max_epochs(), keryx.config.max_steps_per_epoch()) == (2, 3)
    with pytest.warns(UserWarning, match=r"fit\(\) takes 2 epochs of 5"):
        assert counted("fit", x, y, batch_size=8, epochs=5) == (2, 6)
    assert counted("fit", x, y, batch_size=32) == (1, 2)  # fewer than the limit
    assert counted("fit", x, y, batch_size=8, steps_per_epoch=5) == (1, 3)
    assert counted("fit", x, y, batch_size=8, validation_split=0.5) == (1, 6)
    assert counted("fit", ((x[:8], y[:8]) for _ in range(9))) == (1, 3)
    assert counted("fit", iter(lambda: (x[:8], y[:8]), None)) == (1, 3)  # which would never end
    assert counted("evaluate", x, y, batch_size=8) == (0, 3)
    assert counted("predict", x, batch_size=8) == (0, 3)
    for value in (0, "many", 1.5):
        with pytest.raises(ConfigError, match="max_epochs is a whole number above 0"):
            keryx.config.set_max_epochs(value)


def test_limits_come_from_the_environment(monkeypatch):
    from keryx import switches

    monkeypatch.setenv("KERAS_MAX_EPOCHS", "7")
    monkeypatch.setenv("KERAS_MAX_STEPS_PER_EPOCH", "8")
    monkeypatch.setenv("KERYX_MAX_STEPS_PER_EPOCH", "9")
    monkeypatch.setattr(switches, "_limits", switches._from_environment())
    assert (keryx.config.max_epochs(), keryx.config.max_steps_per_epoch()) == (7, 9)
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "all")
    monkeypatch.setattr(switches, "_limits", switches._from_environment())
    with pytest.raises(ConfigError, match="MAX_EPOCHS is a whole number above 0, or None; got 'all'"):
        keryx.config.max_epochs()


def test_progress_goes_to_a_logger_where_it_is_not_interactive(caplog, capsys):
    model = model_of_one()
    keryx.utils.disable_interactive_logging()
    assert not keryx.config.is_interactive_logging_enabled()
    with caplog.at_level(logging.INFO, "keryx"):
        model.fit(array(8, 2), array(8, 1), epochs=2)
    assert capsys.readouterr().out == ""
    assert [record.getMessage()[:9] for record in caplog.records] == ["Epoch 1/2", "Epoch 2/2"]
    keryx.config.enable_interactive_logging()
    assert utils.is_interactive_logging_enabled()
    model.fit(array(8, 2), array(8, 1))
    assert "Epoch 1/1" in capsys.readouterr().out


def test_tracebacks_and_attention():
    before = jax.config.jax_traceback_filtering
    try:
        keryx.config.disable_traceback_filtering()
        assert not keryx.config.is_traceback_filtering_enabled()
        assert jax.config.jax_traceback_filtering == "off"
        keryx.config.enable_traceback_filtering()
        assert keryx.config.is_traceback_filtering_enabled()
    finally:
        jax.config.update("jax_traceback_filtering", before)
    assert keryx.config.is_flash_attention_enabled() is None
    keryx.config.enable_flash_attention()
    assert keryx.config.is_flash_attention_enabled() is True
    keryx.config.disable_flash_attention()
    assert keryx.config.is_flash_attention_enabled() is False


# -- saving and utils ----------------------------------------------------------------------------------------------


def test_saving_takes_keras_arguments():
    plain = saving.serialize_keras_object(obj=layers.Dense(3))
    assert saving.deserialize_keras_object(config=plain, custom_objects=None, safe_mode=True).units == 3
    assert saving.get_registered_name(obj=layers.Dense) == "Dense"
    with saving.custom_object_scope(custom_objects={"mine": len}), saving.CustomObjectScope({"other": max}):
        assert saving.get_registered_object("mine") is len
        assert saving.get_registered_object("other") is max
    assert utils.serialize_keras_object(obj=(1, 2)) == (1, 2)


def test_a_config_of_named_values_as_in_keras():
    for K in (keryx, keras):
        config = K.utils.Config(rate=0.1, steps=3)
        config.seed = 5
        config["name"] = "run"
        assert (config.rate, config["seed"], config.get("none", 7)) == (0.1, 5, 7)
        assert list(config.keys()) == ["rate", "steps", "seed", "name"]
        assert next(iter(config.items())) == ("rate", 0.1)
        assert json.loads(config.to_json()) == config.as_dict()
        config.update(rate=0.2)
        assert config.pop("steps") == 3
        assert (len(config), "rate" in config, 0.2 in config.values()) == (3, True, True)
        assert sorted(config) == ["name", "rate", "seed"]
        del config["name"]
        config.freeze()
        assert config.frozen
        for change in (lambda c=config: setattr(c, "rate", 1), lambda c=config: c.update(rate=1)):
            with pytest.raises((StateError, ValueError), match="frozen"):
                change()
        with pytest.raises(AttributeError, match="rate"):
            _ = config.rat
        config.unfreeze()
        del config["rate"]
        assert config.as_dict() == {"seed": 5}


def test_legacy_configs_as_in_keras():
    for K in (keryx, keras):
        legacy, initializer = K.utils.legacy, K.initializers.Constant(2.0)
        plain = legacy.serialize_keras_object(initializer)
        assert plain == {"class_name": "Constant", "config": {"value": 2.0}}
        objects = {"Constant": K.initializers.Constant, "Zeros": K.initializers.Zeros, "len": len}
        assert legacy.deserialize_keras_object(plain, module_objects=objects).value == 2.0
        assert type(legacy.deserialize_keras_object("Zeros", custom_objects=objects)).__name__ == "Zeros"
        assert legacy.deserialize_keras_object(None) is None
        assert legacy.serialize_keras_object(len) == "len"
    legacy = keryx.utils.legacy  # Keras 3.15.1 fails on a name that stands in module_objects
    assert legacy.deserialize_keras_object("len", module_objects=objects) is len
    with pytest.raises(ConfigError, match=r"There is no initialiser 'Zeroes'\. Did you mean 'Zeros'"):
        legacy.deserialize_keras_object("Zeroes", objects, printable_module_name="initialiser")
    with pytest.raises(ConfigError, match="has no config"):
        keryx.utils.legacy.serialize_keras_object(3)
