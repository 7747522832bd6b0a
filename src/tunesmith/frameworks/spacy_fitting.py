"""Training a pipeline in spaCy's own steps, its progress told as events of the run, the best weights kept in memory."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..folder import RunFolder
from .spacy_arguments import resolved

_TOLD = 10  # train events from one evaluation to the next

Pairs = Callable[[Any], list[Any]]
"""The pipeline -> spaCy's examples."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers by the seed; the generators that spaCy draws from are afterwards as they were."""
    import torch
    from spacy.util import fix_random_seed

    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    fix_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(pytorch)


@dataclass
class Log:
    """What training tells: events of the run, and the history of the model."""

    folder: RunFolder
    total: int | None
    every: int
    history: list[dict[str, Any]] = field(default_factory=list)
    told: tuple[int, float] = (0, 0.0)  # steps and losses, summed, at the last event since an evaluation

    def step(self, info: Mapping[str, Any], *, evaluated: bool) -> None:
        """One update; `info` is what spaCy tells of it."""
        if evaluated or (info["step"] + 1) % self.every == 0:
            self.tell(info)
        if evaluated:  # spaCy begins a new sum
            self.told = (self.told[0], 0.0)

    def tell(self, info: Mapping[str, Any]) -> None:
        """The steps since the last time, unless there are none."""
        done, lost = info["step"] + 1, float(sum(info["losses"].values()))
        steps, before = self.told
        if done > steps:
            entry = {"step": done, "epoch": float(info["epoch"]), "loss": (lost - before) / (done - steps)}
            self.history.append(entry)
            self.folder.event("train", total=self.total, **entry)
            self.told = (done, lost)

    def evaluation(self, info: Mapping[str, Any]) -> None:
        """The scores of an evaluation, those that are numbers."""
        found = {**info["other_scores"], "score": info["score"]}
        scores = {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
        entry = {"step": info["step"] + 1, "epoch": float(info["epoch"])}
        self.history.append({**entry, **{f"eval_{name}": value for name, value in scores.items()}})
        self.folder.event("evaluate", split="validation", metrics=scores, **entry)


@dataclass
class _Best:
    """The weights with the highest score so far. names: of the scores that the saved pipeline tells."""

    nlp: Any
    optimizer: Any
    frozen: list[str]
    names: tuple[str, ...]
    score: float = float("-inf")
    weights: dict[str, bytes] | None = None

    def keep(self, info: Mapping[str, Any]) -> None:
        """The weights as they are now, and what was said of them, unless it was less than of others."""
        if info["score"] < self.score:
            return
        self.score, self.weights = info["score"], self._now()
        self.nlp.meta["performance"] = {name: info["other_scores"].get(name) for name in self.names}

    def scored(self, evaluate: Callable[[], tuple[float, Mapping[str, Any]]]) -> dict[str, Any]:
        """What `evaluate` says of the weights as they are now."""
        with self._averaged():
            score, scores = evaluate()
        return {"score": score, "other_scores": scores}

    def put_back(self) -> None:
        """The best weights into the pipeline; those of now where none was kept."""
        for name, kept in (self.weights or self._now()).items():
            self.nlp.get_pipe(name).model.from_bytes(kept)

    def _now(self) -> dict[str, bytes]:
        """The weights of each component that learns."""
        with self._averaged():
            return {
                name: pipe.model.to_bytes()
                for name, pipe in self.nlp.pipeline
                if name not in self.frozen and getattr(pipe, "is_trainable", False)
            }

    def _averaged(self) -> AbstractContextManager[None]:
        """Averages of the weights in their place, where the optimizer keeps them."""
        averages = self.optimizer.averages
        return self.nlp.use_params(averages) if averages else nullcontext()


def pipeline_of(config: Any, train: Pairs) -> tuple[Any, dict[str, Any]]:
    """(the pipeline, ready to be trained, and its [training] block with functions called), as `spacy train` makes it.

    Components that come trained go on from there, frozen ones stay.
    """
    from spacy.util import get_sourced_components, load_model_from_config

    nlp = load_model_from_config(config, auto_fill=True)
    block = resolved(nlp.config.interpolate()["training"])
    frozen = block["frozen_components"]
    resumed = [name for name in get_sourced_components(config) if name not in frozen]
    if resumed:
        with nlp.select_pipes(enable=resumed):
            nlp.resume_training(sgd=block["optimizer"])
    nlp._link_components()  # listeners find what they listen to before anything is initialized
    with nlp.select_pipes(disable=[*frozen, *resumed]):
        nlp.initialize(lambda: train(nlp), sgd=block["optimizer"])
    return nlp, block


def run(
    nlp: Any, block: Mapping[str, Any], pairs: list[Any], held: list[Any] | None, folder: RunFolder
) -> tuple[Any, tuple[Mapping[str, Any], ...]]:
    """(the trained pipeline, the history): with the best weights by `held`, or the last ones where there is none.

    The loop is spaCy's: batches, schedules, evaluations and the end of it. The last step is evaluated too, where its
    turn had not come: `spacy train` would keep what the first step made of few rows.
    """
    from spacy.training import loop
    from spacy.util import fix_random_seed

    if block["seed"] is not None:
        fix_random_seed(block["seed"])  # once more, as `spacy train` does it: equal settings give equal weights
    optimizer, names = block["optimizer"], block["score_weights"]
    evaluate = (lambda: (0.0, {})) if held is None else loop.create_evaluation_callback(nlp, lambda _: held, names)
    steps = loop.train_while_improving(
        nlp,
        optimizer,
        loop.create_train_batches(nlp, lambda _: pairs, block["batcher"], block["max_epochs"]),
        evaluate,
        dropout=block["dropout"],
        accumulate_gradient=block["accumulate_gradient"],
        patience=0 if held is None else block["patience"],
        max_steps=block["max_steps"],
        eval_frequency=block["eval_frequency"],
        exclude=block["frozen_components"],
        annotating_components=block["annotating_components"],
        before_update=block["before_update"],
    )
    log = _log(block, folder)
    best = _Best(nlp, optimizer, block["frozen_components"], tuple(names))
    with _logged(nlp, block) as told:
        for _, info, is_best in steps:
            scored = held is not None and is_best is not None
            log.step(info, evaluated=is_best is not None)
            told(info if scored else None)
            if scored:
                log.evaluation(info)
                best.keep(info)
        log.tell(info)
    if held is not None and info["score"] is None:
        log.evaluation(last := {**info, **best.scored(evaluate)})
        best.keep(last)
    best.put_back()
    return loop.create_before_to_disk_callback(block["before_to_disk"])(nlp), tuple(log.history)


def _log(block: Mapping[str, Any], folder: RunFolder) -> Log:
    limited = block["max_steps"] and not block["max_epochs"]
    total = block["max_steps"] + 1 if limited else None  # spaCy counts from 0, and takes the last one too
    return Log(folder, total, max(block["eval_frequency"] // _TOLD, 1))


@contextmanager
def _logged(nlp: Any, block: Mapping[str, Any]) -> Iterator[Callable[[Any], None]]:
    """What a logger of the user's is told of each step; nothing where none was named."""
    if block["logger"] is None:
        yield lambda info: None
        return
    step, end = block["logger"](nlp, sys.stdout, sys.stderr)
    try:
        yield step
    finally:
        end()
