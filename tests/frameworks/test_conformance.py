"""One contract for every framework and every task it accepts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

import openai_service
import small_tasks
import tunesmith
from tunesmith import Run
from tunesmith.errors import TunesmithError, UnsupportedTask
from tunesmith.frameworks import worker_environment
from tunesmith.frameworks.spark_nlp_session import VARIABLE
from tunesmith.registry import frameworks, tasks

FRAMEWORKS = [name for name in frameworks.offered() if any(pair[0] == name for pair in small_tasks.SETTINGS)]
PAIRS = [(name, task) for name in FRAMEWORKS for task in small_tasks.DATA if frameworks.get(name).why_not(task) is None]


def marks(framework: str) -> list[Any]:
    """A framework in an environment of its own is tested where there is one; its library starts slowly.

    Spark NLP is tested where its jar is: elsewhere it prepares data alone, in `test_spark_nlp.py`.
    """
    if framework == "spark-nlp":
        absent = not Path(os.environ.get(VARIABLE, "")).is_file()
        return [pytest.mark.skipif(absent, reason=f"{VARIABLE} names no jar of Spark NLP"), pytest.mark.timeout(400)]
    return [pytest.mark.workers, pytest.mark.timeout(400)] if framework in worker_environment.names() else []


@pytest.fixture(scope="module", autouse=True)
def _service() -> Any:
    """A service for the frameworks that train at one."""
    with openai_service.run() as service, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", openai_service.KEY)
        patch.setenv("OPENAI_BASE_URL", service.url)
        yield


@pytest.fixture(scope="module", params=[pytest.param(pair, marks=marks(pair[0]), id="-".join(pair)) for pair in PAIRS])
def pair(request: Any) -> Any:
    """(framework, task)"""
    return request.param


@pytest.fixture(scope="module")
def trained(pair: tuple[str, str], tmp_path_factory: Any) -> tuple[Run, list[Any]]:
    """A run of the pair in a folder, and the held-out inputs."""
    framework, task = pair
    train, held = small_tasks.DATA[task]()
    folder = tmp_path_factory.mktemp("run")
    return fit(framework, task, train, held, folder), inputs(task, held)


_STRANGER = """
import json, sys, tunesmith
for line in sys.stdin:
    folder, texts = json.loads(line)
    print("found", json.dumps([each.to_dict() for each in tunesmith.load(folder).predict(texts)]), flush=True)
