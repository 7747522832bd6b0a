"""What is kept of a measurement: figures with their circumstances here, per-row predictions outside the project."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .reading import ROOT

RESULTS = ROOT / "bench" / "results" / "quality.jsonl"
PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "numpy", "scikit-learn", "tunesmith")


def default_work() -> Path:
    """Where per-row predictions go: they hold what a model says of research sets, so they stay out of the project."""
    home = os.environ.get("TUNESMITH_HOME")
    return Path(home) / "bench" if home else Path.home() / ".cache" / "tunesmith" / "bench"


def commit() -> str | None:
    """The commit of the checkout, with "+" when files differ from it; None without a commit."""
    found = _git("rev-parse", "HEAD")
    return None if found is None else found + ("+" if _git("status", "--porcelain") else "")


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def circumstances(*more: str) -> dict[str, Any]:
    """Commit, machine and versions, those of `more` packages too. `load` is the load average: wall times of a busy
    machine say little."""
    machine = {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "load": round(os.getloadavg()[0], 1),
    }
    versions = {"python": platform.python_version(), **{name: _version(name) for name in (*PACKAGES, *more)}}
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return {"time": time, "commit": commit(), "machine": machine, "versions": versions}


def peak_bytes() -> int:
    """The largest resident memory of this process so far. Linux's getrusage would count the memory of the process that
    started this one too, which it had for a moment."""
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def append(record: Mapping[str, Any], path: Path = RESULTS) -> None:
    """One line, in one write: two runs at a time do not mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, ensure_ascii=False) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(line)


def read(path: Path = RESULTS) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def predictions_path(work: Path, load: str, side: str, seed: int) -> Path:
    return work / f"{load}.{side}.{seed}.json"


def keep_predictions(path: Path, predicted: Sequence[Any], fingerprint: str) -> None:
    """With the commit and the versions that made them: a comparison may come much later."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new, now = path.with_suffix(".new"), circumstances()
    held = {"rows": fingerprint, "commit": now["commit"], "versions": now["versions"], "predictions": list(predicted)}
    new.write_text(json.dumps(held), encoding="utf-8")
    new.replace(path)


def origin(path: Path) -> dict[str, Any]:
    """Commit and versions of kept predictions; of those that were kept without, nothing."""
    held = json.loads(path.read_text(encoding="utf-8"))
    return {key: held.get(key) for key in ("commit", "versions")}


def load_predictions(path: Path, fingerprint: str) -> list[Any]:
    """The predictions of an earlier run.

    Raises:
        ValueError: they belong to other rows.
    """
    held = json.loads(path.read_text(encoding="utf-8"))
    if held["rows"] != fingerprint:
        raise ValueError(f"{path} holds predictions of other rows than the work load has now: run it again")
    return list(held["predictions"])
