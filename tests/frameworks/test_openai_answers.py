"""How answers are read back: probabilities of labels, places of spans, worked by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from real_rows import conll2003
from tunesmith.data.labels import Labels
from tunesmith.frameworks.openai import FRAMEWORK
from tunesmith.frameworks.openai_answers import (
    Answer,
    Token,
    answer_of,
    names_of,
    read_label,
    read_labels,
    read_spans,
    scores_of,
    system_prompt,
)
from tunesmith.tasks.base import Account, Example, Examples, Span
from tunesmith.tasks.token_classification import label_names, spans_of

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"
BIO = Labels("single", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))


def answer(*tokens: tuple[str, float, dict[str, float]]) -> Answer:
    """An answer of tokens: each its text, its probability, and those of what else could stand there."""
    made, start = [], 0
    for text, chance, others in tokens:
        rest = tuple((other.encode(), math.log(each)) for other, each in others.items())
        made.append(Token(start, text.encode(), math.log(chance), rest))
        start += len(text.encode())
    return Answer("".join(text for text, _, _ in tokens), tuple(made))


def spans(text: str, said: str, labels: Labels = BIO) -> list[tuple[str, int, int]]:
    found, _ = read_spans(Example(0, text), Answer(said), labels)
    return [(span.label, span.start, span.end) for span in found.spans or ()]


def test_a_label_of_one_token_has_its_probability_and_the_others_theirs() -> None:
    said = answer(("spam", 0.7, {"spam": 0.7, "ham": 0.2, "Spam": 0.1}))
    assert scores_of(said, "spam", ("ham", "spam", "eggs")) == pytest.approx({"ham": 2 / 9, "spam": 7 / 9, "eggs": 0})


def test_labels_of_several_tokens_part_where_the_answer_could_have_gone_on_otherwise() -> None:
    said = answer(
        ("neg", 0.6, {"neg": 0.6, "pos": 0.3, "neu": 0.1}), ("ative", 0.5, {"ative": 0.5, "ated": 0.25, "lect": 0.25})
    )
    names = ("negative", "negated", "positive", "neutral")
    mass = {"negative": 0.3, "negated": 0.15, "positive": 0.3, "neutral": 0.1}
    whole = sum(mass.values())
    assert scores_of(said, "negative", names) == pytest.approx({name: each / whole for name, each in mass.items()})


def test_what_several_labels_share_is_parted_and_none_gets_more_than_the_answer() -> None:
    said = answer(("c", 0.4, {"c": 0.4, "a": 0.6}))
    found = scores_of(said, "c", ("a1", "a2", "c"))
    assert found == pytest.approx({"a1": 0.3, "a2": 0.3, "c": 0.4})
    found = scores_of(answer(("c", 0.4, {"c": 0.4, "a": 0.6})), "c", ("a1", "c"))
    assert found == pytest.approx({"a1": 0.5, "c": 0.5})


def test_tokens_that_cut_a_letter_in_two_are_read_as_bytes() -> None:
    first, second = "ä".encode()[:1], "ä".encode()[1:]
    tokens = (Token(0, first, math.log(0.5), ((b"o", math.log(0.5)),)), Token(1, second, 0.0))
    assert scores_of(Answer("ä", tokens), "ä", ("ä", "o")) == pytest.approx({"ä": 0.5, "o": 0.5})


def test_an_impossible_token_is_no_division_by_zero() -> None:
    tokens = (Token(0, b"a", -9999.0, ()),)
    assert scores_of(Answer("a", tokens), "a", ("a", "b")) == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize("text", ["Spam", "spam.", '"spam"', "spam or ham", "", "ham\nspam"])
def test_a_label_is_read_to_the_letter(text: str) -> None:
    found, wrong = read_label(Example(3, "x"), Answer(text), Labels("single", ("ham", "spam")))
    assert (found.id, found.label, found.score, wrong) == (3, None, 0.0, "is no label")


def test_blanks_around_a_label_do_not_count() -> None:
    assert read_label(Example(0, "x"), Answer(" spam\n"), Labels("single", ("ham", "spam")))[0].label == "spam"


def test_labels_of_a_list_have_the_probability_of_their_own_tokens() -> None:
    said = answer(('["', 0.9, {}), ("a", 0.8, {}), ('", "', 0.7, {}), ("c", 0.6, {}), ('"]', 0.5, {}))
    found, wrong = read_labels(Example(0, "x"), said, Labels("multi", ("c", "b", "a")))
    assert (found.labels, wrong) == (("c", "a"), "")
    assert found.scores == pytest.approx({"a": 0.9 * 0.8 * 0.7, "b": 0.0, "c": 0.7 * 0.6 * 0.5})


@pytest.mark.parametrize("said", ["", "[", "{}", '"a"', "[1]", "[" * 100_000, '["a"] and more', "null"])
def test_what_is_no_list_is_told(said: str) -> None:
    labels = Labels("multi", ("a", "b"))
    assert read_labels(Example(0, "x"), Answer(said), labels)[1] == "is no list of labels"
    assert read_spans(Example(0, "x"), Answer(said), BIO)[1] == "is no list of spans"


def test_spans_are_found_in_the_order_of_the_text_each_place_once() -> None:
    bo = '{"label": "PER", "text": "Bo"}'
    assert spans("Bo met Bo", f"[{bo}, {bo}]") == [("PER", 0, 2), ("PER", 7, 9)]
    assert spans("Bo met Bo", f"[{bo}, {bo}, {bo}]") == [("PER", 0, 2), ("PER", 7, 9)]
    assert spans("Bob met Bo", f"[{bo}]") == [("PER", 8, 10)], "whole words first"
    assert spans("Bob", f"[{bo}]") == [("PER", 0, 2)]


def test_spans_out_of_order_and_inside_one_another_are_found() -> None:
    said = '[{"label": "LOC", "text": "Lima"}, {"label": "PER", "text": "Bo"}]'
    assert spans("Bo saw Lima", said) == [("LOC", 7, 11), ("PER", 0, 2)]
    said = '[{"label": "PER", "text": "Paris Hilton"}, {"label": "LOC", "text": "Paris"}]'
    assert spans("Paris Hilton in Paris", said) == [("PER", 0, 12), ("LOC", 16, 21)]
    assert spans("Paris Hilton", said) == [("PER", 0, 12), ("LOC", 0, 5)]


def test_other_blanks_and_signs_of_patterns_are_found_as_they_stand() -> None:
    assert spans("in New\n  York", '[{"label": "LOC", "text": "New York"}]') == [("LOC", 3, 13)]
    assert spans("a (b)+ c", '[{"label": "LOC", "text": "(b)+"}]') == [("LOC", 2, 6)]
    assert spans("a", '[{"label": "LOC", "text": " "}, {"label": "LOC"}, {"label": "LOC", "text": 1}]') == []


def test_spans_have_the_probability_of_their_item() -> None:
    said = answer(("[", 0.5, {}), ('{"label": "PER", "text": "Bo"}', 0.25, {}), ("]", 0.5, {}))
    found, _ = read_spans(Example(0, "Bo"), said, BIO)
    assert [span.score for span in found.spans or ()] == pytest.approx([0.25])


def test_spans_of_words_are_whole_words_with_a_tag_each() -> None:
    words = ("Anna", "Weber", "left", "Berlin.")
    said = '[{"label": "PER", "text": "Anna Weber"}, {"label": "LOC", "text": "Berlin"}]'
    found, wrong = read_spans(Example(0, " ".join(words), tokens=words), Answer(said), BIO)
    assert [(span.label, span.start, span.end) for span in found.spans or ()] == [("PER", 0, 10), ("LOC", 16, 23)]
    assert (found.tags, wrong) == (("B-PER", "I-PER", "O", "B-LOC"), "")
    twice = '[{"label": "PER", "text": "Anna Weber"}, {"label": "LOC", "text": "Weber"}]'
    found, _ = read_spans(Example(0, " ".join(words), tokens=words), Answer(twice), BIO)
    assert found.tags == ("B-PER", "I-PER", "O", "O")


def test_parts_of_speech_are_tags_without_prefixes() -> None:
    labels = Labels("single", ("DET", "NOUN"))
    said = '[{"label": "DET", "text": "a"}, {"label": "NOUN", "text": "cat"}]'
    found, _ = read_spans(Example(0, "a cat", tokens=("a", "cat")), Answer(said), labels)
    assert found.tags == ("DET", "NOUN")


def test_the_labels_of_tags_are_their_types_in_the_order_of_the_data() -> None:
    assert names_of(TOKENS, Labels("single", ("O", "B-Z", "I-Z", "B-A", "I-A"))) == ("Z", "A")
    assert names_of(TOKENS, Labels("single", ("NOUN", "DET"))) == ("NOUN", "DET")
    assert names_of(TEXT, Labels("multi", ("B-x", "O"))) == ("B-x", "O")
    assert names_of(TARGET, None) == ()


def test_every_prompt_lists_the_labels_but_that_of_a_text_for_a_text() -> None:
    for task, kind in ((TEXT, "single"), (TEXT, "multi"), (TOKENS, "tags")):
        assert '["ä", "b"]' in str(system_prompt(task, kind, ("ä", "b")))
    assert system_prompt(TARGET, "", ()) is None


def completion(content: str | None, tokens: list[Any] | None, **more: Any) -> Any:
    message = SimpleNamespace(content=content, refusal=more.get("refusal"))
    logprobs = None if tokens is None else SimpleNamespace(content=tokens)
    reason = more.get("reason", "stop")
    return SimpleNamespace(choices=[SimpleNamespace(message=message, logprobs=logprobs, finish_reason=reason)])


def test_a_completion_gives_text_tokens_and_why_it_ends() -> None:
    token = SimpleNamespace(token="a", bytes=None, logprob=-0.5, top_logprobs=None)
    assert answer_of(completion("a", [token])) == Answer("a", (Token(0, b"a", -0.5),))
    assert answer_of(completion("ab", [token])) == Answer("ab"), "tokens that are not the text tell nothing"
    assert answer_of(completion("a", None, reason="length")) == Answer("a", cut="length")
    assert answer_of(completion(None, None, refusal="no")) == Answer("", cut="refused")


def written(example: Example, labels: list[str]) -> Answer:
    """The answer that training shows for an example."""
    (row,) = FRAMEWORK.prepare(TOKENS, {"train": Examples([example], None, Account(1), "")}, labels=labels)
    return Answer(row["messages"][-1]["content"])


def test_the_answers_of_training_are_read_back_as_the_entities_of_real_sentences() -> None:
    source = conll2003(400)
    labels = Labels("single", label_names(tag for _, tags in source for tag in tags))
    for words, tags in source:
        example = Example(0, " ".join(words), tokens=tuple(words), spans=spans_of(words, tags, labels.names))
        found, wrong = read_spans(example, written(example, ["LOC", "MISC", "ORG", "PER"]), labels)
        assert ([replace(span, score=1.0) for span in found.spans or ()], wrong) == (list(example.spans or ()), "")


@given(st.text("ab \n.", max_size=12), st.data())
def test_every_span_of_training_is_read_back_as_one_of_its_words(text: str, data: st.DataObject) -> None:
    sound = [
        (start, end)
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if not text[start].isspace() and not text[end - 1].isspace()
    ]
    places = data.draw(st.lists(st.sampled_from(sound), unique=True, max_size=4)) if sound else []
    spans = tuple(Span(data.draw(st.sampled_from(["PER", "LOC"])), *place) for place in places)
    found, wrong = read_spans(
        Example(0, text, spans=spans), written(Example(0, text, spans=spans), ["PER", "LOC"]), BIO
    )

    def shown(spans: Sequence[Span]) -> list[tuple[str, list[str]]]:
        return sorted((span.label, text[span.start : span.end].split()) for span in spans)

    assert (shown(found.spans or ()), wrong) == (shown(spans), "")
    assert len({(span.label, span.start, span.end) for span in found.spans or ()}) == len(spans)
