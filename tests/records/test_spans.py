"""Tokens, characters, tags and spans of records."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import examples
from tunesmith.errors import RowError
from tunesmith.records import TokenClassificationRecord
from tunesmith.records.spans import places, read_spans, spans_of, split, tags_of

TEXT = "I like New York"
TOKENS = TEXT.split()


def tagged(**fields: Any) -> TokenClassificationRecord:
    return TokenClassificationRecord(**{"text": TEXT, "tokens": TOKENS, "id": "r", **fields})


def refused(**fields: Any) -> str:
    with pytest.raises(RowError) as caught:
        TokenClassificationRecord(**{"id": "r", **fields})
    return str(caught.value)


def test_tokens_alone_are_joined_by_a_blank() -> None:
    record = TokenClassificationRecord(tokens=["New", "York", "."])
    assert record.text == "New York ."
    assert record.tokens == ("New", "York", ".")


def test_text_alone_is_split_at_white_space() -> None:
    assert TokenClassificationRecord("I like\tNew York.").tokens == ("I", "like", "New", "York.")


def test_text_alone_is_split_at_the_ends_of_its_spans() -> None:
    record = TokenClassificationRecord("In New York.", annotation=[("LOC", 3, 11)], prediction=[("P", 11, 12, 0.5)])
    assert record.tokens == ("In", "New", "York", ".")
    assert record.annotation == [("LOC", 3, 11)]
    assert TokenClassificationRecord("In New York.", annotation=[("LOC", 2, 11)]).annotation == [("LOC", 3, 11)]


def test_text_or_tokens_is_needed() -> None:
    assert refused() == ("row r, column 'text': is missing: a TokenClassificationRecord needs 'text', 'tokens' or both")
    assert "expected more than white space" in refused(text="  \n")
    assert "expected more than white space" in refused(text="")
    assert "has no token" in refused(tokens=[])
    assert "has an empty token, at 1" in refused(tokens=["a", ""])
    assert "expected a list of texts" in refused(tokens="a b")


def test_a_token_that_is_not_in_the_text_is_named() -> None:
    message = refused(text="a b", tokens=["a", "z"])
    assert message == "row r, column 'text': holds 'z', a token not found in the text after character 1: 'a b'"
    assert "token not found" in refused(text="a b", tokens=["b", "a"])


def test_white_space_at_the_ends_of_a_span_is_cut_and_its_score_stays() -> None:
    record = tagged(prediction=[("LOC", 6, 16, 0.7)], annotation=[("LOC", 6, 99)])
    assert record.prediction == [("LOC", 7, 15, 0.7)]
    assert record.annotation == [("LOC", 7, 15)]
    assert tagged(prediction=[("A", -3, 1, 0.25)]).prediction == [("A", 0, 1, 0.25)]


def test_a_span_without_a_score_has_0() -> None:
    assert tagged(prediction=[("A", 0, 1), ("B", 2, 6, None)]).prediction == [("A", 0, 1, 0.0), ("B", 2, 6, 0.0)]


def test_spans_are_checked() -> None:
    for annotation, reason in [
        ([("A", 0, 3)], "do not begin and end with a token: ('A', 0, 3, 'I l'); tokens: 'I', 'like', 'New', 'York'"),
        ([("A", 3, 3)], "spans without any character: [('A', 3, 3)]"),
        ([("A", 50, 60)], "spans without any character"),
        ([("A", 5, 2)], "spans without any character"),
        ([("A", 0)], "holds ('A', 0): expected (label, start, end)"),
        ([("A", 0, 1, 0.5)], "holds ('A', 0, 1, 0.5): expected (label, start, end)"),
        ([("A", 0.0, 1)], "has a span from 0.0 to 1: expected whole numbers"),
        ([(None, 0, 1)], "expected a name"),
        ("LOC", "expected a list of (label, start, end)"),
    ]:
        assert reason in refused(text=TEXT, tokens=TOKENS, annotation=annotation)
    assert "has the score 1.5" in refused(text=TEXT, tokens=TOKENS, prediction=[("A", 0, 1, 1.5)])
    assert "holds {" in refused(text=TEXT, tokens=TOKENS, prediction=[{"label": "A"}])


def test_spans_may_overlap_in_a_record_but_not_in_tags() -> None:
    record = tagged(annotation=[("LOC", 7, 15), ("WORD", 7, 10)])
    assert record.annotation == [("LOC", 7, 15), ("WORD", 7, 10)]
    with pytest.raises(ValueError, match="overlapping spans, \\('LOC', 7, 15\\) and \\('WORD', 7, 10\\)"):
        tags_of(record.annotation, TEXT, TOKENS)


@pytest.mark.parametrize(
    "tags",
    [
        ["O", "O", "B-LOC", "I-LOC"],
        ["O", "O", "I-LOC", "I-LOC"],
        ["O", "O", "B-LOC", "L-LOC"],
        ["O", "O", "B-LOC", "E-LOC"],
    ],
)
def test_tags_become_spans(tags: list[str]) -> None:
    assert tagged(tags=tags).annotation == [("LOC", 7, 15)]
    assert TokenClassificationRecord(tokens=TOKENS, tags=tags).annotation == [("LOC", 7, 15)]


def test_tags_of_single_tokens_become_spans() -> None:
    assert tagged(tags=["U-PER", "O", "U-A", "U-A"]).annotation == [("PER", 0, 1), ("A", 7, 10), ("A", 11, 15)]
    assert tagged(tags=["B-A", "B-A", "I-B", "O"]).annotation == [("A", 0, 1), ("A", 2, 6), ("B", 7, 10)]


def test_tags_that_are_all_outside_are_an_empty_annotation() -> None:
    record = tagged(tags=["O"] * 4)
    assert record.annotation == []
    assert record.status == "Validated"


def test_tags_that_do_not_hold_are_refused() -> None:
    assert "has 3 tags for 4 tokens" in refused(tokens=TOKENS, tags=["O"] * 3)
    assert "not in the IOB or BILOU format: 'LOC', 'X-LOC'" in refused(tokens=TOKENS, tags=["O", "LOC", "X-LOC", "O"])
    assert "not in the IOB or BILOU format: 'B', 'I-'" in refused(tokens=TOKENS, tags=["O", "B", "I-", "O"])
    assert "expected a list of tags" in refused(tokens=TOKENS, tags=[0, 0, 1, 2])


def test_an_underscore_is_a_label_as_any_other() -> None:
    spans = [("_", 0, 4)]
    assert tags_of(spans, "Anna won", ["Anna", "won"]) == ["B-_", "O"]
    assert spans_of(["B-_", "O"], "Anna won", ["Anna", "won"]) == spans


def test_tags_and_an_annotation_have_to_agree() -> None:
    tags = ["O", "O", "B-LOC", "I-LOC"]
    assert tagged(tags=tags, annotation=[("LOC", 7, 15)]).annotation == [("LOC", 7, 15)]
    assert "give one of the two" in refused(tokens=TOKENS, tags=tags, annotation=[("PER", 0, 1)])


def test_tags_are_no_field() -> None:
    record = tagged(tags=["O"] * 4)
    assert "tags" not in record.to_dict()
    with pytest.raises(AttributeError, match="no field 'tags'"):
        record.tags = ["O"] * 4  # type: ignore[attr-defined]


@examples(150)
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=8), st.data())
def test_spans_of_whole_tokens_survive_tags(tokens: list[str], data: st.DataObject) -> None:
    """Any tokens: spans become tags and the tags the same spans."""
    text = " ".join(tokens)
    where = places(text, tokens)
    labels = data.draw(st.lists(st.sampled_from(["O", "A", "B-x"]), min_size=len(tokens), max_size=len(tokens)))
    spans = [(label, *where[place]) for place, label in enumerate(labels) if label != "O"]
    kept = read_spans(spans, text, tokens, scored=False)
    assert kept == spans
    assert spans_of(tags_of(kept, text, tokens), text, tokens) == spans


@examples(150)
@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_words_hold_every_character_but_white_space(text: str, cuts: list[int]) -> None:
    words = split(text, cuts)
    assert "".join(words) == "".join(text.split())
    places(text, words)
