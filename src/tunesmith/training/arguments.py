"""Training arguments: the user's over ours over transformers' own; where a run works; what is written of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import Seq2SeqTrainingArguments

from ..errors import ConfigError, UnknownSetting, nearest
from ..folder import write_text
from ..training_arguments import training_arguments

_PREFIX = "tunesmith-work-"
_SECRET_WORDS = {"token", "key", "apikey", "secret", "password", "credential", "credentials"}
_SECRET_VALUE = re.compile(r"\b(hf|sk|ghp)_[A-Za-z0-9]{16,}\b|\bsk-[A-Za-z0-9_-]{16,}\b")
_MASK = "***"


def accelerator() -> bool:
    """Whether torch finds a device faster than the CPU; `PYTORCH_MPS_DISABLE=1` takes MPS out."""
    import torch

    mps = torch.backends.mps.is_available() and os.environ.get("PYTORCH_MPS_DISABLE") != "1"
    return torch.cuda.is_available() or mps or (hasattr(torch, "xpu") and torch.xpu.is_available())


def build(
    settings: Mapping[str, Any], *, output_dir: str, seed: int, defaults: Mapping[str, Any] | None = None
) -> Seq2SeqTrainingArguments:
    """`settings` (the user's) over `defaults` over ours, as the arguments of the Trainer.

    `output_dir` is a folder that may be written: `workspace` gives one where the user named none.

    Raises:
        UnknownSetting: a name that is no training argument; the nearest is named.
        ConfigError: a value that cannot be used, alone or beside the others.
    """
    known = training_arguments()
    if unknown := [name for name in settings if name not in known]:
        raise UnknownSetting(unknown[0], known)
    if not output_dir:
        raise ConfigError("output_dir", output_dir, "a folder (`workspace` gives a temporary one)")
    chosen = {name: known[name].check(value) for name, value in settings.items()}
    wanted = {**(defaults or {}), **chosen}
    _check_trackers(chosen.get("report_to"))
    values = {**_ours(wanted, output_dir), **wanted, "output_dir": output_dir, "seed": seed}
    try:
        return Seq2SeqTrainingArguments(**values)
    except (ValueError, TypeError, ImportError) as error:
        key = next((name for name in chosen if name in str(error)), None) or next(
            (name for name, value in chosen.items() if isinstance(value, str) and value in str(error)), None
        )
        if key is None:
            raise ConfigError("training arguments", dict(chosen), f"others; transformers says: {error}") from error
        raise ConfigError(key, chosen[key], f"another value; transformers says: {error}") from error


def _check_trackers(report_to: Any) -> None:
    """Tell of a tracker that is unknown or not installed now: upstream does so when training starts, in its own words.

    Raises:
        ConfigError: naming the nearest, or the package.
    """
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    named = [report_to] if isinstance(report_to, str) else list(report_to or ())
    for name in named:
        if name in ("none", "all") or name in get_available_reporting_integrations():
            continue
        if name in INTEGRATION_TO_CALLBACK:
            raise ConfigError("report_to", name, f"an installed tracker: pip install {name}")
        close = nearest(str(name), INTEGRATION_TO_CALLBACK)
        hint = f" (did you mean {close!r}?)" if close else ""
        raise ConfigError("report_to", name, f"one of {', '.join(INTEGRATION_TO_CALLBACK)}{hint}")


def _ours(wanted: Mapping[str, Any], output_dir: str) -> dict[str, Any]:
    """txtai's defaults, and what follows from what is wanted."""
    ours: dict[str, Any] = {
        "save_strategy": "no",
        "report_to": "none",
        "log_level": "warning",
        "logging_nan_inf_filter": False,  # it would hide from the log what the Trainer stops at
        "use_cpu": not accelerator(),
    }
    if "save_steps" in wanted:
        ours["save_strategy"] = "steps"  # who says how often wants them
    if wanted.get("load_best_model_at_end"):
        ours["save_strategy"] = wanted.get("eval_strategy", "no")  # the best model has to be somewhere
        for name in ("eval_steps", "logging_steps"):
            if name in wanted:
                ours["save_steps"] = wanted[name]
                break
    if Path(output_dir).name.startswith(_PREFIX):
        ours["save_total_limit"] = 1  # beside the best: nobody resumes from a folder that is removed
        if wanted.get("push_to_hub") and not wanted.get("hub_model_id"):
            raise ConfigError("push_to_hub", True, "a `hub_model_id`, or an `output_dir` to name the repository after")
    return ours


@contextmanager
def workspace(output_dir: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The folder where a run may write: `output_dir`, or a temporary one, removed at the end, where it is empty.

    The processes of one distributed run share one temporary folder: what the first saves, all load.
    """
    if output_dir:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        yield Path(output_dir)
        return
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    group = "|".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "USER"))
    shared = Path(tempfile.gettempdir(), _PREFIX + hashlib.sha256(group.encode()).hexdigest()[:16])
    shared.mkdir(mode=0o700, exist_ok=True)
    try:
        yield shared
        _wait_for_all()
    finally:
        if os.environ.get("LOCAL_RANK", "0") == "0":
            shutil.rmtree(shared, ignore_errors=True)


def _wait_for_all() -> None:
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def dump(args: Seq2SeqTrainingArguments, path: str | os.PathLike[str]) -> None:
    """Write the arguments as JSON, whole or not at all; tokens, keys and passwords are masked."""
    told = json.dumps(masked(args.to_dict()), indent=2, sort_keys=True, default=str)
    write_text(Path(path), told + "\n")


def masked(value: Any, name: str = "") -> Any:
    """`value` with every secret replaced: by the name it stands under, at any depth, or by its own form."""
    if isinstance(value, Mapping):
        return {str(key): masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner, name) for inner in value]
    if isinstance(value, str):
        return _MASK if value and _is_secret(name) else _SECRET_VALUE.sub(_MASK, value)
    return value


def _is_secret(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+|_", words))
