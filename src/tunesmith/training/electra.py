"""ELECTRA (Clark et al. 2020): a generator fills masked tokens, a discriminator finds which ones it changed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers.utils import ModelOutput

from ..errors import ConfigError
from . import adapters, heads, weights
from .batching import IGNORED
from .blocks import draws
from .recipe import Batch

WEIGHT = 50.0  # of the discriminator's loss, as in the paper
HALVES = adapters.PARTS
MASKED, TOKENS = 0, 1  # the two counts of the loss


@dataclass
class DetectionOutput(ModelOutput):
    """loss: generator + weight * discriminator, each the mean over its own items.

    logits: the discriminator's, (batch, tokens). generator_logits: (masked, vocabulary), with their targets
    generator_labels and the row each is of, generator_rows. replaced: (batch, tokens), 1 where a token is not the
    original one, -100 on padding. weight: of the discriminator's loss.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    generator_logits: torch.Tensor | None = None
    generator_labels: torch.Tensor | None = None
    generator_rows: torch.Tensor | None = None
    replaced: torch.Tensor | None = None
    weight: torch.Tensor | None = None


class TokenDetection(nn.Module):
    """A masked language model and a model with one score a token, trained together.

    Embeddings of equal shape are the same tensors in both. In eval mode the generator's draws depend on the text
    alone, so evaluation is repeatable; in training they come from torch's random state, as dropout does.
    """

    loss_by_recipe = True  # the trainer takes the loss, and its counts, from the recipe

    def __init__(self, generator: Any, discriminator: Any, tokenizer: Any = None, weight: float = WEIGHT) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.tokenizer, self.weight = tokenizer, weight
        self.fresh: Mapping[str, tuple[str, ...]] = dict.fromkeys(HALVES, ())  # modules that no base had weights for
        share_embeddings(generator, discriminator)

    @property
    def config(self) -> Any:
        return self.discriminator.config

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def base_models(self) -> tuple[Any, Any]:
        """The generator and the discriminator."""
        return self.generator, self.discriminator

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **unused: Any,
    ) -> DetectionOutput:
        """Train and judge where `labels` (batch, tokens) hold the masked tokens, -100 elsewhere; else judge as it is.

        attention_mask: (batch, tokens), or (batch, 1, tokens, tokens) added to attention scores.
        """
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids, "position_ids": position_ids}
        inputs = {key: value for key, value in given.items() if value is not None}
        if labels is None:
            return DetectionOutput(logits=_scores(self.discriminator, input_ids, inputs))
        real = real_tokens(input_ids, attention_mask)
        chosen = labels.ne(IGNORED)
        logits = _run(self.generator, input_ids, inputs).logits[chosen]
        original = torch.where(chosen, labels, input_ids)
        corrupted = original.masked_scatter(chosen, self._sampled(logits, original, chosen, real))
        output = DetectionOutput(
            logits=_scores(self.discriminator, corrupted, inputs),
            generator_logits=logits,
            generator_labels=labels[chosen],
            generator_rows=chosen.nonzero()[:, 0],
            replaced=torch.where(real, corrupted.ne(original).long(), IGNORED),
            weight=torch.tensor(self.weight),
        )
        output.loss = DetectionLoss()(output, {})
        return output

    @torch.no_grad()
    def _sampled(
        self, logits: torch.Tensor, original: torch.Tensor, chosen: torch.Tensor, real: torch.Tensor
    ) -> torch.Tensor:
        """One token for each masked place, drawn from the generator's distribution, (masked,)."""
        reached = logits.float().softmax(-1).cumsum(-1)
        if self.training:
            drawn = torch.rand(len(logits), device=logits.device)
        else:
            numbers = [
                draws((int(places.sum()),), 0, 0, row[kept].cpu().numpy())
                for row, places, kept in zip(original, chosen, real, strict=True)
            ]
            drawn = torch.from_numpy(np.concatenate(numbers)).to(logits.device, torch.float32)
        found = torch.searchsorted(reached, (drawn * reached[:, -1])[:, None], right=True)[:, 0]
        return found.clamp(max=logits.shape[-1] - 1)

    def adapt(self, config: Any) -> TokenDetection:
        """Both halves under a LoRA adapter of their own; modules that start anew are trained whole.

        A half that has an adapter keeps it.
        """
        if not adapters.adapted(self.generator):
            self.generator = adapters.wrap(self.generator, config, fresh=self.fresh["generator"])
        if not adapters.adapted(self.discriminator):
            head = tuple(heads.head_modules(self.discriminator))
            self.discriminator = adapters.wrap(self.discriminator, config, head=head, fresh=self.fresh["discriminator"])
        return self

    def merge_and_unload(self) -> TokenDetection:
        """The adapters' weights added into copies of both halves."""
        generator, discriminator = (weights.merged(half) for half in self.base_models())
        return TokenDetection(generator, discriminator, self.tokenizer, self.weight)

    def save_pretrained(self, folder: str | Path, *, is_main_process: bool = True, **unused: Any) -> None:
        """`generator/` and `discriminator/` for transformers to load."""
        if not is_main_process:
            return
        for name, half in zip(HALVES, self.base_models(), strict=True):
            half.save_pretrained(Path(folder, name))
            half.config.save_pretrained(Path(folder, name))  # PEFT saves none
            if self.tokenizer is not None:
                self.tokenizer.save_pretrained(Path(folder, name))
        self.config.save_pretrained(folder)

    def save_whole(self, folder: Path) -> None:
        """Both halves in one file, as a training that is resumed reads them."""
        from safetensors.torch import save_model

        save_model(self, str(folder / "model.safetensors"), metadata={"format": "pt"})

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As upstream; a shared tensor may be given under any one of its names."""
        names: dict[int, list[str]] = {}
        for name, parameter in self.named_parameters(remove_duplicate=False):
            names.setdefault(id(parameter), []).append(name)
        given = dict(state_dict)
        for aliases in names.values():
            known = next((given[name] for name in aliases if name in given), None)
            if known is not None:
                given |= {name: known for name in aliases if name not in given}
        return super().load_state_dict(given, strict, assign)

    def gradient_checkpointing_enable(self, **options: Any) -> None:
        for half in self.base_models():
            half.gradient_checkpointing_enable(**options)

    def gradient_checkpointing_disable(self) -> None:
        for half in self.base_models():
            half.gradient_checkpointing_disable()


def share_embeddings(generator: Any, discriminator: Any) -> tuple[str, ...]:
    """Word, position and type embeddings of equal shape become the generator's in both; their names.

    Adapted halves are left as they are: their embeddings are frozen.
    """
    if hasattr(generator, "peft_config") or hasattr(discriminator, "peft_config"):
        return ()
    shared = []
    words = generator.get_input_embeddings()
    if words.weight.shape == discriminator.get_input_embeddings().weight.shape:
        discriminator.set_input_embeddings(words)
        shared.append("word_embeddings")
    source = getattr(generator.base_model, "embeddings", None)
    target = getattr(discriminator.base_model, "embeddings", None)
    for name in ("position_embeddings", "token_type_embeddings"):
        ours, theirs = getattr(source, name, None), getattr(target, name, None)
        if _same_shape(ours, theirs):
            setattr(target, name, ours)
            shared.append(name)
    return tuple(shared)


def _same_shape(ours: Any, theirs: Any) -> bool:
    both = isinstance(ours, nn.Embedding) and isinstance(theirs, nn.Embedding)
    return both and ours.weight.shape == theirs.weight.shape


def real_tokens(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Where there is no padding, (batch, tokens), bool."""
    if attention_mask is None:
        return torch.ones_like(input_ids, dtype=torch.bool)
    if attention_mask.dim() == 4:  # padding does not see itself
        return attention_mask[:, 0].diagonal(dim1=-2, dim2=-1).eq(0)
    return attention_mask.ne(0)


