"""Data sets of records on a hub: parquet files, and a card whose front matter says task, labels and counts.

A split is one file, `data/SPLIT.parquet`, with the columns of `to_datasets`. The card names each split's file, so
`datasets.load_dataset` reads the repository too.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import DataError, ServerError
from .datasets import RecordDataset, dataset_class
from .kept_labels import settings_beside, with_settings
from .settings import Settings, labels_of

CATEGORIES = {
    "TextClassification": "text-classification",
    "TokenClassification": "token-classification",
    "Text2Text": "text-generation",
}
"""Task -> the hub's task category."""

_CLIENTS = ("huggingface_hub", "httpx", "httpx2", "requests", "urllib3")
_SPLIT = re.compile(r"\w+(\.\w+)*")
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*\n?", re.DOTALL)
_BEGIN, _END = "<!-- tunesmith: counts -->", "<!-- /tunesmith -->"


def push(
    dataset: RecordDataset[Any],
    repo_id: str,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    private: bool | None = None,
    split: str = "train",
    settings: Settings | None = None,
) -> str:
    """Writes a split of a data set repository and its card in one commit; other splits stay. Gives back its address.

    settings: whose labels the file keeps and the card lists, in their order; None lists those that occur, sorted.

    Raises:
        DataError: a split name that no file can have. ServerError: the hub refuses or is not there.
    """
    import pyarrow.parquet as pq
    from huggingface_hub import CommitOperationAdd, HfApi

    if not _SPLIT.fullmatch(split):
        raise DataError(f"split {split!r}: expected letters, digits and underscores, as in 'train'.")
    api = HfApi(endpoint=endpoint, token=token)
    with _told(api.endpoint), tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
        address = api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
        name, path = str(address.repo_id), Path(folder, "split.parquet")
        pq.write_table(with_settings(dataset.to_arrow(), settings), path)
        card = written(_card(api, name), dataset, split, settings)
        operations = [
            CommitOperationAdd(_file(split), str(path)),
            CommitOperationAdd("README.md", card.encode()),
        ]
        message = f"{split}: {len(dataset)} records of {dataset.task}"
        api.create_commit(name, operations, commit_message=message, repo_type="dataset")
    return str(address)


def load_from_hub(
    repo_id: str,
    task: str | None = None,
    *,
    split: str = "train",
    token: str | None = None,
    endpoint: str | None = None,
    revision: str | None = None,
    **columns: Any,
) -> RecordDataset[Any]:
    """The records of a split of a data set repository with parquet files.

    task: None is read from the card, where `push_to_hub` wrote it. columns: as those of `from_datasets`.

    Raises:
        DataError: no such split; a task that nothing says. ServerError: the hub refuses or is not there.
    """
    import pyarrow.parquet as pq
    from datasets import Dataset, concatenate_datasets
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint, token=token)
    with _told(api.endpoint):
        files = api.list_repo_files(repo_id, repo_type="dataset", revision=revision)
        kind = dataset_class(task or _task(_card(api, repo_id, files, revision), repo_id))
        wanted = _files_of(split, files, repo_id)
        paths = [api.hf_hub_download(repo_id, name, repo_type="dataset", revision=revision) for name in wanted]
    tables = [pq.read_table(path) for path in paths]
    loaded = kind.from_datasets(concatenate_datasets(list(map(Dataset, tables))), **columns)
    found = {settings_beside(table, kind.task) for table in tables}
    loaded.settings = found.pop() if len(found) == 1 else None
    return loaded


