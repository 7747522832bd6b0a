"""`tunesmith records …` as a person runs it: what it prints, its errors in one line, its exit codes."""

import json
import os
import subprocess
import sys

import pytest

from tunesmith import cli
from tunesmith.records import (
    TextClassificationRecord,
    TextClassificationSettings,
    TokenClassificationRecord,
    TokenClassificationSettings,
    opened,
)
from tunesmith.records.store.store import Store

ROWS = "text,label,split\ngood,pos,train\nbad,neg,train\nfine,pos,test\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (*opened.URLS, *opened.KEYS, *opened.WORKSPACES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "reviews.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    def command(*words):
        code = cli.main(["records", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


@pytest.fixture
def reviews(run):
    assert run("import", "reviews.csv", "--name", "reviews")[0] == 0
    return run


def test_a_file_is_imported_and_listed(run):
    code, out, err = run("import", "reviews.csv", "--name", "reviews")
    assert (code, err) == (0, "")
    assert out == "3 records logged to 'reviews' (TextClassification, workspace default)\n"
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "data set                task  records  workspace",
        "--------  ------------------  -------  ---------",
        "reviews   TextClassification        3    default",
    ]
    assert json.loads(run("list", "--json")[1])[0]["records"] == 3


def test_the_same_file_again_changes_nothing_and_another_adds(reviews, folder):
    assert reviews("import", "reviews.csv", "--name", "reviews")[1].endswith(
        "(TextClassification, workspace default)\n"
    )
    (folder / "more.csv").write_text("text,label\nnew,pos\n", encoding="utf-8")
    out = reviews("import", "more.csv", "--name", "reviews")[1]
    assert out == "1 record logged to 'reviews' (TextClassification, workspace default), which holds 4\n"


def test_rows_with_the_id_of_a_row_before_are_told(run, folder, caplog):
    (folder / "twice.csv").write_text("id,text,label\n1,good,pos\n1,bad,neg\n2,fine,pos\n", encoding="utf-8")
    assert run("import", "twice.csv", "--name", "twice")[1].startswith("2 records logged")
    assert "1 row has the id of a row before: the last one of an id is kept" in caplog.text
    shown = run("show", "twice", "1")[1]
    assert "bad" in shown.splitlines()[0]
    assert "pos" in shown  # in the history
    caplog.clear()
    assert run("import", "twice.csv", "--name", "other", "--limit", "1")[0] == 0
    assert not caplog.text


@pytest.fixture
def ordered(folder):
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["pos", "neg"])
    features = datasets.Features({"text": datasets.Value("string"), "label": names})
    table = datasets.Dataset.from_dict({"text": ["fine"], "label": [0]}, features=features)
    table.to_parquet("ordered.parquet")
    return "; labels in the order that the data declares: "


def test_a_declared_order_of_labels_becomes_the_settings_of_a_data_set_without(run, ordered):
    out = run("import", "ordered.parquet", "--name", "a")[1]
    assert out == f"1 record logged to 'a' (TextClassification, workspace default){ordered}pos, neg\n"
    with Store() as store:
        assert store.settings("a", "default") == TextClassificationSettings(["pos", "neg"])
        store.configure("b", "default", TextClassificationSettings(["neg", "pos"]))
        assert run("import", "ordered.parquet", "--name", "b")[1].endswith("workspace default)\n")
        assert store.settings("b", "default") == TextClassificationSettings(["neg", "pos"])


KEEPING = ["a.jsonl", "a.json", "a.parquet", "saved"]


@pytest.mark.parametrize("file", KEEPING)
def test_settings_go_with_an_export_and_come_back_with_the_import(reviews, file):
    order = ["pos", "mixed", "neg"]  # none of the records is mixed
    with Store() as store:
        store.configure("reviews", "default", TextClassificationSettings(order))
        assert reviews("export", "reviews", file)[::2] == (0, "")
        code, out, err = reviews("import", file, "--name", "again")
        assert (code, err) == (0, "")
        assert out.endswith("; labels in the order that the data declares: pos, mixed, neg\n")
        assert store.settings("again", "default") == TextClassificationSettings(order)
        assert store.load("again", "default") == store.load("reviews", "default")


