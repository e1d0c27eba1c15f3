"""The folder of compiled programs: bounded, private, and no trouble when it is broken, full, read-only or shared."""

import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import jax
import pytest

from keryx import config
from keryx.errors import ConfigError
from keryx.runtime import cache

ROOT = Path(__file__).resolve().parents[1]
TRAIN = """
import json, warnings
import jax, numpy as np, keryx
counts = {}
jax.monitoring.register_event_listener(lambda name, **_: counts.update({name: counts.get(name, 0) + 1}))
jax.jit(lambda x: x * 2)(np.ones(3))  # somebody else's
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    model = keryx.Sequential([keryx.Input((3,)), keryx.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
jax.jit(lambda x: x * 3)(np.ones(3))
here = keryx.runtime.report()
hits, misses = (counts.get(f"/jax/compilation_cache/cache_{what}", 0) for what in ("hits", "misses"))
print(json.dumps([hits, misses, here.cache, here.cache_reason, [str(w.message)[:40] for w in seen]]))
"""


def train(folder, **environment):
    """Hits, misses, the folder, the reason and the warnings of a process that trains."""
    environment = {"KERYX_COMPILATION_CACHE": str(folder), "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", TRAIN]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder in which a process has left its programs."""
    folder = tmp_path_factory.mktemp("filled")
    _, misses, here, *_ = train(folder)
    assert misses == len(list(Path(here).glob("*-cache"))) > 0
    return folder


@pytest.fixture
def asked():
    """The choice as it was, put back."""
    before = config.compilation_cache()
    yield
    config._cache = before


def test_the_next_process_finds_all_and_others_programs_are_not_kept(filled):
    hits, misses, here, reason, warned = train(filled)
    assert hits > 0
    assert (misses, reason, warned) == (0, "", [])
    assert not list(Path(here).glob("*lambda*"))


def test_unfinished_and_broken_entries_are_compiled_again(filled, tmp_path):
    *_, here, _, _ = train(tmp_path)
    first, second, third, *_ = sorted(Path(here).glob("*-cache"))
    first.write_bytes(first.read_bytes()[:-7])
    second.write_bytes(b"")
    third.write_bytes(b"x" + bytes(range(1, 256)))
    hits, misses, *_ = train(tmp_path)
    assert hits > 0
    assert misses >= 2
    assert len(first.read_bytes()) > 7


def test_a_bit_that_flips_after_an_entry_was_checked_costs_no_more_than_time(tmp_path):
    *_, here, _, _ = train(tmp_path)
    train(tmp_path)
    entry = max(Path(here).glob("*-cache"), key=lambda path: path.stat().st_size)
    data, times = bytearray(entry.read_bytes()), (entry.stat().st_atime, entry.stat().st_mtime - 60)
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    os.utime(entry, times)
    hits, _, _, reason, warned = train(tmp_path)
    assert hits > 0
    assert (reason, warned) == ("", [])


def test_an_entry_that_another_is_just_writing_is_no_matter(tmp_path, asked):
    config.set_compilation_cache(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        with cache.lent():
            assert jax.jit(times_nineteen)(2.0) == 38
            (entry,) = cache.place().folder.glob("*times_nineteen*-cache")
            for written in (b"", entry.read_bytes()[:-9]):
                entry.write_bytes(written)
                jax.clear_caches()
                assert jax.jit(times_nineteen)(2.0) == 38
            with pytest.raises(UserWarning, match="another"):
                warnings.warn("of another kind", stacklevel=1)
        assert warnings.filters == filters


def times_nineteen(x):
    return x * 19


def test_the_least_recently_used_go_above_the_limit(tmp_path):
    entries = [tmp_path / f"{i}-cache" for i in range(6)]
    for i, entry in enumerate(entries):
        entry.write_bytes(bytes([0x28]) * 1000)
        os.utime(entry, (1000 + i, 1000 + i))
    os.utime(entries[0], (5000, 1000))  # used since it was written
    (tmp_path / "a file of the user's").write_bytes(bytes(9999))
    cache._sweep(tmp_path, 3500)
    assert sorted(path.name for path in tmp_path.glob("*-cache")) == ["0-cache", "4-cache", "5-cache"]
    assert (tmp_path / "a file of the user's").exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    *_, here, reason, warned = train(tmp_path / "file" / "within")
    assert here is None
    assert reason.startswith("NotADirectoryError: ")
    assert not warned


def test_a_process_without_a_home(tmp_path):
    _, misses, here, *_ = train("", HOME="/nowhere/at/all", XDG_CACHE_HOME=str(tmp_path / "new" / "home"))
    assert misses > 0
    assert Path(here).is_relative_to(tmp_path / "new" / "home" / "keryx" / "compiled")


def test_a_folder_that_can_only_be_read_serves_and_is_not_written(filled, asked, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anywhere
    found = cache._prepared(str(filled), 2**30)
    assert (found.writes, found.reason) == (False, "it can only be read")
    check_that_nothing_is_written(found)


def test_a_full_disk_is_not_written_to(filled, asked, monkeypatch):
    monkeypatch.setattr(cache, "SPARE_BYTES", 2**62)
    found = cache._prepared(str(filled), 2**30)
    assert (found.writes, found.reason) == (False, "the disk is full")
    check_that_nothing_is_written(found)


def check_that_nothing_is_written(found):
    config.set_compilation_cache(found.folder.parent)
    cache._places[config.compilation_cache()] = found
    before = set(found.folder.iterdir())
    with cache.lent():
        jax.jit(lambda x: x * 17 - 3)(1.0)
    assert set(found.folder.iterdir()) == before
    del cache._places[config.compilation_cache()]


def test_a_folder_that_others_can_write_to_is_not_trusted_unless_it_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache._prepared("auto", 2**30).folder
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    assert "can be written by others" in cache._prepared("auto", 2**30).reason
    assert cache._prepared(str(folder.parent), 2**30).writes


def test_each_kind_of_processor_has_a_folder_of_its_own(tmp_path, monkeypatch):
    here = cache._prepared(str(tmp_path), 2**30).folder
    told = {"flags : avx avx2": 0, "flags : avx": 0, "Features : neon": 0}
    for text in told:
        monkeypatch.setattr(Path, "read_text", lambda path, text=text: f"processor : 0\n{text}\n")
        told[text] = cache._prepared(str(tmp_path), 2**30).folder
    assert len({here, *told.values()}) == 4


def test_the_cache_that_a_process_has_of_its_own_serves(tmp_path):
    _, _, here, reason, _ = train(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"))
    assert here == str(tmp_path / "theirs")
    assert reason == "JAX's own, which the process has set"
    assert not list((tmp_path / "ours").glob("*/*-cache"))


def test_blocks_within_blocks_and_in_threads_put_the_settings_back(tmp_path, asked):
    config.set_compilation_cache(tmp_path)
    before = {name: getattr(jax.config, name) for name in cache._SETTINGS}
    inside = threading.Barrier(4)

    def use():
        with cache.lent():
            inside.wait()
            with cache.lent():
                assert jax.config.jax_compilation_cache_dir == str(cache.place().folder)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not cache.borrowed()
    assert {name: getattr(jax.config, name) for name in cache._SETTINGS} == before


def test_the_limit_is_checked_the_same_way_from_the_environment(monkeypatch, asked):
    for bad in ("many", "0", "-1", "1.5"):
        with pytest.raises(ConfigError, match=f"max_bytes is an integer of bytes above 0; got '{bad}'"):
            config.set_compilation_cache(None, bad)
        monkeypatch.setattr(config, "_cache", None)
        monkeypatch.setenv("KERYX_COMPILATION_CACHE_BYTES", bad)
        with pytest.raises(ConfigError, match=f"KERYX_COMPILATION_CACHE_BYTES is an integer .*; got '{bad}'"):
            config.compilation_cache()
