"""The builders of tiny models give what the tests of every task rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny


def loaded(folder: str):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("build", [tiny.bert, tiny.electra])
def test_a_pair_gets_token_types_after_a_reload(build, tmp_path: Path) -> None:
    both = loaded(build(tmp_path))("who wrote it", "Anna wrote it")
    assert both["token_type_ids"][0] == 0
    assert both["token_type_ids"][-1] == 1


@pytest.mark.parametrize("build", [tiny.bert, tiny.electra])
def test_no_ascii_word_is_unknown(build, tmp_path: Path) -> None:
    tokenizer = loaded(build(tmp_path))
    assert tokenizer.unk_token_id not in tokenizer("Quite unseen words: x-ray 42!")["input_ids"]


@pytest.mark.parametrize("build", [tiny.gpt2, tiny.llama, tiny.t5])
def test_text_comes_back_from_its_ids(build, tmp_path: Path) -> None:
    tokenizer = loaded(build(tmp_path))
    text = "Any text, 42 naïve signs!"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


@pytest.mark.parametrize(("pad", "expected"), [(None, None), ("eos", "<|endoftext|>"), ("own", "<pad>")])
def test_gpt2_keeps_the_pad_token_that_was_asked_for(pad: str | None, expected: str | None, tmp_path: Path) -> None:
    assert loaded(tiny.gpt2(tmp_path, pad=pad)).pad_token == expected


def test_llama_starts_with_bos_and_may_have_several_ends(tmp_path: Path) -> None:
    from transformers import AutoConfig

    folder = tiny.llama(tmp_path, eos_list=True)
    tokenizer = loaded(folder)
    assert tokenizer("hello")["input_ids"][0] == tokenizer.bos_token_id
    assert AutoConfig.from_pretrained(folder).eos_token_id == [1, 2]


def test_t5_ends_with_eos(tmp_path: Path) -> None:
    assert loaded(tiny.t5(tmp_path))("hello")["input_ids"][-1] == 1


def test_bert_for_masked_lm_has_no_pooler(tmp_path: Path) -> None:
    from safetensors import safe_open

    def keys(folder: str) -> list[str]:
        with safe_open(Path(folder, "model.safetensors"), "pt") as weights:
            return list(weights.keys())

    assert any("pooler" in key for key in keys(tiny.bert(tmp_path / "a")))
    assert not any("pooler" in key for key in keys(tiny.bert(tmp_path / "b", model="BertForMaskedLM")))


@pytest.mark.parametrize(
    ("build", "auto"),
    [
        (tiny.bert, "AutoModelForSequenceClassification"),
        (tiny.electra, "AutoModelForPreTraining"),
        (tiny.gpt2, "AutoModelForCausalLM"),
        (tiny.llama, "AutoModelForCausalLM"),
        (tiny.t5, "AutoModelForSeq2SeqLM"),
    ],
)
def test_each_loads_by_its_auto_class(build, auto: str, tmp_path: Path) -> None:
    import transformers

    model = getattr(transformers, auto).from_pretrained(build(tmp_path))
    assert sum(p.numel() for p in model.parameters()) < 200_000


def test_weights_depend_on_the_seed_alone(tmp_path: Path) -> None:
    import torch

    first = tiny.bert(tmp_path / "a")
    torch.manual_seed(99)
    second = tiny.bert(tmp_path / "b")
    other = tiny.bert(tmp_path / "c", seed=1)
    read = [Path(folder, "model.safetensors").read_bytes() for folder in (first, second, other)]
    assert read[0] == read[1] != read[2]
