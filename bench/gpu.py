"""Ours beside `Trainer` on an accelerator: checks, rates, memory and a profile, in one command, without network.

    python -m bench.gpu            full size where there is a GPU, toy size elsewhere
    python -m bench.gpu --toy      toy size anywhere

Models are built from their configurations with random weights, texts are those that ship with the project. Both sides
train in bf16 with SDPA attention and fused AdamW, in turns, each in a process of its own. A rate counts real tokens,
padding left out; MFU is its operations over the matrix rate that was measured in the same run.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from . import limits, records, turns
from .reading import ROOT

RESULTS = ROOT / "bench" / "results" / "gpu.jsonl"


@dataclass(frozen=True)
class Case:
    """What is trained. kind: encoder (classes) or decoder (next tokens). merge: how our rows are joined."""

    name: str
    kind: str
    batch: int
    steps: int  # of the peer; packed rows take fewer
    lora: bool = False
    merge: str | None = None


CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case("encoder", "encoder", batch=32, steps=40),
        Case("decoder-lora", "decoder", batch=8, steps=15, lora=True),
        Case("decoder-full", "decoder", batch=4, steps=12),
        Case("decoder-packed", "decoder", batch=4, steps=12, merge="pack"),
    )
}
FULL: Mapping[str, dict[str, int]] = {
    "encoder": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    "decoder": {
        "hidden_size": 2048,
        "num_hidden_layers": 22,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "intermediate_size": 5632,
    },
}
TOY = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
LENGTH = {"encoder": 128, "decoder": 512}  # tokens of a feature, at most


def texts(kind: str, count: int) -> list[dict[str, Any]]:
    """Rows of the samples, again and again: messages with their class, or speeches."""
    from tunesmith.samples import path

    if kind == "encoder":
        with path("sms_spam").open(encoding="utf-8", newline="") as file:
            found: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        found = [{"text": text} for text in path("shakespeare").read_text(encoding="utf-8").split("\n\n") if text]
    return [found[place % len(found)] for place in range(count)]


def base(folder: Path, kind: str, toy: bool) -> str:
    """A model of random weights (seed 0) with a byte-level tokenizer learned from the samples, as a folder."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import AutoModel, AutoModelForCausalLM, BertConfig, LlamaConfig, PreTrainedTokenizerFast

    learned = ByteLevelBPETokenizer()
    rows = [row["text"] for row in texts(kind, 2000)]
    learned.train_from_iterator(rows, vocab_size=8192, special_tokens=["<end>", "<pad>"], show_progress=False)
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=learned._tokenizer, eos_token="<end>", pad_token="<pad>", model_max_length=LENGTH[kind]
    )
    size = {**(TOY if toy else FULL[kind]), "vocab_size": 32_000, "max_position_embeddings": 1024, "pad_token_id": 1}
    torch.manual_seed(0)
    if kind == "encoder":
        model: Any = AutoModel.from_config(BertConfig(**size))
    else:
        model = AutoModelForCausalLM.from_config(LlamaConfig(**size, bos_token_id=0, eos_token_id=0))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def settings(case: Case) -> dict[str, Any]:
    """What both sides train with."""
    return {
        "learning_rate": 1e-4,
        "per_device_train_batch_size": case.batch,
        "num_train_epochs": 1,
        "bf16": True,
        "use_cpu": not import_module("torch").cuda.is_available(),
        "disable_tqdm": True,
        "save_strategy": "no",
        "report_to": "none",
        "seed": 0,
    }


def watch(collect: dict[str, Any], profile: Path | None) -> Any:
    """A callback that times training, and profiles its last step where a path is given."""
    import torch

    callback: Any = import_module("transformers").TrainerCallback
    cuda = torch.cuda.is_available()

    class Watch(callback):  # type: ignore[misc]
        profiler: Any = None

        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            collect.setdefault("began", time.perf_counter())
            if profile is not None and state.global_step == state.max_steps - 1:
                self.profiler = torch.profiler.profile()
                self.profiler.__enter__()

        def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if cuda:
                torch.cuda.synchronize()
            collect["ended"] = time.perf_counter()
            if self.profiler is not None and profile is not None:
                self.profiler.__exit__(None, None, None)
                order = "self_cuda_time_total" if cuda else "self_cpu_time_total"
                profile.write_text(self.profiler.key_averages().table(sort_by=order, row_limit=25))

    return Watch()


def ours(case: Case, folder: str, rows: list[dict[str, Any]], callback: Any) -> None:
    api = import_module("tunesmith.api")
    task = "text-classification" if case.kind == "encoder" else "language-generation"
    more: dict[str, Any] = {} if case.kind == "encoder" else {"merge": case.merge, "maxlength": LENGTH[case.kind]}
    lora = {"lora": True} if case.lora else {}
    api.train(
        rows,
        base=folder,
        task=task,
        callbacks=[callback],
        defaults="transformers",
        cache=False,
        **more,
        **lora,
        **settings(case),
    )


