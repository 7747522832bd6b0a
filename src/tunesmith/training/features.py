"""Examples to features, once: an Arrow table, cached by what it was made of and memory-mapped from there."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ..data.cache import FeatureCache
from ..errors import NothingToTrain
from ..tasks.base import Example, Examples
from .recipe import Encoding, Feature, Recipe

VERSION = 1  # raise it when any recipe's features change: old cache entries are then never read

_log = logging.getLogger("tunesmith")


@dataclass(frozen=True)
class Workers:
    """How tokenization is spread: `rows` a call, `processes` beside this one (0: in this process)."""

    rows: int = 1000
    processes: int = 0


def build(
    examples: Examples,
    recipe: Recipe,
    encoding: Encoding,
    *,
    gold: bool,
    cache: FeatureCache | None = None,
    workers: Workers | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> Any:
    """The features of `examples` as a `datasets.Dataset`; the column `example` holds each one's place in `examples`.

    Tokens that did not fit are entered in `examples.account.truncated`.

    Raises:
        NothingToTrain: no feature came out.
    """
    import pyarrow as pa
    from datasets import Dataset

    def batches() -> Iterator[pa.RecordBatch]:
        features = encoded(examples, recipe, encoding, gold=gold, workers=workers or Workers(), on_rows=on_rows)
        if recipe.merge is not None and encoding.merge is not None:
            features = recipe.merge(features, encoding)
        return _record_batches(features, (workers or Workers()).rows)

    if cache is None:
        made = list(batches())
        dataset = Dataset(pa.Table.from_batches(made)) if made else None
    else:
        path = cache.get(key(examples, recipe, encoding, gold)) or _write(
            cache, key(examples, recipe, encoding, gold), batches()
        )
        dataset = Dataset.from_file(str(path)) if path is not None else None
    if dataset is None or len(dataset) == 0:
        raise NothingToTrain("the data", examples.account.counts())
    _account(dataset, examples)
    return dataset


def encoded(
    examples: Sequence[Example],
    recipe: Recipe,
    encoding: Encoding,
    *,
    gold: bool,
    workers: Workers,
    on_rows: Callable[[int, int], None] | None = None,
) -> Iterator[Feature]:
    """Features in the order of the examples, `example` counted over all of them."""
    starts = range(0, len(examples), workers.rows)
    encode = _Encode(recipe.encode, encoding, gold)

    def chunks(first: int) -> Iterator[list[Example]]:
        return (list(examples[start : start + workers.rows]) for start in starts[first:])

    def parts() -> Iterator[list[Feature]]:
        done = 0
        if workers.processes > 1 and len(starts) > 1:
            try:
                with ProcessPoolExecutor(workers.processes, multiprocessing.get_context("spawn")) as pool:
                    for part in pool.map(encode, chunks(0)):
                        done += 1
                        yield part
            except BrokenProcessPool:
                _log.warning(
                    "the processes that tokenize died, so the rest is done in this one. A script that starts processes "
                    "needs `if __name__ == '__main__':` around its work."
                )
        yield from map(encode, chunks(done))

    yield from _placed(parts(), starts, len(examples), on_rows)


@dataclass(frozen=True)
class _Encode:
    """A recipe's `encode` with its settings, a value that can cross to another process."""

    encode: Callable[[Sequence[Example], Encoding, bool], list[Feature]]
    encoding: Encoding
    gold: bool

    def __call__(self, examples: list[Example]) -> list[Feature]:
        return self.encode(examples, self.encoding, self.gold)


def _placed(
    parts: Iterator[list[Feature]], starts: range, total: int, on_rows: Callable[[int, int], None] | None
) -> Iterator[Feature]:
    for start, part in zip(starts, parts, strict=True):
        for feature in part:
            feature["example"] += start
            yield feature
        if on_rows is not None:
            on_rows(min(start + starts.step, total), total)


def _record_batches(features: Iterator[Feature], rows: int) -> Iterator[Any]:
    import pyarrow as pa

    first = next(features, None)
    if first is None:
        return
    chunk: list[Feature] = []
    schema = None
    for feature in chain([first], features):
        feature.setdefault("lost", 0)
        chunk.append(feature)
        if len(chunk) == rows:
            schema = schema or pa.Table.from_pylist(chunk).schema
            yield from pa.Table.from_pylist(chunk, schema=schema).combine_chunks().to_batches()
            chunk = []
    if chunk:
        yield from pa.Table.from_pylist(chunk, schema=schema).combine_chunks().to_batches()


def _write(cache: FeatureCache, name: str, batches: Iterator[Any]) -> Path | None:
    import pyarrow as pa

    first = next(batches, None)
    if first is None:
        return None

    def write(path: Path) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
            for batch in chain([first], batches):
                writer.write_batch(batch)

    return cache.put(name, write)


def _account(dataset: Any, examples: Examples) -> None:
    lost = dataset.data.column("lost").to_numpy()
    places = dataset.data.column("example").to_numpy()
    for place in lost.nonzero()[0]:
        row = examples[int(places[place])].id
        examples.account.truncated[row] = examples.account.truncated.get(row, 0) + int(lost[place])


def told_of_cuts(examples: Examples, recipe: Recipe, encoding: Encoding) -> str | None:
    """What is to be said of rows that are longer than `maxlength`; None where all fit, or are joined into blocks."""
    lost = examples.account.truncated
    if not lost or (recipe.merge is not None and encoding.merge is not None):
        return None
    rows, tokens = len(lost), sum(lost.values())
    cut = "1 row is" if rows == 1 else f"{rows:,} rows are"
    left = "1 token is" if tokens == 1 else f"{tokens:,} tokens are"
    return f"{cut} cut to maxlength={encoding.maxlength} ({left} left out)"


def key(examples: Examples, recipe: Recipe, encoding: Encoding, gold: bool) -> str:
    """What the features are made of, as one SHA-256: examples, tokenizer, labels, settings, and our own version."""
    parts = {
        "version": VERSION,
        "recipe": recipe.encode.__module__ + "." + recipe.encode.__qualname__,
        "examples": examples.fingerprint,
        "gold": gold,
        "tokenizer": tokenizer_hash(encoding.tokenizer),
        "labels": [encoding.labels.kind, list(encoding.labels.names)] if encoding.labels else None,
        "settings": [encoding.kind, encoding.maxlength, encoding.stride, encoding.prefix, encoding.merge],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 of all that decides how a tokenizer cuts text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        whole = json.loads(backend.to_str())
        whole.pop("truncation", None), whole.pop("padding", None)  # set by every call, and part of none
        told = json.dumps(whole, sort_keys=True)
    else:
        told = json.dumps([type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())])
    settings = [
        type(tokenizer).__name__,
        tokenizer.padding_side,
        tokenizer.truncation_side,
        list(tokenizer.model_input_names),
        {name: str(value) for name, value in sorted(tokenizer.special_tokens_map.items())},
        getattr(tokenizer, "add_bos_token", None),
        getattr(tokenizer, "add_eos_token", None),
    ]
    return hashlib.sha256((told + json.dumps(settings)).encode()).hexdigest()
