"""Equal rows give equal weights, bit for bit, whatever form they come in; splits, fractions and streams."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
import tunesmith
from tunesmith.api import read_data
from tunesmith.config import Settings
from tunesmith.data import sources
from tunesmith.errors import ConfigError, DataError
from tunesmith.registry import tasks
from tunesmith.tasks import parts

GOOD = ["great phone, bright screen", 'a "good" book', "what a film", "I want it", "good, very good", "the best of 3"]
BAD = ["the box was broken", "bad film", "three weeks, no delivery", "my money back", "a bad phone", "no screen"]
ROWS = [
    {"text": text, "label": label}
    for pair in zip(GOOD, BAD, strict=True)
    for text, label in zip(pair, "yn", strict=True)
]
QUICK: dict[str, Any] = {"num_train_epochs": 1, "seed": 0, "disable_tqdm": True}


def hf_dataset(rows: list[dict[str, Any]] = ROWS) -> Any:
    from datasets import Dataset

    return Dataset.from_list(rows)


def separated(path: Path, delimiter: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
    return path


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def packed(path: Path, text: str) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


def parquet(path: Path) -> Path:
    hf_dataset().to_parquet(str(path))
    return path


def globbed(folder: Path) -> str:
    for part in range(3):
        written(folder / f"part-{part}.jsonl", LINES(ROWS[part * 4 : part * 4 + 4]))
    return str(folder / "part-*.jsonl")


def pandas_frame() -> Any:
    import pandas

    return pandas.DataFrame(ROWS, index=range(100, 100 + len(ROWS)))


def polars_frame() -> Any:
    import polars

    return polars.DataFrame(ROWS)


def dataset_dict() -> Any:
    from datasets import DatasetDict

    return DatasetDict({"train": hf_dataset()})


def LINES(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


FORMS: dict[str, Callable[[Path], Any]] = {
    "csv": lambda folder: separated(folder / "rows.csv", ","),
    "tsv": lambda folder: separated(folder / "rows.tsv", "\t"),
    "json": lambda folder: written(folder / "rows.json", json.dumps(ROWS)),
    "jsonl": lambda folder: written(folder / "rows.jsonl", LINES(ROWS)),
    "jsonl.gz": lambda folder: packed(folder / "rows.jsonl.gz", LINES(ROWS)),
    "parquet": lambda folder: parquet(folder / "rows.parquet"),
    "glob": globbed,
    "pandas frame with an index of its own": lambda _: pandas_frame(),
    "polars frame": lambda _: polars_frame(),
    "Dataset": lambda _: hf_dataset(),
    "DatasetDict": lambda _: dataset_dict(),
    "streaming IterableDataset": lambda _: hf_dataset().to_iterable_dataset(),
    "list of tuples": lambda _: [(row["text"], row["label"]) for row in ROWS],
    "mapping of lists": lambda _: {name: [row[name] for row in ROWS] for name in ("text", "label")},
    "generator": lambda _: (row for row in ROWS),
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def reference(bert: str) -> dict[str, torch.Tensor]:
    """The weights that a list of mappings gives."""
    return weights(tunesmith.train(ROWS, base=bert, **QUICK))


def weights(run: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in run.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def splits(train: Any, validation: Any = None, test: Any = None, *, task: str = "text-classification", **more: Any):
    settings = Settings.make(train=train, validation=validation, test=test, task=task, **more)
    return read_data(tasks.get(task), train, validation, test, settings)


@pytest.mark.parametrize("form", FORMS)
def test_equal_rows_give_equal_weights_bit_for_bit(
    form: str, bert: str, reference: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    assert equal(weights(tunesmith.train(FORMS[form](tmp_path), base=bert, **QUICK)), reference)


def test_other_rows_give_other_weights(bert: str, reference: dict[str, torch.Tensor]) -> None:
    changed = [*ROWS[:-1], {"text": "no screen at all", "label": "n"}]
    assert not equal(weights(tunesmith.train(changed, base=bert, **QUICK)), reference)


def test_words_and_tags_train_from_conll_and_from_rows_alike(bert: str, tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Anna", "wrote", "to", "Acme"], "tags": ["B-PER", "O", "O", "B-ORG"]},
        {"tokens": ["Maria", "Lopez", "runs"], "tags": ["B-PER", "I-PER", "O"]},
    ] * 3
    lines = [
        "\n".join(f"{word} {tag}" for word, tag in zip(row["tokens"], row["tags"], strict=True)) + "\n" for row in rows
    ]
    file = written(tmp_path / "rows.conll", "-DOCSTART- O\n\n" + "\n".join(lines))
    task: dict[str, Any] = {"base": bert, "task": "token-classification", **QUICK}
    assert equal(weights(tunesmith.train(file, **task)), weights(tunesmith.train(rows, **task)))


def test_spans_come_as_tuples_or_as_mappings(bert: str) -> None:
    told = [{"label": "PER", "start": 0, "end": 4}, {"label": "ORG", "start": 14, "end": 18}]
    made = splits([{"text": "Anna works for Acme", "spans": told}], task="token-classification")
    rows = [{"text": "Anna works for Acme", "spans": [("PER", 0, 4), ("ORG", 14, 18)]}]
    assert list(splits(rows, task="token-classification")["train"]) == list(made["train"])


def test_questions_come_as_squad_json_as_rows_and_as_plain_answers(tmp_path: Path) -> None:
    context, starts = "Anna wrote the letter in March. Maria read it.", {"Anna": 0, "in March": 22}
    asked = [
        {"id": text, "question": f"what about {text}?", "answers": [{"text": text, "answer_start": start}]}
        for text, start in starts.items()
    ]
    squad = {"version": "1.1", "data": [{"title": "a", "paragraphs": [{"context": context, "qas": asked}]}]}
    file = written(tmp_path / "squad.json", json.dumps(squad))
    plain = [{"question": f"what about {text}?", "context": context, "answers": text} for text in starts]
    told = [
        {"question": row["question"], "context": context, "answers": {"text": [text], "answer_start": [starts[text]]}}
        for row, text in zip(plain, starts, strict=True)
    ]
    made = [splits(form, task="question-answering")["train"] for form in (file, plain, told)]
    assert list(made[0]) == list(made[1]) == list(made[2])
    assert made[0][1].answers == (("in March", 22),)


def test_a_text_file_is_a_row_a_line_for_language_tasks(tmp_path: Path) -> None:
    file = written(tmp_path / "corpus.txt", "the first line\n\nthe second line\n")
    made = splits(file, task="language-modeling")["train"]
    assert [example.text for example in made] == ["the first line", "the second line"]
    assert (
        made.fingerprint == splits(["the first line", "the second line"], task="language-modeling")["train"].fingerprint
    )


def test_the_named_splits_of_a_source_are_used() -> None:
    from datasets import DatasetDict

    parts = {"train": ROWS[:6], "validation": ROWS[6:9], "test": ROWS[9:]}
    for source in (parts, DatasetDict({name: hf_dataset(rows) for name, rows in parts.items()})):
        made = splits(source)
        assert {name: [example.text for example in split] for name, split in made.items()} == {
            name: [row["text"] for row in rows] for name, rows in parts.items()
        }


def test_a_split_is_chosen_by_its_name_and_a_wrong_name_lists_them() -> None:
    source = {"train": ROWS[:6], "dev": ROWS[6:]}
    assert len(splits(source, validation="dev")["validation"]) == 6
    with pytest.raises(ConfigError, match="train, dev"):
        splits(source, validation="held-out")


def test_fractions_are_exact_stratified_and_seeded() -> None:
    rows = [{"text": f"text {n}", "label": "rare" if n % 5 == 0 else "often"} for n in range(100)]
    made = splits(rows, validation=0.2, test=0.1, seed=3)
    assert {name: len(split) for name, split in made.items()} == {"train": 70, "validation": 20, "test": 10}
    assert {name: sum(e.label == "rare" for e in split) for name, split in made.items()} == {
        "train": 14,
        "validation": 4,
        "test": 2,
    }
    ids = [sorted(example.id for example in split) for split in made.values()]
    assert sorted(id for part in ids for id in part) == list(range(100))
    assert [sorted(e.id for e in split) for split in splits(rows, validation=0.2, test=0.1, seed=3).values()] == ids
    assert [sorted(e.id for e in split) for split in splits(rows, validation=0.2, test=0.1, seed=0).values()] != ids


def test_equal_texts_stay_on_one_side_and_so_does_a_group() -> None:
    rows = [{"text": f"text {n % 25}", "author": f"a{n % 5}", "label": "yn"[n % 2]} for n in range(100)]
    made = splits(rows, validation=0.2)
    assert not {e.text for e in made["train"]} & {e.text for e in made["validation"]}
    made = splits(rows, validation=0.2, group="author")
    assert len(made["validation"]) == 20
    assert {e.id % 5 for e in made["train"]} | {e.id % 5 for e in made["validation"]} == set(range(5))
    assert not {e.id % 5 for e in made["train"]} & {e.id % 5 for e in made["validation"]}
    with pytest.raises(DataError, match="Did you mean 'author'"):
        splits(rows, validation=0.2, group="authors")


def test_fractions_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave rows to train on"):
        splits(ROWS, validation=0.6, test=0.5)


def test_limit_reads_the_first_rows_of_every_source() -> None:
    made = splits(ROWS, validation=ROWS[::-1], limit=5)
    assert [example.text for example in made["train"]] == [row["text"] for row in ROWS[:5]]
    assert [example.text for example in made["validation"]] == [row["text"] for row in ROWS[:-6:-1]]


def endless(taken: list[int]) -> Iterator[dict[str, Any]]:
    n = 0
    while True:
        taken.append(n)
        yield ROWS[n % len(ROWS)]
        n += 1


def test_an_endless_stream_trains_for_max_steps(bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "AHEAD", 16)
    taken: list[int] = []
    run = tunesmith.train(
        endless(taken), base=bert, max_steps=5, per_device_train_batch_size=4, seed=0, disable_tqdm=True
    )
    assert len(taken) == 5 * 4 + 1  # one more, to tell whether the stream goes on
    assert run.framework_model.history[-1]["step"] == 5


def test_no_more_than_a_hundred_thousand_rows_of_an_endless_stream_are_read_for_a_few_steps() -> None:
    taken: list[int] = []
    assert len(splits(endless(taken), max_steps=5)["train"]) == 100_000
    assert len(taken) == 100_001  # one more, to tell whether the stream goes on


def test_a_stream_is_long_enough_for_blocks_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "AHEAD", 16)

    def taken(**more: Any) -> int:
        rows = ({"text": f"text {n}"} for n in iter_numbers())
        return len(splits(rows, max_steps=10, per_device_train_batch_size=2, task="language-modeling", **more)["train"])

    assert (taken(), taken(merge=None)) == (640, 20)
    monkeypatch.setattr(parts, "_MOST_JOINED", 100)
    assert taken() == 100


def test_a_fraction_of_an_endless_stream_is_held_out_beside_what_training_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "AHEAD", 16)
    rows = ({"text": f"text {n}", "label": "yn"[n % 2]} for n in iter_numbers())
    made = splits(rows, validation=0.2, max_steps=10, per_device_train_batch_size=2, gradient_accumulation_steps=4)
    assert {name: len(split) for name, split in made.items()} == {"train": 80, "validation": 20}


def test_a_stream_that_ends_before_it_is_enough_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "AHEAD", 16)
    assert len(splits(iter(ROWS), max_steps=1000)["train"]) == len(ROWS)
    assert len(splits(iter(ROWS), max_steps=1)["train"]) == len(ROWS)  # small enough to be read ahead


def test_a_stream_without_an_end_needs_max_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ENDLESS", 50)
    with pytest.raises(ConfigError, match=r"'limit' is None.*or max_steps.*has not ended after 50 rows"):
        splits(endless([]))
    assert len(splits(endless([]), limit=60)["train"]) == 60


def iter_numbers() -> Iterator[int]:
    n = 0
    while True:
        yield n
        n += 1
