"""The embeddings that Spark NLP trains on: a folder that it saved, or a text file of word vectors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArtifactError, ConfigError
from .base import TEXT

TEXTS, OF_WORDS = "sentence_embeddings", "word_embeddings"  # the library's names of what comes out
EXPECTED = (
    "a folder of embeddings that Spark NLP saved (`BertSentenceEmbeddings`, `WordEmbeddingsModel` …), or a text file "
    "of word vectors, one word and its numbers a line"
)
_COLUMNS = {"document": "document", "token": "token"}  # what embeddings may read, and the column it stands in


@dataclass(frozen=True)
class Embeddings:
    """path: of a folder or of a file. kind: what comes out. loads: the class that loads the folder; None for a file.

    reads: the columns that it is given. dimension: of the vectors of a file.
    """

    path: Path
    kind: str
    reads: tuple[str, ...]
    loads: Any = None
    dimension: int = 0


def find(base: Any, task: str) -> Path:
    """Where the base lies, looked at from outside; nothing of Spark is asked.

    Raises:
        ConfigError: none was named, or what is no path. ArtifactError: nothing lies there.
    """
    if not isinstance(base, str | Path):
        whole = "of texts or of words" if task == TEXT else "of words"
        raise ConfigError("base", base, f"{EXPECTED}: embeddings {whole}")
    path = Path(base)
    if not path.exists():
        raise ArtifactError(base, f"is not there: expected {EXPECTED}")
    return path


def read(path: Path, task: str) -> Embeddings:
    """The embeddings under a path, not loaded yet.

    Raises:
        ArtifactError: neither a folder of embeddings that Spark NLP saved nor a file of vectors.
        ConfigError: embeddings of whole texts, where words are tagged; or some that read more than a text.
    """
    found = _saved(path) if path.is_dir() else Embeddings(path, OF_WORDS, ("document", "token"), None, _dimension(path))
    if task != TEXT and found.kind != OF_WORDS:
        raise ConfigError("base", str(path), f"embeddings of words; {found.loads.__name__} gives one of a whole text")
    return found


def _saved(path: Path) -> Embeddings:
    import sparknlp.annotator

    name = _class_of(path).rpartition(".")[2]
    found = getattr(sparknlp.annotator, name, None)
    kind = getattr(found, "outputAnnotatorType", None)
    if found is None or kind not in (TEXTS, OF_WORDS):
        raise ArtifactError(path, f"holds a {name}: expected {EXPECTED}")
    reads = tuple(found.inputAnnotatorTypes)
    if not set(reads) <= set(_COLUMNS):
        raise ConfigError("base", str(path), f"embeddings that read texts or words; {name} reads {', '.join(reads)}")
    return Embeddings(path, kind, reads, found)


def _class_of(path: Path) -> str:
    """The Java class that Spark wrote into the folder's metadata."""
    for part in sorted(path.glob("metadata/part-*")):
        try:
            return str(json.loads(part.read_text(encoding="utf-8").partition("\n")[0])["class"])
        except (ValueError, LookupError, TypeError):
            continue
    raise ArtifactError(path, f"has no metadata that Spark wrote: expected {EXPECTED}")


def _dimension(path: Path) -> int:
    """Numbers of the first line of a file of vectors."""
    try:
        with path.open(encoding="utf-8") as file:
            words = file.readline().split()
        return len([float(word) for word in words[1:]]) or _refuse(path)
    except ValueError:
        return _refuse(path)


def _refuse(path: Path) -> int:
    raise ArtifactError(path, "is no file of word vectors: expected a word and its numbers in each line, with blanks")
