"""Training by Spark NLP: texts by ClassifierDL and MultiClassifierDL, words by NerDL; and what it has learned."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import Settings
from ..data.labels import Labels
from ..errors import ArtifactError, DataError, NothingToTrain, OutOfMemory, TrainingFailed, TunesmithError
from ..folder import STAGED, RunFolder
from ..tasks.base import Example, Examples, Prediction
from ..tasks.word_tags import bio_names, types_of
from . import spark_nlp_frames as frames
from . import spark_nlp_stages as stages
from .base import TEXT, TOKENS
from .spark_nlp_arguments import ARGUMENTS, SEVERAL, SINGLE, WORDS, named
from .spark_nlp_base import Embeddings
from .trained import Trained
from .worker_words import sentences, words_of

NAME = "spark-nlp"
_CLASSES = (2, 100)  # that its classifiers learn, at least and at most
_EPOCH = re.compile(r"Epoch:? (\d+)")
_NUMBER = re.compile(r"([A-Za-z][\w-]*): (-?\d+(?:\.\d+)?(?:[eE]-?\d+)?)")
_FILES = ("metadata", "stages")  # of a pipeline's folder


@dataclass(frozen=True)
class Opened:
    """What a run starts from."""

    session: Any
    embeddings: Embeddings


def fit(splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, opened: Opened) -> Trained:
    """Train on splits['train']; `useBestModel` of tags looks at splits['validation'].

    Raises:
        ConfigError: a parameter of another annotator. DataError: too few labels or too many, or spans that are no
        whole words. NothingToTrain: no row has a word. TrainingFailed: Spark NLP stopped.
    """
    train = splits["train"]
    learner = WORDS if train.kind not in ("single", "multi") else SINGLE if train.kind == "single" else SEVERAL
    parameters = named(settings.training, [learner])
    with tempfile.TemporaryDirectory(prefix="tunesmith-") as aside, failures():
        logs = Path(aside, "logs")
        logs.mkdir()
        fitting = _Fitting(learner, splits, settings, folder, opened, Path(aside))
        made = fitting.words(parameters, logs) if learner == WORDS else fitting.texts(parameters, logs)
        history = read_logs(logs)
    for values in history:
        folder.event("train", **values)
    threshold = float(made.stages[-1].getThreshold()) if learner == SEVERAL else None
    kept = {"threshold": threshold}
    return trained(
        made, opened.session, TOKENS if learner == WORDS else TEXT, train.kind, train.labels, kept=kept, history=history
    )


@dataclass(frozen=True)
class _Fitting:
    """One training."""

    learner: str
    splits: Mapping[str, Examples]
    settings: Settings
    folder: RunFolder
    opened: Opened
    aside: Path

    def texts(self, parameters: Mapping[str, Any], logs: Path) -> Any:
        """A pipeline from a text to its classes."""
        from pyspark.ml import Pipeline, PipelineModel

        train, found = self.splits["train"], self.opened.embeddings
        self._refuse_labels(train)
        self._note_validation()
        labels = [[each.label] if train.kind == "single" else [list(_several(each))] for each in train]
        rows = [(*row, *more) for row, more in zip(frames.text_rows(train), labels, strict=True)]
        frame = frames.text_frame(self.opened.session, rows, train.kind)
        pooling = self.settings.training.get("poolingStrategy", ARGUMENTS["poolingStrategy"].default)
        ready = Pipeline(stages=stages.of_texts(found, pooling)).fit(frame)
        estimator = stages.learner(self.learner, stages.vectors(found), parameters, self.settings.seed, logs)
        model = estimator.fit(ready.transform(frame))
        return PipelineModel([*ready.stages, stages.learned(self.learner, model)])

    def words(self, parameters: Mapping[str, Any], logs: Path) -> Any:
        """A pipeline from a text to its entities; it learns from the data's own words, which stand in its frame."""
        from pyspark.ml import Pipeline, PipelineModel

        frame = self._words(self.splits["train"])
        ready = Pipeline(stages=[stages.embedding(self.opened.embeddings)]).fit(frame)
        estimator = stages.learner(WORDS, "embeddings", parameters, self.settings.seed, logs)
        if parameters.get("useBestModel") and "validation" in self.splits:
            held = self.aside / "validation"
            ready.transform(self._words(self.splits["validation"])).write.parquet(stages.uri(held))
            estimator = estimator.setTestDataset(stages.uri(held))
        else:
            self._note_validation()
        model = estimator.fit(ready.transform(frame))
        reading = Pipeline(stages=stages.reading()).fit(frame.select(frames.ROW, "text"))
        return PipelineModel([*reading.stages, *ready.stages, model, stages.telling()])

    def _words(self, examples: Examples) -> Any:
        assert examples.labels is not None
        tags = bio_names(types_of(examples.labels.names))
        found = sentences(examples, {tag: place for place, tag in enumerate(tags)})
        places = [words_of(example, example.spans or ()) for example in examples]
        told = [[tags[tag] for tag in each.tags] for each in found]
        rows = frames.word_rows([example.text for example in examples], places, told)
        if not rows:
            raise NothingToTrain("the training data", {"no word in the text": len(examples)})
        if len(rows) < len(examples):
            self.folder.note(f"{len(examples) - len(rows)} rows hold no word: they are left out")
        return frames.word_frame(self.opened.session, rows, tagged=True)

    def _refuse_labels(self, train: Examples) -> None:
        found = {name for each in train for name in _several(each)}
        lowest, highest = _CLASSES
        if not lowest <= len(found) <= highest:
            raise DataError(
                f"{self.learner} learns from {lowest} to {highest} labels; the training rows have {len(found)}."
            )

    def _note_validation(self) -> None:
        if "validation" in self.splits:
            self.folder.note("spark-nlp chooses nothing by the validation rows: they are scored, and that is all")


