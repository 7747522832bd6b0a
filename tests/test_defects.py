"""The defects of the trainer that `HFTrainer` replaces, by their numbers in our study of it: none may be ours.

Where a defect has its home in one module (positions of answers, packing, masks …) its closest test stands there; here
the whole call is made, as a user of the drop-in makes it.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import tiny
import tunesmith
from tunesmith.errors import ConfigError, RowError, UnknownName
from tunesmith.pipeline import HFTrainer

POSITIVE = ["the phone is great", "a good book", "the screen is bright", "a great film"]
NEGATIVE = ["the box was broken", "the film was bad", "I want my money back", "a bad phone"]
QUICK: dict[str, Any] = {"num_train_epochs": 1, "seed": 0, "disable_tqdm": True}


def rows(positive: Any = 1, negative: Any = 0, copies: int = 2) -> list[dict[str, Any]]:
    """Sixteen labelled rows."""
    pairs = [(text, positive) for text in POSITIVE] + [(text, negative) for text in NEGATIVE]
    return [{"text": text, "label": label} for text, label in pairs * copies]


TASKS: dict[str, list[dict[str, Any]]] = {
    "text-classification": [{"text": text, "label": place % 2} for place, text in enumerate(POSITIVE)],
    "token-classification": [{"tokens": text.split(), "tags": ["O"] * len(text.split())} for text in POSITIVE],
    "question-answering": [{"question": "what", "context": text, "answers": text.split()[0]} for text in POSITIVE],
    "sequence-sequence": [{"source": text, "target": text} for text in POSITIVE],
    **{task: [{"text": text} for text in POSITIVE] for task in ("language-generation", "language-modeling")},
    "token-detection": [{"text": text} for text in POSITIVE],
}


def prepared(folder: Path, task: str, **args: Any) -> tuple[Any, Any]:
    """The token features of a task's rows, and the collator that batches them."""
    trainer = HFTrainer()
    family = {"sequence-sequence": tiny.t5, "language-generation": tiny.gpt2}.get(task, tiny.bert)
    _, tokenizer, _ = trainer.load(family(folder / "base"), None)
    process, collate, _ = trainer.prepare(task, TASKS[task], tokenizer, None, 64, 8, None, None, trainer.parse(args))
    return process(TASKS[task]), collate


TRAINED = """
import json, logging, sys, torch
from tunesmith.pipeline import HFTrainer

base, out, rows, quick = json.load(sys.stdin)
quick |= {"output_dir": out, "learning_rate": 1e-2, "logging_strategy": "no"}
model, tokenizer = HFTrainer()(base, rows, lora=True, **quick)
with torch.no_grad():
    logits = model(**tokenizer("a good book", return_tensors="pt")).logits[0].tolist()
kernels = logging.getLogger("bitsandbytes.backends.cpu.ops")
with open(out + "/told.json", "w") as file:
    json.dump({"logits": logits, "logging": [kernels.filters, kernels.level, kernels.disabled]}, file)
"""


@dataclass(frozen=True)
class Adapter:
    """An adapter that a process of its own has trained, what it printed, and what it told. Tests only read it."""

    folder: Path
    printed: tuple[str, str]
    told: dict[str, Any]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    folder = tmp_path_factory.mktemp("adapter")
    base = tiny.bert(folder / "mlm", model="BertForMaskedLM")
    command = [sys.executable, "-W", "ignore", "-c", TRAINED]
    given = json.dumps([base, str(folder / "out"), rows(), QUICK])
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "out" / "told.json").read_text())
    return Adapter(folder / "out", (done.stdout, done.stderr), told)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def test_1_answer_whose_token_is_the_last_of_its_context_gets_its_true_positions(bert: str) -> None:
    data = [{"question": "what", "context": "1 yellow onion", "answers": "onion"}] * 8
    model, tokenizer = HFTrainer()(
        bert, data, task="question-answering", num_train_epochs=60, learning_rate=3e-3, seed=0, disable_tqdm=True
    )
    inputs = tokenizer("what", "1 yellow onion", return_tensors="pt")
    with torch.no_grad():
        found = model(**inputs)
    start, end = int(found.start_logits.argmax()), int(found.end_logits.argmax())
    assert start <= end
    assert tokenizer.decode(inputs["input_ids"][0][start : end + 1]).replace(" ", "") == "onion"


