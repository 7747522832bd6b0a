"""OpenAI fine-tuning, by its service or a compatible one: its training data, and models tuned from chat rows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..config import Settings
from ..errors import ConfigError
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples, RowId, Task
from ..tasks.word_tags import Misfit
from ..training_arguments import Argument
from . import base, openai_calls, openai_jobs, openai_models, openai_plan
from .openai_answers import names_of, system_prompt
from .openai_arguments import ARGUMENTS, METHOD
from .trained import Trained, kept, read, refuse_hooks, refuse_kind, refuse_pairs

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
    """Models that the service tunes and keeps; they are asked over it. Rows leave this machine with consent alone."""

    name: str = "openai"
    heeds: tuple[str, ...] = ("checkpoint",)
    packages: tuple[str, ...] = ("openai",)

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in (base.TEXT, base.TOKENS, base.TARGET) else "a chat gives no model of it"

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """Look for the client, the key, the name of a model, and a job to go on with.

        Raises:
            NotInstalled, MissingCredential, ConfigError: what is in the way.
        """
        if not isinstance(settings.base, str) or not settings.base.strip():
            known = "the name of a model that the service tunes, such as 'gpt-4.1-mini-2025-04-14'; there is no default"
            raise ConfigError("base", settings.base, known)
        refuse_hooks(self.name, settings, hooks)
        openai_calls.check(_service(_values(settings)))
        if isinstance(settings.checkpoint, str):
            raise ConfigError("checkpoint", settings.checkpoint, "true or false: the job is found in output_dir")
        if settings.checkpoint and openai_jobs.read(Path(settings.output_dir) if settings.output_dir else None) is None:
            raise ConfigError("checkpoint", True, "an output_dir with a job to go on with; leave it out to start one")
        return hooks

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Upload the rows of train and validation after consent, and follow the job; a folder's job is gone on with.

        Raises:
            UnsupportedTask: labels or rows of a kind that it cannot learn. DataError: too few rows.
            ConfigError: no consent. TrainingFailed: the job. ServerError: the service.
        """
        train, values = splits["train"], _values(settings)
        if task.name == base.TEXT:
            refuse_kind(self.name, task.name, train, ("single", "multi"))
        refuse_pairs(self.name, task.name, train)
        parts = {name: splits[name] for name in ("train", "validation") if name in splits}
        openai_plan.check({name: len(examples) for name, examples in parts.items()})
        names, service = names_of(task.name, train.labels), _service(values)
        system = values["system"] or system_prompt(task.name, train.kind, names)
        rows = {
            name: self.prepare(task.name, {"train": examples}, labels=names, system=system)
            for name, examples in parts.items()
        }
        calls = openai_calls.connect(service, folder.note)
        with TemporaryDirectory() as aside:
            plan = _plan(rows, Path(aside), str(settings.base), service, values)
            texts = [example.text for name, examples in splits.items() if name != "train" for example in examples]
            plan = replace(plan, scored=len(texts), scored_size=sum(len(text.encode()) for text in texts))
            method = {name: values[name] for name in METHOD if values[name] != "auto"}
            order = openai_jobs.Order(plan, str(settings.base), method, values["suffix"], settings.seed)

            def agree(told: str) -> None:
                if values["yes"]:  # else it is told where it is asked
                    folder.note(f"{told}.")
                openai_plan.consent(told, values["yes"], hooks.ask)

            how = {**values, "checkpoint": settings.checkpoint}
            tuning = openai_jobs.tune(order, calls, folder, agree, how)
        tuned = openai_models.Tuned(tuning.model, tuning.job, system, service, folder.note, tuning.results)
        return kept(openai_models.trained(task.name, train.kind, train.labels, tuned, tuning), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved model. model_args: base_url, request_timeout, retries, concurrency in place of the saved.

        Raises:
            ArtifactError: none is there.
        """
        name, kind, labels, told = read(self.name, task, folder)
        return openai_models.load(name, kind, labels, told, model_args)

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


def _values(settings: Settings) -> dict[str, Any]:
    return {name: each.default for name, each in ARGUMENTS.items()} | dict(settings.training)


def _service(values: Mapping[str, Any]) -> openai_calls.Service:
    how = {name: values[name] for name in ("request_timeout", "retries", "concurrency")}
    return openai_calls.Service(openai_calls.address(values["base_url"]), **how)


def _plan(
    rows: Mapping[str, Rows], folder: Path, model: str, service: openai_calls.Service, values: Mapping[str, Any]
) -> openai_plan.Plan:
    """The rows as files in `folder`, and what their upload is."""
    count, counted = openai_plan.counter(model)
    files = {}
    for name, part in rows.items():
        part.write(folder / f"{name}.jsonl")
        files[name] = openai_plan.file(folder / f"{name}.jsonl", part, count)
    price = values["price_per_million_tokens"]
    return openai_plan.Plan(service.host, model, files, counted, values["n_epochs"], price)


FRAMEWORK = OpenAIFramework()
