"""What both sides of a translation share: the base, made on the spot, and what a written text costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .reading import Row

VOCABULARY, WIDTH, LAYERS, HEADS = 4096, 256, 4, 8
END, PAD = "</s>", "<pad>"


def base(folder: Path, rows: Sequence[Row]) -> str:
    """A T5 of 4 and 4 layers with the weights of seed 0, and one tokenizer learned from both languages."""
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoModelForSeq2SeqLM, PreTrainedTokenizerFast, T5Config

    learned: Any = Tokenizer(models.BPE())
    learned.normalizer = normalizers.NFC()
    learned.pre_tokenizer, learned.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[PAD, END], show_progress=False)
    learned.train_from_iterator([row[name] for row in rows for name in ("source", "target")], trainer)
    end = learned.token_to_id(END)
    learned.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, end)])
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=learned, eos_token=END, pad_token=PAD)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        d_kv=WIDTH // HEADS,
        d_ff=4 * WIDTH,
        num_layers=LAYERS,
        num_heads=HEADS,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        eos_token_id=end,
    )
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def costs(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[list[float]]:
    """Nats and tokens of each target, its end among them, given its source and what stands before; in fp32."""
    import torch

    found = []
    model = model.eval()
    for row in rows:
        source, target = (torch.tensor([tokenizer(row[name])["input_ids"]]) for name in ("source", "target"))
        with torch.inference_mode():
            logits = model(input_ids=source, labels=target).logits[0].float()  # (tokens, vocabulary)
        nats = torch.nn.functional.cross_entropy(logits, target[0], reduction="sum")
        found.append([float(nats), target.shape[1]])
    return found
