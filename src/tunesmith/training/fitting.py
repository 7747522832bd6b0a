"""The steps of a training run, in order: encode, load, wrap, train, evaluate, save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import EarlyStoppingCallback

from ..config import Settings
from ..data.cache import FeatureCache
from ..errors import ConfigError, OutOfMemory
from ..folder import RunFolder
from ..hooks import Hooks, checked
from ..tasks.base import Examples, Task, followed
from ..tasks.reading import row_ids
from . import (
    adapters,
    arguments,
    checkpoints,
    defaults,
    devices,
    distillation,
    features,
    heads,
    memory,
    optimizer,
    precision,
    saved,
    saving,
    sequences,
    session,
    watching,
    weights,
)
from .bases import Base, open_base
from .callbacks import FolderEvents
from .recipe import Encoding, Recipe
from .trainer import Trainer

Fitted = tuple[Any, Encoding, tuple[Mapping[str, Any], ...], Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """What a training run was asked for; each step below takes from it."""

    task: Task
    recipe: Recipe
    splits: Mapping[str, Examples]
    settings: Settings
    folder: RunFolder
    hooks: Hooks


@dataclass(frozen=True)
class Prepared:
    """What is ready when training starts; data maps a split to its features."""

    model: Any
    encoding: Encoding
    data: Mapping[str, Any]
    teacher: distillation.Teacher | None
    choice: defaults.Choice
    made_of: Mapping[str, str]  # what a checkpoint says of its run


def fit(job: Job) -> Fitted:
    """(model in eval mode, encoding, log history, arguments that were chosen); saved where the run has a folder.

    Raises:
        Diverged, OutOfMemory: training cannot go on.
    """
    from transformers import set_seed

    settings = job.settings
    watching.check(settings, job.splits)
    set_seed(settings.seed)
    wanted = settings.training.get("resume_from_checkpoint") if settings.checkpoint is None else settings.checkpoint
    half = bool(settings.training.get("fp16") or settings.training.get("bf16"))
    opened = session.open_session(
        job.task.name, settings, job.hooks, job.splits["train"], job.folder, pad_to=8 if half else None
    )
    made_of = {"data": job.splits["train"].fingerprint, "base": opened.base.short_name}
    resume = checkpoints.resolve(True if wanted == "True" else wanted, settings.output_dir, made_of)
    if resume is not None:
        checkpoints.check_labels(resume, opened.encoding.labels)
        job.folder.note("; ".join([f"going on from {resume}", *checkpoints.of_another_run(resume, made_of)]))
    elif job.folder.path is not None and (job.folder.path / "config.json").exists():
        job.folder.note(f"replaces the model in {job.folder.path}")
    data = _features(job, opened.encoding)
    encoding = replace(opened.encoding, generation=_generation(job, opened.encoding, data["train"]))
    model = _model(job, opened, encoding)
    choice = defaults.of_run(job.task.name, settings, job.hooks, job.splits, model)
    made = Prepared(model, encoding, data, _teacher(job, model, encoding), choice, made_of)
    with arguments.workspace(settings.output_dir) as directory:
        trainer = _trainer(job, made, str(directory))
        _train(trainer, resume, settings)
        if resume is not None and trainer.state.global_step == trainer.resumed:
            job.folder.note("nothing was left to train: the checkpoint is of the last step")
        if "validation" in data:
            trainer.evaluate()
        if settings.output_dir:
            saving.save_final(trainer, lambda at: saved.write(at, job.task.name, trainer.model, encoding))
    chosen = {**choice.written(), "arithmetic": precision.told_of(trainer.args, cheap=trainer.cheap)}
    return trainer.model.eval(), encoding, tuple(trainer.state.log_history), chosen


def _model(job: Job, opened: session.Opened, encoding: Encoding) -> Any:
    """The model to train, under its adapter where there is one."""
    known = optimizer.parameters(opened.base.model)
    numbers = heads.numbers(job.splits["train"]) if encoding.kind == "regression" else []
    start = fmean(numbers) if numbers else None
    model, fresh = session.load_model(job.task.name, job.recipe, opened, job.settings, job.hooks, start=start)
    if fresh:
        job.folder.note(f"new: {', '.join(fresh)}")
        if numbers and (said := heads.far_labels(numbers)):
            job.folder.note(said)
    _check_packing(job, model, encoding)
    model = _adapted(job, model, fresh, opened.base)
    optimizer.check(job.hooks.optimizers[0], model, known)
    return model


def _train(trainer: Trainer, resume: Path | None, settings: Settings) -> None:
    """Train, and tell a lack of memory and a metric that does not exist from other errors."""
    try:
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    except KeyError as error:
        if "metric_for_best_model" not in str(error):
            raise
        wanted = trainer.args.metric_for_best_model
        known = sorted(key for entry in trainer.state.log_history for key in entry if key.startswith("eval_"))
        raise ConfigError("metric_for_best_model", wanted, f"a metric of the evaluation: {', '.join(known)}") from error
    except ValueError as error:
        if resume is None or "parameter group" not in str(error):  # torch's own words
            raise
        wanted = "as in the run that is resumed, whose layers had other rates; a learning_rate that is named means 1"
        raise ConfigError("layer_decay", settings.layer_decay, wanted) from error
    except (MemoryError, RuntimeError) as error:
        told = str(error).lower()
        if isinstance(error, MemoryError) or "out of memory" in told or "can't allocate memory" in told:
            raise OutOfMemory(memory.advice(settings.training)) from error
        raise


def _trainer(job: Job, made: Prepared, directory: str) -> Trainer:
    named = dict(job.settings.training)
    chosen, patience = watching.choose(job.settings, made.choice, _followed(job, made))
    if said := made.choice.told(patience):
        job.folder.note(said)
    arithmetic = precision.choose(job.settings.precision, named, made.model)
    if arithmetic.told:
        job.folder.note(arithmetic.told)
    half = bool(arithmetic.arguments or named.get("bf16") or named.get("fp16"))
    lean, said = memory.choose(named, made.model, made.data["train"], half=half)
    if said:
        job.folder.note(said)
    chosen |= {**arithmetic.arguments, **lean}
    with devices.on(job.settings.device):
        args = arguments.build(named, output_dir=directory, seed=job.settings.seed, defaults=chosen)
    devices.keep_to(args, job.settings.device)
    callbacks = [FolderEvents(job.folder), *job.hooks.callbacks]
    if patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=patience))
    train = job.splits["train"]
    return Trainer(
        model=made.model,
        args=args,
        train_dataset=made.data["train"],
        eval_dataset=made.data.get("validation"),
        processing_class=made.encoding.tokenizer,
        compute_metrics=checked(job.hooks.metrics),
        compute_loss_func=job.hooks.loss,
        optimizers=job.hooks.optimizers,
        callbacks=callbacks,
        encoding=made.encoding,
        recipe=job.recipe,
        task=job.task,
        eval_examples=job.splits.get("validation"),
        folder=job.folder,
        row_ids=row_ids(train),
        teacher=made.teacher,
        by_length=named.get("train_sampling_strategy") is None,  # in evaluation rows keep their order
        layer_decay=made.choice.layer_decay,
        cheap=arithmetic.cheap,
        made_of=made.made_of,
    )


def _followed(job: Job, made: Prepared) -> tuple[str, bool]:
    """The metric that chooses the model: the task's own, the loss where it is not scored by the task."""
    by_task = saving.saves_itself(made.model) or getattr(made.model, "loss_by_recipe", False)
    if job.hooks.metrics is not None or not by_task:
        return "loss", False
    return followed(job.task, job.splits["train"].kind)


