"""Images as files and arrays, sound, and the progress bar, beside Keras."""

import io
import itertools
import struct
import sys
import wave

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import keryx
from keryx.errors import ArgumentError, ConfigError, DataError, FileError, ShapeError
from keryx.preprocessing import image as ours
from keryx.utils import resizing, wav

Image = pytest.importorskip("PIL.Image")
theirs = keras.preprocessing.image


def pixels(*shape, high=256):
    return np.random.default_rng(0).integers(0, high, shape).astype("float32")


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 4), (5, 7, 1)])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("data_format", [None, "channels_first"])
def test_array_to_img_and_back(shape, scale, data_format):
    x = pixels(*shape) / 2 + 3
    x = x.transpose(2, 0, 1) if data_format else x
    image, oracle = ours.array_to_img(x, data_format, scale), theirs.array_to_img(x, data_format, scale)
    assert (image.mode, image.size) == (oracle.mode, oracle.size)
    for dtype in (None, "uint8"):
        array, expected = ours.img_to_array(image, data_format, dtype), theirs.img_to_array(oracle, data_format, dtype)
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype


def test_deep_grey_images():
    x = pixels(3, 4, 1, high=40_000)
    image = ours.array_to_img(x, scale=False)
    assert image.mode == theirs.array_to_img(x, scale=False).mode == "I"
    np.testing.assert_array_equal(ours.img_to_array(image), x)
    assert not np.asarray(ours.array_to_img(np.zeros((2, 2, 1)))).any()


def test_images_that_are_none():
    for shape in ((3, 4), (3, 4, 2), (1, 3, 4, 3)):
        with pytest.raises(ShapeError, match="3 or 4 channels"):
            ours.array_to_img(np.zeros(shape))
    with pytest.raises(ShapeError, match="height, width"):
        ours.img_to_array(np.zeros(3))
    with pytest.raises(ArgumentError, match="data_format"):
        ours.img_to_array(np.zeros((3, 4)), "first")


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg", "a.JPEG"])
def test_saved_and_loaded(tmp_path, name):
    x = pixels(6, 8, 3)
    ours.save_img(tmp_path / name, x)
    theirs.save_img(tmp_path / f"theirs-{name}", x)
    assert (tmp_path / name).read_bytes() == (tmp_path / f"theirs-{name}").read_bytes()
    for path in (tmp_path / name, str(tmp_path / name), io.BytesIO((tmp_path / name).read_bytes())):
        loaded = ours.load_img(path)
        np.testing.assert_array_equal(np.asarray(loaded), np.asarray(theirs.load_img(tmp_path / name)))


def test_no_transparency_in_jpeg(tmp_path):
    with pytest.warns(UserWarning, match="no transparency"):
        ours.save_img(tmp_path / "a.jpg", pixels(4, 4, 4))
    file = io.BytesIO()
    ours.save_img(file, pixels(4, 4, 4), file_format="png")
    assert ours.load_img(file, color_mode="rgba").mode == "RGBA"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I", "I;16", "LA", "CMYK"])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_modes(tmp_path, mode, color_mode):
    image = Image.fromarray(pixels(4, 6).astype("uint8")).convert("I" if mode == "I;16" else mode)
    image = image.convert("I;16") if mode == "I;16" else image
    path = tmp_path / ("a.tiff" if mode in ("CMYK", "I") else "a.png")
    image.save(path)
    loaded, expected = ours.load_img(path, color_mode), theirs.load_img(path, color_mode)
    assert loaded.mode == expected.mode
    np.testing.assert_array_equal(np.asarray(loaded), np.asarray(expected))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("way", ["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"])
def test_target_sizes(tmp_path, keep, way):
    ours.save_img(tmp_path / "a.png", pixels(9, 14, 3))
    for size in ((4, 4), (20, 10), (9, 14)):
        arguments = (tmp_path / "a.png", "rgb", size, way, keep)
        np.testing.assert_array_equal(
            np.asarray(ours.load_img(*arguments)), np.asarray(theirs.load_img(*arguments)), str(size)
        )


def test_files_that_cannot_be_loaded(tmp_path):
    (tmp_path / "a.png").write_bytes(b"text")
    with pytest.raises(FileError, match="cannot be read as an image"):
        ours.load_img(tmp_path / "a.png")
    ours.save_img(tmp_path / "a.png", pixels(40, 40, 3))
    whole = (tmp_path / "a.png").read_bytes()
    for content in (whole[:200], whole[:40] + bytes(60) + whole[100:], whole[:16] + b"\x7f" * 8 + whole[24:]):
        with pytest.raises(FileError, match="cannot be read as an image"):
            ours.load_img(io.BytesIO(content))
    with pytest.raises(FileError, match="There is no file"):
        ours.load_img(tmp_path / "b.png")
    with pytest.raises(ArgumentError, match="got a int"):
        ours.load_img(3)
    with pytest.raises(ArgumentError, match="color_mode"):
        ours.load_img(tmp_path / "a.png", color_mode="grey")
    ours.save_img(tmp_path / "a.png", pixels(4, 4, 3))
    with pytest.raises(ArgumentError, match="interpolation"):
        ours.load_img(tmp_path / "a.png", target_size=(2, 2), interpolation="cubic")


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ConfigError, match=r"pip install 'keryx\[image\]'"):
        ours.load_img("a.png")


