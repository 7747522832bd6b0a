"""Writes docs/errors.md from src/tunesmith/errors.py: run it after a change there (`make docs`)."""

from __future__ import annotations

import inspect
from pathlib import Path

from tunesmith import errors
from tunesmith.errors import TunesmithError

EXAMPLES: dict[str, TunesmithError] = {
    "UnknownName": errors.UnknownName("task", "text-clasification", ["text-classification", "token-classification"]),
    "ConfigError": errors.ConfigError("merge", "fold", "'concat', 'pack' or None"),
    "UnknownSetting": errors.UnknownSetting("learning_rat", ["learning_rate"]),
    "RowError": errors.RowError(3, "text", "is empty: expected text", source="train"),
    "QueryError": errors.QueryError("status:Default AND (good", 24, "ends too early: a bracket is missing"),
    "NothingToTrain": errors.NothingToTrain("reviews.csv", {"no label": 12}),
    "UnknownField": errors.UnknownField("anotation", "Text2TextRecord", ["text", "annotation"]),
    "WrongRecordType": errors.WrongRecordType("DatasetForText2Text", "Text2TextRecord", ["TextClassificationRecord"]),
    "NotInstalled": errors.NotInstalled("peft", "peft", "lora=True"),
    "NoEnvironment": errors.NoEnvironment("span-marker"),
    "UnsupportedTask": errors.UnsupportedTask(
        "setfit", "question-answering", "it has no head for spans", ["transformers"]
    ),
    "MissingCredential": errors.MissingCredential("the gated model 'org/name'", "HF_TOKEN", "run `hf auth login`"),
    "Diverged": errors.Diverged(12, float("nan"), [4, 9, 17], "the model before this step is kept."),
    "ArtifactError": errors.ArtifactError("out", "config.json is missing"),
    "StoreError": errors.StoreError("records.db", "is locked by another process"),
    "ServerError": errors.ServerError("http://localhost:8000", 503, "overloaded", retryable=True),
    "RequestRefused": errors.RequestRefused(
        "http://localhost:6900/tunesmith/datasets/reviews/page", 404, "unknown workspace: 'teem'.", retryable=False
    ),
}

HEAD = """# Errors

This page is generated from `errors.py`.

Everything tunesmith raises on purpose is a `TunesmithError`. A message says what is wrong, what was expected and what
to do; what a library raised is kept as the cause. On the command line an error is one line on standard error, with
exit code 2 when the command was wrong and 1 when the work failed.

"""


def children(cls: type[TunesmithError]) -> list[type[TunesmithError]]:
    """Direct subclasses, in the order of the source."""
    return [c for c in cls.__subclasses__() if c.__module__ == errors.__name__ and c.__bases__[0] is cls]


def outline(cls: type[TunesmithError], depth: int = 0) -> str:
    line = f"{'  ' * depth}- [{cls.__name__}](#{cls.__name__.lower()})\n"
    return line + "".join(outline(child, depth + 1) for child in children(cls))


def section(cls: type[TunesmithError]) -> str:
    """One class: what it is for, what else catches it, an example of its message, and those under it."""
    text = f"## {cls.__name__}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n"
    others = [base.__name__ for base in cls.__bases__ if not issubclass(base, TunesmithError) and base is not Exception]
    if others:
        text += f"Also a `{'`, `'.join(others)}`.\n\n"
    if cls.__name__ in EXAMPLES:
        text += f"```text\n{EXAMPLES[cls.__name__]}\n```\n\n"
    return text + "".join(section(child) for child in children(cls))


def page() -> str:
    return (HEAD + outline(TunesmithError) + "\n" + section(TunesmithError)).rstrip("\n") + "\n"


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "docs" / "errors.md"
    target.write_text(page(), encoding="utf-8")
    print(f"wrote {target}")
