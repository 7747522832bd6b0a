from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tunesmith.data.labels import Labels, infer
from tunesmith.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([5, 0, 5], ("0", "5")),
        ([10, 9, 100], ("9", "10", "100")),
        ([-1, 1], ("-1", "1")),
        ([True, False], ("False", "True")),
        ([1.0, 0.0, 1.0], ("0", "1")),
        (["spam", "ham"], ("ham", "spam")),
        (["10", "9"], ("9", "10")),
        (["b ", " a"], ("a", "b")),
        (["a", None, "", float("nan"), "b"], ("a", "b")),
    ],
)
def test_one_label_a_row_gives_sorted_names(values: list[Any], names: tuple[str, ...]) -> None:
    assert infer(values) == Labels("single", names)


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.1, 1.0], [1, 0.5], [None, 2.5, float("nan")]])
def test_a_fraction_anywhere_is_regression(values: list[Any]) -> None:
    labels = infer(values)
    assert labels == Labels("regression")
    assert labels.encode(2.5) == 2.5
    assert len(labels) == 1


def test_numbers_spelled_out_are_numbers_only_in_untyped_data() -> None:
    assert infer(["0.5", "1.0"], untyped=True) == Labels("regression")
    assert infer(["0.5", "1.0"]) == Labels("single", ("0.5", "1.0"))
    assert infer(["1.0", "2.0"], untyped=True) == Labels("single", ("1", "2"))
    assert infer(["1.5", "NaN", "2"], untyped=True).kind == "regression"
    assert infer(["1.5", "high"], untyped=True).kind == "single"


def test_whole_numbers_of_a_spreadsheet_are_read_as_the_names_they_became() -> None:
    labels = infer(["1.0", "0.0"], untyped=True)
    assert [labels.read(value) for value in ("1.0", "1", 1, 1.0)] == ["1"] * 4


@pytest.mark.parametrize(
    ("cells", "untyped", "told"),
    [
        (list(range(200)), False, "200 different whole numbers in 200 rows"),
        ([float(cell) for cell in range(30)], False, "30 different whole numbers in 30 rows"),
        ([str(cell) for cell in range(200)], True, "200 different whole numbers in 200 rows"),
        (["1.0", "1", "n/a", *map(str, range(2, 40))], True, "39 different whole numbers in 40 rows"),
        ([*range(21), *[0] * 20], False, "21 different whole numbers in 41 rows"),
    ],
)
def test_whole_numbers_that_hardly_repeat_are_not_taken_for_classes(cells: list[Any], untyped: bool, told: str) -> None:
    with pytest.raises(DataError) as caught:
        infer(cells, untyped=untyped)
    choice = "say label_kind='regression' if they are amounts, 'single' if they are classes"
    assert str(caught.value) == f"{told}: {choice}."
    assert infer(cells, untyped=untyped, kind="single").kind == "single"
    assert infer(cells, untyped=untyped, kind="regression").kind == "regression"
    assert infer(cells, untyped=untyped, declared=[str(cell) for cell in cells]).kind == "single"


@pytest.mark.parametrize(
    ("cells", "untyped"),
    [
        (list(range(20)), False),  # few
        ([*range(21)] * 2, False),  # each twice
        ([*map(str, range(30))], False),  # text that the source holds as text
        ([*map(str, range(30)), "low"], True),
    ],
)
def test_other_numbers_are_classes_as_before(cells: list[Any], untyped: bool) -> None:
    assert infer(cells, untyped=untyped).kind == "single"


@pytest.mark.parametrize("untyped", [True, False])
@pytest.mark.parametrize("cells", [["4,5", "3,0"], ["4,5", "n/a", "4", "-1,25"]])
def test_numbers_with_a_decimal_comma_are_not_taken_for_classes(cells: list[str], untyped: bool) -> None:
    with pytest.raises(DataError) as caught:
        infer(cells, untyped=untyped)
    assert str(caught.value) == (
        "the labels are numbers with a comma, as '4,5': write amounts with a decimal point, as '4.5', "
        "or say label_kind='single' if they are classes, 'multi' if each is a list."
    )
    assert infer(cells, untyped=untyped, kind="single").kind == "single"
    assert infer(cells, untyped=untyped, kind="multi").kind == "multi"
    assert infer([*cells, "high"], untyped=untyped).kind == "single"


