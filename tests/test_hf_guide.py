"""Hugging Face's own guides, as written there, through the keywords of `train` and of the drop-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import EarlyStoppingCallback, TrainerCallback

import hub
import tiny
import tunesmith
from tunesmith.errors import ConfigError
from tunesmith.pipeline import HFTrainer

GOOD = ["the phone is great", "a good book", "the screen is bright", "a great film"]
BAD = ["the box was broken", "the film was bad", "I want my money back", "a bad phone"]
ROWS = [{"text": text, "label": "POSITIVE"} for text in GOOD] + [{"text": text, "label": "NEGATIVE"} for text in BAD]
QUICK: dict[str, Any] = {"seed": 0, "disable_tqdm": True, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"test": 0.25}, "unknown setting 'test': this call evaluates validation alone"),
        ({"defaults": "tuned"}, "unknown setting 'defaults': this call has those of transformers"),
        ({"eval_strategy": "epoch"}, "'eval_strategy' is 'epoch': expected validation rows to watch"),
        ({"model_args": {"atn": 1}}, "'model_args' is .*: expected arguments that AutoModelForSequenceClassification"),
        ({"validation": ROWS, "metrics": lambda _: None}, "'metrics' is .*: expected a function that returns names"),
    ],
)
def test_what_cannot_be_used_is_our_error(bert: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        HFTrainer()(bert, ROWS, max_steps=1, **(QUICK | given))


def test_none_stands_for_what_is_not_given(bert: str) -> None:
    nothing: dict[str, Any] = {"callbacks": None, "optimizers": None, "output_dir": None}
    assert tunesmith.train(ROWS, base=bert, max_steps=1, **QUICK, **nothing).folder.path is None
    HFTrainer()(bert, ROWS, max_steps=1, **QUICK, **nothing)


class Watch(TrainerCallback):
    """The weights after each epoch, and the names of the events that were called."""

    def __init__(self) -> None:
        self.weights: list[dict[str, torch.Tensor]] = []
        self.events: list[str] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.events.append("train begin")

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model = kwargs["model"]
        self.weights.append({name: value.detach().clone() for name, value in model.state_dict().items()})

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.events.append("evaluate")


def worse_each_time() -> Any:
    """A `compute_metrics` in the form of the guide, whose value falls from one evaluation to the next."""
    calls = []

    def compute_metrics(eval_pred: Any) -> dict[str, float]:
        predictions, labels = eval_pred
        calls.append(len(labels))
        return {"accuracy": float((np.argmax(predictions, axis=1) == labels).mean()), "rank": -float(len(calls))}

    return compute_metrics


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def trained(by: str, bert: str, **args: Any) -> tuple[Any, list[dict[str, Any]]]:
    """(model, log) of the drop-in or of the native verb, with validation."""
    seen: list[dict[str, Any]] = []

    class Logs(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            seen.append({**logs, "epoch": state.epoch})

    args["callbacks"] = [*args.get("callbacks", ()), Logs()]
    if by == "HFTrainer":
        return HFTrainer()(bert, ROWS, ROWS, **QUICK, **args)[0], seen
    return tunesmith.train(ROWS, base=bert, validation=ROWS, **QUICK, **args).model, seen


both = pytest.mark.parametrize("by", ["HFTrainer", "train"])


@both
def test_the_best_model_is_loaded_at_the_end_and_callbacks_are_called(by: str, bert: str) -> None:
    watch = Watch()
    model, log = trained(
        by,
        bert,
        num_train_epochs=3,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="rank",
        metrics=worse_each_time(),
        callbacks=[watch],
    )
    assert watch.events[:4] == ["train begin", "evaluate", "evaluate", "evaluate"]
    assert equal({name: value.cpu() for name, value in model.state_dict().items()}, watch.weights[0])
    assert not equal(watch.weights[0], watch.weights[2])
    assert [entry["eval_rank"] for entry in log if "eval_rank" in entry][:3] == [-1, -2, -3]
    assert not model.training


@both
def test_early_stopping_as_a_setting(by: str, bert: str) -> None:
    watch = Watch()
    trained(
        by,
        bert,
        num_train_epochs=10,
        early_stopping=2,
        metric_for_best_model="rank",
        greater_is_better=True,
        metrics=worse_each_time(),
        callbacks=[watch],
    )
    assert len(watch.weights) == 3  # the first is the best, the next two are worse


def test_early_stopping_as_the_callback_of_transformers(bert: str) -> None:
    watch = Watch()
    trained(
        "HFTrainer",
        bert,
        num_train_epochs=10,
        eval_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="rank",
        metrics=worse_each_time(),
        callbacks=[watch, EarlyStoppingCallback(early_stopping_patience=2)],
    )
    assert len(watch.weights) == 3


def test_early_stopping_without_validation_says_what_is_missing(bert: str) -> None:
    with pytest.raises(ConfigError, match="'early_stopping' is 2: expected validation rows to watch"):
        tunesmith.train(ROWS, base=bert, early_stopping=2, **QUICK)


@pytest.mark.parametrize(("tracker", "told"), [("comet_ml", "comet"), ("tensorbord", "tensorboard")])
def test_a_tracker_that_is_missing_or_unknown_is_told_before_training(tracker: str, told: str, bert: str) -> None:
    watch = Watch()
    with pytest.raises(ConfigError, match=f"'report_to' is '{tracker}'.*{told}"):
        trained("train", bert, num_train_epochs=1, report_to=tracker, callbacks=[watch])
    assert not watch.events


# The tracker is a module of its own, as transformers looks for one by its name and calls it.
TRACKER = """
import json, pathlib

