"""Each library used directly, as its own documentation teaches, without tunesmith: one function a library.

A function takes the rows, the settings of the work load and a seed, trains, and returns `Fitted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .reading import Row, Rows


@dataclass(frozen=True)
class Fitted:
    """predict: one value a row, in the form that `scores.metrics` reads. save: the library's own files.

    seconds: of training, where the whole call does more than that. predict_seconds: of the prediction, where it was
    made in another process.
    """

    predict: Callable[[Sequence[Row]], list[Any]]
    save: Callable[[Path], Any]
    seconds: float | None = None
    predict_seconds: float | None = None


def minilm() -> str:
    """The folder of the base that both sides start from."""
    from tunesmith.training.bases import minilm

    return minilm()[0]


def setfit(rows: Rows, settings: Mapping[str, Any], seed: int) -> Fitted:
    """The quickstart of SetFit: `SetFitModel.from_pretrained`, `Trainer.train`, `model.predict`."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel.from_pretrained(minilm(), labels=list(rows.labels))
    data = Dataset.from_dict(
        {
            "text": [row["text"] for row in rows.train],
            "label": [rows.labels.index(row["label"]) for row in rows.train],
        }
    )
    arguments = TrainingArguments(seed=seed, report_to="none", save_strategy="no", show_progress_bar=False, **settings)
    Trainer(model=model, args=arguments, train_dataset=data).train()
    return Fitted(lambda held: list(model.predict([row["text"] for row in held])), model.save_pretrained)


def scikit_learn(rows: Rows, settings: Mapping[str, Any], seed: int) -> Fitted:
    """TF-IDF and logistic regression in a pipeline of scikit-learn."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, settings["ngrams"]), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=settings["C"], max_iter=settings["max_iter"]))
    model.fit([row["text"] for row in rows.train], [row["label"] for row in rows.train])

    def save(folder: Path) -> None:
        joblib.dump(model, folder / "model.joblib")

    return Fitted(lambda held: model.predict([row["text"] for row in held]).tolist(), save)


def spacy_train(rows: Rows, settings: Mapping[str, Any], seed: int) -> Fitted:
    """A config of `init config` for a blank English, and `spacy train`; the entities of words with a tag each.

    `spacy train` wants a dev corpus and chooses by it: it is given one sentence, and its last model is read.
    """
    import tempfile

    import spacy
    from spacy.cli.init_config import init_config
    from spacy.cli.train import train
    from spacy.tokens import Doc, DocBin

    blank = spacy.blank("en")
    docs = [Doc(blank.vocab, words=row["tokens"], ents=row["tags"]) for row in rows.train]
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder, "config.cfg"), Path(folder, "out")
        paths = {name: str(Path(folder, f"{name}.spacy")) for name in ("train", "dev")}
        DocBin(docs=docs).to_disk(paths["train"])
        DocBin(docs=docs[:1]).to_disk(paths["dev"])
        init_config(lang="en", pipeline=["ner"], optimize="efficiency").to_disk(config)
        told = {f"paths.{name}": path for name, path in paths.items()}
        told |= {f"training.{name}": value for name, value in settings.items()}
        train(config, out, overrides={**told, "system.seed": seed})
        nlp = spacy.load(out / "model-last")

    def predict(held: Sequence[Row]) -> list[Any]:
        found = nlp.pipe(Doc(nlp.vocab, words=row["tokens"]) for row in held)
        return [[f"{word.ent_iob_}-{word.ent_type_}" if word.ent_type_ else "O" for word in doc] for doc in found]

    return Fitted(predict, nlp.to_disk)


def span_marker(rows: Rows, settings: Mapping[str, Any], seed: int) -> Fitted:
    """`span_marker_direct.py` in the environment that tunesmith made for the library, which is not beside ours.

    Training begins with the start of the process and its imports, as it does on our side.
    """
    import json
    import shutil
    import subprocess
    import tempfile
    import time

    from tunesmith.frameworks.worker_environment import Environment

    lengths = {name: value for name, value in settings.items() if name.endswith("_max_length")}
    folder = Path(tempfile.mkdtemp(prefix="bench-span-marker-"))
    told, answer, model = (folder / name for name in ("told.json", "answer.json", "model"))
    request = {
        "base": minilm(),
        "labels": list(rows.labels),
        "lengths": lengths,
        "arguments": {name: value for name, value in settings.items() if name not in lengths},
        "seed": seed,
        "train": rows.train,
        "test": [row["tokens"] for row in rows.test],
        "scratch": str(folder / "scratch"),
        "model": str(model),
    }
    told.write_text(json.dumps(request), encoding="utf-8")
    script = Path(__file__).with_name("span_marker_direct.py")
    begun = time.time()
    subprocess.run([Environment("span-marker").python, "-I", script, told, answer], check=True, cwd=folder)
    found = json.loads(answer.read_text(encoding="utf-8"))
    predicted = found["predicted"] - found["trained"]

    def save(into: Path) -> None:
        shutil.copytree(model, into, dirs_exist_ok=True)
        shutil.rmtree(folder)

    return Fitted(lambda held: list(found["tags"]), save, found["trained"] - begun, predicted)
