"""A spaCy pipeline on a tiny transformer in its worker: a real nlp, the best weights, words, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tiny
import tunesmith
from tunesmith import Run
from tunesmith.errors import ArtifactError, ConfigError, RowError, TrainingFailed, UnknownSetting
from tunesmith.frameworks.worker_environment import Environment
from tunesmith.tasks.token_classification import TokenClassification

pytestmark = [pytest.mark.workers, pytest.mark.timeout(300)]

QUICK = {"accumulate_gradient": 1, "optimizer": {"learn_rate": 5e-3}, "batcher": {"size": 120}}
Events = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> str:
    train, held = small_tasks.tagged()
    texts = [" ".join(row["tokens"]) for row in [*train, *held]]
    return tiny.bert(tmp_path_factory.mktemp("base"), texts, hidden_size=64, max_positions=40)


def fit(base: str, rows: Any, task: str = "ner", *, events: Events | None = None, **settings: Any) -> Run:
    def listen(kind: str, values: Mapping[str, Any]) -> None:
        if events is not None:
            events.append((kind, values))

    given = {**QUICK, "seed": 1, **settings}
    return tunesmith.train(rows, task=task, framework="spacy-transformers", base=base, listener=listen, **given)


def notes(events: Events) -> str:
    return "\n".join(str(values["text"]) for kind, values in events if kind == "note")


def test_a_transformer_that_is_not_to_learn_keeps_its_weights(base: str, tmp_path: Path) -> None:
    train, held = small_tasks.tagged()
    for name, told in (("kept", {"update_transformer": False}), ("more", {"update_transformer": False}), ("own", {})):
        steps = 1 if name == "kept" else 30
        fit(base, train, validation=held, max_steps=steps, eval_frequency=15, output_dir=tmp_path / name, **told)
    states = {name: (tmp_path / name / "transformer" / "model").read_bytes() for name in ("kept", "more", "own")}
    assert states["kept"] == states["more"] != states["own"]
    parts = [(tmp_path / name / "ner" / "model").read_bytes() for name in ("kept", "more")]
    assert parts[0] != parts[1]
    assert tunesmith.load(tmp_path / "more").predict(["Ada met Bob"])[0].spans is not None


@pytest.fixture(scope="module")
def trained(base: str, tmp_path_factory: Any) -> tuple[Run, Events]:
    """A run of entities with validation; its base has gone since."""
    mine = tmp_path_factory.mktemp("mine") / "base"
    shutil.copytree(base, mine)
    train, held = small_tasks.tagged()
    events: Events = []
    folder = tmp_path_factory.mktemp("run")
    run = fit(str(mine), train, validation=held, max_epochs=6, eval_frequency=20, output_dir=folder, events=events)
    shutil.rmtree(mine)
    return run, events


_OPEN = """
import json, sys, spacy
nlp = spacy.load(sys.argv[1])
for text in json.loads(sys.argv[2]):
    print(json.dumps([[entity.label_, entity.start_char, entity.end_char] for entity in nlp(text).ents]))