def test_declared_names_keep_their_order_and_those_unseen() -> None:
    labels = infer(["neg"], declared=("pos", "neg", "neutral"))
    assert labels.names == ("pos", "neg", "neutral")
    assert labels.encode("neg") == 1


def test_a_whole_number_is_an_id_where_no_name_is_a_number() -> None:
    assert Labels("single", ("ham", "spam")).read(1) == "spam"
    with pytest.raises(ValueError, match=r"label id 2 is outside 0 … 1 \(ham, spam\)"):
        Labels("single", ("ham", "spam")).read(2)
    with pytest.raises(ValueError, match="label '1' is not one of the 2 known"):
        Labels("single", ("0", "5")).read(1)
    with pytest.raises(ValueError, match="label '1' is not one of"):
        Labels("single", ("ham", "spam")).read("1")


def test_a_label_outside_the_set_names_the_known_and_the_nearest() -> None:
    with pytest.raises(ValueError) as caught:
        Labels("single", ("positive", "negative")).read("negativ")
    assert str(caught.value) == (
        "label 'negativ' is not one of the 2 known: positive, negative; did you mean 'negative'?"
    )


@pytest.mark.parametrize("missing", [None, float("nan"), "", "  "])
def test_a_missing_label_reads_as_none(missing: Any) -> None:
    for labels in (Labels("single", ("a", "b")), Labels("multi", ("a", "b")), Labels("regression")):
        assert labels.read(missing) is None


def test_one_class_only_is_an_error_never_regression() -> None:
    for values in ([1, 1], ["spam"], [2.0], [True]):
        with pytest.raises(DataError, match="needs at least two classes"):
            infer(values)
    with pytest.raises(DataError, match="'spam'"):
        infer(["spam", "spam"])
    with pytest.raises(DataError, match="at least two classes"):
        infer(["a"], declared=("a",))


def test_no_label_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no row has a label"):
        infer([None, "", float("nan")])


def test_lists_of_names_are_several_labels() -> None:
    labels = infer([["joy"], ["anger", "joy"], [], None])
    assert labels == Labels("multi", ("anger", "joy"))
    assert labels.read(["joy", "anger", "joy"]) == ("anger", "joy")
    assert labels.read([]) == ()
    assert labels.encode(("joy",)) == [0.0, 1.0]
    assert labels.encode(()) == [0.0, 0.0]


def test_lists_of_ids_with_gaps_are_names() -> None:
    labels = infer([[27, 3], [3], [100]])
    assert labels.names == ("3", "27", "100")
    assert labels.encode(labels.read([100, 3]) or ()) == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("one", [1, 1.0, True])
def test_equal_lists_of_zeros_and_ones_are_multi_hot(one: Any) -> None:
    zero = one - one
    labels = infer([[one, zero, one], [zero, zero, zero]])
    assert labels == Labels("multi", ("0", "1", "2"), hot=True)
    assert labels.read([one, zero, one]) == ("0", "2")
    assert labels.read([zero, zero, zero]) == ()
    named = infer([[one, zero]], declared=("joy", "anger"))
    assert named.read([zero, one]) == ("anger",)


def test_unequal_lists_of_zeros_and_ones_are_names() -> None:
    labels = infer([[0], [0, 1], [1]])
    assert labels == Labels("multi", ("0", "1"), hot=False)
    assert labels.read([0, 1]) == ("0", "1")
    assert infer([[0], [1], [1]]) == Labels("multi", ("0", "1"), hot=False)


def test_a_multi_hot_list_of_another_length_or_number_is_refused() -> None:
    labels = Labels("multi", ("a", "b", "c"), hot=True)
    with pytest.raises(ValueError, match="2 numbers; one for each of 3"):
        labels.read([1, 0])
    with pytest.raises(ValueError, match="only 0 and 1"):
        labels.read([1, 0, 2])


