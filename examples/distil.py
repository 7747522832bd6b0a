"""Distillation: a small student learns from a trained teacher's scores beside the labels.

The teacher is MiniLM, fine-tuned on 20 intents of questions to a bank. The student is a new BERT of 2 narrow layers,
trained twice on the same rows with the same settings: alone, and with the teacher. The teacher reads the student's
tokens, so they share a tokenizer. Takes under 180 seconds on two cores.

    python examples/distil.py
    python examples/distil.py --limit 100 --epochs 2
"""

from __future__ import annotations

import argparse
from typing import Any

import sources

import tunesmith


def main(
    limit: int = 600, epochs: float = 10, base: Any = "minilm", size: str = "bert-tiny", output: str | None = None
) -> dict[str, float]:
    """Accuracy on the held-out fifth of the teacher, of the student alone, and of the student with the teacher."""
    # Equal rows, seed and fraction: all three runs train on the same rows and are scored on the same others.
    common: dict[str, Any] = {"train": sources.table("banking77", limit), "test": 0.2, "num_train_epochs": epochs}
    teacher = tunesmith.train(**common, base=base)
    student: dict[str, Any] = {**common, "from_scratch": size, "tokenizer": teacher.tokenizer}
    alone = tunesmith.train(**student)
    distilled = tunesmith.train(
        **student,
        teacher=(teacher.model, teacher.tokenizer),
        distillation=(2.0, 0.9),  # temperature; the teacher's share of the loss
        output_dir=output or "",
    )
    runs = {"teacher": teacher, "alone": alone, "distilled": distilled}
    scores = {name: run.metrics["test"]["accuracy"] for name, run in runs.items()}
    sizes = [sum(weight.numel() for weight in run.model.parameters()) / 1e6 for run in (teacher, distilled)]
    print(f"teacher of {sizes[0]:.1f}M parameters, student of {sizes[1]:.1f}M")
    print("held-out accuracy: " + ", ".join(f"{name} {score:.3f}" for name, score in scores.items()))
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=600, help="rows to use")
    parser.add_argument("--epochs", type=float, default=10, help="passes over the training rows")
    parser.add_argument("--base", default="minilm", help="model that becomes the teacher")
    parser.add_argument("--size", default="bert-tiny", help="size of the student")
    parser.add_argument("--output", help="folder to keep the student in")
    main(**vars(parser.parse_args()))
