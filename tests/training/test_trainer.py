"""The training loop: stops before harm, resumes bit for bit, scores every row in its place, writes no pickle."""

import hashlib
import inspect
import json
import math

import numpy as np
import pytest
import torch
import transformers
from datasets import Dataset
from transformers import AutoTokenizer, EarlyStoppingCallback, TrainerCallback

from tiny import t5
from training_kit import NAMES, classifier, encoding, equal, examples, features, trainer, weights
from tunesmith.data.labels import Labels
from tunesmith.errors import ArtifactError, Diverged
from tunesmith.folder import RunFolder
from tunesmith.tasks.base import Account, Example, Examples
from tunesmith.training import checkpoints, sequences
from tunesmith.training.recipe import Encoding

IN_ORDER = {"train_sampling_strategy": "sequential"}


class At(TrainerCallback):
    """Keeps the weights of every step; stops (and saves) after one."""

    def __init__(self, stop=None):
        self.stop, self.weights = stop, {}

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.weights[state.global_step] = weights(model)
        if state.global_step == self.stop:
            control.should_training_stop = control.should_save = True


# ---- resuming ----


@pytest.mark.parametrize("stop", [2, 3, 4], ids=["within an epoch", "at its end", "in the second"])
def test_a_stopped_and_resumed_run_ends_in_the_same_weights_bit_for_bit(tmp_path, stop):
    settings = {"gradient_accumulation_steps": 2, "num_train_epochs": 2, "learning_rate": 1e-3}  # 3 steps an epoch
    whole = trainer(tmp_path / "a", model=classifier(tmp_path / "a", dropout=0.3), **settings)
    whole.train()
    first = trainer(tmp_path / "b", model=classifier(tmp_path / "b", dropout=0.3), callbacks=[At(stop)], **settings)
    first.train()
    torch.manual_seed(99)
    second = trainer(tmp_path / "b", model=classifier(tmp_path / "c", dropout=0.3), **settings)
    second.train(resume_from_checkpoint=True)
    assert whole.state.global_step == second.state.global_step == 6
    assert not equal(weights(first.model), weights(whole.model))
    assert equal(weights(second.model), weights(whole.model))


def test_a_broken_newest_checkpoint_is_passed_over_and_a_broken_given_one_is_an_error(tmp_path, caplog):
    settings = {"max_steps": 3, "save_strategy": "steps", "save_steps": 1}
    trainer(tmp_path, **settings).train()
    out = tmp_path / "out"
    with (out / "checkpoint-3" / "optimizer.pt").open("ab") as file:
        file.write(b"x")
    assert checkpoints.newest(out) == out / "checkpoint-2"
    it = trainer(tmp_path, **settings)
    with pytest.raises(ArtifactError, match=r"optimizer\.pt has"):
        it.train(resume_from_checkpoint=str(out / "checkpoint-3"))
    it.train(resume_from_checkpoint=True)
    assert "checkpoint-3 is passed over" in caplog.text
    assert checkpoints.verify(out / "checkpoint-3") == []  # written anew


def test_resuming_without_a_checkpoint_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint to resume from"):
        trainer(tmp_path).train(resume_from_checkpoint=True)


# ---- losses that are not finite ----


def numbers(bad=None):
    """Regression rows 100 … 111; the loss of row `bad` is infinite."""
    rows = [Example(row.id, text=row.text, label=1e30 if row.id == bad else 0.5) for row in examples(12)]
    return Examples(rows, Labels("regression"), Account(12), "numbers", "regression")


def regression(place, bad, **settings):
    rows, how = numbers(bad), encoding("regression", Labels("regression"))
    model = classifier(place, labels=1)
    return trainer(place, train=rows, model=model, encoding=how, learning_rate=1e-2, **IN_ORDER, **settings)


def test_an_infinite_loss_stops_before_the_step_with_the_rows_of_the_batch_and_the_last_good_state_saved(tmp_path):
    kept = At()
    it = regression(tmp_path, bad=107, gradient_accumulation_steps=2, callbacks=[kept], max_steps=3)
    with pytest.raises(Diverged) as caught:
        it.train()
    assert (caught.value.step, caught.value.value, caught.value.rows) == (2, math.inf, (106, 107))
    assert "the loss is inf at step 2, in the batch of rows 106, 107" in str(caught.value)
    folder = tmp_path / "out" / "checkpoint-1"
    assert f"the state after step 1 is kept in {folder}" in str(caught.value)
    assert checkpoints.verify(folder) == []
    assert equal(weights(it.model), kept.weights[1])
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in it.model.parameters())
    steps = {int(state["step"]) for state in it.optimizer.state_dict()["state"].values()}
    assert steps == {1}


def test_after_the_rows_are_mended_the_run_goes_on_as_if_nothing_had_been(tmp_path):
    with pytest.raises(Diverged):
        regression(tmp_path / "a", bad=107, max_steps=6).train()
    mended = regression(tmp_path / "a", bad=None, max_steps=6)
    mended.train(resume_from_checkpoint=True)
    whole = regression(tmp_path / "b", bad=None, max_steps=6)
    whole.train()
    assert equal(weights(mended.model), weights(whole.model))


