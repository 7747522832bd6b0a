"""Training arguments: whose value wins, what is refused, what is written, where a run works without a folder."""

import json
from pathlib import Path

import pytest
import torch

from training_kit import classifier, equal, examples, trainer, weights
from tunesmith.errors import ConfigError, UnknownSetting
from tunesmith.training import arguments


def build(folder, **settings):
    return arguments.build(settings, output_dir=str(folder), seed=0)


def test_the_users_value_wins_over_the_frameworks_and_that_over_ours(tmp_path):
    ours = build(tmp_path)
    assert (ours.save_strategy, ours.report_to, ours.log_level, ours.logging_nan_inf_filter) == (
        "no",
        [],
        "warning",
        False,
    )
    assert (ours.num_train_epochs, ours.learning_rate, ours.per_device_train_batch_size) == (3, 5e-5, 8)
    theirs = {"learning_rate": 1e-3, "save_strategy": "epoch"}
    made = arguments.build({"learning_rate": 1e-2}, output_dir=str(tmp_path), seed=0, defaults=theirs)
    assert (made.learning_rate, made.save_strategy) == (1e-2, "epoch")


def test_seed_zero_is_a_seed(tmp_path):
    assert build(tmp_path).seed == 0


def test_the_cpu_is_used_where_there_is_no_accelerator(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert arguments.accelerator()
    monkeypatch.setenv("PYTORCH_MPS_DISABLE", "1")
    assert not arguments.accelerator()
    assert build(tmp_path).use_cpu


@pytest.mark.parametrize(
    ("name", "nearest"), [("learning_rat", "learning_rate"), ("evaluation_strategy", "eval_strategy")]
)
def test_an_unknown_argument_is_a_type_error_that_names_the_nearest(tmp_path, name, nearest):
    with pytest.raises(TypeError, match=f"unknown setting '{name}'. Did you mean '{nearest}'") as caught:
        build(tmp_path, **{name: 1})
    assert isinstance(caught.value, UnknownSetting)


def test_a_bad_value_is_named_with_what_was_expected(tmp_path):
    with pytest.raises(ConfigError, match="'eval_strategy' is 'epochs': expected one of 'no', 'steps', 'epoch'"):
        build(tmp_path, eval_strategy="epochs")


def test_values_that_do_not_go_together_are_refused_in_transformers_words(tmp_path):
    with pytest.raises(ConfigError, match="At most one of fp16 and bf16 can be True") as caught:
        build(tmp_path, fp16=True, bf16=True)
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_empty_output_dir_is_refused_before_the_working_directory_is_written(tmp_path):
    with pytest.raises(ConfigError, match="output_dir"):
        arguments.build({}, output_dir="", seed=0)


def test_the_best_model_is_saved_where_it_is_asked_for_and_no_strategy_named(tmp_path):
    made = build(tmp_path, load_best_model_at_end=True, eval_strategy="steps", eval_steps=3)
    assert (made.save_strategy, made.save_steps) == ("steps", 3)


def test_pushing_from_a_temporary_folder_needs_a_name_for_the_repository():
    with arguments.workspace("") as folder, pytest.raises(ConfigError, match="a `hub_model_id`, or an `output_dir`"):
        build(folder, push_to_hub=True)


def test_without_an_output_dir_the_workspace_is_temporary_and_gone_after(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with arguments.workspace("") as folder:
        (folder / "file").write_text("x")
        assert folder.is_dir()
        assert Path.cwd() not in folder.parents
    assert not folder.exists()
    with arguments.workspace(tmp_path / "kept") as folder:
        (folder / "file").write_text("x")
    assert (tmp_path / "kept" / "file").exists()


def test_the_processes_of_one_distributed_run_share_a_temporary_folder(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "MASTER_PORT": "29533", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with arguments.workspace("") as other:
        monkeypatch.setenv("LOCAL_RANK", "0")
        with arguments.workspace("") as first:
            assert first == other
        assert not first.exists()


def test_without_an_output_dir_the_best_model_is_loaded_and_the_working_directory_is_untouched(tmp_path, monkeypatch):
    """txtai left checkpoints in the working directory, and did not load the best model (its defect 18)."""
    here = tmp_path / "here"
    here.mkdir()
    model = classifier(tmp_path)
    monkeypatch.chdir(here)
    with arguments.workspace("") as folder:
        values = [0.1, 0.9, 0.5]
        settings = {"num_train_epochs": 3, "load_best_model_at_end": True, "eval_strategy": "epoch"}
        settings |= {"metric_for_best_model": "mine", "compute_metrics": lambda _: {"mine": values.pop(0)}}
        it = trainer(folder, model=model, valid=examples(5, start=500), **settings)
        kept = {}
        it.add_callback(Snapshots(kept))
        it.train()
        assert it.state.best_global_step == 12
        assert equal(weights(it.model), kept[12])
    assert list(here.iterdir()) == []


def Snapshots(kept):
    from transformers import TrainerCallback

    class Each(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            kept[state.global_step] = weights(model)

    return Each()


def test_the_arguments_are_written_as_json_with_secrets_masked_and_nothing_else(tmp_path):
    settings = {"hub_token": "hf_abcdefghijklmnopqrstuvwxyz", "run_name": "try hf_abcdefghijklmnopqrstuvwxyz"}
    arguments.dump(build(tmp_path, **settings), tmp_path / "training_args.json")
    text = (tmp_path / "training_args.json").read_text()
    told = json.loads(text)
    assert "hf_abc" not in text
    assert told["include_num_input_tokens_seen"] == "no"
    assert told["average_tokens_across_devices"] is True
    assert told["learning_rate"] == 5e-5
    assert [path.name for path in tmp_path.iterdir()] == ["training_args.json"]


def test_secrets_are_masked_at_any_depth_by_name_and_by_form():
    nested = {
        "wandb_api_key": "x",
        "inner": [{"apiKey": "y", "password": "z"}],
        "label_names": ["sk-abcdefghijklmnop1234"],
    }
    assert arguments.masked(nested) == {
        "wandb_api_key": "***", "inner": [{"apiKey": "***", "password": "***"}], "label_names": ["***"],
    }  # fmt: skip
    assert arguments.masked({"length_column_name": "length", "hub_token": None}) == {
        "length_column_name": "length", "hub_token": None,
    }  # fmt: skip


def test_who_says_how_often_to_save_has_it_saved(tmp_path):
    assert build(tmp_path, save_steps=20).save_strategy == "steps"
    assert build(tmp_path, save_steps=20, save_strategy="no").save_strategy == "no"
