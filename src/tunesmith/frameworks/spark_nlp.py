"""Spark NLP: its training data, a pandas frame or a Spark frame; and training, where its JVM package is present."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import Settings
from ..errors import ConfigError, NotInstalled
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples, RowId, Task
from ..tasks.word_tags import Misfit
from ..training_arguments import Argument
from . import base, spark_nlp_base, spark_nlp_session, tables
from .spark_nlp_arguments import ARGUMENTS, SEVERAL, SINGLE, WORDS, named
from .trained import Trained, kept, read, refuse_hooks, refuse_kind, refuse_pairs

_LEARNERS = {base.TEXT: (SINGLE, SEVERAL), base.TOKENS: (WORDS,)}


@dataclass(frozen=True)
class SparkNLPFramework:
    """Embeddings, and a network on them: ClassifierDL, MultiClassifierDL or NerDL.

    needs: what must be on the machine beside packages of Python; the support matrix tells it.
    """

    name: str = "spark-nlp"
    heeds: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("spark-nlp", "pyspark")
    needs: str = "it trains where its JVM package is present, and prepares data everywhere"

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in _LEARNERS else "it learns classes of texts and tags of words"

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TEXT, base.TOKENS, base.TARGET))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans give no tag for each token, by id."""
        return base.tag_misfits(task, examples)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A frame, or (train, test) of them: `id`, `text`, then `label` (a name), `labels` (multi-label: a list of
        names), `token` and `label` (lists: words, and BIO tags by name), or `target`; then one for each input.

        spark: a `SparkSession`: Spark frames are made by it, with types of their own, so that an empty list has one.
        as_spark: True makes Spark frames by the session that is active, or by a new one.

        Raises:
            NotInstalled: Spark is asked for, and pyspark is missing. ConfigError: `spark` is no session.
        """
        base.check_options(self.name, options, ("spark", "as_spark"))
        session = _session(options.get("spark"), bool(options.get("as_spark", False)))
        types = _types(task, several=splits["train"].kind == "multi")
        inputs = tables.input_columns(splits.values(), types)
        types |= dict.fromkeys(inputs.values(), "string")

        def frame(examples: Examples) -> Any:
            cells = (*_cells(task, examples, labels), *tables.input_cells(examples, inputs).values())
            return _frame(dict(zip(types, cells, strict=True)), types, session)

        return base.one_or_both(splits, frame)

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the session and the embeddings, which are not loaded yet.

        Raises:
            NotInstalled, NoJvmPackage: what it runs in is missing. ConfigError, ArtifactError: a setting, or the base.
        """
        from .spark_nlp_fitting import Opened

        refuse_hooks(self.name, settings, hooks)
        named(settings.training, _LEARNERS[task])
        spark_nlp_session.check_installed()
        spark_nlp_session.check_jar(settings.training.get("jar"))
        given = settings.base if hooks.base is None else hooks.base
        embeddings = spark_nlp_base.read(spark_nlp_base.find(given, task), task)
        memory = settings.training.get("memory", ARGUMENTS["memory"].default)
        session = spark_nlp_session.open_session(settings.training.get("jar"), memory)
        return replace(hooks, opened=Opened(session, embeddings))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train; see `spark_nlp_fitting.fit`.

        Raises:
            UnsupportedTask: numbers for labels, or pairs of texts. TrainingFailed: Spark NLP stopped.
        """
        from . import spark_nlp_fitting

        if task.name == base.TEXT:
            refuse_kind(self.name, task.name, splits["train"], ("single", "multi"))
            refuse_pairs(self.name, task.name, splits["train"])
        return kept(spark_nlp_fitting.fit(splits, settings, folder, hooks.opened), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved pipeline.

        Raises:
            ArtifactError: none is there. NotInstalled, NoJvmPackage: what it runs in is missing.
        """
        from . import spark_nlp_fitting

        name, kind, labels, told = read(self.name, task, folder)
        session = spark_nlp_session.open_session(None, ARGUMENTS["memory"].default)
        return spark_nlp_fitting.load(session, folder, name, kind, labels, kept={"threshold": told.get("threshold")})


def _types(task: str, *, several: bool) -> dict[str, str]:
    """Column -> 'string' or 'strings'."""
    types = {"id": "string", "text": "string"}
    if task == base.TARGET:
        return {**types, "target": "string"}
    if task == base.TOKENS:
        return {**types, "token": "strings", "label": "strings"}
    return {**types, "labels": "strings"} if several else {**types, "label": "string"}


def _cells(task: str, examples: Examples, labels: Sequence[str]) -> tuple[list[Any], ...]:
    """The cells of each column, in the order of `_types`."""
    ids, texts = [str(example.id) for example in examples], [example.text for example in examples]
    if task == base.TARGET:
        return ids, texts, [example.target for example in examples]
    known = {name: place for place, name in enumerate(labels)}
    if task == base.TOKENS:
        tags = [list(row) for row in base.tags_of(examples, known)]
        return ids, texts, [list(example.tokens or ()) for example in examples], tags
    names = [base.names_of(example, known) for example in examples]
    return ids, texts, [list(row) for row in names] if examples.kind == "multi" else [row[0] for row in names]


def _frame(columns: Mapping[str, list[Any]], types: Mapping[str, str], session: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    if session is None:
        return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    arrow = {"string": pa.string(), "strings": pa.list_(pa.string())}
    schema = pa.schema([(name, arrow[kind]) for name, kind in types.items()])
    return session.createDataFrame(pa.table(dict(columns), schema=schema))


def _session(given: Any, as_spark: bool) -> Any:
    if given is None and not as_spark:
        return None
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise NotInstalled("pyspark", "spark", "a Spark data frame") from error
    if given is not None and not hasattr(given, "createDataFrame"):
        raise ConfigError("spark", given, "a SparkSession")
    return SparkSession.builder.getOrCreate() if given is None else given


FRAMEWORK = SparkNLPFramework()