def test_a_stale_checkpoint_of_the_same_step_is_not_taken_for_the_last_good_state(tmp_path):
    trainer(tmp_path, max_steps=1, save_strategy="steps", save_steps=1, **IN_ORDER).train()  # another model, step 1
    with pytest.raises(Diverged):
        regression(tmp_path, bad=102).train()
    config = json.loads((tmp_path / "out" / "checkpoint-1" / "config.json").read_text())
    assert len(config["id2label"]) == 1


def test_without_a_folder_nothing_is_saved_of_a_run_that_diverges_and_the_message_says_so(tmp_path):
    it = regression(tmp_path, bad=103, folder=RunFolder(None))
    with pytest.raises(Diverged, match="the model in memory is that of step 1; nothing was saved"):
        it.train()
    assert list((tmp_path / "out").iterdir()) == []


def test_at_the_first_step_the_model_is_as_it_was_given(tmp_path):
    it = regression(tmp_path, bad=100)
    before = weights(it.model)
    with pytest.raises(Diverged, match=r"at step 1, in the batch of rows 100, 101; no step was taken"):
        it.train()
    assert equal(weights(it.model), before)
    assert list((tmp_path / "out").iterdir()) == []


# ---- evaluation ----


def by_hand(model, how, rows):
    """(mean loss, predicted names) of one batch of all rows."""
    from tunesmith.training.classification import RECIPE

    batch = RECIPE.collate(how)(RECIPE.encode(rows, how, True))
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model.eval()(**batch).logits
    loss = torch.nn.functional.cross_entropy(logits, labels)
    return float(loss), [NAMES[place] for place in logits.argmax(-1).tolist()]


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_scores_are_exact_over_all_rows_whatever_the_batches_and_the_sampler(tmp_path, strategy):
    valid = examples(11, start=500)  # batches of 4, 4 and 3
    it = trainer(tmp_path, valid=valid, per_device_eval_batch_size=4, train_sampling_strategy=strategy, seed=1)
    loss, names = by_hand(it.model, it.encoding, valid)
    metrics = it.evaluate()
    assert metrics["eval_loss"] == pytest.approx(loss, rel=1e-5)
    right = [name == row.label for name, row in zip(names, valid, strict=True)]
    assert metrics["eval_accuracy"] == pytest.approx(sum(right) / 11)
    assert 0 < sum(right) < 11
    found = it.predict(it.eval_dataset).predictions
    assert [(each.id, each.label) for each in found] == list(zip([row.id for row in valid], names, strict=True))


def test_callbacks_hear_of_every_batch_of_an_evaluation(tmp_path):
    heard = []

    class Heard(TrainerCallback):
        def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
            heard.append(len(eval_dataloader))

    it = trainer(tmp_path, valid=examples(11), per_device_eval_batch_size=4, callbacks=[Heard()])
    it.evaluate()
    assert heard == [3, 3, 3]


def test_several_validation_sets_are_scored_against_their_own_rows(tmp_path):
    first, second, how = examples(5), examples(7, start=900), encoding()
    tables = {"near": features(first, how), "far": features(second, how)}
    it = trainer(tmp_path, eval_dataset=tables, eval_examples={"near": first, "far": second})
    metrics = it.evaluate()
    for name, rows in (("near", first), ("far", second)):
        loss, names = by_hand(it.model, how, rows)
        right = [name == row.label for name, row in zip(names, rows, strict=True)]
        assert metrics[f"eval_{name}_loss"] == pytest.approx(loss, rel=1e-5)
        assert metrics[f"eval_{name}_accuracy"] == pytest.approx(sum(right) / len(rows))


def test_a_users_metrics_get_logits_and_label_ids_of_all_rows(tmp_path):
    seen = []

    def metrics(prediction):
        seen.append((prediction.predictions.shape, prediction.label_ids.tolist()))
        return {"mine": 0.25}

    valid = examples(7)
    it = trainer(tmp_path, valid=valid, compute_metrics=metrics, per_device_eval_batch_size=4)
    assert it.evaluate()["eval_mine"] == 0.25
    assert seen == [((7, 3), [NAMES.index(row.label) for row in valid])]


def test_a_users_metrics_get_generated_tokens_where_generation_is_asked_for(tmp_path):
    path = t5(tmp_path / "base")
    how = Encoding(AutoTokenizer.from_pretrained(path), None, "", 16)
    rows = [Example(n, text="the phone is great", target="good phone") for n in range(3)]
    table = Dataset.from_list(sequences.RECIPE.encode(rows, how, True))
    seen = []
    it = trainer(
        tmp_path,
        model=transformers.AutoModelForSeq2SeqLM.from_pretrained(path),
        encoding=how,
        recipe=sequences.RECIPE,
        train_dataset=table,
        eval_dataset=table,
        predict_with_generate=True,
        generation_max_length=6,
        compute_metrics=lambda prediction: seen.append(prediction) or {"rows": len(prediction.predictions)},
    )
    assert it.evaluate()["eval_rows"] == 3
    assert np.issubdtype(seen[0].predictions.dtype, np.integer)