def test_numbers_with_a_fraction_in_a_list_are_refused() -> None:
    with pytest.raises(DataError, match=r"holds 0\.3"):
        infer([[0.3, 0.7]])


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["3 27", "27"], ("3", "27")),
        (["3,27", "27"], ("3", "27")),
        (["27|3", "3"], ("3", "27")),
        (["3; 27"], ("3", "27")),
        (["[3, 27]", "[]"], ("3", "27")),
        (["['3', '27']"], ("3", "27")),
    ],
)
def test_several_labels_in_one_text_cell_when_asked(cells: list[str], read: tuple[str, ...]) -> None:
    labels = infer(cells, untyped=True, kind="multi")
    assert labels.names == ("3", "27")
    assert labels.read(cells[0]) == read


def test_names_with_blanks_survive_another_mark() -> None:
    labels = infer(["world news|sports", "world news"], kind="multi")
    assert labels.names == ("sports", "world news")
    assert labels.read("world news") == ("world news",)
    assert labels.read("sports|world news") == ("sports", "world news")


def test_the_kind_can_be_forced() -> None:
    assert infer([1, 2, 3], kind="regression") == Labels("regression")
    assert infer([0.5, 1.5], kind="single") == Labels("single", ("0.5", "1.5"))
    assert infer(["a", "b"], kind="multi") == Labels("multi", ("a", "b"))
    with pytest.raises(DataError, match="it is no finite number: 'high'"):
        infer(["high"], kind="regression")
    with pytest.raises(DataError, match="hold lists"):
        infer([["a"]], kind="single")
    with pytest.raises(ConfigError, match="single, multi or regression"):
        infer([1, 2], kind="binary")


def test_a_number_cell_of_regression_that_is_none_is_refused() -> None:
    labels = Labels("regression")
    assert labels.read("3.8") == 3.8
    assert labels.read(" 4 ") == 4.0
    assert labels.read("n/a") is None
    for bad in ("high", float("inf"), [1.0]):
        with pytest.raises(ValueError, match="no finite number"):
            labels.read(bad)


def test_a_list_where_one_label_is_expected_is_refused() -> None:
    with pytest.raises(ValueError, match="a list of 2; one label is expected"):
        Labels("single", ("a", "b")).read(["a", "b"])


def test_cells_that_are_no_numbers_do_not_hinder_regression_and_are_refused_when_read() -> None:
    for cells in ([1, "high", 2.5], [0.5, float("inf")]):
        labels = infer(cells, kind="regression")
        assert labels == Labels("regression")
        with pytest.raises(ValueError, match="no finite number"):
            labels.read(cells[1])
    assert infer([0.5, float("inf"), 2.0]) == Labels("regression")
    assert infer([0, 1, float("inf"), 1.0]) == Labels("single", ("0", "1"), by_id=False)
    with pytest.raises(DataError, match="infinite numbers alone"):
        infer([float("inf")])


@pytest.mark.parametrize(
    ("cells", "names", "odd", "told"),
    [
        ([0, "x", 1], ("0", "1"), "x", "label 'x' is not one of the 2 known: 0, 1"),
        (["a", 1, "b"], ("a", "b"), 1, "label '1' is not one of the 2 known: a, b"),
        ([0, 1, True], ("0", "1"), True, "label 'True' is not one of the 2 known: 0, 1"),
        (["a", ["b"], "b"], ("a", "b"), ["b"], "it holds a list of 1; one label is expected"),
    ],
)
def test_among_cells_of_several_types_those_of_most_give_the_names(
    cells: list[Any], names: tuple[str, ...], odd: Any, told: str
) -> None:
    labels = infer(cells)
    assert (labels.kind, labels.names) == ("single", names)
    with pytest.raises(ValueError, match=told):
        labels.read(odd)


