"""get_file against servers that cut, lie and fail, and archives that want out of their folder."""

import hashlib
import io
import os
import tarfile
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from serving import Files, serving

import keryx
from keryx.errors import ArgumentError, FileError
from keryx.saving import limits
from keryx.utils import get_file
from keryx.utils.files import extraction, transfer

DATA = np.random.default_rng(0).bytes(30_000)
SHA, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(transfer, "_SECONDS_BETWEEN_TRIES", (0, 0))
    return tmp_path / "home" / "datasets"


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "hashes",
    [
        {},
        {"file_hash": SHA},
        {"file_hash": SHA.upper()},
        {"md5_hash": MD5},
        {"file_hash": MD5, "hash_algorithm": "md5"},
    ],
)
def test_it_is_fetched_once(at_home, hashes, capsys):
    with serving(Files({"/a.bin": DATA})) as files:
        for _ in range(2):
            path = get_file(origin=files.url + "a.bin", **hashes)
    assert path == str(at_home / "a.bin")
    assert Path(path).read_bytes() == DATA
    assert len(files.asked) == 1
    assert left(at_home) == ["a.bin"]
    out = capsys.readouterr().out
    assert out.count("Downloading data from") == 1
    assert "30 kilobytes" in out


def test_it_is_told_to_the_log_where_that_is_wished(at_home, capsys, caplog):
    keryx.config.disable_interactive_logging()
    try:
        with serving(Files({"/a.bin": DATA})) as files, caplog.at_level("INFO", "keryx"):
            get_file(origin=files.url + "a.bin")
    finally:
        keryx.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert "Downloading data from" in caplog.text


def test_places(tmp_path):
    with serving(Files({"/a.bin": DATA})) as files:
        url = files.url + "a.bin?version=1#top"
        assert get_file(origin=url) == str(tmp_path / "home/datasets/a.bin")
        assert get_file("b", url, cache_dir=tmp_path / "c", cache_subdir="d/e") == str(tmp_path / "c/d/e/b")
        assert get_file("b", url, cache_subdir=str(tmp_path / "f")) == str(tmp_path / "f/b")


def test_the_home_without_an_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("a")
    assert get_file(origin=(tmp_path / "a.txt").as_uri()) == str(tmp_path / ".keryx/datasets/a.txt")


def test_force(at_home):
    with serving(Files({"/a.bin": DATA})) as files:
        get_file(origin=files.url + "a.bin")
        files.files["/a.bin"] = DATA[::-1]
        get_file(origin=files.url + "a.bin", force_download=True)
    assert (at_home / "a.bin").read_bytes() == DATA[::-1]


@pytest.mark.parametrize("hashes", [{}, {"file_hash": SHA}])
@pytest.mark.parametrize("tag", ['"1"', None])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_is_taken_up(at_home, hashes, tag, ranges):
    with serving(Files({"/a.bin": DATA}, cuts=[7_000, 5_000], ranges=ranges, tag=tag)) as files:
        path = get_file(origin=files.url + "a.bin", **hashes)
    assert Path(path).read_bytes() == DATA
    assert left(at_home) == ["a.bin"]
    can_tell = tag is not None or bool(hashes)
    assert files.asked[0] is None
    assert files.asked[1] == ("bytes=7000-" if can_tell else None)
    if can_tell and ranges:
        assert files.asked == [None, "bytes=7000-", "bytes=12000-"]


def test_the_next_call_goes_on(at_home):
    with serving(Files({"/a.bin": DATA}, cuts=[9_000, 0, 0, 0])) as files:
        with pytest.raises(FileError, match=r"ended after 9,000 of 30,000 bytes.*the next call goes on from there"):
            get_file(origin=files.url + "a.bin")
        assert left(at_home) == [".a.bin.part", ".a.bin.part.json"]
        get_file(origin=files.url + "a.bin")
    assert files.asked[-1] == "bytes=9000-"
    assert (at_home / "a.bin").read_bytes() == DATA
    assert left(at_home) == ["a.bin"]


