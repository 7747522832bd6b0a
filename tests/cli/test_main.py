"""The command line as a process: help, usage errors, exit codes, what it costs."""

import json
import os
import subprocess
import sys

import pytest

from tunesmith import cli
from tunesmith.errors import ArtifactError, ConfigError, DataError, UnknownName
from tunesmith.registry import tasks


def run(*words, **env):
    command = [sys.executable, "-m", "tunesmith", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)


def fails(monkeypatch, capsys, error):
    """Exit code and message where a command ends with `error`."""

    def command(argv):
        raise error

    monkeypatch.setattr("tunesmith.cli.about.tasks", command)
    return cli.main(["tasks"]), capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["predict", "--help"], ["evaluate", "-h"]])
def test_help_answers_in_under_half_a_second(words):
    took = []
    for _ in range(3):  # of the processor, the best of three: other work on the machine is not ours
        start = os.times()
        done = run(*words)
        end = os.times()
        took.append(end.children_user + end.children_system - start.children_user - start.children_system)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("usage: tunesmith")
        assert done.stderr == ""
    assert min(took) < 0.5


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = f"import sys; from tunesmith.cli import main; main({words!r})\n"
    code += "print([m for m in ('torch', 'transformers', 'datasets', 'numpy', 'yaml', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_flag_is_one_line_and_exit_2():
    done = run("train", "rows.csv", "--lerning-rate", "1")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "tunesmith: error: unknown flag --lerning-rate. Did you mean '--learning-rate'?\n"


def test_an_unknown_command_names_the_nearest():
    done = run("trian")
    assert done.returncode == 2
    assert done.stderr.startswith("tunesmith: error: unknown command 'trian'. Did you mean 'train'? Known: train, ")


def test_no_command_shows_the_usage_and_fails():
    done = run()
    assert done.returncode == 2
    assert done.stdout.startswith("usage: tunesmith COMMAND")


def test_the_version_is_printed():
    assert run("--version").stdout.startswith("tunesmith ")


def test_the_config_schema_is_json():
    told = json.loads(run("config-schema").stdout)
    assert told["properties"]["bad_rows"]["enum"] == ["error", "drop"]


def test_tasks_lists_every_task_with_aliases_columns_and_metric(capsys):
    assert cli.main(["tasks", "--json"]) == 0
    rows = {row["task"]: row for row in json.loads(capsys.readouterr().out)}
    assert tuple(rows) == tasks.names()
    assert rows["text-classification"]["columns"] == ["text", "[pair]", "label"]
    assert "ner" in rows["token-classification"]["aliases"]
    assert all(row["metric"] and row["summary"] for row in rows.values())


def test_the_table_of_tasks_is_for_people(capsys):
    assert cli.main(["tasks"]) == 0
    shown = capsys.readouterr().out
    assert "text-classification\n" in shown
    assert "sentiment-analysis" in shown


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("seed", -1, "0 or more"), 2),
        (UnknownName("task", "x", ["y"]), 2),
        (DataError("no rows"), 1),
        (ArtifactError("out", "is no run"), 1),
    ],
)
def test_an_error_of_ours_is_one_line_with_exit_2_for_usage_and_1_for_work(monkeypatch, capsys, error, code):
    assert fails(monkeypatch, capsys, error) == (code, f"tunesmith: error: {error}\n")


def test_lines_of_a_message_become_one(monkeypatch, capsys):
    assert fails(monkeypatch, capsys, DataError("a\n  b")) == (1, "tunesmith: error: a b\n")


def test_a_foreign_error_is_one_line_too(monkeypatch, capsys):
    told = "tunesmith: error: ZeroDivisionError: by zero (TUNESMITH_DEBUG=1 shows where)\n"
    assert fails(monkeypatch, capsys, ZeroDivisionError("by zero")) == (1, told)


def test_debug_shows_the_traceback(monkeypatch, capsys):
    monkeypatch.setenv("TUNESMITH_DEBUG", "1")
    with pytest.raises(DataError):
        fails(monkeypatch, capsys, DataError("no rows"))


def test_an_interrupt_is_one_line_and_exit_130(monkeypatch, capsys):
    assert fails(monkeypatch, capsys, KeyboardInterrupt()) == (130, "tunesmith: interrupted\n")


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m tunesmith config-schema | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{", "")


@pytest.mark.parametrize(
    "name", ["rows.csv", "text.xlsx", "old.XLS", "rows.tsv.gz", "words.conll", "a/b.parquet", "rows.cvs"]
)
def test_what_looks_like_a_data_file_and_is_none_is_refused_before_the_model_is_read(name, capsys):
    assert cli.main(["predict", "no-run", name]) == 1
    assert capsys.readouterr().err == f"tunesmith: error: no file {name!r}\n"


@pytest.mark.parametrize("text", ["we sell rows.csv", ".csv files", "csv", "a.out", "shop.com", "5.50"])
def test_a_text_that_only_mentions_a_data_file_is_a_text(text, monkeypatch, capsys):
    monkeypatch.setattr("tunesmith.cli.quiet.hush", lambda: None)
    assert cli.main(["predict", "no-run", text]) == 1
    assert "no-run: no such run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-", "'-' is no input: standard input is not read. Give texts, or files of rows."),
        ("", "an input is empty: give texts, or files of rows."),
        (" \n", "an input is empty: give texts, or files of rows."),
    ],
)
def test_what_is_neither_text_nor_file_is_a_usage_error(text, told, capsys):
    assert cli.main(["predict", "no-run", "a text", text]) == 2
    assert capsys.readouterr().err == f"tunesmith: error: {told}\n"


@pytest.mark.parametrize(
    "words", [["predict", "run", "a", "--batch-size", "0"], ["evaluate", "run", "f", "--limit", "x"]]
)
def test_counts_are_checked_before_work(words):
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr.endswith("expected a whole number, 1 or more.\n")


@pytest.mark.parametrize("words", [["predict", "run"], ["evaluate", "run"]])
def test_a_missing_argument_is_a_usage_error(words):
    done = run(*words)
    assert done.returncode == 2
    assert "the following arguments are required" in done.stderr
    assert done.stderr.count("\n") == 1