# -- sizes -----------------------------------------------------------------------------------------------------------

SIZES = [(4, 4), (13, 5), (7, 20), (6, 9)]


@pytest.mark.parametrize("way", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
def test_resized_as_jax_resizes(way):
    x = pixels(6, 9, 2) / 255
    for size in [*SIZES[:2], (6, 4)]:
        expected = keras.ops.image.resize(x, size, way)
        result = resizing.resized(x, size, way)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=2e-6, err_msg=f"{size}")


def test_area_is_the_mean_of_what_is_covered():
    x = pixels(6, 9, 2)
    np.testing.assert_allclose(resizing.resized(x, (2, 3), "area"), x.reshape(2, 3, 3, 3, 2).mean((1, 3)), rtol=1e-6)
    fine = np.repeat(np.repeat(x, 4, 0), 5, 1)
    result = resizing.resized(x, (4, 5), "area")
    np.testing.assert_allclose(result, fine.reshape(4, 6, 5, 9, 2).mean((1, 3)), rtol=1e-6)


@pytest.mark.parametrize(
    ("way", "kernel"),
    [
        ("gaussian", lambda d: np.exp(-(d**2) / (2 * 0.5**2)) * (d < 1.5)),
        (
            "mitchellcubic",
            lambda d: (
                np.where(d < 1, (7 * d**3 - 12 * d**2 + 16 / 3) / 6, (-7 / 3 * d**3 + 12 * d**2 - 20 * d + 32 / 3) / 6)
                * (d < 2)
            ),
        ),
    ],
)
def test_kernels_that_blur(way, kernel):
    x = pixels(1, 9, 1)
    for size in (5, 20, 9):
        centers = (np.arange(size) + 0.5) * 9 / size - 0.5
        weights = kernel(np.abs(centers[:, None] - np.arange(9)))
        expected = (weights / weights.sum(1, keepdims=True)) @ x[0, :, 0]
        np.testing.assert_allclose(resizing.resized(np.repeat(x, 3, 0), (3, size), way)[1, :, 0], expected, rtol=1e-5)


def test_kernels_keep_what_is_even():
    for way, size in itertools.product(resizing.INTERPOLATIONS, SIZES):
        np.testing.assert_allclose(resizing.resized(np.full((6, 9, 1), 7.0), size, way), 7, rtol=1e-6)
    with pytest.raises(ArgumentError, match="interpolation"):
        resizing.resized(np.zeros((1, 1, 1)), (2, 2), "cubic")