def test_ctrl_c_keeps_what_has_come(at_home, monkeypatch):
    def interrupted(progress, step, logs):
        if step >= 4:
            raise KeyboardInterrupt

    with serving(Files({"/a.bin": DATA}, pause=0.001)) as files:
        with monkeypatch.context() as patch:
            patch.setattr(transfer.Progress, "update", interrupted)
            with pytest.raises(KeyboardInterrupt):
                get_file(origin=files.url + "a.bin")
        size = (at_home / ".a.bin.part").stat().st_size
        get_file(origin=files.url + "a.bin")
    assert size >= 4000
    assert files.asked == [None, f"bytes={size}-"]
    assert (at_home / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("hashes", [{}, {"file_hash": hashlib.sha256(DATA[::-1]).hexdigest()}])
def test_no_two_files_are_joined(at_home, hashes):
    with serving(Files({"/a.bin": DATA}, cuts=[9_000, 0, 0])) as files:
        with pytest.raises(FileError):
            get_file(origin=files.url + "a.bin", **hashes)
        files.files["/a.bin"], files.tag = DATA[::-1], '"2"'
        get_file(origin=files.url + "a.bin", **hashes)
    assert (at_home / "a.bin").read_bytes() == DATA[::-1]


def test_a_server_that_does_not_tell_is_not_believed_without_a_checksum(at_home):
    hashes = {"file_hash": hashlib.sha256(DATA[::-1]).hexdigest()}
    with serving(Files({"/a.bin": DATA}, cuts=[9_000, 0, 0], tag=None)) as files:
        with pytest.raises(FileError):
            get_file(origin=files.url + "a.bin", **hashes)
        files.files["/a.bin"] = DATA[::-1]
        get_file(origin=files.url + "a.bin", **hashes)  # goes on, finds it wrong, and begins again
    assert files.asked[-2:] == ["bytes=9000-", None]
    assert (at_home / "a.bin").read_bytes() == DATA[::-1]


def test_another_part_than_was_asked_for(at_home):
    with serving(Files({"/a.bin": DATA}, cuts=[9_000], wrong_part=True)) as files:
        get_file(origin=files.url + "a.bin")
    assert (at_home / "a.bin").read_bytes() == DATA
    assert files.asked[-1] is None


def test_a_part_that_is_all_there(at_home):
    with serving(Files({"/a.bin": DATA}, cuts=[9_000, 0, 0])) as files:
        with pytest.raises(FileError):
            get_file(origin=files.url + "a.bin")
        (at_home / ".a.bin.part").write_bytes(DATA + b"more")
        get_file(origin=files.url + "a.bin")
    assert (at_home / "a.bin").read_bytes() == DATA


def test_cuts_without_end(at_home):
    cuts = [7_000, 8_000, 7_000, 8_000, 7_000, 8_000, 7_000]
    with (
        serving(Files({"/a.bin": DATA}, cuts=cuts, ranges=False)) as files,
        pytest.raises(FileError, match="ended after"),
    ):
        get_file(origin=files.url + "a.bin")
    assert len(files.asked) == 4


def test_lengths_that_are_not_said(at_home):
    with serving(Files({"/a.bin": DATA}, said=False)) as files:
        get_file(origin=files.url + "a.bin")
    assert (at_home / "a.bin").read_bytes() == DATA


def test_a_slow_server(at_home, monkeypatch):
    monkeypatch.setattr(transfer, "_SECONDS_OF_SILENCE", 0.2)
    with serving(Files({"/a.bin": DATA}, pause=0.02)) as files:  # slow, but never silent
        get_file(origin=files.url + "a.bin")
    assert len(files.asked) == 1
    with serving(Files({"/b.bin": DATA}, pause=0.5, tag=None)) as files, pytest.raises(FileError, match="timed out"):
        get_file(origin=files.url + "b.bin")
    assert not (at_home / "b.bin").exists()


def test_wrong_checksums(at_home):
    with serving(Files({"/a.bin": DATA})) as files:
        with pytest.raises(FileError, match=f"has the sha256 {SHA}, where {'0' * 64} was expected"):
            get_file(origin=files.url + "a.bin", file_hash="0" * 64)
        assert left(at_home) == []
        (at_home / "a.bin").write_bytes(b"old")
        with pytest.raises(FileError, match="expected"):
            get_file(origin=files.url + "a.bin", file_hash="0" * 32)
        assert (at_home / "a.bin").read_bytes() == b"old"
        get_file(origin=files.url + "a.bin", file_hash=SHA)
    assert (at_home / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 3)])
def test_refusals(at_home, status, tries):
    with serving(Files({"/a.bin": DATA}, failures=[status] * 3)) as files:
        with pytest.raises(FileError, match=f"the server answers {status}") as error:
            get_file(origin=files.url + "a.bin")
        assert len(files.asked) == tries
    assert f"place it as {at_home / 'a.bin'}" in str(error.value)
    assert left(at_home) == []


def test_failures_that_pass(at_home):
    with serving(Files({"/a.bin": DATA}, failures=[500, 503])) as files:
        assert Path(get_file(origin=files.url + "a.bin")).read_bytes() == DATA


