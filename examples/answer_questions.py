"""Question answering: find the words of a text that answer a question.

220 questions on three Wikipedia articles (SQuAD). The questions of a paragraph stay on one side of the split, so the
scores are on paragraphs the model has not seen. That is a small set for this task: with thousands of questions the same
call reaches far more. Takes under 180 seconds on two cores.

    python examples/answer_questions.py
    python examples/answer_questions.py --limit 40 --epochs 1
"""

from __future__ import annotations

import argparse
from typing import Any

import sources

import tunesmith

CONTEXT = (
    "The letter was written in Lisbon in 1911 by Clara Mendes, a teacher of chemistry. Her sister found it forty years "
    "later behind a drawer."
)
QUESTIONS = ["Who wrote the letter?", "In what year was the letter written?"]


def main(limit: int = 220, epochs: float = 4, base: Any = "minilm", output: str | None = None) -> dict[str, float]:
    """Exact match and F1 on the questions of held-out paragraphs, from 0 to 1."""
    run = tunesmith.train(
        sources.path("squad"),
        base=base,
        task="question-answering",
        limit=limit,
        test=0.2,
        output_dir=output or "",
        num_train_epochs=epochs,
    )
    for question, found in zip(QUESTIONS, run.predict([(each, CONTEXT) for each in QUESTIONS]), strict=True):
        print(f"{question} -> {found.answer!r} (characters {found.start} to {found.end})")
    scores = {name: run.metrics["test"][name] for name in ("exact_match", "f1")}
    print(f"held out: exact match {scores['exact_match']:.3f}, F1 {scores['f1']:.3f}")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=220, help="questions to use")
    parser.add_argument("--epochs", type=float, default=4, help="passes over the training questions")
    parser.add_argument("--base", default="minilm", help="model to start from")
    parser.add_argument("--output", help="folder to keep the trained model in")
    main(**vars(parser.parse_args()))
