"""Models from scratch: what they must have learned on held-out text, measured without tunesmith's scorer.

`ours` trains through `tunesmith.api.train(..., from_scratch=...)`; the saved or returned weights are then scored here
with plain torch, so that a wrong loss in our own code cannot flatter itself.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from .reading import Row, read_text

MASKED = 0.15
BLOCK = 128  # tokens


@dataclass(frozen=True)
class Scratch:
    """size: the new model, as `from_scratch` takes it. goal: a figure of `measure` and the least it must be."""

    name: str
    task: str
    size: Any
    read: Callable[[Path], tuple[list[Row], list[Row]]]
    measure: Callable[[Any, Path, Sequence[Row]], dict[str, float]]
    goal: tuple[str, float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    group: str = "scratch"
    seeds: tuple[int, ...] = (0,)


def shakespeare(folder: Path) -> tuple[list[Row], list[Row]]:
    """The speeches of the file, its last tenth held out."""
    return _head_and_tail(read_text(folder / "tinyshakespeare" / "input.txt").split("\n\n"))


def captions(folder: Path) -> tuple[list[Row], list[Row]]:
    """The English sentences of Multi30k, their last tenth held out."""
    return _head_and_tail(read_text(folder / "multi30k" / "train.en.gz").split("\n"))


def _head_and_tail(texts: Sequence[str]) -> tuple[list[Row], list[Row]]:
    rows: list[Row] = [{"text": text.strip()} for text in texts if text.strip()]
    cut = len(rows) - len(rows) // 10
    return rows[:cut], rows[cut:]


def pairs(folder: Path) -> tuple[list[Row], list[Row]]:
    """The first 200 sentence pairs; they are to be learned by heart, so they are scored themselves."""
    english, german = (
        read_text(folder / "multi30k" / f"train.{language}.gz").split("\n")[:200] for language in ("en", "de")
    )
    rows: list[Row] = [{"source": a, "target": b} for a, b in zip(english, german, strict=True)]
    return rows, rows


def unigram_entropy(ids: Sequence[int]) -> float:
    """Nats a token of the best model that knows token frequencies alone: no such model loses less on these tokens."""
    counts = Counter(ids)
    total = counts.total()
    return -sum(count / total * math.log(count / total) for count in counts.values())


def causal(run: Any, folder: Path, rows: Sequence[Row]) -> dict[str, float]:
    """Mean loss of a next token over held-out text in blocks, and how far it is under the unigram entropy."""
    import torch

    model, ids = run.model, _stream(run.tokenizer, rows)
    loss, tokens = 0.0, 0
    for start in range(0, len(ids) - 1, BLOCK):
        block = torch.tensor([ids[start : start + BLOCK]])
        if block.shape[1] > 1:
            with torch.inference_mode():
                logits = model(input_ids=block).logits[:, :-1]  # (1, tokens - 1, vocabulary)
            loss += float(torch.nn.functional.cross_entropy(logits[0], block[0, 1:], reduction="sum"))
            tokens += block.shape[1] - 1
    return _under(loss / tokens, ids)


def masked(run: Any, folder: Path, rows: Sequence[Row]) -> dict[str, float]:
    """Mean loss at 15% of the places, all of them hidden behind the mask token (the hardest of BERT's three cases)."""
    import torch

    model, tokenizer, ids = run.model, run.tokenizer, _stream(run.tokenizer, rows)
    generator = torch.Generator().manual_seed(0)
    loss, tokens = 0.0, 0
    for block in _alone(tokenizer, rows):
        hidden = _places(block, tokenizer, generator)
        with torch.inference_mode():
            logits = model(input_ids=block.masked_fill(hidden, tokenizer.mask_token_id)).logits
        loss += float(torch.nn.functional.cross_entropy(logits[hidden], block[hidden], reduction="sum"))
        tokens += int(hidden.sum())
    return _under(loss / tokens, ids)


def detection(run: Any, folder: Path, rows: Sequence[Row]) -> dict[str, float]:
    """ROC AUC of the saved discriminator on what the saved generator writes into held-out text, row by row."""
    import torch
    from sklearn.metrics import roc_auc_score
    from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

    writer = AutoModelForMaskedLM.from_pretrained(folder / "generator").eval()
    judge = AutoModelForPreTraining.from_pretrained(folder / "discriminator").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "discriminator")
    generator = torch.Generator().manual_seed(0)
    replaced: list[bool] = []
    scores: list[float] = []
    for block in _alone(tokenizer, rows):
        hidden = _places(block, tokenizer, generator)
        written = block.clone()
        with torch.inference_mode():
            logits = writer(input_ids=block.masked_fill(hidden, tokenizer.mask_token_id)).logits
            written[hidden] = torch.multinomial(logits[hidden].softmax(-1), 1, generator=generator)[:, 0]
            guess = judge(input_ids=written).logits
        inner = _inner(block, tokenizer)
        replaced += (written != block)[inner].tolist()
        scores += guess[inner].tolist()
    return {"roc_auc": float(roc_auc_score(replaced, scores)), "replaced": sum(replaced) / len(replaced)}


