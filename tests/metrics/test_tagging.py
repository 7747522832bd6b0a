from __future__ import annotations

import random
import warnings

import pytest
from seqeval.metrics import accuracy_score, classification_report, f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from tunesmith.errors import DataError
from tunesmith.metrics.tagging import entities, entity_scores, is_prefixed, split_tag, tag_accuracy, tag_scores


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("I-PER I-PER O I-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),  # IOB1
        ("I-PER B-PER I-LOC", [("PER", 0, 1), ("PER", 1, 2), ("LOC", 2, 3)]),
        ("B-PER I-PER E-PER S-PER", [("PER", 0, 3), ("PER", 3, 4)]),  # BIOES
        ("E-PER I-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("B-PER I-PER L-PER U-PER U-PER", [("PER", 0, 3), ("PER", 3, 4), ("PER", 4, 5)]),  # BILOU
        ("B-PER L-PER I-PER", [("PER", 0, 2), ("PER", 2, 3)]),
        ("B-a-b I-a-b", [("a-b", 0, 2)]),
        ("B I O B", [("_", 0, 2), ("_", 3, 4)]),
        ("O O", []),
        ("", []),
    ],
)
def test_entities_of_tags(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert list(entities(tags.split())) == expected


def test_plain_tags_join_neighbours_unless_read_by_word() -> None:
    tags = ["PER", "PER", "O", "LOC"]
    assert entities(tags) == (("PER", 0, 2), ("LOC", 3, 4))
    assert entities(["NOUN", "NOUN", "X"], by_word=True) == (("NOUN", 0, 1), ("NOUN", 1, 2), ("X", 2, 3))


def test_parts_of_speech_that_are_spelled_as_prefixes_are_types_of_their_own() -> None:
    assert entities(["S", "V", "E", "B-x"], by_word=True) == (("S", 0, 1), ("V", 1, 2), ("E", 2, 3), ("B-x", 3, 4))
    scores = tag_scores([["S", "V", "E"]], [["E", "V", "S"]], by_word=True)
    assert (scores["f1"], scores["f1_V"], scores["f1_S"]) == pytest.approx((1 / 3, 1, 0))


def test_entities_of_bilou_are_those_of_the_same_tags_in_bioes() -> None:
    rows = [["B-PER", "I-PER", "E-PER", "S-PER", "S-LOC", "O"], ["S-LOC", "B-LOC", "E-LOC", "B-PER", "E-PER"]]
    for row in rows:
        assert entities([tag.replace("E-", "L-").replace("S-", "U-") for tag in row]) == entities(row)


def test_a_tag_splits_into_prefix_and_type() -> None:
    assert [split_tag(tag) for tag in ("B-PER", "O", "B", "NOUN", "-LRB-", "SYM")] == [
        ("B", "PER"), ("O", ""), ("B", "_"), ("", "NOUN"), ("", "-LRB-"), ("", "SYM"),
    ]  # fmt: skip
    assert is_prefixed(["O", "B-PER"])
    assert not is_prefixed(["O"])
    assert not is_prefixed([])
    assert not is_prefixed(["B-PER", "NOUN"])


def _sequences(seed: int) -> list[list[str]]:
    """Rows of random tags, most of them broken sequences."""
    draw = random.Random(seed)
    tags = ["O", "O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("PER", "LOC", "ORG"))]
    return [[draw.choice(tags) for _ in range(draw.randint(1, 12))] for _ in range(60)]


@pytest.mark.parametrize("seed", range(20))
def test_entities_and_scores_are_those_of_seqeval(seed: int) -> None:
    gold, noise = _sequences(seed), _sequences(seed + 1000)
    draw = random.Random(seed)
    predicted = [
        [tag if draw.random() < 0.8 else draw.choice(other) for tag in row]
        for row, other in zip(gold, noise, strict=True)
    ]
    for row in gold + predicted:
        assert entities(row) == tuple((kind, first, last + 1) for kind, first, last in get_entities(row))
    scores = tag_scores(gold, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns of types without predictions
        report = classification_report(gold, predicted, output_dict=True)
        expected = {
            "precision": precision_score(gold, predicted),
            "recall": recall_score(gold, predicted),
            "f1": f1_score(gold, predicted),
            "macro_f1": f1_score(gold, predicted, average="macro"),
            "accuracy": accuracy_score(gold, predicted),
            **{f"f1_{kind}": report[kind]["f1-score"] for kind in ("PER", "LOC", "ORG")},
        }
    assert scores == pytest.approx(expected)


def test_scores_from_spans_by_hand() -> None:
    gold = [[("PER", 0, 4), ("LOC", 10, 16)], [("PER", 3, 7)]]
    predicted = [[("PER", 0, 4), ("PER", 10, 16), ("PER", 0, 4)], []]  # the repeated one counts once
    scores = entity_scores(gold, predicted)
    assert scores == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 3, "f1": 2 / 5, "f1_PER": 1 / 2, "f1_LOC": 0.0, "macro_f1": 1 / 4}
    )


def test_nothing_to_find_and_nothing_found_is_zero() -> None:
    assert entity_scores([[]], [[]]) == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "macro_f1": 0.0}


def test_a_word_without_a_predicted_tag_is_an_error() -> None:
    assert tag_accuracy([["O", "B-X"], ["O"]], [["O", "O"], ["O"]]) == pytest.approx(2 / 3)
    with pytest.raises(DataError) as caught:
        tag_accuracy([["O", "B-X"]], [["O"]])
    assert str(caught.value) == "row 0: 1 predicted tags for 2 words."
    with pytest.raises(DataError):
        tag_scores([["O"]], [])
