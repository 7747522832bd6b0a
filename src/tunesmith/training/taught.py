"""A teacher's logits of every training row, computed once and read again in each epoch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .distillation import DistilledLoss, Teacher, judged
from .feeding import PLACE
from .recipe import Batch
from .sampling import column_lengths, lengths

LIMIT = 2**30  # bytes of logits in the file: a teacher that has more is asked anew at each step


@dataclass(frozen=True)
class Taught:
    """What the teacher said of each feature: in fp32, of the items that the loss compares alone.

    values: (items, labels), memory-mapped. first, counts: (features,), where a feature's items begin and how many.
    """

    values: NDArray[np.float32]
    first: NDArray[np.int64]
    counts: NDArray[np.int64]

    def logits(self, places: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
        """Those of a batch: (batch, labels), or (batch, tokens, labels) with 0 where `real` (batch, tokens) is not."""
        chosen = [slice(self.first[place], self.first[place] + self.counts[place]) for place in places.tolist()]
        found = torch.from_numpy(np.concatenate([self.values[part] for part in chosen]))
        if real is None:
            return found
        whole = torch.zeros(*real.shape, self.values.shape[1])
        whole[real.cpu()] = found
        return whole


def logits(trainer: Any, inputs: Any, rest: Batch) -> torch.Tensor:
    """The teacher's logits for a batch: those that are known of its features, else computed now.

    rest: `inputs` without what the loss alone takes.
    """
    if trainer.taught is None or trainer.places is None:
        found: torch.Tensor = trainer.teacher.logits(rest, trainer.args.device)
        return found
    known: Taught = trainer.taught
    return known.logits(trainer.places, _real(trainer.losses.train, inputs)).to(trainer.args.device)


@contextmanager
def once(trainer: Any) -> Iterator[None]:
    """The teacher is asked for all rows now, where its answers fit `LIMIT` and are needed again, in one process.

    Rows go through it in batches of the evaluation's size, longest first, whatever was trained on before: a resumed
    run has the logits of the uninterrupted one.
    """
    features, needed = trainer.train_dataset, trainer.teacher is not None and _comes_again(trainer)
    if not needed or not hasattr(features, "column_names") or "input_ids" not in features.column_names:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
        trainer.taught = _ask(trainer, Path(folder, "logits.npy"))
        if trainer.taught is not None:
            trainer.train_dataset = features.add_column(PLACE, np.arange(len(features)))
            told = trainer.taught.values.nbytes / 2**20
            if trainer.folder is not None:
                trainer.folder.note(f"the teacher's logits are computed once for all rows ({told:.1f} MB)")
        try:
            yield
        finally:
            trainer.train_dataset, trainer.taught = features, None


def _comes_again(trainer: Any) -> bool:
    """Whether rows are seen in several epochs, the same each time, and all by this process."""
    args = trainer.args
    batch = trainer._train_batch_size * args.gradient_accumulation_steps
    rows = args.max_steps * batch if args.max_steps > 0 else args.num_train_epochs * len(trainer.train_dataset)
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    alone = args.world_size == 1 and not sharded
    return bool(alone and rows > len(trainer.train_dataset) and getattr(trainer.data_collator, "fixed", False))


def _ask(trainer: Any, path: Path) -> Taught | None:
    """The file of logits; None where it would be too large, or the logits are not the labels' own."""
    teacher: Teacher = trainer.teacher
    loss, features = trainer.losses.train, trainer.train_dataset
    sizes = lengths(features)
    order = np.argsort(-sizes.sum(axis=1), kind="stable")
    first, counts = np.zeros(len(order), dtype=np.int64), np.zeros(len(order), dtype=np.int64)
    values: Any = None
    end = 0
    for start in range(0, len(order), trainer.args.eval_batch_size):
        places = order[start : start + trainer.args.eval_batch_size]
        batch = {key: value.to(trainer.args.device) for key, value in _batch(trainer, features, places).items()}
        real = _real(loss, batch)
        found = teacher.logits({key: batch[key] for key in batch if key not in loss.targets}, trainer.args.device)
        if values is None:
            items = len(order) if real is None else int(_labels(features).sum())
            size = items * found.shape[-1] * 4
            if size > LIMIT or found.shape[:-1] != (found.shape[:1] if real is None else real.shape):
                return None
            if not _reserve(path, size):
                return None
            values = np.memmap(path, dtype=np.float32, mode="r+", shape=(items, found.shape[-1]))
        kept = (found if real is None else found[real]).float().cpu().numpy()
        counts[places] = 1 if real is None else real.sum(1).cpu().numpy()
        first[places] = end + np.cumsum(counts[places]) - counts[places]
        values[end : end + len(kept)] = kept
        end += len(kept)
    return None if values is None else Taught(values[:end], first, counts)


def _labels(features: Any) -> NDArray[np.int64]:
    """How many labels each feature has at most: its tokens, or those of its target."""
    return column_lengths(features, "labels" if "labels" in features.column_names else "input_ids")


def _reserve(path: Path, size: int) -> bool:
    """Make a file of `size` bytes; False where the disk has no room (written to by memory, a full disk kills)."""
    try:
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def _batch(trainer: Any, features: Any, places: NDArray[np.int64]) -> Batch:
    columns = features[places]
    rows = [{name: column[n] for name, column in columns.items()} for n in range(len(places))]
    batch: Batch = trainer.data_collator(rows)
    return batch


def _real(loss: DistilledLoss, batch: Any) -> torch.Tensor | None:
    """The tokens whose logits are compared, (batch, tokens); None where a row has one label, several or a number."""
    labels = batch[loss.inner.targets[0]]
    return judged(labels, shift=loss.shift) if labels.dim() > 1 and loss.kind != "multi" else None
