"""`tunesmith train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..config import arguments, read_yaml, settings
from ..training_arguments import Argument
from . import flags, progress, quiet, tables

_ABOUT = """usage: tunesmith train FILE [--flag value ...]
       tunesmith train --config run.yaml [FILE] [--flag value ...]

Train a model on labelled text, score it on held-out rows, and write it to a folder.

  FILE                                  training data: a path, a glob or a data set of the hub
  --config FILE                         run file in YAML: a key is a flag, and a flag wins
  --json                                print the scores as JSON
  -h, --help                            print this

A flag that is true or false is written --flag, --flag false or --no-flag.
A mapping is JSON, or key=value,key=value. `tunesmith config-schema` describes the run file."""


_FOLDER = "model"  # of a run for which none is named


def train(argv: Sequence[str]) -> int:
    """Train as the flags say; the exit code."""
    if any(word in ("-h", "--help") for word in argv):
        print(explain())
        return 0
    source, given, as_json = read(argv)
    quiet.hush()
    with progress.watch() as listener:
        from .. import api

        run = api.train(source, listener=listener, **given)
    shown = tables.scores_json(run.metrics) if as_json else tables.scores(run.metrics)
    print(shown)
    folder = run.folder.path
    if folder is not None and not as_json:
        what = "model and scores" if run.metrics else "model"
        print(f"\n{what} in {folder}; `tunesmith predict {folder} TEXT` predicts.")
    return 0


def read(argv: Sequence[str]) -> tuple[str, dict[str, Any], bool]:
    """The training data, the settings (the run file's, flags over them), and whether scores are wanted as JSON.

    Raises:
        ConfigError, UnknownSetting: a flag, a value or a key that cannot be used, or no training data.
    """
    known = _flags()
    parser = flags.Parser("train", "Train a model.")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--config")
    parser.add_argument("--json", action="store_true")
    flags.add(parser, known)
    named = vars(parser.read(flags.spell_out(argv, known)))
    source, config, as_json = named.pop("file"), named.pop("config"), named.pop("json")
    given = read_yaml(config) if config else {}
    given |= {name: flags.read_text(known[name], text) for name, text in named.items()}
    source = source or given.get("train")
    given.pop("train", None)
    if source is None:
        parser.error("FILE is missing: give the training data, or a run file that names it under 'train'")
    given.setdefault("output_dir", _FOLDER)
    given.setdefault("disable_tqdm", True)  # our own progress is drawn
    # Where transformers takes evaluation steps from the logging steps, these are left to it.
    if "logging_strategy" not in given and (given.get("eval_strategy") != "steps" or "eval_steps" in given):
        given.setdefault("logging_steps", 0.01)  # a share of all steps: the progress moves a hundred times
    return source, given, as_json


def explain() -> str:
    """The help of `train`: the settings, then transformers' training arguments."""
    known = _flags()
    known["output_dir"] = replace(known["output_dir"], default=_FOLDER)
    own = [argument for name, argument in known.items() if name in settings()]
    others = [argument for name, argument in known.items() if name not in settings()]
    groups = list(dict.fromkeys(argument.group for argument in own))
    own.sort(key=lambda argument: groups.index(argument.group))
    told = flags.explain(own)
    return f"{_ABOUT}\n{told}\n\nTraining arguments of transformers:\n{flags.explain(others)}"


def _flags() -> dict[str, Argument]:
    return {name: argument for name, argument in arguments().items() if name != "train"}
