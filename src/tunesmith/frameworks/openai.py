"""OpenAI fine-tuning: its training data, chat rows ready for JSONL, or the prompts and completions of older models."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..tasks.base import Example, Examples, RowId
from ..tasks.word_tags import Misfit
from . import base

SEPARATOR = "\n\n###\n\n"  # the prompt form: ends a prompt
END = " END"  # the prompt form: ends a completion that is a text, so that generation knows where to stop
FORMATS = ("chat", "prompt")


class Rows(list[dict[str, Any]]):
    """Rows in the order of the examples. `ids` are the examples' ids: a chat row has no place for one.

    The service refuses a chat row with keys that it does not know, so ids are kept beside the rows.
    """

    def __init__(self, rows: Iterable[dict[str, Any]], ids: Iterable[str]) -> None:
        super().__init__(rows)
        self.ids = tuple(ids)

    def write(self, path: str | os.PathLike[str]) -> None:
        """The rows as JSONL in UTF-8, as the service takes them: without ids, in both forms."""
        lines = (json.dumps({k: v for k, v in row.items() if k != "id"}, ensure_ascii=False) + "\n" for row in self)
        with Path(path).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)


@dataclass(frozen=True)
class OpenAIFramework:
    """Data only, so far."""

    name: str = "openai"

    def why_not(self, task: str) -> str | None:
        """The reason: nothing is trained."""
        return base.trains_nothing(self.name)

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TEXT, base.TOKENS, base.TARGET))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """None are: an answer is written, so spans may overlap and lie anywhere."""
        return {}

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """`Rows`, or (train, test) of them.

        format: 'chat' gives {"messages": [user, assistant]}; the answer is the label, a JSON list of labels, a JSON
            list of {"label", "text"} in the order of the text, or the target. 'prompt' gives {"id", "prompt",
            "completion"}, with label ids in place of names, for models of the completions API.
        system: the text of a system message that opens each chat row.

        Raises:
            ConfigError: another format, or a system message for prompts, which have none.
        """
        base.check_options(self.name, options, ("format", "system"))
        form, system = options.get("format", "chat"), options.get("system")
        if form not in FORMATS:
            raise ConfigError("format", form, "'chat' or 'prompt'")
        if system is not None and (form == "prompt" or not isinstance(system, str)):
            raise ConfigError("system", system, "a text, with format='chat'; a prompt has no system message")
        known = {name: place for place, name in enumerate(labels)}

        def rows(examples: Examples) -> Rows:
            several = examples.kind == "multi"
            if form == "chat":
                made = [_chat(example.text, _answer(task, example, known, several), system) for example in examples]
            else:
                made = [_prompt(task, example, known) for example in examples]
            return Rows(made, (str(example.id) for example in examples))

        return base.one_or_both(splits, rows)


def _chat(text: str, answer: str, system: str | None) -> dict[str, Any]:
    opening = [] if system is None else [{"role": "system", "content": system}]
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return {"messages": [*opening, *turns]}


def _answer(task: str, example: Example, known: Mapping[str, int], several: bool) -> str:
    if task == base.TARGET:
        return example.target or ""
    if task == base.TOKENS:
        found = [{"label": label, "text": text} for label, text in _mentions(example, known)]
        return json.dumps(found, ensure_ascii=False)
    names = base.names_of(example, known)
    return json.dumps(names, ensure_ascii=False) if several else names[0]


def _prompt(task: str, example: Example, known: Mapping[str, int]) -> dict[str, Any]:
    if task == base.TARGET:
        completion = f" {example.target or ''}{END}"
    elif task == base.TOKENS:
        lines = [f"- {text} {known[label]}" for label, text in _mentions(example, known)]
        completion = (" " if lines else "") + "\n".join(lines) + END
    else:
        completion = " " + " ".join(str(known[name]) for name in base.names_of(example, known))
    return {"id": str(example.id), "prompt": example.text + SEPARATOR, "completion": completion}


def _mentions(example: Example, known: Mapping[str, int]) -> list[tuple[str, str]]:
    """(label, text) of each span in the order of the text; a text said twice is there twice."""
    base.check_spans(example, known)
    spans = sorted(example.spans or (), key=lambda span: (span.start, span.end))
    return [(span.label, example.text[span.start : span.end]) for span in spans]


FRAMEWORK = OpenAIFramework()
