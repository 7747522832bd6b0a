"""How the Trainer's files reach the disk: a staged checkpoint, and a model without a pickle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedModel
from transformers.trainer_utils import SaveStrategy

from ..errors import TunesmithError
from ..folder import STAGED, move_files
from . import arguments, checkpoints

TRAINING_ARGUMENTS = "training_args.json"


def save_checkpoint(trainer: Any, trial: Any, write: Callable[[], None]) -> Path:
    """Let `write` (upstream's method) write a checkpoint aside; then its manifest, then the rename, then rotation.

    Returns the checkpoint's folder. Every process calls it; the one that saves does all but the writing.
    """
    args, step = trainer.args, trainer.state.global_step
    run_dir = Path(trainer._get_output_dir(trial))
    final = run_dir / checkpoints.name(step)
    owner = [os.getpid()]
    if args.world_size > 1:
        broadcast_object_list(owner)
    kept = args.output_dir, args.push_to_hub, args.save_total_limit
    staged = checkpoints.staging(run_dir, step, owner[0])
    args.output_dir, args.push_to_hub, args.save_total_limit = str(staged), False, None
    try:
        written = Path(trainer._get_output_dir(trial), checkpoints.name(step))
        write()
    finally:
        args.output_dir, args.push_to_hub, args.save_total_limit = kept
    _point_to_best(trainer, run_dir, final)
    trainer.accelerator.wait_for_everyone()
    if args.should_save:
        model = trainer.accelerator.unwrap_model(trainer.model, keep_torch_compile=False)
        if hasattr(model, "save_whole"):
            model.save_whole(written)
        trainer.state.save_to_json(str(written / "trainer_state.json"))
        checkpoints.write_manifest(written, step=step, made_of=trainer.made_of)
        checkpoints.publish(written, final)
        checkpoints.rotate(run_dir, args.save_total_limit, keep=(final, trainer.state.best_model_checkpoint))
    trainer.accelerator.wait_for_everyone()
    return final


def _point_to_best(trainer: Any, run_dir: Path, final: Path) -> None:
    """The best checkpoint by its final path: upstream looked for it where this one is staged."""
    state, strategies = trainer.state, (SaveStrategy.STEPS, SaveStrategy.EPOCH, SaveStrategy.BEST)
    if trainer.args.save_strategy in strategies and state.best_global_step:
        best = run_dir / checkpoints.name(state.best_global_step)
        if best == final or best.exists():
            state.best_model_checkpoint = str(best)


def save_model(trainer: Any, folder: str, state_dict: Any) -> None:
    """Upstream's `Trainer._save`, with training_args.json in the place of training_args.bin.

    A module that is no transformers or PEFT model leaves its weights alone, each tensor by itself, so that shared
    ones can be read back by name.
    """
    args, model = trainer.args, trainer.model
    if not args.should_save and not trainer.is_distributed_loading_by_transformers:
        return  # the others stay only to take part in gathering a model that was sharded when it was loaded
    if args.should_save:
        os.makedirs(folder, exist_ok=True)
    inner = model if saves_itself(model) else trainer.accelerator.unwrap_model(model, keep_torch_compile=False)
    if saves_itself(inner):
        weights = state_dict if state_dict is not None or inner is model else model.state_dict()
        inner.save_pretrained(folder, state_dict=weights, is_main_process=args.should_save)
    elif args.should_save and hasattr(inner, "save_pretrained"):  # a model of several parts
        inner.save_pretrained(folder)
    elif args.should_save:
        weights = state_dict if state_dict is not None else model.state_dict()
        alone = {key: value.detach().cpu().clone().contiguous() for key, value in weights.items()}
        safetensors.torch.save_file(alone, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    if not args.should_save:
        return
    tokenizer = trainer.processing_class or getattr(trainer.data_collator, "tokenizer", None)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    arguments.dump(args, os.path.join(folder, TRAINING_ARGUMENTS))


def save_final(trainer: Any, beside: Callable[[Path], None]) -> None:
    """The trained model and the Trainer's state in `output_dir`: each file is written aside, then renamed into place.

    `beside` writes into the folder what goes with the model. Every process calls this function. The push to the hub,
    where one is asked for, comes after.
    """
    args = trainer.args
    folder = Path(args.output_dir)
    staged = folder / STAGED
    if args.should_save:
        shutil.rmtree(staged, ignore_errors=True)  # of a run that was killed here
    trainer.save_model(str(staged), _internal_call=True)
    if args.should_save:
        move_files(staged, folder)
        trainer.save_state()
        beside(folder)
    if args.push_to_hub:
        trainer.push_to_hub(commit_message="Model save", revision=args.hub_revision)


def saves_itself(model: Any) -> bool:
    """Whether it is a model of transformers or PEFT."""
    return isinstance(model, PreTrainedModel) or (hasattr(model, "peft_config") and hasattr(model, "get_base_model"))


def keep_last_good(trainer: Any) -> str:
    """Save the state after the last whole step, if it is not on disk yet; a sentence that says where it is."""
    trainer.model.zero_grad()
    trainer.is_in_train = False
    step = trainer.state.global_step
    folder = Path(trainer.args.output_dir, checkpoints.name(step))
    if step == 0:
        return "no step was taken: the model is as it was given."
    weights = (each.detach() for each in trainer.model.parameters() if each.is_floating_point())
    if not all(bool(torch.isfinite(each).all()) for each in weights):
        return f"the weights were no longer finite after step {step}, so they were not saved."
    if trainer.folder is not None and trainer.folder.path is None:
        return f"the model in memory is that of step {step}; nothing was saved, for want of an output_dir."
    if step not in trainer.saved_steps:
        try:
            trainer._save_checkpoint(trainer.model, None)
        except (OSError, TunesmithError) as error:
            return f"the state after step {step} could not be saved: {error}."
    return f"the state after step {step} is kept in {folder}: `checkpoint` with that path resumes from it."