def test_2_any_name_of_the_label_column_works(bert: str) -> None:
    data = [{"s": row["text"], "y": row["label"]} for row in rows()]
    model, _ = HFTrainer()(bert, data, columns=("s", "y"), **QUICK)
    assert model.config.num_labels == 2


def test_3_string_labels_keep_their_names(bert: str) -> None:
    model, _ = HFTrainer()(bert, rows("joyful", "gloomy"), **QUICK)
    assert model.config.id2label == {0: "gloomy", 1: "joyful"}
    assert model.config.num_labels == 2


def test_3_names_of_a_class_label_column_are_kept_in_declared_order(bert: str) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["zebra", "ant", "unseen"])})
    data = Dataset.from_list(rows(), features=features)
    model, _ = HFTrainer()(bert, data, **QUICK)
    assert list(model.config.id2label.values()) == ["zebra", "ant", "unseen"]


@pytest.mark.parametrize(
    ("positive", "negative", "names"),
    [
        (5, 0, ["0", "5"]),
        (2, 1, ["1", "2"]),
        (True, False, ["False", "True"]),
        (1.0, 0.0, ["0", "1"]),
        ("10", "9", ["9", "10"]),
        ([1, 0], [0, 1], ["0", "1"]),
    ],
    ids=["gap", "from one", "bool", "whole float", "numeric text", "multi-hot ints"],
)
def test_4_labels_of_every_form_train(bert: str, positive: Any, negative: Any, names: list[str]) -> None:
    model, _ = HFTrainer()(bert, rows(positive, negative), **QUICK)
    assert list(model.config.id2label.values()) == names


def test_4_rows_without_a_label_are_left_out(bert: str, tmp_path: Path) -> None:
    data = [*rows(), {"text": "no idea", "label": None}, {"text": "nor here", "label": float("nan")}]
    HFTrainer()(bert, data, output_dir=str(tmp_path), **QUICK)
    audit = json.loads((tmp_path / "audit.json").read_text())
    assert audit["train"]["rows"] == 18
    assert sum(map(len, audit["train"]["left_out"].values())) == 2


def test_4_one_class_is_an_error_that_names_it_and_no_regression(bert: str) -> None:
    with pytest.raises(ValueError, match="'1'"):
        HFTrainer()(bert, rows(1, 1), **QUICK)