def test_a_whole_float_is_an_id_as_a_whole_number_is() -> None:
    assert Labels("single", ("neg", "pos")).read(1.0) == "pos"
    assert Labels("multi", ("neg", "pos")).read([1.0]) == ("pos",)
    with pytest.raises(ValueError, match=r"label id 2 is outside 0 … 1"):
        Labels("single", ("neg", "pos")).read(2.0)
    with pytest.raises(ValueError, match=r"label '0\.5' is not one of"):
        Labels("single", ("neg", "pos")).read(0.5)


@pytest.mark.parametrize(
    "cells",
    [
        ["[1, 0, 0]", "[0, 1, 1]", "[0, 0, 0]"],
        ["[1.0, 0.0, 0.0]", "[0.0, 1.0, 1.0]", "[0.0, 0.0, 0.0]"],
        ["[1 0 0]", "[0 1 1]", "[0 0 0]"],
        ["[1. 0. 0.]", "[0. 1. 1.]", "[0. 0. 0.]"],
    ],
)
def test_multi_hot_lists_spelled_out_are_multi_hot(cells: list[str]) -> None:
    labels = infer(cells, untyped=True, kind="multi")
    assert labels == Labels("multi", ("0", "1", "2"), hot=True)
    assert [labels.read(cell) for cell in cells] == [("0",), ("1", "2"), ()]


@pytest.mark.parametrize("bad", [[1, 0, 0.5], [1, None, 0], [1, 0], [0, 1, 2]])
def test_one_bad_list_leaves_the_others_multi_hot_and_is_refused_when_read(bad: list[Any]) -> None:
    labels = infer([[1, 0, 0], [0, 1, 1], bad])
    assert labels == Labels("multi", ("0", "1", "2"), hot=True)
    with pytest.raises(ValueError, match=r"numbers; one for each of 3|only 0 and 1"):
        labels.read(bad)


def test_a_fraction_in_one_list_of_names_is_refused_when_read() -> None:
    labels = infer([["a"], ["b", 0.5], ["b"]])
    assert labels.names == ("a", "b")
    with pytest.raises(ValueError, match=r"label '0\.5' is not one of"):
        labels.read(["b", 0.5])


def test_lists_that_python_printed_are_lists() -> None:
    labels = infer(["['world news', 'sports']", "['it, too']"], untyped=True, kind="multi")
    assert labels.names == ("it, too", "sports", "world news")


@pytest.mark.parametrize(
    "lists",
    [
        [["x", "y"], ["y"], []],
        [["world news", "it, too"], ["it, too"]],
        [[3, 27], [27], [3]],
        [[0, 1, 1], [1, 0, 0], [0, 0, 0]],
        [[1.0, 0.0], [1.0, 1.0]],
    ],
)
@pytest.mark.parametrize("spell", [str, json.dumps, lambda cell: str(np.array(cell))])
@pytest.mark.parametrize("untyped", [True, False])
def test_lists_that_every_cell_spells_are_lists(lists: list[list[Any]], spell: Any, untyped: bool) -> None:
    labels, cells = infer(lists), [spell(cell) for cell in lists]
    assert infer([*cells, "", None], untyped=untyped) == labels
    assert [labels.read(cell) for cell in cells] == [labels.read(cell) for cell in lists]


def test_texts_in_brackets_that_are_no_lists_stay_classes() -> None:
    assert infer(["[x]", "[y]"]) == Labels("single", ("[x]", "[y]"))
    assert infer(["['x']", "y"]) == Labels("single", ("['x']", "y"))
    assert infer(["['x']", "['y']"], kind="single") == Labels("single", ("['x']", "['y']"))
    assert infer(["['x']"], declared=("['x']", "y")) == Labels("single", ("['x']", "y"))


def test_labels_come_back_from_json() -> None:
    kinds = (Labels("single", ("b", "a")), Labels("multi", ("0", "1"), hot=True), Labels("regression"))
    for labels in (*kinds, Labels("single", ("b", "a"), by_id=False)):
        assert Labels.from_dict(json.loads(json.dumps(labels.to_dict()))) == labels
