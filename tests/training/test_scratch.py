"""Tokenizers and models from nothing: equal text gives equal files, special tokens are right, sizes are sane."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

import tiny
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError, NothingToTrain, UnknownName
from tunesmith.tasks.base import Example
from tunesmith.training import scratch

TEXTS = [*tiny.TEXTS, "Über den Fluss, naïve café: 日本"] * 3
PRINT_HASHES = """
import hashlib, sys, tempfile
from pathlib import Path
import tiny
from tunesmith.training import scratch
for name in ("bert-tiny", "gpt2-tiny", "t5-tiny"):
    with tempfile.TemporaryDirectory() as folder:
        scratch.tokenizer([*tiny.TEXTS] * 3, name, vocab_size=300).save_pretrained(folder)
        print(hashlib.sha256(Path(folder, "tokenizer.json").read_bytes()).hexdigest())
"""


def test_equal_text_gives_an_equal_tokenizer_in_every_process(tmp_path: Path) -> None:
    places = [str(Path(tiny.__file__).parent), str(Path(scratch.__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    command = [sys.executable, "-c", PRINT_HASHES]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    for name, there in zip(("bert-tiny", "gpt2-tiny", "t5-tiny"), told, strict=True):
        scratch.tokenizer([*tiny.TEXTS] * 3, name, vocab_size=300).save_pretrained(tmp_path / name)
        here = hashlib.sha256((tmp_path / name / "tokenizer.json").read_bytes()).hexdigest()
        assert here == there, name


@pytest.mark.parametrize("name", ["bert-tiny", "electra-tiny", "gpt2-tiny", "t5-tiny"])
def test_a_saved_tokenizer_reads_the_same(name: str, tmp_path: Path) -> None:
    made = scratch.tokenizer(TEXTS, name, vocab_size=400)
    made.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in (*TEXTS[:8], "unseen words, quite strange ones", "  "):
        assert dict(again(text)) == dict(made(text))
    assert again.model_max_length == made.model_max_length == {"t5-tiny": 512}.get(name, 256)
    assert len(made) <= 400
    assert made.pad_token_id is not None


def test_special_tokens_are_those_of_the_family() -> None:
    bert = scratch.tokenizer(TEXTS, "bert-tiny", vocab_size=400)
    pair = bert("the phone", "the screen")
    assert set(pair["token_type_ids"]) == {0, 1}
    assert bert.convert_ids_to_tokens(pair["input_ids"])[0] == "[CLS]"
    assert (bert.pad_token_id, bert.mask_token_id) == (0, 4)
    assert bert.unk_token_id not in bert(tiny.TEXTS[0])["input_ids"]
    gpt2 = scratch.tokenizer(TEXTS, "gpt2-tiny", vocab_size=400)
    assert gpt2.eos_token == gpt2.bos_token == "<|endoftext|>"
    assert gpt2.pad_token_id != gpt2.eos_token_id
    assert gpt2.decode(gpt2("Ünseen  twöspaces\n日本")["input_ids"]) == "Ünseen  twöspaces\n日本"
    t5 = scratch.tokenizer(TEXTS, "t5-tiny", vocab_size=400)
    assert t5("the phone")["input_ids"][-1] == t5.eos_token_id
    assert t5.decode(t5("the phone is great")["input_ids"], skip_special_tokens=True) == "the phone is great"


def test_unigram_pieces_are_whole_words_where_these_are_frequent() -> None:
    t5 = scratch.tokenizer(["the phone is great and the screen is bright"] * 50, "t5-tiny", vocab_size=100)
    assert t5.convert_ids_to_tokens(t5("the screen")["input_ids"]) == ["▁the", "▁screen", "</s>"]


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, task) for name in scratch.SIZES if "tiny" in name for task in scratch.TASKS[scratch.family(name)]],
)
def test_every_tiny_size_makes_a_model_for_each_of_its_tasks(name: str, task: str) -> None:
    tokenizer = scratch.tokenizer(TEXTS, name, vocab_size=400)
    labels = Labels("single", ("a", "b", "c")) if task.endswith("classification") else None
    model = scratch.model(name, task, tokenizer, labels, seed=3).eval()
    assert model.config.pad_token_id == tokenizer.pad_token_id
    if labels is not None:
        assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
    if task == "sequence-sequence":
        ids = torch.tensor([tokenizer("the phone")["input_ids"]])
        assert torch.isfinite(model(input_ids=ids, labels=ids).loss)
    else:
        ids = torch.arange(10, 18)[None]
        outputs = model(input_ids=ids)
        assert torch.isfinite(outputs[0]).all()
    assert sum(parameter.numel() for parameter in model.parameters()) < 3_000_000


def test_equal_seeds_give_equal_weights_and_leave_torchs_state_alone() -> None:
    tokenizer = scratch.tokenizer(TEXTS, "bert-tiny", vocab_size=400)
    before = torch.get_rng_state()
    first, second, other = (scratch.model("bert-tiny", "language-modeling", tokenizer, seed=n) for n in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [model.get_input_embeddings().weight for model in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = scratch.model("bert-tiny", "language-modeling", tokenizer)
    assert torch.equal(drawn.get_input_embeddings().weight, weights[0])


def test_unknown_and_unfit_sizes_are_told() -> None:
    with pytest.raises(UnknownName) as unknown:
        scratch.tokenizer(TEXTS, "bert-tinny")
    assert "unknown size to train from scratch 'bert-tinny'. Did you mean 'bert-tiny'?" in str(unknown.value)
    tokenizer = scratch.tokenizer(TEXTS, "gpt2", vocab_size=400)
    with pytest.raises(ConfigError) as unfit:
        scratch.model("gpt2-tiny", "language-modeling", tokenizer)
    assert "expected a size that can learn language-modeling: bert-tiny, bert-mini" in str(unfit.value)
    with pytest.raises(UnknownName):
        scratch.config("gpt2", "language-generation", tokenizer)


@pytest.mark.parametrize("name", ["bert-tiny", "gpt2-tiny", "t5-tiny"])
def test_no_text_gives_no_vocabulary(name: str) -> None:
    with pytest.raises(NothingToTrain):
        scratch.tokenizer(["", ""], name)


def test_the_corpus_is_every_text_of_the_examples() -> None:
    examples = [Example(0, "a", pair="b"), Example(1, "c", target="d"), Example(2, "", tokens=("e", "f"))]
    assert list(scratch.corpus(examples)) == ["a", "b", "c", "d", "e f"]
