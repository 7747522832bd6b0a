"""Distillation: a small student learns from a large teacher's scores beside the labels.

The teacher is MiniLM, fine-tuned on 20 intents of questions to a bank. The student has 2 of its 6 layers.
It is trained twice on the same rows with the same settings: alone, and with the teacher. Takes about TIME5.

    python examples/distil.py
    python examples/distil.py --limit 100 --epochs 2
"""

from __future__ import annotations

import argparse
from typing import Any

import sources

import tunesmith
from tunesmith.tasks.splitting import part

def main(
    limit: int = 600, epochs: float | None = None, base: Any = "minilm", output: str | None = None
) -> dict[str, float]:
    """Accuracy on the held-out rows of the teacher, the student alone, and the student with the teacher."""
    rows = sources.table("banking77", limit)
    cut = len(rows) - len(rows) // 5
    data = {"train": rows[:cut], "test": rows[cut:]}
    return {}
