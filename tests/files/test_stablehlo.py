"""Functions that are exported as StableHLO programs with their weights, and files that only look like such."""

import json
import re
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest
from specs import SPECS

import keryx
from keryx import layers, ops
from keryx.errors import ArgumentError, DataError, ExportError, FileError, ShapeError
from keryx.export import ExportArchive, load

pytest.importorskip("flatbuffers")


def exported(model, path, **options):
    """What is read of a file that a model was exported to."""
    model.export(path, format="stablehlo", verbose=False, **options)
    return load(path, safe_mode=False)


def sequence_model():
    """Convolution, pooling, recurrence and normalization over any number of steps."""
    x = keryx.Input((None, 8), name="x")
    y = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x)
    y = layers.BatchNormalization()(layers.Conv1D(4, 3, padding="same", activation="relu")(y))
    y = layers.GRU(4)(layers.MaxPooling1D(2)(y))
    return keryx.Model(x, layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(y)))


def test_a_model_of_any_batch_and_length(tmp_path):
    model = sequence_model()
    loaded = exported(model, tmp_path / "m")
    for shape in ((3, 7, 8), (1, 4, 8)):
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        np.testing.assert_allclose(loaded(x), model(x), 1e-5, 1e-6)
        np.testing.assert_allclose(loaded.serve({"x": x}), model(x), 1e-5, 1e-6)
    assert sorted(loaded.variables) == sorted(v.path for v in model.variables)
    with pytest.raises(ShapeError, match=r"Input 'x' wants \(batch, None, 8\); got \(3, 7, 5\)"):
        loaded(np.ones((3, 7, 5)))


def test_several_inputs_and_outputs_by_name_and_by_position(tmp_path):
    words, extra = keryx.Input((6,), dtype="int32", name="words"), keryx.Input((2,), name="extra")
    y = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4, mask_zero=True)(words))
    model = keryx.Model([words, extra], [layers.Concatenate()([y, extra]), y * 2])
    loaded = exported(model, tmp_path / "m", platforms=["cpu"])
    data = {"words": np.arange(12).reshape(2, 6) % 9, "extra": np.ones((2, 2))}
    for got in (loaded(data), loaded([data["words"], data["extra"]])):
        for a, b in zip(got, model(data), strict=True):
            np.testing.assert_allclose(a, b, 1e-6)
    with pytest.raises(DataError, match="'extra'"):
        loaded({"words": data["words"]})