def hf(case: Case, folder: str, rows: list[dict[str, Any]], callback: Any) -> None:
    import transformers as t
    from datasets import Dataset

    tokenizer: Any = t.AutoTokenizer.from_pretrained(folder)
    names = sorted({row.get("label", "") for row in rows})

    def encode(row: dict[str, Any]) -> Any:
        if case.kind == "encoder":
            return {**tokenizer(row["text"], truncation=True), "labels": names.index(row["label"])}
        return tokenizer(row["text"] + tokenizer.eos_token, truncation=True, max_length=LENGTH[case.kind])

    data = Dataset.from_list(rows)
    data = data.map(encode, remove_columns=data.column_names)
    if case.kind == "encoder":
        model: Any = t.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(names))
        collator: Any = t.DataCollatorWithPadding(tokenizer)
    else:
        model = t.AutoModelForCausalLM.from_pretrained(folder)
        collator = t.DataCollatorForLanguageModeling(tokenizer, mlm=False)
    if case.lora:
        peft = import_module("peft")
        config = peft.LoraConfig(
            r=16, lora_alpha=8, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        model = peft.get_peft_model(model, config)
    with tempfile.TemporaryDirectory() as out:
        args = t.TrainingArguments(output_dir=out, **settings(case))
        t.Trainer(model=model, args=args, train_dataset=data, data_collator=collator, callbacks=[callback]).train()


SIDES = {"ours": ours, "hf": hf}


def serve(name: str, folder: str, side: str, profiles: str) -> None:
    import torch

    case = CASES[name]
    rows = texts(case.kind, case.batch * case.steps)
    turns.quiet()

    def turn() -> dict[str, float]:
        told: dict[str, Any] = {}
        SIDES[side](case, folder, rows, watch(told, Path(profiles, f"{name}-{side}.txt") if profiles else None))
        peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
        return {"loop": told["ended"] - told["began"], "device_peak": peak}

    turns.serve(turn)


def matrix_rate() -> float:
    """Operations a second of a large bf16 product on the device."""
    import torch

    size = 8192 if torch.cuda.is_available() else 1024
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = (torch.randn(size, size, dtype=torch.bfloat16, device=device) for _ in range(2))

    def product() -> None:
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()

    return 2 * size**3 / limits.seconds(product)


def work(case: Case, folder: str) -> tuple[int, float]:
    """Real tokens of an epoch, and operations of one token: forward and backward, the latter half as much with LoRA."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    rows = texts(case.kind, case.batch * case.steps)
    tokens = sum(min(len(ids) + 1, LENGTH[case.kind]) for ids in tokenizer([row["text"] for row in rows])["input_ids"])
    model: Any = AutoModel.from_pretrained(folder)
    embedded = model.get_input_embeddings().weight.numel()
    weights = sum(each.numel() for each in model.parameters()) - embedded * (case.kind == "encoder")
    return tokens, (4 if case.lora else 6) * weights


def race(case: Case, folder: str, rounds: int, profiles: str) -> dict[str, Any]:
    commands = {side: ("bench.gpu", "--serve", case.name, folder, side, profiles) for side in SIDES}
    told = turns.take(commands, rounds)
    tokens, operations = work(case, folder)
    seconds = {side: median(each[side]["loop"] for each in told) for side in SIDES}
    rate = matrix_rate()
    return {
        "what": "accelerator",
        "load": case.name,
        "peer": "hf",
        "ratios": {"loop": turns.spread(each["hf"]["loop"] / each["ours"]["loop"] for each in told)},
        "tokens_per_s": {side: round(tokens / each) for side, each in seconds.items()},
        "mfu": {side: round(tokens * operations / each / rate, 4) for side, each in seconds.items()},
        "matrix_rate": rate,
        "device_peak": {side: told[-1][side]["device_peak"] for side in SIDES},
        **records.circumstances(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    import torch

    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--toy", action="store_true", help="small models, on any machine")
    parser.add_argument("--only", default="", help=f"cases, separated by commas: {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=2, help="pairs of each case")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--profiles", default="", help="folder for a profile of the last step of each side")
    parser.add_argument("--serve", nargs=4, metavar=("CASE", "FOLDER", "SIDE", "PROFILES"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(*options.serve)
        return 0
    toy = options.toy or not torch.cuda.is_available()
    named = [name for name in options.only.split(",") if name] or list(CASES)
    for case in (CASES[name] for name in named):
        with tempfile.TemporaryDirectory() as folder:
            found = race(case, base(Path(folder), case.kind, toy), options.rounds, options.profiles)
        found["size"] = "toy" if toy else "full"
        records.append(found, options.results)
        told = [found["tokens_per_s"], found["mfu"], found["device_peak"]]
        rates, shares, peaks = ([each[side] for side in SIDES] for each in told)
        print(
            f"{case.name} ({found['size']}): {turns.said(found['ratios']['loop'])} faster than Trainer; "
            f"ours, theirs: tokens/s {rates[0]}, {rates[1]}; MFU {shares[0]:.1%}, {shares[1]:.1%}; "
            f"peak {peaks[0] / 2**20:.0f}, {peaks[1] / 2**20:.0f} MiB",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
