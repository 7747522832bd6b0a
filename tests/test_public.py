"""The package from outside: its names, what importing it costs, its samples and its packaging."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import tiny
import tunesmith
from tunesmith import samples
from tunesmith.errors import UnknownName

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_at_most_thirty_names_are_public() -> None:
    assert len(tunesmith.__all__) == len(set(tunesmith.__all__)) <= 30


@pytest.mark.parametrize("name", tunesmith.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tunesmith, name) is not None
    assert name in dir(tunesmith)


def test_the_lazy_names_and_the_type_checkers_names_are_the_same() -> None:
    source = ast.parse(Path(tunesmith.__file__).read_text(encoding="utf-8"))
    block = next(node for node in source.body if isinstance(node, ast.If))
    seen = [alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted([*seen, "__version__"]) == sorted(tunesmith.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = tunesmith.trian


def test_importing_the_package_imports_no_library_and_does_no_work() -> None:
    heavy = ["torch", "transformers", "datasets", "numpy", "pandas", "rich", "yaml", "logging.config"]
    code = (
        "import os, sys, logging; before = dict(os.environ); import tunesmith; dir(tunesmith);"
        f"print([name for name in {heavy!r} if name in sys.modules], before == dict(os.environ), logging.root.handlers)"
    )
    assert run_python(code) == "[] True []"


def test_importing_the_package_takes_under_150_milliseconds() -> None:
    code = "import time; start = time.perf_counter(); import tunesmith; print(time.perf_counter() - start)"
    assert min(float(run_python(code)) for _ in range(3)) < 0.15


@pytest.mark.parametrize("module", ["api", "cli", "config", "pipeline", "tasks.base", "registry", "errors", "folder"])
def test_modules_that_every_command_needs_import_no_torch(module: str) -> None:
    heavy = ["torch", "transformers", "datasets", "pandas", "sklearn"]
    code = f"import sys, tunesmith.{module}; print([name for name in {heavy!r} if name in sys.modules])"
    assert run_python(code) == "[]"


def test_a_trained_model_is_loaded_without_what_only_training_needs(tmp_path: Path) -> None:
    """Trainer brings peft, datasets and pandas: 115 MB and seconds for one prediction; pyarrow has 25 MB."""
    rows = [{"text": text, "label": str(place % 2)} for place, text in enumerate(tiny.TEXTS[:6])]
    tunesmith.train(rows, base=tiny.bert(tmp_path / "base"), output_dir=str(tmp_path / "out"), max_steps=1)
    heavy = ["transformers.trainer", "peft", "bitsandbytes", "datasets", "pandas", "sklearn", "pyarrow"]
    code = (
        f"import sys, tunesmith; tunesmith.load({str(tmp_path / 'out')!r}).predict(['a good book']);"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    assert run_python(code) == "[]"


def test_the_version_is_the_installed_one_and_in_the_changelog() -> None:
    from importlib.metadata import version

    assert tunesmith.__version__ == version("tunesmith")
    assert "Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_package_is_typed() -> None:
    assert Path(tunesmith.__file__).with_name("py.typed").exists()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found.items()}


def test_constraints_pin_every_direct_dependency() -> None:
    extras = PROJECT["optional-dependencies"].values()
    wanted = [line for lines in ([PROJECT["dependencies"]], extras) for group in lines for line in group]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ]", line)[0]).lower() for line in wanted} - {"tunesmith"}
    assert names - pins().keys() == set()


def test_no_dependency_is_held_at_an_old_version_but_where_spacy_needs_it() -> None:
    """Defect 27 of our study of Argilla's trainer: its dependencies were held where others had gone on."""
    extras = PROJECT["optional-dependencies"].values()
    wanted = {line for group in (PROJECT["dependencies"], *extras) for line in group}
    assert {line for line in wanted if re.search(r"[<=~!]=?\d", line.replace(">=", ""))} == {
        "spacy-curated-transformers>=0.3.1,<2",
        "numpy<2.4",
    }


def test_constraints_name_torch_without_a_build() -> None:
    assert pins()["torch"] == "2.13.0"


def test_what_is_installed_is_what_constraints_say() -> None:
    from importlib.metadata import distributions

    installed = {re.sub(r"[-_.]+", "-", found.name).lower(): found.version for found in distributions()}
    wrong = {n: installed[n] for n, pin in pins().items() if n in installed and installed[n].partition("+")[0] != pin}
    assert wrong == {}


def test_every_extra_that_an_error_offers_exists() -> None:
    offered = set()
    for path in Path(tunesmith.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("NotInstalled") and len(node.args) > 1:
                offered |= {node.args[1].value} if isinstance(node.args[1], ast.Constant) else set()
    assert offered - PROJECT["optional-dependencies"].keys() == set()


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_is_small_and_its_source_is_named(name: str) -> None:
    file = samples.path(name)
    assert 10_000 < file.stat().st_size < 250_000
    assert f"`{file.name}`" in file.with_name("README.md").read_text(encoding="utf-8")
    assert file.name in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_every_file_of_the_samples_folder_has_a_name() -> None:
    folder = Path(samples.__file__).parent
    shipped = {file.name for file in folder.iterdir() if file.suffix in {".csv", ".json", ".txt"}}
    assert shipped == set(samples.FILES.values())


def test_an_unknown_sample_names_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        samples.path("sms-spam")
    assert "Did you mean 'sms_spam'?" in str(caught.value)


@pytest.mark.parametrize(("name", "rows", "classes"), [("sms_spam", 2000, 2), ("banking77", 600, 20)])
def test_classification_samples_have_text_and_label(name: str, rows: int, classes: int) -> None:
    with samples.path(name).open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == rows
    assert all(row.keys() == {"text", "label"} and row["text"].strip() for row in read)
    assert len(Counter(row["label"] for row in read)) == classes


def test_answers_of_the_squad_sample_stand_in_their_context() -> None:
    data = json.loads(samples.path("squad").read_text(encoding="utf-8"))["data"]
    questions = 0
    for paragraph in (p for article in data for p in article["paragraphs"]):
        for question in paragraph["qas"]:
            questions += 1
            for answer in question["answers"]:
                start = answer["answer_start"]
                assert paragraph["context"][start : start + len(answer["text"])] == answer["text"]
    assert questions == 220
