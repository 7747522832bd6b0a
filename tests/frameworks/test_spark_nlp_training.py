"""Training by Spark NLP: what needs no jar, and the whole where TUNESMITH_SPARK_NLP_JAR names one."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tunesmith
from tunesmith.data.labels import Labels
from tunesmith.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    NoJvmPackage,
    NotInstalled,
    OutOfMemory,
    TrainingFailed,
    UnsupportedTask,
)
from tunesmith.frameworks import (
    spark_nlp_base,
    spark_nlp_fitting,
    spark_nlp_frames,
    spark_nlp_session,
    spark_nlp_stages,
)
from tunesmith.frameworks.spark_nlp import FRAMEWORK
from tunesmith.frameworks.spark_nlp_arguments import ARGUMENTS, SEVERAL, SINGLE, TAKES, WORDS
from tunesmith.frameworks.spark_nlp_session import VARIABLE
from tunesmith.tasks.base import Example, Span

TEXT, TOKENS = small_tasks.TEXT, small_tasks.TOKENS
JAR = os.environ.get(VARIABLE, "")
with_jar = pytest.mark.skipif(not Path(JAR).is_file(), reason=f"{VARIABLE} names no jar of Spark NLP")


def train(**settings: Any) -> Any:
    """A run that must end before its data is read: there is none."""
    return tunesmith.train("no-such-file.csv", framework="spark-nlp", **settings)


@pytest.fixture
def library() -> Any:
    return pytest.importorskip("sparknlp", reason="the Python package spark-nlp is not installed")


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    """As if no test had started Spark in this process."""
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda cls: None))
    monkeypatch.delenv(VARIABLE, raising=False)


def vectors(folder: Path, text: str = "a 0.5 1.5 2.5\nb 0.1 0.2 0.3\n") -> Path:
    file = folder / "vectors.txt"
    file.write_text(text, encoding="utf-8")
    return file


def saved(folder: Path, kind: str) -> Path:
    """The metadata of an annotator's folder, as Spark writes it."""
    (folder / "metadata").mkdir(parents=True)
    told = {"class": f"com.johnsnowlabs.nlp.embeddings.{kind}", "timestamp": 0, "uid": "x", "paramMap": {}}
    (folder / "metadata" / "part-00000").write_text(json.dumps(told) + "\n", encoding="utf-8")
    return folder


# What is refused before data is read


def test_without_the_python_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sparknlp", None)
    with pytest.raises(
        NotInstalled, match=r"training by Spark NLP needs spark-nlp, .* pip install 'tunesmith\[spark-nlp\]'"
    ):
        train()


def test_without_a_jar_the_error_says_how_to_name_one(no_session: None) -> None:
    with pytest.raises(NoJvmPackage, match=f"its jar was not named: set jar= or {VARIABLE} to it"):
        train()


def test_a_variable_that_names_no_file_is_told(
    no_session: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "gone.jar"))
    with pytest.raises(NoJvmPackage, match=r"gone\.jar', where no file is: set it to the jar of Spark NLP"):
        train()


def test_a_setting_that_names_no_file_is_told(no_session: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"setting 'jar' is .*: expected the path of the jar of Spark NLP, a file"):
        train(jar=str(tmp_path / "gone.jar"))


def test_a_missing_base_says_what_to_give(no_session: None, tmp_path: Path) -> None:
    jar = tmp_path / "some.jar"
    jar.touch()
    with pytest.raises(
        ConfigError, match="setting 'base' is None: expected a folder of embeddings that Spark NLP saved"
    ):
        train(jar=str(jar))
    with pytest.raises(ArtifactError, match="is not there: expected a folder of embeddings"):
        train(jar=str(jar), base=str(tmp_path / "gone"))


def test_a_setting_of_another_annotator_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"'threshold' is 0\.5: expected nothing: it is a setting of MultiClassifierDL"
    ):
        train(task=TOKENS, threshold=0.5)
    with pytest.raises(ConfigError, match=r"'po' is 0\.1: expected nothing: it is a setting of NerDLApproach"):
        train(task=TEXT, po=0.1)
    with pytest.raises(ConfigError, match="setting 'dropout' is 2: expected a number from 0 to 1"):
        train(dropout=2)


