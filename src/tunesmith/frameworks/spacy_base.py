"""What a spaCy pipeline starts from: a blank language, a pipeline that spaCy can load, or an encoder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import Settings
from ..errors import ArtifactError, ConfigError, NotInstalled
from ..training.bases import Base, open_base
from .spacy_data import language_of


@dataclass(frozen=True)
class Kind:
    """A type of encoder in spacy-curated-transformers: its architecture, and how its word pieces are read.

    files: what the base must have beside its weights. read: the loader that reads these, and its arguments in their
    order; none: that of transformers' tokenizers.
    """

    model: str
    pieces: str
    files: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


_SENTENCES = ("sentencepiece.bpe.model",)
ENCODERS = {
    "bert": Kind("BertTransformer", "BertWordpieceEncoder"),
    "roberta": Kind(
        "RobertaTransformer",
        "ByteBpeEncoder",
        ("vocab.json", "merges.txt"),
        ("ByteBpeLoader", "vocab_path", "merges_path"),
    ),
    "albert": Kind("AlbertTransformer", "SentencepieceEncoder", ("spiece.model",), ("SentencepieceLoader", "path")),
    "camembert": Kind("CamembertTransformer", "CamembertSentencepieceEncoder", _SENTENCES),
    "xlm-roberta": Kind("XlmrTransformer", "XlmrSentencepieceEncoder", _SENTENCES),
}
"""By the type that the configuration of a model of transformers names."""

CURATED = "spacy-curated-transformers"
_PACKAGE = re.compile(r"[a-z]{2,3}_[a-z0-9]+_[a-z0-9]+_(sm|md|lg|trf)")  # as spaCy names its pipelines


@dataclass(frozen=True)
class Start:
    """lang: of the pipeline to be made. source: the name or path of a pipeline, and `pipeline`, loaded.

    encoder: a model of transformers, opened without its weights. pieces: the loader of its word pieces, as a config.
    """

    lang: str
    source: str | None = None
    pipeline: Any = None
    encoder: Base | None = None
    pieces: Mapping[str, Any] = field(default_factory=dict)


def open_start(task: str, settings: Settings) -> Start:
    """What `base` and `lang` name.

    Raises:
        NotInstalled: spaCy, or what reads encoders, is missing. ArtifactError: no such base.
        ConfigError: no such language, or a base that spaCy cannot start from.
    """
    base, named = settings.base, settings.training.get("lang")
    lang = named or "en"
    language_of(lang)
    if base is None:
        _refuse_frozen(settings)
        return Start(lang)
    if not isinstance(base, str):
        raise ConfigError("base", base, "a name or a path: spaCy takes no live models")
    source = pipeline_at(base)
    if source is None:
        encoder = _encoder(base, task)
        return Start(lang, encoder=encoder, pieces=_pieces(encoder))
    if named is not None and named != source.lang:
        raise ConfigError("lang", named, f"{source.lang!r}, the language of the base {base}, or nothing")
    return Start(source.lang, base, source)


def _refuse_frozen(settings: Settings) -> None:
    if settings.training.get("freeze_tok2vec"):
        raise ConfigError("freeze_tok2vec", True, "false where there is no base: a blank pipeline knows no words yet")


def pipeline_at(name: str) -> Any:
    """The pipeline under a name or path, loaded; None where it is none.

    Raises:
        ArtifactError: spaCy cannot load it.
    """
    import spacy

    if not (Path(name, "config.cfg").is_file() or spacy.util.is_package(name)):
        return None
    try:
        return spacy.load(name)
    except Exception as error:  # spaCy raises by what it meets first: OSError, ValueError, a config's error
        raise ArtifactError(name, f"spaCy cannot load it: {error}") from error


def _encoder(name: str, task: str) -> Base:
    if _PACKAGE.fullmatch(name):
        told = f"no such pipeline is installed: `python -m spacy download {name}` installs it"
        raise ArtifactError(name, f"{told}, if it is one of spaCy's")
    try:
        import spacy_curated_transformers  # noqa: F401
    except ImportError as error:
        raise NotInstalled("spacy-curated-transformers", "spacy", "an encoder in a spaCy pipeline") from error
    opened = open_base(name, task)
    if opened.adapter is not None:
        raise ConfigError("base", name, "an encoder; an adapter is merged first, by `run.merge_adapter()`")
    if (kind := getattr(opened.config, "model_type", "")) not in ENCODERS:
        known = ", ".join(ENCODERS)
        raise ConfigError("base", name, f"an encoder of a type that spaCy reads ({known}); it is {kind!r}")
    return opened


def _pieces(base: Base) -> dict[str, Any]:
    """The loader of an encoder's word pieces.

    Raises:
        ConfigError: a file that it reads is missing, or another tokenizer than the encoder's own.
    """
    from transformers.utils import cached_file

    kind, revision = ENCODERS[base.config.model_type], base.options.get("revision", "main")
    assert base.path is not None
    if kind.pieces == "BertWordpieceEncoder" and not type(base.tokenizer).__name__.startswith("BertTokenizer"):
        raise ConfigError(
            "base", base.name, f"BERT's own tokenizer beside it; it has a {type(base.tokenizer).__name__}"
        )
    found = []
    for file in kind.files:
        try:
            found.append(cached_file(base.path, file, revision=revision))
        except OSError as error:
            told = f"an encoder with its file {file}, as it is published; transformers 5 does not write that file"
            raise ConfigError("base", base.name, told) from error
    if not kind.read:
        return {"@model_loaders": f"{CURATED}.HFPieceEncoderLoader.v1", "name": base.path, "revision": revision}
    return {"@model_loaders": f"{CURATED}.{kind.read[0]}.v1", **dict(zip(kind.read[1:], found, strict=True))}
