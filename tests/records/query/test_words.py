"""Words: what is found by what."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.records.query.moments import span
from tunesmith.records.query.patterns import whole
from tunesmith.records.query.words import LONGEST, fold, mark, number_text, words
from tunesmith.records.store.clock import moment
from tunesmith.records.store.fulltext import tsvector


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Quick, brown-fox!", ["the", "quick", "brown", "fox"]),
        ("don't e_mail a.b@c.de 3.5", ["don", "t", "e", "mail", "a", "b", "c", "de", "3", "5"]),
        ("Café Straße ÉCOLE Ｆｕｌｌ", ["cafe", "strasse", "ecole", "full"]),
        ("日本語テスト abc", ["日", "本", "語", "テ", "ス", "ト", "abc"]),
        ("हिन्दी पाठ।", ["हिन्दी", "पाठ"]),
        ("العَرَبِيَّة", ["العَرَبِيَّة"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("fox🦊fox", ["fox", "🦊", "fox"]),
        ("", []),
        ("… \x00 \ud800", []),
        ("a" * 300, ["a" * LONGEST]),
    ],
)
def test_the_words_of_a_text(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text())
def test_a_word_has_no_sign_that_either_full_text_reads(text: str) -> None:
    for word in words(text):
        assert word
        assert not re.search(r"[\s_'\"\\():*&|!<>\x00]", word)
        assert not any(sign.isascii() and not sign.isalnum() for sign in word)


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert words(fold(text)) == words(text)


def test_marks_tell_fields_kinds_and_values_apart() -> None:
    made = {mark("ab", "s", "c"), mark("a", "s", "bc"), mark("ab", "n", "c"), mark("ab", "x"), mark("a", "s", "b c")}
    assert len(made) == 5


@pytest.mark.parametrize(("value", "said"), [(3, "3"), (3.0, "3"), (-0.0, "0"), (3.5, "3.5"), (1e300, str(int(1e300)))])
def test_a_number_has_one_spelling(value: float, said: str) -> None:
    assert number_text(value) == said


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2024", "2024-01-01T00:00:00", "2025-01-01T00:00:00"),
        ("2024-02", "2024-02-01T00:00:00", "2024-03-01T00:00:00"),
        ("2024-12", "2024-12-01T00:00:00", "2025-01-01T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("2024-02-29T09", "2024-02-29T09:00:00", "2024-02-29T10:00:00"),
        ("2024-02-29 09:30", "2024-02-29T09:30:00", "2024-02-29T09:31:00"),
        ("2024-02-29T09:30:01+02:00", "2024-02-29T07:30:01", "2024-02-29T07:30:02"),
        ("2024-02-29T09:30:01.5Z", "2024-02-29T09:30:01.500000", "2024-02-29T09:30:01.600000"),
        ("2024-02-29T09:30:01.000001", "2024-02-29T09:30:01.000001", "2024-02-29T09:30:01.000002"),
    ],
)
def test_a_time_is_the_span_that_it_names(text: str, first: str, end: str) -> None:
    found = span(text)
    assert found is not None
    assert [moment(each).replace(tzinfo=None).isoformat() for each in found] == [first, end]


@pytest.mark.parametrize("text", ["", *"24 2024-13 2023-02-29 2024-02-29T25 now 9999-12-31T25:00 ２０２４".split()])
def test_another_text_is_no_time(text: str) -> None:
    assert span(text) is None


@given(st.lists(st.text("ab", max_size=4), min_size=1, max_size=5), st.data())
def test_an_atomic_pattern_matches_what_the_plain_one_does(parts: list[str], data: st.DataObject) -> None:
    signs = data.draw(st.text("*?", min_size=len(parts) - 1, max_size=len(parts) - 1))
    text = data.draw(st.text("ab", max_size=12))
    plain, atomic = (whole(parts, signs, atomic=each) for each in (False, True))
    assert bool(re.search(atomic, text)) == bool(re.search(plain, text))


def test_a_pattern_of_many_wildcards_fails_fast() -> None:
    assert not re.search(whole(["", *["a"] * 20, "b"], "*" * 21, atomic=True), "a" * 5_000)


def test_a_very_long_text_is_cut_for_postgresql() -> None:
    made = tsvector(" ".join(f"w{number}" for number in range(300_000)))
    assert len(made.encode()) < 1_000_000
    assert tsvector("a b a") == "'a':1,3 'b':2"
    assert tsvector("a " * 20_000).count(",") == 255
