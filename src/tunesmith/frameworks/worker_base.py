"""What frameworks in workers share: a base as a library of transformers 4 reads it, and a trained model that is served.

Such a base is a local folder, its tokenizer's configuration rewritten in a copy.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArtifactError, ConfigError
from ..training.bases import MINILM, MINILM_ALIAS, Base, open_base
from .worker import Worker, read_rows

_TOKENIZER = "tokenizer_config.json"
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin")  # of a base of the hub: no code


@dataclass(frozen=True)
class LocalBase:
    """name: what a saved model says of its origin. opened: by transformers 5, for its configuration and tokenizer."""

    name: str
    folder: Path
    opened: Base


@dataclass(frozen=True)
class Served:
    """A model in a worker, and the folder that it is read from. write: puts inputs into the file that it reads."""

    worker: Worker
    folder: Path
    write: Callable[[Path, Sequence[Any]], None]

    def load(self) -> None:
        """Raises: ArtifactError, where the worker cannot read the folder."""
        self.worker.ask("load", model=str(self.folder), failed=lambda told: ArtifactError(self.folder, told))

    def __call__(self, inputs: Sequence[Any], batch_size: int) -> list[dict[str, list[Any]]]:
        """What is found in each input: see FOUND in the worker's script."""
        rows, found = (self.worker.scratch / name for name in ("rows.arrow", "found.arrow"))
        with self.worker.alone:
            if not self.worker.running:
                self.load()
            self.write(rows, inputs)
            self.worker.ask("predict", rows=str(rows), found=str(found), batch_size=batch_size)
            return read_rows(found)


def local_base(framework: str, base: Any, task: str) -> LocalBase:
    """The folder of a base: 'minilm' (None too), a hub id or a folder.

    Raises:
        ConfigError: live objects, or an adapter. ArtifactError, MissingCredential: see `open_base`.
    """
    if base is not None and not isinstance(base, str | os.PathLike):
        expected = f"an alias, a hub id or a folder: {framework} trains in a process of its own"
        raise ConfigError("base", type(base).__name__, expected)
    opened = open_base(base, task)
    if opened.adapter is not None or opened.path is None:
        raise ConfigError("base", base, f"a whole model: {framework} reads no adapter")
    name = MINILM if opened.name == MINILM_ALIAS else os.path.abspath(opened.path)
    if not Path(opened.path).is_dir():
        name = opened.path
    return LocalBase(name, _folder(opened.path), opened)


def readable(folder: Path, copy: Path) -> Path:
    """`folder` where transformers 4 reads its tokenizer, else `copy`, made of links and one rewritten file.

    Raises:
        ArtifactError: the tokenizer's configuration is no JSON.
    """
    path = folder / _TOKENIZER
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ArtifactError(path, f"is not valid JSON: {error}") from error
    rewritten = of_transformers_4(told)
    if rewritten == told:
        return folder
    copy.mkdir(parents=True)
    for file in (each for each in folder.iterdir() if each.is_file() and each.name != _TOKENIZER):
        try:
            os.link(file.resolve(), copy / file.name)
        except OSError:  # another file system
            shutil.copyfile(file, copy / file.name)
    (copy / _TOKENIZER).write_text(json.dumps(rewritten, indent=2), encoding="utf-8")
    return copy


def of_transformers_4(told: Mapping[str, Any]) -> dict[str, Any]:
    """A tokenizer's configuration in the words of transformers 4; one that was written there is left as it is.

    Version 5 has one class for all that tokenizer.json says (`TokenizersBackend`), and lists further special tokens
    under a name that version 4 takes for a mapping.
    """
    made = dict(told)
    if made.get("tokenizer_class") == "TokenizersBackend":
        made["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(made.get("extra_special_tokens"), list):
        made["additional_special_tokens"] = made.pop("extra_special_tokens")
    if "backend" in made:  # version 5's own mark
        for key in ("backend", "is_local", "local_files_only"):
            made.pop(key, None)
    return made


def _folder(path: str) -> Path:
    """The folder of a base, from the hub where it is none."""
    if Path(path).is_dir():
        return Path(path)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, allow_patterns=list(_FILES)))
    except Exception as error:
        raise ArtifactError(path, f"the hub did not give its files: {error}") from error
