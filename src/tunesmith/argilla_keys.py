"""The documented keys of Argilla 1.29: the settings they are now, their defaults, and what is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OWN = object()  # the library's own default: none is documented, or what is documented is in error


@dataclass(frozen=True)
class Key:
    """A documented key. now: settings it may be called today, "lora.r" inside one; the first that is known is taken.

    default: the documented one. A `spread` key holds further keys, or a list of one mapping of them. called: documented
    values, by what they are called today. idle: documented values that ask for nothing; gone: what to say of others.
    """

    name: str
    now: tuple[str, ...] = ()
    default: Any = OWN
    spread: bool = False
    called: Mapping[str, str] = field(default_factory=dict)
    idle: tuple[Any, ...] = ()
    gone: str = ""


def _keys(names: str) -> tuple[Key, ...]:
    return tuple(Key(name, (name,)) for name in names.split())


def _defaults(**values: Any) -> tuple[Key, ...]:
    return tuple(Key(name, (name,), value) for name, value in values.items())


_LOADING = (
    Key("pretrained_model_name_or_path", ("base",)),
    *(Key(name, (f"model_args.{name}",)) for name in "force_download proxies token cache_dir local_files_only".split()),
)
# adam_beta2 (0.9), max_steps (0), hub_model_id and hub_token are documented in error, or by a placeholder.
_TRAINING = (
    *_defaults(per_device_train_batch_size=8, per_device_eval_batch_size=8, gradient_accumulation_steps=1),
    *_defaults(learning_rate=5e-5, weight_decay=0.0, adam_beta1=0.9, adam_epsilon=1e-8, max_grad_norm=1.0),
    *_defaults(num_train_epochs=3, log_level="passive", logging_strategy="steps", save_strategy="steps"),
    *_defaults(save_steps=500, push_to_hub=False, hub_strategy="every_save", hub_private_repo=False),
    *_keys("adam_beta2 max_steps hub_model_id hub_token"),
    Key("evaluation_strategy", ("eval_strategy",)),
)
_LORA: dict[str, Any] = {"r": 8, "target_modules": None, "lora_alpha": 16, "lora_dropout": 0.1}
_LORA |= {"fan_in_fan_out": False, "bias": "none", "inference_mode": False, "init_lora_weights": True}
_LORA |= {"modules_to_save": None}
_SPACY = (
    *_defaults(dropout=0.1, accumulate_gradient=1, patience=1600, max_epochs=0, max_steps=20_000),
    *_defaults(eval_frequency=200),
    Key("language", ("lang",)),
)

KEYS: Mapping[str, tuple[Key, ...]] = {
    "transformers": (*_LOADING, *_TRAINING, Key("defaults", ("defaults",), "transformers")),
    "peft": (
        *(Key(name, (f"lora.{name}",), value) for name, value in _LORA.items()),
        Key("task_type", ("lora.task_type",)),
        *_LOADING,
        *_TRAINING,
        Key("defaults", ("defaults",), "transformers"),
    ),
    "setfit": (
        *_LOADING,
        *_defaults(metric="accuracy", num_iterations=20, num_epochs=1, batch_size=16, warmup_proportion=0.1),
        *_defaults(distance_metric="cosine_distance", margin=0.25, samples_per_label=2),
        Key("learning_rate", ("learning_rate", "body_learning_rate"), 2e-5),
        Key("multi_target_strategy", ("multi_target_strategy",)),
        Key("loss_class", ("loss",)),
    ),
    "spacy": _SPACY,
    "spacy-transformers": (
        *_SPACY,
        Key("optimize", idle=("accuracy",), gone="it is accuracy: for efficiency spaCy has no transformer classify"),
    ),
    "span-marker": (
        *_LOADING,
        *_defaults(model_max_length=256, marker_max_length=128, entity_max_length=8),
        *_TRAINING,
    ),
    "openai": (
        Key("model", ("base",)),
        Key("hyperparameters", ("hyperparameters",), {"n_epochs": 1}, spread=True),
        *_keys("n_epochs batch_size learning_rate_multiplier suffix"),
    ),
    "autotrain": (
        *(Key(name, ("base",), called={"autotrain": "minilm"}) for name in ("model", "base")),
        Key("autotrain", (), spread=True),
        Key("hub_model", (), spread=True),
        Key("source_language", idle=("en",)),
        Key("num_models", idle=(5,)),
        Key("task", idle=("text_binary_classification", "text_multi_class_classification")),
        Key("learning_rate", ("lr",)),  # 0.001 is documented: no rate to fine-tune at
        Key("optimizer", ("optimizer",), called={"adam": "adamw_torch"}),
        Key("scheduler", ("scheduler",), "linear"),
        Key("train_batch_size", ("batch_size",), 8),
        Key("epochs", ("epochs",), 10),
        Key("percentage_warmup", ("warmup_ratio",), 0.1),
        Key("gradient_accumulation_steps", ("gradient_accumulation",), 1),
        Key("weight_decay", ("weight_decay",), 0.1),
    ),
}
# Documented keys that nothing stands for any more: what to say of each.
GONE = {
    "resume_download": "downloads are resumed without being told",
    "metric": "every score of the task is computed",
    "column_mapping": "the columns are those of the records",
    "train_corpus": "it is the data set",
    "dev_corpus": "it is the data set",
    "gpu_allocator": "gpu_id says where to compute",
    "task": "it is that of the data set",
    "output_dir": "it is said when training begins",
    "source_language": "the local AutoTrain asks for none",
    "num_models": "one model is trained",
    "training_file": "it is made of the data set",
    "validation_file": "it is made of the data set",
    **dict.fromkeys(
        "prompt_loss_weight compute_classification_metrics classification_n_classes classification_positive_class "
        "classification_betas".split(),
        "the service has no such setting any more",
    ),
}
# Values of documented keys that ask for nothing: they pass where the framework has no such setting.
IDLE: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        "resume_download force_download local_files_only push_to_hub hub_private_repo".split(), (False, None)
    ),
    **dict.fromkeys("proxies token cache_dir hub_model_id hub_token column_mapping gpu_allocator".split(), (None,)),
    **dict.fromkeys("training_file validation_file before_to_disk before_update".split(), (None,)),
    **dict.fromkeys("frozen_components annotating_components".split(), ([], None)),
    "metric": ("accuracy",),
    "log_level": ("passive",),
    "logging_strategy": ("steps",),
    "save_strategy": ("steps", "no"),
    "save_steps": (500,),
    "hub_strategy": ("every_save",),
    "evaluation_strategy": ("no",),
    "train_corpus": ("corpora.train",),
    "dev_corpus": ("corpora.dev",),
    "prompt_loss_weight": (0.1, None),
    "compute_classification_metrics": (False, None),
    **dict.fromkeys("classification_n_classes classification_positive_class classification_betas".split(), (None,)),
}
# Documented values of spaCy's config for what the trainer says already.
REFERENCES = {"gpu_allocator": ("${system.gpu_allocator}", 0), "seed": ("${system.seed}",)}
