"""From a file to a trained model and its predictions, as a user types it, on a tiny BERT."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

ROWS = [(f"the phone is {('bad and broken', 'great and bright')[i % 2]} {i}", ("no", "yes")[i % 2]) for i in range(40)]


def tunesmith(*words, code=0):
    command = [sys.executable, "-m", "tunesmith", *map(str, words)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with rows.csv, a base, and a run trained by the command line; what it printed is in `told`."""
    made = tmp_path_factory.mktemp("cli")
    with (made / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("message", "verdict"), *ROWS])
    base = tiny.bert(made / "base", [text for text, _ in ROWS])
    (made / "run.yaml").write_text(
        f"train: {made / 'rows.csv'}\nbase: {base}\ncolumns: {{text: message, label: verdict}}\n"
        f"output-dir: {made / 'unused'}\ntest: 0.25\nlearning_rate: 5e-3\nnum_train_epochs: 1\n"
    )
    done = tunesmith("train", "--config", made / "run.yaml", "--output-dir", made / "run", "--num-train-epochs", 8)
    (made / "told").write_text(done.stdout)
    (made / "progress").write_text(done.stderr)
    return made


def test_a_run_file_trains_and_a_flag_wins(folder):
    assert (folder / "run" / "model.safetensors").is_file()
    assert not (folder / "unused").exists()
    assert "num_train_epochs: 8" in (folder / "run" / "config.yaml").read_text()


def test_the_scores_of_held_out_rows_are_printed(folder):
    told = (folder / "told").read_text()
    lines = dict(line.split() for line in told.splitlines() if line.startswith(("accuracy", "f1 ")))
    assert float(lines["accuracy"]) == 1.0, told
    assert f"`tunesmith predict {folder / 'run'} TEXT` predicts" in told


def test_progress_is_ours_and_other_libraries_are_silent(folder):
    lines = (folder / "progress").read_text().splitlines()
    assert any(line.startswith("tokenizing  30/30 (100%)") for line in lines)
    known = ("train", "test", "tokenizing", "columns", "chosen", "saved", "text-classification", "tunesmith:")
    assert [line for line in lines if not line.startswith(known)] == []


def test_texts_are_predicted_as_json_lines_in_order(folder):
    done = tunesmith("predict", folder / "run", "the phone is great and bright", "the phone is bad and broken")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["label"]) for row in rows] == [(0, "yes"), (1, "no")]
    assert set(rows[0]["scores"]) == {"yes", "no"}
    assert done.stderr == ""


def test_a_file_is_predicted_by_the_columns_of_the_run_whole_or_not_at_all(folder):
    target = folder / "predictions.jsonl"
    done = tunesmith("predict", folder / "run", folder / "rows.csv", "--output", target, "--limit", 6)
    assert done.stdout == ""
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(row["id"], row["label"]) for row in rows] == [(i, ROWS[i][1]) for i in range(6)]

    done = tunesmith("predict", folder / "run", folder / "rows.csv", "--output", folder / "no" / "x.jsonl", code=1)
    assert "cannot be written: No such file or directory" in done.stderr
    assert not list(folder.glob(".*.tmp"))


def test_a_column_that_is_not_there_is_named(folder):
    done = tunesmith("predict", folder / "run", folder / "rows.csv", "--columns", "texts", code=1)
    assert done.stderr == ("tunesmith: error: no column 'texts' (the text). Columns: 'message', 'verdict'.\n")


def test_labelled_rows_are_scored(folder):
    done = tunesmith("evaluate", folder / "run", folder / "rows.csv", "--json")
    assert json.loads(done.stdout)["accuracy"] == 1.0


def test_an_error_in_the_data_is_one_line_and_exit_1(folder):
    bad = Path(folder, "empty.csv")
    bad.write_text("message,verdict\n")
    done = tunesmith("train", bad, "--base", folder / "base", "--output-dir", folder / "none", code=1)
    assert done.stderr.splitlines()[-1].startswith("tunesmith: error: ")
    assert "Traceback" not in done.stderr
    assert not (folder / "none").exists()


def test_a_folder_that_is_no_run_is_said():
    done = tunesmith("predict", "no-such-run", "a text", code=1)
    assert done.stderr == "tunesmith: error: no-such-run: no such run: expected the folder of a trained model\n"
