"""Files are written whole or not at all: under errors, a full disk, kills, and by two writers at once."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import keryx
from keryx.errors import FileError
from keryx.saving import atomic
from keryx.saving.atomic import writing

OLD, NEW = b"old" * 1000, b"new" * 200_000


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(OLD)
    return path


def write(path, data=NEW):
    with writing(path) as file:
        file.write(data)


def alone(path):
    """Whether nothing lies beside a file."""
    return [p.name for p in path.parent.iterdir()] == [path.name]


def test_takes_the_place_of_the_old(target):
    with writing(target) as file:
        file.write(NEW)
        file.flush()
        assert target.read_bytes() == OLD
    assert target.read_bytes() == NEW
    assert alone(target)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_an_error_leaves_the_old(target, error):
    def fail():
        with writing(target) as file:
            file.write(NEW)
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_bytes() == OLD
    assert alone(target)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_named(target, monkeypatch, code):
    def full(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    why = "the disk is full" if code != errno.EIO else "Input/output error"
    with pytest.raises(FileError, match=f"could not be written: {why}. What was there before is untouched."):
        write(target)
    assert target.read_bytes() == OLD
    assert alone(target)


def test_a_file_that_may_not_grow(target):
    """The kernel itself ends the writing."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(FileError, match="could not be written: File too large"):
            write(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert target.read_bytes() == OLD
    assert alone(target)


def test_permissions_and_links_stay(target, tmp_path):
    target.chmod(0o640)
    link = tmp_path / "link.keras"
    link.symlink_to(target.name)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "b").write_bytes(NEW)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_where_nothing_can_be_written(tmp_path):
    with pytest.raises(FileError, match=r"there is no folder .*/none"):
        write(tmp_path / "none" / "a")
    with pytest.raises(FileError, match="is a folder"):
        write(tmp_path)


def test_two_writers(target):
    with writing(target) as first, writing(target) as second:
        first.write(NEW)
        second.write(OLD[:10])
    assert target.read_bytes() == NEW  # who is done last
    assert alone(target)


def test_what_a_killed_writer_left_is_swept(target):
    left = target.with_name(f".{target.name}.0123.unfinished")
    left.write_bytes(NEW)
    write(target)
    assert left.exists()  # it may have been begun just now
    os.utime(left, (0, 0))
    write(target)
    assert alone(target)


# Packages that are folders alone: what they import at their beginning would take seconds in each of the processes.
WRITER = """
import itertools, sys, types
for name, folder in (("keryx", sys.argv[2]), ("keryx.saving", sys.argv[2] + "/saving")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from keryx.saving import atomic
from keryx.saving.atomic import writing
print("begin", flush=True)
for i in itertools.count():
    with writing(sys.argv[1]) as file:
        for _ in range(20):
            file.write(bytes([i % 256]) * 10_000)
"""


def test_kills(target):
    """SIGKILL at random times; KERYX_KILLS says how many."""
    dice, seen = random.Random(0), set()
    for _ in range(int(os.environ.get("KERYX_KILLS", "30"))):
        command = [sys.executable, "-c", WRITER, target, Path(keryx.__file__).parent]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"begin\n"
        time.sleep(dice.random() * 0.05)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        data = target.read_bytes()
        assert data == OLD or (len(data) == 200_000 and len(set(data)) == 1)
        seen.add(data[:1])
    assert len(seen) > 1  # some were written


# -- folders -------------------------------------------------------------------------------------------------------


def fill(path, text):
    with atomic.writing_folder(path) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text(text)
        (folder / "b").write_text(text)


def held(path):
    return {(path / name).read_text() for name in ("b", "inner/a")}


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "model"
    fill(path, "old")
    return path


@pytest.fixture(params=["exchanged", "renamed"])
def way(request, monkeypatch):
    """With and without a system that can exchange two names."""
    if request.param == "renamed":
        monkeypatch.setattr(atomic, "_exchange", lambda a, b: False)


def test_a_folder_takes_the_place_of_the_old(whole, way):
    whole.chmod(0o750)
    link = whole.with_name("link")
    link.symlink_to(whole)
    fill(link, "new")
    assert held(whole) == {"new"}
    assert link.is_symlink()
    assert whole.stat().st_mode & 0o777 == 0o750
    link.unlink()
    assert alone(whole)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_error_leaves_the_old_folder(whole, error):
    def fail():
        with atomic.writing_folder(whole) as folder:
            (folder / "b").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert held(whole) == {"old"}
    assert alone(whole)


def test_a_folder_that_cannot_be_put_in_its_place_leaves_the_old(whole, monkeypatch):
    monkeypatch.setattr(atomic, "_exchange", lambda a, b: False)
    rename = Path.rename

    def refused(self, to):
        if Path(to) == whole and self.suffix != ".old":
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(FileError, match=r"the disk is full.* untouched"):
        fill(whole, "new")
    assert held(whole) == {"old"}
    assert alone(whole)


FILL = """
import sys, keryx
from pathlib import Path
from keryx.saving.atomic import writing_folder
for i in range(10**9):
    with writing_folder(sys.argv[1]) as folder:
        for name in "abcdefgh":
            (folder / name).write_text(str(i) * 10_000)
    print(i, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Names are exchanged on Linux; elsewhere it depends.")
def test_kills_while_a_folder_is_written(tmp_path):
    path, draw = tmp_path / "model", random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", FILL, path], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        texts = {(path / name).read_text() for name in "abcdefgh"}
        assert len(texts) == 1
        assert len(texts.pop()) >= 10_000
    for left in tmp_path.glob(".*"):
        os.utime(left, (0, 0))
    fill(path, "new")
    assert alone(path)
