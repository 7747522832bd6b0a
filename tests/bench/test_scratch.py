from math import log
from types import SimpleNamespace

import pytest

from bench import scratch
from tiny import TEXTS, bert, gpt2

ROWS = [{"text": text} for text in TEXTS]


def test_unigram_entropy_by_hand():
    # frequencies 1/2, 1/4, 1/4
    assert scratch.unigram_entropy([7, 7, 8, 9]) == pytest.approx(1.5 * log(2))


def _opened(folder, auto):
    import transformers

    model = getattr(transformers, auto).from_pretrained(folder).eval()
    return SimpleNamespace(model=model, tokenizer=transformers.AutoTokenizer.from_pretrained(folder))


@pytest.mark.parametrize(
    ("build", "auto", "measure"),
    [(gpt2, "AutoModelForCausalLM", scratch.causal), (bert, "AutoModelForMaskedLM", scratch.masked)],
)
def test_a_random_model_is_not_under_the_unigram_entropy_and_knows_about_nothing(build, auto, measure, tmp_path):
    run = _opened(build(tmp_path), auto)
    found = measure(run, tmp_path, ROWS)
    assert found["loss"] == pytest.approx(log(len(run.tokenizer)), abs=0.3)
    assert found["under_unigram"] == pytest.approx(found["unigram_entropy"] - found["loss"])
    assert found["under_unigram"] < 0


def test_the_last_tenth_is_held_out():
    kept, held = scratch._head_and_tail([str(i) for i in range(20)] + [" "])
    assert [row["text"] for row in held] == ["18", "19"]
    assert len(kept) == 18
