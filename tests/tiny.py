"""Tiny models with tokenizers, built from configs: real architectures, random weights, nothing fetched.

Each builder saves to a folder and returns it as a string, ready to be a `base`. Weights depend on `seed` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

TEXTS: tuple[str, ...] = (
    "the phone is great and the screen is bright",
    "the film was bad , I want my money back",
    "a good book about the old town of Paris",
    "Maria Lopez works for Acme in Berlin since 1999",
    "who wrote the letter ? Anna wrote the letter in March",
    "delivery took three weeks and the box was broken",
    "a man rides a horse . two dogs run on the beach",
)
"""The texts vocabularies are learned from when a test names none."""

_SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def words(texts: Iterable[str]) -> list[str]:
    """Distinct lower-case words and punctuation marks, in order of appearance."""
    return list(dict.fromkeys(word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())))


def bert_tokenizer(texts: Sequence[str] = TEXTS, *, max_positions: int = 128, kind: str = "BertTokenizer") -> Any:
    """WordPiece over the words of `texts`; every printable ASCII character is a piece, so nothing is unknown.

    The real `BertTokenizer` class, because a plain fast tokenizer gives no `token_type_ids` in transformers 5.
    """
    import transformers

    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters if c.isalnum())]
    vocabulary = {piece: place for place, piece in enumerate(dict.fromkeys([*pieces, *words(texts)]))}
    return getattr(transformers, kind)(vocab=vocabulary, do_lower_case=True, model_max_length=max_positions)


def byte_tokenizer(
    texts: Sequence[str] = TEXTS, *, special: Sequence[str] = ("<|endoftext|>",), size: int = 400
) -> Any:
    """A trained byte-level BPE (a `tokenizers.Tokenizer`): every text comes back from its ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def bert(
    folder: str | Path,
    texts: Sequence[str] = TEXTS,
    *,
    max_positions: int = 128,
    model: str = "BertModel",
    seed: int = 0,
    **config: Any,
) -> str:
    """A BERT encoder with token types. `model="BertForMaskedLM"` gives a base without a pooler.

    Further keywords go to `BertConfig`: `num_labels=5`, `hidden_size=64` …
    """
    from transformers import BertConfig

    tokenizer = bert_tokenizer(texts, max_positions=max_positions)
    settings = _SIZES | {"max_position_embeddings": max_positions, "vocab_size": len(tokenizer)} | config
    return _save(folder, model, BertConfig(**settings), tokenizer, seed)


def electra(
    folder: str | Path,
    texts: Sequence[str] = TEXTS,
    *,
    half: str = "discriminator",
    max_positions: int = 128,
    seed: int = 0,
    **config: Any,
) -> str:
    """One half of an ELECTRA pair: `generator` (masked LM head) or `discriminator` (replaced-token head)."""
    from transformers import ElectraConfig

    tokenizer = bert_tokenizer(texts, max_positions=max_positions, kind="ElectraTokenizer")
    sizes = _SIZES | {"embedding_size": 32, "max_position_embeddings": max_positions, "vocab_size": len(tokenizer)}
    model = {"generator": "ElectraForMaskedLM", "discriminator": "ElectraForPreTraining"}[half]
    return _save(folder, model, ElectraConfig(**(sizes | config)), tokenizer, seed)


def gpt2(
    folder: str | Path,
    texts: Sequence[str] = TEXTS,
    *,
    pad: str | None = None,
    max_positions: int = 128,
    seed: int = 0,
    **config: Any,
) -> str:
    """A GPT-2. `pad`: None (missing, as in the real one), "eos" (pad is eos) or "own" (a token of its own)."""
    from transformers import GPT2Config, GPT2Tokenizer

    eos = "<|endoftext|>"
    special = (eos, "<pad>") if pad == "own" else (eos,)
    tokenizer = GPT2Tokenizer(
        **_bpe_parts(byte_tokenizer(texts, special=special)),
        eos_token=eos,
        bos_token=eos,
        unk_token=eos,
        model_max_length=max_positions,
    )
    if pad is not None:
        tokenizer.pad_token = {"eos": eos, "own": "<pad>"}[pad]
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": max_positions, "vocab_size": len(tokenizer)}
    ids = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.eos_token_id)
    settings = sizes | ids | {"pad_token_id": tokenizer.pad_token_id} | config
    return _save(folder, "GPT2LMHeadModel", GPT2Config(**settings), tokenizer, seed)


def llama(
    folder: str | Path,
    texts: Sequence[str] = TEXTS,
    *,
    eos_list: bool = False,
    max_positions: int = 128,
    seed: int = 0,
    **config: Any,
) -> str:
    """A Llama with a `<s>` before each text and no pad token. `eos_list`: several end tokens, as in Llama 3."""
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    special = ("<s>", "</s>", "<|eot|>")
    inner = byte_tokenizer(texts, special=special)
    inner.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", inner.token_to_id("<s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", model_max_length=max_positions
    )
    ends = [inner.token_to_id("</s>"), inner.token_to_id("<|eot|>")]
    settings = _SIZES | {"num_key_value_heads": 1, "max_position_embeddings": max_positions}
    settings |= {"vocab_size": len(tokenizer), "pad_token_id": None, "bos_token_id": inner.token_to_id("<s>")}
    settings |= {"eos_token_id": ends if eos_list else ends[0]} | config
    return _save(folder, "LlamaForCausalLM", LlamaConfig(**settings), tokenizer, seed)


def t5(folder: str | Path, texts: Sequence[str] = TEXTS, *, seed: int = 0, **config: Any) -> str:
    """A T5: `</s>` after each text, pad id 0, and, as in the real one, no limit of positions in its config."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast, T5Config

    inner = byte_tokenizer(texts, special=("<pad>", "</s>", "<unk>"))
    inner.post_processor = TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    settings = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": len(tokenizer)}
    settings |= {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0} | config
    return _save(folder, "T5ForConditionalGeneration", T5Config(**settings), tokenizer, seed)


def _bpe_parts(tokenizer: Any) -> dict[str, Any]:
    """The vocabulary and the merges of a trained BPE, as the tokenizer classes of transformers take them."""
    import json

    model = json.loads(tokenizer.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(merge) for merge in model["merges"]]}


def _save(folder: str | Path, model: str, config: Any, tokenizer: Any, seed: int) -> str:
    import torch
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = getattr(transformers, model)(config)
    Path(folder).mkdir(parents=True, exist_ok=True)
    built.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
