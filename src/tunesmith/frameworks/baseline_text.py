"""Text classification by TF-IDF of word n-grams and one linear layer: logistic regression, or ridge for numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.labels import Labels
from ..errors import ArtifactError, DataError
from ..tasks.base import Example, Examples, Prediction
from ..tasks.text_classification import by_scores
from .base import TEXT
from .trained import Trained

WEIGHTS, VOCABULARY = "baseline.safetensors", "vocabulary.json"
_ABSENT = -1e4  # the logit of a class that no training row has


@dataclass(frozen=True)
class Linear:
    """vectorizer: fitted, of scikit-learn. weight: (outputs, features) and bias: (outputs,), both float32."""

    vectorizer: Any
    weight: Any
    bias: Any

    def __call__(self, texts: Sequence[str]) -> Any:
        """(texts, outputs), float64."""
        return np.asarray(self.vectorizer.transform(texts) @ self.weight.T.astype(np.float64)) + self.bias


def fit(examples: Examples, values: Mapping[str, Any]) -> Trained:
    """The baseline of labelled texts.

    Raises:
        DataError: no text holds a word.
    """
    vectorizer = _vectorizer(values["ngrams"], values["max_features"])
    try:
        features = vectorizer.fit_transform([_text(example) for example in examples])
    except ValueError as error:
        raise DataError("no text of the training rows holds a word: there is nothing to count.") from error
    labels = examples.labels
    assert labels is not None
    gold = [labels.encode(example.label) for example in examples if example.label is not None]
    if labels.kind == "regression":
        weight, bias = _ridge(features, gold, values)
    elif labels.kind == "single":
        weight, bias = _classes(features, np.asarray(gold), len(labels), values)
    else:
        each = [_classes(features, np.asarray(column), 2, values) for column in np.asarray(gold, dtype=np.int64).T]
        weight, bias = (np.stack([part[k][1] - part[k][0] for part in each]) for k in (0, 1))
    linear = Linear(vectorizer, weight.astype(np.float32), np.asarray(bias, dtype=np.float32))
    return _trained(linear, labels.kind, labels, {"ngrams": values["ngrams"]})


def load(folder: Path, kind: str, labels: Labels, told: Mapping[str, Any]) -> Trained:
    """A saved baseline.

    Raises:
        ArtifactError: its files are missing.
    """
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / WEIGHTS)
        words = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(folder, f"its weights or its vocabulary cannot be read: {error}") from error
    vectorizer = _vectorizer(told["ngrams"], None, words)
    vectorizer.idf_ = arrays["idf"]
    return _trained(Linear(vectorizer, arrays["weight"], arrays["bias"]), kind, labels, {"ngrams": told["ngrams"]})


def _trained(linear: Linear, kind: str, labels: Labels, kept: Mapping[str, Any]) -> Trained:
    return Trained("baseline", TEXT, kind, labels, linear, _infer, _write, kept=kept)


def _vectorizer(ngrams: int, limit: int | None, words: Sequence[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        token_pattern=r"\w+", ngram_range=(1, ngrams), max_features=limit, sublinear_tf=True, vocabulary=words
    )


def _text(example: Example) -> str:
    return example.text if example.pair is None else f"{example.text}\n{example.pair}"


def _classes(features: Any, gold: Any, count: int, values: Mapping[str, Any]) -> tuple[Any, Any]:
    """Weight (count, features) and bias (count,) whose softmax is the probability of each class."""
    from sklearn.linear_model import LogisticRegression

    weight, bias = np.zeros((count, features.shape[1])), np.full(count, _ABSENT)
    found = np.unique(gold)
    if len(found) == 1:
        bias[found] = 0.0
        return weight, bias
    solved = LogisticRegression(C=values["C"], max_iter=values["max_iter"]).fit(features, gold)
    if len(found) == 2:  # one row of coefficients, of the second class against the first
        weight[found[1]], bias[found] = solved.coef_[0], [0.0, solved.intercept_[0]]
    else:
        weight[found], bias[found] = solved.coef_, solved.intercept_
    return weight, bias


def _ridge(features: Any, gold: Any, values: Mapping[str, Any]) -> tuple[Any, Any]:
    from sklearn.linear_model import Ridge

    solved = Ridge(alpha=1 / values["C"], solver="sparse_cg", max_iter=values["max_iter"]).fit(features, gold)
    return solved.coef_[None], [solved.intercept_]


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    labels = model.labels
    assert labels is not None
    logits = model.module([_text(example) for example in examples])
    if labels.kind == "regression":
        numbers = zip(examples, logits[:, 0].tolist(), strict=True)
        return [Prediction(example.id, value=value) for example, value in numbers]
    several = labels.kind == "multi"
    if not several:
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = exponents / exponents.sum(axis=1, keepdims=True)
    else:
        chances = 1 / (1 + np.exp(-logits))
    scores = (dict(zip(labels.names, row, strict=True)) for row in chances.tolist())
    return [by_scores(e.id, each, several=several) for e, each in zip(examples, scores, strict=True)]


def _write(model: Trained, folder: Path) -> None:
    from safetensors.numpy import save_file

    linear = model.module
    words = linear.vectorizer.get_feature_names_out().tolist()
    (folder / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    arrays = {"weight": linear.weight, "bias": linear.bias, "idf": linear.vectorizer.idf_}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)
