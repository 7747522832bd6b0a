"""Checkpoints that are whole or absent: staged, flushed, hashed in a manifest written last, renamed into place."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..data.labels import Labels
from ..errors import ArtifactError
from ..folder import write_text

MANIFEST = "manifest.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_STAGED = re.compile(r"(checkpoint-\d+)\.tmp-(\d+)")
_WEIGHTS = re.compile(r"(model|pytorch_model|adapter_model).*\.(safetensors|bin)(\.index\.json)?|pytorch_model_fsdp.*")
_TOLD = {"data": "on other training rows", "base": "from another base"}
_PACKAGES = ("tunesmith", "torch", "transformers", "accelerate", "peft")

_WRITTEN = ": a run writes them with save_strategy='steps' or 'epoch'. "

_log = logging.getLogger("tunesmith")


class NoCheckpoint(ArtifactError, ValueError):
    """Resuming was asked for and there is nothing to resume; also a `ValueError`, as upstream's is."""


def name(step: int) -> str:
    """The folder of the checkpoint after `step` optimizer steps."""
    return f"checkpoint-{step}"


def staging(run_dir: str | os.PathLike[str], step: int, pid: int) -> Path:
    """Where the checkpoint of `step` is written before it is whole; `publish` moves it from there."""
    return Path(run_dir) / f"{name(step)}.tmp-{pid}"


def step_of(folder: str | os.PathLike[str]) -> int | None:
    """The step in a checkpoint folder's name, None for any other name."""
    match = _CHECKPOINT.fullmatch(Path(folder).name)
    return int(match[1]) if match else None


def steps_in(folder: str | os.PathLike[str]) -> int:
    """The optimizer steps after which a checkpoint was written; 0 where it does not say.

    Raises:
        ArtifactError: its trainer_state.json is broken.
    """
    state = Path(folder, "trainer_state.json")
    try:
        return int(json.loads(state.read_text(encoding="utf-8"))["global_step"]) if state.is_file() else 0
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(state, f"cannot be read: {error}") from error


def write_manifest(folder: str | os.PathLike[str], *, step: int, made_of: Mapping[str, str] | None = None) -> None:
    """Flush every file in `folder` to disk, then write their sizes and SHA-256 to manifest.json, last of all.

    made_of: what the run is of: `data`, the fingerprint of its training rows, and `base`, its base's name.
    """
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path != root / MANIFEST)
    files = {}
    for path in paths:
        _flush(path)
        files[path.relative_to(root).as_posix()] = {"size": path.stat().st_size, "sha256": _sha256(path)}
    for inner in (path for path in root.rglob("*") if path.is_dir()):
        _flush(inner)
    told = {"format": 1, "step": step, "made_of": dict(made_of or {}), "files": files, "versions": _versions()}
    write_text(root / MANIFEST, json.dumps(told, indent=2) + "\n")
    _flush(root)


