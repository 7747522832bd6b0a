"""`tunesmith frameworks`: the matrix that it prints, its JSON, and the page of the docs that is made of it."""

import importlib.metadata
import json
import runpy
import tomllib
from pathlib import Path

import pytest

from tunesmith.cli import main
from tunesmith.cli.frameworks import HEADS
from tunesmith.frameworks.worker_environment import MARKER, Environment, names
from tunesmith.registry import frameworks, tasks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path))

    def run(*words):
        assert main(["frameworks", *words]) == 0
        return capsys.readouterr().out

    return run


def test_the_matrix_has_a_row_a_framework_and_a_mark_a_task(shown):
    table, _, _ = shown().split("\n\n")
    head, _, *rows = (line.split() for line in table.splitlines())
    assert head == [HEADS[task] for task in tasks.members]
    names = [row[0] for row in rows]
    assert names == [name for name in frameworks.offered() if frameworks.resolve(name) in frameworks.members]
    assert names[:2] == ["transformers", "peft"]
    for name, *found in rows:
        trains = frameworks.get(name).why_not
        assert found == ["✓" if trains(task) is None else "–" for task in tasks.members], name
    assert "baseline                            ✓    ✓" in table, "marks stand under the ends of their heads"


def test_it_fits_a_hundred_columns_and_says_a_reason_once(shown):
    out = shown()
    assert max(map(len, out.splitlines())) <= 100
    assert out.count("it classifies whole texts") == 1
    _, heads, lines = out.split("\n\n")
    assert "ner is token-classification" in heads
    assert "setfit: no other task: it classifies whole texts\n" in lines
    assert "spark-nlp: no other task: it learns classes of texts and tags of words; it trains where its JVM" in lines
    assert "spacy-transformers: no other task: no component of spaCy learns it" in lines
    assert "transformers: no sts: no model head of transformers is set up for sentence-similarity\n" in lines


def test_the_heads_are_names_that_a_task_takes():
    assert {task: tasks.resolve(head) for task, head in HEADS.items()} == {task: task for task in tasks.members}


def test_it_tells_where_an_environment_is_or_how_it_is_made(shown):
    assert "tunesmith frameworks install span-marker" in shown()
    folder = Environment("span-marker").folder
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    out = shown()
    assert "install span-marker" not in out
    assert f"its environment is {folder}" in " ".join(out.split())


def test_it_tells_whose_packages_are_not_here(shown, monkeypatch):
    said = {"setfit": ["setfit", "sentence-transformers"], "peft": ["peft"], "spacy": ["spacy"], "dev": ["mypy"]}
    lines = ["torch>=2.10", *(f"{each}>=1,<9; extra == '{extra}'" for extra, names in said.items() for each in names)]
    here = {"sentence-transformers", "spacy"}
    found = importlib.metadata.distributions
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)

    def distributions(**asked):
        return found() if not asked else [asked] if asked["name"] in here else []

    monkeypatch.setattr(importlib.metadata, "distributions", distributions)
    out = " ".join(shown().split())
    assert "setfit: no other task: it classifies whole texts; it needs setfit, which is not installed: pip" in out
    assert "pip install 'tunesmith[setfit]'" in out
    assert "pip install 'tunesmith[peft]'" in out
    assert "pip install 'tunesmith[spacy]'" not in out
    rows = {row["framework"]: row.get("missing") for row in json.loads(shown("--json"))}
    assert {name: missing for name, missing in rows.items() if missing is not None} == {
        "peft": ["peft"],
        "setfit": ["setfit"],
        "spacy": [],
    }


def test_a_framework_beside_the_others_has_an_extra_of_its_name_or_needs_none():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    ours = {name for name in frameworks.offered() if frameworks.resolve(name) in frameworks.members}
    assert ours - set(extras) - set(names()) == {"transformers", "baseline"}


def test_json_has_the_reason_of_every_pair_and_the_state_of_environments(shown):
    rows = {row["framework"]: row for row in json.loads(shown("--json"))}
    assert rows["setfit"]["tasks"]["text-classification"] is None
    assert rows["setfit"]["tasks"]["question-answering"] == "it classifies whole texts"
    assert rows["autotrain"]["installed"] is False
    assert rows["autotrain"]["environment"] == str(Environment("autotrain").folder)
    assert "installed" not in rows["setfit"]


def test_the_page_says_what_the_frameworks_say():
    page = runpy.run_path(str(ROOT / "scripts" / "frameworks_page.py"))["page"]()
    written = (ROOT / "docs" / "frameworks.md").read_text(encoding="utf-8")
    assert written == page, "docs/frameworks.md is not what the frameworks say: run `make docs`"
    assert "docs/frameworks.md" in (ROOT / "README.md").read_text(encoding="utf-8")