@contextmanager
def _told(endpoint: str) -> Iterator[None]:
    """What the hub's client raises, as ours."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        retryable = status == 429 or status >= 500
        raise ServerError(endpoint, status, _first_line(error), retryable=retryable) from error
    except Exception as error:  # of the network: which HTTP library the client has underneath changes
        if not isinstance(error, ConnectionError) and type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise ServerError(endpoint, None, _first_line(error), retryable=True) from error


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _file(split: str) -> str:
    return f"data/{split}.parquet"


def _files_of(split: str, files: Iterable[str], repo_id: str) -> list[str]:
    """The parquet files of a split, those that `datasets` writes (`data/train-00000-of-00002-….parquet`) too."""
    found = sorted(name for name in files if name.endswith(".parquet"))
    names = (_file(split), f"data/{split}-*-of-*.parquet", f"*/{split}-*-of-*.parquet", f"{split}.parquet")
    for name in names:
        wanted = [one for one in found if fnmatch(one, name)]
        if wanted:
            return wanted
    raise DataError(f"{repo_id} has no parquet file of a split {split!r}. Files: {', '.join(found) or 'none'}.")


def _card(api: Any, repo_id: str, files: Iterable[str] | None = None, revision: str | None = None) -> str:
    """The text of the repository's card, "" where there is none."""
    known = api.list_repo_files(repo_id, repo_type="dataset", revision=revision) if files is None else files
    if "README.md" not in known:
        return ""
    path = api.hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=revision)
    return Path(path).read_text(encoding="utf-8")


def front_matter(card: str) -> dict[str, Any]:
    """The mapping at the head of a card, {} where there is none that can be read."""
    import yaml

    found = _FRONT.match(card)
    try:
        values = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        return {}
    return values if isinstance(values, dict) else {}


def _task(card: str, repo_id: str) -> str:
    told = front_matter(card)
    ours = told.get("tunesmith")
    if isinstance(ours, Mapping) and ours.get("task"):
        return str(ours["task"])
    wanted = " or ".join(map(repr, CATEGORIES))
    raise DataError(f"the card of {repo_id} does not say which task its records have: pass task={wanted}.")


def written(card: str, dataset: RecordDataset[Any], split: str, settings: Settings | None) -> str:
    """The card with this split's file, labels and counts; what others wrote in it stays."""
    import yaml

    front = front_matter(card)
    known = front.get("tunesmith")
    counts = dict(known.get("splits") or {}) if isinstance(known, Mapping) else {}
    labels = settings.label_schema if settings else _labels(dataset, known)
    annotated = sum(record.annotation is not None for record in dataset)
    counts[split] = {"records": len(dataset), "annotated": annotated}
    ours = {"task": dataset.task, **({"labels": list(labels)} if labels else {}), "splits": counts}
    files = [{"split": name, "path": _file(name)} for name in counts]
    front = {
        **front,
        "task_categories": [CATEGORIES[dataset.task]],
        "tags": list(dict.fromkeys([*(front.get("tags") or []), "tunesmith"])),
        "size_categories": [_size(sum(one["records"] for one in counts.values()))],
        "configs": [{"config_name": "default", "data_files": files}],
        "tunesmith": ours,
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n{_body(_FRONT.sub('', card), dataset, ours)}"


def _labels(dataset: RecordDataset[Any], known: Any) -> list[str]:
    """The labels the card has already, then those of this split, sorted."""
    before = list(known.get("labels") or []) if isinstance(known, Mapping) else []
    found = {label for record in dataset for label in labels_of(record)}
    return [*before, *sorted(found - set(before))] if before else sorted(found)


def _body(body: str, dataset: RecordDataset[Any], ours: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {one['records']} | {one['annotated']} |" for name, one in ours["splits"].items()]
    table = "\n".join(["| split | records | annotated |", "|---|---:|---:|", *rows])
    labels = ", ".join(f"`{label}`" for label in ours.get("labels", ()))
    told = f"{_BEGIN}\n{table}\n" + (f"\nLabels, in the order of their ids: {labels}\n" if labels else "") + _END
    before, begin, rest = body.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if begin and end:
        return f"{before}{told}{after}"
    if body.strip():
        return f"{body.rstrip()}\n\n{told}\n"
    kind = type(dataset).__name__
    return (
        f"\n# Records of {ours['task']}\n\n{told}\n\n"
        f"```python\nfrom tunesmith.records import load_from_hub\n\ndataset = load_from_hub(repo_id)  # a {kind}\n```\n"
    )


def _size(records: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for most, name in steps if records < most), "n>1M")