def test_a_task_that_no_annotator_learns_is_refused() -> None:
    with pytest.raises(UnsupportedTask, match="it learns classes of texts and tags of words"):
        train(task="question-answering")


# The settings, and the classes of the installed package


@pytest.mark.parametrize("learner", list(TAKES))
def test_every_setting_is_a_parameter_with_a_setter(library: Any, learner: str) -> None:
    import sparknlp.annotator
    from pyspark.ml.param import Param

    kind = getattr(sparknlp.annotator, learner)
    for name in (*TAKES[learner], "randomSeed", "labelColumn", "enableOutputLogs", "outputLogsPath"):
        assert isinstance(getattr(kind, name), Param), name
        assert callable(getattr(kind, spark_nlp_stages.setter(name))), name


def test_every_setting_belongs_to_an_annotator_or_to_the_session() -> None:
    assert set().union(*TAKES.values()) | {"jar", "memory", "poolingStrategy"} == set(ARGUMENTS)


def test_the_defaults_that_help_tells_are_the_librarys(library: Any) -> None:
    import inspect

    import sparknlp.annotator

    told = {SINGLE: ("maxEpochs=30", "lr=float(0.005)"), SEVERAL: ("maxEpochs=10", "lr=float(0.001)")}
    told[WORDS] = ("maxEpochs=50", "lr=float(0.001)", "po=float(0.005)", "batchSize=8", 'bestModelMetric="f1_micro"')
    for learner, defaults in told.items():
        source = inspect.getsource(getattr(sparknlp.annotator, learner))
        assert all(default in source for default in defaults), learner
    assert "30 for one label, 10 for several, 50 for tags" in ARGUMENTS["maxEpochs"].help
    assert "0.005 for one label, 0.001 for several and for tags" in ARGUMENTS["lr"].help


# The base


def test_a_file_of_vectors_tells_its_dimension(tmp_path: Path) -> None:
    found = spark_nlp_base.read(vectors(tmp_path), TOKENS)
    assert (found.kind, found.dimension, found.reads) == ("word_embeddings", 3, ("document", "token"))


def test_vectors_are_named_by_what_they_are_and_not_by_their_file(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    one, same = vectors(tmp_path / "a"), vectors(tmp_path / "b")
    other = vectors(tmp_path / "c", "a 9 9 9\n")
    refs = [spark_nlp_stages.reference(file) for file in (one, same, other)]
    assert refs[0] == refs[1] != refs[2]
    assert refs[0].startswith("vectors-")


@pytest.mark.parametrize("text", ["", "word\n", "two words 0.5\n", "a b c\n"])
def test_a_file_that_holds_no_vectors_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ArtifactError, match=r"is no file of word vectors: expected a word and its numbers"):
        spark_nlp_base.read(vectors(tmp_path, text), TEXT)


@pytest.mark.parametrize(
    ("name", "kind", "reads"),
    [
        ("BertSentenceEmbeddings", "sentence_embeddings", ("document",)),
        ("UniversalSentenceEncoder", "sentence_embeddings", ("document",)),
        ("BertEmbeddings", "word_embeddings", ("document", "token")),
        ("WordEmbeddingsModel", "word_embeddings", ("document", "token")),
        ("Word2VecModel", "word_embeddings", ("token",)),
    ],
)
def test_a_saved_folder_tells_what_it_reads(library: Any, tmp_path: Path, name: str, kind: str, reads: Any) -> None:
    found = spark_nlp_base.read(saved(tmp_path, name), TEXT)
    assert (found.loads.__name__, found.kind, found.reads) == (name, kind, reads)


