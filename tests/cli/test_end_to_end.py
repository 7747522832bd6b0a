"""From a file to a trained model and its predictions, as a user types it, on a tiny BERT.

All commands run in one process of their own: the command line quiets libraries for the whole process, and importing
them once is enough.
"""

import csv
import json
import os
import subprocess
import sys

import pytest

import tiny

ROWS = [(f"the phone is {('bad and broken', 'great and bright')[i % 2]} {i}", ("no", "yes")[i % 2]) for i in range(40)]

SHORT = ["--base", "base", "--max-steps", "1"]

SESSION = """
import contextlib, io, json, sys
from tunesmith.cli import main

told = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    told.append({"code": code, "out": out.getvalue(), "err": err.getvalue()})
json.dump(told, sys.stdout)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """rows.csv (40 rows), empty.csv, a tiny base, and a run file."""
    made = tmp_path_factory.mktemp("cli")
    with (made / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("message", "verdict"), *ROWS])
    (made / "empty.csv").write_text("message,verdict\n")
    with (made / "inferred.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("utterance", "label"), *ROWS])
    with (made / "pairs.csv").open("w", newline="") as file:
        rows = [(text, ROWS[-1 - i][0], label) for i, (text, label) in enumerate(ROWS)]
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *rows])
    with (made / "other.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("sentence", "label"), *((text, "maybe") for text, _ in ROWS[:4])])
    (made / "questions.jsonl").write_text('{"question": "Who?", "context": "Anna wrote", "answers": "Anna"}\n')
    base = tiny.bert(made / "base", [text for text, _ in ROWS])
    (made / "run.yaml").write_text(
        f"train: rows.csv\nbase: {base}\ncolumns: {{text: message, label: verdict}}\noutput-dir: unused\n"
        "test: 0.25\nlearning_rate: 5e-3\nnum_train_epochs: 1\n"
    )
    return made


@pytest.fixture(scope="module")
def told(home):
    """What each command answered, by name: code, out, err."""
    commands = {
        "train": ["train", "--config", "run.yaml", "--output-dir", "run", "--num-train-epochs", "8"],
        "texts": ["predict", "run", "the phone is great and bright", "the phone is bad and broken"],
        "file": ["predict", "run", "rows.csv", "--output", "predictions.jsonl", "--limit", "6"],
        "table": ["predict", "run", "rows.csv", "--output", "predictions.csv", "--limit", "6"],
        "table of texts": ["predict", "run", '{"message": "a phone"}', "two\twords", "--output", "predictions.TSV"],
        "no folder": ["predict", "run", "rows.csv", "--output", "no/predictions.jsonl"],
        "no column": ["predict", "run", "rows.csv", "--columns", "texts"],
        "evaluate": ["evaluate", "run", "rows.csv", "--json"],
        "files": ["predict", "run", "rows.csv", "rows.csv", "--limit", "41"],
        "mixed": ["predict", "run", "rows.csv", "the phone is great"],
        "nothing to predict": ["predict", "run", "empty.csv"],
        "inferred": ["train", "inferred.csv", "--base", "base", "--output-dir", "inferred", "--max-steps", "1"],
        "inferred file": ["predict", "inferred", "inferred.csv"],
        "inferred other": ["predict", "inferred", "other.csv"],
        "one of two": ["train", "pairs.csv", "--columns", "sentence1,label", *SHORT, "--output-dir", "one"],
        "one of two file": ["predict", "one", "pairs.csv"],
        "one of two texts": ["predict", "one", *(text for text, _ in ROWS)],
        "pairs": ["train", "pairs.csv", *SHORT, "--output-dir", "pairs"],
        "half a pair": ["predict", "pairs", "a phone"],
        "a pair": ["predict", "pairs", '{"text": "a phone", "pair": "a phone"}'],
        "a spreadsheet": ["predict", "run", "a phone", "--output", "predictions.xlsx"],
        "epochs": ["train", "rows.csv", "--epochs", "2"],
        "questions": ["train", "questions.jsonl", *SHORT],
        "no rows": ["train", "empty.csv", "--base", "base", "--output-dir", "none"],
        "no run": ["predict", "no-such-run", "a text"],
    }
    command = [sys.executable, "-c", SESSION]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    given = json.dumps(list(commands.values()))
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=env, cwd=home, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(zip(commands, json.loads(done.stdout), strict=True))


def test_a_run_file_trains_and_a_flag_wins(home, told):
    assert told["train"]["code"] == 0, told["train"]["err"]
    assert (home / "run" / "model.safetensors").is_file()
    assert not (home / "unused").exists()
    assert "num_train_epochs: 8" in (home / "run" / "config.yaml").read_text()


def test_the_scores_of_held_out_rows_are_printed(told):
    shown = told["train"]["out"]
    scores = dict(line.split() for line in shown.splitlines() if line.startswith(("accuracy", "f1 ")))
    assert float(scores["accuracy"]) == 1.0, shown
    assert "`tunesmith predict run TEXT` predicts" in shown


def test_progress_is_ours_and_other_libraries_are_silent(told):
    lines = told["train"]["err"].splitlines()
    assert any(line.startswith("tokenizing  30/30 (100%)") for line in lines)
    ours = ("train", "test", "tokenizing", "columns", "new: classifier", "chosen", "saved", "tunesmith:")
    assert [line for line in lines if not line.startswith(ours)] == []


def test_columns_and_the_kind_of_labels_are_said_aloud(told):
    assert (
        "columns: text=message, label=verdict; single labels, 2 classes (no, yes)" in told["train"]["err"].splitlines()
    )
    assert (
        "columns: text=utterance, label=label; single labels, 2 classes (no, yes)"
        in told["inferred"]["err"].splitlines()
    )


def test_the_file_that_trained_a_run_is_predicted_by_the_columns_that_were_found(told):
    assert told["inferred file"]["code"] == 0, told["inferred file"]["err"]
    rows = [json.loads(line) for line in told["inferred file"]["out"].splitlines()]
    assert [row["id"] for row in rows] == list(range(40))
    assert told["inferred other"]["code"] == 0, "the columns are found by name again, and gold is not read"
    assert len(told["inferred other"]["out"].splitlines()) == 4


def test_a_second_text_that_training_did_not_use_is_not_used_in_prediction(told):
    answers = {name: told[name]["out"].splitlines() for name in ("one of two file", "one of two texts")}
    from_file, from_texts = ([json.loads(line)["scores"] for line in lines] for lines in answers.values())
    assert len(from_file) == 40
    assert [row["yes"] for row in from_file] == pytest.approx([row["yes"] for row in from_texts], abs=1e-6)


def test_several_files_are_read_as_one_and_not_mixed_with_texts(told):
    rows = [json.loads(line) for line in told["files"]["out"].splitlines()]
    assert [(row["id"], row["label"]) for row in rows] == [(i, ROWS[i % 40][1]) for i in range(41)]
    assert told["mixed"]["code"] == 2
    expected = "tunesmith: error: files and texts are mixed: rows.csv is a file, 'the phone is great' is not.\n"
    assert told["mixed"]["err"] == expected
    assert (told["nothing to predict"]["code"], told["nothing to predict"]["out"]) == (0, "")


def test_training_steps_and_loss_are_shown_while_they_happen(told):
    lines = [line for line in told["train"]["err"].splitlines() if line.startswith("training ")]
    assert lines, told["train"]["err"]
    assert "loss" in lines[0]


def test_texts_are_predicted_as_json_lines_in_order(told):
    rows = [json.loads(line) for line in told["texts"]["out"].splitlines()]
    assert [(row["id"], row["label"]) for row in rows] == [(0, "yes"), (1, "no")]
    assert set(rows[0]["scores"]) == {"yes", "no"}
    assert told["texts"]["err"] == ""


def test_a_file_is_predicted_by_the_columns_of_the_run(home, told):
    assert (told["file"]["code"], told["file"]["out"]) == (0, "")
    rows = [json.loads(line) for line in (home / "predictions.jsonl").read_text().splitlines()]
    assert [(row["id"], row["label"]) for row in rows] == [(i, ROWS[i][1]) for i in range(6)]


def test_an_output_that_ends_as_a_table_is_one(home, told):
    for name in ("table", "table of texts"):
        assert (told[name]["code"], told[name]["out"]) == (0, ""), told[name]["err"]
    with (home / "predictions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "text", "label", "score"]
    assert [row[:3] for row in rows] == [[str(i), *ROWS[i]] for i in range(6)]
    assert all(0.5 < float(row[3]) <= 1 for row in rows)
    with (home / "predictions.TSV").open(newline="") as file:
        assert [row[:2] for row in csv.reader(file, "excel-tab")] == [
            ["id", "text"],
            ["0", "a phone"],
            ["1", "two\twords"],
        ]


def test_predictions_are_written_whole_or_not_at_all(home, told):
    assert told["no folder"]["code"] == 1
    assert told["no folder"]["err"].endswith("cannot be written: No such file or directory\n")
    assert not list(home.glob(".*.tmp"))


def test_a_column_that_is_not_there_is_named(told):
    expected = "tunesmith: error: no column 'texts' (the text of text-classification). Columns: 'message', 'verdict'.\n"
    assert (told["no column"]["code"], told["no column"]["err"]) == (1, expected)


def test_labelled_rows_are_scored(told):
    assert json.loads(told["evaluate"]["out"])["accuracy"] == 1.0


def test_what_was_trained_on_pairs_asks_for_pairs(told):
    assert """`tunesmith predict pairs '{"text": "…", "pair": "…"}'` predicts""" in told["pairs"]["out"]
    assert told["half a pair"]["code"] == 1
    assert "row 0, column 'pair': is empty: training read pairs of texts" in told["half a pair"]["err"]
    assert json.loads(told["a pair"]["out"])["label"] in ("no", "yes")


def test_a_table_that_is_not_written_is_refused(home, told):
    expected = "tunesmith: error: --output is 'predictions.xlsx': predictions are written as a table to .csv or .tsv, "
    assert told["a spreadsheet"]["err"] == expected + "as JSON lines to .jsonl.\n"
    assert told["a spreadsheet"]["code"] == 2
    assert not (home / "predictions.xlsx").exists()


def test_another_name_of_a_flag_is_told_as_it_is_typed(told):
    assert told["epochs"]["err"] == "tunesmith: error: unknown flag --epochs: it is `--num-train-epochs`.\n"


def test_columns_of_another_task_name_its_flag(told):
    assert told["questions"]["err"].endswith("; or is it --task question-answering?\n")


def test_an_error_in_the_data_is_one_line_and_leaves_no_folder(home, told):
    assert told["no rows"]["code"] == 1
    assert told["no rows"]["err"].startswith("tunesmith: error: ")
    assert told["no rows"]["err"].count("\n") == 1
    assert not (home / "none").exists()


def test_a_folder_that_is_no_run_is_said(told):
    expected = "tunesmith: error: no-such-run: no such run: expected the folder of a trained model\n"
    assert (told["no run"]["code"], told["no run"]["err"]) == (1, expected)
