"""The verbs that the command line, the drop-ins and the server call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import model_file
from .config import Settings
from .errors import ArtifactError, ConfigError, MissingCredential, ServerError, TunesmithError, UnsupportedTask
from .evaluation import record, scoring
from .folder import STAGED, Listener, RunFolder, no_room
from .hooks import Hooks
from .registry import frameworks, tasks
from .run import Run
from .tasks.base import Examples, Prediction, Task
from .tasks.parts import read_data as read_data
from .tasks.reading import row_ids


def train(
    train: Any,
    *,
    base: Any = None,
    task: str = "text-classification",
    validation: Any = None,
    test: Any = None,
    output_dir: str | os.PathLike[str] | None = "",
    metrics: Callable[[Any], Mapping[str, float]] | None = None,
    callbacks: Sequence[Any] | None = (),
    optimizers: tuple[Any, Any] | None = (None, None),
    loss: Callable[..., Any] | str | None = None,
    tokenizer: Any = None,
    listener: Listener | None = None,
    ask: Callable[[str], bool] | None = None,
    **settings: Any,
) -> Run:
    """Turn labelled text into a trained, evaluated model.

    train: records, a path or glob (csv, tsv, json, jsonl, parquet, txt, CoNLL, SQuAD; also .gz), a frame, a `Dataset`
        or `DatasetDict` (its splits are used), a list of mappings or tuples, a mapping of lists, a generator, a hub id.
    base: 'minilm' (the default of encoder tasks), a hub id, a folder, or (model, tokenizer).
    validation, test: data in any of these forms, a fraction of `train`, or the name of a split. Training chooses the
        best epoch by `validation`; `test` is only scored.
    output_dir: where the run is written; None or empty writes nothing but the feature cache.
    metrics, callbacks, optimizers, loss: as `transformers.Trainer` takes them (`loss` as `compute_loss_func`; the name
        of a loss is an argument of the framework).
    ask: called before rows leave this machine with what leaves it and where to; True lets them.
    settings: every field of `Settings` and every argument of the framework, by name.

    Raises:
        ConfigError: a setting that cannot be used; an unknown one is a `TypeError` too and names the nearest.
        UnknownName, UnsupportedTask: before any data is read.
        DataError: data that cannot be used, with row and column where there is one.
        TrainingFailed: training stopped on an error.
    """
    named = {**settings, "loss": loss} if isinstance(loss, str) else settings
    live = {name: settings.get(name) for name in ("teacher", "lora", "quantize")}
    where = os.fspath(output_dir or "")
    made = Settings.make(train=train, base=base, task=task, validation=validation, test=test, output_dir=where, **named)
    live |= {"loss": None if isinstance(loss, str) else loss, "ask": ask}
    hooks = Hooks(metrics, tuple(callbacks or ()), optimizers or (None, None), base=base, tokenizer=tokenizer, **live)
    return fit(train, validation, test, made, hooks, listener=listener)


def fit(
    train: Any,
    validation: Any,
    test: Any,
    settings: Settings,
    hooks: Hooks,
    *,
    listener: Listener | None = None,
    rescore: bool = True,
) -> Run:
    """`train` with its settings made: data, splits, training, scores, files.

    rescore: predict the held-out rows once more, for scores of the final model and for predictions.parquet; else the
    last evaluation's scores stand.
    """
    task: Task = tasks.get(settings.task)
    framework = able(settings.framework, task.name)
    if settings.device != "auto" and "device" not in framework.heeds:
        raise ConfigError("device", settings.device, f"'auto': {framework.name} finds its device itself")
    hooks = framework.open(task.name, settings, hooks)
    notes: list[str] = []
    splits = read_data(task, train, validation, test, settings, note=notes.append)
    settings = replace(settings, columns=dict(splits["train"].columns))
    folder = RunFolder.create(settings.output_dir, listener)
    if folder.path is None or not (folder.path / "config.json").exists():  # an earlier model keeps its own till then
        folder.write_text("config.yaml", settings.to_yaml())
    for text in notes:
        folder.note(text)
    for name, examples in splits.items():
        counts = examples.account.counts()
        told = "".join(f"; {count} left out: {reason}" for reason, count in counts.items())
        folder.note(f"{name}: {len(examples)} rows{told}")
    with whole(folder):
        model = framework.fit(task, splits, settings, folder, hooks)
        folder.write_text("config.yaml", settings.to_yaml())
        scores, predictions = _scores(model, task, splits, hooks) if rescore else (_logged(model), {})
        run = Run(task, model, folder, settings, scores)
        record.write(run, splits, predictions)
    _mark(folder, splits)
    return run


def able(framework: str, task: str) -> Any:
    """The framework, if it trains the task.

    Raises:
        UnknownName: no such framework. UnsupportedTask: it does not; those that do are named.
    """
    member = frameworks.get(framework)
    reason = member.why_not(task)
    if reason:
        others = [name for name in frameworks.offered() if frameworks.get(name).why_not(task) is None]
        raise UnsupportedTask(framework, task, reason, others)
    return member


def _mark(folder: RunFolder, splits: Mapping[str, Examples]) -> None:
    """Where stored rows were used is noted in their history; that it cannot be is no reason to lose the run."""
    where = "in memory" if folder.path is None else str(folder.path.resolve())
    for name, examples in splits.items():
        if examples.origin is None:
            continue
        try:
            examples.origin.mark(row_ids(examples), split=name, run=where)
        except TunesmithError as error:
            folder.note(f"{name}: the run is not noted in the history of {examples.origin}: {error}")


@contextmanager
def whole(folder: RunFolder) -> Iterator[None]:
    """Whatever ends a run early, Ctrl-C too, leaves no half-written checkpoint; errors of disk and hub become ours."""
    try:
        yield
    except BaseException as error:
        if folder.path is not None:
            from .training import checkpoints

            checkpoints.clean(folder.path)
            shutil.rmtree(folder.path / STAGED, ignore_errors=True)
        if type(error).__module__.startswith("huggingface_hub."):
            raise _of_hub(error) from error
        if isinstance(error, TunesmithError) or not no_room(error):
            raise
        advice = "Make room or take another output_dir; `checkpoint=True` resumes from the newest whole checkpoint."
        where = folder.path or "the temporary folder"
        raise ArtifactError(where, f"the disk did not take a file: {error}. {advice}") from error


def _of_hub(error: BaseException) -> TunesmithError:
    """What the hub refused, in our words."""
    response = getattr(error, "response", None)
    if response is None:
        return ServerError("the hub", None, str(error), retryable=True)
    if response.status_code in (401, 403):
        return MissingCredential(f"writing to the hub ({response.url})", "HF_TOKEN", "run `hf auth login`")
    return ServerError(str(response.url), response.status_code, str(error), retryable=response.status_code >= 500)


def _scores(
    model: Any, task: Task, splits: Mapping[str, Examples], hooks: Hooks
) -> tuple[dict[str, dict[str, float]], dict[str, list[Prediction]]]:
    """The scores of every held-out split, and the predictions they come from."""
    scores: dict[str, dict[str, float]] = {}
    predictions: dict[str, list[Prediction]] = {}
    for name in ("validation", "test"):
        if name in splits:
            scores[name], predictions[name] = scoring.score(model, task, splits[name])
    if hooks.metrics is not None and "validation" in scores:
        scores["validation"] |= _logged(model).get("validation", {})
    return scores, predictions


def _logged(model: Any) -> dict[str, dict[str, float]]:
    """The scores of the last evaluation that training logged, the user's own metrics among them."""
    last = next((entry for entry in reversed(model.history) if "eval_loss" in entry), None)
    if last is None:
        return {}
    from .training.callbacks import unprefixed

    _, plain = unprefixed({key: value for key, value in last.items() if key.startswith("eval_")})
    return {"validation": plain}


