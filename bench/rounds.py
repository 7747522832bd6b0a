"""Real data goes round at full size: `python -m bench.rounds [--work FOLDER]`.

Banking77 (train and test), CoNLL-2003 (train) and 2,000 pairs of Multi30k are imported by the command line, queried,
exported in every format and read back, and prepared for every framework; each step is compared row by row with the
source, which is parsed here anew. A difference ends it; else one line a step, with its seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.reading import data_folder
from tunesmith import cli
from tunesmith.records.files import read, write
from tunesmith.records.preparing import prepare
from tunesmith.records.settings import TextClassificationSettings, TokenClassificationSettings
from tunesmith.records.store.store import Store

FORMATS = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "hf": "", "label-studio": ".json"}
FORMATS |= {"prodigy": ".jsonl", "docbin": ".spacy", "argilla1": ".jsonl"}
PAIRS = 2_000


@dataclass(frozen=True)
class Source:
    """rows: (text, label), (words, tags) or (text, target), as the file has them. words: to import it."""

    name: str
    task: str
    rows: list[tuple[Any, Any]]
    words: list[str]
    settings: Any = None


def banking77() -> Source:
    files = [data_folder() / "banking77" / name for name in ("train.csv.gz", "test.csv")]
    rows = []
    for file in files:
        raw = file.read_bytes()
        text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode()
        rows += [(row["text"], row["label_text"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
    settings = TextClassificationSettings(sorted({label for _, label in rows}, reverse=True))
    return Source("banking77", "TextClassification", rows, [*map(str, files), "--columns", "text,label_text"], settings)


def conll2003() -> Source:
    file = data_folder() / "conll2003" / "train.conll.gz"
    blocks = gzip.decompress(file.read_bytes()).decode().strip().split("\n\n")
    parsed = [[line.split(" ") for line in block.split("\n")] for block in blocks]
    rows = [([line[0] for line in block], [line[-1] for line in block]) for block in parsed]
    return Source(
        "conll2003", "TokenClassification", rows, [str(file)], TokenClassificationSettings("PER ORG LOC MISC".split())
    )


def multi30k(work: Path) -> Source:
    sides = [gzip.decompress((data_folder() / f"multi30k/train.{code}.gz").read_bytes()) for code in ("en", "de")]
    rows = list(zip(*(side.decode().split("\n")[:PAIRS] for side in sides), strict=True))
    with (work / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("en", "de"), *rows])
    return Source("multi30k", "Text2Text", rows, [str(work / "pairs.csv")])


@contextlib.contextmanager
def step(told: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{told:48} equal  {time.perf_counter() - start:6.1f} s", flush=True)


def same(found: Sequence[Any], wanted: Sequence[Any], where: str) -> None:
    if list(found) == list(wanted):
        return
    place = next((n for n, pair in enumerate(zip(found, wanted, strict=False)) if pair[0] != pair[1]), None)
    told = (
        f"{len(found)} for {len(wanted)}" if place is None else f"row {place}: {found[place]!r} for {wanted[place]!r}"
    )
    raise SystemExit(f"{where}: {told}")


def row_of(record: Any) -> tuple[Any, Any]:
    if record.task == "TokenClassification":
        return list(record.tokens), tags_of(record)
    return record.text, record.annotation


def tags_of(record: Any) -> list[str]:
    """One tag a word, of spans in characters, told without the code under test: words are joined by one blank."""
    tags, start = [], 0
    for word in record.tokens:
        end = start + len(word)
        inside = next((span for span in record.annotation if span[1] <= start and end <= span[2]), None)
        tags.append("O" if inside is None else f"{'B' if inside[1] == start else 'I'}-{inside[0]}")
        start = end + 1
    return tags


def go_round(source: Source, work: Path) -> None:
    with step(f"{source.name}: import of {len(source.rows):,} rows"):
        words = ["records", "import", *source.words, "--name", source.name, "--database", str(work / "rounds.db")]
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.main(words) == 0
        with Store(work / "rounds.db") as store:
            records = store.load(source.name, "default")
        same([row_of(record) for record in records], source.rows, "import")
    with step(f"{source.name}: queries"):
        queries(source, records, work)
    for format in FORMATS:
        if format == "docbin" and source.task == "Text2Text":
            continue
        with step(f"{source.name}: export as {format}"):
            path = work / f"{source.name}-{format}{FORMATS[format]}"
            assert write(iter(records), path, format=format) == len(records)
            same(list(read(path, format=format, task=source.task)), records, format)
    {"TextClassification": of_labels, "TokenClassification": of_spans, "Text2Text": of_targets}[source.task](
        source, records
    )


def queries(source: Source, records: Sequence[Any], work: Path) -> None:
    with Store(work / "rounds.db") as store:
        for record in records[:: max(len(records) // 50, 1)]:
            text = record.text.replace("\\", "\\\\").replace('"', '\\"')
            found = store.load(source.name, "default", query=f'text.exact:"{text}"')
            wanted = [
                one for one in records if f" {' '.join(record.text.split())} " in f" {' '.join(one.text.split())} "
            ]
            same(found, wanted, f"text.exact:{text}")
        for label in source.settings.label_schema if source.settings else ():
            found = store.load(source.name, "default", query=f'status:Validated AND annotated_as:"{label}"')
            held = [one for one in records if label in (one.annotation, *(span[0] for span in one.annotation))]
            same(found, held, f"annotated_as:{label}")


def made(source: Source, records: Sequence[Any], framework: str, **options: Any) -> Any:
    return prepare(records, source.task, framework, source.settings, **options)


def of_labels(source: Source, records: Sequence[Any]) -> None:
    names = source.settings.label_schema
    for framework in ("transformers", "peft", "setfit", "autotrain"):
        with step(f"{source.name}: prepared for {framework}"):
            table = made(source, records, framework)
            labels = table["target" if framework == "autotrain" else "label"]
            same(
                [(text, names[place]) for text, place in zip(table["text"], labels, strict=True)],
                source.rows,
                framework,
            )
    with step(f"{source.name}: prepared for spark-nlp"):
        frame = made(source, records, "spark-nlp")
        same(list(zip(frame["text"], frame["label"], strict=True)), source.rows, "spark-nlp")
    chats(source, records, source.rows)
    for framework in ("spacy", "spacy-transformers"):
        with step(f"{source.name}: prepared for {framework}"):
            docs = list(made(source, records, framework, lang="en").get_docs(vocabulary()))
            found = [(doc.text, [name for name, on in doc.cats.items() if on]) for doc in docs]
            same(found, [(text, [label]) for text, label in source.rows], framework)


def of_spans(source: Source, records: Sequence[Any]) -> None:
    names = ["O", *(f"{prefix}-{label}" for label in source.settings.label_schema for prefix in "BI")]
    for framework in ("transformers", "peft", "span-marker", "autotrain"):
        with step(f"{source.name}: prepared for {framework}"):
            table = made(source, records, framework)
            tags = table["tags" if framework == "autotrain" else "ner_tags"]
            found = [(words, [names[place] for place in row]) for words, row in zip(table["tokens"], tags, strict=True)]
            same(found, source.rows, framework)
    with step(f"{source.name}: prepared for spark-nlp"):
        frame = made(source, records, "spark-nlp")
        same(
            [(list(a), list(b)) for a, b in zip(frame["token"], frame["label"], strict=True)], source.rows, "spark-nlp"
        )
    said = [[{"label": label, "text": one.text[a:b]} for label, a, b in one.annotation] for one in records]
    chats(source, records, [(one.text, spans) for one, spans in zip(records, said, strict=True)], read=json.loads)
    for framework in ("spacy", "spacy-transformers"):
        with step(f"{source.name}: prepared for {framework}"):
            docs = list(made(source, records, framework, lang="en", misaligned="skip").get_docs(vocabulary()))
            known = {one.key: one for one in records}
            kept = [known[doc.user_data["id"]] for doc in docs]
            found = [(doc.text, [(e.label_, e.start_char, e.end_char) for e in doc.ents]) for doc in docs]
            same(found, [(one.text, sorted(one.annotation, key=lambda span: span[1])) for one in kept], framework)
            print(f"    {len(records) - len(docs)} of {len(records):,} left out: spans within a word of spaCy's")


def of_targets(source: Source, records: Sequence[Any]) -> None:
    for framework in ("transformers", "peft", "spark-nlp"):
        with step(f"{source.name}: prepared for {framework}"):
            table = made(source, records, framework)
            same(list(zip(table["text"], table["target"], strict=True)), source.rows, framework)
    chats(source, records, source.rows)


def chats(source: Source, records: Sequence[Any], wanted: Sequence[Any], *, read: Any = str) -> None:
    with step(f"{source.name}: prepared for openai"):
        rows = made(source, records, "openai")
        said = [[turn["content"] for turn in row["messages"]] for row in rows]
        same([(text, read(answer)) for text, answer in said], wanted, "openai")


def vocabulary() -> Any:
    import spacy

    return spacy.blank("en").vocab


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")) / "tunesmith-rounds")
    work: Path = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    (work / "rounds.db").unlink(missing_ok=True)
    for source in (banking77(), conll2003(), multi30k(work)):
        go_round(source, work)


if __name__ == "__main__":
    main()
