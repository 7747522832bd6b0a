"""Settings: routing, checks, what is written down, run files, and their schema."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tunesmith.config import Settings, arguments, settings
from tunesmith.errors import ConfigError, UnknownSetting
from tunesmith.hooks import Hooks
from tunesmith.run_file import json_schema
from tunesmith.training_arguments import training_arguments


def error(**given):
    with pytest.raises(ConfigError) as caught:
        Settings.make(**given)
    return str(caught.value)


# Routing


def test_keywords_go_to_settings_or_to_the_training_arguments():
    made = Settings.make(base="minilm", validation=0.2, learning_rate=1e-4, eval_strategy="epoch")
    assert (made.base, made.validation) == ("minilm", 0.2)
    assert made.training == {"learning_rate": 1e-4, "eval_strategy": "epoch"}


def test_only_named_training_arguments_are_kept():
    assert Settings.make().training == {}


def test_seed_and_output_dir_are_settings_though_transformers_has_them_too():
    made = Settings.make(seed=0, output_dir=Path("out"))
    assert (made.seed, made.output_dir, made.training) == (0, "out", {})


def test_every_training_argument_can_be_named():
    for name, argument in training_arguments().items():
        if argument.default is not None:
            Settings.make(**{name: argument.default})


def test_an_unknown_keyword_names_the_nearest_and_is_a_type_error_too():
    assert error(lerning_rate=1) == "unknown setting 'lerning_rate'. Did you mean 'learning_rate'?"
    with pytest.raises(TypeError):
        Settings.make(lerning_rate=1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("evaluation_strategy", "transformers 5 calls it `eval_strategy`"),
        ("warmup_ratio", "use warmup_steps: a value below 1, such as warmup_steps=0.1, is the ratio"),
        ("no_cuda", "transformers 5 calls it `use_cpu`"),
        ("group_by_length", 'use train_sampling_strategy="group_by_length"'),
        ("overwrite_output_dir", "transformers 5 dropped it; use checkpoint=True to resume, or another output_dir"),
        ("tokenizer", "give the pair base=(model, tokenizer)"),
        ("callbacks", "it is a live object: in Python, tunesmith.train(callbacks=…) takes it"),
    ],
)
def test_a_name_that_was_replaced_says_by_what(name, told):
    assert error(**{name: "x"}) == f"unknown setting {name!r}: {told}."


def test_hooks_hold_live_objects_and_default_to_none_of_them():
    assert Hooks() == Hooks(metrics=None, callbacks=(), optimizers=(None, None), loss=None)


# Checks


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"merge": "pak"}, "one of 'concat', 'pack', or None"),
        ({"bad_rows": "skip"}, "one of 'error', 'drop'"),
        ({"label_kind": "multiple"}, "one of 'single', 'multi', 'regression', or None"),
        ({"validation": 1.0}, "a fraction between 0 and 1, a path, a list of paths, a split name, or data"),
        ({"validation": 0.0}, "a fraction between 0 and 1, a path, a list of paths, a split name, or data"),
        ({"test": 100}, "a fraction between 0 and 1, a path, a list of paths, a split name, or data"),
        ({"limit": -1}, "a whole number, 1 or more, or None"),
        ({"limit": 0}, "a whole number, 1 or more, or None"),
        ({"maxlength": "long"}, "a whole number, 1 or more, or None"),
        ({"stride": -1}, "a whole number, 0 or more"),
        ({"seed": True}, "a whole number, 0 or more"),
        ({"cache": "yes please"}, "true or false"),
        ({"lora": 16}, "true, false, or LoraConfig's arguments"),
        ({"quantize": "4bit"}, "true, false, 'always', or BitsAndBytesConfig's arguments"),
        ({"early_stopping": True}, "a number of evaluations from 1, or false"),
        ({"distillation": (0, 0.5)}, "a temperature above 0 and a share from 0 to 1"),
        ({"distillation": 0.5}, "a temperature above 0 and a share from 0 to 1"),
        ({"columns": ()}, "column names: a tuple, a mapping of role to column, or one name"),
        ({"columns": (1, 2)}, "column names: a tuple, a mapping of role to column, or one name"),
        ({"base": 3}, "an alias, a hub id, a folder, or a pair (model, tokenizer)"),
        ({"per_device_train_batch_size": 0}, "a whole number, 1 or more"),
        ({"learning_rate": -1}, "a number, 0 or more"),
        ({"num_train_epochs": None}, "a number, 0 or more"),
    ],
)
def test_a_value_that_cannot_be_used_says_what_was_expected(given, expected):
    ((key, value),) = given.items()
    assert error(**given) == f"setting {key!r} is {value!r}: expected {expected}."


def test_none_for_a_setting_that_cannot_be_none_is_its_default():
    made = Settings.make(distillation=None, stride=None, tokenizebatch=None, model_args=None, output_dir=None)
    assert made == Settings()


def test_merge_none_joins_nothing():
    assert Settings.make(merge=None).merge is None


@pytest.mark.parametrize("value", [None, True, False, "always", {}, {"load_in_8bit": True}])
def test_quantize_takes_all_its_forms(value):
    assert Settings.make(quantize=value).quantize == value


def test_the_callers_mappings_stay_the_callers():
    lora, model_args, columns = {"r": 4}, {"revision": "main"}, {"text": "review"}
    made = Settings.make(lora=lora, model_args=model_args, columns=columns)
    made.lora["task_type"] = "SEQ_CLS"
    made.model_args["token"] = "x"
    made.columns["label"] = "stars"
    assert (lora, model_args, columns) == ({"r": 4}, {"revision": "main"}, {"text": "review"})


def test_data_is_described_and_not_held():
    import pandas

    frame = pandas.DataFrame({"text": ["a", "b"], "label": [0, 1]})
    made = Settings.make(train=frame, validation=[{"text": "a"}], test=(row for row in ()))
    assert made.train == "<DataFrame of 2>"
    assert made.validation == "<list of 1>"
    assert made.test == "<generator>"


def test_the_task_regression_says_the_kind_of_labels_where_it_is_left_open():
    assert Settings.make(task="regression").label_kind == "regression"
    assert Settings.make(task="Regression", label_kind=None).label_kind == "regression"
    assert Settings.make(task="regression", label_kind="single").label_kind == "single"
    assert Settings.make(task="text-classification").label_kind is None


def test_the_framework_peft_says_lora_where_it_is_left_open():
    assert Settings.make(framework="peft").lora is True
    assert Settings.make(framework="PEFT", lora={"r": 4}).lora == {"r": 4}
    assert Settings.make(framework="peft", lora=False).lora is False
    assert Settings.make(framework="transformers").lora is None


def test_a_list_of_paths_is_kept_and_a_list_of_texts_described():
    made = Settings.make(train=["a.csv", Path("b.csv.gz")], validation=("c.jsonl",), test=["data/*.tsv"])
    assert (made.train, made.validation, made.test) == (["a.csv", "b.csv.gz"], ["c.jsonl"], ["data/*.tsv"])
    made = Settings.make(train=["It was good.", "It was bad."], validation=["a.csv", "no path"], test=[])
    assert (made.train, made.validation, made.test) == ("<list of 2>", "<list of 2>", "<list of 0>")


# What is written down


def test_settings_survive_a_run_file(tmp_path):
    made = Settings.make(
        base="minilm", columns=["text", "label"], lora={"r": 4}, learning_rate=1e-4, merge=None, early_stopping=False
    )
    file = tmp_path / "run.yaml"
    file.write_text(made.to_yaml())
    assert Settings.from_yaml(file) == made


def test_the_dictionary_is_json_and_holds_every_setting():
    made = Settings.make(max_steps=5, columns=("a", None, "b"))
    told = json.loads(json.dumps(made.to_dict()))
    assert set(settings()) <= set(told)
    assert (told["max_steps"], told["columns"]) == (5, ["a", None, "b"])


def test_tokens_are_never_written():
    secret = "hf_" + "a" * 30
    made = Settings.make(
        hub_token=secret, model_args={"token": secret, "revision": "main", "code_revision": secret}, run_name=secret
    )
    assert secret not in made.to_yaml()
    assert "hub_token" not in made.to_dict()
    assert made.training["hub_token"] == secret  # in use, all the same


def test_what_a_secret_key_holds_is_not_written_at_any_depth():
    made = Settings.make(model_args={"revision": "main", "proxies": {"password": "pw"}, "token": "of-another-form"})
    assert made.to_dict()["model_args"] == {"revision": "main", "proxies": {}}


def test_configuration_objects_are_written_as_mappings():
    from peft import LoraConfig

    told = json.loads(json.dumps(Settings.make(lora=LoraConfig(r=4, target_modules=["q", "k"])).to_dict()))
    assert (told["lora"]["r"], told["lora"]["target_modules"]) == (4, ["k", "q"])


def test_a_model_given_as_an_object_is_described():
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9)
    assert Settings.make(base=(BertModel(config), object())).to_dict()["base"] == "<BertModel>"


def test_dtypes_are_written_by_name():
    import torch

    assert Settings.make(model_args={"dtype": torch.bfloat16}).to_dict()["model_args"] == {"dtype": "bfloat16"}


# Run files


def run_file(tmp_path, text):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return file


def test_a_run_file_reads_numbers_none_and_dashes(tmp_path):
    text = "train: rows.csv\nlearning-rate: 5e-5\nmerge: None\neval_strategy: no\nreport_to: none\nlimit: null\n"
    made = Settings.from_yaml(run_file(tmp_path, text))
    assert (made.train, made.merge, made.limit) == ("rows.csv", None, None)
    assert made.training == {"learning_rate": 5e-5, "eval_strategy": "no", "report_to": "none"}


def test_a_run_file_spells_none_as_a_flag_does(tmp_path):
    text = "merge: none\nprefix: null\nlabel_kind: NONE\nlimit: Null\nreport_to: none\ncheckpoint: none\n"
    made = Settings.from_yaml(run_file(tmp_path, text))
    assert (made.merge, made.prefix, made.label_kind, made.limit, made.checkpoint) == (None,) * 5
    assert made.training == {"report_to": "none"}


def test_a_run_file_may_list_paths(tmp_path):
    made = Settings.from_yaml(run_file(tmp_path, "train: [u.csv, v.csv]\nvalidation:\n- w.csv\n"))
    assert (made.train, made.validation) == (["u.csv", "v.csv"], ["w.csv"])
    assert Settings.from_yaml(run_file(tmp_path, made.to_yaml())) == made


def test_an_empty_run_file_is_the_defaults(tmp_path):
    assert Settings.from_yaml(run_file(tmp_path, "# nothing\n")) == Settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("base: minilm\nlerning_rate: 1\n", "line 2: unknown setting 'lerning_rate'. Did you mean 'learning_rate'?"),
        ("base: minilm\n\nlimit: -1\n", "line 3: setting 'limit' is -1: expected a whole number, 1 or more, or None."),
    ],
)
def test_a_wrong_key_or_value_is_told_with_file_and_line(tmp_path, text, told):
    file = run_file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Settings.from_yaml(file)
    assert str(caught.value) == f"{file}, {told}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1\nb: 2\n", r"YAML \(line 2, column 2: .*\)"),
        ("- a\n- b\n", r"a YAML mapping of settings \(key: value\)"),
        ("seed: 1\nbase: x\nseed: 2\n", r"the key once; it stands in line 1 and in line 3"),
        ("a: !!python/object/apply:os.getcwd []\n", r"YAML \(line 1, column 4: could not determine a constructor .*\)"),
    ],
)
def test_what_is_no_mapping_of_settings_is_refused(tmp_path, text, told):
    with pytest.raises(ConfigError) as caught:
        Settings.from_yaml(run_file(tmp_path, text))
    assert re.search(rf"expected {told}\.$", str(caught.value)), str(caught.value)


def test_a_missing_run_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(ConfigError) as caught:
        Settings.from_yaml(tmp_path / "no.yaml")
    assert "expected a YAML file that can be read (No such file or directory)." in str(caught.value)


# Schema


def test_the_schema_has_every_setting_and_training_argument_with_type_default_and_description():
    told = json_schema(arguments())
    assert set(told["properties"]) == set(arguments())
    for name, each in told["properties"].items():
        assert "type" in each or "enum" in each, name
        assert "default" in each, name
        assert each["description"], name
    assert json.loads(json.dumps(told)) == told


def test_the_schema_says_types_and_choices():
    properties = json_schema(arguments())["properties"]
    assert properties["limit"]["type"] == ["integer", "null"]
    assert properties["limit"]["minimum"] == 1
    assert properties["merge"]["enum"] == ["concat", "pack", None]
    assert properties["validation"]["type"] == ["number", "string", "array", "null"]
    assert properties["train"]["type"] == ["string", "array", "null"]
    assert properties["learning_rate"] == {
        "type": "number",
        "minimum": 0,
        "default": 5e-05,
        "description": "The initial learning rate for the optimizer.",
    }


def test_settings_need_no_torch_and_no_transformers():
    code = "import sys, tunesmith.config as c; c.Settings.make(learning_rate=1); c.arguments()\n"
    code += "print([m for m in ('torch', 'transformers', 'datasets', 'yaml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_setting_is_a_config_error():
    assert issubclass(UnknownSetting, ConfigError)


@pytest.mark.parametrize("share", [0, 1, 1.5, True, "much"])
def test_a_share_of_masked_tokens_is_between_0_and_1(share: object) -> None:
    with pytest.raises(ConfigError, match="mlm_probability"):
        Settings.make(task="language-modeling", mlm_probability=share)