def test_no_network(at_home):
    with serving(Files({})) as files:
        pass
    with pytest.raises(FileError, match=r"refused.*no network.*place it as .*a\.bin\. KERAS_HOME=~/\.keras"):
        get_file(origin=files.url + "a.bin", file_hash=SHA)
    at_home.joinpath("a.bin").write_bytes(DATA)
    assert get_file(origin=files.url + "a.bin", file_hash=SHA) == str(at_home / "a.bin")


def test_redirects(at_home):
    with serving(Files({"/b.bin": DATA})) as there, serving(Files({}, to=there.url + "b.bin")) as here:
        get_file(origin=here.url + "a.bin")
    assert (at_home / "a.bin").read_bytes() == DATA
    with (
        serving(Files({}, to="file:///etc/passwd")) as here,
        pytest.raises(FileError, match="not allowed"),
    ):
        get_file(origin=here.url + "c.bin")
    request = transfer.urllib.request.Request("https://a.b/c")
    with pytest.raises(FileError, match="not as safe"):
        transfer._NoLesserRedirect().redirect_request(request, None, 302, "", {}, "http://a.b/c")


def test_two_at_once(at_home):
    with serving(Files({"/a.bin": DATA}, pause=0.005)) as files:
        threads = [threading.Thread(target=get_file, kwargs={"origin": files.url + "a.bin"}) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(files.asked) == 1
    assert (at_home / "a.bin").read_bytes() == DATA
    assert left(at_home) == ["a.bin"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origin": None}, "origin="),
        ({"origin": "http://127.0.0.1/"}, "fname="),
        ({"fname": "a/b"}, "cache_subdir="),
        ({"fname": ".."}, "without folders"),
        ({"origin": "ftp://127.0.0.1/a"}, "https, http and file"),
        ({"file_hash": "ab"}, "64 hexadecimal digits"),
        ({"file_hash": SHA, "hash_algorithm": "md5"}, "hash_algorithm='md5'"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ArgumentError, match=message):
        get_file(**({"origin": "http://127.0.0.1:9/a"} | options))


def test_http_without_a_checksum_warns():
    with pytest.warns(UserWarning, match="take https"), pytest.raises(FileError):
        get_file(origin="http://name.invalid/a")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="KERAS_HOME"):
        get_file(origin="http://127.0.0.1:9/a", cache_dir=tmp_path / "file")


# -- archives --------------------------------------------------------------------------------------------------------


def tar(path, *members, mode="w"):
    """A tar of (name, content or kind, link)."""
    with tarfile.open(path, mode) as archive:
        for name, content, *link in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes) and not link:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, link[0]
                archive.addfile(info)


def zipped(path, *members, mode=0):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_unpacked_as_keras_unpacks(tmp_path, kind):
    members = [("a.txt", b"a"), ("b/c.bin", DATA), ("b/d/e", b"")]
    path = tmp_path / "archive.bin"
    zipped(path, *members) if kind == "zip" else tar(path, *members, mode=kind)
    for given in ({}, {"fname": "name"}, {"fname": "name.tar.gz"}):
        options = given | {"origin": path.as_uri(), "extract": True, "cache_dir": tmp_path / "ours"}
        ours = Path(get_file(**options))
        theirs = Path(keras.utils.get_file(**options | {"cache_dir": _made(tmp_path / "theirs")}))
        assert ours.relative_to(tmp_path / "ours") == theirs.relative_to(tmp_path / "theirs")
        for name, content in members:
            assert (ours / name).read_bytes() == content == (theirs / name).read_bytes()
        assert left(ours.parent) == left(theirs.parent)


def _made(folder):
    folder.mkdir(exist_ok=True)
    return folder


def test_unpacked_once_and_again_where_the_archive_is_newer(tmp_path):
    tar(tmp_path / "a.tar", ("x", b"1"))
    options = {"fname": "a", "origin": (tmp_path / "a.tar").as_uri(), "untar": True}
    folder = Path(get_file(**options))
    (folder / "mine").write_text("mine")
    get_file(**options)
    assert left(folder) == ["mine", "x"]
    tar(folder.parent / "a_archive", ("x", b"2"))
    now = time.time() + 10
    os.utime(folder.parent / "a_archive", (now, now))
    get_file(**options)
    assert left(folder) == ["x"]
    assert (folder / "x").read_bytes() == b"2"


OUTSIDE = [
    ("../evil", b"x"),
    ("a/../../evil", b"x"),
    ("/tmp/keryx-evil", b"x"),
    ("link", tarfile.SYMTYPE, "../evil"),
    ("link", tarfile.SYMTYPE, "/etc/passwd"),
    ("link", tarfile.LNKTYPE, "../evil"),
    ("link", tarfile.LNKTYPE, "/etc/passwd"),
    ("link", tarfile.SYMTYPE, "."),
    ("link", tarfile.SYMTYPE, "link"),
    ("fifo", tarfile.FIFOTYPE, ""),
    ("device", tarfile.CHRTYPE, ""),
    ("device", tarfile.BLKTYPE, ""),
]


