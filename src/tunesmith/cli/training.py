"""`tunesmith train`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..config import TRANSFORMERS, arguments, read_yaml, settings
from ..registry import frameworks
from ..run_file import parse
from ..training_arguments import Argument
from . import asking, flags, progress, quiet, tables

_ABOUT = """usage: tunesmith train FILE [--framework NAME] [--flag value ...]
       tunesmith train --config run.yaml [FILE] [--flag value ...]
       tunesmith train --name DATASET --framework NAME [...]    (`tunesmith train --name --help`)

Train a model on labelled text, score it on held-out rows, and write it to a folder.

  FILE                                  training data: a path, a glob or a data set of the hub
  --config FILE                         run file in YAML: a key is a flag, and a flag wins
  --name DATASET                        records of a store or server, in the place of FILE
  --json                                print the scores as JSON
  -h, --help                            print this; with --framework NAME its own settings

A flag that is true or false is written --flag, --flag false or --no-flag.
A mapping is JSON, or key=value,key=value. `tunesmith config-schema` describes the run file."""


FOLDER = "model"  # of a run for which none is named
_OF_RECORDS = {  # flags that go with --name alone -> what says it beside FILE
    "--update-config-kwargs": "beside FILE each setting is a flag of its own, as --learning-rate 1e-4",
    "--train-size": "beside FILE, --test X holds a share of the rows out",
    **dict.fromkeys(
        ("--workspace", "--query", "--api-url", "--api-key", "--database"), "FILE is not in a store of records"
    ),
}


def train(argv: Sequence[str]) -> int:
    """Train as the flags say; the exit code."""
    if flags.said(argv, "--name") is not None:
        from . import training_by_name

        return training_by_name.train(argv)
    if any(word in ("-h", "--help") for word in argv):
        print(explain(flags.said(argv, "--framework") or TRANSFORMERS))
        return 0
    source, given, as_json = read(argv)
    quiet.hush()
    with progress.watch() as listener:
        from .. import api

        run = api.train(source, listener=listener, ask=asking.asker(), **given)
    tell(run, as_json=as_json)
    return 0


def tell(run: Any, *, as_json: bool, **more: str) -> None:
    """Print the scores of a run, and where it is; more: as of `tables.scores`."""
    print(tables.scores_json(run.metrics) if as_json else tables.scores(run.metrics, **more))
    folder = run.folder.path
    if folder is not None and not as_json:
        what = "model and scores" if run.metrics else "model"
        print(f"\n{what} in {folder}; `tunesmith predict {folder} {_input(run)}` predicts.")


def _input(run: Any) -> str:
    """What stands for an input of a run on the command line."""
    roles = {"question-answering": ("question", "context"), "sentence-similarity": ("sentence1", "sentence2")}
    given = roles.get(run.task.name, ("text", "pair") if "pair" in run.columns else ())
    if given:
        return "'{" + ", ".join(f'"{role}": "…"' for role in given) + "}'"
    return f'"TEXT {run.tokenizer.mask_token} TEXT"' if run.task.name == "language-modeling" else "TEXT"


def read(argv: Sequence[str]) -> tuple[str, dict[str, Any], bool]:
    """The training data, the settings (the run file's, flags over them), and whether scores are wanted as JSON.

    Raises:
        UnknownName: no such framework.
        ConfigError, UnknownSetting: a flag, a value or a key that cannot be used, or no training data.
    """
    file, asked = flags.said(argv, "--config"), flags.said(argv, "--framework")
    framework = asked or (_framework_of(file) if file else TRANSFORMERS)
    known = _flags(framework)
    parser = flags.Parser("train", "Train a model.")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--config")
    parser.add_argument("--json", action="store_true")
    flags.add(parser, known)
    parser.add_argument("--model", dest="base", default=argparse.SUPPRESS)  # Argilla's name of it
    for flag, told in _OF_RECORDS.items():
        if flags.said(argv, flag) is not None and not parser.has(flag):
            raise flags.usage_error(f"{flag} goes with --name: {told}.")
    named = vars(parser.read(flags.spell_out(argv, known)))
    source, config, as_json = named.pop("file"), named.pop("config"), named.pop("json")
    given = read_yaml(config, framework) if config else {}
    given |= {name: flags.read_text(known[name], text) for name, text in named.items()}
    source = source or given.get("train")
    given.pop("train", None)
    if source is None:
        parser.error(
            "FILE is missing: give the training data, --name with a stored data set, or a run file that names it "
            "under 'train'"
        )
    given.setdefault("output_dir", FOLDER)
    return source, {**given, **drawn(framework, given)}, as_json


def drawn(framework: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is set beside `given` so that our progress is drawn, and theirs is not."""
    if frameworks.resolve(framework) != TRANSFORMERS:
        return {}
    made: dict[str, Any] = {} if "disable_tqdm" in given else {"disable_tqdm": True}
    # Where transformers takes evaluation steps from the logging steps, these are left to it.
    if "logging_strategy" not in given and (given.get("eval_strategy") != "steps" or "eval_steps" in given):
        made |= {} if "logging_steps" in given else {"logging_steps": 0.01}  # the progress moves a hundred times
    return made


def explain(framework: str = TRANSFORMERS) -> str:
    """The help of `train`: the settings, then the framework's own arguments."""
    known = _flags(framework)
    known["output_dir"] = replace(known["output_dir"], default=FOLDER)
    own = [argument for name, argument in known.items() if name in settings()]
    others = [argument for name, argument in known.items() if name not in settings()]
    groups = list(dict.fromkeys(argument.group for argument in own))
    own.sort(key=lambda argument: groups.index(argument.group))
    told = f"{_ABOUT}\n{flags.explain(own)}"
    return (
        f"{told}\n\nTraining arguments of {frameworks.resolve(framework)}:\n{flags.explain(others)}" if others else told
    )


def _framework_of(config: str) -> str:
    """The framework that a run file names; what else is wrong with the file is told when it is read."""
    given, _ = parse(config)
    return str(given.get("framework") or TRANSFORMERS)


def _flags(framework: str) -> dict[str, Argument]:
    return {name: argument for name, argument in arguments(framework).items() if name != "train"}