def test_settings_of_spans_are_not_read_as_tags(run, folder):
    order = ["B-cell", "A"]
    with Store() as store:
        record = TokenClassificationRecord("a b", annotation=[("A", 0, 1)])
        store.log(record, "cells", "default")
        store.configure("cells", "default", TokenClassificationSettings(order))
        for format in ("label-studio", "prodigy", "argilla"):
            assert run("export", "cells", format, "--format", format)[0] == 0
            assert run("import", format, "--format", format, "--name", format)[0] == 0
            assert store.settings(format, "default") == TokenClassificationSettings(order), format


def test_an_export_to_csv_says_that_the_order_is_lost(reviews):
    assert reviews("export", "reviews", "before.csv")[2] == ""
    with Store() as store:
        store.configure("reviews", "default", TextClassificationSettings(["pos", "neg"]))
    code, out, err = reviews("export", "reviews", "a.csv")
    assert (code, out) == (0, "3 records written to a.csv\n")
    assert "a.csv: the label order of the settings is not kept" in err
    assert "These keep it: parquet, hf, jsonl" in err
    assert err.count("\n") == 1


def test_an_import_leaves_settings_that_are_there_and_says_what_the_data_has(reviews):
    with Store() as store:
        store.configure("reviews", "default", TextClassificationSettings(["pos", "neg"]))
        reviews("export", "reviews", "a.jsonl")
        store.configure("reviews", "default", TextClassificationSettings(["new", "neg", "pos"]))
        code, out, err = reviews("import", "a.jsonl", "--name", "reviews")
        assert store.settings("reviews", "default") == TextClassificationSettings(["new", "neg", "pos"])
    assert (code, "order" in out) == (0, False)
    assert "'reviews' keeps its own labels: new, neg, pos. The data has pos, neg. To take these: " in err
    assert "configure_dataset_settings('reviews', TextClassificationSettings([…]))" in err


def test_files_with_different_orders_are_told_and_none_is_stored(reviews):
    with Store() as store:
        for name, order in (("a.jsonl", ["pos", "neg"]), ("b.parquet", ["neg", "pos"])):
            store.configure("reviews", "default", TextClassificationSettings(order))
            reviews("export", "reviews", name)
        code, _, err = reviews("import", "a.jsonl", "b.parquet", "--name", "both")
        assert store.settings("both", "default") is None
    assert code == 0
    assert "the files declare different label orders: neg, pos; pos, neg. None is stored." in err


def test_labels_that_no_declaration_names_come_after_it(run, folder, ordered):
    (folder / "more.csv").write_text("text,label\na,zero\nb,even\n", encoding="utf-8")
    assert run("import", "ordered.parquet", "more.csv", "--name", "a")[1].endswith(f"{ordered}pos, neg, even, zero\n")
    run("import", "more.csv", "--name", "b")
    assert run("import", "ordered.parquet", "--name", "b")[1].endswith(f"holds 3{ordered}pos, neg, even, zero\n")


def test_several_files_workspaces_and_databases(run, folder):
    (folder / "more.csv").write_text("text,label\nnew,pos\n", encoding="utf-8")
    words = "import", "reviews.csv", "more.csv", "--name", "a", "--workspace", "team", "--database", "own.db"
    assert run(*words)[1] == "4 records logged to 'a' (TextClassification, workspace team)\n"
    assert (folder / "own.db").is_file()
    assert "no data sets yet" in run("list")[1]
    assert run("list", "--database", "own.db", "--json", "--workspace", "team")[0] == 0
    code, out, err = run("list", "--database", "own.db", "--workspace", "other")
    assert (code, out) == (1, "")
    assert err.startswith("tunesmith: error: unknown workspace: 'other'. ")
    assert err.endswith("Known: team. It exists from its first log.\n")


def test_records_are_queried_as_json_lines(reviews):
    code, out, err = reviews("query", "reviews", "status:Validated AND metadata.split:train")
    assert (code, err) == (0, "")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["good", "bad"]
    assert len(reviews("query", "reviews", "--limit", "1")[1].splitlines()) == 1
    assert reviews("query", "reviews", "annotated_as:pos", "--count")[1] == "2\n"


