"""Which records to label next, by what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunesmith import cli
from tunesmith.errors import DataError, UnknownName
from tunesmith.records import (
    Text2TextRecord,
    TextClassificationRecord,
    TokenClassificationRecord,
    load,
    log,
    next_to_label,
    session,
)
from tunesmith.records.asking import STRATEGIES
from tunesmith.records.store.store import Store


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Any:
    session.init(database=tmp_path / "records.db")
    yield str(tmp_path / "records.db")
    session.close()


def text(id: str, scores: dict[str, float] | None = None, **more: Any) -> TextClassificationRecord:
    prediction = None if scores is None else list(scores.items())
    return TextClassificationRecord(f"text {id}", prediction=prediction, id=id, **more)


def ids(found: Any) -> list[str]:
    return [each.record.id for each in found]


def test_the_least_sure_prediction_comes_first_and_labelled_ones_do_not() -> None:
    rows = [
        text("sure", {"pos": 0.98, "neg": 0.02}),
        text("half", {"pos": 0.49, "neg": 0.51}),
        text("some", {"pos": 0.7, "neg": 0.3}),
        text("done", {"pos": 0.5, "neg": 0.5}, annotation="pos"),
        text("gone", {"pos": 0.5, "neg": 0.5}, status="Discarded"),
        text("none"),
    ]
    log(rows, "reviews", verbose=False)
    found = next_to_label("reviews")
    assert ids(found) == ["half", "some", "sure"]
    assert found[0].score == pytest.approx(0.98, abs=1e-5)
    assert found[0].why == "neg 0.51, pos 0.49"
    assert ids(next_to_label("reviews", limit=1)) == ["half"]
    assert ids(next_to_label("reviews", query="id:some OR id:sure")) == ["some", "sure"]


def test_of_equal_margins_the_flatter_prediction_is_less_sure() -> None:
    rows = [text("half", {"a": 0.5, "b": 0.5, "c": 0.0}), text("third", {"a": 0.34, "b": 0.34, "c": 0.32})]
    log(rows, "three", verbose=False)
    assert ids(next_to_label("three")) == ["third", "half"]


def test_several_labels_spans_and_texts_have_their_own_doubt() -> None:
    several = [
        text("clear", {"a": 0.9, "b": 0.05}, multi_label=True),
        text("open", {"a": 0.95, "b": 0.55}, multi_label=True),
    ]
    log(several, "several", verbose=False)
    assert ids(next_to_label("several")) == ["open", "clear"]
    spans = [
        TokenClassificationRecord("Ada met Bob", prediction=[("PER", 0, 3, 0.9), ("PER", 8, 11, 0.4)], id="low"),
        TokenClassificationRecord("Ada slept", prediction=[("PER", 0, 3, 0.8)], id="high"),
        TokenClassificationRecord("nobody", prediction=[], id="empty"),
    ]
    log(spans, "spans", verbose=False)
    found = next_to_label("spans")
    assert ids(found) == ["low", "high", "empty"]
    assert found[0].score == pytest.approx(0.6)
    log([Text2TextRecord("a", prediction=[("b", 0.3)], id="t")], "texts", verbose=False)
    assert next_to_label("texts")[0].score == pytest.approx(0.7)


def test_diverse_ones_are_far_from_what_is_labelled_and_from_each_other() -> None:
    rows = [
        text("known", annotation="a", vectors={"e": [1.0, 0.0, 0.0]}),
        text("near", vectors={"e": [0.9, 0.1, 0.0]}),
        text("up", vectors={"e": [0.0, 1.0, 0.0]}),
        text("up2", vectors={"e": [0.05, 1.0, 0.0]}),
        text("out", vectors={"e": [0.0, 0.0, 2.0]}),
        text("back", vectors={"e": [-1.0, 0.0, 0.0]}),
    ]
    log(rows, "vectors", verbose=False)
    found = next_to_label("vectors", "diverse", limit=4)
    assert ids(found)[0] == "back"
    assert set(ids(found)[1:3]) == {"up", "out"}
    assert ids(found)[3] == "near"
    assert found[0].why == "by vector 'e'"
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_without_vectors_words_tell_how_far_texts_are() -> None:
    texts = {"a": "the phone is great", "b": "the phone is bad", "c": "rain in Paris", "d": "the phone is great too"}
    rows = [TextClassificationRecord(told, id=name) for name, told in texts.items()]
    rows[0].annotation = "x"
    log(rows, "words", verbose=False)
    found = next_to_label("words", "diverse")
    assert ids(found) == ["c", "b", "d"]
    assert found[0].why == "by words"
    log([TextClassificationRecord(told, id=name) for name, told in texts.items()], "fresh", verbose=False)
    assert ids(next_to_label("fresh", "diverse", limit=2))[1] == "c"  # after the one in the middle


def test_agents_that_disagree_are_found_in_the_history() -> None:
    for agent, scores in (("first", {"p": 0.9, "n": 0.1}), ("second", {"p": 0.2, "n": 0.8})):
        log([text("split", scores, prediction_agent=agent)], "reviews", verbose=False)
    for agent in ("first", "second"):
        log([text("same", {"p": 0.9, "n": 0.1}, prediction_agent=agent)], "reviews", verbose=False)
    found = next_to_label("reviews", "disagreement")
    assert ids(found) == ["split"]
    assert found[0].score == pytest.approx(0.7)
    assert found[0].why == "first and second"


def test_what_rounding_makes_of_one_prediction_is_no_disagreement() -> None:
    for positive in (0.9, 0.90000001):
        log([text("same", {"p": positive, "n": 1 - positive}, prediction_agent="run")], "reviews", verbose=False)
    assert next_to_label("reviews", "disagreement") == []


def test_a_prediction_that_says_another_thing_than_the_annotation_is_worth_a_look() -> None:
    rows = [
        text("wrong", {"p": 0.95, "n": 0.05}, annotation="n", prediction_agent="run"),
        text("right", {"p": 1.0, "n": 0.0}, annotation="p"),
    ]
    log(rows, "reviews", verbose=False)
    found = next_to_label("reviews", "disagreement")
    assert ids(found) == ["wrong"]
    assert (found[0].score, found[0].why) == (pytest.approx(0.95), "run against the annotation")
    spans = TokenClassificationRecord(
        "Ada met Bob", prediction=[("PER", 0, 3, 0.9)], annotation=[("PER", 0, 3), ("PER", 8, 11)], id="s"
    )
    log([spans], "spans", verbose=False)
    assert next_to_label("spans", "disagreement")[0].score == pytest.approx(0.5)


def test_what_cannot_be_ordered_is_told() -> None:
    log([text("a"), text("b")], "bare", verbose=False)
    with pytest.raises(DataError, match="none of the 2 records without annotation has a prediction: log what a model"):
        next_to_label("bare")
    with pytest.raises(UnknownName, match="Did you mean 'diverse'"):
        next_to_label("bare", "divers")
    with pytest.raises(DataError, match="limit is 0"):
        next_to_label("bare", "diverse", limit=0)
    with pytest.raises(DataError, match="limit is '3': expected a whole number"):
        next_to_label("bare", "diverse", limit="3")  # type: ignore[arg-type]
    log([text("a", annotation="x")], "all", verbose=False)
    log([TextClassificationRecord(blank, id=f"b{len(blank)}") for blank in ("", " ", "\n\t ")], "blank", verbose=False)
    with pytest.raises(DataError, match="all texts of 3 records are blank: give records a vector"):
        next_to_label("blank", "diverse")
    for strategy in ("diverse", "uncertainty"):
        with pytest.raises(DataError, match="every record has an annotation"):
            next_to_label("all", strategy)
    assert next_to_label("bare", "disagreement") == []
    log([text("a", status="Discarded")], "gone", verbose=False)
    for strategy in STRATEGIES:
        with pytest.raises(DataError, match="no record matches"):
            next_to_label("bare", strategy, query="text:nowhere")
        with pytest.raises(DataError, match="all of 1 records are discarded"):
            next_to_label("gone", strategy)


def test_vectors_are_read_where_the_strategy_looks_at_them(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log([text("one", {"p": 0.9, "n": 0.1}, vectors={"v": [1.0, 0.0]})], "reviews", verbose=False)
    seen: list[Any] = []
    load_them = Store.load

    def watched(*args: Any, **asked: Any) -> Any:
        seen.append(asked["with_vectors"])
        return load_them(*args, **asked)

    monkeypatch.setattr(Store, "load", watched)
    for strategy in STRATEGIES:
        next_to_label("reviews", strategy)
        assert cli.main(["records", "next", "reviews", "--strategy", strategy, "--database", store]) == 0
    assert seen == [each == "diverse" for each in STRATEGIES for _ in range(2)]


def test_the_command_prints_them(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    log([text("sure", {"p": 0.9, "n": 0.1}), text("open", {"p": 0.5, "n": 0.5})], "reviews", verbose=False)
    given = ["records", "next", "--name", "reviews", "--database", store]
    assert cli.main(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "score", "why", "text"]
    assert [line.split()[0] for line in lines[2:]] == ["open", "sure"]
    assert cli.main([*given, "--json", "--limit", "1", "--strategy", "diverse"]) == 0
    assert '"id": "sure", "score": 1.0, "why": "by words", "text": "text sure"' in capsys.readouterr().out
    for words, message in (
        (["--strategy", "divers"], "unknown strategy 'divers'. Did you mean 'diverse'?"),
        (["--limit", "0"], "--limit is '0': expected a whole number, 1 or more."),
    ):
        assert cli.main([*given, *words]) == 2
        assert message in capsys.readouterr().err
    assert cli.main(["records", "next", "reviews", "--database", store, "--json"]) == 0  # by place, as its siblings
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert cli.main([*given, "--strategy", "disagreement"]) == 0
    assert capsys.readouterr().out == "no record of 'reviews' stands out by disagreement.\n"
    assert cli.main([*given, "--strategy", "disagreement", "--json"]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["records", "next"]) == 2
    assert "NAME is missing" in capsys.readouterr().err
    assert cli.main([*given, "other"]) == 2
    assert "two data sets are named, 'other' and 'reviews'" in capsys.readouterr().err
    assert len(load("reviews")) == 2
