"""Micro-batches add up to the large batch: loss and gradient, for every recipe (transformers#47688)."""

import pytest
import torch
import transformers
from datasets import Dataset
from transformers import AutoTokenizer

from tiny import TEXTS, bert, gpt2, t5
from training_kit import classifier, encoding, examples, trainer, weights
from tunesmith.data.labels import Labels
from tunesmith.tasks.base import Example, Span
from tunesmith.training import answers, classification, language, sequences, tagging
from tunesmith.training.recipe import Encoding

PLAIN = {"optim": "sgd", "learning_rate": 0.05, "lr_scheduler_type": "constant", "max_grad_norm": 0.0}
SETTINGS = PLAIN | {"train_sampling_strategy": "sequential", "num_train_epochs": 1}
LARGE = SETTINGS | {"per_device_train_batch_size": 8}
SMALL = SETTINGS | {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}


def trained(folder, model, how, recipe, rows, settings, **others):
    """(loss, gradient norm) of each step, and the weights after: 12 rows are one whole and one incomplete step of 8."""
    table = Dataset.from_list(recipe.encode(rows, how, True))
    it = trainer(folder, model=model, train_dataset=table, encoding=how, recipe=recipe, **settings, **others)
    it.train()
    logs = [(log["loss"], log["grad_norm"]) for log in it.state.log_history if "loss" in log]
    return logs, weights(it.model)


def load(auto, path, **config):
    torch.manual_seed(0)
    return getattr(transformers, auto).from_pretrained(path, **config)


def texts(count):
    return [" ".join(" ".join(TEXTS).split()[n % 5 : n % 5 + 2 + (n * 5) % 11]) for n in range(count)]


def of_classes(folder):
    return classifier(folder), encoding(), classification.RECIPE, examples(12)


def of_several_classes(folder):
    labels = Labels("multi", ("a", "b", "c"))
    rows = [Example(n, text=text, label=("a", "c")[: n % 3]) for n, text in enumerate(texts(12))]
    return classifier(folder), encoding("multi", labels), classification.RECIPE, rows


def of_numbers(folder):
    rows = [Example(n, text=text, label=n / 7) for n, text in enumerate(texts(12))]
    return classifier(folder, labels=1), encoding("regression", Labels("regression")), classification.RECIPE, rows


def of_tags(folder):
    path, labels = bert(folder / "base"), Labels("single", ("O", "B-PER", "I-PER"))
    rows = [Example(n, text=text, spans=(Span("PER", 0, len(text.split()[0])),)) for n, text in enumerate(texts(12))]
    how = Encoding(AutoTokenizer.from_pretrained(path), labels, "spans", 32)
    return load("AutoModelForTokenClassification", path, num_labels=3, **DRY), how, tagging.RECIPE, rows


def of_answers(folder):
    path = bert(folder / "base")
    rows = [Example(n, text="who ?", pair=text, answers=((text.split()[0], 0),)) for n, text in enumerate(texts(12))]
    # One width: the softmax over positions goes over padding too, as in transformers' own loss.
    how = Encoding(AutoTokenizer.from_pretrained(path), None, "answerable", 32, stride=8)
    return load("AutoModelForQuestionAnswering", path, **DRY), how, answers.RECIPE, rows


