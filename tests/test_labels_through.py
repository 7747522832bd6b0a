"""Labels, from the data through training and saving to the predictions: the user's names in the user's order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
import tunesmith
from tunesmith.errors import DataError, RowError

GOOD = ["the phone is great", "a good book", "the screen is bright", "a great film"]
BAD = ["the box was broken", "the film was bad", "I want my money back", "a bad phone"]
QUICK: dict[str, Any] = {"num_train_epochs": 1, "seed": 0, "disable_tqdm": True}
LEARN: dict[str, Any] = {"num_train_epochs": 12, "learning_rate": 5e-3, "seed": 0, "disable_tqdm": True}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


def rows(good: Any, bad: Any, copies: int = 2) -> list[dict[str, Any]]:
    pairs = [(text, good) for text in GOOD] + [(text, bad) for text in BAD]
    return [{"text": text, "label": label} for text, label in pairs * copies]


def named(run: Any) -> list[str]:
    """The label names of a run's model, in the order of its outputs."""
    return [name for _, name in sorted(run.model.config.id2label.items())]


def test_a_class_that_is_only_in_validation_is_an_error_with_row_and_column(bert: str) -> None:
    with pytest.raises(RowError, match=r"validation: row 1, column 'label': label 'so-so' is not one of the 2 known"):
        tunesmith.train(
            rows("up", "down"),
            base=bert,
            validation=[*rows("up", "down")[:1], {"text": "x", "label": "so-so"}],
            **QUICK,
        )


def test_a_class_that_is_only_in_validation_may_be_dropped_and_is_counted(bert: str, tmp_path: Path) -> None:
    import json

    held = [*rows("up", "down", 1), {"text": "x", "label": "so-so"}]
    tunesmith.train(rows("up", "down"), base=bert, validation=held, bad_rows="drop", output_dir=tmp_path, **QUICK)
    audit = json.loads((tmp_path / "audit.json").read_text())["validation"]
    assert (audit["kept"], list(audit["left_out"].values())) == (8, [[8]])
    assert "'so-so' is not one of the 2 known" in next(iter(audit["left_out"]))


def test_a_declared_class_that_is_only_in_validation_is_scored(bert: str) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["zebra", "ant", "cow"])})
    train = Dataset.from_list(rows("zebra", "ant"), features=features)
    held = Dataset.from_list([{"text": "a good book", "label": "cow"}], features=features)
    run = tunesmith.train(train, base=bert, validation=held, **QUICK)
    assert named(run) == ["zebra", "ant", "cow"]
    assert run.metrics["validation"]["accuracy"] in (0.0, 1.0)


def test_names_come_back_in_predictions_in_their_declared_order(bert: str, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["worst", "fine", "best"])})
    data = Dataset.from_list(rows("best", "worst"), features=features)
    run = tunesmith.train(data, base=bert, output_dir=tmp_path, **LEARN)
    for each in (run, tunesmith.load(tmp_path)):
        found = each.predict(["a good book", "a bad phone"])
        assert [prediction.label for prediction in found] == ["best", "worst"]
        assert [list(prediction.scores) for prediction in found] == [["worst", "fine", "best"]] * 2
        assert found[0].score == pytest.approx(max(found[0].scores.values()))
        assert sum(found[0].scores.values()) == pytest.approx(1)


def test_undeclared_names_are_sorted_and_numbers_by_size(bert: str) -> None:
    assert named(tunesmith.train(rows("ünder", "Über"), base=bert, **QUICK)) == ["Über", "ünder"]
    assert named(tunesmith.train(rows(10, 9), base=bert, **QUICK)) == ["9", "10"]


def test_a_single_class_is_an_error_that_says_what_to_do(bert: str) -> None:
    with pytest.raises(DataError, match=r"the label 'up'; .* at least two classes\. Add rows of another class\.$"):
        tunesmith.train(rows("up", "up"), base=bert, **QUICK)


def test_no_label_at_all_is_an_error(bert: str) -> None:
    with pytest.raises(DataError, match="no row has a label"):
        tunesmith.train(rows(None, None), base=bert, **QUICK)


def test_the_labels_of_an_earlier_model_give_way_to_the_new_ones(bert: str, tmp_path: Path) -> None:
    tunesmith.train(rows("up", "down"), base=bert, output_dir=tmp_path, **QUICK)
    run = tunesmith.train([*rows("no", "yes"), {"text": "who knows", "label": "maybe"}], base=tmp_path, **QUICK)
    assert named(run) == ["maybe", "no", "yes"]
    assert run.model.config.num_labels == run.model.classifier.out_features == 3


