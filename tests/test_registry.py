"""Names lead to members; what is not a name gets the nearest one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunesmith.errors import DataError, UnknownName
from tunesmith.registry import Registry, frameworks, tasks

COLOURS = Registry("colour", {"dark-red": "tunesmith.errors:DataError", "blue": "os.path:sep"}, {"crimson": "dark-red"})


@pytest.mark.parametrize("name", ["dark-red", "dark_red", " Dark-Red ", "crimson", "CRIMSON"])
def test_spelling_and_aliases_lead_to_one_name(name: str) -> None:
    assert COLOURS.resolve(name) == "dark-red"


def test_a_member_is_imported_when_asked_for() -> None:
    assert COLOURS.get("crimson") is DataError
    assert COLOURS.get("blue") == os.path.sep


def test_an_unknown_name_names_the_nearest_and_all() -> None:
    with pytest.raises(UnknownName) as caught:
        COLOURS.resolve("dark red!")
    assert str(caught.value) == "unknown colour 'dark red!'. Did you mean 'dark-red'? Known: dark-red, blue, crimson."


def test_members_of_other_packages_come_by_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "paints-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: paints\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[tunesmith.colours]\nviolet = os.path:sep\nblue = os:linesep\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert COLOURS.names() == ("dark-red", "blue", "violet")
    assert COLOURS.resolve("Violet") == "violet"
    assert COLOURS.get("violet") == os.path.sep
    assert COLOURS.get("blue") == os.path.sep, "a stranger does not replace a member of ours"


@pytest.mark.parametrize("name", tasks.members)
def test_every_task_is_there_under_its_own_name(name: str) -> None:
    assert tasks.get(name).name == name


@pytest.mark.parametrize("name", frameworks.members)
def test_every_framework_is_there_under_its_own_name(name: str) -> None:
    assert frameworks.get(name).name == name


@pytest.mark.parametrize("registry", [tasks, frameworks], ids=lambda r: r.kind)
def test_aliases_lead_to_members_and_hide_none(registry: Registry) -> None:
    assert set(registry.aliases.values()) <= set(registry.members)
    assert not set(registry.aliases) & set(registry.members)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("text2text", "sequence-sequence"),
        ("ner", "token-classification"),
        ("summarization", "sequence-sequence"),
        ("fill-mask", "language-modeling"),
        ("text-generation", "language-generation"),
        ("Text_Classification", "text-classification"),
        ("named-entity-recognition", "token-classification"),
        ("sentiment", "text-classification"),
        ("sentiment-analysis", "text-classification"),
        ("multi_label_classification", "text-classification"),
        ("text-regression", "text-classification"),
        ("lm", "language-modeling"),
        ("masked-lm", "language-modeling"),
        ("masked-language-modeling", "language-modeling"),
        ("causal-language-modeling", "language-generation"),
        ("translation_en_to_de", "sequence-sequence"),
        ("translation_eng_Latn_to_zh-CN", "sequence-sequence"),
    ],
)
def test_names_of_the_wider_field_are_aliases(alias: str, name: str) -> None:
    assert tasks.resolve(alias) == name


@pytest.mark.parametrize("name", ["translation_en_de", "translation_to_de", "translation_en_to_german"])
def test_a_translation_of_no_two_language_codes_is_unknown(name: str) -> None:
    with pytest.raises(UnknownName, match="unknown task 'translation"):
        tasks.resolve(name)


def test_an_unknown_task_is_never_taken_for_classification() -> None:
    with pytest.raises(UnknownName) as caught:
        tasks.resolve("token-clasification")
    assert "unknown task 'token-clasification'. Did you mean 'token-classification'?" in str(caught.value)


def test_an_alias_may_imply_settings() -> None:
    assert tasks.settings_of(" Regression") == tasks.settings_of("text_regression") == {"label_kind": "regression"}
    assert tasks.settings_of("multi_label_classification") == {"label_kind": "multi"}
    assert tasks.settings_of("text-classification") == tasks.settings_of("no task") == {}


def test_an_alias_with_settings_is_offered_after_the_name_that_it_leads_to() -> None:
    offered = frameworks.offered()
    assert offered[:2] == ("transformers", "peft")
    assert tuple(name for name in offered if name != "peft") == frameworks.names()
