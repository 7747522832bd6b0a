"""What is said of inputs that cannot be predicted: the form that works, on the command line and in Python."""

import json

import pytest

from tunesmith.cli import models
from tunesmith.errors import ConfigError, RowError
from tunesmith.registry import tasks
from tunesmith.run import Run


@pytest.mark.parametrize(
    "given", ["Where was it found?", {"question": "Where?"}, {"question": "Where?", "context": None}]
)
def test_a_question_without_its_context_is_told_the_form_that_has_one(given):
    run = Run(tasks.get("question-answering"), None)
    with pytest.raises(RowError) as caught:
        run.predict([given])
    form = '{"question": "…", "context": "…"}'
    assert str(caught.value) == (
        "row 0, column 'context': is empty: expected text, for a question is answered from its context. "
        f"Give both: (question, context) in Python, '{form}' on the command line"
    )
    assert models._text(form) == json.loads(form)
    assert run.task.inputs([json.loads(form)])[0].pair == "…"


def test_a_context_that_is_no_text_is_told_as_such():
    with pytest.raises(RowError, match="column 'context': is not text: found int 3"):
        Run(tasks.get("question-answering"), None).predict([("Where?", 3)])


def test_the_name_of_a_file_is_told_how_files_are_predicted(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("text\na\n")
    run = Run(tasks.get("text-classification"), None)
    with pytest.raises(ConfigError) as caught:
        run.predict(str(path))
    told = str(caught.value)
    assert told.endswith(
        "expected a list of inputs; a file is predicted with `tunesmith predict RUN FILE`, or from a frame: "
        "`run.predict(pandas.read_csv(path))`."
    )
    for text in ("a text", "new.csv", "a\0b", "long" * 5_000):
        with pytest.raises(ConfigError, match="put the one text into a list"):
            run.predict(text)
