"""Write src/tunesmith/training_arguments.json from the installed transformers: `python scripts/training_arguments.py`.

The table lets help, checks and nearest names answer without importing transformers, which takes seconds.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import types
import typing
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[1] / "src" / "tunesmith" / "training_arguments.json"
SCALARS = {bool: "bool", int: "int", float: "float", str: "str"}
HELP_LIMIT = 110
# What upstream says in prose only.
CHOICES = {"include_num_input_tokens_seen": ("no", "all", "non_padding")}
ACCEPTS = {"fsdp": "bool | str | None"}
GROUPS = {"local_rank": "DDP"}


def rows() -> list[dict[str, Any]]:
    """One row for each field of `Seq2SeqTrainingArguments`, in the order of the class."""
    from transformers import Seq2SeqTrainingArguments

    groups = headings(Seq2SeqTrainingArguments.__mro__[1].__doc__ or "") | GROUPS
    return [row(field, groups.get(field.name, "Generation")) for field in dataclasses.fields(Seq2SeqTrainingArguments)]


def headings(docstring: str) -> dict[str, str]:
    """argument -> the heading that stands above it in the docstring of `TrainingArguments`."""
    found: dict[str, str] = {}
    heading = "Output"
    for line in docstring.splitlines():
        if title := re.match(r"^\s{8}> ([A-Z][^\[]*)$", line):
            heading = title[1].split(" (")[0].strip()
        elif argument := re.match(r"^\s{8}(\w+) ?\(", line):
            found[argument[1]] = heading
    return found


def row(field: Any, group: str) -> dict[str, Any]:
    options = typing.get_args(field.type) if is_union(field.type) else (field.type,)
    kinds = [option for option in options if option is not type(None)]
    default = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    choices = CHOICES.get(field.name) or field.metadata.get("choices") or members(kinds)
    return {
        "name": field.name,
        "group": group,
        "type": ACCEPTS.get(field.name) or " | ".join(readable(option) for option in options),
        "kind": "choice" if choices else "json" if field.name in ACCEPTS else kind_of(kinds),
        "choices": [str(choice) for choice in choices],
        "nullable": type(None) in options or default is None,
        "default": default.value if isinstance(default, enum.Enum) else default,
        "help": first_sentence(field.metadata.get("help", "")),
    }


def is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union


def members(kinds: list[Any]) -> list[str]:
    """The values of the one enum among the types, in the order of the class."""
    enums = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, enum.Enum)]
    return [member.value for kind in enums for member in kind]


def kind_of(kinds: list[Any]) -> str:
    """How a command line reads it: a scalar's name, or json (JSON, or a plain word where it is none)."""
    return SCALARS.get(kinds[0], "json") if len(kinds) == 1 else "json"


def readable(option: Any) -> str:
    if option is type(None):
        return "None"
    if isinstance(option, type) and not typing.get_args(option):
        return option.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(option))  # module paths left out


def first_sentence(text: str) -> str:
    """The first sentence, without markup, cut between words at HELP_LIMIT characters."""
    plain = re.sub(r"\s+", " ", text.replace("%%", "%").replace("`", "")).strip()
    sentence = re.split(r"(?<=[a-z)'])\.\s", plain, maxsplit=1)[0].rstrip(".")
    if len(sentence) > HELP_LIMIT:
        sentence = sentence[:HELP_LIMIT].rsplit(" ", 1)[0].rstrip(",;:") + " …"
    return sentence + ("" if sentence.endswith("…") else ".")


def render(table: list[dict[str, Any]]) -> str:
    """One argument a line, so that a change upstream shows as one line of a diff."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in table) + "\n]\n"


if __name__ == "__main__":
    TABLE.write_text(render(rows()), encoding="utf-8")
    print(f"{TABLE}: {len(rows())} arguments")