def _several(example: Example) -> tuple[str, ...]:
    label = example.label
    return (label,) if isinstance(label, str) else tuple(map(str, label)) if isinstance(label, tuple) else ()


def read_logs(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """The epochs that Spark NLP has told in its log files: `epoch`, and the numbers that have names."""
    found = []
    for file in sorted(folder.glob("*.log")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            epoch = _EPOCH.search(line)
            numbers = {name: float(value) for name, value in _NUMBER.findall(line)}
            if epoch and "loss" in numbers:
                found.append({"epoch": int(epoch[1]), **numbers})
    return tuple(found)


def trained(
    module: Any,
    session: Any,
    task: str,
    kind: str,
    labels: Labels | None,
    *,
    kept: Mapping[str, Any],
    history: tuple[Mapping[str, Any], ...] = (),
) -> Trained:
    """A pipeline as a model. kept: `threshold`, of several labels."""

    def infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
        with failures("predicting"):
            return (_tell_words if task == TOKENS else _tell_texts)(model, session, examples)

    return Trained(NAME, task, kind, labels, module, infer, _write, history=history, kept=dict(kept))


def _tell_texts(model: Trained, session: Any, examples: Sequence[Example]) -> list[Prediction]:
    """Spark divides the rows by itself: there are no batches of ours."""
    assert model.labels is not None
    frame = frames.text_frame(session, frames.text_rows(examples))
    threshold, last = model.kept.get("threshold"), model.module.stages[-1]
    if threshold is not None:
        last.setThreshold(0.0)  # it tells no score of a text without a label else
    try:
        found = frames.collected(model.module.transform(frame), stages.CATEGORY)
    finally:
        if threshold is not None:
            last.setThreshold(threshold)
    names = model.labels.names
    return [frames.category(each, found.get(row, ()), names, threshold) for row, each in enumerate(examples)]


def _tell_words(model: Trained, session: Any, examples: Sequence[Example]) -> list[Prediction]:
    from pyspark.ml import PipelineModel

    assert model.labels is not None
    places = [words_of(example) for example in examples]
    rows = frames.word_rows([example.text for example in examples], places)
    found: dict[int, Sequence[Any]] = {}
    if rows:
        tagging = PipelineModel(model.module.stages[stages.FIRST : -1])
        found = frames.collected(tagging.transform(frames.word_frame(session, rows, tagged=False)), stages.NER)
    names = model.labels.names
    return [
        frames.entities_of(each, found.get(row, ()), words, names)
        for row, (each, words) in enumerate(zip(examples, places, strict=True))
    ]


def _write(model: Trained, folder: Path) -> None:
    """The pipeline, as `PipelineModel.load` reads it.

    Spark gives each file a name of its own, so that those of an older pipeline would stay beside them and be read.
    """
    with failures("saving"):
        model.module.write().overwrite().save(stages.uri(folder))
    if folder.name == STAGED:
        for name in _FILES:
            shutil.rmtree(folder.parent / name, ignore_errors=True)


def load(
    session: Any, folder: Path, task: str, kind: str, labels: Labels | None, *, kept: Mapping[str, Any]
) -> Trained:
    """A saved pipeline.

    Raises:
        ArtifactError: Spark cannot load it.
    """
    import sparknlp  # noqa: F401  it tells Spark which Python class each stage is of
    from pyspark.ml import PipelineModel

    try:
        module = PipelineModel.load(stages.uri(folder))
    except Exception as error:  # Spark raises by what it meets first
        raise ArtifactError(folder, f"Spark NLP cannot load it: {told(error)}") from error
    return trained(module, session, task, kind, labels, kept=kept)


@contextmanager
def failures(doing: str = "training") -> Iterator[None]:
    """Errors of Spark and of its JVM as ours.

    Raises:
        OutOfMemory, TrainingFailed: chained to what was raised.
    """
    try:
        yield
    except TunesmithError:
        raise
    except Exception as error:  # py4j, pyspark and Spark NLP each have their own
        if "OutOfMemoryError" in str(error) or isinstance(error, MemoryError):
            raise OutOfMemory(f"memory ran out in Spark NLP while {doing}: give it more by memory=.") from error
        raise TrainingFailed(f"Spark NLP stopped while {doing}: {told(error)}") from error


def told(error: Exception) -> str:
    """The line of an error of the JVM that says what is wrong, without the trace below it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if lines[0].startswith("An error occurred while calling") and len(lines) > 1:
        return lines[1].removeprefix(": ")
    return lines[0]