def test_a_bad_query_is_one_line(reviews):
    code, out, err = reviews("query", "reviews", "status:(Validated")
    assert (code, out) == (1, "")
    assert err.startswith("tunesmith: error: query, at 17: ")
    assert err.count("\n") == 1
    assert "^" not in err  # a pointer means nothing behind its line


def test_one_record_is_shown_with_its_history(reviews):
    with Store() as store:
        (record,) = store.load("reviews", "default", query="text:bad")
        record.annotation = "pos"
        store.log(record, "reviews", "default", author="ann")
    code, out, err = reviews("show", "reviews", record.key)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["text", "bad"]
    assert "metadata         split: train" in lines
    at = lines.index("history")
    assert "logged: status Validated; annotation neg" in lines[at + 1]
    assert lines[at + 2].endswith("changed by ann: annotation pos")
    found = json.loads(reviews("show", "reviews", record.key, "--json")[1])
    assert [event["kind"] for event in found["history"]] == ["logged", "changed"]
    code, out, err = reviews("show", "reviews", "nobody")
    assert (code, out) == (1, "")
    assert "has no record with the id 'nobody'" in err


def test_deleting_asks_for_yes_and_takes_out_what_matches(reviews):
    code, out, err = reviews("delete", "reviews")
    assert (code, out) == (2, "")
    told = "the data set 'reviews' with its 3 records would be gone for good: add --yes to take them out."
    assert err == f"tunesmith: error: {told}\n"
    code, out, err = reviews("delete", "reviews", "--query", "annotated_as:pos")
    assert (code, out) == (2, "")
    assert err.startswith("tunesmith: error: 2 records of 'reviews' would be gone for good")
    assert (
        reviews("delete", "reviews", "--query", "annotated_as:pos", "--yes")[1] == "took 2 records out of 'reviews'\n"
    )
    assert reviews("delete", "reviews", "--yes")[1] == "took out 'reviews' with 1 record\n"
    assert reviews("list")[1].startswith("no data sets yet in ")


def test_a_data_set_is_copied(reviews):
    assert reviews("copy", "reviews", "again", "--to", "team")[1] == "copied 3 records to 'again' (workspace team)\n"
    code, _, err = reviews("copy", "reviews", "again", "--to", "team")
    assert code == 1
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.json", "out.parquet", "out", "out.jsonl.gz"])
def test_what_is_exported_can_be_imported(reviews, folder, name):
    code, out, err = reviews("export", "reviews", name)
    assert (code, out, err) == (0, f"3 records written to {name}\n", "")
    assert reviews("import", name, "--name", "back")[0] == 0
    with Store() as store:
        assert store.load("back", "default") == store.load("reviews", "default")


