"""Callbacks of the training loop: the run's events, and pushes of checkpoints to the hub."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from transformers.trainer_utils import HubStrategy

from ..folder import RunFolder
from .checkpoints import MANIFEST, name

_TRAIN = ("loss", "learning_rate", "grad_norm")
_RESUME_ONLY = ("optimizer*", "scheduler.pt", "scaler.pt", "rng_state*", "trainer_state.json", MANIFEST)

_log = logging.getLogger("tunesmith")


class FolderEvents(TrainerCallback):
    """What the loop logs, as events of the run: `train`, `evaluate`, `saved`. Only the first process writes."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.ended = folder, False

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        if state.is_world_process_zero and logs and "loss" in logs:
            values = {key: float(logs[key]) for key in _TRAIN if logs.get(key) is not None}
            self.folder.event("train", step=state.global_step, total=state.max_steps, epoch=state.epoch, **values)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero and metrics:
            split, plain = unprefixed(metrics)
            when = {"final": True} if self.ended else {"step": state.global_step, "epoch": state.epoch}
            self.folder.event("evaluate", split=split, metrics=plain, **when)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.ended = True  # what is evaluated from here on is the model that is kept, which may be an earlier epoch's

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero and self.folder.path is not None:
            self.folder.event("saved", folder=str(Path(args.output_dir, name(state.global_step))))


class Bars(ProgressCallback):
    """Upstream's progress bars, on standard error, without the lines that it prints of what is logged."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        return None


def silence(trainer: Any) -> None:
    """Keep the callback that upstream added itself from printing, as a library does not; the user's own stay."""
    from transformers.trainer import DEFAULT_PROGRESS_CALLBACK  # in a notebook another one, which prints nothing

    kinds = {PrinterCallback, DEFAULT_PROGRESS_CALLBACK}
    added = [each for each in trainer.callback_handler.callbacks if type(each) in kinds][-1]
    if type(added) in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(added)
    if type(added) is ProgressCallback:
        trainer.add_callback(Bars)


class Epochs(TrainerCallback):
    """Tells which epoch begins, so that what is drawn for one (masks of language tasks, an order) is drawn anew."""

    def __init__(self, told: Any) -> None:
        self.told = told

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.told.set_epoch(int(state.epoch or 0))


def unprefixed(metrics: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The split's name and the metrics by their own names; timings are left out.

    transformers names them `eval_f1`, or `eval_<name>_f1` where there are several validation sets.
    """
    timing = next((key for key in metrics if key.endswith("_runtime")), "eval_runtime")
    prefix = timing.removesuffix("_runtime")
    timings = {f"{prefix}_{what}" for what in ("runtime", "samples_per_second", "steps_per_second")}
    timings |= {f"{prefix}_model_preparation_time", f"{prefix}_jit_compilation_time"}
    plain = {key.removeprefix(f"{prefix}_"): value for key, value in metrics.items() if key not in {*timings, "epoch"}}
    return prefix.removeprefix("eval_") if prefix != "eval" else "validation", plain


class Pushes(TrainerCallback):
    """Uploads each checkpoint's model in the background, as `hub_strategy` says.

    In the place of upstream's own push, which pickles the training arguments and reads the checkpoint while it may be
    renamed or rotated away: here a copy is uploaded, of hard links where the file system has them.
    """

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.running: list[tuple[Future[Any], Path]] = []

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        strategy = HubStrategy(args.hub_strategy)
        if not state.is_world_process_zero or strategy == HubStrategy.END:
            return
        self._forget_finished()
        if self.running and not args.hub_always_push:
            return
        checkpoint = Path(args.output_dir, name(state.global_step))
        copy = Path(tempfile.mkdtemp(prefix="tunesmith-push-"), checkpoint.name)
        shutil.copytree(checkpoint, copy, copy_function=_link_or_copy)
        message = f"Training in progress, step {state.global_step}"
        self._upload(args, copy, message, ignore_patterns=list(_RESUME_ONLY))
        if strategy in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS):
            place = "last-checkpoint" if strategy == HubStrategy.CHECKPOINT else checkpoint.name
            self._upload(args, copy, f"{message}, checkpoint", path_in_repo=place)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        for future, _ in self.running:
            future.exception()  # waits
        self._forget_finished()

    def _upload(self, args: Any, folder: Path, message: str, **options: Any) -> None:
        from huggingface_hub import HfApi

        future = HfApi().upload_folder(
            repo_id=self.repository,
            folder_path=str(folder),
            commit_message=message,
            token=args.hub_token,
            revision=args.hub_revision,
            run_as_future=True,
            **options,
        )
        self.running.append((future, folder))

    def _forget_finished(self) -> None:
        done, self.running = self.running, [pair for pair in self.running if not pair[0].done()]
        used = {folder for _, folder in self.running}
        for future, folder in done:
            if not future.done():
                continue
            if (error := future.exception()) is not None:
                _log.warning("a checkpoint could not be pushed to %s: %s", self.repository, error)
            if folder not in used:
                shutil.rmtree(folder.parent, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
