"""The fields that a query or an order may name."""

from __future__ import annotations

from ...errors import nearest

TEXT = "text"  # the field of a word without one
EXACT = ".exact"  # after the text or an input: as it is written
EXISTS = "_exists_"
LABELS = ("annotated_as", "predicted_as", "annotated_by", "predicted_by", "predicted")
NUMBERS = ("score",)
MOMENTS = ("event_timestamp", "last_updated")
PLAIN = (TEXT, TEXT + EXACT, "status", "id", *LABELS, *NUMBERS, *MOMENTS)
GROUPS = ("metadata", "inputs", "vectors")


def is_field(name: str) -> bool:
    group, dot, rest = name.partition(".")
    return name in (*PLAIN, EXISTS, "*") or (group in GROUPS and bool(dot and rest))


def is_exact(name: str) -> bool:
    return name.endswith(EXACT) and (name == TEXT + EXACT or name.startswith("inputs."))


def known_fields(name: str) -> str:
    """The hint for a name that is none."""
    close = nearest(name, PLAIN)
    hint = f"Did you mean {close!r}? " if close else ""
    return f"{hint}Known: {', '.join((*PLAIN, *(f'{group}.NAME' for group in GROUPS)))}; a value with ':' is quoted."