def verify(folder: str | os.PathLike[str]) -> list[str]:
    """What is wrong with a checkpoint, one sentence each; nothing when every file is as it was written."""
    root = Path(folder)
    if not root.is_dir():
        return [f"{root} is no folder"]
    try:
        files = json.loads((root / MANIFEST).read_text(encoding="utf-8"))["files"]
        return [problem for name, told in files.items() if (problem := _problem(root / name, name, told))]
    except FileNotFoundError:
        return [f"{MANIFEST} is missing: the save was not finished, or another program wrote it"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{MANIFEST} cannot be read: {error}"]


def publish(written: Path, final: Path) -> None:
    """Move a whole checkpoint from its staging folder to its place, and remove the staging folder.

    An older checkpoint in that place is moved into the staging folder first: a kill between the two moves leaves the
    new one whole there, and `clean` finishes the work.
    """
    staged = next(parent for parent in written.parents if parent.parent == final.parent)
    if final.exists():
        os.replace(final, staged / "replaced")
    os.replace(written, final)
    _flush(final.parent)
    shutil.rmtree(staged, ignore_errors=True)


def clean(run_dir: str | os.PathLike[str]) -> None:
    """Remove what killed processes left half-written; what was whole and only not yet in its place is put there."""
    for path in sorted(Path(run_dir).glob("checkpoint-*.tmp-*")):
        match = _STAGED.fullmatch(path.name)
        if match is None or (int(match[2]) != os.getpid() and _alive(int(match[2]))):
            continue
        written, final = path / match[1], path.parent / match[1]
        if not verify(written):
            publish(written, final)
        else:
            shutil.rmtree(path, ignore_errors=True)


def of_another_run(folder: str | os.PathLike[str], made_of: Mapping[str, str] | None) -> list[str]:
    """In what the run that wrote a checkpoint differs from one of `made_of`; nothing where its manifest is silent."""
    manifest = Path(folder, MANIFEST)
    told = json.loads(manifest.read_text(encoding="utf-8")).get("made_of") or {} if manifest.is_file() else {}
    known = {key: value for key, value in (made_of or {}).items() if key in told}
    return [f"it was trained {_TOLD[key]}" for key, value in known.items() if told[key] != value]


def newest(output_dir: str | os.PathLike[str], made_of: Mapping[str, str] | None = None) -> Path | None:
    """The checkpoint of the most steps whose hashes verify, or None; what is passed over is warned of.

    A broken one is, and one of another run than `made_of` tells; where that is None, any run's is taken.
    """
    if not Path(output_dir).is_dir():
        return None
    clean(output_dir)
    for folder in sorted(_checkpoints(output_dir), key=_step, reverse=True):
        problems = verify(folder) or of_another_run(folder, made_of)
        if not problems:
            return folder
        _log.warning("%s is passed over: %s", folder, "; ".join(problems))
    return None


def resolve(
    checkpoint: bool | str | os.PathLike[str] | None,
    output_dir: str | os.PathLike[str],
    made_of: Mapping[str, str] | None = None,
) -> Path | None:
    """The folder to resume from: the `newest` for True, the given one for a path, None for None or False.

    A checkpoint without a manifest (transformers' own) is taken when it is given by its path, with a warning.

    Raises:
        NoCheckpoint: True, and no checkpoint verifies, or all are of another run.
        ArtifactError: the given checkpoint is missing or broken; the file is named.
    """
    if checkpoint is None or checkpoint is False:
        return None
    if checkpoint is True:
        found = newest(output_dir, made_of) if str(output_dir) else None
        if found is None:
            where = output_dir if str(output_dir) else "output_dir is empty"
            others = isinstance(where, str | os.PathLike) and Path(where).is_dir() and any(_checkpoints(where))
            raise NoCheckpoint(
                where,
                "there is no checkpoint to resume from"
                + (": those in it are broken, or another run's. " if others else _WRITTEN)
                + "Give the path of one, or train without `checkpoint`.",
            )
        return found
    return _given(Path(checkpoint))


def _given(folder: Path) -> Path:
    if not folder.is_dir():
        raise NoCheckpoint(folder, "is no checkpoint folder. Give the path of a `checkpoint-N` folder.")
    if (folder / MANIFEST).exists():
        if problems := verify(folder):
            raise ArtifactError(folder, f"the checkpoint is broken: {'; '.join(problems)}. Resume from an earlier one.")
        return folder
    if not any(_WEIGHTS.fullmatch(path.name) for path in folder.rglob("*")):
        raise ArtifactError(folder, f"holds no model weights and no {MANIFEST}: it is no whole checkpoint.")
    _log.warning("%s has no %s: it is used as it is, its files cannot be verified", folder, MANIFEST)
    return folder


def check_labels(checkpoint: Path, labels: Labels | None) -> None:
    """Refuse a checkpoint whose head was trained for other labels than the data has.

    Raises:
        ArtifactError: naming both.
    """
    config = checkpoint / "config.json"
    if labels is None or not labels.names or not config.is_file():
        return
    told = json.loads(config.read_text(encoding="utf-8")).get("id2label") or {}
    names = [str(name) for _, name in sorted(told.items(), key=lambda item: int(item[0]))]
    if names and names != list(labels.names):
        problem = f"its labels are {names}, and those of the data {list(labels.names)}"
        raise ArtifactError(checkpoint, f"{problem}. Train without `checkpoint`, or into another output_dir.")


def rotate(
    run_dir: str | os.PathLike[str], limit: int | None, *, keep: tuple[str | os.PathLike[str] | None, ...]
) -> None:
    """Remove the oldest checkpoints until `limit` are left; those in `keep` (the newest, the best) always stay.

    A checkpoint's age is that of its manifest: steps say nothing where an earlier run left its own in the folder.
    """
    if limit is None or limit <= 0:
        return
    protected = {Path(folder).resolve() for folder in keep if folder is not None}
    found = sorted(_checkpoints(run_dir), key=_age)
    spare = [folder for folder in found if folder.resolve() not in protected]
    for folder in spare[: max(0, len(found) - max(limit, len(found) - len(spare)))]:
        shutil.rmtree(folder, ignore_errors=True)


def _checkpoints(run_dir: str | os.PathLike[str]) -> list[Path]:
    return [path for path in Path(run_dir).iterdir() if step_of(path) is not None and path.is_dir()]


def _step(folder: Path) -> int:
    return step_of(folder) or 0


def _age(folder: Path) -> tuple[int, int]:
    manifest = folder / MANIFEST
    return (manifest if manifest.exists() else folder).stat().st_mtime_ns, _step(folder)


def _problem(path: Path, name: str, told: dict[str, Any]) -> str | None:
    if not path.is_file():
        return f"{name} is missing"
    size = path.stat().st_size
    if size != told["size"]:
        return f"{name} has {size} bytes instead of {told['size']}"
    return None if _sha256(path) == told["sha256"] else f"{name} has changed since it was written (SHA-256)"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Ask the system to have a file, or a folder's entries, on disk; file systems that cannot are let be."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # a folder cannot be opened on Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:
        _log.debug("%s cannot be flushed: %s", path, error)
    finally:
        os.close(handle)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives, and belongs to someone else
        return True
    return True


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
