"""Where the examples find their data: the samples that ship with tunesmith, or whole data sets on your disk.

`$TUNESMITH_DATA` may name a folder that holds whole data sets at the places of `WHOLE`; a set that is not there is
read from its sample. `limit` keeps the examples short with either.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from tunesmith import samples

WHOLE = {
    "banking77": "banking77/train.csv.gz",
    "sms_spam": "sms_spam/all.csv",
    "squad": "squad_v1/train-v1.1-subset.json.gz",
    "shakespeare": "tinyshakespeare/input.txt",
}


def path(name: str) -> Path:
    """The file of a data set, which is said aloud."""
    folder = os.environ.get("TUNESMITH_DATA")
    whole = Path(folder, WHOLE[name]) if folder else None
    found = whole if whole is not None and whole.is_file() else samples.path(name)
    print(f"data: {found}")
    return found


def table(name: str, limit: int) -> pd.DataFrame:
    """`limit` random rows, always the same ones, with the columns `text` and `label` (a name, not a number)."""
    frame = pd.read_csv(path(name))
    if "label_text" in frame:
        frame["label"] = frame["label_text"]
    return frame[["text", "label"]].sample(frac=1, random_state=42).head(limit).reset_index(drop=True)
