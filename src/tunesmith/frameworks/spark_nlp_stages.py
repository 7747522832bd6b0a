"""The stages of a Spark NLP pipeline: what reads a text, its embeddings, and the annotator that learns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .spark_nlp_arguments import SEVERAL, SINGLE, WORDS
from .spark_nlp_base import TEXTS, Embeddings

FIRST = 2  # stages that make words of a text, which words of the data's own do without
CATEGORY, NER, ENTITIES = "category", "ner", "entities"  # columns that come out


def uri(path: Path) -> str:
    """A path as Hadoop reads it, whatever file system is its first choice."""
    return f"file://{path.absolute().as_posix()}"


def reading() -> list[Any]:
    """Stages from a text to its words."""
    from sparknlp.annotator import Tokenizer
    from sparknlp.base import DocumentAssembler

    return [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        Tokenizer().setInputCols(["document"]).setOutputCol("token"),
    ]


def embedding(found: Embeddings) -> Any:
    """The stage of a base, loaded; one of a file of vectors is still to be fitted."""
    if found.loads is not None:
        made = found.loads.load(uri(found.path))
    else:
        from sparknlp.annotator import WordEmbeddings
        from sparknlp.common import ReadAs

        made = WordEmbeddings().setStoragePath(uri(found.path), ReadAs.TEXT).setDimension(found.dimension)
        made = made.setStorageRef(reference(found.path))
    return made.setInputCols(list(found.reads)).setOutputCol("embeddings")


def reference(file: Path) -> str:
    """The name of a file of vectors in the library's storage, where two of one name would be one."""
    with file.open("rb") as read:
        return f"{file.stem}-{hashlib.file_digest(read, 'sha256').hexdigest()[:12]}"


def of_texts(found: Embeddings, pooling: str) -> list[Any]:
    """Stages from a text to one vector, in the column `embeddings` or `pooled`: see `vectors`."""
    from sparknlp.annotator import SentenceEmbeddings

    stages = [*reading()[: FIRST if "token" in found.reads else 1], embedding(found)]
    if found.kind != TEXTS:
        pooled = SentenceEmbeddings().setInputCols(["document", "embeddings"]).setOutputCol("pooled")
        stages.append(pooled.setPoolingStrategy(pooling))
    return stages


def vectors(found: Embeddings) -> str:
    """The column of the vectors that a classifier of texts reads."""
    return "embeddings" if found.kind == TEXTS else "pooled"


def learner(name: str, column: str, parameters: Mapping[str, Any], seed: int, logs: Path) -> Any:
    """The annotator of a name that learns; `column`: of the vectors that it reads."""
    import sparknlp.annotator

    made = getattr(sparknlp.annotator, name)()
    if name == WORDS:
        made = made.setInputCols(["document", "token", column]).setOutputCol(NER).setLabelColumn("label")
        made = made.setIncludeConfidence(True)
    else:
        made = made.setInputCols([column]).setOutputCol(CATEGORY)
        made = made.setLabelColumn("label" if name == SINGLE else "labels")
    made = made.setRandomSeed(seed).setEnableOutputLogs(True).setOutputLogsPath(str(logs.absolute()))
    for parameter, value in parameters.items():
        made = getattr(made, setter(parameter))(value)
    return made


def setter(parameter: str) -> str:
    """The method that sets a parameter."""
    return f"set{parameter[0].upper()}{parameter[1:]}"


def learned(name: str, model: Any) -> Any:
    """What the annotator has made. That of several labels comes in the Python class of one, which has no threshold."""
    if name != SEVERAL:
        return model
    from sparknlp.annotator import MultiClassifierDLModel

    made, model._java_obj = model._java_obj, None  # a wrapper that ends lets go of what it wraps, others' or not
    return MultiClassifierDLModel(java_model=made)


def telling() -> Any:
    """The stage that makes entities of tags; the saved pipeline ends in it."""
    from sparknlp.annotator import NerConverter

    return NerConverter().setInputCols(["document", "token", NER]).setOutputCol(ENTITIES)