def test_the_code_is_not_needed_and_native_kernels_are_not_in_it(tmp_path):
    class Own(layers.Layer):
        def call(self, x):
            return jax.numpy.sin(x) + 1

    x = keryx.Input((4, 4, 3), name="x")
    y = layers.Flatten()(layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same")(Own()(x))))
    model = keryx.Model(x, layers.Dense(2)(y))
    keryx.config.set_kernels("native")
    try:
        model.export(tmp_path / "m", format="stablehlo", verbose=False)
    finally:
        keryx.config.set_kernels("auto")
    program = zipfile.ZipFile(tmp_path / "m").read("programs/serve")
    text = jax.export.deserialize(bytearray(program)).mlir_module()
    assert set(re.findall(r"custom_call @(\w+)", text)) <= {"shape_assertion"}
    data = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.save(tmp_path / "x.npy", data)
    code = (
        "import sys, numpy, keryx; f = keryx.export.load(sys.argv[1]); "
        "numpy.save(sys.argv[3], f(numpy.load(sys.argv[2])))"
    )
    places = [str(tmp_path / name) for name in ("m", "x.npy", "y.npy")]
    subprocess.run([sys.executable, "-c", code, *places], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(data), 1e-5, 1e-6)


@pytest.mark.parametrize("spec", SPECS[::9], ids=str)
def test_layers_of_the_table(spec, tmp_path):
    shapes = spec.inputs if isinstance(spec.inputs, list) else [spec.inputs]
    shapes = [[None if i in (0, *spec.unknown) else n for i, n in enumerate(shape)] for shape in shapes]
    symbols = [keryx.Input(batch_shape=shape, dtype=spec.input_dtype) for shape in shapes]
    given = {name: value for name, value in spec.call.items() if not isinstance(value, np.ndarray)}
    args = symbols if spec.separate or not isinstance(spec.inputs, list) else [symbols]
    model = keryx.Model(symbols, getattr(layers, spec.layer)(**spec.init)(*args, **given))
    loaded = exported(model, tmp_path / "m", platforms="cpu")
    rng = np.random.default_rng(0)
    data = [
        np.asarray(rng.random([3 if i == 0 else n for i, n in enumerate(s)]) * 3, spec.input_dtype)
        for s in (spec.inputs if isinstance(spec.inputs, list) else [spec.inputs])
    ]  # fmt: skip
    data = data if len(data) > 1 else data[0]
    for a, b in zip(jax.tree.leaves(loaded(data)), jax.tree.leaves(model(data)), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-5)


SIGNATURE = [keryx.Input((3,), name="a"), keryx.Input((2,), name="b")]


def test_functions_that_share_variables(tmp_path, capsys):
    x = keryx.Input((3,), name="x")
    model = keryx.Model(x, layers.Dense(2)(x))
    archive = ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model)
    archive.add_endpoint(
        "twice", lambda a, b: {"sum": model(a) * 2 + b}, [keryx.Input((3,)), keryx.Input((2,), name="b")]
    )
    archive.add_variable_collection("weights", model.trainable_variables)
    archive.write_out(tmp_path / "m")
    assert f"{tmp_path / 'm'} holds serve(x (None, 3) float32) -> " in capsys.readouterr().out
    loaded = load(tmp_path / "m")
    a = np.ones((4, 3), "float32")
    np.testing.assert_allclose(loaded.twice(a, np.ones((4, 2)))["sum"], model(a) * 2 + 1, 1e-6)
    np.testing.assert_allclose(loaded(a), model(a), 1e-6)
    np.testing.assert_array_equal(loaded.collections["weights"][0], model.get_weights()[0])
    names = zipfile.ZipFile(tmp_path / "m").namelist()
    assert sorted(names) == ["programs/serve", "programs/twice", "signature.json", "variables/0", "variables/1"]
    with pytest.raises(AttributeError, match=r"no function 'twic'. Did you mean 'twice'"):
        loaded.twic(a)
    with pytest.raises(ArgumentError, match=r"takes 2 arguments; got 1"):
        loaded.twice(a)


def test_kernels_that_choose_by_sizes(tmp_path):
    x = keryx.Input((20, 20, 32), name="x")
    model = keryx.Model(x, layers.Conv2D(32, 3, activation="relu")(x))
    data = np.random.default_rng(0).normal(size=(3, 20, 20, 32)).astype("float32")
    np.testing.assert_allclose(exported(model, tmp_path / "m")(data), model(data), 1e-4, 1e-4)


def test_sizes_from_the_least_on_that_serves(tmp_path):
    x = keryx.Input((None, 3), name="x")
    model = keryx.Model(x, layers.Conv1D(2, 5)(x))
    loaded = exported(model, tmp_path / "m", platforms="cpu")
    assert loaded(np.ones((2, 5, 3))).shape == (2, 1, 2)
    with pytest.raises(ShapeError, match=r"sizes of 5 and more in axis 1; got \(2, 4, 3\)"):
        loaded(np.ones((2, 4, 3)))


def test_random_numbers_are_new_each_time(tmp_path):
    x = keryx.Input((100,))
    y = layers.Lambda(lambda x: x + keryx.random.normal((100,)))(x)
    loaded = exported(keryx.Model(x, y), tmp_path / "m")
    keryx.utils.set_random_seed(1)
    first, second = loaded(np.zeros((1, 100))), loaded(np.zeros((1, 100)))
    assert abs(np.asarray(first - second)).max() > 0.1
    keryx.utils.set_random_seed(1)
    np.testing.assert_array_equal(loaded(np.zeros((1, 100))), first)