def test_an_export_says_what_the_format_cannot_hold(run, folder):
    with Store() as store:
        store.log([TextClassificationRecord(text="a", annotation="x", status="Edited", id=1)], "a", "default")
    done = subprocess.run(
        [sys.executable, "-m", "tunesmith", "records", "export", "a", "out", "--format", "argilla"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 record written to out\n")
    assert done.stderr.startswith("tunesmith: warning: out: not written: 1 event times; 1 records whose status is")
    assert done.stderr.count("\n") == 1
    told = "CoNLL holds tokens and their spans, and no TextClassification: choose another format."
    assert run("export", "a", "a.conll") == (1, "", f"tunesmith: error: {told}\n")
    assert not (folder / "a.conll").exists()
    with Store() as store:
        store.log(TokenClassificationRecord(text="a", id=1), "t", "default")
    assert run("export", "t", "t.conll")[1] == "0 records written to t.conll, 1 left out\n"


def test_a_query_without_matches_exports_nothing(reviews, folder):
    code, out, err = reviews("export", "reviews", "out.csv", "--query", "text:nowhere")
    assert (code, out) == (1, "")
    assert err == "tunesmith: error: there are no records to write to out.csv.\n"
    assert not (folder / "out.csv").exists()


def test_a_bad_row_stops_an_import_with_its_place(run, folder):
    rows = [{"text": f"text {place}", "label": "x"} for place in range(1_200)] + [{"text": 7, "label": "x"}]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    code, out, err = run("import", "a.jsonl", "--name", "a")
    assert (code, out) == (1, "")
    told = "a.jsonl: row 1200, column 'text': is of type int, 7: expected text."
    stays = "The 1,000 records before stay in 'a'; a new import replaces them."
    assert err == f"tunesmith: error: {told} {stays}\n"
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows[:-1])), encoding="utf-8")
    assert run("import", "a.jsonl", "--name", "a")[1].startswith("1,200 records logged to 'a'")
    with Store() as store:
        assert store.count("a", "default") == 1_200


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["import", "reviews.csv"], 2, "--name is missing: give the data set a name, as --name reviews."),
        (["import", "missing.csv", "--name", "a"], 1, "there is no file 'missing.csv'."),
        (["import", "reviews.csv", "--name", "a", "--format", "excel"], 2, "unknown format 'excel'."),
        (["import", "reviews.csv", "--name", "a", "--as", "gold"], 2, "expected 'annotation' or 'prediction'"),
        (["import", "reviews.csv", "--name", "a", "--limit", "0"], 2, "--limit is '0': expected a whole number, 1 or"),
        (["import", "reviews.csv", "--name", "_a"], 1, "a data set cannot be called '_a'"),
        (["import", "reviews.csv", "--name", "a", "--columns", "text,lable"], 1, "no column 'lable'"),
        (["export", "nothing", "out.csv"], 1, "unknown workspace: 'default'."),
        (["list", "--workspaces", "a"], 2, "unknown flag --workspaces. Did you mean '--workspace'?"),
        (["lst"], 2, "unknown command of records 'lst'. Did you mean 'list'?"),
    ],
)
def test_errors_are_one_line(run, words, code, told):
    found, out, err = run(*words)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("tunesmith: error: ")
    assert told in err


def test_an_import_that_finds_no_text_says_which_file_and_which_flag(run, folder):
    (folder / "odd.csv").write_text("zzz,yyy,xxx\na,b,c\n", encoding="utf-8")
    code, _, err = run("import", "odd.csv", "--name", "a")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("tunesmith: error: odd.csv: text-classification finds no column for text (looked for ")
    assert err.endswith("'zzz', 'yyy', 'xxx'. Say it with --columns, as --columns text=A,label=B.\n")
    assert run("import", "odd.csv", "--name", "a", "--columns", "text=zzz,label=xxx")[0] == 0


@pytest.mark.parametrize(("name", "text"), [("a.csv", "text,label\n"), ("a.json", "[]"), ("a.jsonl", "\n")])
def test_a_file_without_rows_is_told_as_such(name, text, run, folder):
    (folder / name).write_text(text, encoding="utf-8")
    assert run("import", name, "--name", "a") == (1, "", f"tunesmith: error: {name} holds no rows.\n")


def test_a_label_that_looks_like_several_is_told_with_the_flag_that_parts_it(run, folder, caplog):
    (folder / "a.csv").write_text('text,label\nx,"a, b"\ny,b\n', encoding="utf-8")
    assert run("import", "a.csv", "--name", "a")[0] == 0
    assert caplog.messages == ["'a, b' is read as one label. If such cells hold several, --separator ',' parts them."]
    caplog.clear()
    assert run("import", "a.csv", "--name", "a", "--separator", ",")[0] == 0
    (folder / "b.csv").write_text('text,label\nx,"arts, crafts"\ny,b\n', encoding="utf-8")
    assert run("import", "b.csv", "--name", "b")[0] == 0
    assert caplog.messages == []
    assert len(run("query", "a", "annotated_as:b")[1].splitlines()) == 2


def test_deleting_what_matches_nothing_is_no_error(reviews):
    told = "no record of 'reviews' matches: there is nothing to take out\n"
    assert reviews("delete", "reviews", "--query", "text:nowhere") == (0, told, "")


def test_help_names_every_command(run):
    out = run("--help")[1]
    for command in ("import", "export", "list", "show", "query", "delete", "copy"):
        assert f"records {command} " in out
