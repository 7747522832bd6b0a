"""What both sides of the causal language model share: the base, made on the spot, and what a text costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .reading import Row, Rows
from .workloads import Workload

VOCABULARY, WIDTH, LAYERS, HEADS, POSITIONS = 4096, 384, 6, 6, 512
END, PAD = "<end>", "<pad>"


def base(folder: Path, rows: Sequence[Row]) -> str:
    """A GPT-2 of 6 layers with the weights of seed 0, and a byte-level tokenizer learned from the rows."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import AutoModelForCausalLM, GPT2Config, PreTrainedTokenizerFast

    learned = ByteLevelBPETokenizer()
    texts = [row["text"] for row in rows]
    learned.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=[END, PAD], show_progress=False)
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=learned._tokenizer, eos_token=END, bos_token=END, pad_token=PAD, model_max_length=POSITIONS
    )
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=POSITIONS,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def blocks(load: Workload, rows: Rows, base: str) -> int:
    """Blocks of `maxlength` tokens that hold as many tokens as a batch of rows does in the mean."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    tokens = sum(len(ids) + 1 for ids in tokenizer([row["text"] for row in rows.train])["input_ids"])
    batch = load.settings["per_device_train_batch_size"]
    return max(1, round(int(batch) * tokens / len(rows.train) / load.lengths["maxlength"]))


def costs(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[list[float]]:
    """Nats and predicted tokens of each text, its end among them, in fp32."""
    import torch

    found = []
    model = model.eval()
    for row in rows:
        ids = torch.tensor([[*tokenizer(row["text"])["input_ids"][: POSITIONS - 1], tokenizer.eos_token_id]])
        with torch.inference_mode():
            logits = model(input_ids=ids).logits[0, :-1].float()
        nats = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum")
        found.append([float(nats), ids.shape[1] - 1])
    return found