print(json.dumps([nlp.pipe_names, nlp.meta["performance"]]))
"""


def test_spacy_opens_the_folder_wherever_it_is_and_finds_the_same(trained: Any, tmp_path: Path) -> None:
    run, _ = trained
    moved = shutil.copytree(run.folder.path, tmp_path / "moved")
    texts = ["Yesterday Omar Haddad flew to  Lima .", "Anna Weber lives in New York .", ""]
    command = [str(Environment("spacy-transformers").python), "-I", "-c", _OPEN, str(moved), json.dumps(texts)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [[[s.label, s.start, s.end] for s in each.spans] for each in run.predict(texts)]
    assert [json.loads(line) for line in said[:3]] == found
    assert found[0]
    assert found[2] == []
    names, performance = json.loads(said[3])
    assert names == ["transformer", "ner"]
    assert performance["f1"] == run.metrics["validation"]["f1"]
    (moved / "ner" / "model").unlink()
    with pytest.raises(ArtifactError, match=r"moved: spacy-transformers: .*ner"):
        tunesmith.load(moved)


def test_no_file_says_from_which_folder_the_worker_read_the_base(trained: Any) -> None:
    run, _ = trained
    held = [path for path in run.folder.path.rglob("*") if path.is_file() and path.name != "worker.log"]
    assert {"config.cfg", "model", "meta.json"} <= {path.name for path in held}
    scratch = str(run.framework_model.module.worker.scratch).encode()
    assert not [path.name for path in held if scratch in path.read_bytes()]


def test_the_best_evaluation_is_kept_and_the_last_step_is_evaluated_too(trained: Any) -> None:
    run, events = trained
    told = [values for kind, values in events if kind == "evaluate"]
    scores = [values["metrics"]["f1"] for values in told]
    assert run.metrics["validation"]["f1"] == max(scores[:-1]) == scores[-1] > 0
    steps = [values["step"] for kind, values in events if kind == "train"]
    assert [values["step"] for values in told[:-1]] == [*range(1, steps[-1], 20), steps[-1]]
    assert steps[:4] == [1, 2, 4, 6]
    assert [entry["eval_f1"] for entry in run.history if "eval_f1" in entry] == scores[:-1]


def test_what_spacy_says_when_it_fails_is_in_the_log_of_the_run(base: str, tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "short"}, {"text": "b" * 1_000_001, "label": "long"}]
    with pytest.raises(
        TrainingFailed, match=r"ValueError: \[E088\] Text of length 1000001.*Its log, (\S+), ends:"
    ) as caught:
        fit(base, rows, "classification", output_dir=tmp_path)
    assert f"Its log, {tmp_path / 'worker.log'}, ends:" in str(caught.value)
    assert "Traceback" in (tmp_path / "worker.log").read_text(encoding="utf-8")


def test_spans_are_places_in_each_texts_own_characters(trained: Any) -> None:
    run, _ = trained
    rows = [row["tokens"] for row in small_tasks.tagged()[0][:6]]
    texts = [" ".join(words) for words in rows]
    alone = [run.predict([text])[0].spans for text in texts]
    moved = run.predict([*texts, *(f"\n {text}" for text in texts)], batch_size=5)
    assert [found.spans for found in moved[:6]] == alone
    assert all(alone)
    for text, spans, found in zip(texts, alone, moved[6:], strict=True):
        assert [text[span.start : span.end] for span in spans] == [
            text[span.start - 2 : span.end - 2] for span in found.spans
        ]
        assert all(0 < span.score <= 1 for span in found.spans)
    for words, found in zip(rows, run.predict(rows), strict=True):
        named = [word for word, tag in zip(words, found.tags, strict=True) if tag != "O"]
        assert named == [word for span in found.spans for word in " ".join(words)[span.start : span.end].split()]


def test_a_text_longer_than_the_transformer_is_read_to_its_end(trained: Any) -> None:
    run, _ = trained
    words = [word for row in small_tasks.tagged()[0][:24] for word in row["tokens"]]
    found = run.predict([words])[0]
    assert len(found.tags) == len(words)
    assert any(span.start > len(" ".join(words)) * 0.9 for span in found.spans)
    with pytest.raises(RowError, match="row 1, column 'tokens': has an empty word"):
        run.predict([["Anna"], ["Anna", ""]])


def test_few_rows_are_many_batches_and_the_rate_falls_to_their_end(base: str, tmp_path: Path) -> None:
    config = ConfigParser()
    rows = small_tasks.tagged()[0]
    run = tunesmith.train(
        rows, task="ner", framework="spacy-transformers", base=base, max_epochs=2, output_dir=tmp_path, seed=1
    )
    steps = run.history[-1]["step"]
    assert steps >= 12
    assert run.folder.read_json("run.lock")["chosen"] == {
        "batcher": {"size": 100},
        "optimizer": {"learn_rate": {"warmup_steps": steps // 10, "total_steps": steps}},
    }
    config.read(tmp_path / "config.cfg")
    assert config["training.optimizer.learn_rate"]["total_steps"] == str(steps)
    assert config["training.batcher"]["size"] == "100"


def test_entities_within_words_are_counted_and_say_nothing(base: str, tmp_path: Path) -> None:
    events: Events = []
    rows = [{"text": "Maria lives in Berlin.", "spans": [[0, 5, "PER"]]}, {"text": "Li-Wei", "spans": [[0, 1, "PER"]]}]
    run = fit(base, rows * 4, lang="de", events=events)
    assert "4 entities in 4 texts begin or end inside a word as the tokenizer of 'de' makes them" in notes(events)
    run.save(tmp_path)
    assert json.loads((tmp_path / "tunesmith.json").read_text())["component"] == "ner"


def test_the_weights_of_the_best_score_are_kept_and_patience_ends_training(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"tokens": ["Anna", "went", "home"], "tags": ["PROPN", "VERB", "ADV"]}] * 8
    asked = [["Anna", " ", "went"], "Anna  went"]
    short = fit(base, rows, "pos", max_steps=1).predict(asked)  # spaCy ends after the step of that number, from 0
    scores = iter([0.1, 0.9, 0.2, 0.3, 0.4, 0.5])
    monkeypatch.setattr(TokenClassification, "score", lambda *_: {"f1": next(scores)})
    run = fit(base, rows, "pos", validation=rows[:2], eval_frequency=1, patience=3)
    assert [entry["eval_f1"] for entry in run.history if "eval_f1" in entry] == [0.1, 0.9, 0.2, 0.3, 0.4]
    assert run.predict(asked) == short
    assert len(short[0].tags) == 3
    assert [(span.start, span.end) for span in short[0].spans] == [(0, 4), (7, 11)]
    assert [(span.start, span.end) for span in short[1].spans] == [(0, 4), (6, 10)]
    assert {span.label for each in short for span in each.spans} <= {"ADV", "PROPN", "VERB"}


def test_several_labels_have_a_probability_each_on_an_encoder_without_token_types(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    tokenizer = tiny.bert_tokenizer(max_positions=40)  # which makes token types
    sizes = {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 40}
    DistilBertModel(DistilBertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    rows, held = small_tasks.several()
    found = fit(str(tmp_path), rows[:24], "classification", max_steps=2).predict([row["text"] for row in held[:4]])
    assert all(list(each.scores) == ["figures", "question", "spam"] for each in found)
    assert all(each.labels == tuple(name for name, chance in each.scores.items() if chance >= 0.5) for each in found)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"optimizer": {"learnrate": 0.1}}, UnknownSetting, "Did you mean 'optimizer.learn_rate'"),
        ({"batcher": {"size": "many"}}, ConfigError, "setting 'batcher' is .* what spacy-transformers takes there"),
        ({"lang": "qq"}, ConfigError, "setting 'lang' is 'qq'.*it says: .*qq"),
    ],
)
def test_what_spacy_does_not_take_is_told_before_data_is_read(base: str, given: Any, error: Any, told: str) -> None:
    with pytest.raises(error, match=told):
        fit(base, "no-such-file.csv", **given)


def test_what_cannot_be_trained_is_refused_before_data_is_read(base: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected an encoder, as BERT and RoBERTa are; it is gpt2"):
        fit(tiny.gpt2(tmp_path / "gpt2"), "no-such-file.csv")
    with pytest.raises(ConfigError, match="expected an end of training: patience, max_epochs or max_steps above 0"):
        fit(base, "no-such-file.csv", max_steps=0, patience=0)
    with pytest.raises(ConfigError, match="has no CuPy"):
        fit(base, "no-such-file.csv", device=0)
