"""Frameworks side by side: one split, one table, a reason where there is no score, and which to take."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tiny
import tunesmith
from tunesmith import Choice, cli
from tunesmith.errors import ConfigError, UnknownName, UnknownSetting
from tunesmith.evaluation.choice import Candidate, _taken
from tunesmith.metrics.intervals import Difference, Interval

ROWS = [row for part in small_tasks.classes() for row in part]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: Any) -> str:
    return tiny.bert(tmp_path_factory.mktemp("base"), [row["text"] for row in ROWS])


@pytest.fixture(scope="module")
def chosen(bert: str, tmp_path_factory: Any) -> tuple[Choice, Path]:
    """A baseline, a BERT whose weights are random, one that is not there, and one that cannot do it."""
    folder = tmp_path_factory.mktemp("chosen")
    options = {
        "transformers": {"base": bert, "max_steps": 1},
        "peft": {"base": "no/such-model"},
        "baseline": {"ngrams": 1},
    }
    names = ["baseline", "transformers", "peft", "span_marker"]
    return tunesmith.choose(ROWS, frameworks=names, options=options, output_dir=folder, seed=3, device="cpu"), folder


def test_each_framework_is_a_row_in_the_order_asked_for(chosen: Any) -> None:
    choice, _ = chosen
    assert [each.framework for each in choice.candidates] == ["baseline", "transformers", "peft", "span-marker"]
    assert (choice.task, choice.metric, choice.rows) == ("text-classification", "f1", (128, 32))


def test_a_score_has_its_interval_and_what_it_cost(chosen: Any) -> None:
    base, other = chosen[0].candidates[:2]
    assert base.score.low <= base.score.value <= base.score.high
    assert base.score.value > 0.8 > other.score.value
    assert min(base.seconds, base.speed, base.size, other.seconds, other.speed, other.size) > 0
    assert base.behind is None
    assert other.behind.difference == pytest.approx(other.score.value - base.score.value)
    assert other.behind.high < 0


def test_a_framework_that_fails_or_cannot_is_a_row_with_its_reason(chosen: Any) -> None:
    missing, unfit = chosen[0].candidates[2:]
    assert (missing.score, missing.size) == (None, None)
    assert "no/such-model" in missing.reason
    assert unfit.reason.startswith("span-marker cannot train text-classification")
    assert "\n" not in missing.reason


def test_the_best_is_taken_with_the_reason(chosen: Any) -> None:
    assert chosen[0].taken == "baseline"
    assert chosen[0].why == "its score is the best, beyond the 95% interval of the difference to each other"


def test_all_are_trained_and_scored_on_the_same_rows(chosen: Any) -> None:
    _, folder = chosen
    locks = [json.loads((folder / name / "run.lock").read_text()) for name in ("baseline", "transformers")]
    assert locks[0]["data"] == locks[1]["data"]
    assert locks[0]["settings"]["ngrams"] == 1
    assert locks[1]["settings"]["device"] == "cpu"
    run = tunesmith.load(folder / "baseline")
    assert run.metrics["test"]["f1"] == chosen[0].candidates[0].score.value


def test_the_size_is_that_of_the_model_without_checkpoints(bert: str, tmp_path: Path) -> None:
    given: Any = {"frameworks": ["transformers"], "output_dir": tmp_path, "validation": 0.1}
    options = {"transformers": {"base": bert, "max_steps": 1, "save_steps": 1}}
    size = tunesmith.choose(ROWS[:40], options=options, **given).candidates[0].size
    assert (tmp_path / "transformers" / "checkpoint-1").is_dir()
    weights = (tmp_path / "transformers" / "model.safetensors").stat().st_size
    assert weights < size < 1.5 * weights


def test_the_score_is_that_of_a_run_of_its_own(chosen: Any) -> None:
    run = tunesmith.train(ROWS, test=0.2, framework="baseline", ngrams=1, seed=3)
    assert run.metrics["test"]["f1"] == chosen[0].candidates[0].score.value


def told(name: str, score: float, speed: float, gap: tuple[float, float] | None = None) -> Candidate:
    behind = None if gap is None else Difference(-0.01, *gap, 0.5)
    return Candidate(name, Interval(score, score - 0.1, score + 0.1), 1.0, speed, 10, behind)


@pytest.mark.parametrize(
    ("gap", "speed", "taken", "why"),
    [
        (
            (-0.03, 0.01),
            900.0,
            "small",
            "it predicts fastest of those whose score is not surely below large's: -0.0100",
        ),
        ((-0.03, -0.01), 900.0, "large", "its score is the best, beyond the 95% interval"),
        ((-0.03, 0.01), 5.0, "large", "its score is the best, and none that may be as good predicts faster"),
    ],
)
def test_a_faster_one_is_taken_where_it_may_be_as_good(
    gap: tuple[float, float], speed: float, taken: str, why: str
) -> None:
    best = told("large", 0.9, 50.0)
    found = _taken([best, told("small", 0.89, speed, gap)], 1)
    assert found[0] == taken
    assert found[1].startswith(why)


@pytest.mark.parametrize(
    ("constant", "taken", "why"),
    [
        (
            {"small"},
            "large",
            "its score is the best, and none that may be as good and tells rows apart predicts faster",
        ),
        ({"large"}, "small", "it predicts fastest of those whose score is not surely below large's, which gives every"),
        ({"large", "small"}, "large", "its score is the best, and none that may be as good and tells rows apart"),
    ],
)
def test_one_that_gives_every_row_one_label_is_not_taken_where_another_will_do(
    constant: set[str], taken: str, why: str
) -> None:
    pair = [told("large", 0.9, 50.0), told("small", 0.89, 900.0, (-0.03, 0.01))]
    found = _taken([replace(each, constant="no" if each.framework in constant else "") for each in pair], 1)
    assert found[0] == taken
    assert found[1].startswith(why)
    assert found[1].endswith("; it gives every row the label 'no'") == (taken in constant)


def test_one_that_gives_every_row_one_label_is_told_of(run: Any) -> None:
    """Words that were never seen leave the more frequent label."""
    rows = [{"text": f"word{place}", "label": "yes" if place % 4 == 0 else "no"} for place in range(40)]
    Path("apart.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, err = run("apart.jsonl", "--frameworks", "baseline")
    assert code == 0, err
    assert "baseline: gives every row the label 'no'" in out.splitlines()
    assert out.splitlines()[-1].endswith("it is the only one with a score; it gives every row the label 'no'.")


def test_a_budget_that_is_used_up_leaves_the_others_out(chosen: Any, bert: str) -> None:
    options = {"transformers": {"base": bert, "num_train_epochs": 2000}}
    began = time.monotonic()
    choice = tunesmith.choose(ROWS, frameworks=["transformers", "baseline"], options=options, budget=4.0)
    assert choice.candidates[0].reason == "stopped after 2 s, its share of the budget"
    assert choice.candidates[1].score is not None or choice.candidates[1].reason.startswith(("stopped", "no time"))
    assert time.monotonic() - began < 20
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_entities_are_chosen_by_their_f1_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train, held = small_tasks.tagged()
    choice = tunesmith.choose(iter(train), test=held, frameworks=["baseline"], task="ner")
    assert (choice.task, choice.metric, choice.rows[1]) == ("token-classification", "f1", len(held))
    assert choice.candidates[0].score.value > 0.8
    assert (choice.taken, choice.why) == ("baseline", "it is the only one with a score")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", [0, "cuda:0"])
def test_a_gpu_for_all_says_nothing_to_a_framework_that_uses_none(device: Any) -> None:
    choice = tunesmith.choose(ROWS, frameworks=["baseline"], device=device)
    assert (choice.candidates[0].reason, choice.taken) == ("", "baseline")
    own = tunesmith.choose(ROWS, frameworks=["baseline"], options={"baseline": {"device": device}})
    assert own.candidates[0].reason.startswith("setting 'device' is 0: expected 'cpu' or 'auto'")


def test_a_gpu_that_is_not_there_is_told_of_a_framework_that_uses_one(bert: str) -> None:
    choice = tunesmith.choose(ROWS, frameworks=["transformers"], options={"transformers": {"base": bert}}, device=99)
    assert choice.candidates[0].reason.startswith("setting 'device' is 99: expected the number of a GPU")


def test_names_and_settings_are_checked_before_data_is_read() -> None:
    for given, error, match in (
        ({"frameworks": ["setfitt"]}, UnknownName, "Did you mean 'setfit'"),
        ({"frameworks": []}, ConfigError, "expected names of some: transformers"),
        ({"frameworks": ["baseline"], "ngrams": 2}, UnknownSetting, "unknown setting 'ngrams'"),
        ({"frameworks": ["baseline"], "options": {"baseline": {"ngram": 2}}}, UnknownSetting, "Did you mean 'ngrams'"),
        (
            {"frameworks": ["baseline"], "options": {"spacy": {}}},
            ConfigError,
            "frameworks that are asked for: baseline",
        ),
        ({"frameworks": ["baseline"], "budget": 0}, ConfigError, "a time above 0"),
        ({"frameworks": "baseline", "budget": "5x"}, ConfigError, "a time above 0: seconds, or 90s, 5m, 1h"),
        ({"frameworks": "baseline, bseline"}, UnknownName, "bseline"),
    ):
        with pytest.raises(error, match=match):
            tunesmith.choose("no-such-file.csv", **given)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")

    def command(*words: str) -> tuple[int, str, str]:
        code = cli.main(["choose", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


def test_the_command_prints_one_table_and_which_to_take(run: Any) -> None:
    code, out, err = run("rows.jsonl", "--frameworks", "baseline,span-marker", "--budget", "5m", "--test", "0.25")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "text-classification: 120 rows to train on, 40 to score"
    assert lines[2].split() == ["framework", "f1", "95%", "behind", "the", "best", "training", "rows/s", "on", "disk"]
    assert lines[4].startswith("baseline   0.")
    assert lines[4].endswith("kB")
    assert lines[6].startswith("span-marker: no score: span-marker cannot train text-classification")
    assert lines[-1] == "take baseline: it is the only one with a score."


def test_options_are_of_their_framework_however_it_is_spelt(run: Any) -> None:
    words = ["rows.jsonl", "--frameworks", "Baseline", "--output-dir", "out"]
    code, _, err = run(*words, "--options", '{"baseline": {"ngrams": 1}}')
    assert code == 0, err
    assert json.loads(Path("out/baseline/run.lock").read_text())["settings"]["ngrams"] == 1
    choice = tunesmith.choose(ROWS, frameworks=["baseline"], options={"BASELINE": {"max_features": 1}})
    assert choice.candidates[0].score.value < 0.8


def test_the_command_prints_json_and_fails_where_there_is_no_score(run: Any) -> None:
    code, out, _ = run("rows.jsonl", "--frameworks", "span-marker", "--json")
    assert code == 1
    assert json.loads(out)["taken"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rows.jsonl"], "--frameworks is missing"),
        (["rows.jsonl", "--frameworks", "baseline", "--budget", "soon"], "--budget is 'soon': expected a time above 0"),
        (["rows.jsonl", "--frameworks", "baseline", "--options", "{"], "--options is '{', which is no JSON"),
        (["rows.jsonl", "--frameworks", "basline"], "Did you mean 'baseline'?"),
        (["rows.jsonl", "--frameworks", "baseline", "--tesst", "1"], "unknown flag --tesst. Did you mean '--test'?"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2(run: Any, words: list[str], message: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_names_and_a_budget_are_taken_as_the_command_line_spells_them() -> None:
    choice = tunesmith.choose(ROWS, frameworks="baseline,", budget="5m")
    assert [each.framework for each in choice.candidates] == ["baseline"]
    assert choice.taken == "baseline"
