"""DocBins for spaCy, with categories and with entities."""

from __future__ import annotations

from typing import Any

import pytest

from real_rows import banking77, conll2003, go_emotions
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError, DataError
from tunesmith.registry import frameworks
from tunesmith.tasks.base import Account, Example, Examples, Span
from tunesmith.tasks.token_classification import spans_of

spacy = pytest.importorskip("spacy")
TEXT, TOKENS = "text-classification", "token-classification"


def examples(items: list[Example], kind: str = "") -> Examples:
    return Examples(items, Labels(kind) if kind else None, Account(len(items)), "", kind)  # type: ignore[arg-type]


def docs(task: str, items: list[Example], labels: list[str], kind: str = "", **options: Any) -> list[Any]:
    given = {"lang": "en", "framework": "spacy", **options}
    framework = frameworks.get(given.pop("framework"))
    made = framework.prepare(task, {"train": examples(items, kind)}, labels=labels, **given)
    blank = spacy.blank("en")
    read = spacy.tokens.DocBin(store_user_data=True).from_bytes(made.to_bytes())  # as the training command reads it
    return list(read.get_docs(blank.vocab))


@pytest.mark.parametrize("framework", ["spacy", "spacy_transformers"])
def test_categories_are_the_sources_row_by_row_in_the_order_of_the_settings(framework: str) -> None:
    rows = banking77(40)
    names = [*sorted({label for _, label in rows}, reverse=True), "unseen"]
    items = [Example(i, text, label=label) for i, (text, label) in enumerate(rows)]
    for place, (doc, (text, label)) in enumerate(
        zip(docs(TEXT, items, names, "single", framework=framework), rows, strict=True)
    ):
        assert doc.text == text
        assert list(doc.cats) == names
        assert [name for name, value in doc.cats.items() if value] == [label]
        assert doc.user_data["id"] == str(place)


def test_several_categories_of_a_text_and_none_at_all() -> None:
    rows, names = go_emotions(60)
    items = [*(Example(key, text, label=labels) for key, text, labels in rows), Example("e", "nothing", label=())]
    for doc, example in zip(docs(TEXT, items, names, "multi"), items, strict=True):
        assert {name for name, value in doc.cats.items() if value} == set(example.label or ())  # type: ignore[arg-type]
        assert len(doc.cats) == len(names)


def test_entities_are_the_sources_row_by_row() -> None:
    framework, rows = frameworks.get("spacy"), conll2003(150)
    items = [
        Example(i, " ".join(words), tokens=tuple(words), spans=spans_of(words, tags, tags))
        for i, (words, tags) in enumerate(rows)
    ]
    misfits = framework.misfits(TOKENS, items, lang="en")
    kept = [item for item in items if item.id not in misfits]
    assert len(kept) > 140
    for doc, example in zip(docs(TOKENS, kept, ["PER", "LOC", "ORG", "MISC"]), kept, strict=True):
        assert [(e.label_, e.start_char, e.end_char) for e in doc.ents] == [
            (s.label, s.start, s.end) for s in example.spans or ()
        ]


def test_entities_that_do_not_fit_are_refused_by_the_ids_of_their_rows() -> None:
    items = [
        Example("fine", "Bo met Al.", spans=(Span("PER", 0, 2),)),
        Example("cut", "Bo met Alfred.", spans=(Span("PER", 7, 9),)),
        Example("over", "Bo met Al Bo", spans=(Span("PER", 7, 12), Span("PER", 10, 12))),
    ]
    with pytest.raises(DataError) as caught:
        docs(TOKENS, items, ["PER"])
    assert "the spans of 2 records" in str(caught.value)
    assert "'cut': spans that do not align with the tokens: PER 'Al' (7, 9) among the tokens ['Bo', 'met'" in str(
        caught.value
    )
    assert "'over': overlapping spans: PER 'Al Bo' (7, 12) and PER 'Bo' (10, 12)" in str(caught.value)
    assert list(frameworks.get("spacy").misfits(TOKENS, items, lang="en")) == ["cut", "over"]


def test_a_pipeline_makes_the_words_and_is_not_run() -> None:
    language = spacy.blank("en")
    ruler = language.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "WRONG", "pattern": "Bo"}])
    (doc,) = docs(TOKENS, [Example(7, "Bo met Al", spans=(Span("PER", 7, 9),))], ["PER"], lang=language)
    assert [(e.text, e.label_) for e in doc.ents] == [("Al", "PER")]


def test_inputs_are_kept_with_the_doc() -> None:
    (doc,) = docs(TEXT, [Example(0, "a: 1\nb: 2", label="x", fields=(("a", "1"), ("b", "2")))], ["x", "y"], "single")
    assert doc.user_data["inputs"] == {"a": "1", "b": "2"}


def test_two_parts_are_a_pair() -> None:
    items = [Example(i, f"text {i}", label="x") for i in range(4)]
    parts = {"train": examples(items[:3], "single"), "test": examples(items[3:], "single")}
    train, test = frameworks.get("spacy").prepare(TEXT, parts, labels=["x", "y"], lang="en")
    assert (len(train), len(test)) == (3, 1)


@pytest.mark.parametrize("lang", [None, "", 3, "nolanguage"])
def test_no_language_is_an_error_that_says_what_to_pass(lang: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        docs(TEXT, [Example(0, "x", label="x")], ["x", "y"], "single", lang=lang)
    assert f"setting 'lang' is {lang!r}: expected a spaCy Language, or the code of a language, as 'en'" in str(
        caught.value
    )
