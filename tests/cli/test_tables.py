"""Tables on standard output."""

import csv
import io

import pytest

from tunesmith.cli import tables


def table(rows, mark=","):
    file = io.StringIO()
    tables.separated(file, rows, mark)
    return file.getvalue()


def test_scores_have_a_row_a_metric_and_a_column_a_split():
    shown = tables.scores({"validation": {"accuracy": 0.5, "rows": 4}, "test": {"accuracy": 0.25}})
    assert shown.splitlines() == [
        "          validation    test",
        "--------  ----------  ------",
        "accuracy      0.5000  0.2500",
        "rows               4       -",
    ]


def test_scores_of_many_classes_are_cut_and_counted():
    shown = tables.scores({"test": {f"f1_{i}": 0.5 for i in range(15)} | {"accuracy": 0.5}})
    assert shown.splitlines()[2].startswith("accuracy")
    assert shown.endswith("(and 3 classes more)")


def test_no_held_out_rows_are_said():
    assert tables.scores({}).startswith("no held-out rows, so no scores")


def test_predictions_are_rows_of_id_inputs_prediction_and_score():
    rows = [
        ({"text": 'a "b", c'}, {"id": 0, "label": "no", "score": 0.75, "scores": {"no": 0.75, "yes": 0.25}}),
        ({"text": "two\nlines"}, {"id": "k", "label": "yes", "score": 0.5, "scores": {"no": 0.5, "yes": 0.5}}),
    ]
    told = table(rows)
    assert told == 'id,text,label,score\n0,"a ""b"", c",no,0.75\nk,"two\nlines",yes,0.5\n'
    assert list(csv.reader(io.StringIO(table(rows, "\t")), "excel-tab"))[1] == ["0", 'a "b", c', "no", "0.75"]


@pytest.mark.parametrize(
    ("inputs", "prediction", "told"),
    [
        ({"text": "a"}, {"id": 0, "value": -1.5}, ["id,text,value", "0,a,-1.5"]),
        ({"text": "a"}, {"id": 0, "labels": ("b", "é")}, ["id,text,labels", '0,a,"[""b"", ""é""]"']),
        ({"source": "a"}, {"id": 0, "text": "b"}, ["id,source,text", "0,a,b"]),
        ({"text": "a"}, {"id": 0, "text": "b"}, ["id,text,predicted_text", "0,a,b"]),
        (
            {"question": "q", "context": "c"},
            {"id": 0, "answer": "c", "start": 0, "end": 1, "score": 1.0},
            ["id,question,context,answer,score", "0,q,c,c,1.0"],
        ),
        ({"tokens": ["a", "b"]}, {"id": 0, "spans": [], "tags": ("O",)}, None),
    ],
)
def test_each_kind_of_prediction_has_its_columns_and_lists_are_json(inputs, prediction, told):
    expected = told or ["id,tokens,spans,tags", '0,"[""a"", ""b""]",[],"[""O""]"']
    assert table([(inputs, prediction)]).splitlines() == expected


def test_a_column_that_some_rows_lack_is_empty_there():
    rows = [({"text": "a"}, {"id": 0, "text": "b"}), ({"text": "c", "pair": "d"}, {"id": 1, "label": "e", "text": "f"})]
    assert table(rows).splitlines() == ["id,text,pair,label,predicted_text", "0,a,,,b", "1,c,d,e,f"]


def test_no_row_is_a_header_alone():
    assert table([]) == "id\n"
