"""Files: what each format gives, and what is said of a damaged one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tunesmith.data.sources import read
from tunesmith.errors import DataError


def rows_of(path: Path, text: str | bytes) -> list[dict[str, Any]]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [row for _, row in read(path)]


def error_of(path: Path, text: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        rows_of(path, text)
    return str(caught.value)


def test_csv_cells_are_text_and_empty_ones_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert rows_of(path, 'text,label\nNA,1\nnull,\nNone,0.50\n"",7\n') == [
        {"text": "NA", "label": "1"},
        {"text": "null", "label": None},
        {"text": "None", "label": "0.50"},
        {"text": None, "label": "7"},
    ]
    assert read(path).untyped


def test_csv_quoting_follows_rfc_4180(tmp_path: Path) -> None:
    text = 'text,label\r\n"a, ""b""\r\nc",1\r\n it\'s 5" long,2\r\n\r\n"x",3'
    assert rows_of(tmp_path / "a.csv", text) == [
        {"text": 'a, "b"\r\nc', "label": "1"},
        {"text": " it's 5\" long", "label": "2"},
        {"text": "x", "label": "3"},
    ]


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    for name in ("a.csv", "a.tsv"):
        assert rows_of(tmp_path / name, b"\xef\xbb\xbftext\nx\n") == [{"text": "x"}]
    assert rows_of(tmp_path / "a.json", b'\xef\xbb\xbf[{"text": "x"}]') == [{"text": "x"}]
    assert rows_of(tmp_path / "a.txt", b"\xef\xbb\xbfx") == [{"text": "x"}]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a;b\n1,5;2\n", ("a", "b")),
        ("a\tb\n1\t2\n", ("a", "b")),
        ("a,b;c\n1,2\n", ("a", "b;c")),
        ("a;b\tc\n1\n", ("a;b\tc",)),
        ('"a;b"\n1\n', ("a;b",)),
    ],
)
def test_another_delimiter_is_taken_only_where_the_header_is_certain(
    tmp_path: Path, text: str, columns: tuple[str, ...]
) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert read(tmp_path / "a.csv").columns == columns


def test_a_header_alone_names_the_columns_of_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n")
    data = read(tmp_path / "a.csv")
    assert (len(data), data.columns) == (0, ("text", "label"))


def test_an_unnamed_column_gets_a_name_and_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.csv", ",text\n0,x\n") == [{"unnamed_0": "0", "text": "x"}]
    assert "two columns have the name 'text'" in error_of(tmp_path / "b.csv", "text,text\na,b\n")


def test_a_csv_fault_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    message = error_of(path, 'text,label\n"two\nlines",1\na,b,c\n')
    assert message.startswith(f"{path}, line 4: 3 cells where 2 are expected (text, label).")
    assert f"{path}, line 3: 1 cells where 2" in error_of(path, "text,label\na,1\nb\n")
    assert f"{path}, line 2: " in error_of(path, 'text,label\n"a"b,1\n')
    assert "unexpected end of data" in error_of(path, 'text,label\n"a,1\n')
    assert f"{path} is empty" in error_of(path, "")


def test_a_cell_may_be_longer_than_the_csv_module_likes(tmp_path: Path) -> None:
    assert len(rows_of(tmp_path / "a.csv", f"text\n{'x' * 300_000}\n")[0]["text"]) == 300_000


def test_what_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    for name in ("a.csv", "a.tsv", "a.txt", "a.jsonl", "a.json", "a.conll"):
        message = error_of(tmp_path / name, b'"text"\n\n"caf\xe9"\n')
        assert message.startswith(f"{tmp_path / name}, line 3: not UTF-8"), message
        assert "Save the file as UTF-8" in message


def test_tsv_quotes_are_quoting_only_where_the_whole_file_is_sound_so(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.tsv", 'text\tlabel\n"a\tb"\t1\n') == [{"text": "a\tb", "label": "1"}]
    assert rows_of(tmp_path / "b.tsv", 'text\tlabel\n"so he said\t1\n"well" then\t0\n') == [
        {"text": '"so he said', "label": "1"},
        {"text": '"well" then', "label": "0"},
    ]
    assert "line 3: 1 cells where 2" in error_of(tmp_path / "c.tsv", "text\tlabel\na\t1\nb\n")


def test_tsv_quotes_that_would_join_rows_are_plain_characters(tmp_path: Path) -> None:
    text = 'text\tlabel\n"I like it\t1\nfoo\t0\nbar said so"\t1\nlast\t0\n'
    assert [row["text"] for row in rows_of(tmp_path / "a.tsv", text)] == ['"I like it', "foo", 'bar said so"', "last"]
    assert rows_of(tmp_path / "b.tsv", 'text\tlabel\n"two\nlines"\t1\n"a ""b"""\t0\n') == [
        {"text": "two\nlines", "label": "1"},
        {"text": 'a "b"', "label": "0"},
    ]


