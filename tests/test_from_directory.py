"""Data sets of the files in a folder, beside Keras's (through Grain, which needs no TensorFlow)."""

import contextlib
import io
import sys
import threading
import wave

import keras
import numpy as np
import pytest
from test_host_part import Lookup

import keryx
from keryx.errors import ArgumentError, ConfigError, DataError, FileError
from keryx.utils import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
    timeseries_dataset_from_array,
)

Image = pytest.importorskip("PIL.Image")
NAMES = ["b/2.png", "b/1.JPG", "b/deep/3.bmp", "a/5.gif", "a/4.jpeg", "c/6.png", "c/notes.md", ".hidden/7.png"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of three classes, of many sizes and kinds."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for i, name in enumerate(NAMES):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        shape = (6 + 2 * (i % 3), 9 - 3 * (i % 2), *((4,) if i == 0 else (3,) if i % 2 else ()))
        image = Image.fromarray(generator.integers(0, 256, shape).astype("uint8"))
        if path.suffix != ".md":
            image.save(path)
        else:
            path.write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for i, name in enumerate(["neg/1.txt", "neg/2.txt", "pos/3.txt", "pos/4.TXT", "pos/5.txt"]):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text {i} of ants\nand bées", "utf-8")
    return folder


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for i, name in enumerate(["a/1.wav", "a/2.wav", "b/3.wav"]):
        (folder / name).parent.mkdir(exist_ok=True)
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((2, 2, 8000, 0, "NONE", ""))
            file.writeframes(generator.integers(-(2**15), 2**15, (40 + 10 * i, 2)).astype("<i2").tobytes())
    return folder


def both(ours, theirs, folder, **options):
    """What ours and Keras's give for the same arguments, and what both print."""
    results, out = [], [io.StringIO(), io.StringIO()]
    for function, extra, stream in ((ours, {}, out[0]), (theirs, {"format": "grain"}, out[1])):
        with contextlib.redirect_stdout(stream):
            results.append(function(str(folder), **options, **extra))
    return *results, out


def same(ours, theirs):
    pairs = list(zip(ours, theirs, strict=True))
    for batch, expected in pairs:
        if not isinstance(batch, tuple):
            batch, expected = (batch,), (expected,)
        for a, b in zip(batch, expected, strict=True):
            if isinstance(b, (list, tuple)):
                assert a.tolist() == list(b)
            else:
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-3)
    return len(pairs)