def _generation(job: Job, encoding: Encoding, train: Any) -> dict[str, Any]:
    """`generate`'s arguments. A decoder writes at most twice the longest target that it was trained on.

    Upstream's `generation_max_length` counts a decoder's start token, which is not written.
    """
    named = job.settings.training
    length = named.get("generation_max_length")
    if job.task.name == "sequence-sequence":
        longest = max(2 * sequences.longest_target(train), sequences.SHORTEST)
        length = min(longest, encoding.maxlength) if length is None else max(1, int(length) - 1)
    chosen = {"max_new_tokens": length, "num_beams": named.get("generation_num_beams")}
    return {name: value for name, value in chosen.items() if value is not None}


def _features(job: Job, encoding: Encoding) -> dict[str, Any]:
    settings, folder = job.settings, job.folder
    cache = FeatureCache() if settings.cache else None
    processes = os.cpu_count() or 1 if settings.tokenizers is True else int(settings.tokenizers or 0)
    workers = features.Workers(settings.tokenizebatch, processes)
    made = {}
    for name in ("train", "validation"):
        if name in job.splits:
            made[name] = features.build(
                job.splits[name],
                job.recipe,
                encoding,
                gold=True,
                cache=cache,
                workers=workers,
                on_rows=lambda done, total: folder.event("features", done=done, total=total),
            )
            if said := features.told_of_cuts(job.splits[name], job.recipe, encoding):
                folder.note(f"{name}: {said}")
    return made


def _check_packing(job: Job, model: Any, encoding: Encoding) -> None:
    """Refuse to pack rows for a model whose packed rows would see each other."""
    if encoding.merge != "pack" or job.recipe.merge is None:
        return
    from .language import why_not_pack

    one = model.base_models()[0] if hasattr(model, "base_models") else model
    reason = why_not_pack(one, encoding, causal=job.task.name == "language-generation")
    if reason is not None:
        raise ConfigError("merge", "pack", f"'concat' or None with this base: {reason}")


def _adapted(job: Job, model: Any, fresh: tuple[str, ...], base: Base) -> Any:
    task, settings, hooks = job.task, job.settings, job.hooks
    config = adapters.lora_config(task.name, hooks.lora if hooks.lora is not None else settings.lora)
    if config is None:
        return model
    if any(map(adapters.adapted, model.base_models() if hasattr(model, "base_models") else (model,))):
        adapters.trained_on(hooks.lora if hooks.lora is not None else settings.lora)
        return model
    if base.model is None:
        config = adapters.of_revision(config, base.options.get("revision"))
    if hasattr(model, "adapt"):  # a model of several parts adapts each of them
        made = model.adapt(config)
    else:
        head = heads.head_modules(model) if adapters.task_type(task.name) in adapters.HEADED else {}
        made = adapters.wrap(model, config, head=tuple(head), fresh=fresh)
    if settings.output_dir:
        adapters.check_apart(made, settings.output_dir)
    return made


def _teacher(job: Job, model: Any, encoding: Encoding) -> distillation.Teacher | None:
    task, settings, hooks = job.task, job.settings, job.hooks
    given = hooks.teacher if hooks.teacher is not None else settings.teacher
    if not given:
        return None
    temperature, alpha = distillation.check(task.name, settings.distillation)
    own = {name: value for name, value in settings.model_args.items() if name != "revision"}  # that is the base's
    opened = open_base(given, task.name, own)
    distillation.check_tokenizers(opened.tokenizer, encoding.tokenizer)
    classifies = task.name == "text-classification"
    taught, _ = weights.load(opened, job.recipe.auto, None, classifies_text=classifies, whole=True)
    distillation.check_teacher(taught, model, encoding)
    separator = opened.tokenizer.sep_token_id if classifies else None
    return distillation.Teacher(taught, temperature, alpha, separator)