def test_a_folder_that_is_no_embeddings_is_refused(library: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds a ClassifierDLModel: expected a folder of embeddings"):
        spark_nlp_base.read(saved(tmp_path / "a", "ClassifierDLModel"), TEXT)
    with pytest.raises(ArtifactError, match="has no metadata that Spark wrote"):
        spark_nlp_base.read(tmp_path, TEXT)
    with pytest.raises(ConfigError, match="expected embeddings of words; BertSentenceEmbeddings gives one of a whole"):
        spark_nlp_base.read(saved(tmp_path / "b", "BertSentenceEmbeddings"), TOKENS)


# Frames, and rows of annotations, by a real session


def test_words_and_tags_become_annotations_in_javas_characters(session: Any) -> None:
    text = "😀 Anna  met 😀 Li"
    rows = spark_nlp_frames.word_rows(
        [text, ""], [[(0, 1), (2, 6), (8, 11), (14, 16)], []], [["O", "B-P", "O", "B-P"], []]
    )
    frame = spark_nlp_frames.word_frame(session, rows, tagged=True)
    assert [frame.schema[name].metadata["annotatorType"] for name in ("document", "token", "label")] == [
        "document",
        "token",
        "named_entity",
    ]
    (row,) = frame.collect()
    assert (row["row"], row["text"], row["document"][0]["end"]) == (0, text, len(text.encode("utf-16-le")) // 2 - 1)
    java = text.encode("utf-16-le")
    for each, word, tag in zip(row["token"], ["😀", "Anna", "met", "Li"], row["label"], strict=True):
        assert java[2 * each["begin"] : 2 * each["end"] + 2].decode("utf-16-le") == word == each["result"]
        assert (tag["begin"], tag["end"], tag["metadata"]["word"]) == (each["begin"], each["end"], word)
    assert [each["result"] for each in row["label"]] == ["O", "B-P", "O", "B-P"]


def test_the_frame_has_the_schema_that_the_library_gives_its_annotations(session: Any, library: Any) -> None:
    from sparknlp.annotation import Annotation

    frame = spark_nlp_frames.word_frame(session, [], tagged=False)
    assert frame.schema["token"].dataType.elementType == Annotation.dataType()


def test_texts_have_one_label_or_a_list_of_them(session: Any) -> None:
    one = spark_nlp_frames.text_frame(session, [(0, "x", "spam")], "single")
    several = spark_nlp_frames.text_frame(session, [(0, "x", ["b", "a"]), (1, "y", [])], "multi")
    assert [tuple(row) for row in one.collect()] == [(0, "x", "spam")]
    assert [(f.name, f.dataType.simpleString()) for f in several.schema.fields][2:] == [("labels", "array<string>")]
    assert [tuple(row) for row in several.collect()] == [(0, "x", ["b", "a"]), (1, "y", [])]


def annotated(session: Any, column: str, cells: list[Any]) -> Any:
    """Rows of (row, annotations), turned about: Spark promises no order."""
    kind = spark_nlp_frames.word_frame(session, [], tagged=False).schema["token"].dataType.simpleString()
    rows = [(row, [(column, 0, 1, result, about, []) for result, about in cell]) for row, cell in enumerate(cells)]
    frame = session.createDataFrame(rows[::-1], f"row long, {column} {kind}")
    return spark_nlp_frames.collected(frame, column)


def test_annotations_of_a_class_are_a_label_and_every_score(session: Any) -> None:
    told = {"sentence": "0", "ham": "0.25", "spam": "0.75"}
    found = annotated(session, "category", [[("spam", told)], []])
    names = ("ham", "spam", "never")
    first = spark_nlp_frames.category(Example(7, "x"), found[0], names, None)
    assert (first.id, first.label, first.score) == (7, "spam", 0.75)
    assert first.scores == {"ham": 0.25, "spam": 0.75, "never": 0.0}
    silent = spark_nlp_frames.category(Example(8, ""), found[1], names, None)
    assert (silent.label, silent.score) == ("ham", pytest.approx(1 / 3))


def test_annotations_of_several_classes_are_cut_at_the_threshold(session: Any) -> None:
    told = {"sentence": "0", "a": "0.7", "b": "0.4"}
    found = annotated(session, "category", [[("a", told), ("b", told)], []])
    made = [spark_nlp_frames.category(Example(row, "x"), found[row], ("b", "a", "never"), 0.5) for row in (0, 1)]
    assert [each.labels for each in made] == [("a",), ()]
    assert [each.scores for each in made] == [{"b": 0.4, "a": 0.7, "never": 0.0}, {"b": 0.0, "a": 0.0, "never": 0.0}]


def test_annotations_of_words_are_spans_of_their_own_text(session: Any) -> None:
    tags = [
        ("O", {}),
        ("B-PER", {"confidence": "0.5"}),
        ("I-PER", {"confidence": "0.5"}),
        ("B-X", {}),
        ("B-LOC", {"B-LOC": "0.9"}),
    ]
    found = annotated(session, "ner", [tags])
    text, places = "😀  Anna Li  x Lima", [(0, 1), (3, 7), (8, 10), (12, 13), (14, 18)]
    names = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    made = spark_nlp_frames.entities_of(Example(1, text), found[0], places, names)
    assert made.spans == (Span("PER", 3, 10, 0.25), Span("LOC", 14, 18, 0.9))
    assert made.tags is None
    words = spark_nlp_frames.entities_of(Example(1, text, tokens=("w",) * 5), found[0], places, names)
    assert words.tags == ("O", "B-PER", "I-PER", "O", "B-LOC")


def test_a_text_that_nothing_was_said_of_has_no_spans() -> None:
    made = spark_nlp_frames.entities_of(Example(1, "", tokens=()), [], [], ("O", "B-PER", "I-PER"))
    assert (made.spans, made.tags) == ((), ())


@pytest.mark.skipif(Path(JAR).is_file(), reason="the tests' own session has Spark NLP")
def test_a_session_without_the_package_is_known_by_asking_its_jvm(session: Any, library: Any, tmp_path: Path) -> None:
    assert not spark_nlp_session.has_package(session)
    with pytest.raises(
        NoJvmPackage, match="the Spark session that runs was started without its jar: start Python anew"
    ):
        FRAMEWORK.load(TEXT, saved_model(tmp_path))


def saved_model(folder: Path) -> Path:
    told = {"framework": "spark-nlp", "task": TEXT, "kind": "single", "labels": Labels("single", ("a", "b")).to_dict()}
    (folder / "tunesmith.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


# What it keeps, by stages of Spark's own


def test_the_model_of_several_labels_outlives_what_it_came_in(session: Any, library: Any) -> None:
    from pyspark.ml.feature import Binarizer

    came = Binarizer()
    came._java_obj.setThreshold(0.25)
    uid = came.uid
    made = spark_nlp_stages.learned(SEVERAL, came)
    del came
    gc.collect()
    time.sleep(1.5)  # what nobody wraps is let go of within a second
    assert type(made).__name__ == "MultiClassifierDLModel"
    assert (made._java_obj.uid(), made.getThreshold()) == (uid, 0.25)


def test_a_pipeline_that_is_saved_again_is_the_one_that_is_read(session: Any, library: Any, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.ml.feature import Binarizer

    labels, kept = Labels("multi", ("a", "b")), {"threshold": 0.4}
    for threshold in (0.25, 0.75):
        stage = Binarizer(threshold=threshold, inputCol="x", outputCol="y")
        pipeline = PipelineModel([stage])
        spark_nlp_fitting.trained(pipeline, session, TEXT, "multi", labels, kept=kept).save(tmp_path)
    assert len(list((tmp_path / "stages").iterdir())) == 1
    assert PipelineModel.load(str(tmp_path)).stages[0].getThreshold() == 0.75
    again = spark_nlp_fitting.load(session, tmp_path, TEXT, "multi", labels, kept=kept)
    assert (again.module.stages[0].uid, again.kept) == (stage.uid, kept)
    with pytest.raises(ArtifactError, match="Spark NLP cannot load it: "):
        spark_nlp_fitting.load(session, tmp_path / "gone", TEXT, "multi", labels, kept=kept)


# Its logs and its errors


def test_epochs_are_read_from_its_logs(tmp_path: Path) -> None:
    (tmp_path / "ClassifierDLApproach_1.log").write_text(
        "Training started - epochs: 2 - learning_rate: 0.005 - batch_size: 64 - training_examples: 9 - classes: 2\n"
        "Epoch 1/2 - 1.25s - loss: 10.5 - acc: 0.5 - val_acc: 75.0 - batches: 3\n"
        "Epoch 2/2 - 1.00s - loss: 1.5E-2 - acc: 0.875 - batches: 3\n",
        encoding="utf-8",
    )
    assert spark_nlp_fitting.read_logs(tmp_path) == (
        {"epoch": 1, "loss": 10.5, "acc": 0.5, "val_acc": 75.0, "batches": 3.0},
        {"epoch": 2, "loss": 0.015, "acc": 0.875, "batches": 3.0},
    )


def test_an_error_of_the_jvm_is_ours_and_says_its_reason(session: Any) -> None:
    many = pytest.raises(TrainingFailed, match=r'stopped while training: For input string: "many"$')
    with many as caught, spark_nlp_fitting.failures():
        session._jvm.java.lang.Integer.parseInt("many")
    assert caught.value.__cause__ is not None
    trace = "An error occurred while calling o1.save.\n: java.io.IOException: no such disk\n\tat x\n"
    disk = pytest.raises(TrainingFailed, match=r"stopped while saving: java\.io\.IOException: no such disk$")
    with disk, spark_nlp_fitting.failures("saving"):
        raise RuntimeError(trace)
    with pytest.raises(OutOfMemory, match="give it more by memory="), spark_nlp_fitting.failures():
        raise RuntimeError("java.lang.OutOfMemoryError: Java heap space")


# The whole, where the jar is


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_tasks.word_vectors(tmp_path_factory.mktemp("base") / small_tasks.VECTORS))


def learned(base: str, task: str, rows: tuple[Any, Any], folder: Path, **settings: Any) -> Any:
    train, held = rows
    given = {"base": base, "maxEpochs": 40, "batchSize": 8, "memory": "4G", **settings}
    return tunesmith.train(train, test=held, task=task, framework="spark-nlp", output_dir=folder, seed=1, **given)


@with_jar
@pytest.mark.timeout(400)
def test_texts_of_one_label_are_learned_saved_and_read_again(base: str, tmp_path: Path) -> None:
    run = learned(base, TEXT, small_tasks.classes(), tmp_path)
    texts = [row["text"] for row in small_tasks.classes()[1]][:9]
    assert run.metrics["test"]["accuracy"] >= 0.7
    assert run.framework_model.history, "epochs of its log"
    assert [each.to_dict() for each in tunesmith.load(tmp_path).predict(texts)] == [
        each.to_dict() for each in run.predict(texts)
    ]


@with_jar
@pytest.mark.timeout(400)
def test_texts_of_several_labels_tell_every_score_and_keep_their_threshold(base: str, tmp_path: Path) -> None:
    run = learned(base, TEXT, small_tasks.several(), tmp_path, threshold=0.4)
    found = run.predict([row["text"] for row in small_tasks.several()[1]][:9])
    for each in found:
        assert set(each.scores) == {"spam", "figures", "question"}
        assert each.labels == tuple(name for name, score in each.scores.items() if score >= 0.4)
    assert any(each.labels for each in found)
    assert tunesmith.load(tmp_path).framework_model.module.stages[-1].getThreshold() == pytest.approx(0.4)


@with_jar
@pytest.mark.timeout(400)
def test_words_are_tagged_and_the_pipeline_reads_plain_texts(base: str, tmp_path: Path) -> None:
    from pyspark.ml import PipelineModel
    from pyspark.sql import SparkSession

    run = learned(base, TOKENS, small_tasks.tagged(), tmp_path, useBestModel=True, validation=0.1)
    held = small_tasks.tagged()[1]
    assert run.metrics["test"][run.task.primary_metric] >= 0.7
    texts = [row["tokens"] for row in held]
    again = tunesmith.load(tmp_path).predict(texts)
    assert [each.spans for each in again] == [each.spans for each in run.predict(texts)]
    (said,) = run.predict(["😀 Maria Lopez lives in Berlin ."])
    assert {"😀 Maria Lopez lives in Berlin ."[span.start : span.end] for span in said.spans} >= {"Berlin"}
    frame = SparkSession.getActiveSession().createDataFrame([("Maria Lopez lives in Berlin .",)], ["text"])
    (row,) = PipelineModel.load(str(tmp_path)).transform(frame).collect()
    assert {each["result"] for each in row["entities"]} >= {"Berlin"}


@with_jar
def test_what_spark_nlp_refuses_is_told_in_a_line(base: str, tmp_path: Path) -> None:
    rows = [{"text": f"word {place}", "label": f"name {place}"} for place in range(101)]
    with pytest.raises(DataError, match="ClassifierDLApproach learns from 2 to 100 labels; the training rows have 101"):
        learned(base, TEXT, (rows, rows), tmp_path)
    with pytest.raises(TrainingFailed, match=r"Spark NLP stopped while training: .*graph"):
        learned(base, TOKENS, small_tasks.tagged(), tmp_path, graphFolder=str(tmp_path))