def translation(run: Any, folder: Path, rows: Sequence[Row]) -> dict[str, float]:
    """sacrebleu's corpus BLEU of what the model writes."""
    from sacrebleu import corpus_bleu

    written = [prediction.text or "" for prediction in run.predict([row["source"] for row in rows])]
    return {"bleu": float(corpus_bleu(written, [[row["target"] for row in rows]]).score)}


def _stream(tokenizer: Any, rows: Sequence[Row]) -> list[int]:
    """The token ids of all rows, without special tokens: what is predicted is text alone."""
    encoded = tokenizer([row["text"] for row in rows], add_special_tokens=False, verbose=False)["input_ids"]
    return [token for row in encoded for token in row]


def _alone(tokenizer: Any, rows: Sequence[Row]) -> Iterator[Any]:
    """(1, tokens) each: a row of at least 8 tokens, cut at BLOCK, between the tokenizer's first and last token."""
    import torch

    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    for row in rows:
        ids = _stream(tokenizer, [row])[: BLOCK - 2]
        if len(ids) >= 8:
            yield torch.tensor([[first, *ids, last]])


def _inner(block: Any, tokenizer: Any) -> Any:
    return (block != tokenizer.cls_token_id) & (block != tokenizer.sep_token_id)


def _places(block: Any, tokenizer: Any, generator: Any) -> Any:
    import torch

    hidden = (torch.rand(block.shape, generator=generator) < MASKED) & _inner(block, tokenizer)
    if not hidden.any():
        hidden[0, 1] = True
    return hidden


def _under(loss: float, ids: Sequence[int]) -> dict[str, float]:
    entropy = unigram_entropy(ids)
    return {"loss": loss, "unigram_entropy": entropy, "under_unigram": entropy - loss}


# Masked models learn from few of the tokens, so that they need many rows: a small vocabulary and short rows are soonest
# learned. The masked one leaves its plateau by a rate that holds ELECTRA's discriminator back: that has its own
# (docs/log.md).
SHORT = {"vocab_size": 1024, "initializer_range": 0.05, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ROWS = {"merge": None, "learning_rate": 3e-3, "adam_beta2": 0.98, "per_device_train_batch_size": 64}
MASKS = {"mlm_probability": 0.3}

SCRATCH: Mapping[str, Scratch] = {
    load.name: load
    for load in (
        Scratch("gpt2-tiny", "language-generation", "gpt2-tiny", shakespeare, causal, ("under_unigram", 1.0)),
        Scratch(
            "bert-tiny",
            "language-modeling",
            {"size": "bert-tiny", **SHORT},
            captions,
            masked,
            ("under_unigram", 0.3),
            {**ROWS, "num_train_epochs": 4, **MASKS},
        ),
        Scratch("t5-tiny", "sequence-sequence", "t5-tiny", pairs, translation, ("bleu", 60.0)),
        Scratch(
            "electra-tiny",
            "token-detection",
            {"size": "electra-tiny", **SHORT},
            captions,
            detection,
            ("roc_auc", 0.65),
            {**ROWS, "learning_rate": 1e-3, "per_device_train_batch_size": 32, "num_train_epochs": 8, **MASKS},
        ),
    )
}


def train(load: Scratch, rows: Sequence[Row], seed: int, folder: Path) -> Any:
    """The run; no setting is named but the size and the seed, beyond those of the load."""
    api = import_module("tunesmith.api")
    settings = {"disable_tqdm": True, **load.settings}
    return api.train(list(rows), task=load.task, from_scratch=load.size, output_dir=str(folder), seed=seed, **settings)


def figures(load: Scratch, data: Path, seed: int) -> tuple[dict[str, float], dict[str, int]]:
    """Train and measure: the figures, and the number of rows."""
    rows, held = load.read(data)
    with tempfile.TemporaryDirectory() as name:
        run = train(load, rows, seed, Path(name))
        if hasattr(run.model, "eval"):
            run.model.eval()
        return load.measure(run, Path(name), held), {"train": len(rows), "test": len(held)}
