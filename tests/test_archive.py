"""Zip archives: what was written is read back, what could harm is refused."""

import random
import stat
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keryx.errors import FileError
from keryx.saving.archive import Archive, Writer, joined
from keryx.saving.limits import Budget


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.keras"


def packed(path, parts, method=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, data in parts:
            archive.writestr(name, data)
    return path


def test_written_and_read(path):
    with open(path, "wb") as file:
        writer = Writer(file)
        writer.add("config.json", b"{}")
        writer.add("assets/größe.txt", b"one", b"two")
        writer.close()
    archive = Archive(path)
    assert {name: bytes(archive[name]) for name in archive} == {"config.json": b"{}", "assets/größe.txt": b"onetwo"}
    assert archive.check("config.json")
    assert zipfile.ZipFile(path).testzip() is None


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_zipfile_writes(path, method):
    archive = Archive(packed(path, [("a/", b""), ("a/b", b"x" * 1000)], method))
    assert list(archive) == ["a/b"]
    assert bytes(archive["a/b"]) == b"x" * 1000


def test_a_flipped_bit_is_seen(path):
    packed(path, [("a", b"x" * 1000)])
    data = path.read_bytes().replace(b"xxx", b"xyx", 1)
    path.write_bytes(data)
    assert not Archive(path).check("a")


NAMES = ["../a", "a/../../b", "/etc/passwd", "a//b", "C:/a", "a\\..\\b", "./a", "a\nb", "a\x01b"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere(path, name):
    with pytest.raises(FileError, match="could lead out"):
        Archive(packed(path, [(name, b"x")]))


def test_twice(path):
    with pytest.raises(FileError, match="stands there twice"):
        Archive(packed(path, [("a", b"x"), ("a", b"y")]))


def test_symbolic_link(path):
    link = zipfile.ZipInfo("a")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(FileError, match="symbolic link"):
        Archive(packed(path, [(link, b"/etc/passwd")]))


def test_encrypted(path):
    packed(path, [("a", b"x")])
    data = bytearray(path.read_bytes())
    for at in (6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="encrypted"):
        Archive(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(path, method):
    with pytest.raises(FileError, match="packed by method"):
        Archive(packed(path, [("a", b"x")], method))


def test_bomb(path):
    packed(path, [("a", bytes(2**22))], zipfile.ZIP_DEFLATED)
    with pytest.raises(FileError, match=r"would take 4,194,304 bytes"):
        Archive(path, Budget(nbytes=2**20))["a"]


def test_a_bomb_that_says_it_is_small(path):
    packed(path, [("a", bytes(2**22))], zipfile.ZIP_DEFLATED)
    size, small = (2**22).to_bytes(4, "little"), (100).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, small))
    with pytest.raises(FileError, match="another length"):
        Archive(path, Budget(nbytes=2**20))["a"]


def test_shared_bytes(path):
    """Two parts of the list that are the same part of the file."""
    packed(path, [("a", b"x" * 50), ("b", b"x" * 50)])
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = bytes(4)  # where it begins
    path.write_bytes(data)
    with pytest.raises(FileError, match="share bytes"):
        Archive(path)


def test_no_archive(path):
    with pytest.raises(FileError, match="There is no file"):
        Archive(path)
    for data in (b"", b"PK\x03\x04", b"x" * 1000):
        path.write_bytes(data)
        with pytest.raises(FileError, match="is no archive"):
            Archive(path)


def test_truncated(path):
    data = packed(path, [("a", b"x" * 1000), ("b", b"y")]).read_bytes()
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        with pytest.raises(FileError):
            Archive(path)


def test_mutants(path):
    whole = packed(path, [("config.json", b'{"a": 1}' * 9), ("model.weights.h5", b"xyz" * 99)], 8).read_bytes()
    dice = random.Random(0)
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 1, 2, 8))):
            data[dice.randrange(len(data))] = dice.choice((0, 1, 255, 127, 128, dice.randrange(256)))
        path.write_bytes(data)
        try:
            archive = Archive(path, Budget(nbytes=2**24))
            for name in archive:
                archive.check(name)
        except FileError:
            pass


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_checksums_of_pieces_are_joined(first, second):
    assert joined(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_parts_written_in_pieces_are_read_by_zipfile(tmp_path):
    array = np.arange(200_000, dtype="float32")
    with open(tmp_path / "a.zip", "w+b") as file:
        writer = Writer(file)
        writer.add("names/ä.txt", b"")
        with writer.part("arrays") as part:
            part.write(b"head")
            part.write(array, lambda: zlib.crc32(array))
            part.write(array[:3])
        with pytest.raises(FileError, match="already"):
            writer.add("arrays", b"")
        writer.close()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["names/ä.txt", "arrays"]
        assert archive.read("arrays") == b"head" + array.tobytes() + array[:3].tobytes()
    own = Archive(tmp_path / "a.zip")
    assert own.check("arrays")
    assert bytes(own["names/ä.txt"]) == b""
