"""The pages say nothing that the code contradicts: their examples parse, their flags, names and links exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from tunesmith.api import read_data
from tunesmith.cli import COMMANDS, main, training
from tunesmith.config import Settings
from tunesmith.registry import tasks

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
MANUAL = [page for page in PAGES if page.name != "log.md" and page.parent.name != "decisions"]
OWN_FLAGS = {"config", "json", "output", "batch_size", "columns", "limit", "help", "version"}
OWN_FLAGS |= {"name", "query", "workspace", "model", "train_size", "update_config_kwargs"}  # of train --name
OWN_FLAGS |= {"frameworks", "budget", "options"}  # of choose


def blocks(page: Path, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for page in MANUAL:
        for block in blocks(page, "python"):
            yield page.name, ast.parse(block)


def commands() -> Iterator[tuple[str, list[str]]]:
    for page in MANUAL:
        for line in "".join(blocks(page, "sh")).splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["tunesmith"]:
                yield page.name, words[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / place) if place else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}, target


def test_every_task_has_a_page_that_names_its_roles_and_aliases() -> None:
    for name in tasks.members:
        page = (ROOT / "docs" / "tasks" / f"{name}.md").read_text(encoding="utf-8")
        aliases = [alias for alias, meant in tasks.aliases.items() if meant == name]
        missing = [alias for alias in aliases if f"`{alias}`" not in page]
        assert missing == [], name
        assert f"tasks/{name}.md" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_python_examples_use_public_names_and_real_settings() -> None:
    found = 0
    for page, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tunesmith":
                assert node.attr in [*tunesmith.__all__, "pipeline"], f"{page}: tunesmith.{node.attr}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tunesmith.train":
                found += 1
                Settings.make(**_settings(node))
    assert found > 8


def test_rows_that_stand_on_a_page_can_be_held_out_as_it_says() -> None:
    found = 0
    for page, tree in trees():
        rows: dict[str, Any] = {}
        for node in tree.body:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                continue
            if isinstance(node.value, ast.List | ast.ListComp | ast.BinOp):
                rows[node.targets[0].id] = eval(ast.unparse(node.value), {"__builtins__": {}, **rows})
            elif isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "tunesmith.train":
                given: dict[str, Any] = {"validation": None, "test": None}
                given |= _settings(node.value)
                source = node.value.args[0]
                if isinstance(source, ast.Name) and source.id in rows:
                    found += 1
                    settings, notes = Settings.make(train=rows[source.id], **given), []
                    parts = given["validation"], given["test"]
                    read_data(tasks.get(settings.task), rows[source.id], *parts, settings, note=notes.append)
                    assert len(notes) == 1, f"{page}: {notes[1:]}"
    assert found > 2


def test_the_folder_that_the_command_line_writes_to_is_said() -> None:
    folder = training.read(["reviews.csv"])[1]["output_dir"]
    for page in ("README.md", "docs/quickstart.md"):
        assert f"`{folder}/`" in (ROOT / page).read_text(encoding="utf-8"), page
    told = next(line for line in training.explain().split("  --") if line.startswith("output-dir"))
    assert f"[{folder}]" in told


def _settings(call: ast.Call) -> dict[str, object]:
    """What a call of `train` names, without the objects that are no settings."""
    hooks = {"listener", "metrics", "callbacks", "optimizers", "loss", "tokenizer"}
    return {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg and k.arg not in hooks}


def test_shell_examples_use_real_commands_and_flags() -> None:
    found = 0
    for page, (command, *words) in commands():
        if f"{command} {words[:1] and words[0]}" in COMMANDS:
            continue  # a group's: the next test
        assert command in COMMANDS, f"{page}: tunesmith {command}"
        given: dict[str, str] = {}
        for flag, value in zip(words, [*words, ""][1:], strict=True):
            if flag.startswith("--"):
                given[flag[2:].replace("-", "_")] = value
        found += len(given)
        own = {name for name in given if name in OWN_FLAGS}
        Settings.make(**{name: _value(value) for name, value in given.items() if name not in own})
    assert found > 20


def test_shell_examples_of_groups_use_flags_that_their_help_names(capsys: pytest.CaptureFixture[str]) -> None:
    of_groups = [(page, words) for page, words in commands() if " ".join(words[:2]) in COMMANDS]
    assert of_groups
    for page, words in of_groups:
        with pytest.raises(SystemExit):
            main([*words[:2], "--help"])
        told = capsys.readouterr().out
        for flag in (word for word in words if word.startswith("--") and " " not in word):
            assert f"{flag} " in told, f"{page}: {' '.join(words)}"


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def test_the_extras_that_the_pages_name_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for page in MANUAL:
        for name in re.findall(r"tunesmith\[(\w+)\]", page.read_text(encoding="utf-8")):
            assert name in extras, f"{page.name}: tunesmith[{name}]"


def test_samples_of_the_pages_exist() -> None:
    for page in MANUAL:
        for name in re.findall(r"samples\.path\(\"(\w+)\"\)", page.read_text(encoding="utf-8")):
            assert tunesmith.samples.path(name).exists(), page.name
