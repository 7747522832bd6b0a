"""SpanMarker in its own environment: fit, load and predict, as the parent asks."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import transformers
from datasets import Dataset
from span_marker import SpanMarkerModel, Trainer
from span_marker.configuration import SpanMarkerConfig

_spec = importlib.util.spec_from_file_location("protocol", Path(__file__).with_name("protocol.py"))
assert _spec is not None
assert _spec.loader is not None
protocol = importlib.util.module_from_spec(_spec)
sys.modules["protocol"] = protocol
_spec.loader.exec_module(protocol)

ENCODER = "encoder"  # in the model's folder: the configuration and tokenizer that a saved model is built from
CHUNK = 256  # sentences that the library is given at a time
_several, _words = pyarrow.list_(pyarrow.int32()), pyarrow.list_(pyarrow.string())
FOUND = {"label": _words, "first": _several, "end": _several, "score": pyarrow.list_(pyarrow.float64())}

model: Any = None


def fit(channel: Any, request: Any) -> dict[str, Any]:
    """Train on the rows of `train`, and keep the epoch that the parent finds best, or the last."""
    global model
    transformers.set_seed(request["seed"])
    model = SpanMarkerModel.from_pretrained(request["base"], labels=request["labels"], **request["lengths"])
    rows = protocol.read(request["train"])
    pieces = list(_pieces(rows["tokens"], rows["tags"]))
    data = {
        "tokens": [[rows["tokens"][row][place] for place in places] for row, places in pieces],
        "ner_tags": [[rows["tags"][row][place] for place in places] for row, places in pieces],
    }
    arguments = transformers.TrainingArguments(
        output_dir=request["scratch"],
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=request["seed"],
        **request["arguments"],
    )
    progress = Progress(channel, request)
    trainer = Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(data), callbacks=[progress])
    trainer.train()
    if progress.best is not None:
        model.load_state_dict(progress.best)
    model.eval()
    _save(Path(request["model"]), request["name"])
    return {"steps": trainer.state.global_step, "pieces": len(pieces)}


class Progress(transformers.TrainerCallback):  # type: ignore[misc]
    """Tells the parent of steps, asks it about epochs, and ends training when it says so."""

    def __init__(self, channel: Any, request: Any) -> None:
        self.channel, self.request = channel, request
        self.best: dict[str, Any] | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            told = {key: logs[key] for key in ("loss", "learning_rate", "grad_norm") if key in logs}
            self.channel.event("train", step=state.global_step, total=state.max_steps, epoch=state.epoch, **told)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.channel.stopped.is_set():
            control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if "validation" not in self.request:
            return
        _predict(self.request["validation"], self.request["found"], args.per_device_eval_batch_size)
        answer = self.channel.ask("evaluate", step=state.global_step, epoch=state.epoch)
        if answer["keep"]:
            self.best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        if answer["stop"]:
            control.should_training_stop = True


def load(channel: Any, request: Any) -> dict[str, Any]:
    """Read a saved model."""
    global model
    folder = Path(request["model"])
    config = SpanMarkerConfig.from_pretrained(folder)
    config.encoder["_name_or_path"] = str(folder / ENCODER)
    model = SpanMarkerModel.from_pretrained(folder, config=config).try_cuda()
    return {}


def predict(channel: Any, request: Any) -> dict[str, Any]:
    """Write the entities of the rows of `rows` to `found`."""
    _predict(request["rows"], request["found"], request["batch_size"])
    return {}


def _predict(rows: str, found: str, batch_size: int) -> None:
    """For each row of words, the entities found: labels, first words, words after the last, scores."""
    sentences = protocol.read(rows)["tokens"]
    columns: dict[str, list[list[Any]]] = {name: [[] for _ in sentences] for name in FOUND}
    pieces = list(_pieces(sentences))
    for begin in range(0, len(pieces), CHUNK):
        some = pieces[begin : begin + CHUNK]
        texts = [[sentences[row][place] for place in places] for row, places in some]
        for (row, places), entities in zip(some, model.predict(texts, batch_size=batch_size), strict=True):
            for entity in entities:
                columns["label"][row].append(entity["label"])
                columns["first"][row].append(places[entity["word_start_index"]])
                columns["end"][row].append(places[entity["word_end_index"] - 1] + 1)
                columns["score"][row].append(entity["score"])
    protocol.write(found, columns, FOUND)


def _pieces(
    sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[int]] | None = None
) -> Iterator[tuple[int, list[int]]]:
    """(row, its words' places) of stretches of sentences that the model reads whole, in order.

    A word of which the tokenizer makes nothing is left out. A sentence that is too long is cut, not within an entity
    where `tags` tell of one: there a tag that goes on has an even id (O is 0, then B-x and I-x of each label).
    """
    tokenizer = model.tokenizer.tokenizer
    room = model.tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    for row, words in enumerate(sentences):
        if not words:
            continue
        read = tokenizer([list(words)], is_split_into_words=True, add_special_tokens=False)
        sizes = Counter(place for place in read.word_ids(0) if place is not None)
        piece: list[int] = []
        for place in sorted(sizes):
            if piece and sum(map(sizes.__getitem__, piece)) + sizes[place] > room:
                cut = len(piece)
                while tags is not None and cut > 0 and _goes_on(tags[row][[*piece, place][cut]]):
                    cut -= 1
                cut = cut or len(piece)  # an entity that is longer than the room
                yield row, piece[:cut]
                piece = piece[cut:]
            piece.append(place)
        if piece:
            yield row, piece


def _goes_on(tag: int) -> bool:
    return tag > 0 and tag % 2 == 0


def _save(folder: Path, name: str) -> None:
    """The model as the library saves it, and what it is built from beside it, so that no other folder is needed.

    name: what the configuration says of the encoder's origin.
    """
    model.save_pretrained(folder, safe_serialization=True)
    encoder = folder / ENCODER
    model.encoder.config.save_pretrained(encoder)
    model.tokenizer.tokenizer.save_pretrained(encoder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["encoder"]["_name_or_path"] = name
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    protocol.Channel().serve({"fit": fit, "load": load, "predict": predict})
