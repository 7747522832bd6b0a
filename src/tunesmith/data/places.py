"""Where the rows are: paths, globs, saved data sets and hub ids found; the named splits of a source."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, nearest
from .dataset import gives_table
from .formats import suffix_of

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test", "eval"}


class Paths(list[Path]):
    """Files that exist, in the order of reading."""


def is_a(value: Any, package: str, *names: str) -> bool:
    """Whether a value is of a class of this package, which is not imported to tell."""
    return any(kind.__name__ in names and kind.__module__.split(".")[0] == package for kind in type(value).__mro__)


def located(source: Any, split: str | None) -> Any:
    """The source itself, or what a path, glob, list of paths or hub id leads to; a list of records as their data set.

    Raises:
        DataError: there is no such file, and no such data set on the hub.
    """
    if isinstance(source, (str, Path)):
        return _found(str(source), split)
    if isinstance(source, (list, tuple)) and source and all(map(_is_path, source)):
        files = [_found(str(path), None) for path in source]
        return Paths(path for part in files for path in part)
    if isinstance(source, (list, tuple)) and source and hasattr(type(source[0]), "together"):
        return type(source[0]).together(source)
    return source


def splits_in(source: Any) -> Mapping[str, Any] | None:
    """The named splits of a source, or None where it is one table."""
    if is_a(source, "datasets", "DatasetDict", "IterableDatasetDict"):
        return {str(name): part for name, part in source.items()}
    if isinstance(source, Mapping) and source:
        parts = list(source.values())
        if all(_is_table(part) for part in parts):
            return {str(name): part for name, part in source.items()}
        if set(map(str, source)) <= _SPLITS and all(_are_rows(part) for part in parts):
            return {str(name): part for name, part in source.items()}
    return None


def _is_path(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, str) and "\n" not in value and bool(suffix_of(value)))


def _is_table(value: Any) -> bool:
    frames = is_a(value, "pandas", "DataFrame") or is_a(value, "polars", "DataFrame", "LazyFrame")
    return frames or gives_table(value) or is_a(value, "datasets", "Dataset", "IterableDataset")


def _are_rows(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _found(text: str, split: str | None) -> Any:
    path = Path(text).expanduser()
    if path.is_file():
        return Paths([path])
    if path.is_dir():
        return _saved(path)
    if glob.has_magic(text):
        files = sorted(map(Path, glob.glob(str(path), recursive=True)))
        files = [file for file in files if file.is_file()]
        if not files:
            raise DataError(f"no file matches {text!r}.")
        return Paths(files)
    if _HUB_ID.fullmatch(text) and not suffix_of(text):
        return _from_hub(text, split)
    close = nearest(path.name, _siblings(path))
    hint = f" Did you mean {close!r}?" if close else ""
    raise DataError(f"there is no file {text!r}.{hint}")


def _siblings(path: Path) -> Sequence[str]:
    return [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []


def _saved(path: Path) -> Any:
    """A folder that `datasets` saved with `save_to_disk`."""
    if not any((path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        raise DataError(f"{path} is a folder, and none that save_to_disk wrote: give a glob such as '{path}/*.csv'.")
    from datasets import load_from_disk

    try:
        return load_from_disk(str(path))
    except Exception as error:  # whatever a damaged folder makes the library raise
        raise DataError(f"{path} cannot be read as a saved data set: {error}") from error


def _from_hub(name: str, split: str | None) -> Any:
    from datasets import load_dataset

    try:
        return load_dataset(name) if split is None else _one_split(load_dataset(name, split=split), split)
    except Exception as error:  # network, credentials, names, formats: the library has a class for each
        reason = str(error).strip() or type(error).__name__
        raise DataError(
            f"{name!r} is no file here, and the hub gave no data set of this name: {reason}. Check the name, the "
            "network, and HF_TOKEN if the data set is gated."
        ) from error


def _one_split(data: Any, split: str) -> dict[str, Any]:
    return {split: data}
