"""Texts as they are written: case, signs, white space."""

from __future__ import annotations

import pytest

from tunesmith.errors import QueryError
from tunesmith.records.store.store import Store
from tunesmith.records.types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord

LAZY = "The quick brown fox jumped over the lazy dog."
LOUD = "THE LAZY DOG HATED THE QUICK BROWN FOX!"


@pytest.fixture
def foxes(store: Store) -> Store:
    mail = {"subject": "NEWS: a fox!", "body": ["first\tpart (a)", 'said "no"\nand\\or “FOX”']}
    found = [TextClassificationRecord(LAZY, id="lazy"), TextClassificationRecord(LOUD, id="loud")]
    found.append(TextClassificationRecord(inputs=mail, id="mail", metadata={"text": "dog. FOX!"}))
    store.log(found, "d", "w")
    return store


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("text:dog.", ["lazy", "loud"]),
        ("text.exact:dog", []),
        ("text.exact:FOX", []),
        ("text.exact:dog.", ["lazy"]),
        ("text.exact:fox", ["lazy"]),
        ("text.exact:DOG", ["loud"]),
        ("text.exact:FOX\\!", ["loud"]),
        ("text.exact:*\\!", ["loud", "mail"]),
        ("text.exact:[a TO b]", None),
        ("text.exact:F?X*", ["loud"]),
        ("text.exact:fo*", ["lazy", "mail"]),
        ('text.exact:"lazy dog."', ["lazy"]),
        ('text.exact:"dog. lazy"', []),
        ('text.exact:"THE  LAZY DOG"', ["loud"]),
        ('text.exact:"part (a)"', ["mail"]),
        ('text.exact:"\\"no\\" and\\\\or"', ["mail"]),
        ("text.exact:“FOX”", ["mail"]),
        ('text.exact:"fox! first"', []),
        ('text.exact:"fox! NEWS:"', []),
        ("NOT text.exact:fox", ["loud", "mail"]),
        ("text.exact:(fox OR DOG)", ["lazy", "loud"]),
        ("text.exact:*", ["lazy", "loud", "mail"]),
        ("_exists_:inputs.subject.exact", ["mail"]),
        ("inputs.subject.exact:NEWS\\:", ["mail"]),
        ("inputs.subject.exact:news\\:", []),
        ("inputs.body.exact:NEWS\\:", []),
        ("inputs.\\*.exact:NEWS\\:", ["mail"]),
        ("inputs.text.exact:fox", ["lazy"]),
        ("inputs.nothing.exact:fox", []),
        ("text.exact:\\(a\\) AND text:first", ["mail"]),
        ('text.exact:""', None),
    ],
)
def test_case_and_signs_count(foxes: Store, query: str, ids: list[str] | None) -> None:
    if ids is None:
        with pytest.raises(QueryError, match=r"text has no order|has nothing to search for"):
            foxes.load("d", "w", query=query)
        return
    assert [record.id for record in foxes.load("d", "w", query=query)] == ids
    assert foxes.count("d", "w", query=query) == len(ids)


def test_records_of_every_task_have_an_exact_text(store: Store) -> None:
    store.log(TokenClassificationRecord("Ann  was", ["Ann", "was"]), "tokens", "w")
    store.log(Text2TextRecord("Ann was", annotation="nobody"), "texts", "w")
    assert [store.count(name, "w", query='text.exact:"Ann was"') for name in ("tokens", "texts")] == [1, 1]
    assert [store.count(name, "w", query="text.exact:ann") for name in ("tokens", "texts")] == [0, 0]
    assert store.count("texts", "w", query="text.exact:nobody") == 0


def test_a_text_that_no_database_holds_is_no_error(store: Store) -> None:
    texts = ["a\0 Fox", "Fox \\u0000", "Fox \U0001f98a", "an \\udead Fox", "\\\\u0000 Fox"]
    found = [TextClassificationRecord(text, id=n) for n, text in enumerate(texts)]
    found.append(TextClassificationRecord("Fox", id="nul", metadata={"key\0": "a\0"}))
    store.log(found, "d", "w")
    assert [record.id for record in store.load("d", "w", query="text.exact:Fox")] == [1, 2, 3, 4]


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "1e500"])
def test_a_number_that_no_record_can_hold_is_a_text_like_any_other(store: Store, text: str) -> None:
    store.log(TextClassificationRecord("a", id="number", metadata={"n": 5}), "d", "w")
    store.log(TextClassificationRecord("b", id="text", metadata={"n": text}), "d", "w")
    assert [record.id for record in store.load("d", "w", query=f"metadata.n:{text}")] == ["text"]
    assert store.count("d", "w", query=f"metadata.n:>{text}") == 0
