"""The defects of Argilla v1's trainer, by their numbers in our study of it, over every framework of this environment.

Those of records, preparing and client (2, 8, 9, 14, 18 to 20, 22, 25) are in records/test_defects.py. Of single
libraries: 1 in frameworks/test_setfit.py, 6 in workers/test_span_marker.py, 10 in
frameworks/test_sentence_transformers.py, 15 in frameworks/test_openai_training.py and test_openai_jobs.py. 27 is in
test_public.py, 20, 22, 25 and 26 of the trainer are in test_argilla_trainer.py. 11, 12 and 16 are of data sets that are
not here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest

import small_tasks
import tiny
import tunesmith.argilla as rg
from tunesmith.argilla import ArgillaTrainer
from tunesmith.errors import TunesmithError
from tunesmith.records import session

TEXT = [
    name for name in ("baseline", "setfit", "spacy", "transformers", "peft") if name == "baseline" or find_spec(name)
]
TOKENS = [name for name in TEXT if name != "setfit"]
LABELS = ("spam", "ham", "never")


@pytest.fixture(scope="module")
def home(tmp_path_factory: Any) -> Iterator[Path]:
    """A store with both data sets, a tiny BERT and T5, and a working folder in which nothing is to be written."""
    made: Path = tmp_path_factory.mktemp("defects")
    rows = small_tasks.classes()[0]
    said = [" ".join(row["tokens"]) for part in small_tasks.tagged() for row in part]
    tiny.bert(made / "bert", [*said, *(row["text"] for row in rows)])
    tiny.t5(made / "t5", [row["text"] for row in rows])
    (made / "cwd").mkdir()
    session.init(database=made / "records.db")
    spam = [
        rg.TextClassificationRecord(row["text"], annotation=row["label"], id=f"{at:03}")
        for at, row in enumerate(rows[:48])
    ]
    rg.log(spam, "spam", verbose=False)
    rg.configure_dataset_settings("spam", rg.TextClassificationSettings(LABELS))
    train, held = small_tasks.tagged()
    people = [
        rg.TokenClassificationRecord(tokens=row["tokens"], tags=row["tags"], id=at)
        for at, row in enumerate(train + held)
    ]
    rg.log(people, "people", verbose=False)
    rg.configure_dataset_settings("people", rg.TokenClassificationSettings(["PER", "LOC", "NEVER"]))
    yield made
    session.close()


def trainer(home: Path, framework: str, name: str, **given: Any) -> ArgillaTrainer:
    """A trainer of a few seconds."""
    made = ArgillaTrainer(name, framework, **given)
    if framework in ("transformers", "peft"):
        made.update_config(pretrained_model_name_or_path=str(home / "bert"), num_train_epochs=8, learning_rate=5e-3)
        if (framework, name) == ("peft", "people"):  # an adapter on random weights learns nothing
            made.update_config(pretrained_model_name_or_path="minilm", maxlength=32)
    elif framework == "spacy":
        made.update_config(max_epochs=4)
    elif framework == "setfit":
        made.update_config(pretrained_model_name_or_path=str(home / "bert"), max_steps=4, max_length=32)
    return made


@pytest.fixture(scope="module")
def trained(home: Path) -> Any:
    """Trains a pair once, without a split, in the empty working folder."""
    known: dict[tuple[str, str], ArgillaTrainer] = {}

    def get(framework: str, name: str) -> ArgillaTrainer:
        if (framework, name) not in known:
            made = trainer(home, framework, name)
            before = Path.cwd()
            os.chdir(home / "cwd")
            try:
                made.train()
            finally:
                os.chdir(before)
            known[framework, name] = made
        return known[framework, name]

    return get


TEXTS = ["Free entry! Call now to claim your prize", "see you at home tonight", "WINNER! You have won a cash prize"]
SENTENCES = ["Maria Lopez lives in New York.", "In Lima we met Li Wei at the station .", "Nothing here"]


@pytest.mark.parametrize("framework", TEXT)
def test_01_and_08_labels_are_those_of_the_settings_in_their_order(trained: Any, framework: str) -> None:
    found = trained(framework, "spam").predict(TEXTS, as_argilla_records=False)
    assert all(tuple(each.scores) == LABELS for each in found)
    if framework == "baseline":  # the others would need longer
        assert [each.label for each in found] == ["spam", "ham", "spam"]


@pytest.mark.parametrize("framework", TEXT)
def test_03_predictions_do_not_change_after_training_without_a_test_part(trained: Any, framework: str) -> None:
    asked = trained(framework, "spam")
    first = asked.predict(TEXTS)
    assert [record.prediction for record in asked.predict(TEXTS)] == [record.prediction for record in first]
    assert [len(record.prediction) for record in first] == [3, 3, 3]
    assert all(0 < score < 1 for record in first for _, score in record.prediction[:1])


@pytest.mark.parametrize("framework", TOKENS)
def test_04_and_05_entities_are_whole_and_keep_their_scores(trained: Any, framework: str) -> None:
    record = trained(framework, "people").predict(SENTENCES[0])
    spans = [(label, record.text[start:end]) for label, start, end, _ in record.prediction]
    assert ("PER", "Maria Lopez") in spans
    assert ("LOC", "New York") in spans
    assert all(0.1 < score <= 1 for *_, score in record.prediction)


@pytest.mark.parametrize("framework", TOKENS)
def test_06_every_record_has_the_tokens_of_its_own_text(trained: Any, framework: str) -> None:
    asked = trained(framework, "people")
    for record, text in zip(asked.predict(SENTENCES), SENTENCES, strict=True):
        assert record.text == text
        assert "".join(record.tokens) == text.replace(" ", "")
        alone = asked.predict(text).prediction
        assert [span[:3] for span in record.prediction] == [span[:3] for span in alone]


@pytest.mark.parametrize("framework", [name for name in TEXT if name != "baseline"])
def test_07_a_model_that_is_not_there_is_no_model_from_scratch(home: Path, framework: str) -> None:
    with pytest.raises(TunesmithError, match=r"no-such-model"):
        ArgillaTrainer("spam", framework, model="no-such-model").train()


@pytest.mark.parametrize("framework", TEXT)
def test_13_several_labels_are_trained_without_a_split(home: Path, framework: str) -> None:
    rows = [
        rg.TextClassificationRecord(row["text"], annotation=row["label"], multi_label=True)
        for row in small_tasks.several()[0][:32]
    ]
    rg.log(rows, "several", verbose=False)
    made = trainer(home, framework, "several")
    if framework in ("transformers", "peft"):
        made.update_config(num_train_epochs=1)
    assert made.train() == {}
    record = made.predict(TEXTS[0])
    assert record.multi_label
    assert {label for label, _ in record.prediction} == {"figures", "question", "spam"}


@pytest.mark.parametrize("framework", TEXT)
def test_17_and_24_scores_of_the_test_part_come_back_and_no_network_is_asked(home: Path, framework: str) -> None:
    made = trainer(home, framework, "spam", train_size=0.75)
    if framework in ("transformers", "peft"):
        made.update_config(num_train_epochs=1)
    metrics = made.train()
    assert {"accuracy", "f1"} <= set(metrics["test"])


@pytest.mark.parametrize("framework", TEXT)
def test_21_a_key_that_is_unknown_is_an_error_before_training(home: Path, framework: str) -> None:
    made = trainer(home, framework, "spam")
    with pytest.raises(TypeError, match=r"unknown setting 'no_such_key'\."):
        made.update_config(no_such_key=1)


@pytest.mark.parametrize("framework", TEXT)
def test_23_nothing_is_written_where_one_works(trained: Any, home: Path, framework: str) -> None:
    trained(framework, "spam")
    assert list((home / "cwd").iterdir()) == []


def test_24_training_stops_early_calls_back_weighs_classes_and_goes_on(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    import torch
    from transformers import TrainerCallback

    class Steps(TrainerCallback):
        seen: ClassVar[list[int]] = []

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.seen.append(state.global_step)

    def favouring(place: int, outputs: Any, labels: Any, **_: Any) -> Any:
        weight = torch.ones(3)
        weight[place] = 1e6
        return torch.nn.functional.cross_entropy(outputs.logits, labels, weight=weight)

    made = trainer(home, "transformers", "spam", train_size=0.75, limit=24)
    made.update_config(early_stopping=1, learning_rate=0.0, num_train_epochs=9)
    made.train(validation=0.25, callbacks=[Steps()])
    assert max(Steps.seen) == 2 * 2, "14 rows an epoch; the second is no better than the first"
    made.update_config(early_stopping=None, learning_rate=2e-2, max_steps=4, save_steps=2)
    for place in (0, 1):
        made.train(tmp_path / "run", loss=partial(favouring, place))
        assert {record.prediction[0][0] for record in made.predict(TEXTS)} == {LABELS[place]}
    Steps.seen.clear()
    made.update_config(checkpoint=True, max_steps=5)
    made.train(tmp_path / "run", callbacks=[Steps()])
    assert Steps.seen == [5]
    with pytest.raises(TypeError, match=r"unknown setting 'callback'\. Did you mean 'callbacks'"):
        made.train(callback=[])


def test_24_text_to_text_is_trained(home: Path) -> None:
    pytest.importorskip("transformers")
    rows = [rg.Text2TextRecord(row["text"], annotation=row["label"]) for row in small_tasks.classes()[0][:16]]
    rg.log(rows, "texts", verbose=False)
    made = ArgillaTrainer("texts", "transformers", model=str(home / "t5"), framework_kwargs={"max_steps": 1})
    made.train()
    record = made.predict("Free entry")
    assert isinstance(record, rg.Text2TextRecord)
    assert [type(part) for part in record.prediction[0]] == [str, float]
