"""Sentence encoders of sentence-transformers: opened, trained by its own trainer, saved as it saves them."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..config import Settings
from ..errors import ArtifactError, ConfigError, NotInstalled, OutOfMemory, TrainingFailed, TunesmithError
from ..folder import RunFolder
from .bases import MINILM_ALIAS, MINILM_REVISION, minilm, not_loadable
from .features import tokenizer_hash
from .quantization import unheard

with unheard():  # these import peft
    from transformers.utils import logging

_OWN = {  # arguments of from_pretrained that the library takes itself, for all files, and its names of them
    **{name: name for name in ("revision", "trust_remote_code", "token", "local_files_only")},
    "cache_dir": "cache_folder",
}


@contextmanager
def _no_bars() -> Iterator[None]:
    """Loading and saving show no bars of progress: what a run has to say goes through its folder."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def check_installed(*modules: str, extra: str) -> None:
    """Raises: NotInstalled, for the first of the modules that is not there."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise NotInstalled(module.replace("_", "-"), extra, f"the framework {extra}")


def open_named(settings: Settings, *, device: str | None = None) -> Any:
    """The `SentenceTransformer` that the settings name; MiniLM where they name none.

    Raises:
        ConfigError: the base is no name and no folder. ArtifactError, MissingCredential: it cannot be had.
    """
    if settings.base is not None and not isinstance(settings.base, str):
        raise ConfigError("base", settings.base, "the name or the folder of a sentence encoder")
    return open_encoder(settings.base or MINILM_ALIAS, settings.model_args, device=device)


def open_encoder(name: str, options: Mapping[str, Any] | None = None, *, device: str | None = None) -> Any:
    """A `SentenceTransformer`; a folder of plain transformers is read as one that takes the mean of all tokens.

    Raises:
        ArtifactError, MissingCredential: nothing loadable under that name.
    """
    from sentence_transformers import SentenceTransformer

    given = dict(options or {})
    own = {theirs: given.pop(key) for key, theirs in _OWN.items() if key in given}
    where = minilm()[0] if name == MINILM_ALIAS else name
    try:
        with _no_bars():
            return SentenceTransformer(where, device=device, model_kwargs=given or None, **own)
    except Exception as error:
        raise not_loadable(name, error) from error


def origin(encoder: Any, settings: Settings) -> dict[str, Any]:
    """What the lock says of the tokenizer and of the base's revision."""
    config = getattr(getattr(encoder[0], "auto_model", None), "config", None)
    revision = getattr(config, "_commit_hash", None)
    if settings.base in (None, MINILM_ALIAS):
        revision = MINILM_REVISION
    return {"tokenizer": tokenizer_hash(encoder.tokenizer), "revision": revision}


def train(
    encoder: Any,
    loss: Any,
    rows: Any,
    values: Mapping[str, Any],
    folder: RunFolder,
    *,
    held: Any = None,
    epochs: float | None = None,
) -> tuple[Mapping[str, Any], ...]:
    """Train in place; what was logged, in order.

    rows: a `Dataset` or `IterableDataset` of the columns that `loss` takes. values: training arguments by name.
    held: rows like them; the epoch with the lowest loss on them is kept. epochs: of a stream of `max_steps` steps.
    """
    from sentence_transformers import SentenceTransformerTrainingArguments

    from .encoder_trainer import EncoderTrainer, Events

    fixed = {"save_strategy": "no", "report_to": "none", "disable_tqdm": True, "logging_nan_inf_filter": False}
    if held is not None:
        each = dict.fromkeys(("save_strategy", "eval_strategy"), "epoch")
        fixed |= {**each, "load_best_model_at_end": True, "save_only_model": True, "save_total_limit": 1}
    shown = {"logging_steps": 50, "logging_first_step": True, "dataloader_pin_memory": encoder.device.type == "cuda"}
    with tempfile.TemporaryDirectory(prefix="tunesmith-") as aside, _no_bars():
        trainer = EncoderTrainer(
            model=encoder,
            args=SentenceTransformerTrainingArguments(output_dir=aside, **{**shown, **values, **fixed}),
            train_dataset=rows,
            eval_dataset=held,
            loss=loss,
            callbacks=[Events(folder, epochs)],
        )
        trainer.train()
    encoder.eval()
    return tuple(trainer.state.log_history)


@contextmanager
def failures(framework: str) -> Iterator[None]:
    """Errors of the library as ours.

    Raises:
        OutOfMemory, TrainingFailed: chained to what the library raised.
    """
    try:
        yield
    except TunesmithError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            raise OutOfMemory(f"{framework} has no memory left: lower the batch size, or shorten the texts.") from error
        told = str(error).strip() or "no reason given"
        raise TrainingFailed(f"{framework} stopped with {type(error).__name__}: {told}") from error


def save(encoder: Any, folder: Path) -> None:
    """The encoder in the library's own layout: modules.json, config, weights as safetensors, tokenizer."""
    with _no_bars():
        encoder.save_pretrained(str(folder), create_model_card=False)


def load(folder: Path, options: Mapping[str, Any] | None) -> Any:
    """A saved encoder.

    Raises:
        ArtifactError: its files are missing.
    """
    if not (folder / "modules.json").is_file():
        raise ArtifactError(folder, "holds no sentence encoder: modules.json is missing")
    return open_encoder(str(folder), options).eval()