IMAGES = [
    {},
    {"label_mode": "categorical", "batch_size": 4, "color_mode": "grayscale"},
    {"label_mode": "binary", "class_names": ["c", "a"], "color_mode": "rgba"},
    {"label_mode": None, "batch_size": None},
    {"labels": None, "interpolation": "nearest"},
    {"labels": [3, 1, 3, 1, 7, 7, 0], "label_mode": "int"},
    {"crop_to_aspect_ratio": True, "interpolation": "bicubic"},
    {"pad_to_aspect_ratio": True, "data_format": "channels_first"},
    {"crop_to_aspect_ratio": True, "data_format": "channels_first"},
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Keras leaves files open
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("options", IMAGES, ids=str)
def test_images(images, options):
    pytest.importorskip("grain")
    options = {"image_size": (6, 8), "batch_size": 5, "shuffle": False} | options
    ours, theirs, out = both(image_dataset_from_directory, keras.utils.image_dataset_from_directory, images, **options)
    assert ours.class_names == theirs.class_names
    assert ours.file_paths == theirs.file_paths
    assert out[0].getvalue() == out[1].getvalue() != ""
    assert same(ours, theirs) == len(ours)


@pytest.mark.parametrize("subset", ["training", "validation", "both"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_parts_have_the_files_that_keras_gives_them(images, subset, shuffle):
    pytest.importorskip("grain")
    options = {"image_size": (2, 2), "validation_split": 0.4, "subset": subset, "shuffle": shuffle, "seed": 3}
    ours, theirs, _ = both(image_dataset_from_directory, keras.utils.image_dataset_from_directory, images, **options)
    ours, theirs = (list(sets) if subset == "both" else [sets] for sets in (ours, theirs))
    for our, their in zip(ours, theirs, strict=True):
        assert our.file_paths == their.file_paths
        assert our.class_names == their.class_names
        _, labels = next(iter(our))
        assert len(labels) == len(our.file_paths)
        assert sorted(labels) == sorted(
            "abc".index(path.split("/")[-2].replace("deep", "b")) for path in our.file_paths
        )


def test_images_at_random(images):
    data = image_dataset_from_directory(images, image_size=(2, 3), batch_size=2, seed=1, verbose=False)
    assert len(data) == data.num_batches == 3
    known = {path: data.read(path) for path in data.file_paths}

    def order():
        found = [next(p for p, image in known.items() if (image == x).all()) for batch, _ in data for x in batch]
        assert sorted(found) == sorted(known)
        return found

    first, second, third = order(), order(), order()
    assert len({*map(tuple, (first, second, third))}) > 1
    again = image_dataset_from_directory(images, image_size=(2, 3), batch_size=2, seed=1, verbose=False)
    np.testing.assert_array_equal(again[0][0], [known[path] for path in first[:2]])
    other = image_dataset_from_directory(images, image_size=(2, 3), batch_size=6, verbose=False)
    assert {*other.file_paths} == {*known}


def test_only_what_is_for_training_is_shuffled_again(images):
    options = {"image_size": (2, 2), "batch_size": 6, "validation_split": 0.5, "seed": 0, "verbose": False}
    train, validation = image_dataset_from_directory(images, subset="both", **options)
    epochs = [np.concatenate([next(iter(part))[0] for _ in range(5)]) for part in (train, validation)]
    changes = [(epoch[:3] != epoch[3:6]).any() or (epoch[:3] != epoch[6:9]).any() for epoch in epochs]
    assert changes == [True, False]


def test_files_are_read_by_several_threads_ahead_of_time(images):
    data = image_dataset_from_directory(images, image_size=(2, 2), batch_size=1, verbose=False)
    read, threads, barrier = data.read, set(), threading.Barrier(2, timeout=20)
    data.workers = 2

    def watched(path):
        if len(threads) < 2:
            threads.add(threading.get_ident())
            barrier.wait()  # only passed by two at the same time
        return read(path)

    data.read = watched
    assert len(list(data)) == 6
    assert threading.get_ident() not in threads


def model(shape=(4, 4, 3), classes=3):
    x = inputs = keryx.Input(shape)
    x = keryx.layers.Flatten()(keryx.layers.Conv2D(2, 3)(x))
    return keryx.Model(inputs, keryx.layers.Dense(classes, activation="softmax")(x))


@pytest.mark.parametrize("processes", [False, True])
def test_fit(images, processes):
    options = {"image_size": (4, 4), "batch_size": 2, "validation_split": 0.34, "subset": "both", "seed": 0}
    train, validation = image_dataset_from_directory(images, verbose=False, **options)
    train.use_multiprocessing, train.workers = processes, 2
    net = model()
    net.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = net.fit(train, validation_data=validation, epochs=2, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    assert net.predict(validation, verbose=0).shape == (2, 3)


def test_what_code_for_tf_data_asks(images):
    data = image_dataset_from_directory(
        images, image_size=(2, 2), batch_size=2, shuffle=False, verbose=False, label_mode="categorical"
    )
    every = list(data)
    assert len(list(data.take(2))) == len(data.take(2)) == 2
    assert len(data.take(-1)) == len(data.take(9)) == 3
    np.testing.assert_array_equal(next(iter(data.skip(1)))[0], every[1][0])
    np.testing.assert_array_equal(data.skip(1).take(1)[0][0], every[1][0])
    np.testing.assert_array_equal(data[-1][0], every[2][0])
    scaled = data.map(lambda x, y: (x / 255, y), num_parallel_calls=-1).map(lambda x, y: x)
    np.testing.assert_array_equal(scaled[1], every[1][0] / 255)
    assert data.prefetch(-1) is data
    assert data.prefetch(5).max_queue_size == 5
    calls = []
    cached = data.map(lambda x, y: calls.append(1) or (x, y)).cache()
    for _ in range(2):
        assert len(list(cached.shuffle(100).prefetch(buffer_size=-1))) == 3
    assert len(calls) == 3
    mapped = cached.map(lambda x, y: x + 1)
    np.testing.assert_array_equal(mapped.skip(1)[0], every[1][0] + 1)
    np.testing.assert_array_equal(cached[1][0], every[1][0])
    assert len(calls) == 3
    assert cached.class_names == data.class_names
    with pytest.raises(IndexError, match="3 batches"):
        data[3]
    with pytest.raises(AttributeError, match=r"no \.batch\(\): it is told at the beginning, batch_size="):
        data.batch(2)
    assert not hasattr(data, "element_spec")


def test_what_is_taken_is_never_in_what_is_left(images):
    data = image_dataset_from_directory(images, image_size=(2, 2), batch_size=1, seed=0, verbose=False).shuffle(9)
    every = {x.tobytes() for x, _ in data}
    taken, left = data.take(2), data.skip(2)  # of one order, that of the second epoch
    orders = []
    for _ in range(4):
        sides = [[x.tobytes() for x, _ in part] for part in (taken, left)]
        assert {*sides[0], *sides[1]} == every
        assert not {*sides[0]} & {*sides[1]}
        orders.append(tuple(sides[1]))
    assert len({*orders}) > 1


def test_links_are_followed_where_asked(images, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to(images / "b")
    with pytest.raises(DataError, match=r"no files \.bmp"):
        image_dataset_from_directory(tmp_path, verbose=False)
    data = image_dataset_from_directory(tmp_path, follow_links=True, image_size=(2, 2), verbose=False)
    assert len(data.file_paths) == 3


def test_damaged_images_are_named(images, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes((images / NAMES[0]).read_bytes()[:60])
    data = image_dataset_from_directory(tmp_path, verbose=False)
    with pytest.raises(FileError, match=r"x\.png cannot be read as an image"):
        list(data)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": "guessed"}, ArgumentError, "labels is 'inferred'"),
        ({"labels": [1, 2]}, DataError, "2 elements for the 7 files"),
        ({"labels": [1] * 7, "class_names": ["a"]}, ArgumentError, "labels='inferred' alone"),
        ({"labels": None, "class_names": ["a"]}, ArgumentError, "labels='inferred' alone"),
        ({"class_names": ["a", "d"]}, ArgumentError, "has 'd'; the folders are 'a', 'b', 'c'"),
        ({"label_mode": "onehot"}, ArgumentError, "label_mode"),
        ({"label_mode": "binary"}, ArgumentError, "2 classes; there are 'a', 'b', 'c'"),
        ({"color_mode": "grey"}, ArgumentError, "color_mode"),
        ({"interpolation": "cubic"}, ArgumentError, "interpolation"),
        ({"data_format": "first"}, ArgumentError, "data_format"),
        ({"image_size": (1, 2, 3)}, ArgumentError, "image_size"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, ArgumentError, "take one"),
        ({"validation_split": 0.2}, ArgumentError, "belong together"),
        ({"subset": "both"}, ArgumentError, "belong together"),
        ({"validation_split": 2, "subset": "both"}, ArgumentError, "between 0 and 1"),
        ({"validation_split": 0.2, "subset": "test"}, ArgumentError, "subset"),
        ({"validation_split": 0.2, "subset": "both"}, ArgumentError, "seed="),
        ({"validation_split": 0.01, "subset": "both", "seed": 0}, DataError, "without any"),
        ({"format": "torch"}, ArgumentError, "format"),
    ],
)
def test_wrong_arguments(images, options, error, message):
    with pytest.raises(error, match=message):
        image_dataset_from_directory(images, verbose=False, **options)


def test_no_such_folder(tmp_path):
    with pytest.raises(FileError, match="no folder"):
        image_dataset_from_directory(tmp_path / "none")


# -- texts, sounds, series -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_length": 7, "label_mode": "binary"},
        {"labels": None, "batch_size": 2},
        {"class_names": ["pos", "neg"], "label_mode": "categorical"},
        {"validation_split": 0.4, "subset": "validation"},
    ],
)
def test_texts(texts, options):
    pytest.importorskip("grain")
    options = {"shuffle": False, "batch_size": 3} | options
    ours, theirs, out = both(text_dataset_from_directory, keras.utils.text_dataset_from_directory, texts, **options)
    assert ours.class_names == theirs.class_names
    assert out[0].getvalue() == out[1].getvalue()
    assert same(ours, theirs)
    first = ours[0][0] if isinstance(ours[0], tuple) else ours[0]
    assert (first.dtype, type(first[0])) == (object, str)


def test_fit_from_texts(texts):
    data = text_dataset_from_directory(texts, batch_size=2, verbose=False)
    inputs = keryx.Input((), dtype="string")
    x = keryx.layers.Embedding(9, 4)(Lookup(["text 0 of ants\nand bées"])(inputs))
    net = keryx.Model(inputs, keryx.layers.Dense(1)(x))
    net.compile("sgd", "mse")
    assert np.isfinite(net.fit(data, epochs=2, verbose=0).history["loss"]).all()


def test_texts_that_are_none(tmp_path):
    (tmp_path / "1.txt").write_bytes(b"\xff\xfe\xfa")
    data = text_dataset_from_directory(tmp_path, labels=None, verbose=False)
    with pytest.raises(DataError, match=r"1\.txt is no text in UTF-8"):
        list(data)


def test_sounds(sounds):
    data = audio_dataset_from_directory(sounds, shuffle=False, verbose=False)
    x, y = data[0]
    assert (x.shape, x.dtype, y.tolist()) == ((3, 60, 2), np.float32, [0, 0, 1])
    assert data.class_names == ["a", "b"]
    with wave.open(str(sounds / "a/2.wav")) as file:
        expected = np.frombuffer(file.readframes(50), "<i2").reshape(50, 2) / 2**15
    np.testing.assert_array_equal(x[1, :50], expected)
    assert not x[1, 50:].any()
    options = {"shuffle": False, "verbose": False, "label_mode": None}
    cut = audio_dataset_from_directory(sounds, output_sequence_length=45, **options)[0]
    np.testing.assert_array_equal(cut, x[:, :45])
    assert audio_dataset_from_directory(sounds, output_sequence_length=70, **options)[0].shape == (3, 70, 2)
    assert audio_dataset_from_directory(sounds, batch_size=None, **options)[1].shape == (50, 2)
    assert audio_dataset_from_directory(sounds, sampling_rate=4000, **options)[0].shape == (3, 30, 2)


def test_sounds_that_do_not_fit(sounds, tmp_path):
    with pytest.raises(ConfigError, match="ragged"):
        audio_dataset_from_directory(sounds, ragged=True)
    with pytest.raises(ArgumentError, match="sampling_rate"):
        audio_dataset_from_directory(sounds, sampling_rate=0)
    for channels in (1, 2):
        with wave.open(str(tmp_path / f"{channels}.wav"), "wb") as file:
            file.setparams((channels, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(8))
    with pytest.raises(DataError, match=r"\[1, 2\]"):
        list(audio_dataset_from_directory(tmp_path, labels=None, verbose=False))


def test_as_grain(images, texts):
    grain = pytest.importorskip("grain")
    data = image_dataset_from_directory(
        images, image_size=(4, 4), batch_size=4, shuffle=False, verbose=False, format="grain"
    )
    ours = image_dataset_from_directory(images, image_size=(4, 4), batch_size=4, shuffle=False, verbose=False)
    assert isinstance(data, grain.IterDataset)
    assert (data.class_names, data.file_paths) == (ours.class_names, ours.file_paths)
    assert same(ours, data) == 2
    net = model()
    net.compile("sgd", "sparse_categorical_crossentropy")
    assert np.isfinite(net.fit(data, verbose=0).history["loss"][0])
    series = timeseries_dataset_from_array(np.arange(9), None, 3, format="grain")
    assert [batch.tolist() for batch in series] == [[[i, i + 1, i + 2] for i in range(7)]]


def test_as_tf(images):
    tf = pytest.importorskip("tensorflow")
    data = image_dataset_from_directory(
        images, image_size=(4, 4), batch_size=4, shuffle=False, verbose=False, format="tf"
    )
    ours = image_dataset_from_directory(images, image_size=(4, 4), batch_size=4, shuffle=False, verbose=False)
    assert isinstance(data, tf.data.Dataset)
    assert data.class_names == ours.class_names
    assert same(ours, data.as_numpy_iterator()) == int(data.cardinality()) == 2


@pytest.mark.parametrize(("format", "package"), [("grain", "grain"), ("tf", "tensorflow")])
def test_formats_that_are_not_installed(images, format, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"pip install {package}"):
        image_dataset_from_directory(images, format=format, verbose=False)


def test_names():
    for name in ("image_dataset_from_directory", "text_dataset_from_directory", "timeseries_dataset_from_array"):
        assert getattr(keryx.preprocessing, name) is getattr(keryx.utils, name)
    assert keryx.preprocessing.sequence.pad_sequences is keryx.utils.pad_sequences
    assert keryx.preprocessing.image.load_img is keryx.utils.load_img
