"""`tunesmith train --name`: records of a store or server, as `argilla train` had it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from ..config import TRANSFORMERS, arguments
from ..registry import frameworks
from . import asking, flags, progress, quiet, training
from .records import QUERY_HELP
from .serving import DATABASE_HELP


def train(argv: Sequence[str]) -> int:
    """Train on the records of a data set; the exit code."""
    parser = _parser()
    if any(word in ("-h", "--help") for word in argv):
        parser.print_help()
        return 0
    _refuse_settings(argv, parser)
    given = parser.read(flags.spell_out(argv, _numbers()))
    if given.file is not None:
        raise flags.usage_error(f"FILE ({given.file}) and --name are both given: training data is one or the other.")
    if not given.name:
        raise flags.usage_error("--name has no value: expected the name of a stored data set.")
    if not given.framework:
        known = ", ".join(frameworks.offered())
        raise flags.usage_error(f"--framework is missing: a data set is trained by one of {known}.")
    framework = frameworks.resolve(given.framework)
    said = {name: getattr(given, name) for name in _numbers()}
    numbers = {name: text and flags.read_text(_numbers()[name], text) for name, text in said.items()}
    updates = {**_updates(given.update_config_kwargs), **({"yes": flags.truth(given.yes)} if given.yes else {})}
    share = _share(given.train_size)
    quiet.hush()
    with progress.watch() as listener:
        run = _run(given, {**training.drawn(framework, updates), **updates}, numbers, share, listener)
    training.tell(run, as_json=given.json, holding="--train-size 0.9")
    return 0


def _run(given: Namespace, updates: dict[str, Any], numbers: dict[str, Any], share: float, listener: Any) -> Any:
    from ..argilla_trainer import ArgillaTrainer
    from ..records import session

    if given.api_url or given.api_key or given.database:
        session.init(given.api_url, given.api_key, database=given.database)
    loaded = {"query": given.query, "limit": numbers["limit"]}
    try:
        trainer = ArgillaTrainer(
            given.name,
            given.framework,
            given.workspace,
            model=given.model,
            train_size=share,
            seed=numbers["seed"],
            gpu_id=-1 if numbers["device"] == "auto" else numbers["device"],
            framework_kwargs=updates,
            **{name: value for name, value in loaded.items() if value is not None},
        )
        trainer.train(given.output_dir, listener=listener, ask=asking.asker())
    finally:
        session.close()
    return trainer.get_trainer()


def _parser() -> flags.Parser:
    parser = flags.Parser("train", "Train on the records of a store or server.")
    parser.add_argument("file", nargs="?", help="never beside --name")
    add = parser.add_argument
    add("--name", metavar="DATASET", help="data set of records to train on")
    add("--framework", metavar="NAME", help=f"library that trains: {', '.join(frameworks.offered())}")
    add("--workspace", metavar="W", help="workspace of the data set [the active one]")
    add("--limit", metavar="N", help="only the first N records")
    add("--query", metavar="Q", help=QUERY_HELP)
    add("--model", "--base", dest="model", metavar="NAME", help="model to start from [that of the framework]")
    add("--train-size", metavar="X", default="1.0", help="share of the records to train on, the rest is scored [1.0]")
    add("--seed", metavar="N", default="42", help="seed of every random choice [42]")
    add("--device", metavar="N", default="-1", help="-1 (the fastest), cpu, or the number of a GPU [-1]")
    add("--output-dir", metavar="DIR", default=training.FOLDER, help=f"folder of the run [{training.FOLDER}]")
    add("--update-config-kwargs", metavar="JSON", default="{}", help="settings as for update_config, in JSON [{}]")
    add("--api-url", metavar="URL", help="server of the records [TUNESMITH_API_URL, ARGILLA_API_URL]")
    add("--api-key", metavar="KEY", help="key of the server [TUNESMITH_API_KEY, ARGILLA_API_KEY]")
    add("--database", metavar="F", help=DATABASE_HELP)
    add("--yes", nargs="?", const="true", metavar="", help="upload records unasked, where the framework is a service")
    add("--json", action="store_true", help="print the scores as JSON")
    return parser


def _refuse_settings(argv: Sequence[str], parser: flags.Parser) -> None:
    """Raises: ConfigError, for a flag that goes with FILE alone."""
    named = flags.said(argv, "--framework") or ""
    known = arguments(frameworks.resolve(named)) if named else {}
    for word in argv:
        name = word.partition("=")[0].removeprefix("--").replace("-", "_")
        if word.startswith("--") and name in known and not parser.has(f"--{name.replace('_', '-')}"):
            told = f"beside --name say --update-config-kwargs '{{\"{name}\": …}}'"
            told = "beside --name, --train-size X scores the other records" if name in ("validation", "test") else told
            raise flags.usage_error(f"{word.partition('=')[0]} goes with FILE: {told}.")


def _numbers() -> dict[str, Any]:
    known = arguments(TRANSFORMERS)
    return {name: known[name] for name in ("limit", "seed", "device")}


def _updates(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise flags.usage_error(f"--update-config-kwargs is {text!r}, which is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise flags.usage_error(f"--update-config-kwargs is {text!r}: expected a mapping, as '{{\"seed\": 1}}'.")
    return found


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise flags.usage_error(f"--train-size is {text!r}: expected a share above 0, at most 1.")
    return share