def test_a_ragged_line_of_a_quoted_tsv_is_the_one_that_is_told(tmp_path: Path) -> None:
    message = error_of(tmp_path / "a.tsv", 'text\tlabel\n"two\nlines"\t1\nfine\t0\nragged\n')
    assert message.startswith(f"{tmp_path / 'a.tsv'}, line 5: 1 cells where 2 are expected (text, label).")


def test_a_text_file_is_one_row_a_line_and_blank_lines_are_none(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "a.txt", "one\r\n\n  two \n \nthree\u2028still three")
    assert [row["text"] for row in rows] == ["one", "  two ", "three\u2028still three"]


def test_json_faults_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert f"{path}, line 3: not JSON" in error_of(path, '{"a": 1}\n\n{"a": \n')
    path = tmp_path / "a.json"
    assert f"{path}, line 2, column " in error_of(path, '[{"a": 1},\n{"a" 2}]')
    assert f"{path}, line 1, column 1: not JSON" in error_of(path, "")
    assert "it holds one int" in error_of(path, "5")
    assert "unequal lengths" in error_of(path, '{"a": [1], "b": []}')
    assert "column 'a' is a str" in error_of(path, '{"a": "b"}')


def test_json_lines_under_the_name_of_json_are_read(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.json", '{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
    assert rows_of(tmp_path / "b.json", '{"version": 1, "data": [{"a": 1}]}') == [{"a": 1}]


def test_a_json_column_called_data_is_a_column(tmp_path: Path) -> None:
    rows = [{"data": "a", "label": 1}, {"data": "b", "label": 0}]
    assert rows_of(tmp_path / "a.json", '{"data": ["a", "b"], "label": [1, 0]}') == rows
    assert rows_of(tmp_path / "b.json", '{"schema": {}, "data": [{"a": 1}]}') == [{"a": 1}]
    assert rows_of(tmp_path / "c.json", '{"data": ["a", "b"]}') == [{"text": "a"}, {"text": "b"}]


def test_the_squad_form_is_one_row_a_question(tmp_path: Path) -> None:
    asked = [
        {"id": 7, "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]},
        {"id": "8", "question": "Why?", "answers": [], "is_impossible": True},
    ]
    squad = {"version": "2.0", "data": [{"title": "T", "paragraphs": [{"context": "Ann came.", "qas": asked}]}]}
    path = tmp_path / "a.json.gz"
    assert rows_of(path, gzip.compress(json.dumps(squad).encode())) == [
        {
            "id": "7",
            "title": "T",
            "context": "Ann came.",
            "question": "Who?",
            "answers": {"text": ["Ann"], "answer_start": [0]},
        },
        {
            "id": "8",
            "title": "T",
            "context": "Ann came.",
            "question": "Why?",
            "answers": {"text": [], "answer_start": []},
        },
    ]
    del squad["data"][0]["paragraphs"][0]["context"]  # type: ignore[index]
    message = error_of(tmp_path / "b.json", json.dumps(squad))
    assert "article 'T' is not in the SQuAD form" in message
    assert "'context'" in message


CONLL = """-DOCSTART- -X- -X- O

# id = 1
EU NNP B-NP B-ORG
# # I-NP O

rejects VBZ B-VP O
"""


def test_conll_is_one_row_a_sentence(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.conll", CONLL) == [
        {"tokens": ["EU", "#"], "pos": ["NNP", "#"], "chunk": ["B-NP", "I-NP"], "tags": ["B-ORG", "O"]},
        {"tokens": ["rejects"], "pos": ["VBZ"], "chunk": ["B-VP"], "tags": ["O"]},
    ]


def test_conll_fields_are_named_by_their_number(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.iob", "New York\tB-LOC\nis\tO") == [
        {"tokens": ["New York", "is"], "tags": ["B-LOC", "O"]}
    ]
    for suffix, line, names in (
        ("bio", "a N O", ["tokens", "pos", "tags"]),
        ("iob2", "a b c d O", ["tokens", "field_1", "field_2", "field_3", "tags"]),
        ("conll", "a", ["tokens"]),
    ):
        assert list(rows_of(tmp_path / f"a.{suffix}", line)[0]) == names


def test_a_ragged_conll_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    assert f"{path}, line 2: 1 fields where 2 are expected (tokens, tags)" in error_of(path, "a O\nb\n")


def test_conllu_gives_the_syntactic_words(tmp_path: Path) -> None:
    text = (
        "# sent_id = 1\n# text = vámonos\n"
        "1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "1\tvamos\tir\tVERB\t_\tMood=Imp\t0\troot\t_\t_\n"
        "1.1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_\n\n"
    )
    rows = rows_of(tmp_path / "a.conllu", text)
    assert len(rows) == 1
    assert rows[0]["tokens"] == ["vamos", "nos"]
    assert rows[0]["lemma"] == ["ir", "nosotros"]
    assert rows[0]["upos"] == ["VERB", "PRON"]
    assert rows[0]["head"] == ["0", "1"]
    assert "line 1: 2 fields where 10 are expected" in error_of(tmp_path / "b.conllu", "1\tx\n")


def test_damaged_files_are_one_clear_error(tmp_path: Path) -> None:
    whole = gzip.compress(b"text\n" + b"".join(b"%d\n" % (n * n) for n in range(20_000)))
    path = tmp_path / "a.csv.gz"
    assert f"{path} cannot be read after line" in error_of(path, whole[: len(whole) // 2])
    assert f"{path} cannot be read: Not a gzipped file" in error_of(path, b"text\nx\n")
    path = tmp_path / "a.parquet"
    assert f"{path} cannot be read as parquet" in error_of(path, b"PAR1 not really")
    for name, content in (("a.csv.zst", b"nothing"), ("a.csv.xz", b"nothing"), ("a.csv.bz2", b"nothing")):
        assert f"{tmp_path / name} cannot be read" in error_of(tmp_path / name, content)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("text\nx\n")

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"cannot be read: .*Permission denied"):
        read(tmp_path / "a.csv")


def test_zstandard_and_packed_parquet_are_read(tmp_path: Path) -> None:
    with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as file:
        file.write(b"text\nx\n")
    assert read(tmp_path / "a.csv.zst").column("text") == ["x"]
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    assert rows_of(tmp_path / "b.parquet.gz", gzip.compress((tmp_path / "a.parquet").read_bytes())) == [{"text": "x"}]


def test_csv_and_its_rows_in_python_give_the_same_labels(tmp_path: Path) -> None:
    from tunesmith.data.labels import infer

    (tmp_path / "a.csv").write_text("label\n5\n0\n\n10\n")
    spelled, typed = read(tmp_path / "a.csv"), read([{"label": 5}, {"label": 0}, {"label": 10}])
    assert infer(spelled.column("label"), untyped=spelled.untyped) == infer(typed.column("label"))