def test_what_cannot_be_exported_is_told_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    path = tmp_path / "m"
    x = keryx.Input((None, 3), name="x")
    model = keryx.Model(x, layers.Lambda(lambda x: x[:, :: max(x.shape[1] % 7, 1)])(x))
    with pytest.raises(ExportError, match=r"for all sizes of x \(None, None, 3\): .* Give all sizes: input_signature="):
        model.export(path, "stablehlo")
    model.export(path, "stablehlo", verbose=False, input_signature=[keryx.Input(batch_shape=(2, 9, 3))])
    assert load(path)(np.ones((2, 9, 3))).shape == model(np.ones((2, 9, 3))).shape
    path.unlink()
    s = keryx.Input(batch_shape=(2, 4, 3))
    with pytest.raises(ExportError, match=r"assigns 'lstm\w*/rnn_state' when it runs.*stateful"):
        keryx.Model(s, layers.LSTM(2, stateful=True)(s)).export(path, "stablehlo")
    with pytest.raises(ArgumentError, match=r"are among 'cpu', 'cuda', 'tpu', 'rocm'; got 'gpu'"):
        model.export(path, "stablehlo", platforms="gpu")
    with pytest.raises(ExportError, match=r"TensorFlow, which is not installed.*format='onnx'.*format='stablehlo'"):
        model.export(path)
    for name, way_out in (
        ("openvino", "openvino.convert_model"),
        ("litert", "TFLiteConverter"),
        ("torch", "onnx2torch"),
    ):
        with pytest.raises(ExportError, match=way_out):
            model.export(path, name)
    with pytest.raises(ArgumentError, match=r"'tf_saved_model'; got 'onx'. Did you mean 'onnx'"):
        model.export(path, "onx")
    with pytest.raises(ExportError, match="is not built"):
        keryx.Sequential([layers.Dense(2)]).export(path, "stablehlo")
    archive = ExportArchive()
    with pytest.raises(ExportError, match="nothing to write"):
        archive.write_out(path)
    with pytest.raises(ArgumentError, match="wants an input_signature="):
        archive.add_endpoint("f", ops.sin)
    with pytest.raises(ArgumentError, match="is an identifier"):
        archive.add_endpoint("../f", ops.sin, [x])
    with pytest.raises(ArgumentError, match="wants variables of what is tracked"):
        archive.add_variable_collection("v", [keryx.Variable(0.0)])
    assert not list(tmp_path.iterdir())


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    x = keryx.Input((3,))
    for call in (lambda: keryx.Model(x, layers.Dense(2)(x)).export(tmp_path / "m", "stablehlo"), lambda: load("m")):
        with pytest.raises(ExportError, match=r"pip install 'keryx\[stablehlo\]'"):
            call()


# -- files that only look like such ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The parts of a good file."""
    path = tmp_path_factory.mktemp("whole") / "m"
    x = keryx.Input((3,), name="x")
    keryx.Model(x, layers.Dense(2)(x)).export(path, "stablehlo", verbose=False, platforms="cpu")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def calling(target):
    """A serialized program that calls something by name."""

    def f(key, values, x):
        return [jax.ffi.ffi_call(target, jax.ShapeDtypeStruct((2, 2), "float32"))(x)]

    spec = jax.ShapeDtypeStruct
    values = [spec((2,), "float32"), spec((3, 2), "float32")]
    checks = [jax.export.DisabledSafetyCheck.custom_call(target)]
    exported = jax.export.export(jax.jit(f), disabled_checks=checks)
    return bytes(exported(spec((2,), "uint32"), values, spec((2, 3), "float32")).serialize())


def changed(parts, **changes):
    """The parts with a signature in which some words say something else."""
    said = json.loads(parts["signature.json"])
    for word, value in changes.items():
        place = said
        *steps, last = word.split("__")
        for step in steps:
            place = place[step]
        place[last] = value
    return parts | {"signature.json": json.dumps(said).encode()}


