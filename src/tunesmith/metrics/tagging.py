"""Entity-level metrics, from spans or from a tag for each word.

Tags are read by the rules of conlleval, as seqeval's default mode does: an entity goes on while the type is the same
and no tag closes it (E, S) or opens a new one (B, S), so IOB1, IOB2 and BIOES all read, broken sequences too. BILOU
reads as BIOES does, L as E and U as S.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..errors import DataError

Entity = tuple[str, int, int]  # type, first word (or character), end excluded

PREFIXES = "BIESLU"
_OPENS, _CLOSES = ("B", "S", "U"), ("E", "S", "L", "U")


def split_tag(tag: str) -> tuple[str, str]:
    """A tag as (prefix, type): 'B-PER' gives ('B', 'PER'), 'B' ('B', '_'), 'O' ('O', ''), 'NOUN' ('', 'NOUN')."""
    if tag == "O" or tag == "":
        return "O", ""
    if tag[0] in PREFIXES and (len(tag) == 1 or tag[1] == "-"):
        return tag[0], tag[2:] or "_"
    return "", tag


def is_prefixed(tags: Iterable[str]) -> bool:
    """Whether all of `tags` are 'O' or carry a prefix as in 'B-PER', and one at least does."""
    prefixes = {split_tag(tag)[0] for tag in tags}
    return "" not in prefixes and prefixes != {"O"} and bool(prefixes)


def entities(tags: Sequence[str], *, by_word: bool = False) -> tuple[Entity, ...]:
    """The entities of one sequence of tags, in order. `by_word`: every tagged word is one (parts of speech)."""
    found: list[Entity] = []
    last = ("O", "")
    for place, tag in enumerate(tags):
        prefix, kind = split_tag(tag)
        if by_word and prefix != "O":
            prefix, kind = "", tag  # 'S' is a part of speech here, no prefix
        is_closed = last[0] in ("O", *_CLOSES) or prefix in _OPENS or kind != last[1] or by_word
        if prefix != "O" and is_closed:
            found.append((kind, place, place + 1))
        elif prefix != "O":
            found[-1] = (kind, found[-1][1], place + 1)
        last = prefix, kind
    return tuple(found)


def entity_scores(gold: Sequence[Iterable[Entity]], predicted: Sequence[Iterable[Entity]]) -> dict[str, float]:
    """Exact-match precision, recall and F1 over all entities (micro), `macro_f1` over types, `f1_<type>` of each.

    One collection of entities a row; a repeated entity counts once. Macro runs over the types found in gold or
    predicted. A ratio without a denominator is 0.
    """
    _check(gold, predicted)
    right: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for gold_row, predicted_row in zip(map(set, gold), map(set, predicted), strict=True):
        right.update(kind for kind, _, _ in gold_row & predicted_row)
        wanted.update(kind for kind, _, _ in gold_row)
        given.update(kind for kind, _, _ in predicted_row)
    types = sorted(set(wanted) | set(given))
    by_type = [_ratios(right[kind], wanted[kind], given[kind]) for kind in types]
    precision, recall, f1 = _ratios(right.total(), wanted.total(), given.total())
    return {
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "macro_f1": sum(row[2] for row in by_type) / len(by_type) if by_type else 0.0,
        **{f"f1_{kind}": row[2] for kind, row in zip(types, by_type, strict=True)},
    }


def _check(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} gold rows but {len(predicted)} predictions: expected one each.")


def _ratios(right: int, wanted: int, given: int) -> tuple[float, float, float]:
    """Precision, recall, F1."""
    return (
        right / given if given else 0.0,
        right / wanted if wanted else 0.0,
        2 * right / (wanted + given) if wanted + given else 0.0,
    )


def tag_accuracy(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """The share of words with the right tag, 'O' included.

    Raises:
        DataError: a row has more or fewer tags than words; a word without a tag may not go uncounted.
    """
    _check(gold, predicted)
    right = total = 0
    for place, (gold_row, predicted_row) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_row) != len(predicted_row):
            raise DataError(f"row {place}: {len(predicted_row)} predicted tags for {len(gold_row)} words.")
        right += sum(g == p for g, p in zip(gold_row, predicted_row, strict=True))
        total += len(gold_row)
    return right / total if total else 0.0


def tag_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, by_word: bool = False
) -> dict[str, float]:
    """`entity_scores` of tag sequences, and their `accuracy`."""
    accuracy = tag_accuracy(gold, predicted)
    scores = entity_scores(
        [entities(row, by_word=by_word) for row in gold], [entities(row, by_word=by_word) for row in predicted]
    )
    return scores | {"accuracy": accuracy}
