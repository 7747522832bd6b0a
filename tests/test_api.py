"""The native verbs, as a person calls them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny
import tunesmith
from tunesmith.errors import ArtifactError, ConfigError, UnknownSetting, UnsupportedTask

UP = ["a good book", "the phone is great", "the screen is bright", "a great film", "two dogs run", "a good town"]
DOWN = ["the box was broken", "a bad film", "I want my money back", "the film was bad", "a bad phone", "bad delivery"]
ROWS = [{"text": text, "label": label} for texts, label in ((UP, "up"), (DOWN, "down")) for text in texts]
LEARNS: dict[str, Any] = {"num_train_epochs": 40, "learning_rate": 2e-3, "disable_tqdm": True, "seed": 0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"), [*UP, *DOWN])


@pytest.fixture(scope="module")
def trained(base: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[tunesmith.Run, Path]:
    out = tmp_path_factory.mktemp("out")
    return tunesmith.train(ROWS, base=base, test=0.25, output_dir=out, **LEARNS), out


def test_a_run_predicts_in_order_with_the_users_names(trained: tuple[tunesmith.Run, Path]) -> None:
    run, _ = trained
    found = run.predict([ROWS[0]["text"], ROWS[-1]["text"], ROWS[1]["text"]])
    assert [prediction.id for prediction in found] == [0, 1, 2]
    assert set(found[0].scores or {}) == {"up", "down"}
    assert run.predict([]) == []
    assert not run.model.training


def test_a_run_and_a_prediction_are_told_in_a_line(trained: tuple[tunesmith.Run, Path]) -> None:
    run, out = trained
    assert re.fullmatch(rf"Run\(text-classification, {re.escape(str(out))}, test f1 [01]\.?\d*\)", repr(run))
    told = repr(run.predict(["the phone is great"])[0])
    assert told.startswith("Prediction(id=0, label=")
    assert "None" not in told


def test_a_run_that_is_opened_again_predicts_the_same(trained: tuple[tunesmith.Run, Path]) -> None:
    run, out = trained
    again = tunesmith.load(out)
    for ours, theirs in zip(run.predict(UP), again.predict(UP), strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-6)
    assert again.metrics == run.metrics
    assert again.settings.seed == 0


def test_the_folder_accounts_for_every_row(trained: tuple[tunesmith.Run, Path]) -> None:
    _, out = trained
    audit = json.loads((out / "audit.json").read_text())
    assert audit["train"]["kept"] == 9
    assert audit["test"]["kept"] == 3
    assert sorted(audit["train"]["kept_rows"] + audit["test"]["kept_rows"]) == list(range(12))
    lock = json.loads((out / "run.lock").read_text())
    assert lock["data"]["test"]["rows"] == audit["test"]["kept_rows"]
    assert lock["versions"]["transformers"]
    assert yaml.safe_load((out / "config.yaml").read_text())["learning_rate"] == 2e-3
    assert not list(out.glob("*.bin")), "a pickle was written"


def test_predictions_of_the_held_out_rows_are_kept_with_their_gold(trained: tuple[tunesmith.Run, Path]) -> None:
    import pyarrow.parquet as pq

    _, out = trained
    rows = pq.read_table(out / "predictions.parquet").to_pylist()
    assert {(row["gold"], row["split"]) for row in rows} == {("up", "test"), ("down", "test")}
    assert set(json.loads(rows[0]["prediction"])) == {"label", "score", "scores"}


def test_scores_are_the_tasks_and_evaluate_finds_the_same(trained: tuple[tunesmith.Run, Path]) -> None:
    run, out = trained
    held = [ROWS[int(row)] for row in json.loads((out / "audit.json").read_text())["test"]["kept_rows"]]
    assert run.evaluate(held) == pytest.approx(run.metrics["test"])
    assert run.evaluate(ROWS)["accuracy"] >= 0.75, "nothing was learned"


def test_validation_chooses_the_best_epoch_and_stops(base: str) -> None:
    run = tunesmith.train(ROWS * 2, base=base, validation=ROWS, num_train_epochs=30, learning_rate=5e-3, seed=0)
    evaluations = [entry for entry in run.history if "eval_f1" in entry]
    assert len(evaluations) < 30, "early stopping did not stop"
    assert run.metrics["validation"]["f1"] == pytest.approx(max(entry["eval_f1"] for entry in evaluations))


def test_early_stopping_needs_something_to_watch(base: str) -> None:
    with pytest.raises(ConfigError, match="validation rows to watch"):
        tunesmith.train(ROWS, base=base, early_stopping=2, **LEARNS)


def test_what_was_chosen_is_said_and_written(base: str, tmp_path: Path) -> None:
    told: list[str] = []

    def listen(kind: str, values: Any) -> None:
        if kind == "note":
            told.append(values["text"])

    tunesmith.train(ROWS, base=base, output_dir=tmp_path, listener=listen, max_steps=1, disable_tqdm=True)
    assert any("learning rate" in text for text in told)
    chosen = json.loads((tmp_path / "run.lock").read_text())["chosen"]
    assert chosen["learning_rate"] > 5e-5
    assert chosen["arithmetic"] == "fp32"
    assert json.loads((tmp_path / "training_args.json").read_text())["max_steps"] == 1


def test_a_model_that_is_replaced_is_told_of(base: str, tmp_path: Path) -> None:
    told: list[str] = []

    def listen(kind: str, values: Any) -> None:
        if kind == "note":
            told.append(values["text"])

    def replaced(**more: Any) -> list[str]:
        told.clear()
        args: dict[str, Any] = {"num_train_epochs": 1, "save_strategy": "epoch", "disable_tqdm": True}
        tunesmith.train(ROWS, base=base, output_dir=tmp_path, listener=listen, **args | more)
        return [text for text in told if "replaces" in text]

    assert replaced() == []
    assert replaced() == [f"replaces the model in {tmp_path}"]
    assert replaced(checkpoint=True, num_train_epochs=2) == []
    assert replaced(resume_from_checkpoint=str(tmp_path / "checkpoint-4"), num_train_epochs=3) == []
    assert replaced(checkpoint=False) == [f"replaces the model in {tmp_path}"]


def test_a_model_of_another_framework_that_is_replaced_is_told_of(tmp_path: Path) -> None:
    told: list[str] = []

    def listen(kind: str, values: Any) -> None:
        told.append(str(values.get("text")))

    for expected in (0, 1):
        tunesmith.train(ROWS, framework="baseline", output_dir=tmp_path, listener=listen)
        assert told.count(f"replaces the model in {tmp_path}") == expected


def test_without_an_output_dir_nothing_is_written_but_the_cache(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "home"))
    tunesmith.train(ROWS, base=base, validation=0.25, num_train_epochs=1, disable_tqdm=True)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    tunesmith.train(ROWS, base=base, num_train_epochs=1, cache=False, disable_tqdm=True)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_names_are_refused_before_any_data_is_read() -> None:
    with pytest.raises(UnknownSetting, match="maxlength"):
        tunesmith.train("no such file.csv", max_lenght=3)
    with pytest.raises(ValueError, match="unknown task 'text-clasification'"):
        tunesmith.train("no such file.csv", task="text-clasification")
    with pytest.raises(ValueError, match="unknown framework"):
        tunesmith.train("no such file.csv", framework="transformer")


def test_a_framework_that_cannot_carry_a_task_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith.frameworks import transformers

    monkeypatch.delitem(transformers.RECIPES, "text-classification")
    with pytest.raises(UnsupportedTask, match="transformers cannot train text-classification"):
        tunesmith.train("no such file.csv")


def test_fractions_that_leave_nothing_are_refused(base: str) -> None:
    with pytest.raises(ConfigError, match="fractions that leave rows to train on"):
        tunesmith.train(ROWS, base=base, validation=0.5, test=0.5)


def test_three_parts_are_disjoint_and_whole(base: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    rows = ROWS * 3
    parts: dict[str, Any] = {"validation": 0.25, "test": 0.25}
    run = tunesmith.train(rows, base=base, **parts, output_dir=tmp_path, num_train_epochs=1, disable_tqdm=True)
    assert set(run.metrics) == {"validation", "test"}
    ids = {name: part["rows"] for name, part in json.loads((tmp_path / "run.lock").read_text())["data"].items()}
    assert {name: len(part) for name, part in ids.items()} == {"train": 18, "validation": 9, "test": 9}
    assert sorted(row for part in ids.values() for row in part) == list(range(36))
    texts = [{rows[row]["text"] for row in part} for part in ids.values()]
    assert sum(map(len, texts)) == len(set.union(*texts)), "equal texts are on two sides"
    written = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    for name in ("validation", "test"):
        found = [(int(row["id"]), row["gold"]) for row in written if row["split"] == name]
        assert found == [(row, rows[row]["label"]) for row in ids[name]]


def test_language_tasks_are_scored_by_block_and_write_no_rows(base: str, tmp_path: Path) -> None:
    lines = [row["text"] for row in ROWS]
    settings: dict[str, Any] = {"task": "language-modeling", "test": lines, "max_steps": 1, "disable_tqdm": True}
    for merge in ("concat", None):
        run = tunesmith.train(lines, base=base, merge=merge, output_dir=tmp_path, **settings)
        assert run.metrics["test"]["loss"] > 0
        assert not (tmp_path / "predictions.parquet").exists()


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no readable config\.json"):
        tunesmith.load(tmp_path)
    with pytest.raises(ArtifactError, match="no such run"):
        tunesmith.load(tmp_path / "nowhere")


def test_a_model_of_another_tool_loads_by_its_architecture(base: str, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    names = {0: "down", 1: "up"}
    AutoModelForSequenceClassification.from_pretrained(base, id2label=names).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path)
    run = tunesmith.load(tmp_path)
    assert run.task.name == "text-classification"
    assert set(run.predict(UP)[0].scores or {}) == {"down", "up"}


def test_an_interrupted_run_goes_on_to_the_weights_of_an_uninterrupted_one(base: str, tmp_path: Path) -> None:
    import torch

    args = LEARNS | {
        "num_train_epochs": 4,
        "logging_steps": 1,
        "save_strategy": "epoch",
        "per_device_train_batch_size": 4,
    }
    whole = tunesmith.train(ROWS, base=base, **args)

    def stop(kind: str, values: Any) -> None:
        if kind == "saved" and "checkpoint-6" in values["folder"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tunesmith.train(ROWS, base=base, output_dir=tmp_path, listener=stop, **args)
    assert not (tmp_path / "model.safetensors").exists()
    resumed = tunesmith.train(ROWS, base=base, output_dir=tmp_path, checkpoint=True, **args)
    expected = whole.model.state_dict()
    assert all(torch.equal(expected[name], value) for name, value in resumed.model.state_dict().items())


def test_a_checkpoint_of_other_labels_is_refused_and_a_finished_one_is_told(base: str, tmp_path: Path) -> None:
    args = LEARNS | {"save_strategy": "epoch", "num_train_epochs": 1}
    tunesmith.train(ROWS, base=base, output_dir=tmp_path, **args)
    others = [{**row, "label": f"other {row['label']}"} for row in ROWS]
    newest = max(tmp_path.glob("checkpoint-*"), key=lambda folder: int(folder.name.partition("-")[2]))
    with pytest.raises(ArtifactError, match=r"its labels are .* those of the data .*other"):
        tunesmith.train(others, base=base, output_dir=tmp_path, checkpoint=str(newest), **args)
    told: list[str] = []
    tunesmith.train(
        ROWS,
        base=base,
        output_dir=tmp_path,
        checkpoint=True,
        listener=lambda kind, values: told.append(str(values.get("text"))),
        **args,
    )
    assert any(text.startswith(f"going on from {tmp_path / 'checkpoint-'}") for text in told)
    assert "nothing was left to train: the checkpoint is of the last step" in told


@pytest.mark.parametrize(("unit", "said"), [(300.0, True), (0.001, True), (1.0, False), (3.0, False)])
def test_numbers_in_a_unit_that_is_hard_to_learn_are_told(base: str, unit: float, said: bool) -> None:
    rows = [{"text": row["text"], "label": unit * (place % 3 + 0.51)} for place, row in enumerate(ROWS)]
    told: list[str] = []
    tunesmith.train(rows, base=base, max_steps=1, listener=lambda kind, values: told.append(str(values.get("text"))))
    assert any("before training, and undo it in predictions" in text for text in told) is said


@pytest.mark.parametrize("split", ["train", "validation"])
def test_texts_that_are_cut_are_told_of_in_one_line_a_split(base: str, split: str) -> None:
    long = {"text": " ".join(["a good book"] * 5), "label": "up"}
    parts = {name: [*ROWS, long, long] if name == split else ROWS for name in ("train", "validation")}
    told: list[str] = []
    tunesmith.train(
        **parts,
        base=base,
        maxlength=12,
        max_steps=1,
        disable_tqdm=True,
        listener=lambda kind, values: told.append(str(values.get("text"))),
    )
    assert [text for text in told if "cut to" in text] == [
        f"{split}: 2 rows are cut to maxlength=12 (10 tokens are left out)"
    ]


@pytest.mark.parametrize(("merge", "cut"), [(None, True), ("concat", False)])
def test_a_language_task_tells_of_cuts_where_rows_are_not_joined(tmp_path: Path, merge: Any, cut: bool) -> None:
    told: list[str] = []
    tunesmith.train(
        [{"text": "a good book"}, {"text": " ".join(["a good book"] * 5)}],
        base=tiny.bert(tmp_path, model="BertForMaskedLM"),
        task="language-modeling",
        merge=merge,
        maxlength=8,
        max_steps=1,
        disable_tqdm=True,
        listener=lambda kind, values: told.append(str(values.get("text"))),
    )
    said = "train: 1 row is cut to maxlength=8 (9 tokens are left out)"
    assert [text for text in told if "cut to" in text] == [said] * cut


def test_a_source_and_a_target_that_are_cut_are_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    long = " ".join(["a good book"] * 20)
    tunesmith.train(
        [{"source": "a good book", "target": "good"}, {"source": long, "target": long}],
        base=tiny.t5(tmp_path),
        task="sequence-sequence",
        maxlength=16,
        max_steps=1,
        disable_tqdm=True,
        listener=lambda kind, values: told.append(str(values.get("text"))),
    )
    said = [text for text in told if "cut to" in text]
    assert len(said) == 1
    assert said[0].startswith("train: 1 row is cut to maxlength=16 (")
