"""SpanMarker in its worker, with a tiny encoder: words, pieces, the best epoch, and workers that end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tiny
import tunesmith
from tunesmith import Run
from tunesmith.errors import ConfigError, DataError, TrainingFailed

pytestmark = [pytest.mark.workers, pytest.mark.timeout(300)]

SMALL = {"model_max_length": 32, "marker_max_length": 32, "entity_max_length": 2, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> str:
    train, held = small_tasks.tagged()
    texts = [" ".join(row["tokens"]) for row in [*train, *held]]
    return tiny.bert(tmp_path_factory.mktemp("base"), texts, hidden_size=64, max_positions=40)


def fit(base: str, rows: Any = None, **settings: Any) -> Run:
    rows = small_tasks.tagged()[0] if rows is None else rows
    return tunesmith.train(rows, task="ner", framework="span-marker", base=base, seed=1, **{**SMALL, **settings})


@pytest.fixture(scope="module")
def trained(base: str, tmp_path_factory: Any) -> tuple[Run, list[tuple[str, Mapping[str, Any]]]]:
    events: list[tuple[str, Mapping[str, Any]]] = []
    folder = tmp_path_factory.mktemp("run")
    held = small_tasks.tagged()[1]
    told: dict[str, Any] = {"listener": lambda kind, values: events.append((kind, values)), "logging_steps": 10}
    return fit(base, validation=held, num_train_epochs=8, output_dir=folder, **told), events


def test_the_best_epoch_is_kept_and_steps_are_told(trained: Any) -> None:
    run, events = trained
    scores = [values["metrics"]["f1"] for kind, values in events if kind == "evaluate"]
    assert len(scores) == 9  # one an epoch, and that of the model that is kept
    assert run.metrics["validation"]["f1"] == max(scores[:-1]) == scores[-1] > 0
    steps = [values["step"] for kind, values in events if kind == "train"]
    assert steps == list(range(10, 81, 10))
    assert [entry["eval_f1"] for entry in run.history if "eval_f1" in entry] == scores[:-1]
    assert (run.folder.path / "worker.log").stat().st_size > 0


def test_spans_are_places_in_each_texts_own_characters(trained: Any) -> None:
    run, _ = trained
    texts = [" ".join(row["tokens"]) for row in small_tasks.tagged()[0]]
    alone = [run.predict([text])[0].spans for text in texts[:6]]
    spread = [text.replace(" ", "   ") for text in texts[:6]]
    together = run.predict([*texts[:6], "", *spread])
    assert [found.spans for found in together[:6]] == alone
    assert together[6].spans == ()
    for text, wide, one, other in zip(texts, spread, alone, together[7:], strict=False):
        assert one
        assert [text[span.start : span.end] for span in one] == [
            wide[span.start : span.end].replace("   ", " ") for span in other.spans
        ]
        assert all(0 < span.score <= 1 for span in one)


def test_words_that_the_tokenizer_does_not_see_keep_their_places(trained: Any) -> None:
    run, _ = trained
    row = small_tasks.tagged()[0][0]
    words = [part for word in row["tokens"] for part in (" ", word, "\u200d")]
    plain, odd = run.predict([row["tokens"]])[0], run.predict([words])[0]
    assert len(odd.tags) == len(words)
    assert plain.spans
    text = " ".join(words)
    assert [(s.label, text[s.start : s.end].split()[0]) for s in odd.spans] == [
        (s.label, " ".join(row["tokens"])[s.start : s.end].split()[0]) for s in plain.spans
    ]


def test_a_text_longer_than_the_model_is_read_to_its_end(trained: Any) -> None:
    run, _ = trained
    words = [word for row in small_tasks.tagged()[0][:24] for word in row["tokens"]]
    whole = run.predict([words])[0]
    pieces = [words[at : at + 30] for at in range(0, len(words), 30)]  # each word is a token, and two are special
    tags = [tag for found in run.predict(pieces) for tag in found.tags]
    assert sum(tag != "O" for tag in tags[30:])
    assert list(whole.tags) == tags


def test_long_training_rows_are_cut_between_entities_and_counted(base: str) -> None:
    long = [{"text": "Maria Lopez lives in New York . " * 12, "spans": []}]
    for at in range(12):
        long[0]["spans"] += [[32 * at, 32 * at + 11, "PER"], [32 * at + 21, 32 * at + 29, "LOC"]]  # type: ignore[operator]
    notes: list[str] = []
    fit(base, long * 4, max_steps=1, listener=lambda kind, values: notes.append(str(values.get("text"))))
    told = next(note for note in notes if note.startswith("span-marker: 1 steps"))
    assert int(told.split()[4]) > 8


def test_spans_of_text_may_end_within_a_word_but_not_overlap(base: str) -> None:
    rows = [{"text": "Lopez-Weber lives", "spans": [[0, 5, "PER"], [6, 9, "PER"]]}]
    assert fit(base, rows * 2, max_steps=1).predict(["Lopez"])
    rows[0]["spans"] = [[0, 5, "PER"], [3, 11, "LOC"]]
    with pytest.raises(DataError, match="overlapping spans"):
        fit(base, rows, max_steps=1)


def test_training_stops_early_where_nothing_gets_better(base: str) -> None:
    held = small_tasks.tagged()[1]
    run = fit(base, validation=held, num_train_epochs=9, learning_rate=0, early_stopping=2, logging_steps=1000)
    assert sum("eval_f1" in entry for entry in run.history) == 3
    with pytest.raises(ConfigError, match="validation rows to watch"):
        fit(base, early_stopping=2)


def test_threads_that_predict_at_once_have_their_own_answers(trained: Any) -> None:
    run, _ = trained
    rows = [row["tokens"] for row in small_tasks.tagged()[0][:12]]
    alone = [run.predict([row])[0].spans for row in rows]
    with ThreadPoolExecutor(4) as threads:
        assert [found[0].spans for found in threads.map(lambda row: run.predict([row]), rows)] == alone


def test_a_killed_worker_is_one_error_and_the_next_prediction_reads_the_model_again(trained: Any) -> None:
    run, _ = trained
    before = run.predict([small_tasks.tagged()[0][0]["tokens"]])
    process = run.framework_model.module.worker._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert run.predict([small_tasks.tagged()[0][0]["tokens"]]) == before


def test_a_worker_that_is_killed_in_training_says_so(base: str) -> None:
    from tunesmith.frameworks import worker

    started: list[int] = []
    start = worker.Worker._start

    def noted(self: Any) -> Any:
        process = start(self)
        started.append(process.pid)
        return process

    def listen(kind: str, values: Mapping[str, Any]) -> None:
        if kind == "train":
            os.kill(started[0], signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.Worker, "_start", noted)
        with pytest.raises(TrainingFailed, match="its worker was ended by SIGKILL"):
            fit(base, num_train_epochs=50, logging_steps=1, listener=listen)


def test_a_base_that_version_5_saved_is_read_as_version_5_reads_it(base: str, tmp_path: Path) -> None:
    from transformers import AutoModel, PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_file=str(Path(base, "tokenizer.json")), pad_token="[PAD]")
    fast.add_special_tokens({"extra_special_tokens": ["<more>"]})
    fast.save_pretrained(tmp_path)
    model = AutoModel.from_pretrained(base)
    model.resize_token_embeddings(len(fast))
    model.save_pretrained(tmp_path)
    told = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert told["tokenizer_class"] == "TokenizersBackend"
    run = fit(str(tmp_path), max_steps=2)
    assert run.predict(["Maria Lopez lives in Lima"])
    assert json.loads((tmp_path / "tokenizer_config.json").read_text()) == told


def test_what_is_no_encoder_is_refused_before_data_is_read(base: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected no gpt2, but an encoder of one of the types bert"):
        fit(tiny.gpt2(tmp_path / "gpt2"), "no-such-file.csv")
    with pytest.raises(ConfigError, match="trains in a process of its own"):
        fit((object(), object()), "no-such-file.csv")  # type: ignore[arg-type]
