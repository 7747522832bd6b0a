"""SpanMarker used directly, in the environment of its worker: `libraries.span_marker` runs this file there.

    python -I bench/span_marker_direct.py TOLD ANSWER

TOLD names base, labels, lengths, arguments, seed, the rows of `train` (tokens, tags) and `test` (tokens), and a folder
to save to; ANSWER takes the tags that are found, and when training and prediction ended.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import transformers
from datasets import Dataset
from span_marker import SpanMarkerModel, Trainer

told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
transformers.set_seed(told["seed"])
labels = told["labels"]
ids = {label: place for place, label in enumerate(labels)}
model = SpanMarkerModel.from_pretrained(told["base"], labels=labels, **told["lengths"])
data = {
    "tokens": [row["tokens"] for row in told["train"]],
    "ner_tags": [[ids[tag] for tag in row["tags"]] for row in told["train"]],
}
arguments = transformers.TrainingArguments(
    output_dir=told["scratch"], save_strategy="no", report_to="none", seed=told["seed"], **told["arguments"]
)
Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(data)).train()
trained = time.time()
found = []
for words, entities in zip(told["test"], model.predict(told["test"]), strict=True):
    tags = ["O"] * len(words)
    for entity in entities:
        first, end = entity["word_start_index"], entity["word_end_index"]
        tags[first:end] = [f"B-{entity['label']}", *[f"I-{entity['label']}"] * (end - first - 1)]
    found.append(tags)
predicted = time.time()
model.save_pretrained(told["model"])
answer = {"trained": trained, "predicted": predicted, "tags": found}
Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")
