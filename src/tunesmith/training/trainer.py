"""transformers' training loop, extended: exact losses, our scores, whole checkpoints, no pickle.

Documented override points, and four private methods: `_save_checkpoint`, `_save` (nothing public stages a checkpoint
or leaves out its pickle), `_clip_grad_norm`, `_get_grad_norm` (no sparse gradient there). A test watches their form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import Seq2SeqTrainer
from transformers.trainer_utils import EvalLoopOutput

from ..errors import Diverged
from ..folder import RunFolder
from ..tasks.base import Examples, RowId, Task
from . import checkpoints, engine, predictor, rates, saving, taught
from .callbacks import Epochs, Pushes, silence
from .distillation import KEY, Teacher
from .feeding import PLACE, ROWS, Collator, Losses, WithRows, accepted, for_training, has_logits, losses, rows_of
from .recipe import Batch, Encoding, Loss, Recipe


class Trainer(engine.Lean, Seq2SeqTrainer):
    """Trains `model` by `recipe`; scores `eval_dataset` against `eval_examples` with `task`.

    eval_examples: of the validation set, or by name where `eval_dataset` is a mapping.
    row_ids: the row id of each example that the training features' column `example` points to.
    folder: without a path, nothing outlives the run, so nothing is saved of a run that diverges.
    data_collator: reads whole features, as a recipe's does; the recipe's own where None.
    by_length: batches of like length, whatever `train_sampling_strategy` says. layer_decay: see `rates`.
    cheap: fp32 takes the steps of `engine.fast` that are equal but for draws and rounding, as bf16 does.
    made_of: what a checkpoint says of its run, see `checkpoints.write_manifest`.
    """

    label_smoother: Any
    data_collator: Any
    control: Any
    optimizer: Any
    places: Any
    taught: Any

    def __init__(
        self,
        *,
        model: Any,
        args: Any,
        recipe: Recipe | None = None,
        encoding: Encoding | None = None,
        task: Task | None = None,
        eval_examples: Examples | Mapping[str, Examples] | None = None,
        folder: RunFolder | None = None,
        row_ids: Sequence[RowId] | None = None,
        teacher: Teacher | None = None,
        data_collator: Any = None,
        by_length: bool = False,
        layer_decay: float = 1.0,
        cheap: bool = False,
        made_of: Mapping[str, str] | None = None,
        **upstream: Any,
    ) -> None:
        self.recipe, self.encoding, self.task = recipe, encoding, task
        self.eval_examples, self.folder, self.row_ids, self.teacher = eval_examples, folder, row_ids, teacher
        self.by_length, self.layer_decay, self.cheap, self.sampler = by_length, layer_decay, cheap, None
        self.made_of, self._rows, self.places, self.taught = made_of, None, None, None
        self.saved_steps: set[int] = set()  # steps whose checkpoint is of this run
        self.resumed = 0  # steps of the checkpoint that training went on from
        self.losses: Losses | None = None  # None: the loss is the model's own
        if recipe is not None and encoding is not None:
            if saving.saves_itself(model) or getattr(model, "loss_by_recipe", False):
                user, smoothing = upstream.get("compute_loss_func"), args.label_smoothing_factor
                self.losses = losses(recipe, encoding, user=user, teacher=teacher, smoothing=smoothing)
            keys = accepted(model, self.losses.train.targets if self.losses is not None else ())
            data_collator = Collator(data_collator or recipe.collate(encoding), keys, own=data_collator is None)
            args = copy(args)  # the caller's stay the caller's
            args.remove_unused_columns = False  # the collator does it: `example` and what `decode` reads must stay
        super().__init__(model=model, args=args, data_collator=data_collator, **upstream)
        self._set_loss_scaling()
        silence(self)
        self.add_callback(Epochs(self))
        if self.args.push_to_hub:
            self.add_callback(Pushes(self.hub_model_id))

    def _set_loss_scaling(self) -> None:
        """Who divides the loss by what. Upstream takes any forward with **kwargs for one that divides by the number
        of items; most do not, and losses come out gradient_accumulation_steps times too large (transformers#47688).
        """
        if max(self.get_cp_size(), self.get_sp_size()) > 1:  # sequences cut over devices: labels are there too
            self.losses = None
            return
        self.model_accepts_loss_kwargs = False
        if self.losses is not None:
            self.label_smoother, self.loss_is_scaled_for_ga = None, True

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> tuple[list[Any], Any]:
        """The micro-batches of one optimizer step, and the loss items in all of them, over all processes."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self.losses is None or not batches:
            return batches, items
        loss = self.losses.train
        counts: Any = sum(loss.count(batch).to(device) for batch in batches)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            counts = self.accelerator.reduce(counts, "sum") / self.get_tp_size()
        return batches, torch.where(counts == 0, torch.ones_like(counts), counts)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a micro-batch over `num_items_in_batch`: micro-batches add up to the large batch.

        Raises:
            Diverged: in training, where the loss is not finite.
        """
        if self.losses is not None:
            loss, outputs = self._recipe_loss(self.losses, model, inputs, num_items_in_batch)
        else:
            loss, outputs = super().compute_loss(model, dict(inputs), True, num_items_in_batch)
        if model.training:
            self._stop_if_diverged(loss.detach())
        return (loss, outputs) if return_outputs else loss

    def _recipe_loss(self, losses: Losses, model: Any, inputs: Any, items: Any) -> tuple[torch.Tensor, Any]:
        loss = losses.train if model.training else losses.evaluation
        targets: Batch = {key: inputs[key] for key in loss.targets if key in inputs}
        rest = {key: value for key, value in inputs.items() if key not in targets}
        outputs = model(**rest)
        if not has_logits(outputs) and self.compute_loss_func is None:
            self.losses, self.loss_is_scaled_for_ga = None, False
            own: tuple[torch.Tensor, Any] = super().compute_loss(model, dict(inputs), True, None)
            return own
        if self.teacher is not None and model.training:
            targets[KEY] = taught.logits(self, inputs, rest)
        value = loss(outputs, targets, items)
        return (value if items is None else value * self._processes()), outputs

    def _processes(self) -> int:
        """What undoes the mean that DDP takes of the processes' gradients, where the items are those of them all."""
        return self.accelerator.num_processes // self.get_tp_size() if self.args.average_tokens_across_devices else 1

    def get_train_dataloader(self) -> Any:
        """Batches that carry the places of their examples, for `training_step` to take off."""
        plain, self.data_collator = self.data_collator, WithRows(for_training(self.data_collator, self.losses))
        try:
            return engine.train_dataloader(self) or super().get_train_dataloader()
        finally:
            self.data_collator = plain

    def set_epoch(self, epoch: int) -> None:
        """Tell the order of rows and the collator which epoch begins; upstream does not tell the order it resumes."""
        drawing: list[Any] = [self.sampler, getattr(self.data_collator, "collate", None)]
        for each in drawing:
            if hasattr(each, "set_epoch"):
                each.set_epoch(epoch)

    def train(self, resume_from_checkpoint: Any = None, **kwargs: Any) -> Any:
        """As upstream; only a checkpoint whose hashes verify is resumed from.

        Raises:
            ArtifactError: the checkpoint is missing or broken.
        """
        with self.accelerator.main_process_first():
            found = checkpoints.resolve(resume_from_checkpoint, self.args.output_dir, self.made_of)
        self.saved_steps, self.resumed = set(), 0 if found is None else checkpoints.steps_in(found)
        if found is not None and found.parent.resolve() == Path(self.args.output_dir).resolve():
            self.saved_steps.add(self.resumed)
        with engine.fast(self):
            return super().train(str(found) if found is not None else None, **kwargs)

    def set_initial_training_values(self, *args: Any) -> Any:
        """As upstream; no epoch is begun where the checkpoint that is resumed has the steps of the whole run."""
        epochs, steps, *rest = super().set_initial_training_values(*args)
        done = self.resumed >= rest[-1]
        return (min(epochs, self.resumed // steps) if done else epochs), steps, *rest

    def create_optimizer(self, model: Any = None) -> Any:
        """As `Lean`; a new optimizer has a rate for each layer where these are asked for."""
        if self.optimizer is None:
            made, trained = super().create_optimizer(model), self.model if model is None else model
            rates.spread(made, trained, self.layer_decay)
        return self.optimizer

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        self._rows, self.places = inputs.pop(ROWS, None), inputs.pop(PLACE, None)
        step: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return step

    def _stop_if_diverged(self, loss: torch.Tensor) -> None:
        bad = ~torch.isfinite(loss).all()
        if self.args.world_size > 1:  # every process stops, or those that go on wait for ever
            bad = self.accelerator.reduce(bad.float(), "sum") > 0
        if not bool(bad):
            return
        found = [] if bool(torch.isfinite(loss).all()) else [(float(loss.mean()), rows_of(self._rows, self.row_ids))]
        found = gather_object(found) if self.args.world_size > 1 else found
        raise Diverged(
            self.state.global_step + 1,
            found[0][0],
            [row for _, rows in found for row in rows],
            saving.keep_last_good(self),
        )

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """Our own scores: the loss over all items, and what `task` says of the decoded predictions.

        Features go through the model in their own order, whatever the sampler's. With the user's `compute_metrics`,
        without a recipe, or where the model has a loss of its own, the loop is upstream's.
        """
        features: Any = getattr(dataloader, "dataset", None)
        recipe, encoding = self.recipe, self.encoding
        theirs = self.losses is None or self.compute_metrics is not None
        if theirs or recipe is None or encoding is None or not hasattr(features, "__len__"):
            return super().evaluation_loop(
                dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix=metric_key_prefix
            )
        self.callback_handler.eval_dataloader = dataloader
        rows, loss = self._run(features, recipe, encoding)
        metrics: dict[str, float] = {} if loss is None else {"loss": loss}
        examples, predictions = self._examples_of(features), None
        if examples is not None and self.task is not None:
            predictions = recipe.decode(rows, list(features), examples, encoding)
            metrics |= self.task.score(examples, predictions)
        named = {f"{metric_key_prefix}_{key}": value for key, value in metrics.items()}
        return EvalLoopOutput(predictions=predictions, label_ids=None, metrics=named, num_samples=len(features))

    def _run(self, features: Any, recipe: Recipe, encoding: Encoding) -> tuple[list[Any], float | None]:
        """Output rows of all features and their mean loss; under DDP each process takes a stretch of them."""
        sharded = self.is_fsdp_enabled or self.is_deepspeed_enabled  # there every process has to call every forward
        spread = self.args.world_size > 1 and not sharded
        mine = features.shard(self.args.world_size, self.args.process_index, contiguous=True) if spread else features
        rows, total = predictor.run(
            engine.model_for_evaluation(self),
            mine,
            recipe,
            encoding,
            batch_size=self.args.eval_batch_size,
            device=self.args.device,
            on_batch=self._on_batch,
            loss=self._judge(features, recipe.collate(encoding)),
        )
        if not spread:
            return rows, None if total is None else total.mean
        found = [each for each in gather_object([total]) if each is not None]
        return gather_object(rows), sum(found[1:], found[0]).mean if found else None

    def _judge(self, features: Any, collate: Any) -> Loss | None:
        """The loss that features are judged by; None where they carry no gold."""
        if self.losses is None or len(features) == 0:
            return None
        loss = self.losses.evaluation
        return loss if set(loss.targets) <= set(collate([features[0]])) else None

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None, **more: Any
    ) -> Any:
        """As upstream, which gives `generate` every key of the batch: targets that are no input are taken off."""
        if self.args.predict_with_generate and not prediction_loss_only and self.losses is not None:
            keys = accepted(self.model, ())
            inputs = {key: value for key, value in inputs.items() if keys is None or key in keys}
        return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys, **more)

    def _on_batch(self, done: int) -> None:
        self.control = self.callback_handler.on_prediction_step(self.args, self.state, self.control)

    def _examples_of(self, features: Any) -> Examples | None:
        if isinstance(self.eval_examples, Mapping):
            known = self.eval_dataset if isinstance(self.eval_dataset, Mapping) else {}
            return next((self.eval_examples.get(name) for name, each in known.items() if each is features), None)
        return self.eval_examples if features is self.eval_dataset else None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Upstream's checkpoint, written aside, then its manifest, then renamed: it is whole or absent."""
        upstream = super()._save_checkpoint
        saving.save_checkpoint(self, trial, lambda: upstream(model, trial))
        self.saved_steps.add(self.state.global_step)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """As upstream, with training_args.json in the place of the pickle."""
        saving.save_model(self, output_dir if output_dir is not None else self.args.output_dir, state_dict)