def test_the_same_labels_again_keep_the_head_and_its_order(bert: str, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["up", "down"])})
    first = tunesmith.train(
        Dataset.from_list(rows("up", "down"), features=features), base=bert, output_dir=tmp_path, **LEARN
    )
    again = tunesmith.train(rows("up", "down"), base=tmp_path, **{**QUICK, "learning_rate": 0.0})
    assert named(again) == ["up", "down"]  # sorted, they would be the other way round
    assert torch.equal(again.model.classifier.weight, first.model.classifier.weight)
    assert [p.label for p in again.predict(["a good book", "a bad phone"])] == ["up", "down"]


def test_the_same_number_of_other_labels_starts_a_new_head(bert: str, tmp_path: Path) -> None:
    first = tunesmith.train(rows("up", "down"), base=bert, output_dir=tmp_path, **QUICK)
    run = tunesmith.train(rows("left", "right"), base=tmp_path, **{**QUICK, "learning_rate": 0.0})
    assert named(run) == ["left", "right"]
    assert not torch.equal(run.model.classifier.weight, first.model.classifier.weight)


def test_classification_after_regression_and_back(bert: str, tmp_path: Path) -> None:
    numbers, classes = tmp_path / "numbers", tmp_path / "classes"
    run = tunesmith.train(rows(0.9, 0.1), base=bert, output_dir=numbers, **QUICK)
    assert isinstance(run.predict(["a good book"])[0].value, float)
    run = tunesmith.train(rows("up", "down"), base=numbers, output_dir=classes, **LEARN)
    assert run.model.config.problem_type == "single_label_classification"
    assert [p.label for p in run.predict(["a good book", "a bad phone"])] == ["up", "down"]
    run = tunesmith.train(rows(0.9, 0.1), base=classes, **QUICK)
    assert (run.model.config.problem_type, run.model.config.num_labels) == ("regression", 1)
    assert run.predict(["a good book"])[0].label is None


@pytest.mark.parametrize("how", [{}, {"lora": True}, {"from_scratch": "bert-tiny", "base": None}], ids=str)
def test_numbers_far_from_0_need_no_steps_to_get_there(bert: str, tmp_path: Path, how: dict[str, Any]) -> None:
    still = {**QUICK, "learning_rate": 0.0}
    first = tunesmith.train(rows(101.0, 99.5), output_dir=tmp_path, **{**still, "base": bert, **how})
    assert first.predict(["a good book"])[0].value == pytest.approx(100.25, abs=0.5)
    again = tunesmith.train(rows(51.0, 50.5), base=tmp_path, **still)
    assert again.predict(["a good book"])[0].value == first.predict(["a good book"])[0].value  # a head is kept


def test_several_labels_come_back_by_name(bert: str, tmp_path: Path) -> None:
    data = [*rows(["kind", "bright"], ["broken"]), {"text": "nothing to say", "label": []}]
    run = tunesmith.train(data, base=bert, output_dir=tmp_path, **{**LEARN, "num_train_epochs": 20})
    assert run.model.config.problem_type == "multi_label_classification"
    for each in (run, tunesmith.load(tmp_path)):
        found = each.predict(["a good book", "a bad phone"])
        assert [set(prediction.labels or ()) for prediction in found] == [{"kind", "bright"}, {"broken"}]
        assert list(found[0].scores) == ["bright", "broken", "kind"]


@pytest.mark.parametrize(
    ("good", "bad"),
    [([1, 0, 1], [0, 1, 0]), ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0]), ([True, False, True], [False, True, False])],
    ids=["ints", "floats", "bools"],
)
def test_multi_hot_rows_of_any_type_are_equal(bert: str, good: Any, bad: Any) -> None:
    run = tunesmith.train(rows(good, bad), base=bert, **QUICK)
    assert named(run) == ["0", "1", "2"]
    assert run.model.config.problem_type == "multi_label_classification"
    scores = run.evaluate(rows([1, 0, 1], [0, 1, 0]))
    assert {"f1", "micro_f1"} & set(scores)


def test_one_label_written_as_text_is_read_as_several_where_the_user_says_so(bert: str) -> None:
    run = tunesmith.train(rows("kind|bright", "broken"), base=bert, label_kind="multi", **QUICK)
    assert named(run) == ["bright", "broken", "kind"]


def test_tag_names_come_back_from_a_saved_model(bert: str, tmp_path: Path) -> None:
    data = [{"tokens": ["Anna", "wrote", "to", "Acme"], "tags": ["B-PER", "O", "O", "B-ORG"]}] * 8
    run = tunesmith.train(
        data, base=bert, task="token-classification", output_dir=tmp_path, **{**LEARN, "num_train_epochs": 20}
    )
    assert named(run) == ["O", "B-ORG", "I-ORG", "B-PER", "I-PER"]
    found = tunesmith.load(tmp_path).predict(["Anna wrote to Acme"])[0]
    assert [(span.label, span.start, span.end) for span in found.spans or ()] == [("PER", 0, 4), ("ORG", 14, 18)]