"""


@pytest.fixture(scope="module")
def stranger() -> Any:
    """A process that has trained nothing: told a folder and inputs in a line, it answers with predictions."""
    command = [sys.executable, "-c", _STRANGER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


def fit(framework: str, task: str, train: Any, held: Any, folder: Path | str = "", seed: int = 1) -> Run:
    settings = dict(small_tasks.SETTINGS[framework, task])
    if settings.get("base") in _MADE:
        settings["base"] = str(_made(settings["base"]))
    return tunesmith.train(train, test=held, task=task, framework=framework, output_dir=folder, seed=seed, **settings)


_MADE = {
    small_tasks.VECTORS: small_tasks.word_vectors,
    small_tasks.WRITER: small_tasks.writer,
    **{task: partial(small_tasks.reader, task) for task in small_tasks.UNLABELLED},
}


@cache
def _made(name: str) -> Any:
    return _MADE[name](Path(mkdtemp(prefix="tunesmith-")) / name)


def inputs(task: str, rows: Sequence[Any]) -> list[Any]:
    if task == small_tasks.ALIKE:
        return [(row["sentence1"], row["sentence2"]) for row in rows]
    if task == small_tasks.ASKED:
        return [{"question": row["question"], "context": row["context"]} for row in rows]
    if task == small_tasks.FILLED:
        return [" ".join(["[MASK]", *row["text"].split()[1:]]) for row in rows]
    if task == small_tasks.GENERATED:
        return [" ".join(row["text"].split()[:3]) for row in rows]
    column = {small_tasks.TOKENS: "tokens", small_tasks.WRITTEN: "source"}.get(task, "text")
    return [row[column] for row in rows]


def skip_remote(run: Run) -> None:
    if run.settings.framework in small_tasks.REMOTE:
        pytest.skip("its model is a service's: see small_tasks.REMOTE")


def told(predictions: Sequence[Any]) -> list[Any]:
    """Labels and spans, and their scores to six places."""
    return [json.loads(json.dumps(each.to_dict()), parse_float=_rounded) for each in predictions]


def _rounded(text: str) -> float:
    return round(float(text), 6)


def test_every_pair_that_is_accepted_is_tested() -> None:
    accepted = {
        (name, task)
        for name in frameworks.offered()
        for task in small_tasks.DATA
        if frameworks.get(name).why_not(task) is None
    }
    assert accepted == set(small_tasks.SETTINGS)


def test_it_learns_a_small_task(trained: Any) -> None:
    run, _ = trained
    if run.task.name in small_tasks.FLOOR:
        assert run.metrics["test"][run.task.primary_metric] >= small_tasks.FLOOR[run.task.name]
    else:
        before = tunesmith.evaluate(run.settings.base, small_tasks.DATA[run.task.name]()[1])
        assert run.metrics["test"]["loss"] < before["loss"]


def test_it_predicts_the_same_after_reload_in_a_new_process(trained: Any, stranger: Any) -> None:
    run, texts = trained
    skip_remote(run)
    stranger.stdin.write(json.dumps([str(run.folder.path), texts[:8]]) + "\n")
    stranger.stdin.flush()
    said = next(line for line in stranger.stdout if line.startswith("found "))
    found = json.loads(said.removeprefix("found "), parse_float=_rounded)
    assert found == told(run.predict(texts[:8]))


def test_it_keeps_order_and_a_text_does_not_depend_on_its_neighbours(trained: Any) -> None:
    run, texts = trained
    whole, turned = run.predict(texts[:9]), run.predict(texts[:9][::-1], batch_size=4)[::-1]
    for one, other in zip(whole, turned, strict=True):
        assert (one.label, one.labels, one.answer, one.text, [(s.label, s.start, s.end) for s in one.spans or ()]) == (
            other.label,
            other.labels,
            other.answer,
            other.text,
            [(s.label, s.start, s.end) for s in other.spans or ()],
        )
        assert one.score is None or one.score == pytest.approx(other.score, abs=1e-5)
        assert one.value is None or one.value == pytest.approx(other.value, abs=1e-5)


def test_it_takes_no_input_and_empty_text(trained: Any) -> None:
    run, _ = trained
    assert run.predict([]) == []
    empty = {small_tasks.ALIKE: ("", ""), small_tasks.ASKED: {"question": "", "context": ""}}
    empty[small_tasks.FILLED] = "[MASK]"
    assert len(run.predict([empty.get(run.task.name, "")])) == 1


def test_predictions_are_plain_and_carry_every_label_and_their_row(trained: Any) -> None:
    run, texts = trained
    found = run.predict(texts[:3])
    assert json.loads(json.dumps([each.to_dict() for each in found]))
    assert [each.id for each in found] == [0, 1, 2]
    if run.task.name == small_tasks.TEXT:
        assert list(found[0].scores) == ["ham", "spam"]
        assert sum(found[0].scores.values()) == pytest.approx(1, abs=1e-5)
        assert found[0].label == max(found[0].scores, key=found[0].scores.get)
    elif run.task.name == small_tasks.ALIKE:
        assert all(isinstance(each.value, float) for each in found)
    elif run.task.name == small_tasks.ASKED:
        assert all(
            text["context"][each.start : each.end] == each.answer for text, each in zip(texts, found, strict=False)
        )
        assert all(each.answer and 0 < each.score <= 1 for each in found)
    elif run.task.name in (small_tasks.WRITTEN, small_tasks.GENERATED, small_tasks.FILLED):
        assert all(each.text for each in found)
    elif run.task.name == small_tasks.DETECTED:
        assert all(0 <= each.score <= 1 and each.spans is not None for each in found)
    else:
        spans = [(span, text) for text, each in zip(texts, found, strict=False) for span in each.spans]
        assert spans
        assert {span.label for span, _ in spans} <= {"PER", "LOC"}
        assert all(" ".join(text)[span.start : span.end].strip() for span, text in spans)


def test_a_folder_whose_files_are_cut_off_is_our_error(trained: Any, tmp_path: Path) -> None:
    run, texts = trained
    copied = shutil.copytree(run.folder.path, tmp_path / "run")
    weights = [file for file in copied.rglob("*") if file.suffix in (".safetensors", ".bin", ".npz") or not file.suffix]
    for file in [each for each in weights if each.is_file()] or [copied / "tunesmith.json"]:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(TunesmithError):
        tunesmith.load(copied).predict(texts[:2])


def test_equal_seeds_give_equal_results(pair: tuple[str, str], trained: Any) -> None:
    run, texts = trained
    skip_remote(run)
    framework, task = pair
    train, held = small_tasks.DATA[task]()
    again = fit(framework, task, train, held)
    assert told(again.predict(texts)) == told(run.predict(texts))


@pytest.mark.parametrize(
    ("framework", "task"),
    [pytest.param(*pair, marks=marks(pair[0])) for pair in PAIRS if pair[1] in small_tasks.LABELLED],
)
def test_labels_keep_the_order_the_data_declares(framework: str, task: str) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value

    train, held = small_tasks.DATA[task]()
    if task == small_tasks.TEXT:
        names = ["spam", "ham", "never"]
        features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    else:
        names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-NEVER", "I-NEVER"]
        features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))})
    run = fit(framework, task, Dataset.from_list(train[:24], features=features), held)
    assert run.framework_model.labels.names == tuple(names)
    found = run.predict(inputs(task, held[:2]))
    if task == small_tasks.TEXT:
        assert list(found[0].scores) == names


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_unfit_task_is_refused_before_data_is_read(framework: str) -> None:
    unfit = [task for task in tasks.names() if frameworks.get(framework).why_not(task)]
    for task in unfit:
        with pytest.raises(UnsupportedTask, match=f"{framework} cannot train {task}"):
            tunesmith.train("no-such-file.csv", task=task, framework=framework)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_unknown_setting_names_the_nearest_before_data_is_read(framework: str) -> None:
    for name in list(frameworks.get(framework).arguments)[:3]:
        with pytest.raises(TypeError, match=f"Did you mean '{name}'"):
            tunesmith.train("no-such-file.csv", framework=framework, **{f"{name}x": 1})


def test_the_folder_says_what_made_the_model(pair: tuple[str, str], trained: Any) -> None:
    run, _ = trained
    lock = run.folder.read_json("run.lock")
    assert lock["settings"]["framework"] == run.settings.framework
    assert set(frameworks.get(run.settings.framework).packages) <= set(lock["versions"])
    assert run.folder.read_json("tunesmith.json")["framework"] == frameworks.resolve(pair[0])
    alone = {file.name for file in run.folder.path.rglob("*.safetensors") if "checkpoint-" not in str(file)}
    assert pair[0] != "peft" or alone == {"adapter_model.safetensors"}
