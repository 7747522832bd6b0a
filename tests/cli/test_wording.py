"""Errors speak of flags on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith.cli import main
from tunesmith.cli.wording import as_flags


@pytest.mark.parametrize(
    ("python", "flags"),
    [
        ("say label_kind='multi' if so", "say --label-kind multi if so"),
        ("save_strategy='steps' or 'epoch'", "--save-strategy steps or 'epoch'"),
        (
            "Say it with columns={'text': …, 'label': …} or a tuple (text, pair, label).",
            "Say it with --columns text=…,label=….",
        ),
        ("or train without `checkpoint`.", "or train without `--checkpoint`."),
        ("precision=fp32 for none", "--precision fp32 for none"),
        ("text=review and `merge_adapter` stay; --seed=0 too", "text=review and `merge_adapter` stay; --seed=0 too"),
    ],
)
def test_settings_are_told_as_flags(python: str, flags: str) -> None:
    assert as_flags(python) == flags


def test_a_column_that_is_not_found_is_asked_for_by_its_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("txet,stars,lable\ngood,1,x\nbad,2,y\n")
    assert main(["train", str(tmp_path / "a.csv")]) in (1, 2)
    assert "Say it with --columns text=…,label=…." in capsys.readouterr().err
