"""Lucene's syntax: what it reads as, what is refused and where, and that nothing else comes of any text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import examples
from tunesmith.errors import DataError, QueryError
from tunesmith.records.query.parsing import DEEPEST, LONGEST, MOST, All, Any, Match, Not, Range, Value, parse
from tunesmith.records.store.store import Store
from tunesmith.records.types import TextClassificationRecord


def word(text: str, field: str = "text", place: int = 0) -> Match:
    return Match(field, Value((text,)), place)


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("", All(())),
        ("  ", All(())),
        ("fox", word("fox")),
        ("a b", All((word("a"), word("b", place=2)))),
        ("a OR b AND c", Any((word("a"), All((word("b", place=5), word("c", place=11)))))),
        ("a OR b c", Any((word("a"), All((word("b", place=5), word("c", place=7)))))),
        ("a b OR c", Any((All((word("a"), word("b", place=2))), word("c", place=7)))),
        ("(a OR b) c", All((Any((word("a", place=1), word("b", place=6))), word("c", place=9)))),
        ("+a -b", All((word("a", place=1), Not(word("b", place=4))))),
        ("NOT a", Not(word("a", place=4))),
        ("status:(a OR b)", Any((word("a", "status", 8), word("b", "status", 13)))),
        ('annotated_as:"New \\"York\\""', Match("annotated_as", Value(('New "York"',), phrase=True), 13)),
        ("score:[0.5 TO *}", Match("score", Range("0.5", None, True, False), 6)),
        ("metadata.n:[-5 TO -1]", Match("metadata.n", Range("-5", "-1"), 11)),
        ("score:>=0.5", Match("score", Range("0.5", None, True), 6)),
        ("score:<0.5", Match("score", Range(None, "0.5", True, False), 6)),
        ("metadata.n:-5", word("-5", "metadata.n")),
        ("status:-Default", Not(word("Default", "status", 8))),
        ("f*x?", Match("text", Value(("f", "x", ""), "*?"))),
        ("f**", Match("text", Value(("f", ""), "*"))),
        ("f\\*", word("f*")),
        ("event_timestamp:2024-05-17T09:30:00", word("2024-05-17T09:30:00", "event_timestamp", 16)),
        ("metadata.my\\ key:1", word("1", "metadata.my key", 17)),
        ("inputs.\\*:news", word("news", "inputs.*", 10)),
    ],
)
def test_a_query_reads_as(query: str, tree: object) -> None:
    assert parse(query) == tree


@pytest.mark.parametrize(
    ("query", "place", "reason"),
    [
        ("status:Default AND (good", 24, "ends too early"),
        ("a AND AND b", 6, "'A' cannot stand here"),
        ('x "abc', 2, "'\"' cannot stand here"),
        ("a)", 1, "')' cannot stand here"),
        ("good^2", 4, "boost"),
        ("good~", 4, "alike or near each other"),
        ('x "a b"~2', 7, "alike or near each other"),
        ("a^. b~.", 1, "boost"),
        ("/go+d/", 0, "regular expression"),
        ("good && bad", 5, "write AND for &&"),
        ("!good", 0, "write NOT for !"),
        ("x statuss:Default", 2, "unknown field 'statuss'. Did you mean 'status'?"),
        ("metadata.url:http://x", 18, "quote the slashes"),
        ("metadata.ratio:a:b", 15, "unknown field 'a'"),
        ("a*b*c*d*e*", 0, "more than 4 wildcards"),
        ("x* a?b metadata.a:b*" + " *a" * 9, 45, "value with wildcards after 10"),
        ("inputs.a.exact:(" + "a* " * 11 + ")", 46, "value with wildcards after 10"),
    ],
)
def test_a_bad_query_is_one_error_that_points_at_the_place(query: str, place: int, reason: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert (caught.value.place, caught.value.query) == (place, query)
    message = str(caught.value).split("\n")
    assert reason in message[0]
    assert message[1] == f"  {query}"
    assert message[2].index("^") == 2 + place


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("\\-\\-", "no letter or digit"),
        ("don't*s", "within one word"),
        ("status:Valid", "no status: Default, Edited, Discarded, Validated"),
        ("score:good", "score is a number"),
        ("event_timestamp:yesterday", "is a time, such as 2024-05-17"),
        ("id:[1 TO 3]", "an id has no order"),
        ("[a TO b]", "text has no order"),
        ("vectors.v:1", "write vectors.v:*"),
        ("*:fox", "the field * goes with"),
    ],
)
def test_a_value_that_its_field_cannot_have_is_an_error_too(store: Store, query: str, reason: str) -> None:
    store.log(TextClassificationRecord("a"), "d", "w")
    with pytest.raises(QueryError) as caught:
        store.load("d", "w", query=query)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("a " * LONGEST, f"longer than {LONGEST} characters"),
        ("a " * (MOST + 1), f"the clause after {MOST}"),
        ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), f"deeper than {DEEPEST} levels"),
        ("NOT " * (DEEPEST + 1) + "a", f"deeper than {DEEPEST} levels"),
        ("(" * 4000 + "a" + ")" * 4000, "deeper than"),
    ],
)
def test_what_a_query_may_cost_is_bounded(query: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        parse(query)


def test_a_query_error_is_a_data_error() -> None:
    assert issubclass(QueryError, DataError)
    with pytest.raises(DataError, match="is not text"):
        parse(3)  # type: ignore[arg-type]


def test_the_largest_query_is_answered(store: Store) -> None:
    store.log(TextClassificationRecord("w499"), "d", "w")
    wide = " OR ".join(f"w{number}" for number in range(MOST))
    assert store.count("d", "w", query=wide) == 1
    mixed = " OR ".join(f"score:{number}" if number % 2 else f"w{number}" for number in range(MOST - 1)) + " OR w499"
    assert store.count("d", "w", query=mixed) == 1
    deep = "w1"
    for level in range(DEEPEST // 2 - 1):
        deep = f"({deep} {'AND' if level % 2 else 'OR'} w499)"
    assert store.count("d", "w", query=deep) in (0, 1)
    negated = "NOT (" * (DEEPEST // 2 - 1) + "w1 OR w2" + ")" * (DEEPEST // 2 - 1)
    assert store.count("d", "w", query=negated) in (0, 1)


PIECES = st.one_of(
    st.sampled_from(list(" \t\n()[]{}:\"'\\*?~^/+-!&|<>=@.,;_%$#")),
    st.sampled_from(
        ["AND", "OR", "NOT", "TO", " AND ", " OR ", "status:", "score:", "metadata.a:", "_exists_:", "id:"]
    ),
    st.sampled_from(
        ["inputs.text:", "event_timestamp:", "vectors.v:", "2024", "NEAR", "records_fts", "'; --", "🦊", "日本"]
    ),
    st.text(max_size=3),
)


@pytest.fixture
def filled(store: Store) -> Store:
    store.log(
        [TextClassificationRecord("a fox, 日本 🦊", metadata={"a": "b"}), TextClassificationRecord("b")], "d", "w"
    )
    return store


@examples(400)
@given(query=st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
@example('"a" OR NEAR(b)')
@example("a\x00b")
@example("metadata.\x00:\x00*")
@example("id:\ud800 OR \ud800 OR annotated_as:\ud800?")
@example("metadata.n:[* TO 99999999999999999999999999]")
@example("metadata.n:1e999 score:1e999")
@example("event_timestamp:9999-12 event_timestamp:[9999 TO 0000]")
@example("terms:x {a TO b]")
@example('metadata.a\\"b:x metadata.%:y')
def test_any_text_gives_a_result_or_a_query_error(filled: Store, query: str) -> None:
    with contextlib.suppress(QueryError):
        found = filled.load("d", "w", query=query)
        assert filled.count("d", "w", query=query) == len(found)
