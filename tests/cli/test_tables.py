"""Tables on standard output."""

from tunesmith.cli import tables


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
