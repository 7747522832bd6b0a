"""A spaCy pipeline on a transformer in its own environment: check, fit, load and predict, as the parent asks."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pyarrow
import spacy
import torch
import transformers
from spacy.cli.init_config import init_config
from spacy.schemas import ConfigSchemaTraining
from spacy.training import loop
from spacy.util import fix_random_seed, load_model_from_config, registry
from thinc.api import Config


def _beside(name: str, path: Path) -> Any:
    """A module that is read by its path: nothing of tunesmith can be imported here."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


protocol = _beside("protocol", Path(__file__).with_name("protocol.py"))
probabilities = _beside("worker_entities", Path(__file__).parents[1] / "worker_entities.py")
rows_of = _beside("spacy_rows", Path(__file__).with_name("spacy_rows.py"))

TRANSFORMER, ENTITIES, TAGGER = "transformer", rows_of.ENTITIES, rows_of.TAGGER
BLOCKS = ("optimizer", "batcher")
WINDOW = 128  # words that the transformer reads at a time, at most: the quickstart's
TOLD = 10  # train events from one evaluation to the next
_words, _places, _numbers = (pyarrow.list_(each) for each in (pyarrow.string(), pyarrow.int32(), pyarrow.float64()))
FOUND = {"label": _words, "score": _numbers, "start": _places, "end": _places, "first": _places, "stop": _places}

nlp: Any = None


def check(channel: Any, request: Any) -> dict[str, Any]:
    """The defaults of blocks of [training], and what is wrong: the setting, and what is said of it."""
    told: dict[str, Any] = {"fault": None}
    trial = "lang"
    try:
        spacy.blank(request["lang"])
        trial = "base"
        transformers.AutoConfig.from_pretrained(request["base"])
        transformers.AutoTokenizer.from_pretrained(request["base"], use_fast=True)
        trial = "training"
        training = _quickstart(request)["training"]
        told["defaults"] = {name: training[name] for name in BLOCKS}
        made = _training(request, training)
        for trial in BLOCKS:
            registry.resolve(Config({trial: made[trial]}))
    except Exception as error:  # of three libraries
        told["fault"] = [trial, " ".join(str(error).split("\n\n", maxsplit=1)[0].split()) or repr(error)]
    return told


def fit(channel: Any, request: Any) -> dict[str, Any]:
    """Train on the rows of `train`, and keep the weights that the parent finds best, or the last."""
    global nlp
    with open(request["log"], "ab", buffering=0) as log:
        for printed in (1, 2):
            os.dup2(log.fileno(), printed)
    fix_random_seed(request["seed"])
    nlp = load_model_from_config(_config(request), auto_fill=True)
    train, skipped = rows_of.gold(nlp, protocol.read(request["train"]), request["component"], request["labels"])
    if planned := _schedule(request["settings"], train):
        nlp.config["training"]["optimizer"]["learn_rate"] |= planned
        channel.event("chosen", **planned)
    block = registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)
    nlp._link_components()  # listeners find what they listen to before anything is initialized
    nlp.initialize(lambda: train, sgd=block["optimizer"])
    _call(request["name"])
    progress = Progress(channel, request, block)
    fix_random_seed(request["seed"])  # once more, as `spacy train` does it
    held = "validation" in request
    steps = loop.train_while_improving(
        nlp,
        block["optimizer"],
        loop.create_train_batches(nlp, lambda _: train, block["batcher"], block["max_epochs"]),
        progress.score,
        dropout=block["dropout"],
        accumulate_gradient=block["accumulate_gradient"],
        patience=block["patience"] if held else 0,
        max_steps=block["max_steps"],
        eval_frequency=block["eval_frequency"],
        exclude=block["frozen_components"],
        annotating_components=block["annotating_components"],
        before_update=progress.begin,
    )
    for _, info, is_best in steps:
        progress.end(info, is_best)
    progress.last(info)
    nlp = spacy.load(request["model"])
    return {"steps": info["step"] + 1, "skipped": skipped}


