"""Texts, series, images and estimators of Keras 1 and 2; the numbers are what Keras 1.2.2 and 2.2.4 gave."""

import random
import re

import numpy as np
import pytest

from keryx import layers
from keryx.compat import use
from keryx.compat.dialects import name
from keryx.compat.preprocessing import sequence, text, transforms
from keryx.compat.preprocessing.generator import ImageDataGenerator
from keryx.errors import ArgumentError, DataError, FileError, StateError
from keryx.models import Sequential
from keryx.preprocessing.image import array_to_img

TEXTS = ["the cat sat. on the mat", "The dog; the hat", "a cat"]


# -- texts and series --------------------------------------------------------------------------------------------------


def test_the_commonest_words_have_the_lowest_numbers():
    tokenizer = text.Tokenizer(6)
    tokenizer.fit_on_texts(TEXTS)
    order = ["the", "cat", "sat", "on", "mat", "dog", "hat", "a"]
    assert tokenizer.word_index == {word: i for i, word in enumerate(order, 1)}
    assert tokenizer.texts_to_sequences(TEXTS) == [[1, 2, 3, 4, 1, 5], [1, 1], [2]]
    assert tokenizer.sequences_to_texts([[1, 2], [5, 7]]) == ["the cat", "mat"]
    assert (tokenizer.document_count, tokenizer.word_docs["the"], tokenizer.word_counts["the"]) == (3, 2, 4)


def test_unknown_words_have_a_number_where_one_is_asked_for():
    tokenizer = text.Tokenizer(num_words=4, oov_token="?", char_level=True)
    tokenizer.fit_on_texts(["aab"])
    assert tokenizer.texts_to_sequences(["abz"]) == [[2, 3, 1]]
    assert tokenizer.sequences_to_texts([[2, 9]]) == ["a ?"]


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("binary", [0, 1, 1, 1, 1, 1]),
        ("count", [0, 2, 1, 1, 1, 1]),
        ("freq", [0, 2 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6]),
        ("tfidf", [0, (1 + np.log(2)) * np.log(2), np.log(2), *[np.log(2.5)] * 3]),
    ],
)
def test_a_text_as_a_vector(mode, row):
    tokenizer = text.Tokenizer(6)
    tokenizer.fit_on_texts(TEXTS)
    np.testing.assert_allclose(tokenizer.texts_to_matrix(TEXTS, mode)[0], row)


def test_a_tokenizer_goes_through_json_and_says_what_it_lacks():
    tokenizer = text.Tokenizer(6, oov_token="?")
    tokenizer.fit_on_texts(TEXTS)
    again = text.tokenizer_from_json(tokenizer.to_json())
    np.testing.assert_array_equal(again.texts_to_matrix(TEXTS, "tfidf"), tokenizer.texts_to_matrix(TEXTS, "tfidf"))
    with pytest.raises(DataError, match="Did you mean 'count'"):
        tokenizer.texts_to_matrix(TEXTS, "counts")
    with pytest.raises(StateError, match="fit_on_texts"):
        text.Tokenizer().sequences_to_matrix([[1]])


def test_pairs_of_words():
    random.seed(1)
    couples, labels = sequence.skipgrams([1, 2, 3, 0, 4], 10, window_size=1, negative_samples=1.0, shuffle=False)
    assert couples[:4] == [[1, 2], [2, 1], [2, 3], [3, 2]]
    assert labels == [1] * 4 + [0] * 4
    assert all(1 <= other < 10 for _, other in couples)
    table = sequence.make_sampling_table(4)
    np.testing.assert_allclose(table, [0.00315225, 0.00315225, 0.00547597, 0.00741556], rtol=1e-5)


def test_windows_of_a_series():
    data = np.arange(10)
    generator = sequence.TimeseriesGenerator(data, 10 * data, length=4, sampling_rate=2, stride=2, batch_size=2)
    assert len(generator) == 2
    x, y = generator[1]
    assert (x.tolist(), y.tolist()) == ([[4, 6]], [80])
    turned = sequence.TimeseriesGenerator(data, data, length=3, reverse=True, start_index=2, end_index=6)
    assert turned[0][0][0].tolist() == [4, 3, 2]
    with pytest.raises(DataError, match="No window of 11 steps"):
        sequence.TimeseriesGenerator(data, data, length=11)


# -- images ------------------------------------------------------------------------------------------------------------

IMAGES = np.random.RandomState(0).rand(5, 7, 6, 3) * 255
CHANGES = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": 0.1,
    "shear_range": 0.3,
    "zoom_range": [0.7, 1.2],
    "channel_shift_range": 20.0,
    "horizontal_flip": True,
    "vertical_flip": True,
    "rescale": 1 / 255.0,
}
PIXELS = {  # of the first two batches of Keras 1.2.2 and 2.2.4
    1: [
        [0.3584376573562622, 0.7957437038421631, 0.015606066212058067, 0.7703936696052551],
        [0.726813018321991, 0.06147902086377144, 0.6913742423057556, 0.9527350664138794],
    ],
    2: [
        [0.3008117973804474, 0.7115424275398254, 0.42347636818885803, 0.5966002345085144],
        [0.10390765964984894, 0.1295231580734253, 0.416707843542099, 0.23994120955467224],
    ],
}