def test_5_a_saved_model_takes_other_labels_and_another_kind(bert: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    three = [*rows("a", "b"), *({"text": t, "label": "c"} for t in POSITIVE)]
    HFTrainer()(bert, three, output_dir=str(first), **QUICK)
    model, _ = HFTrainer()(str(first), rows("b", "a"), output_dir=str(second), **QUICK)
    assert model.config.id2label == {0: "a", 1: "b"}
    model, _ = HFTrainer()(str(second), rows(["x", "y"], ["x"]), **QUICK)
    assert model.config.problem_type == "multi_label_classification"


def test_5_classification_after_regression_gets_a_classification_head(bert: str) -> None:
    pair = HFTrainer()(bert, rows(0.9, 0.1), **QUICK)
    assert pair[0].config.problem_type == "regression"
    model, _ = HFTrainer()(pair, rows("up", "down"), **QUICK)
    assert model is pair[0]
    assert model.config.problem_type == "single_label_classification"
    assert model(**pair[1]("a good book", return_tensors="pt")).logits.shape == (1, 2)


def test_6_a_given_model_with_another_number_of_labels_gets_a_head_that_fits(bert: str) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = (AutoModelForSequenceClassification.from_pretrained(bert, num_labels=2), AutoTokenizer.from_pretrained(bert))
    data = [{"text": text, "label": f"class {place % 5}"} for place, text in enumerate(POSITIVE + NEGATIVE)]
    model, tokenizer = HFTrainer()(base, data, **QUICK)
    assert model is base[0]
    assert tokenizer is base[1]
    assert model.classifier.out_features == model.config.num_labels == 5


def test_7_gradient_accumulation_gives_the_loss_of_the_large_batch(bert: str) -> None:
    logged: dict[int, float] = {}

    class Watch(transformers.TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "grad_norm" in logs:
                logged.setdefault(args.gradient_accumulation_steps, logs["grad_norm"])
                losses[args.gradient_accumulation_steps] = logs["loss"]

    losses: dict[int, float] = {}
    for steps in (1, 4):
        args = QUICK | {"gradient_accumulation_steps": steps, "per_device_train_batch_size": 16 // steps}
        trained = tiny_model(bert)
        HFTrainer()(trained, rows(), callbacks=[Watch()], logging_steps=1, **args)
    assert losses[4] == pytest.approx(losses[1], rel=1e-4)
    assert logged[4] == pytest.approx(logged[1], rel=1e-3)


def tiny_model(path: str) -> tuple[Any, Any]:
    """A model without dropout, so that batches of other sizes compute the same function."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return AutoModelForSequenceClassification.from_pretrained(path, **none), AutoTokenizer.from_pretrained(path)


def test_8_the_end_of_a_text_is_learned_where_pad_is_eos(tmp_path: Path) -> None:
    base = tiny.gpt2(tmp_path / "gpt2", pad="eos")
    model, tokenizer = HFTrainer()(
        base,
        [{"text": "a good book"}] * 8,
        task="language-generation",
        merge=None,
        num_train_epochs=40,
        learning_rate=5e-3,
        seed=0,
        disable_tqdm=True,
    )
    inputs = tokenizer("a good book", return_tensors="pt")
    inputs = {key: value[:, : len(tokenizer("a good book")["input_ids"])] for key, value in inputs.items()}
    with torch.no_grad():
        assert int(model(**inputs).logits[0, -1].argmax()) == tokenizer.eos_token_id


@pytest.mark.parametrize("merge", ["pack", None])
def test_9_rows_longer_than_the_model_train(tmp_path: Path, merge: str | None) -> None:
    base = tiny.gpt2(tmp_path / "gpt2", max_positions=16)
    data = [{"text": "two dogs run on the beach and " * 12}, {"text": "a man"}]
    model, _ = HFTrainer()(base, data, task="language-generation", merge=merge, **QUICK)
    assert not model.training


def test_10_a_list_of_end_tokens_is_not_copied_into_the_pad_id(tmp_path: Path) -> None:
    base = tiny.llama(tmp_path / "llama", eos_list=True)
    model, tokenizer = HFTrainer()(base, [{"text": "a man"}] * 4, task="language-generation", **QUICK)
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert isinstance(model.config.pad_token_id, int)


@pytest.mark.parametrize(
    "task", ["question-answering", "token-detection", "token-classification", "text-classification"]
)
def test_11_lora_with_its_defaults_trains(bert: str, tmp_path: Path, task: str) -> None:
    data: Any = {
        "question-answering": [{"question": "who", "context": "Anna wrote", "answers": "Anna"}] * 4,
        "token-detection": [{"text": text} for text in POSITIVE],
        "token-classification": [{"tokens": ["Anna", "wrote"], "tags": ["B-PER", "O"]}] * 4,
        "text-classification": rows(),
    }[task]
    base = tiny.electra(tmp_path / "electra") if task == "token-detection" else bert
    model, _ = HFTrainer()(base, data, task=task, lora=True, **QUICK)
    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    assert any("lora_" in name for name in trained)


def test_12_an_adapter_reloads_to_equal_logits_in_another_process_on_a_base_without_pooler(adapter: Adapter) -> None:
    assert (adapter.folder / "adapter_model.safetensors").is_file()
    assert not (adapter.folder / "model.safetensors").exists()
    run = tunesmith.load(adapter.folder)
    with torch.no_grad():
        logits = run.model(**run.tokenizer("a good book", return_tensors="pt")).logits[0].tolist()
    assert logits == pytest.approx(adapter.told["logits"], abs=1e-6)


def test_12_a_saved_adapter_is_a_base(bert: str, tmp_path: Path) -> None:
    HFTrainer()(bert, rows("up", "down"), lora=True, output_dir=str(tmp_path), **QUICK)
    model, _ = HFTrainer()(str(tmp_path), rows("up", "down"), **QUICK)
    assert any(value.requires_grad for name, value in model.named_parameters() if "lora_" in name)


def test_13_a_16_bit_base_stays_16_bit_under_an_adapter(bert: str, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(bert, dtype=torch.bfloat16).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path)
    model, _ = HFTrainer()(str(tmp_path), rows(), lora=True, **QUICK)
    kinds = {
        value.dtype for name, value in model.named_parameters() if "lora_" not in name and "classifier" not in name
    }
    assert torch.bfloat16 in kinds
    assert model.get_base_model().bert.encoder.layer[0].output.dense.weight.dtype == torch.bfloat16


def test_14_full_fine_tuning_of_a_16_bit_base_has_32_bit_weights(bert: str, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(bert, dtype=torch.bfloat16).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path)
    model, _ = HFTrainer()(str(tmp_path), rows(), **QUICK)
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_15_token_detection_trains_from_a_bert_base_and_resumes(bert: str, tmp_path: Path) -> None:
    data = [{"text": text} for text in POSITIVE + NEGATIVE]
    args = {"output_dir": str(tmp_path), "save_strategy": "epoch", "merge": None, "per_device_train_batch_size": 4}
    HFTrainer()(bert, data, task="token-detection", **QUICK, **args)
    assert (tmp_path / "generator" / "model.safetensors").is_file()
    assert (tmp_path / "discriminator" / "model.safetensors").is_file()
    more = QUICK | {"num_train_epochs": 2}
    begun: list[int] = []

    class Watch(transformers.TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            begun.append(state.global_step)

    HFTrainer()(bert, data, task="token-detection", checkpoint=True, callbacks=[Watch()], **more, **args)
    assert json.loads((tmp_path / "trainer_state.json").read_text())["global_step"] == 4
    assert begun == [2, 3], "it began anew"


@pytest.mark.parametrize("task", ["language-generation", "sequence-sequence", "token-classification"])
def test_16_distillation_trains_tasks_beside_classification(bert: str, tmp_path: Path, task: str) -> None:
    data: Any = {
        "language-generation": [{"text": text} for text in POSITIVE],
        "sequence-sequence": [{"source": text, "target": text} for text in POSITIVE],
        "token-classification": [{"tokens": ["Anna", "wrote"], "tags": ["B-PER", "O"]}] * 4,
    }[task]
    base = {"language-generation": tiny.gpt2, "sequence-sequence": tiny.t5, "token-classification": tiny.bert}[task]
    student, teacher = base(tmp_path / "student"), base(tmp_path / "teacher", seed=1)
    if task == "token-classification":
        HFTrainer()(teacher, data, task=task, output_dir=str(tmp_path / "taught"), **QUICK)
        teacher = str(tmp_path / "taught")
    plain, _ = HFTrainer()(student, data, task=task, **QUICK)
    taught, _ = HFTrainer()(student, data, task=task, teacher=teacher, **QUICK)
    before, after = weights(plain), weights(taught)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_16_the_teacher_of_several_labels_is_followed_label_by_label(bert: str) -> None:
    data = rows(["x", "y"], ["x"])
    teacher = HFTrainer()(bert, data, **QUICK)
    with torch.no_grad():
        teacher[0].classifier.weight.zero_()
        teacher[0].classifier.bias.fill_(3.0)  # both labels are likely, which a softmax of the two could not say
    named = {**QUICK, "num_train_epochs": 20, "learning_rate": 1e-2}
    model, tokenizer = HFTrainer()(bert, data, teacher=teacher, distillation=(1.0, 1.0), **named)
    assert model.config.problem_type == "multi_label_classification"
    with torch.no_grad():
        said = model(**tokenizer(POSITIVE + NEGATIVE, return_tensors="pt", padding=True)).logits.sigmoid()
    assert said.min() > 0.9


def test_17_targets_are_tokenized_as_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny.t5(tmp_path / "t5"))
    seen: list[Any] = []
    original = type(tokenizer).__call__

    def watch(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs.get("text_target"))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(type(tokenizer), "__call__", watch)
    HFTrainer()(tiny.t5(tmp_path / "t5"), [{"source": "a man", "target": "two dogs"}] * 4, task="seq2seq", **QUICK)
    assert any(target and "two dogs" in target for target in seen)


def test_18_without_an_output_dir_the_best_model_is_loaded_and_nothing_is_left(
    bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    args = QUICK | {"num_train_epochs": 3, "learning_rate": 1e-3, "eval_strategy": "epoch", "save_strategy": "epoch"}
    losses: list[float] = []

    class Watch(transformers.TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
            losses.append(metrics["eval_loss"])

    HFTrainer()(
        bert,
        rows(),
        rows(positive=0, negative=1, copies=1),  # what is learned is wrong there: the first epoch is the best
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        callbacks=[Watch()],
        cache=False,
        train_sampling_strategy="random",
        **args,
    )
    assert losses[0] < losses[1] < losses[2]
    assert losses[3] == pytest.approx(losses[0], rel=1e-5), "the last evaluation is of the model that is returned"
    assert list(tmp_path.iterdir()) == []


def test_19_the_default_stride_suits_a_model_of_64_tokens(tmp_path: Path) -> None:
    base = tiny.bert(tmp_path / "small", max_positions=64)
    data = [
        {"question": "who wrote", "context": "the town is old . " * 30 + "Anna wrote the letter", "answers": "Anna"}
    ]
    model, _ = HFTrainer()(base, data, task="question-answering", **QUICK)
    assert not model.training


def test_20_question_answering_needs_no_cls_token(tmp_path: Path) -> None:
    base = tiny.gpt2(tmp_path / "gpt2")
    data = [{"question": "who", "context": "Anna wrote the letter", "answers": answer} for answer in ("Anna", "", None)]
    model, _ = HFTrainer()(base, data, task="question-answering", **QUICK)
    assert not model.training


@pytest.mark.parametrize("columns", [("text",), "text", None])
def test_22_one_column_is_enough_for_a_language_task(tmp_path: Path, columns: Any) -> None:
    base = tiny.gpt2(tmp_path / "gpt2")
    data = [{"text": text, "other": 1} for text in POSITIVE]
    model, _ = HFTrainer()(base, data, columns=columns, task="language-generation", **QUICK)
    assert not model.training


@pytest.mark.parametrize("value", [None, 7, ["a"]])
def test_22_a_cell_that_is_no_text_is_an_error_with_row_and_column(bert: str, value: Any) -> None:
    data = [*rows(), {"text": value, "label": 1}]
    with pytest.raises((RowError, ValueError), match="text"):
        HFTrainer()(bert, data, **QUICK)


def test_22_a_row_without_a_used_column_does_not_shift_the_others(bert: str) -> None:
    data = rows()
    del data[3]["text"]
    with pytest.raises(RowError, match="row 3, column 'text'"):
        HFTrainer()(bert, data, **QUICK)


def test_23_unknown_names_are_errors_that_name_the_nearest(bert: str) -> None:
    with pytest.raises(UnknownName, match="text-classification"):
        HFTrainer()(bert, rows(), task="text-clasification", **QUICK)
    with pytest.raises(ConfigError, match="merge"):
        HFTrainer()(bert, rows(), merge="packed", **QUICK)
    with pytest.raises(TypeError, match="learning_rate"):
        HFTrainer()(bert, rows(), lerning_rate=1e-3, **QUICK)


def test_23_a_path_and_a_tokenizer_make_a_base(bert: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    _, returned = HFTrainer()((bert, tokenizer), rows(), **QUICK)
    assert returned is tokenizer


def test_speed_1_features_are_padded_by_the_batch_only(bert: str) -> None:
    trainer = HFTrainer()
    _, tokenizer, maxlength = trainer.load(bert, None)
    data = [*rows(), {"text": "two dogs run " * 20, "label": 1}]
    process, collate, _ = trainer.prepare(
        "text-classification", data, tokenizer, None, maxlength, 128, None, None, trainer.parse({})
    )
    features = list(process(data))
    assert len({len(feature["input_ids"]) for feature in features}) > 2
    assert collate(features[:4])["input_ids"].shape[1] == max(len(f["input_ids"]) for f in features[:4])


def test_speed_2_a_stream_of_rows_trains(bert: str) -> None:
    from datasets import IterableDataset

    stream = IterableDataset.from_generator(lambda: iter(rows()))
    model, _ = HFTrainer()(bert, stream, **QUICK)
    assert model.config.num_labels == 2


@pytest.mark.parametrize("task", TASKS)
def test_speed_6_16_bit_training_pads_to_a_multiple_of_8_for_every_task(tmp_path: Path, task: str) -> None:
    wide, narrow = (
        collate(list(features)) for features, collate in (prepared(tmp_path, task, bf16=half) for half in (True, False))
    )
    widths = {key: value.shape[1] % 8 for key, value in wide.items() if value.dim() > 1}
    assert widths
    assert set(widths.values()) == {0}
    assert narrow["input_ids"].shape[1] % 8, "these rows need no padding: the test says nothing"


def test_speed_10_training_with_an_adapter_prints_nothing(adapter: Adapter) -> None:
    assert adapter.printed == ("", "")


def test_a_training_without_quantization_leaves_the_users_logging_of_its_kernels(adapter: Adapter) -> None:
    assert adapter.told["logging"] == [[], 0, False]


def test_speed_2_lists_are_tokenized_in_batches_and_by_processes(bert: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    HFTrainer()(bert, rows(), tokenizebatch=5, tokenizers=2, cache=False, output_dir=str(out), **QUICK)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert [event["done"] for event in events if event["kind"] == "features"] == [5, 10, 15, 16]


def test_speed_3_the_special_tokens_mask_is_neither_made_nor_kept(tmp_path: Path) -> None:
    features, _ = prepared(tmp_path, "language-modeling")
    assert "special_tokens_mask" not in features.column_names


@pytest.mark.parametrize("task", TASKS)
def test_speed_7_a_collator_crosses_to_a_worker_and_holds_no_model(tmp_path: Path, task: str) -> None:
    features, collate = prepared(tmp_path, task)
    whole = ForkingPickler.dumps(collate)
    assert len(whole) < 200_000
    there: Any = pickle.loads(whole)
    for key, value in collate(list(features)).items():
        assert torch.equal(there(list(features))[key], value)


@pytest.mark.parametrize("processes", [0, 1])
def test_no_further_process_is_asked_for(bert: str, processes: int) -> None:
    model, _ = HFTrainer()(bert, rows(), tokenizers=processes, cache=False, **QUICK)
    assert model.config.num_labels == 2


def test_equal_seeds_give_equal_weights_bit_for_bit_and_others_do_not(bert: str) -> None:
    first, again = (weights(HFTrainer()(bert, rows(), **QUICK)[0]) for _ in range(2))
    other = weights(HFTrainer()(bert, rows(), **(QUICK | {"seed": 1}))[0])
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_plain_module_with_a_config_trains_and_is_returned(bert: str) -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = transformers.AutoConfig.from_pretrained(bert)
            self.embed, self.out = torch.nn.Embedding(500, 8), torch.nn.Linear(8, 2)

        def forward(self, input_ids: Any = None, attention_mask: Any = None, labels: Any = None) -> Any:
            logits = self.out(self.embed(input_ids).mean(1))
            loss = None if labels is None else torch.nn.functional.cross_entropy(logits, labels)
            return (loss, logits) if loss is not None else (logits,)

    from transformers import AutoTokenizer

    base = (Plain(), AutoTokenizer.from_pretrained(bert))
    before = weights(base[0])
    model, _ = HFTrainer()(base, rows(), **QUICK)
    assert model is base[0]
    assert not torch.equal(before["out.weight"], model.out.weight)


def test_the_users_metrics_function_gets_logits_and_labels(bert: str) -> None:
    shapes: list[tuple[int, ...]] = []

    def metrics(prediction: Any) -> dict[str, float]:
        shapes.append(np.asarray(prediction.predictions).shape)
        return {"own": 0.5}

    HFTrainer()(bert, rows(), rows(copies=1), metrics=metrics, **QUICK)
    assert shapes == [(8, 2)]


def test_a_call_with_the_defaults_prints_nothing(bert: str, capfd: pytest.CaptureFixture[str]) -> None:
    HFTrainer()(bert, rows(), rows(copies=1), max_steps=1, logging_steps=1)
    assert capfd.readouterr().out == ""


def test_scores_of_the_users_own_metrics_stand_without_timings(bert: str) -> None:
    run = tunesmith.train(
        rows(), base=bert, validation=rows(copies=1), metrics=lambda scored: {"mine": 0.5}, max_steps=1, **QUICK
    )
    assert run.metrics["validation"]["mine"] == 0.5
    timed = {name for name in run.metrics["validation"] if "runtime" in name or "per_second" in name}
    assert timed == set()