class Progress:
    """Tells the parent of steps, asks it for the score of an evaluation, and keeps the best weights."""

    def __init__(self, channel: Any, request: Any, block: Mapping[str, Any]) -> None:
        self.channel, self.request, self.block = channel, request, block
        self.every = max(block["eval_frequency"] // TOLD, 1)
        self.at: dict[str, Any] = {}
        self.told = (0, 0.0)  # steps and losses, summed, at the last event since an evaluation
        self.best: float | None = None

    def begin(self, _: Any, at: Mapping[str, Any]) -> None:
        """spaCy tells step and epoch before each update."""
        self.at = {"step": at["step"] + 1, "epoch": float(at["epoch"])}

    def score(self) -> tuple[float, dict[str, float]]:
        """The score of the validation rows; 0 where there are none, which nobody looks at."""
        if "validation" not in self.request:
            return 0.0, {}
        _predict(self.request["validation"], self.request["found"], nlp.batch_size)
        answer = self.channel.ask("evaluate", **self.at)
        return answer["score"], answer["scores"]

    def end(self, info: Mapping[str, Any], is_best: bool | None) -> None:
        """After a step; is_best: None where nothing was evaluated."""
        if is_best is not None or self.at["step"] % self.every == 0:
            self.tell(info)
        if is_best is not None:
            self.told = (self.told[0], 0.0)  # spaCy begins a new sum
        if is_best and "validation" in self.request:
            self.keep(info["score"], info["other_scores"])

    def last(self, info: Mapping[str, Any]) -> None:
        """After the last step, which spaCy has evaluated only where its turn was."""
        self.tell(info)
        score, scores = self.score() if info["score"] is None else (info["score"], {})
        if self.best is None or (info["score"] is None and score >= self.best):
            self.keep(score, scores)

    def keep(self, score: float, scores: Mapping[str, float]) -> None:
        """Write the pipeline as it is now, with averages of the weights where the optimizer keeps them."""
        self.best = score
        nlp.meta["performance"] = dict(scores)
        averages = self.block["optimizer"].averages
        with nlp.use_params(averages) if averages else nullcontext():
            nlp.to_disk(self.request["model"])

    def tell(self, info: Mapping[str, Any]) -> None:
        """The steps since the last time, unless there are none."""
        lost, (steps, before) = float(info["losses"][self.request["component"]]), self.told
        if (done := self.at["step"]) > steps:
            limited = self.block["max_steps"] and not self.block["max_epochs"]
            total = self.block["max_steps"] + 1 if limited else None  # from 0, the last one included
            self.channel.event("train", **self.at, total=total, loss=(lost - before) / (done - steps))
            self.told = (done, lost)


def load(channel: Any, request: Any) -> dict[str, Any]:
    """Read a saved pipeline."""
    global nlp
    nlp = spacy.load(request["model"])
    return {}


def predict(channel: Any, request: Any) -> dict[str, Any]:
    """Write what the pipeline says of the rows of `rows` to `found`."""
    _predict(request["rows"], request["found"], request["batch_size"])
    return {}


def _quickstart(request: Any) -> Any:
    """The config that `spacy init config --gpu` makes: one component on a transformer."""
    return init_config(lang=request["lang"], pipeline=[request["component"]], optimize="accuracy", gpu=True)


def _config(request: Any) -> Any:
    config, component = _quickstart(request), request["component"]
    model = config["components"][TRANSFORMER]["model"]
    model["name"] = request["base"]
    model["tokenizer_config"] |= {"model_max_length": request["longest"], "model_input_names": _inputs(request["base"])}
    window = min(WINDOW, request["longest"] // 2)  # pieces, of which words have several
    model["get_spans"] |= {"window": window, "stride": 3 * window // 4}
    if component != ENTITIES:
        config["initialize"]["components"][component] = {"labels": request["labels"]}
    config["system"]["seed"] = request["seed"]
    config["nlp"]["batch_size"] = request["batch_size"]
    config["training"] = _training(request, config["training"])
    if not request["update_transformer"]:  # the component finds in the texts what it says
        config["training"] |= {"frozen_components": [TRANSFORMER], "annotating_components": [TRANSFORMER]}
    return config


def _inputs(base: str) -> list[str]:
    """What the tokenizer makes and the model takes: DistilBERT beside the tokenizer of BERT takes no token types."""
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(base))
    taken = inspect.signature(model.forward).parameters
    return [name for name in transformers.AutoTokenizer.from_pretrained(base).model_input_names if name in taken]


def _training(request: Any, defaults: Any) -> Any:
    """The quickstart's block, which leaves no text out, with what the user named merged in."""
    whole = {"batcher": {"discard_oversize": False}}
    return (
        Config({"training": defaults}).merge({"training": whole}).merge({"training": request["settings"]})["training"]
    )


def _schedule(named: Mapping[str, Any], train: list[Any]) -> dict[str, int]:
    """How the rate rises and falls where the end is known; the quickstart's is made for 20,000 steps."""
    if {"learn_rate", "@optimizers"} & set(named.get("optimizer", ())):
        return {}
    ends = [named["max_steps"] + 1] if named.get("max_steps") else []
    if named.get("max_epochs"):
        batcher = registry.resolve(Config({"it": nlp.config.interpolate()["training"]["batcher"]}))["it"]
        ends.append(named["max_epochs"] * sum(1 for _ in batcher(train)))
    return {"warmup_steps": min(ends) // 10, "total_steps": min(ends)} if ends else {}


def _call(name: str) -> None:
    """What the saved files say of the base: where it came from, and not the folder that it was read from."""
    model = nlp.get_pipe(TRANSFORMER).model
    nlp.get_pipe_config(TRANSFORMER)["model"]["name"] = model.attrs["name"] = name
    model.transformer.config._name_or_path = name


def _predict(path: str, target: str, batch_size: int) -> None:
    """For each row, its classes or its spans, in characters and words."""
    rows, component = protocol.read(path), nlp.pipe_names[-1]
    columns: dict[str, list[list[Any]]] = {name: [] for name in FOUND}
    for begin in range(0, len(rows["text"]), batch_size):
        part = {name: cells[begin : begin + batch_size] for name, cells in rows.items()}
        docs = list(nlp.pipe(rows_of.docs(nlp, part), batch_size=batch_size))
        for found in _found(nlp.get_pipe(component), docs):
            cells = list(zip(*found, strict=True)) or [()] * len(FOUND)
            for name, cell in zip(FOUND, cells, strict=True):
                columns[name].append(list(cell))
    protocol.write(target, columns, FOUND)


def _found(pipe: Any, docs: list[Any]) -> Any:
    """What the trained component says of each document: see `spacy_rows.Found`."""
    if pipe.name == ENTITIES:
        return rows_of.entities(docs, probabilities.entity_scores(pipe, docs))
    if pipe.name == TAGGER:
        return rows_of.tags(docs, [probabilities.softmax(each) for each in pipe.model.predict(docs)])
    return rows_of.classes(docs)


if __name__ == "__main__":
    protocol.Channel().serve({"check": check, "fit": fit, "load": load, "predict": predict})
