"""What language models answer: a causal model writes on, a masked model fills in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import DataError
from ..tasks.base import Example, Prediction
from .batching import pad_rows
from .recipe import Encoding

NEW_TOKENS = 64
TOP = 5  # words told for a mask


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def go_on(model: torch.nn.Module, prompts: Sequence[Example], encoding: Encoding, batch_size: int) -> list[Prediction]:
    """`text` is what follows each prompt, greedily unless `encoding.generation` says otherwise.

    A prompt keeps its last tokens where it and the new ones are more than the model reads.
    """
    tokenizer, arguments = encoding.tokenizer, {"do_sample": False, **encoding.generation}
    if "max_length" not in arguments:
        arguments.setdefault("max_new_tokens", NEW_TOKENS)
    room = _positions(model, encoding)
    new = min(int(arguments.get("max_new_tokens", NEW_TOKENS)), max(1, room - 1))
    if "max_new_tokens" in arguments:
        arguments["max_new_tokens"] = new
    rows = [_prompt_ids(prompt, encoding)[-max(1, room - new) :] for prompt in prompts]
    order = sorted(range(len(rows)), key=lambda place: -len(rows[place]))
    texts: dict[int, str] = {}
    fill = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else (tokenizer.eos_token_id or 0)
    with _evaluating(model):
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            ids = pad_rows([rows[place] for place in places], fill, side="left")
            mask = pad_rows([[1] * len(rows[place]) for place in places], 0, side="left")
            for place, written in zip(places, _written(model, ids, mask, fill, arguments), strict=True):
                texts[place] = tokenizer.decode(written, skip_special_tokens=True)
    return [Prediction(id=prompt.id, text=texts[place]) for place, prompt in enumerate(prompts)]


def _written(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, fill: int, arguments: dict[str, Any]
) -> list[list[int]]:
    """The new tokens of each row, (batch, new)."""
    device = next(model.parameters()).device
    whole = model.generate(input_ids=ids.to(device), attention_mask=mask.to(device), pad_token_id=fill, **arguments)
    rows: list[list[int]] = whole[:, ids.shape[1] :].tolist()
    return rows


def _positions(model: Any, encoding: Encoding) -> int:
    """Tokens a model reads: its own limit where it tells one, else that of the features it was trained on."""
    told = getattr(model.config, "max_position_embeddings", None)
    return int(told) if isinstance(told, int) and told > 0 else encoding.maxlength


def _prompt_ids(prompt: Example, encoding: Encoding) -> list[int]:
    """A prompt's tokens, open at the end; an empty one starts as a text does."""
    tokenizer = encoding.tokenizer
    ids: list[int] = tokenizer(encoding.prefix + prompt.text, prompt.pair, verbose=False)["input_ids"]
    if len(ids) > 1 and ids[-1] in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        ids = ids[:-1]
    starts = (tokenizer.bos_token_id, tokenizer.eos_token_id, 0)
    return ids or [next(token for token in starts if token is not None)]


def fill(model: torch.nn.Module, texts: Sequence[Example], encoding: Encoding, batch_size: int) -> list[Prediction]:
    """Each text with its masks filled in, in `text`; with one mask also `label`, `score` and the five best `scores`.

    Raises:
        DataError: a text without a mask within the tokens that the model reads.
    """
    tokenizer, predictions = encoding.tokenizer, []
    with _evaluating(model):
        for start in range(0, len(texts), batch_size):
            batch = texts[start : start + batch_size]
            encoded = _encoded(batch, encoding)
            logits = model(**encoded.to(next(model.parameters()).device)).logits
            masked = encoded["input_ids"].eq(tokenizer.mask_token_id)
            for place, example in enumerate(batch):
                chances = logits[place][masked[place]].float().softmax(-1)  # (masks, vocabulary)
                if not len(chances):
                    expected = f"write {tokenizer.mask_token} where a word is to be filled in"
                    cut = f", within the first {encoding.maxlength} tokens" if encoding.maxlength < 10**9 else ""
                    raise DataError(f"row {example.id} has no mask: {expected}{cut}.")
                predictions.append(_filled(example, chances, tokenizer))
    return predictions


def _encoded(batch: Sequence[Example], encoding: Encoding) -> Any:
    paired = any(example.pair is not None for example in batch)
    return encoding.tokenizer(
        [encoding.prefix + example.text for example in batch],
        [example.pair or "" for example in batch] if paired else None,
        truncation=encoding.maxlength < 10**9,
        max_length=encoding.maxlength if encoding.maxlength < 10**9 else None,
        padding=True,
        return_tensors="pt",
    )


def _filled(example: Example, chances: torch.Tensor, tokenizer: Any) -> Prediction:
    best = chances.argmax(-1).tolist()
    text = example.text
    for token in best:
        text = text.replace(tokenizer.mask_token, tokenizer.decode([token]).strip(), 1)
    if len(best) > 1:
        return Prediction(id=example.id, text=text)
    top = chances[0].topk(min(TOP, chances.shape[-1]))
    scores: dict[str, float] = {}
    for token, score in zip(top.indices.tolist(), top.values.tolist(), strict=True):
        scores.setdefault(tokenizer.decode([token]).strip(), score)
    word = next(iter(scores))
    return Prediction(id=example.id, text=text, label=word, score=scores[word], scores=scores)
