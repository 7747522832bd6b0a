"""The peers on a tiny model: every kind gives one prediction a row, in the form that is scored."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from bench import causal, peers, scores, translation
from bench.ours import ours
from bench.reading import Rows
from bench.workloads import EQUAL, WORKLOADS, gold
from tiny import TEXTS, bert


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("bert"))


def _rows(kind):
    texts = [text for text in TEXTS for _ in range(2)]
    rows = {
        "single": [{"text": text, "label": "xy"[i % 2]} for i, text in enumerate(texts)],
        "multi": [{"text": text, "labels": ["x", "y"][: i % 3]} for i, text in enumerate(texts)],
        "regression": [{"sentence1": t, "sentence2": texts[0], "score": float(i)} for i, t in enumerate(texts)],
        "causal": [{"text": text} for text in texts],
        "texts": [{"source": text, "target": text[::-1]} for text in texts],
        "tags": [{"tokens": text.split(), "tags": ["B-X"] + ["O"] * (len(text.split()) - 1)} for text in texts],
        "answers": [
            {
                "question": "what ?",
                "context": t * 4,
                "answers": {"text": [t.split()[1]], "answer_start": [t.find(" ") + 1]},
            }
            for t in texts
        ],
    }[kind]
    return Rows(rows, rows[:5], {"tags": ("B-X", "O"), "single": ("x", "y"), "multi": ("x", "y")}.get(kind, ()))


@pytest.mark.parametrize("name", ["sst2", "go_emotions", "stsb", "conll2003", "squad"])
def test_a_peer_predicts_every_held_out_row_in_the_form_that_is_scored(name, base):
    load = replace(WORKLOADS[name], settings={"num_train_epochs": 1}, lengths={"maxlength": 24, "stride": 8})
    rows = _rows(load.kind)
    predicted = peers.hf(load, rows, 0, base=base)
    assert len(predicted) == 5
    found = scores.point(scores.metrics(load.kind, gold(load.kind, rows.test), predicted, rows.labels), 5)
    assert all(-1 <= value <= 1 for value in found.values())


@pytest.mark.parametrize(("name", "shared"), [("wikitext", causal), ("multi30k", translation)])
def test_both_sides_of_a_language_model_start_from_one_base_and_tell_nats_and_tokens(name, shared, monkeypatch):
    for size, value in (("VOCABULARY", 300), ("WIDTH", 16), ("LAYERS", 1), ("HEADS", 2)):
        monkeypatch.setattr(shared, size, value)
    load = replace(WORKLOADS[name], lengths={"maxlength": 64})
    rows = _rows(load.kind)
    found = {}
    for side, train in (("hf", peers.hf), ("ours", ours)):
        before, after = (
            train(replace(load, settings={**EQUAL, "learning_rate": rate, "num_train_epochs": 2}), rows, 0)
            for rate in (1e-9, 3e-2)
        )
        assert [tokens for _, tokens in before] == [tokens for _, tokens in after]
        assert sum(nats for nats, _ in after) < 0.95 * sum(nats for nats, _ in before)
        found[side] = before
    assert np.allclose(found["hf"], found["ours"], rtol=1e-4)


def test_the_adapters_twin_trains_what_peft_says(base):
    load = replace(WORKLOADS["sst2-lora"], settings={**EQUAL, "learning_rate": 1e-2, "num_train_epochs": 4})
    rows = _rows("single")
    plain = replace(load, lora={})
    assert set(peers.hf(load, rows, 0, base=base)) <= {"x", "y"}
    with mock.patch("peft.get_peft_model", side_effect=AssertionError("an adapter")):
        peers.hf(plain, rows, 0, base=base)
        with pytest.raises(AssertionError, match="an adapter"):
            peers.hf(load, rows, 0, base=base)
    assert len(ours(load, rows, 0, base=base)) == 5


def test_equal_seeds_give_equal_predictions(base):
    load = replace(WORKLOADS["stsb"], settings={"num_train_epochs": 1})
    rows = _rows("regression")
    assert peers.hf(load, rows, 1, base=base) == peers.hf(load, rows, 1, base=base)
    assert peers.hf(load, rows, 1, base=base) != peers.hf(load, rows, 2, base=base)


def test_the_floor_learns_words():
    rows = Rows([{"text": f"good {i}", "label": "up"} for i in range(5)] + [{"text": "bad", "label": "down"}] * 5, [])
    held = replace(rows, test=[{"text": "a good one"}, {"text": "bad"}])
    assert peers.tfidf(WORKLOADS["sms-defaults"], held, 0) == ["up", "down"]


def test_an_answer_is_placed_on_the_tokens_that_cover_it():
    offsets, parts = [(0, 0), (0, 4), (0, 0), (0, 3), (4, 9), (10, 14), (0, 0)], [None, 0, None, 1, 1, 1, None]
    assert peers._position({"text": ["quick fox"], "answer_start": [4]}, offsets, parts) == (4, 5)
    assert peers._position({"text": ["the"], "answer_start": [0]}, offsets, parts) == (3, 3)
    assert peers._position({"text": ["later"], "answer_start": [20]}, offsets, parts) == (0, 0)


def test_the_best_span_over_all_chunks_wins_and_lies_in_the_context():
    rows = [{"context": "one two three"}]
    offsets = [[None, (0, 3), (4, 7)], [None, (4, 7), (8, 13)]]
    starts = [[9.0, 1.0, 0.0], [9.0, 2.0, 0.0]]  # the CLS token has the highest logit, and is no answer
    ends = [[9.0, 0.0, 1.0], [9.0, 0.0, 3.0]]
    assert peers._best_answers(rows, [0, 0], offsets, starts, ends) == ["two three"]
