"""Asking a tuned model: order, how many at a time, and answers that cannot be read."""

from __future__ import annotations

import pytest

import small_tasks
from openai_kit import (
    CHAT,
    HELD,
    ROWS,
    TARGET,
    TOKENS,
    notes,
    train,
)
from openai_service import Fault, Service
from tunesmith import Run
from tunesmith.errors import (
    RowError,
    ServerError,
    TunesmithError,
)


@pytest.fixture
def tuned(service: Service) -> Run:
    return train()


def test_order_is_kept_each_text_is_asked_once_and_so_many_at_a_time(service: Service, tuned: Run) -> None:
    texts = [row["text"] for row in ROWS] * 2
    alone = [tuned.predict([text])[0].scores for text in texts[:24]]
    service.asked.clear()
    service.delay, service.busiest = 0.05, 0
    found = tuned.predict(texts)
    assert [each.scores for each in found] == alone * 2
    assert [each.id for each in found] == list(range(48))
    assert len(service.asked) == 24
    assert 1 < service.busiest <= 8


def test_concurrency_is_bounded(service: Service) -> None:
    run = train(concurrency=2)
    service.delay = 0.02
    run.predict([f"text {place}" for place in range(12)])
    assert service.busiest == 2


def test_an_answer_that_is_no_label_is_counted_and_told_and_becomes_none(service: Service) -> None:
    said: list[str] = []
    run = train(listener=notes(said))
    texts = [row["text"] for row in HELD]
    service.answers = {texts[1]: "I think it is spam", texts[3]: None}
    found = run.predict(texts)
    assert [each.label for each in found].count(None) == 2
    assert (found[1].label, found[1].score, found[1].scores) == (None, 0.0, {"ham": 0.0, "spam": 0.0})
    assert said[-1] == (
        "2 of 8 answers cannot be read as asked (the label is None): that of row 1 is no label: 'I think it is spam'"
    )
    service.answers = dict.fromkeys(texts, "no")
    assert run.evaluate(HELD)["accuracy"] == 0


def test_a_class_that_is_called_none_is_not_what_is_not_read(service: Service) -> None:
    rows = [{"text": row["text"], "label": "None" if row["label"] == "ham" else "spam"} for row in ROWS]
    run = train(rows)
    service.answers = {row["text"]: "?" for row in rows}
    assert run.evaluate(rows)["accuracy"] == 0


@pytest.mark.parametrize(("probable", "requests"), [(False, 3), (None, 4)])
def test_a_service_without_probabilities_gives_the_answer_a_score_of_1(
    service: Service, probable: bool | None, requests: int
) -> None:
    run = train(concurrency=1)
    service.probable = probable
    found = run.predict(["one", "two", "three"])
    assert [each.scores for each in found] == [
        {"ham": float(e.label == "ham"), "spam": float(e.label == "spam")} for e in found
    ]
    assert service.requests[f"POST {CHAT}"] == requests


def test_threads_that_learn_at_once_that_there_are_no_probabilities_all_go_on(service: Service) -> None:
    run = train()
    service.probable, service.delay = None, 0.02
    assert all(each.label for each in run.predict([f"text {place}" for place in range(8)]))


def test_lists_that_cannot_be_read_give_no_labels_and_no_spans(service: Service) -> None:
    said: list[str] = []
    run = train(small_tasks.several()[0], listener=notes(said))
    service.answers = {"a": "spam", "b": '["spam", "other"]', "c": '[["spam"]]'}
    assert [each.labels for each in run.predict(["a", "b", "c"])] == [(), ("spam",), ()]
    assert "3 of 3 answers" in said[-1]
    assert "that of row 0 is no list of labels: 'spam'" in said[-1]
    run = train(small_tasks.tagged()[0], task=TOKENS, listener=notes(said))
    here = '[{"label": "LOC", "text": "Lima"}, {"label": "LOC", "text": "Rome"}, {"label": "X", "text": "Lima"}]'
    service.answers = {"Lima is far": here, "x": "none"}
    found = run.predict([["Lima", "is", "far"], ["x"]])
    assert [[(span.label, span.start, span.end) for span in each.spans] for each in found] == [[("LOC", 0, 4)], []]
    assert [each.tags for each in found] == [("B-LOC", "O", "O"), ("O",)]
    assert "that of row 0 holds 2 that the text has not" in said[-1]


def test_a_refused_text_is_empty_and_told(service: Service) -> None:
    rows = [{"source": f"{n} is a number", "target": f"number {n}"} for n in range(12)]
    said: list[str] = []
    run = train(rows, task=TARGET, listener=notes(said))
    service.answers = {"bad": None}
    assert run.predict(["bad"])[0].text == ""
    assert "that of row 0 ends early (refused)" in said[-1]


def test_a_second_text_is_refused_in_predicting(tuned: Run) -> None:
    with pytest.raises(RowError, match="row 0, column 'pair'"):
        tuned.predict([("one", "two")])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("null", "null, which has no choices"),
        ("[]", r"\[\], which has no choices"),
        ('{"choices": []}', "has no choices"),
        ('{"error": {"message": "out of money"}}', "out of money.* has no choices"),
        ('{"choices": [{"index": 0}]}', "has no message"),
        ('{"choices": [{"message": null}]}', "has no message"),
        ('{"choices": [null]}', "has no message"),
        ('{"choices": {"a": 1}}', "not what the API gives"),
        ('{"choices": [{"message": {"content": 5}}]}', "not what the API gives"),
        ('{"choices": [{"message": {"content": "ham"}, "logprobs": [1]}]}', "not what the API gives"),
    ],
)
def test_an_answer_of_another_form_is_an_error_at_once(service: Service, tuned: Run, body: str, told: str) -> None:
    service.faults.append(Fault("POST", CHAT, 200, times=99, body=body))
    with pytest.raises(ServerError, match=rf"answered 200: asking the model: .*{told}.*Is base_url right\?$") as caught:
        tuned.predict(["hi"])
    assert (caught.value.status, caught.value.retryable) == (200, False)
    assert service.requests[f"failed POST {CHAT}"] == 1


def test_an_answer_that_is_cut_is_asked_for_again(service: Service, tuned: Run) -> None:
    service.faults.append(Fault("POST", CHAT, 200, body='{"choices": [{"mess'))
    assert tuned.predict(["hi"])[0].label in ("ham", "spam")
    service.faults.append(Fault("POST", CHAT, 200, times=99, body='{"choices": [{"mess'))
    with pytest.raises(ServerError, match=r"asking the model: .* is no whole JSON.*\(6 tries\)\.$") as caught:
        tuned.predict(["hi"])
    assert (caught.value.status, caught.value.retryable) == (200, True)


def test_an_error_in_the_middle_stops_the_rest(service: Service, tuned: Run) -> None:
    service.faults.append(Fault("POST", CHAT, 400, times=1))
    service.delay = 0.02
    with pytest.raises(TunesmithError, match="asking the model"):
        tuned.predict([f"text {place}" for place in range(200)])
    assert len(service.asked) < 60
