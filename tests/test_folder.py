"""The folder of a run: whole files, events, silence where there is no path."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tunesmith.errors import ArtifactError
from tunesmith.folder import RunFolder, write_text


def test_events_reach_the_file_and_the_listener(tmp_path: Path) -> None:
    heard: list[tuple[str, dict[str, object]]] = []
    folder = RunFolder.create(tmp_path / "out", lambda kind, values: heard.append((kind, dict(values))))
    folder.event("train", step=1, loss=0.5)
    (line,) = (tmp_path / "out" / "events.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["kind"], told["step"], told["loss"]) == ("train", 1, 0.5)
    assert heard == [("train", {"step": 1, "loss": 0.5})]


def test_a_note_is_logged_and_heard_without_a_folder(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []
    caplog.set_level(logging.INFO, "tunesmith")
    RunFolder.create("", lambda kind, values: heard.append(kind)).note("said aloud")
    assert "said aloud" in caplog.text
    assert heard == ["note"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    path = tmp_path / "metrics.json"
    write_text(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactError, match="cannot be written: No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["metrics.json"]


def test_json_that_is_missing_or_broken_is_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(ArtifactError, match=r"has no metrics\.json"):
        folder.read_json("metrics.json")
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ArtifactError, match="is not valid JSON"):
        folder.read_json("metrics.json")


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = RunFolder.create(None)
    folder.event("train", step=1)
    folder.write_json("metrics.json", {})
    folder.write_text("config.yaml", "")
    assert list(tmp_path.iterdir()) == []