def test_a_users_loss_is_what_evaluation_measures(tmp_path):
    def loss(outputs, labels, num_items_in_batch=None):
        return 2 * torch.nn.functional.cross_entropy(outputs.logits, labels, reduction="sum") / num_items_in_batch

    valid = examples(11)
    it = trainer(tmp_path, valid=valid, compute_loss_func=loss, per_device_eval_batch_size=4)
    assert it.evaluate()["eval_loss"] == pytest.approx(2 * by_hand(it.model, it.encoding, valid)[0], rel=1e-5)


def test_an_evaluation_leaves_training_as_it_was(tmp_path):
    settings = {"num_train_epochs": 2, "learning_rate": 1e-3}
    for name, more in (("a", {}), ("b", {"eval_strategy": "epoch"})):
        it = trainer(
            tmp_path / name, model=classifier(tmp_path / name, dropout=0.3), valid=examples(4), **settings, **more
        )
        it.train()
        if name == "a":
            expected = weights(it.model)
    assert equal(weights(it.model), expected)


# ---- files ----


def test_nothing_that_is_saved_is_a_pickle_of_objects(tmp_path):
    it = trainer(tmp_path, max_steps=1, save_strategy="steps", save_steps=1, hub_token="hf_abcdefghijklmnopqrst")
    it.train()
    it.save_model()
    out = tmp_path / "out"
    names = {path.name for path in out.rglob("*") if path.is_file()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "training_args.json", "manifest.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pkl", ".pickle"))]
    assert json.loads((out / "training_args.json").read_text())["max_steps"] == 1
    assert not [path for path in out.rglob("*.json") if "hf_abc" in path.read_text()]
    for path in out.rglob("*.pt"):
        torch.load(path, weights_only=True)


def scripted(*values):
    """A metrics function that gives one value an evaluation."""
    left = list(values)
    return lambda prediction: {"mine": left.pop(0)}


WATCHED = {"eval_strategy": "epoch", "save_strategy": "epoch", "metric_for_best_model": "mine", "learning_rate": 1e-3}
BEST = WATCHED | {"load_best_model_at_end": True, "num_train_epochs": 4}  # 6 steps an epoch


def test_the_best_checkpoint_is_known_by_its_final_path_survives_rotation_and_is_loaded(tmp_path):
    kept = At()
    it = trainer(
        tmp_path,
        valid=examples(4),
        callbacks=[kept],
        compute_metrics=scripted(0.1, 0.9, 0.5, 0.4),
        save_total_limit=2,
        **BEST,
    )
    it.train()
    out = tmp_path / "out"
    assert it.state.best_model_checkpoint == str(out / "checkpoint-12")
    assert {path.name for path in out.iterdir()} == {"checkpoint-12", "checkpoint-24"}
    for folder in out.iterdir():
        assert checkpoints.verify(folder) == []
        told = json.loads((folder / "trainer_state.json").read_text())
        assert told["best_model_checkpoint"] == it.state.best_model_checkpoint
    assert equal(weights(it.model), kept.weights[12])


def test_early_stopping_ends_training(tmp_path):
    early = EarlyStoppingCallback(1)
    it = trainer(tmp_path, valid=examples(4), callbacks=[early], compute_metrics=scripted(0.5, 0.4), **BEST)
    it.train()
    assert it.state.epoch == 2


def test_a_failed_save_leaves_the_arguments_as_they_were(tmp_path):
    it = trainer(tmp_path, max_steps=1, save_strategy="steps", save_steps=1, save_total_limit=3)
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OSError):
        it.train()
    assert (it.args.output_dir, it.args.save_total_limit) == (str(tmp_path / "out"), 3)


FORMS = {
    "_save_checkpoint": "a9111e30faa9933986e022e56b5af81fd990356db64d727b4c320c852283bf3b",
    "_save": "b136889e8792837686efc159b5297c5cc60d68d75102d0b0c643c136c57223ce",
    "_clip_grad_norm": "ebfa9dc91d3088aba72171b63dad101b1d91d8470b871394b027302e472487a4",
    "_get_grad_norm": "913ba6f52f074d10a4981ffcaac608e99d1b9caaa21666d86f3ea0ad91f05753",
    "_get_output_dir": "97172085342ac46c33cb3d63ab5160c33eb66d24e3a0e5c339c5bbb8b3862980",
}


@pytest.mark.parametrize("name", FORMS)
def test_the_private_methods_of_transformers_that_are_built_on_have_the_form_that_was_read(name):
    source = inspect.getsource(getattr(transformers.Trainer, name))
    found = hashlib.sha256(source.encode()).hexdigest()
    assert found == FORMS[name], (
        f"transformers {transformers.__version__} has another Trainer.{name}. Read it against training/saving.py: "
        "which folder it writes to (args.output_dir/checkpoint-N), what it saves and in which order, when it sets "
        "best_model_checkpoint, pushes and rotates, and what pickle it writes; of gradient norms, what clips them and "
        "when. Then store the new hash here."
    )