def load(
    folder: str | os.PathLike[str], *, task: str | None = None, model_args: Mapping[str, Any] | None = None
) -> Run:
    """A trained model from the folder of a run of any framework, or of another tool that writes models of transformers.

    Raises:
        ArtifactError: nothing loadable there.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ArtifactError(path, "no such run: expected the folder of a trained model")
    framework = frameworks.get((model_file.read(path) or {}).get("framework") or "transformers")
    named = tasks.resolve(task) if task else None
    try:
        model = framework.load(named, path, model_args)
    except (TunesmithError, MemoryError):
        raise
    except Exception as error:  # of a library that reads the files, whatever they hold
        raise ArtifactError(path, f"{framework.name} cannot load it: {type(error).__name__}: {error}") from error
    config = path / "config.yaml"
    settings = Settings.from_yaml(config) if config.is_file() else Settings(task=model.task, framework=framework.name)
    scores = path / "metrics.json"
    opened = RunFolder(path)
    return Run(
        tasks.get(model.task), model, opened, settings, opened.read_json("metrics.json") if scores.is_file() else {}
    )


def predict(run: Run | str | os.PathLike[str], inputs: Sequence[Any]) -> list[Prediction]:
    """Predictions of a run, or of the run in a folder; see `Run.predict`."""
    return (run if isinstance(run, Run) else load(run)).predict(inputs)


def evaluate(run: Run | str | os.PathLike[str], data: Any, *, columns: Any = None) -> dict[str, float]:
    """Scores of a run, or of the run in a folder, on labelled data; see `Run.evaluate`."""
    return (run if isinstance(run, Run) else load(run)).evaluate(data, columns=columns)