@pytest.mark.parametrize("age", PIXELS)
def test_chance_does_to_an_image_what_it_did_in_its_age(age):
    with use(age):
        flow = ImageDataGenerator(**CHANGES).flow(IMAGES, np.arange(5), batch_size=2, shuffle=True, seed=3)
    batches = [next(flow) for _ in range(4)]
    assert [y.tolist() for _, y in batches] == [[3, 4], [1, 0], [2], [3, 4]]
    for (x, _), wanted in zip(batches, PIXELS[age], strict=False):
        np.testing.assert_allclose(x.ravel()[[0, 17, 50, -1]], wanted, rtol=1e-6)


def test_batches_by_number_are_those_of_a_sequence():
    with use(2):
        flow = ImageDataGenerator().flow(IMAGES, np.arange(5), batch_size=2, shuffle=False, sample_weight=np.ones(5))
    assert len(flow) == 3
    x, y, weight = flow[2]
    assert (x.shape, y.tolist(), weight.tolist()) == ((1, 7, 6, 3), [4], [1.0])
    with pytest.raises(IndexError):
        flow[3]


def test_images_are_normalized():
    x = IMAGES[:, :4, :4, :1]
    generator = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    with pytest.warns(UserWarning, match="before fit"):
        generator.standardize(x[0])
    generator.fit(x)
    made = generator.standardize(x)
    np.testing.assert_allclose([made.mean(), made.std()], [0, 1], atol=1e-5)
    alone = ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True).standardize(x[0])
    np.testing.assert_allclose([alone.mean(), alone.std()], [0, 1], atol=1e-5)
    many = np.random.RandomState(1).rand(200, 2, 2, 1)
    whitening = ImageDataGenerator(zca_whitening=True, featurewise_center=True)
    whitening.fit(many)
    white = np.stack([whitening.standardize(one) for one in many]).reshape(200, 4)
    np.testing.assert_allclose(white.T @ white / 200, np.eye(4), atol=1e-3)


def test_axes_may_be_called_as_in_keras_1():
    image = np.arange(24.0).reshape(2, 4, 3)
    moved = transforms.random_rotation(image, 0, row_index=0, col_index=1, channel_index=2)
    np.testing.assert_array_equal(moved, image)
    np.testing.assert_array_equal(transforms.apply_transform(image, np.eye(3), channel_index=2), image)


