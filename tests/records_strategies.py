"""Hypothesis strategies: records of any Unicode text, labels and metadata."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import strategies as st

from tunesmith.records import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.records.spans import places

texts = st.text(max_size=30)
names = st.text(min_size=1, max_size=8)
scores = st.floats(0, 1)
numbers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | floats | texts,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3),
    max_leaves=6,
)
metadata = st.dictionaries(texts, json_values, max_size=3)
times = st.datetimes() | st.datetimes(timezones=st.sampled_from([UTC]))
vectors = st.dictionaries(names, st.lists(floats, min_size=1, max_size=3), max_size=2)


common: dict[str, st.SearchStrategy[Any]] = {
    "id": st.none() | names | numbers,
    "metadata": metadata,
    "status": st.sampled_from([None, "Default", "Edited", "Discarded", "Validated"]),
    "event_timestamp": times,
    "prediction_agent": st.none() | names,
    "annotation_agent": st.none() | names,
    "vectors": st.none() | vectors,
    "metrics": st.none() | metadata,
    "search_keywords": st.none() | st.lists(texts, max_size=2),
}
inputs = st.dictionaries(names, texts | st.lists(texts, max_size=2), min_size=1, max_size=3)
classes = st.none() | st.lists(st.tuples(names, scores), max_size=3)
one = st.fixed_dictionaries({"annotation": st.none() | names, "multi_label": st.just(False)})
several = st.fixed_dictionaries({"annotation": st.none() | st.lists(names, max_size=3), "multi_label": st.just(True)})
about = st.fixed_dictionaries({"text": texts}) | st.fixed_dictionaries({"inputs": inputs})
classified = st.builds(
    lambda about, label, rest: TextClassificationRecord(**about, **label, **rest),
    about,
    one | several,
    st.fixed_dictionaries({**common, "prediction": classes}),
)

words = st.lists(names, min_size=1, max_size=5).filter(lambda parts: bool("".join(parts).strip()))
spans = st.none() | st.lists(st.tuples(names, st.integers(0, 9), scores), max_size=3)
"""(label, which token from the start and round again, score)"""


def _tagged(tokens: list[str], annotation: Any, prediction: Any, rest: Any) -> TokenClassificationRecord:
    text = " ".join(tokens)
    where = places(text, tokens)
    gold = annotation and [(name, *where[at % len(where)]) for name, at, _ in annotation]
    found = prediction and [(name, *where[at % len(where)], score) for name, at, score in prediction]
    return TokenClassificationRecord(text=text, tokens=tokens, annotation=gold, prediction=found, **rest)


tagged = st.builds(_tagged, words, spans, spans, st.fixed_dictionaries(common))
written = st.builds(
    lambda rest: Text2TextRecord(**rest),
    st.fixed_dictionaries(
        {
            **common,
            "text": texts,
            "annotation": st.none() | texts,
            "prediction": st.none() | st.lists(st.tuples(texts, scores), max_size=3),
        }
    ),
)

BY_TASK: dict[str, st.SearchStrategy[Any]] = {
    "TextClassification": classified,
    "TokenClassification": tagged,
    "Text2Text": written,
}
