"""A language model from nothing: a tokenizer and a small GPT-2, both learned from one file of plays.

The held-out loss is printed beside the unigram entropy: the least that a model can lose which knows how frequent each
token is, and nothing of its neighbours. What is below that is what the model learned of order.
Takes under 180 seconds on two cores.

    python examples/language_model.py
    python examples/language_model.py --limit 200 --epochs 1
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence

import sources

import tunesmith
from tunesmith.training import scratch

VOCABULARY = 512  # 200 kB of text tell little of rare words: the fewer tokens, the more often each is seen
PROMPT = "CITIZEN:\nWe "


def unigram_entropy(ids: Sequence[int]) -> float:
    """Nats a token."""
    counts = Counter(ids)
    return -sum(count / len(ids) * math.log(count / len(ids)) for count in counts.values())


def main(limit: int = 1400, epochs: float = 6, size: str = "gpt2-tiny", output: str | None = None) -> dict[str, float]:
    """Loss and unigram entropy of the held-out speeches, in nats a token."""
    whole = sources.path("shakespeare").read_text(encoding="utf-8")
    speeches = [text for text in whole.split("\n\n") if text.strip()][:limit]
    cut = len(speeches) - max(1, len(speeches) // 10)  # the last tenth: how the text ends, not lines from its middle
    tokenizer = scratch.tokenizer(speeches[:cut], size, vocab_size=VOCABULARY)
    train, held_out = ([{"text": text} for text in part] for part in (speeches[:cut], speeches[cut:]))
    run = tunesmith.train(
        train,
        task="language-generation",
        from_scratch=size,
        tokenizer=tokenizer,
        test=held_out,
        maxlength=128,
        output_dir=output or "",
        learning_rate=3e-3,
        num_train_epochs=epochs,
    )
    ids = [token for row in held_out for token in (*tokenizer(row["text"])["input_ids"], tokenizer.eos_token_id)]
    scores = {"loss": run.metrics["test"]["loss"], "unigram_entropy": unigram_entropy(ids)}
    print(PROMPT + str(run.predict([PROMPT])[0].text))
    print(f"held out: loss {scores['loss']:.3f} nats a token, unigram entropy {scores['unigram_entropy']:.3f}")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=1400, help="speeches to use")
    parser.add_argument("--epochs", type=float, default=6, help="passes over the training text")
    parser.add_argument("--size", default="gpt2-tiny", help="size of the new model")
    parser.add_argument("--output", help="folder to keep the trained model in")
    main(**vars(parser.parse_args()))