def _run(half: Any, input_ids: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> Any:
    """A half's outputs for what its `forward` takes of the inputs."""
    inner = half.get_base_model() if hasattr(half, "peft_config") else half
    names = inspect.signature(inner.forward).parameters
    return half(input_ids=input_ids, **{key: value for key, value in inputs.items() if key in names})


def _scores(discriminator: Any, input_ids: torch.Tensor, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The discriminator's logits, (batch, tokens).

    Raises:
        ConfigError: it does not give one score a token.
    """
    logits = getattr(_run(discriminator, input_ids, inputs), "logits", None)
    if logits is not None and logits.dim() == 3 and logits.shape[-1] == 1:
        logits = logits[..., 0]
    if logits is None or logits.shape != input_ids.shape:
        expected = "a model with one score a token: ElectraForPreTraining, or token classification with one label"
        raise ConfigError("discriminator", type(discriminator).__name__, expected)
    scores: torch.Tensor = logits
    return scores


class DetectionLoss:
    """Cross-entropy over the masked tokens, plus the model's weight times the binary one over all real tokens.

    The targets are made by the model, which draws the replacements. `count` has two parts: masked tokens, tokens.
    """

    def __init__(self) -> None:
        self.targets: tuple[str, ...] = ()

    def count(self, batch: Batch) -> torch.Tensor:
        real = real_tokens(batch["input_ids"], batch.get("attention_mask"))
        return torch.stack([batch["labels"].ne(IGNORED).sum(), real.sum()])

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        masked, judged = parts(outputs)
        if count is None:
            count = torch.tensor([len(outputs["generator_labels"]), int(outputs["replaced"].ne(IGNORED).sum())])
        items = count.to(masked.device).clamp(min=1)
        value: torch.Tensor = masked.sum() / items[MASKED] + outputs["weight"] * judged.sum() / items[TOKENS]
        return value


def parts(outputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Nats of each masked token (masked,), and of each judged token (batch, tokens), 0 on padding."""
    masked = functional.cross_entropy(
        outputs["generator_logits"].float(), outputs["generator_labels"], reduction="none"
    )
    truth = outputs["replaced"]
    real = truth.ne(IGNORED)
    judged = functional.binary_cross_entropy_with_logits(
        outputs["logits"].float(), truth.clamp(min=0).float(), reduction="none"
    )
    return masked, torch.where(real, judged, 0.0)