@pytest.mark.parametrize("shape", [(6, 9, 2), (2, 7, 5, 1)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_smart_resize(shape, data_format):
    x = pixels(*shape)
    x = np.moveaxis(x, -1, -3) if data_format == "channels_first" else x
    for size, way in (((4, 4), "bilinear"), ((3, 8), "nearest")):
        result = ours.smart_resize(x, size, way, data_format=data_format)
        expected = theirs.smart_resize(x, size, way, data_format=data_format)
        assert type(result) is np.ndarray
        np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert isinstance(ours.smart_resize(jnp.asarray(x), (4, 4), data_format=data_format), jax.Array)


def test_smart_resize_refuses():
    with pytest.raises(ShapeError, match="three axes"):
        ours.smart_resize(np.zeros((3, 4)), (2, 2))
    with pytest.raises(ShapeError, match="height, width"):
        ours.smart_resize(np.zeros((3, 4, 1)), (2, 2, 2))
    with pytest.raises(ArgumentError, match="interpolation"):
        ours.smart_resize(np.zeros((3, 4, 1)), (2, 2), "area")


# -- sound -----------------------------------------------------------------------------------------------------------


def written(path, samples, width, rate=8000):
    """(time, channels) of integers, by Python's own writer."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        wide = (samples + 128 if width == 1 else samples).astype("<u1" if width == 1 else "<i4")
        data = np.frombuffer(wide.tobytes(), "uint8").reshape(-1, 1 if width == 1 else 4)[:, : max(width, 1)]
        file.writeframes(data.tobytes())


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav(tmp_path, width, channels):
    high = 2 ** (8 * width - 1)
    samples = np.random.default_rng(0).integers(-high, high, (11, channels))
    samples[0] = -high
    written(tmp_path / "a.wav", samples, width)
    read, rate = wav.read_wav(str(tmp_path / "a.wav"))
    assert (rate, read.dtype, read.shape) == (8000, np.float32, (11, channels))
    np.testing.assert_allclose(read, samples / high, atol=1e-7)
    assert read.min() == -1


@pytest.mark.parametrize("kind", [3, 0xFFFE])
def test_wav_of_floats(tmp_path, kind):
    samples = np.float32([[0.5, -0.25], [1.0, 0.0]])
    head = struct.pack("<HHIIHH", kind, 2, 44100, 0, 0, 32)
    head += b"" if kind == 3 else struct.pack("<HHIH", 22, 32, 0, 3) + bytes(14)
    body = b"WAVE" + b"odd " + struct.pack("<I", 3) + b"abc\0"
    body += b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", 16) + samples.tobytes()
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    read, rate = wav.read_wav(str(tmp_path / "a.wav"))
    assert rate == 44100
    np.testing.assert_array_equal(read, samples)


def test_wav_that_is_none(tmp_path):
    path = tmp_path / "a.wav"
    written(path, np.zeros((3, 1), int), 2)
    good = path.read_bytes()
    for content, message in [
        (b"text", "no WAV"),
        (good[:30], "truncated"),
        (good[:20] + b"\x07\0" + good[22:], "kind 7"),
        (good[:22] + b"\0\0" + good[24:], "0 channels"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            wav.read_wav(str(path))
    path.write_bytes(good[:-3])  # cut within a sample
    assert wav.read_wav(str(path))[0].shape == (1, 1)


def test_another_rate():
    time = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * 440 * time)[:, None].astype("float32")
    other = wav.resampled(tone, 8000, 11025)
    assert other.shape == (11025, 1)
    assert other.dtype == np.float32
    expected = np.sin(2 * np.pi * 440 * np.arange(11025) / 11025)
    np.testing.assert_allclose(other[200:-200, 0], expected[200:-200], atol=2e-3)
    assert wav.resampled(tone, 8000, 8000) is tone


# -- the bar ---------------------------------------------------------------------------------------------------------


def numbers(text):
    """The metrics in a line."""
    return {part.split(": ")[0]: float(part.split(": ")[1]) for part in text.strip().split(" - ") if ": " in part}


@pytest.mark.parametrize("names", [{}, {"stateful_metrics": ["a"]}, {"stateless_metrics": ["a"]}])
def test_the_means_of_the_bar_are_those_of_keras(names, monkeypatch):
    ours, theirs = keryx.utils.Progbar(10, interval=0, **names), keras.utils.Progbar(10, verbose=0, **names)
    shown = []
    monkeypatch.setattr(ours._progress, "update", lambda step, logs: shown.append((step, dict(logs))))
    monkeypatch.setattr(ours._progress, "end", lambda step, logs: shown.append((step, dict(logs))))
    for step, (a, b) in [(1, (1.0, 2.0)), (3, (5.0, 0.5)), (6, (2.0, 8.0)), (10, (7.0, 3.0))]:
        ours.update(step, [("a", a), ("b", b)])
        theirs.update(step, [("a", a), ("b", b)])
        expected = {name: np.mean(total) / max(1, count) for name, (total, count) in theirs._values.items()}
        assert shown[-1][0] == step
        assert shown[-1][1] == pytest.approx(expected)


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 1), (2, 1)])
def test_outside_a_terminal_the_bar_is_a_line(verbose, lines, capsys):
    bar = keryx.utils.Progbar(3, verbose=verbose, unit_name="sample")
    for loss in (3.0, 2.0, 1.5):
        bar.add(1, [("loss", loss)])
    out = capsys.readouterr().out
    assert out.count("\n") == lines
    if lines:
        assert "us/sample - 3 samples" in out
        assert numbers(out) == {"loss": 1.5}


def test_in_a_terminal_it_is_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    bar = keryx.utils.Progbar(4, width=8, interval=0)
    bar.update(1, [("loss", 1.0)])
    assert "1/4 ━━━━━━━━ " in sys.stdout.getvalue()
    bar = keryx.utils.Progbar(None, interval=0)
    bar.update(7)
    bar.update(9, finalize=True)
    assert "7/Unknown" in sys.stdout.getvalue()
    assert sys.stdout.getvalue().endswith("\n")


def test_the_bar_takes_one_list_of_names():
    with pytest.raises(ArgumentError, match="not both"):
        keryx.utils.Progbar(1, stateful_metrics=[], stateless_metrics=[])
