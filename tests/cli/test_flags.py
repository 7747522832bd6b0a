"""Flags: how a command line becomes settings."""

import pytest

from tunesmith.cli import training
from tunesmith.cli.flags import read_columns
from tunesmith.config import arguments
from tunesmith.errors import ConfigError


def given(*words):
    """The settings that differ from what the command line sets by itself."""
    source, settings, _ = training.read(["rows.csv", *words])
    assert source == "rows.csv"
    own = training.read(["rows.csv"])[1]
    return {name: value for name, value in settings.items() if name not in own or own[name] != value}


def told(*words):
    with pytest.raises(ConfigError) as caught:
        training.read(["rows.csv", *words])
    return str(caught.value)


def test_the_command_line_writes_to_model_and_draws_its_own_progress():
    assert training.read(["rows.csv"])[1] == {"output_dir": "model", "disable_tqdm": True, "logging_steps": 0.01}


def test_a_logging_strategy_of_the_user_keeps_its_steps():
    assert "logging_steps" not in training.read(["rows.csv", "--logging-strategy", "epoch"])[1]


def test_evaluation_steps_do_not_follow_from_the_progress():
    settings = training.read(["rows.csv", "--eval-strategy", "steps"])[1]
    assert "logging_steps" not in settings


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["--bf16"], {"bf16": True}),
        (["--bf16", "false"], {"bf16": False}),
        (["--bf16=true"], {"bf16": True}),
        (["--no-bf16"], {"bf16": False}),
        (["--no-cache"], {"cache": False}),
        (["--lora"], {"lora": True}),
        (["--no-lora"], {"lora": False}),
        (["--lora", '{"r": 4}'], {"lora": {"r": 4}}),
        (["--lora", "r=4,lora_dropout=0.1,use_dora=true"], {"lora": {"r": 4, "lora_dropout": 0.1, "use_dora": True}}),
        (["--quantize", "always"], {"quantize": "always"}),
        (["--quantize", "--lora"], {"quantize": True, "lora": True}),
        (["--checkpoint"], {"checkpoint": True}),
        (["--checkpoint", "out/checkpoint-3"], {"checkpoint": "out/checkpoint-3"}),
        (["--early-stopping", "3"], {"early_stopping": 3}),
        (["--no-early-stopping"], {"early_stopping": False}),
        (["--validation", "0.2", "--test", "dev.csv"], {"validation": 0.2, "test": "dev.csv"}),
        (["--merge", "none"], {"merge": None}),
        (["--merge", "pack"], {"merge": "pack"}),
        (["--report-to", "none"], {"report_to": "none"}),
        (["--report-to", "wandb,tensorboard"], {"report_to": ["wandb", "tensorboard"]}),
        (["--label-names", "a"], {"label_names": ["a"]}),
        (["--distillation", "2,0.3"], {"distillation": (2.0, 0.3)}),
        (["--tokenizers", "2"], {"tokenizers": 2}),
        (["--tokenizers"], {"tokenizers": True}),
        (["--model-args", "revision=main,trust_remote_code=false"],
         {"model_args": {"revision": "main", "trust_remote_code": False}}),
        (["--base", "123"], {"base": "123"}),
        (["--from-scratch", "bert-tiny"], {"from_scratch": "bert-tiny"}),
        (["--learning-rate", "5e-6"], {"learning_rate": 5e-6}),
        (["--warmup-steps", "10"], {"warmup_steps": 10}),
        (["--max-steps", "-1"], {"max_steps": -1}),
        (["--learning_rate=1e-3"], {"learning_rate": 1e-3}),
        (["--fsdp"], {"fsdp": True}),
        (["--output-dir", ""], {"output_dir": ""}),
        (["--prefix", "summarize: "], {"prefix": "summarize: "}),
    ],
)  # fmt: skip
def test_a_flag_is_read_by_its_type(words, settings):
    assert given(*words) == settings


@pytest.mark.parametrize("flag", ["--bf16", "--lora", "--quantize", "--no-cache", "--tokenizers"])
def test_a_flag_that_is_true_leaves_the_file_alone(flag):
    source, settings, _ = training.read([flag, "rows.csv"])
    assert source == "rows.csv"
    assert any(value in (True, False) for name, value in settings.items() if name != "disable_tqdm")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("text", "text"),
        ("text,label", ("text", "label")),
        ("a, ,b", ("a", None, "b")),
        ("text=review, label=stars", {"text": "review", "label": "stars"}),
        ('{"text": "a,b"}', {"text": "a,b"}),
    ],
)
def test_columns_go_by_place_or_by_role(text, columns):
    assert read_columns(text) == columns


def test_an_unknown_flag_names_the_nearest():
    assert told("--lerning-rate", "1") == "unknown flag --lerning-rate. Did you mean '--learning-rate'?"


def test_a_replaced_flag_says_by_what():
    assert told("--evaluation-strategy", "epoch") == (
        "unknown flag --evaluation-strategy: transformers 5 calls it `eval_strategy`."
    )


def test_what_transformers_calls_otherwise_is_said_to_transformers_alone():
    assert told("--framework", "setfit", "--epochs", "2") == "unknown flag --epochs. Did you mean '--num-epochs'?"


def test_flags_are_not_shortened():
    assert told("--learning", "1").startswith("unknown flag --learning.")


def test_a_wrong_value_is_told_by_its_flag():
    assert told("--merge", "pak") == "--merge is 'pak': expected one of 'concat', 'pack', or None."
    assert told("--lora", "{r: 4") == "'{r: 4' is no JSON: Expecting property name enclosed in double quotes: " + (
        "line 1 column 2 (char 1)."
    )


def test_a_flag_without_its_value_says_so():
    assert told("--limit") == "argument --limit: expected one argument. See `tunesmith train --help`."


def test_without_a_file_the_run_file_must_name_the_data(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("base: minilm\n")
    with pytest.raises(ConfigError) as caught:
        training.read(["--config", str(file)])
    assert str(caught.value).startswith(
        "FILE is missing: give the training data, --name with a stored data set, or a run"
    )


def test_a_flag_wins_over_the_run_file_and_the_run_file_over_the_defaults(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("train: rows.csv\nlearning_rate: 1e-4\nnum_train_epochs: 2\noutput_dir: there\n")
    source, settings, _ = training.read(["--config", str(file), "--learning-rate", "3e-4"])
    assert source == "rows.csv"
    assert settings == {
        "learning_rate": 3e-4, "num_train_epochs": 2, "output_dir": "there", "disable_tqdm": True,
        "logging_steps": 0.01,
    }  # fmt: skip
    assert training.read(["other.csv", "--config", str(file)])[0] == "other.csv"


def test_the_help_names_every_flag():
    shown = training.explain()
    for argument in arguments().values():
        assert argument.name == "train" or argument.flag in shown.split(), argument.flag


def test_the_help_fits_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    long = [line for line in training.explain().splitlines() if len(line) > 100]
    assert long == []
