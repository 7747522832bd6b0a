"""The generated table of training arguments, held against the installed transformers."""

import json
import runpy
from pathlib import Path

import pytest

from tunesmith.errors import ConfigError
from tunesmith.training_arguments import INSTEAD, training_arguments

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generated() -> dict[str, dict[str, object]]:
    """The table as the script makes it now, in JSON values."""
    rows = runpy.run_path(str(ROOT / "scripts" / "training_arguments.py"))["rows"]()
    return {row["name"]: row for row in json.loads(json.dumps(rows))}


def test_the_table_has_the_fields_of_the_installed_class_in_order(generated):
    assert list(training_arguments()) == list(generated)


def test_defaults_and_types_are_those_of_the_installed_class(generated):
    for name, argument in training_arguments().items():
        row = generated[name]
        assert (argument.default, argument.type, argument.kind) == (row["default"], row["type"], row["kind"]), name


def test_choices_are_those_of_the_installed_class(generated):
    for name, argument in training_arguments().items():
        assert list(argument.choices) == generated[name]["choices"], name


def test_every_argument_has_a_group_and_a_sentence_of_help():
    for argument in training_arguments().values():
        assert argument.group, argument.name
        assert argument.help.endswith((".", "…")), argument.name
        assert len(argument.help) <= 115, argument.name


def test_replaced_names_are_not_names_of_the_installed_class():
    assert not set(INSTEAD) & set(training_arguments())


def test_a_number_that_yaml_reads_as_text_is_a_number():
    assert training_arguments()["learning_rate"].check("5e-5") == 5e-5


def test_whole_numbers_stay_whole_where_a_share_is_allowed_too():
    assert type(training_arguments()["warmup_steps"].check(10)) is int
    assert training_arguments()["warmup_steps"].check(0.1) == 0.1


@pytest.mark.parametrize("value", [True, "many", 1.5, float("nan")])
def test_a_count_takes_no_other_value(value):
    with pytest.raises(ConfigError) as caught:
        training_arguments()["max_steps"].check(value)
    assert str(caught.value) == f"setting 'max_steps' is {value!r}: expected a whole number, -1 or more."


def test_the_bare_no_of_yaml_is_the_strategy_no():
    assert training_arguments()["eval_strategy"].check(False) == "no"


def test_an_enum_of_transformers_is_taken_by_its_value():
    from transformers.trainer_utils import IntervalStrategy

    assert training_arguments()["eval_strategy"].check(IntervalStrategy.EPOCH) == "epoch"


def test_a_value_outside_the_choices_names_them():
    with pytest.raises(ConfigError) as caught:
        training_arguments()["eval_strategy"].check("epochs")
    assert str(caught.value) == "setting 'eval_strategy' is 'epochs': expected one of 'no', 'steps', 'epoch'."


def test_every_default_passes_its_own_check():
    for argument in training_arguments().values():
        if argument.default is not None:
            assert argument.check(argument.default) == argument.default, argument.name