def test_single_changes():
    x = np.arange(16.0).reshape(4, 4, 1)
    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    np.testing.assert_array_equal(transforms.flip_axis(x, 1), x[:, ::-1])
    moved = transforms.apply_affine_transform(x, ty=1, fill_mode="constant", cval=-1.0)
    np.testing.assert_allclose(moved[:, :-1], x[:, 1:])
    assert (moved[:, -1] == -1).all()
    np.testing.assert_array_equal(transforms.random_rotation(x, 0, **axes), x)
    for change, limit in (
        (transforms.random_shear, 10),
        (transforms.random_zoom, (0.5, 2)),
        (transforms.random_rotation, 90),
    ):
        made = change(x, limit, **axes, fill_mode="nearest")
        assert made.shape == x.shape
        assert -1e-9 <= made.min() <= made.max() <= 15 + 1e-9  # but for rounding
    assert transforms.random_shift(x, 0.5, 0.5, **axes).shape == x.shape
    assert transforms.random_channel_shift(x, 3.0, 2).max() <= 15
    brighter = transforms.apply_brightness_shift(x, 2.0)
    assert brighter.max() == 255
    with pytest.raises(ArgumentError, match="fill_mode"):
        transforms.random_rotation(x, 90, **axes, fill_mode="mirror")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three images of each of two classes."""
    place = tmp_path_factory.mktemp("images")
    for i, kind in enumerate(("cats", "dogs")):
        (place / kind).mkdir()
        for j in range(3):
            array_to_img(np.full((4, 5, 3), 100 * i + j), scale=False).save(place / kind / f"{j}.png")
    return place


def test_a_folder_of_classes(folder, tmp_path):
    flow = ImageDataGenerator().flow_from_directory(
        folder, (2, 3), "rgb", None, "categorical", 4, False, save_to_dir=tmp_path, save_prefix="made"
    )
    x, y = next(flow)
    assert (x.shape, y.tolist()) == ((4, 2, 3, 3), [[1, 0]] * 3 + [[0, 1]])
    assert x[:, 0, 0, 0].tolist() == [0, 1, 2, 100]
    assert (flow.samples, flow.class_indices, flow.num_classes) == (6, {"cats": 0, "dogs": 1}, 2)
    assert flow.filenames[3].replace("\\", "/") == "dogs/0.png"
    assert len(list(tmp_path.iterdir())) == 4
    parts = ImageDataGenerator(validation_split=0.34)
    kept = {part: parts.flow_from_directory(folder, subset=part).filenames for part in ("training", "validation")}
    assert [len(kept[part]) for part in kept] == [4, 2]
    assert not set(kept["training"]) & set(kept["validation"])
    grey = ImageDataGenerator().flow_from_directory(folder, color_mode="grayscale", class_mode=None, classes=["dogs"])
    assert next(grey).shape == (3, 256, 256, 1)
    with pytest.raises(FileError, match="no folder"):
        ImageDataGenerator().flow_from_directory(folder / "nowhere")
    with pytest.raises(ArgumentError, match="class_mode"):
        ImageDataGenerator().flow_from_directory(folder, class_mode="multi")


@pytest.mark.parametrize("age", [1, 2])
def test_an_image_from_a_file_in_old_words(age, folder):
    path = next(folder.rglob("*.png"))
    with use(age):
        load, as_array = (name("keras.preprocessing.image", word) for word in ("load_img", "img_to_array"))
        assert load(path, grayscale=True).mode == load(path, True).mode == load(path, "grayscale").mode == "L"
        assert load(path, False, (6, 7)).size == load(path, target_size=(6, 7)).size == (7, 6)
        assert load(path, False, "rgba").mode == "RGBA"
        assert as_array(load(path, True, (6, 7)), dim_ordering="th").shape == (1, 6, 7)
        assert "!" in name("keras.preprocessing.text", "base_filter")()


def test_a_table_of_images(folder):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({
        "file": ["cats/0.png", "dogs/1.png", "cats/2.png", "nothing.png"],
        "kind": ["cat", "dog", "cat", "dog"],
        "size": [1.0, 2.0, 3.0, 4.0],
    })  # fmt: skip
    generator = ImageDataGenerator()
    given = {"directory": folder, "x_col": "file", "target_size": (2, 2), "shuffle": False}
    with pytest.warns(UserWarning, match="1 files of the column 'file'"):
        flow = generator.flow_from_dataframe(table, y_col="kind", weight_col="size", class_mode="binary", **given)
    x, y, weight = next(flow)
    assert (x.shape, y.tolist(), weight.tolist()) == ((3, 2, 2, 3), [0, 1, 0], [1, 2, 3])
    raw = generator.flow_from_dataframe(table[:3], y_col="size", class_mode="raw", **given)
    assert next(raw)[1].tolist() == [1, 2, 3]
    table["both"] = [["cat"], ["cat", "dog"], ["dog"], ["bird"]]
    several = generator.flow_from_dataframe(table[:3], y_col="both", **given)
    assert next(several)[1].tolist() == [[1, 0], [1, 1], [0, 1]]
    with pytest.raises(DataError, match="two classes"):
        generator.flow_from_dataframe(table[:1], y_col="kind", class_mode="binary", **given)


# -- what stood around -------------------------------------------------------------------------------------------------


def test_an_array_in_a_file_is_read_in_parts(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.arange(20).reshape(10, 2)
    with use(1):
        matrix = name("keras.utils.io_utils", "HDF5Matrix")(
            str(tmp_path / "data.h5"), "x", 2, 8, lambda rows: rows * 10
        )
    assert (matrix.shape, len(matrix), matrix.ndim, matrix.dtype.kind) == ((6, 2), 6, 2, "i")
    assert matrix[1:3].tolist() == [[60, 70], [80, 90]]
    assert matrix[[3, 0, 3]].tolist() == [[100, 110], [40, 50], [100, 110]]
    assert np.asarray(matrix).shape == (6, 2)
    assert matrix[-1].tolist() == [140, 150]


def test_labels():
    with use(1):
        utils = {word: name("keras.utils.np_utils", word) for word in ("to_categorical", "probas_to_classes")}
    assert utils["to_categorical"](np.array([[1], [0]]), 2).tolist() == [[0, 1], [1, 0]]
    assert utils["probas_to_classes"](np.array([[0.2], [0.7]])).tolist() == [0, 1]
    assert utils["probas_to_classes"](np.array([[0.2, 0.8]])).tolist() == [1]


def test_estimators_are_searched_by_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")

    def build(units=2, loss="categorical_crossentropy"):
        model = Sequential([layers.Dense(units, activation="softmax", input_shape=(2,))])
        model.compile("sgd", loss, metrics=["accuracy"])
        return model

    x, y = np.array([[0.0, 1.0], [1.0, 0.0]] * 4), np.array(["low", "high"] * 4)
    with use(2):
        estimator = name("keras.wrappers.scikit_learn", "KerasClassifier")(build, epochs=40, batch_size=4, verbose=0)
        search = selection.GridSearchCV(estimator, {"epochs": [1, 40]}, cv=2, error_score="raise")
        search.fit(x, y)
        assert set(search.predict(x)) <= {"low", "high"}
        assert 0 <= search.best_score_ <= 1
        with pytest.raises(ArgumentError, match=re.escape("'epoch' is no argument")):
            name("keras.wrappers.scikit_learn", "KerasClassifier")(build, epoch=4)
        unfitted = name("keras.wrappers.scikit_learn", "KerasRegressor")(build)
        with pytest.raises((StateError, AttributeError)):
            unfitted.predict(x)