class SummaryWriter:
    def __init__(self, log_dir=None, **_):
        self.file = pathlib.Path(log_dir, "scalars.jsonl")
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def add_scalar(self, name, value, step=None, *args, **kwargs):
        with self.file.open("a") as file:
            file.write(json.dumps([name, float(value), step]) + "\\n")

    def add_text(self, *args, **kwargs): pass
    def add_hparams(self, *args, **kwargs): pass
    def flush(self): pass
    def close(self): pass
"""

# The arguments of https://huggingface.co/docs/transformers/tasks/sequence_classification, batches aside.
GUIDE = """
import json, os, sys
import tunesmith
from tunesmith.pipeline import HFTrainer

base, rows, token = json.load(sys.stdin)
guide = dict(
    learning_rate=2e-5,
    per_device_train_batch_size=4,
    per_device_eval_batch_size=4,
    num_train_epochs=2,
    weight_decay=0.01,
    eval_strategy="epoch",
    save_strategy="epoch",
    load_best_model_at_end=True,
    push_to_hub=True,
    disable_tqdm=True,
)
os.environ["HF_TOKEN"] = token
HFTrainer()(base, rows, rows, output_dir="my_awesome_model", report_to="tensorboard", **guide)
del os.environ["HF_TOKEN"]
tunesmith.train(rows, base=base, validation=rows, output_dir="out", hub_model_id="lab/named", hub_token=token, **guide)
told = {}
for name, more in {"no token": {}, "wrong token": {"hub_token": "hf_" + "z" * 30}}.items():
    try:
        tunesmith.train(rows, base=base, validation=rows, output_dir="refused", **guide, **more)
    except Exception as error:
        told[name] = [type(error).__module__ + "." + type(error).__name__, str(error)]
json.dump(told, sys.stdout)
"""


@pytest.fixture(scope="module")
def pushed(bert: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(hub, folder of the runs, what was refused): the guide run against a hub on this machine."""
    place = tmp_path_factory.mktemp("push")
    (place / "tensorboardX.py").write_text(TRACKER)
    token = "hf_" + "Secret" * 6
    with hub.serve(token) as served:
        source = str(Path(tunesmith.__file__).parents[1])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([source, str(place), os.environ.get("PYTHONPATH", "")]),
            "HF_ENDPOINT": served.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HOME": str(place / "hf"),
            "TENSORBOARD_LOGGING_DIR": str(place / "logs"),
        }
        made = subprocess.run(
            [sys.executable, "-c", GUIDE],
            input=json.dumps([bert, ROWS * 2, token]),
            capture_output=True,
            text=True,
            cwd=place,
            env=environment,
        )
    assert made.returncode == 0, made.stderr
    assert token not in made.stdout + made.stderr
    return served, place, json.loads(made.stdout)


def test_what_is_pushed_is_the_model_without_pickle_and_without_the_token(pushed: Any) -> None:
    served, _, _ = pushed
    assert set(served.repositories) == {f"{hub.USER}/my_awesome_model", "lab/named"}
    for files in served.repositories.values():
        assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"} <= set(
            files
        )
        assert not [name for name in files if name.endswith((".bin", ".pt", ".pth", ".pkl")) or "checkpoint" in name]
        assert json.loads(files["config.json"])["id2label"] == {"0": "NEGATIVE", "1": "POSITIVE"}
        assert not [name for name, content in files.items() if served.token.encode() in content]
    assert served.messages[-1] == "Model save"
    assert "Training in progress, step 4" in served.messages
    assert not [request for request in served.unknown if "/models/" in request]


def test_the_token_is_in_no_file_of_the_run(pushed: Any) -> None:
    served, place, _ = pushed
    files = [path for folder in ("my_awesome_model", "out") for path in (place / folder).rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if served.token.encode() in path.read_bytes()]


def test_what_is_pushed_opens_and_predicts_as_the_run_does(pushed: Any, tmp_path: Path) -> None:
    served, place, _ = pushed
    for name, content in served.repositories["lab/named"].items():
        tmp_path.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        tmp_path.joinpath(name).write_bytes(content)
    here, there = tunesmith.load(place / "out"), tunesmith.load(tmp_path)
    assert there.predict(GOOD + BAD) == here.predict(GOOD + BAD)


def test_the_tracker_gets_losses_and_scores_by_step(pushed: Any) -> None:
    _, place, _ = pushed
    lines = [json.loads(line) for path in (place / "logs").rglob("scalars.jsonl") for line in path.open()]
    assert {name for name, _, _ in lines} >= {"eval/loss", "eval/f1", "train/train_loss"}
    assert sorted({step for name, _, step in lines if name == "eval/loss"}) == [4, 8]


def test_a_hub_that_refuses_is_told_before_training(pushed: Any) -> None:
    _, place, refused = pushed
    assert set(refused) == {"no token", "wrong token"}
    for kind, told in refused.values():
        assert kind == "tunesmith.errors.MissingCredential"
        assert "needs a credential: set HF_TOKEN, or run `hf auth login`" in told
    assert not list((place / "refused").glob("checkpoint-*"))