DEEP = {"tensor": {"name": "x", "shape": [None, 3], "dtype": "float32"}}
for _ in range(40):
    DEEP = {"list": [DEEP]}
STATES = "states a tensor of shape"


def a_variable(shape, dtype="float32"):
    """The change that states one variable of this shape and dtype."""
    return lambda parts: changed(parts, variables={"a": {"shape": shape, "dtype": dtype}})


def a_program(data):
    """The change of the program to these bytes."""
    return lambda parts: parts | {"programs/serve": data if isinstance(data, bytes) else data()}


HOSTILE = {
    "no JSON": (lambda p: p | {"signature.json": b"{"}, "is no JSON"),
    "deep JSON": (lambda p: p | {"signature.json": b"[" * 100_000}, "is no JSON"),
    "another format": (lambda p: changed(p, format="x"), "holds no exported functions"),
    "a later version": (lambda p: changed(p, version=2), "has version 2 of the format"),
    "no signature": (lambda p: {k: v for k, v in p.items() if k != "signature.json"}, "has no part 'signature.json'"),
    "no program": (lambda p: {k: v for k, v in p.items() if k != "programs/serve"}, "has no part 'programs/serve'"),
    "a huge variable": (a_variable([2**40]), "bytes, where 4,398,046"),
    "a negative size": (a_variable([-2]), STATES),
    "a size that is true": (a_variable([True]), STATES),
    "an object": (a_variable([2], "object"), "and dtype 'object'"),
    "a list of variables": (lambda p: changed(p, variables=[]), "has no variables"),
    "a nest without an end": (lambda p: changed(p, functions__serve__inputs=DEEP), "is no nest of tensors"),
    "no arguments": (lambda p: changed(p, functions__serve__inputs={"list": []}), "takes other arguments"),
    "other outputs": (lambda p: changed(p, functions__serve__outputs={"list": []}), "returns other values"),
    "unknown variables": (lambda p: changed(p, functions__serve__variables=["z"]), "variables that it does not hold"),
    "a name of Python's": (lambda p: changed(p, functions={"__class__": {}}), "which is no name"),
    "no function": (lambda p: changed(p, functions={"serve": 3}), "has no signature"),
    "no program at all": (a_program(b"x" * 100), "cannot be read"),
    "an empty program": (a_program(b""), "cannot be read"),
    "half a program": (lambda p: a_program(p["programs/serve"][:200])(p), "cannot be read"),
    "a call of Python": (a_program(lambda: calling("xla_ffi_python_cpu_callback")), "calls 'xla_ffi_python"),
    "a call of a library": (a_program(lambda: calling("evil")), "calls 'evil'"),
}  # fmt: skip


def written(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def test_the_parts_written_again_are_read(whole, tmp_path):
    assert load(written(tmp_path / "m", whole))(np.ones((2, 3))).shape == (2, 2)


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused(what, whole, tmp_path):
    change, message = HOSTILE[what]
    with pytest.raises(FileError, match=message):
        load(written(tmp_path / "m", change(whole)), safe_mode=False)


def test_a_child_process_reads_a_program_first(whole, tmp_path, monkeypatch):
    """On some bytes XLA's parser does not raise, but takes the process with it."""
    path = written(tmp_path / "m", whole | {"programs/serve": b"x" * 100})
    with pytest.raises(FileError, match=r"The program 'serve' of .* cannot be read: .*rror"):
        load(path)
    monkeypatch.setattr("keryx.export.child._PARSE", "import os; os.abort()")
    with pytest.raises(FileError, match=r"The program 'serve' of .* cannot be read: its parser crashed"):
        load(written(tmp_path / "m", whole))


def test_flipped_bits_are_found(whole, tmp_path):
    path = written(tmp_path / "m", whole)
    data = bytearray(path.read_bytes())
    data[data.index(whole["variables/0"]) + 3] ^= 4
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"'variables/0' in .* is damaged"):
        load(path)
    with pytest.raises(FileError, match="There is no file"):
        load(tmp_path / "none")
