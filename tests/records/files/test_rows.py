"""Tables of any kind as records: columns found by name, tasks, ids, errors with their row, and what is counted."""

import json
import logging

import pytest

from tunesmith.errors import ArtifactError, ConfigError, DataError, RowError, UnknownName
from tunesmith.records import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.records.files import read, write
from tunesmith.records.files.json_values import json_list


def text_file(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_of_texts_and_labels_just_works(tmp_path):
    path = text_file(tmp_path / "a.csv", "text,label,stars,id\ngood,pos,5,007\nbad,neg,,8\n")
    first, second = read(path)
    assert (type(first), first.text, first.annotation) == (TextClassificationRecord, "good", "pos")
    assert (first.id, first.status, first.metadata) == ("007", "Validated", {"stars": "5"})
    assert second.metadata == {}


def test_labels_can_be_predictions(tmp_path):
    path = text_file(tmp_path / "a.csv", "text,label,score\ngood,pos,0.75\n")
    (record,) = read(path, side="prediction")
    assert (record.annotation, record.prediction, record.status) == (None, [("pos", 0.75)], "Default")


def test_labels_of_one_cell_are_split_where_it_is_asked(tmp_path):
    path = text_file(tmp_path / "a.csv", "text,labels\nx,3 27\ny,\n")
    assert [record.annotation for record in read(path, separator=" ")] == [["3", "27"], None]
    assert [record.annotation for record in read(path)] == ["3 27", None]


@pytest.mark.parametrize(
    ("row", "kind", "annotation"),
    [
        ({"text": "a", "label": "x"}, TextClassificationRecord, "x"),
        ({"text": "a", "label": 3}, TextClassificationRecord, "3"),
        ({"text": "a", "labels": ["x", "y"]}, TextClassificationRecord, ["x", "y"]),
        ({"text": "a", "annotation": ["x", "y"]}, TextClassificationRecord, ["x", "y"]),
        ({"tokens": ["Ada", "met"], "ner_tags": ["B-PER", "O"]}, TokenClassificationRecord, [("PER", 0, 3)]),
        (
            {"text": "Ada met", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
            TokenClassificationRecord,
            [("PER", 0, 3)],
        ),
        ({"text": "Ada met", "entities": [[0, 3, "PER"]]}, TokenClassificationRecord, [("PER", 0, 3)]),
        ({"en": "hello", "de": "hallo"}, Text2TextRecord, "hallo"),
        ({"article": "long", "highlights": "short"}, Text2TextRecord, "short"),
        ({"text": "a"}, TextClassificationRecord, None),
    ],
)
def test_the_task_is_found_by_the_columns(tmp_path, row, kind, annotation):
    path = text_file(tmp_path / "a.jsonl", json.dumps(row))
    (record,) = read(path)
    assert (type(record), record.annotation) == (kind, annotation)


def test_columns_and_task_can_be_said(tmp_path):
    path = text_file(tmp_path / "a.jsonl", json.dumps({"a": "hello", "b": "hallo", "c": 1}))
    (record,) = read(path, task="seq2seq", columns=("a", "b"))
    assert (type(record), record.text, record.annotation, record.metadata) == (
        Text2TextRecord,
        "hello",
        "hallo",
        {"c": 1},
    )
    (pair,) = read(path, columns={"text": "a", "pair": "b", "label": "c"})
    assert (pair.inputs, pair.annotation) == ({"a": "hello", "b": "hallo"}, "1")
    with pytest.raises(UnknownName, match="unknown task of records 'qa'"):
        read(path, task="qa")
    with pytest.raises(DataError, match=r"finds no column for text .* Columns: 'a', 'b', 'c'"):
        list(read(path))
    with pytest.raises(ConfigError, match="'side' is 'gold': expected 'annotation' or 'prediction'"):
        list(read(path, side="gold"))


def test_the_same_file_gives_the_same_ids_and_another_gives_others(tmp_path):
    path = text_file(tmp_path / "a.csv", "text,label\na,x\na,x\n")
    ids = [record.id for record in read(path)]
    assert len(set(ids)) == 2
    text_file(path, "text,label\na,y\na,x\n")  # a label that was corrected
    assert [record.id for record in read(path)] == ids
    text_file(path, "text,label\nb,x\na,x\n")
    first, second = read(path)
    assert (first.id != ids[0], second.id) == (True, ids[1])


def test_a_bad_row_is_an_error_with_row_and_column_or_counted(tmp_path, caplog):
    rows = [
        {"text": "a", "label": "x"},
        {"text": 5, "label": "x"},
        {"text": None, "label": "y"},
        {"text": "b", "label": "y"},
    ]
    path = text_file(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(RowError) as caught:
        list(read(path))
    assert str(caught.value) == f"{path}: row 1, column 'text': is of type int, 5: expected text"
    with caplog.at_level(logging.WARNING):
        assert [record.text for record in read(path, bad_rows="drop")] == ["a", "b"]
    assert "not read: 1 rows whose 'text' is of type int, 5; 1 rows whose 'text' is empty" in caplog.text


def test_spans_that_tear_a_token_are_told_with_their_row(tmp_path):
    rows = [{"tokens": ["Ada"], "annotation": [["PER", 0, 2]], "text": "Ada"}]
    path = text_file(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(RowError, match="row 0, column 'annotation': has spans that do not begin and end with a token"):
        list(read(path))


def test_what_is_no_json_is_told_with_its_line(tmp_path):
    path = text_file(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": \n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: not JSON"):
        list(read(path))
    with pytest.raises(DataError, match=r"a\.json: value 1 of the list is not JSON"):
        list(read(text_file(tmp_path / "a.json", '[{"text": "a"}, {"text"')))
    with pytest.raises(DataError, match="something follows the list of 1 values"):
        list(read(text_file(tmp_path / "a.json", '[{"text": "a"}]\n[{"text": "b"}]')))


@pytest.mark.parametrize("size", [10, 65_530, 200_000])
def test_a_long_list_is_read_value_by_value(tmp_path, size):
    values = [{"text": "ä" * size, "n": 1.5}, {"text": "]"}, 12, [1], "x,y", -3]
    for path, text in (
        ("a.json", json.dumps(values)),
        ("b.json", "\ufeff" + json.dumps(values, indent=2, ensure_ascii=False)),
    ):
        assert list(json_list(text_file(tmp_path / path, text))) == list(enumerate(values))


def test_a_number_at_the_end_of_a_block_is_read_whole(tmp_path):
    numbers = [12345] * 30_000
    assert [value for _, value in json_list(text_file(tmp_path / "a.json", json.dumps(numbers)))] == numbers


def test_splits_of_a_data_set_are_named_in_the_metadata(tmp_path):
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    kinds = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    parts = {
        "train": Dataset.from_dict({"text": ["a", "b"], "label": [1, -1]}, features=kinds),
        "test": Dataset.from_dict({"text": ["c"], "label": [0]}, features=kinds),
    }
    DatasetDict(parts).save_to_disk(str(tmp_path / "d"))
    found = [(record.text, record.annotation, record.metadata) for record in read(tmp_path / "d")]
    assert found == [("a", "pos", {"split": "train"}), ("b", None, {"split": "train"}), ("c", "neg", {"split": "test"})]
    assert [record.text for record in read(tmp_path / "d", split="test")] == ["c"]
    with pytest.raises(DataError, match=r"no split 'dev'\. Splits: train, test"):
        list(read(tmp_path / "d", split="dev"))


def test_conll_goes_round_and_counts_what_it_cannot_hold(tmp_path, caplog):
    records = [
        TokenClassificationRecord(
            text="Ada met", annotation=[("PER", 0, 3)], prediction=[("X", 0, 3)], metadata={"a": 1}
        ),
        TokenClassificationRecord(text="no annotation"),
        TokenClassificationRecord(text="New York City", annotation=[("A", 0, 8), ("B", 4, 13)]),
        TokenClassificationRecord(tokens=["-DOCSTART-", "x"], annotation=[]),
        TokenClassificationRecord(tokens=["a b", "c"], annotation=[("Y", 4, 5)]),
    ]
    with caplog.at_level(logging.WARNING):
        assert write(records, tmp_path / "a.conll") == 2
    assert (tmp_path / "a.conll").read_text() == "Ada\tB-PER\nmet\tO\n\na b\tO\nc\tB-Y\n\n"
    for told in (
        "1 predictions",
        "1 records' metadata",
        "1 records without an annotation",
        "1 records with overlapping spans",
    ):
        assert told in caplog.text
    assert "1 records with a token that reads as a comment or a blank" in caplog.text
    back = list(read(tmp_path / "a.conll"))
    assert [(one.tokens, one.annotation) for one in back] == [
        (("Ada", "met"), [("PER", 0, 3)]),
        (("a b", "c"), [("Y", 4, 5)]),
    ]


def test_a_csv_cell_says_what_it_was(tmp_path):
    records = [
        TextClassificationRecord(text='"quoted"', annotation="[x]", id="7"),
        TextClassificationRecord(text="", annotation="null", id=7),
        TextClassificationRecord(text="a\rb\r\nc\td", annotation='"', id="-1"),
        TextClassificationRecord(inputs={"a": "[]"}, id="[1]", metadata={"text": ""}),
    ]
    write(records, tmp_path / "a.csv")
    assert list(read(tmp_path / "a.csv")) == records


def test_packed_files_go_round(tmp_path):
    records = [Text2TextRecord("a", annotation="b")]
    for name in ("a.jsonl.gz", "a.csv.xz", "a.json.bz2"):
        write(records, tmp_path / name)
        assert list(read(tmp_path / name)) == records
    with pytest.raises(ArtifactError, match=r"is not packed this way: \.gz, \.bz2 and \.xz are"):
        write(records, tmp_path / "a.csv.zst")


def test_chunks_of_different_types_make_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr("tunesmith.records.files.arrow.CHUNK", 2)
    records = [
        TextClassificationRecord(text="a", id=1, metadata={"n": 1}),
        TextClassificationRecord(text="b", id=2, metadata={"n": 2}, annotation="x"),
        TextClassificationRecord(text="c", id="3", metadata={"n": "3", "m": None}),
        TextClassificationRecord(inputs={"q": "d", "a": "e"}, id=4, annotation=["x"], multi_label=True),
        TextClassificationRecord(text="f", event_timestamp="2024-01-01T00:00:00+02:00", vectors={"v": [1.0]}),
    ]
    for name in ("a.parquet", "folder"):
        write(records, tmp_path / name)
        assert list(read(tmp_path / name)) == records


def test_nothing_is_written_where_something_fails(tmp_path):
    def broken():
        yield Text2TextRecord("a")
        raise DataError("no more")

    for name in ("a.csv", "a.jsonl", "a.parquet", "folder"):
        with pytest.raises(DataError, match="no more"):
            write(broken(), tmp_path / name)
    with pytest.raises(DataError, match=r"there are no records to write to .*a\.csv"):
        write([], tmp_path / "a.csv")
    with pytest.raises(DataError, match="records of one task: these are Text2Text and TextClassification"):
        write([Text2TextRecord("a"), TextClassificationRecord("b")], tmp_path / "a.jsonl")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    text_file(tmp_path / "mine.txt", "x")
    with pytest.raises(ArtifactError, match="is a folder that holds something"):
        write([Text2TextRecord("a")], tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "x"


@pytest.mark.parametrize("first", [["\ufeffa", "b"], ["\ufeff"], ["\ufeff\ufeff", "x"]])
def test_conll_keeps_a_byte_order_mark_that_begins_a_token(first, tmp_path):
    records = [TokenClassificationRecord(tokens=tokens, annotation=[]) for tokens in (first, ["c"], first)]
    assert write(records, tmp_path / "a.conll") == 3
    assert [record.tokens for record in read(tmp_path / "a.conll")] == [tuple(first), ("c",), tuple(first)]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("token", ["-DOCSTART-", "-DOCSTART-1"])
def test_conll_counts_a_record_whose_token_reads_as_the_start_of_a_document(token, place, tmp_path, caplog):
    tokens = ["see", "it", "now"]
    tokens[place] = token
    start = len(" ".join(["", *tokens[:place]]).lstrip()) + bool(place)
    odd = TokenClassificationRecord(tokens=tokens, annotation=[("X", start, start + len(token))])
    assert write([odd, TokenClassificationRecord(tokens=["c"], annotation=[])], tmp_path / "a.conll") == 1
    assert "1 records with a token that reads as a comment or a blank" in caplog.text
    assert [record.tokens for record in read(tmp_path / "a.conll")] == [("c",)]


def test_conll_counts_a_first_line_that_reads_as_a_comment_with_its_columns(tmp_path, caplog):
    given = {"pos": ["id", "NN"], "chunk": ["O", "O"]}
    odd = TokenClassificationRecord(tokens=["#", "1"], annotation=[], metadata=given)
    plain = TokenClassificationRecord(tokens=["1", "#"], annotation=[], metadata={**given, "pos": ["NN", "id"]})
    assert write([odd, plain], tmp_path / "a.conll") == 1
    assert "1 records with a token that reads as a comment or a blank" in caplog.text
    assert [record.tokens for record in read(tmp_path / "a.conll")] == [("1", "#")]


def test_a_cell_that_spells_a_list_of_labels_holds_several(tmp_path):
    path = text_file(tmp_path / "a.csv", "text,label\nx,\"['a', 'b']\"\ny,[]\nz,[odd\n")
    assert [record.annotation for record in read(path)] == [["a", "b"], [], "[odd"]


@pytest.mark.parametrize("name", ["a.parquet", "folder", "a.csv", "a.jsonl"])
def test_records_with_one_label_and_with_several_are_read_back_from_one_file(name, tmp_path):
    records = [
        TextClassificationRecord(text="a", annotation="A", id=1),
        TextClassificationRecord(text="b", annotation=["B", "C"], multi_label=True, id=2),
        TextClassificationRecord(text="c", annotation=["D"], multi_label=True, id=3),
        TextClassificationRecord(text="d", annotation=[], multi_label=True, id=4),
        TextClassificationRecord(text="e", id=5),
    ]
    write(records, tmp_path / name)
    assert list(read(tmp_path / name)) == records


def test_labels_are_settled_as_in_a_table_and_a_flag_that_is_none_is_told(tmp_path):
    rows = [{"text": "a", "annotation": "A", "multi_label": True}, {"text": "b", "annotation": ["A", None]}]
    path = text_file(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert [record.annotation for record in read(path)] == [["A"], ["A"]]
    path = text_file(tmp_path / "b.jsonl", json.dumps({"text": "a", "annotation": "A", "multi_label": "maybe"}))
    with pytest.raises(RowError, match="row 0, column 'multi_label'"):
        list(read(path))


def test_a_format_that_is_named_goes_before_the_suffix(tmp_path):
    records = [TokenClassificationRecord(text="Ada met", annotation=[("PER", 0, 3)], id="1")]
    for format in ("csv", "tsv", "parquet", "jsonl", "conll"):
        path = tmp_path / f"{format}.json"
        write(records, path, format=format)
        assert [record.annotation for record in read(path, format=format)] == [[("PER", 0, 3)]], format
    assert (tmp_path / "tsv.json").read_text().startswith("task\ttext\t")


def test_a_suffix_that_tells_no_format_is_told_those_that_do(tmp_path):
    with pytest.raises(DataError, match=r"a\.xlsx: no format is known by this suffix"):
        write([Text2TextRecord("a")], tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="there is no file"):
        list(read(tmp_path / "missing.csv"))
