from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tunesmith.data.cache import FeatureCache, default_limit, home
from tunesmith.errors import ConfigError, DataError


def put(cache: FeatureCache, key: str | None, size: int, age: float = 0) -> Path:
    path = cache.put(key, lambda path: path.write_bytes(b"x" * size))
    used = time.time() - age
    os.utime(path, (used, used))
    return path


def test_home_is_the_variable_or_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.delenv("TUNESMITH_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert home() == tmp_path / "xdg" / "tunesmith"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert home() == Path.home() / "Library" / "Application Support" / "tunesmith"


def test_a_file_is_found_by_its_key_in_a_cache_opened_later(tmp_path: Path) -> None:
    assert FeatureCache(folder=tmp_path).get("a key / with signs") is None
    path = put(FeatureCache(folder=tmp_path), "a key / with signs", 3)
    assert FeatureCache(folder=tmp_path).get("a key / with signs") == path
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_without_a_key_equal_content_is_one_file(tmp_path: Path) -> None:
    cache = FeatureCache(folder=tmp_path)
    assert put(cache, None, 5) == put(cache, None, 5)
    assert put(cache, None, 6) != put(cache, None, 5)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = FeatureCache(limit_bytes=25, folder=tmp_path)
    put(cache, "old", 10, age=300)
    put(cache, "older", 10, age=200)
    assert cache.get("old") is not None  # used now: no longer the oldest
    put(cache, "new", 10)
    assert cache.get("older") is None
    assert cache.get("old") is not None
    assert cache.get("new") is not None


def test_a_file_larger_than_the_limit_is_kept_alone(tmp_path: Path) -> None:
    cache = FeatureCache(limit_bytes=5, folder=tmp_path)
    put(cache, "small", 3, age=9)
    assert put(cache, "large", 50).is_file()
    assert cache.get("small") is None


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    cache = FeatureCache(folder=tmp_path)
    path = put(cache, "key", 3)

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"No space left on device.*cache=False"):
        cache.put("key", fail)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"xxx"


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="the cache cannot be written"):
        put(FeatureCache(folder=tmp_path / "file" / "cache"), "key", 1)


def test_files_left_by_a_dead_process_go_and_those_of_a_live_one_stay(tmp_path: Path) -> None:
    dead, live = tmp_path / ".dead.tmp", tmp_path / ".live.tmp"
    dead.write_text("")
    live.write_text("")
    os.utime(dead, (0, 0))
    put(FeatureCache(folder=tmp_path), "key", 1)
    assert not dead.exists()
    assert live.exists()


def test_writers_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    cache = FeatureCache(limit_bytes=50, folder=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda n: cache.put(f"key{n % 4}", lambda path: path.write_bytes(b"y" * 20)), range(80)))
    # Writers at a limit of two files may each make room by the other's: what is left is whole, and the next one stays.
    last = cache.put("last", lambda path: path.write_bytes(b"y" * 20))
    left = {path for path in [*paths, last] if path.exists()}
    assert last in left
    assert all(path.read_bytes() == b"y" * 20 for path in left)
    assert not list(tmp_path.glob("*.tmp"))


def test_the_limit_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNESMITH_CACHE_GB", raising=False)
    assert default_limit() == 10 * 2**30
    monkeypatch.setenv("TUNESMITH_CACHE_GB", "0.5")
    assert default_limit() == 2**29
    for bad in ("lots", "-1", "nan"):
        monkeypatch.setenv("TUNESMITH_CACHE_GB", bad)
        with pytest.raises(ConfigError, match="TUNESMITH_CACHE_GB"):
            default_limit()