@pytest.mark.parametrize("member", OUTSIDE, ids=lambda member: f"{member[0]} {member[2:]}")
def test_tars_that_want_out(tmp_path, member):
    tar(tmp_path / "a.tar", ("good", b"good"), member)
    with pytest.raises(FileError, match=f"'{member[0]}' in .*a.tar"):
        extraction.extract(tmp_path / "a.tar", tmp_path / "a")
    assert left(tmp_path) == ["a.tar"]


def test_a_link_to_a_folder_outside_and_a_file_in_it(tmp_path):
    (tmp_path / "outside").mkdir()
    tar(tmp_path / "a.tar", ("x", tarfile.SYMTYPE, str(tmp_path / "outside")), ("x/evil", b"x"))
    with pytest.raises(FileError, match=r"'x' in .*a link to"):
        extraction.extract(tmp_path / "a.tar", tmp_path / "a")
    assert left(tmp_path / "outside") == []
    assert not (tmp_path / "a").exists()


def test_links_within_become_copies(tmp_path):
    members = [("b/x", b"x"), ("hard", tarfile.LNKTYPE, "b/x"), ("b/soft", tarfile.SYMTYPE, "../b/x")]
    tar(tmp_path / "a.tar", *members, ("early", tarfile.SYMTYPE, "late"), ("late", b"late"))
    extraction.extract(tmp_path / "a.tar", tmp_path / "a")
    for name, content in (("hard", b"x"), ("b/soft", b"x"), ("early", b"late")):
        path = tmp_path / "a" / name
        assert path.read_bytes() == content
        assert not path.is_symlink()
        assert path.stat().st_nlink == 1


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/keryx-evil"])
def test_zips_that_want_out(tmp_path, name):
    zipped(tmp_path / "a.zip", ("good", b"good"), (name, b"x"))
    with pytest.raises(FileError, match=f"'{name}' in .*a.zip"):
        extraction.extract(tmp_path / "a.zip", tmp_path / "a")
    assert left(tmp_path) == ["a.zip"]


def test_zips_with_links(tmp_path):
    zipped(tmp_path / "a.zip", ("link", b"/etc/passwd"), mode=0o120777)
    with pytest.raises(FileError, match=r"'link' in .* is a symbolic link"):
        extraction.extract(tmp_path / "a.zip", tmp_path / "a")


@pytest.mark.parametrize("make", [tar, zipped])
def test_archives_that_are_wrong_in_other_ways(tmp_path, make):
    path = tmp_path / "a"
    make(path, ("x", b"1"), ("x/y", b"2"))
    with pytest.raises(FileError, match=r"'x/y' in .* stands where another member"):
        extraction.extract(path, tmp_path / "b")
    assert left(tmp_path) == ["a"]


def test_archives_that_unpack_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "UNPACKED_BYTES", 2**20)
    zipped(tmp_path / "a.zip", ("x", bytes(3 * 2**20)))
    tar(tmp_path / "a.tgz", ("x", bytes(2**20)), ("y", bytes(2**20)), mode="w:gz")
    for name in ("a.zip", "a.tgz"):
        with pytest.raises(FileError, match="no honest file"):
            extraction.extract(tmp_path / name, tmp_path / "b")
    tar(tmp_path / "a.tar", ("x", DATA))
    monkeypatch.setattr(extraction.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(FileError, match="more than the 1,000 bytes that are free"):
        extraction.extract(tmp_path / "a.tar", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_truncated_archives(tmp_path):
    tar(tmp_path / "a", ("x", DATA), ("y", DATA), mode="w:gz")
    whole = (tmp_path / "a").read_bytes()
    for length in (len(whole) // 3, len(whole) - 100):
        (tmp_path / "a").write_bytes(whole[:length])
        with pytest.raises(FileError, match="damaged or truncated"):
            extraction.extract(tmp_path / "a", tmp_path / "b")
    tar(tmp_path / "a", ("x", DATA), ("y", DATA))
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:31_000])  # within the head of the second
    with pytest.raises(FileError, match="truncated after 30,720 bytes"):
        extraction.extract(tmp_path / "a", tmp_path / "b")
    for content in (b"text", b"", whole[:20]):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(FileError, match="no tar or zip archive"):
            extraction.extract(tmp_path / "a", tmp_path / "b")
    with pytest.raises(ArgumentError, match="archive_format"):
        extraction.extract(tmp_path / "a", tmp_path / "b", "rar")
    assert left(tmp_path) == ["a"]
