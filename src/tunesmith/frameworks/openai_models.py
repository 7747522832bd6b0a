"""A tuned model: asked over the service's chat completions, and what of it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.labels import Labels
from ..errors import RowError, ServerError, UnknownName
from ..tasks.base import Example, Prediction
from .base import TARGET, TEXT
from .openai_answers import Answer, answer_of, reader, told
from .openai_calls import Calls, Note, Service, connect, warn
from .openai_jobs import Tuning
from .trained import Trained

RESULTS = "openai_results.csv"  # the service's losses by step
_WINDOW = 512  # texts that are asked for at a time
_MOST = 20  # other tokens that the service tells of at each place


@dataclass(frozen=True)
class Tuned:
    """The name of a tuned model, and how it is asked. system: the message that opened each chat of training."""

    model: str
    job: str
    system: str | None
    service: Service
    note: Note = warn
    results: str | None = None

    def kept(self) -> dict[str, Any]:
        """What tunesmith.json holds of it."""
        return {"model": self.model, "job": self.job, "system": self.system, "service": self.service.to_dict()}


@dataclass
class Asking:
    """The questions of one call of `predict`. probable: whether the service was not yet found to give none."""

    tuned: Tuned
    calls: Calls
    probable: bool

    def answer(self, text: str) -> Answer:
        """What the model writes for a text.

        Raises:
            ServerError: the service refuses, or answers with no completion.
        """
        probable = self.probable  # other threads may change it meanwhile
        try:
            return self.calls("asking the model", lambda client: answer_of(self._ask(client, text, probable)))
        except ServerError as error:
            if not (probable and error.status in (400, 422) and "logprob" in str(error)):
                raise
        self.probable = False  # this service gives no probabilities, and says so
        return self.answer(text)

    def _ask(self, client: Any, text: str, probable: bool) -> Any:
        system = [] if self.tuned.system is None else [{"role": "system", "content": self.tuned.system}]
        wanted = {"logprobs": True, "top_logprobs": _MOST} if probable else {}
        messages = [*system, {"role": "user", "content": text}]
        return client.chat.completions.create(model=self.tuned.model, messages=messages, temperature=0, **wanted)


def trained(task: str, kind: str, labels: Labels | None, tuned: Tuned, tuning: Tuning | None = None) -> Trained:
    """The model as every framework returns one."""
    history, chosen = (tuning.history, tuning.chosen) if tuning else ((), {})
    more: dict[str, Any] = {"history": history, "chosen": chosen, "kept": tuned.kept()}
    return Trained("openai", task, kind, labels, tuned, _infer, _write, **more)


def load(
    task: str, kind: str, labels: Labels | None, told: Mapping[str, Any], given: Mapping[str, Any] | None
) -> Trained:
    """A saved model; nothing is called. given: base_url, request_timeout, retries, concurrency in place of the saved.

    Raises:
        UnknownName: another argument. ConfigError: a base_url that is no address.
    """
    for name in given or {}:
        if name not in told["service"]:
            raise UnknownName("argument of a model of openai", name, told["service"])
    service = Service.saved(told["service"], given or {})
    return trained(task, kind, labels, Tuned(told["model"], told["job"], told["system"], service))


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    """One question for each different text, `concurrency` at a time; the batch size says nothing to a service."""
    tuned: Tuned = model.module
    for example in examples:
        if example.pair is not None:
            raise RowError(example.id, "pair", "is a second text, and the model reads one")
    texts = list(dict.fromkeys(example.text for example in examples))
    asking = Asking(tuned, connect(tuned.service, tuned.note), probable=model.task != TARGET)
    answers = dict(zip(texts, _answers(asking, texts), strict=True))
    read = reader(model.task, model.kind)
    found, problems = [], {}
    for example in examples:
        prediction, wrong = read(example, answers[example.text], model.labels)
        found.append(prediction)
        if wrong:
            problems[example.id] = (wrong, answers[example.text].text)
    if problems:
        tuned.note(told(problems, len(examples), _becomes(model)))
    return found


def _answers(asking: Asking, texts: Sequence[str]) -> Iterator[Answer]:
    """In the order of the texts; where one fails, those that were not asked yet are not."""
    with ThreadPoolExecutor(asking.calls.service.concurrency) as pool:
        for start in range(0, len(texts), _WINDOW):
            yield from pool.map(asking.answer, texts[start : start + _WINDOW])


def _becomes(model: Trained) -> str:
    """What is predicted where an answer cannot be read."""
    if model.task == TARGET:
        return "the text is kept as it is"
    if model.task == TEXT and model.kind == "single":
        return "the label is None"
    return "what can be read of them counts"


def _write(model: Trained, folder: Path) -> None:
    """The service keeps the model; what it wrote of the training is here."""
    if model.module.results is not None:
        (folder / RESULTS).write_text(model.module.results, encoding="utf-8")
