"""SetFit: a sentence encoder trained on pairs of rows, and a head without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small_tasks
import tiny
import tunesmith
from tunesmith import Run
from tunesmith.data import sources
from tunesmith.errors import ArtifactError, ConfigError, TrainingFailed, UnsupportedTask

ROWS = [{"text": text, "label": ("no", "yes", "maybe")[place % 3]} for place, text in enumerate(tiny.TEXTS * 2)]
SEVERAL = [
    {"text": text, "label": [["a"], ["b", "c"], ["a", "c"], ["c"]][place % 4]}
    for place, text in enumerate(tiny.TEXTS * 2)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> str:
    """A plain BERT of random weights: an encoder that takes the mean of all tokens."""
    return str(tiny.bert(tmp_path_factory.mktemp("base")))


def fit(base: str, rows: Any = ROWS, output_dir: Any = "", **settings: Any) -> Run:
    settings = {"max_steps": 2, "batch_size": 4, **settings}
    return tunesmith.train(rows, framework="setfit", base=base, output_dir=output_dir, seed=1, **settings)


def scores(run: Run, texts: Any = tiny.TEXTS[:4]) -> Any:
    return np.array([list(each.scores.values()) for each in run.predict(list(texts))])


HEADS: list[tuple[Any, Mapping[str, Any]]] = [
    (ROWS, {}),
    (ROWS, {"use_differentiable_head": True, "num_epochs": (1, 2), "head_learning_rate": 0.1}),
    (ROWS, {"head_params": {"C": 10.0}, "normalize_embeddings": True}),
    (SEVERAL, {}),
    (SEVERAL, {"multi_target_strategy": "multi-output"}),
    (SEVERAL, {"multi_target_strategy": "classifier-chain"}),
    (SEVERAL, {"use_differentiable_head": True, "num_epochs": (1, 2)}),
]


@pytest.mark.parametrize(("rows", "settings"), HEADS)
def test_every_head_predicts_the_same_when_it_is_opened_again(
    base: str, tmp_path: Path, rows: Any, settings: Mapping[str, Any]
) -> None:
    run = fit(base, rows, tmp_path, **settings)
    assert scores(tunesmith.load(tmp_path)) == pytest.approx(scores(run), abs=1e-6)
    assert {each.suffix for each in tmp_path.rglob("*") if each.is_file()} <= {
        *(".json", ".safetensors", ".txt", ".yaml", ".jsonl", ".lock", ".md", ".parquet")
    }


def test_the_head_is_the_one_that_scikit_learn_fits_on_the_embeddings(base: str) -> None:
    from sklearn.linear_model import LogisticRegression

    run = fit(base, head_params={"C": 3.0})
    body, texts = run.model.model_body, [row["text"] for row in ROWS]
    gold = [sorted({"no", "yes", "maybe"}).index(row["label"]) for row in ROWS]
    by_hand = LogisticRegression(C=3.0).fit(body.encode(texts), gold).predict_proba(body.encode(texts[:4]))
    assert scores(run, texts[:4]) == pytest.approx(by_hand, abs=1e-5)


def test_the_body_is_one_of_sentence_transformers(base: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    run = fit(base, output_dir=tmp_path)
    opened = SentenceTransformer(str(tmp_path))
    assert opened.encode(tiny.TEXTS[0]) == pytest.approx(run.model.model_body.encode(tiny.TEXTS[0]), abs=1e-6)


def test_labels_of_a_class_that_training_lacks_do_not_shift(base: str) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    names = ["a", "b", "c"]
    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    rows = [{"text": text, "label": "bc"[place % 2]} for place, text in enumerate(tiny.TEXTS)]
    run = fit(base, Dataset.from_list(rows, features=features), max_steps=20, body_learning_rate=1e-3)
    found = run.predict([row["text"] for row in rows])
    assert [each.label for each in found] == [row["label"] for row in rows]
    assert all(list(each.scores) == names and each.scores["a"] == 0 for each in found)


def test_a_label_that_all_rows_have_is_predicted_for_all(base: str, tmp_path: Path) -> None:
    rows = [{**row, "label": [*row["label"], "d"]} for row in SEVERAL]
    run = fit(base, rows, tmp_path)
    assert all("d" in each.labels for each in tunesmith.load(tmp_path).predict(list(tiny.TEXTS)))
    assert scores(tunesmith.load(tmp_path)) == pytest.approx(scores(run), abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"multi_target_strategy": "multi-output"},
        {"multi_target_strategy": "classifier-chain"},
        {"use_differentiable_head": True, "num_epochs": (1, 40), "head_learning_rate": 0.1},
    ],
)
def test_the_one_label_of_a_data_set_is_learned_beside_none(
    base: str, tmp_path: Path, settings: Mapping[str, Any]
) -> None:
    rows = [{"text": text, "label": ["urgent"] if place % 2 else []} for place, text in enumerate(tiny.TEXTS)]
    settings = {"max_steps": 40, "body_learning_rate": 1e-3, **settings}
    run = fit(base, rows, tmp_path, **settings)
    texts = [row["text"] for row in rows]
    assert [list(each.labels) for each in run.predict(texts)] == [row["label"] for row in rows]
    assert scores(tunesmith.load(tmp_path), texts) == pytest.approx(scores(run, texts), abs=1e-6)
    opened = tunesmith.load(tmp_path).model
    assert opened.predict(texts).tolist() == run.model.predict(texts).tolist(), "as the library itself predicts"


def test_one_label_that_all_rows_have_is_refused(base: str) -> None:
    rows = [{"text": text, "label": ["urgent"]} for text in tiny.TEXTS]
    with pytest.raises(TrainingFailed, match="every row has the one label"):
        fit(base, rows)


@pytest.mark.parametrize("loss", ["SupConLoss", "BatchHardTripletLoss", "ContrastiveLoss"])
def test_each_loss_trains_and_moves_the_encoder(base: str, loss: str) -> None:
    still = fit(base, max_steps=-1, num_epochs=(0, 1))
    moved = fit(base, loss=loss, body_learning_rate=1e-3)
    texts = list(tiny.TEXTS[:3])
    assert not np.allclose(moved.model.model_body.encode(texts), still.model.model_body.encode(texts), atol=1e-4)


def test_settings_reach_the_trainer(base: str) -> None:
    events: list[tuple[str, Mapping[str, Any]]] = []
    run = tunesmith.train(
        ROWS[:4],
        framework="setfit",
        base=base,
        num_iterations=3,
        batch_size=(4, 1),
        num_epochs=2,
        body_learning_rate=(1e-3, 1e-5),
        warmup_proportion=0.0,
        logging_steps=1,
        max_length=7,
        listener=lambda kind, values: events.append((kind, values)),
    )
    steps = [values for kind, values in events if kind == "train"]
    assert [each["step"] for each in steps] == list(range(1, 13)), "3 x 4 rows x 2 kinds, in fours, twice"
    assert {each["total"] for each in steps} == {12}
    assert steps[0]["learning_rate"] == pytest.approx(1e-3)
    assert [each["epoch"] for each in steps][5::6] == pytest.approx([1, 2])
    assert run.history[0]["loss"] == pytest.approx(steps[0]["loss"])
    assert run.model.model_body.max_seq_length == 7


@pytest.mark.parametrize(("share", "rates"), [(1.0, [0, 1, 2, 3]), (0.5, [0, 2, 4, 2]), (0.3, [0, 2, 4, 2])])
def test_the_rate_grows_over_the_share_of_steps_that_is_named(base: str, share: float, rates: list[int]) -> None:
    run = fit(base, max_steps=4, warmup_proportion=share, body_learning_rate=4e-3, logging_steps=1)
    logged = [each["learning_rate"] for each in run.framework_model.history if "learning_rate" in each]
    assert logged == pytest.approx([rate * 1e-3 for rate in rates])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"batch_size": (1, 2, 3)}, "one or two whole numbers, 1 or more: of the encoder and of the head"),
        ({"num_epochs": 1.5}, "one or two whole numbers"),
        ({"warmup_proportion": 2}, "a number from 0 to 1"),
        ({"sampling_strategy": "some"}, "'oversampling', 'undersampling', 'unique'"),
        ({"base": ("a", "b")}, "the name or the folder of a sentence encoder"),
        ({"loss": "CrossEntropy"}, "CosineSimilarityLoss"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_before_data_is_read(settings: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tunesmith.train("no-such-file.csv", framework="setfit", **settings)
    assert told in str(caught.value)


def test_a_base_that_is_not_there_is_told_before_data_is_read() -> None:
    with pytest.raises(ArtifactError, match="the folder does not exist"):
        tunesmith.train("no-such-file.csv", framework="setfit", base="./nowhere")


def test_a_base_is_a_folder_too_and_validation_rows_are_said_to_choose_nothing(base: str) -> None:
    notes: list[Any] = []
    run = tunesmith.train(
        ROWS,
        framework="setfit",
        base=Path(base),
        validation=ROWS,
        max_steps=1,
        batch_size=4,
        listener=lambda kind, values: notes.append(values.get("text")),
    )
    assert run.metrics["validation"]["accuracy"] > 0
    assert "setfit chooses nothing by the validation rows: they are scored, and that is all" in notes


def test_a_stream_is_read_whole_for_a_step_is_not_of_so_many_rows(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "AHEAD", 4)
    rows = sorted(ROWS * 5, key=lambda row: row["label"])
    run = fit(base, iter(rows), max_steps=1, batch_size=2)
    assert len(run.framework_model.labels) == 3, "the third label is beyond the rows of a step"


def test_numbers_and_pairs_of_texts_are_refused(base: str) -> None:
    numbers = [{"text": row["text"], "label": place / 7} for place, row in enumerate(ROWS)]
    with pytest.raises(UnsupportedTask, match="the kind 'regression', and it learns 'single' and 'multi'"):
        fit(base, numbers)
    pairs = [{"sentence1": row["text"], "sentence2": "and", "label": row["label"]} for row in ROWS]
    with pytest.raises(UnsupportedTask, match="it reads one text"):
        fit(base, pairs)


def test_a_loss_of_one_label_is_refused_for_rows_of_several(base: str) -> None:
    with pytest.raises(ConfigError, match="where rows have several labels"):
        fit(base, SEVERAL, loss="SupConLoss")


def test_an_error_of_the_library_is_ours_and_keeps_its_cause(base: str) -> None:
    with pytest.raises(TrainingFailed, match=r"setfit stopped with InvalidParameterError: .*'C'") as caught:
        fit(base, head_params={"C": -1.0})
    assert caught.value.__cause__ is not None


def test_a_broken_head_is_told(base: str, tmp_path: Path) -> None:
    fit(base, output_dir=tmp_path)
    (tmp_path / "head.json").write_text(json.dumps({"strategy": None}))
    with pytest.raises(ArtifactError, match=r"its head \(head.json, head.safetensors\) cannot be read"):
        tunesmith.load(tmp_path)


def test_a_text_does_not_know_its_neighbours_with_several_labels(base: str) -> None:
    train, held = small_tasks.several()
    run = fit(base, train[:40])
    texts = [row["text"] for row in held[:6]]
    assert scores(run, texts) == pytest.approx(np.vstack([scores(run, [text]) for text in texts]), abs=1e-5)