def of_next_tokens(folder):
    path = gpt2(folder / "base", pad="eos", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    how = Encoding(AutoTokenizer.from_pretrained(path), None, "", 64, merge=None)
    return (
        load("AutoModelForCausalLM", path),
        how,
        language.GENERATION,
        [Example(n, text=t) for n, t in enumerate(texts(12))],
    )


def of_targets(folder):
    path = t5(folder / "base", dropout_rate=0.0)
    how = Encoding(AutoTokenizer.from_pretrained(path), None, "", 64)
    rows = [Example(n, text=t, target=" ".join(t.split()[: 1 + n % 5])) for n, t in enumerate(texts(12))]
    return load("AutoModelForSeq2SeqLM", path), how, sequences.RECIPE, rows


DRY = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ALL = [of_classes, of_several_classes, of_numbers, of_tags, of_answers, of_next_tokens, of_targets]


@pytest.mark.parametrize("kind", ALL)
def test_four_batches_of_two_train_as_one_of_eight_and_so_does_an_incomplete_last_step(tmp_path, kind):
    large, after_large = trained(tmp_path / "a", *kind(tmp_path / "a"), LARGE)
    small, after_small = trained(tmp_path / "b", *kind(tmp_path / "b"), SMALL)
    assert len(large) == len(small) == 2
    assert small == [pytest.approx(step, rel=1e-4) for step in large]
    for name, value in after_large.items():
        torch.testing.assert_close(after_small[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [of_classes, of_next_tokens, of_targets])
def test_label_smoothing_adds_up_too_and_changes_the_loss(tmp_path, kind):
    large, _ = trained(tmp_path / "a", *kind(tmp_path / "a"), LARGE | {"label_smoothing_factor": 0.2})
    small, _ = trained(tmp_path / "b", *kind(tmp_path / "b"), SMALL | {"label_smoothing_factor": 0.2})
    sharp, _ = trained(tmp_path / "c", *kind(tmp_path / "c"), LARGE)
    assert small == [pytest.approx(step, rel=1e-4) for step in large]
    assert large[0][0] != pytest.approx(sharp[0][0], rel=1e-5)


def test_label_smoothing_of_several_classes_is_left_out_with_a_warning(tmp_path, caplog):
    smooth, _ = trained(tmp_path / "a", *of_several_classes(tmp_path / "a"), LARGE | {"label_smoothing_factor": 0.2})
    plain, _ = trained(tmp_path / "b", *of_several_classes(tmp_path / "b"), LARGE)
    assert smooth == plain
    assert "label_smoothing_factor is left out" in caplog.text


def test_the_loss_of_the_first_step_is_the_mean_over_all_tokens_of_the_large_batch(tmp_path):
    """By hand: rows of unequal length, so the mean of micro-batch means would be another number."""
    model, how, recipe, rows = of_tags(tmp_path)
    table = recipe.encode(rows[:8], how, True)
    batch = recipe.collate(how)(table)
    with torch.no_grad():
        logits = model(**{key: batch[key] for key in ("input_ids", "attention_mask", "token_type_ids")}).logits
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
    logs, _ = trained(tmp_path, model, how, recipe, rows, SMALL)
    assert logs[0][0] == pytest.approx(float(expected), rel=1e-5)


def test_a_users_loss_is_called_with_the_outputs_the_labels_and_the_items_of_the_whole_step(tmp_path):
    seen = []

    def loss(outputs, labels, num_items_in_batch=None):
        seen.append((int(num_items_in_batch), len(labels)))
        return torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum") / num_items_in_batch

    small, after = trained(tmp_path / "a", *of_classes(tmp_path / "a"), SMALL, compute_loss_func=loss)
    large, expected = trained(tmp_path / "b", *of_classes(tmp_path / "b"), LARGE)
    assert seen == [(8, 2)] * 4 + [(4, 2)] * 2
    assert small == [pytest.approx(step, rel=1e-4) for step in large]
    for name, value in expected.items():
        torch.testing.assert_close(after[name], value, rtol=1e-4, atol=1e-6)


class Plain(torch.nn.Module):
    """A module outside transformers, with a configuration and a loss of its own (txtai's example 21)."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.config = transformers.PretrainedConfig()
        self.embed, self.head = torch.nn.Embedding(400, 8), torch.nn.Linear(8, 3)

    def forward(self, input_ids, labels=None, **others):
        assert "num_items_in_batch" not in others
        logits = self.head(self.embed(input_ids).mean(1))
        return (None, logits) if labels is None else (torch.nn.functional.cross_entropy(logits, labels), logits)


def test_a_plain_module_trains_by_its_own_loss_divided_by_the_accumulation_steps(tmp_path):
    how, rows = encoding(), examples(12)
    rows = [Example(row.id, text="great phone", label=row.label) for row in rows]  # equal lengths: no padding to see
    large, after_large = trained(tmp_path / "a", Plain(), how, classification.RECIPE, rows, LARGE)
    small, after_small = trained(tmp_path / "b", Plain(), how, classification.RECIPE, rows, SMALL)
    assert small == [pytest.approx(step, rel=1e-4) for step in large]
    torch.testing.assert_close(after_small["head.weight"], after_large["head.weight"])


def test_a_plain_module_is_evaluated_and_saved_with_its_weights(tmp_path):
    from safetensors.torch import load_file

    valid = examples(4)
    it = trainer(tmp_path, model=Plain(), valid=valid, max_steps=1)
    it.train()
    assert it.evaluate()["eval_loss"] > 0
    it.save_model()
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert torch.equal(saved["head.weight"], it.model.head.weight)


def test_a_batch_has_no_key_that_the_model_does_not_take_but_the_places_of_its_examples(tmp_path):
    plain = classification.RECIPE.collate(encoding())
    it = trainer(tmp_path, data_collator=lambda rows: plain(rows) | {"note": torch.ones(len(rows))})
    batch = next(iter(it.get_train_dataloader()))
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", "labels", "example"}
    assert batch["example"].shape == (2, 1)
    assert "example" not in next(iter(it.get_eval_dataloader(it.train_dataset)))
