"""The command line. Each command is a function of a module that is imported when the command is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from ..errors import ConfigError, TunesmithError, UnknownName

COMMANDS = {
    "train": ("training:train", "train a model on labelled text"),
    "predict": ("models:predict", "predictions of a trained model, as JSON lines"),
    "evaluate": ("models:evaluate", "scores of a trained model on labelled rows"),
    "choose": ("choosing:choose", "train several frameworks on the same rows, and say which to take"),
    "tasks": ("about:tasks", "what can be learned: tasks, their columns and metrics"),
    "frameworks": ("frameworks:listed", "which framework trains which task"),
    "frameworks install": ("frameworks:install", "make the environment of a framework that needs its own"),
    "config-schema": ("about:config_schema", "the JSON schema of a run file"),
    "records import": ("moving:import_", "log the records of files to a data set"),
    "records export": ("moving:export", "write the records of a data set to a file"),
    "records list": ("records:listed", "the data sets of a store"),
    "records show": ("records:show", "one record, with its history"),
    "records query": ("records:query", "the records that match a query, as JSON lines"),
    "records predict": ("labelling:predict", "predict the records of a data set, and store the predictions"),
    "records next": ("labelling:next_", "the records to label next"),
    "records delete": ("records:delete", "take out a data set, or some of its records"),
    "records copy": ("records:copy", "copy a data set under a new name"),
    "records server": ("serving:server", "serve a record store over HTTP"),
    "users create": ("users:create", "a user of the server; prints the key, once"),
    "users list": ("users:listed", "the users of the server"),
    "users delete": ("users:delete", "take a user out, and the key with it"),
}
"""Name -> what runs it, and what it is for. Commands of a group have two words: the group and the command."""


_MORE = "; `tunesmith --version` prints the version.\nTUNESMITH_DEBUG=1 shows the traceback of an error."


def usage(group: str = "") -> str:
    """What `tunesmith --help` prints, and `tunesmith GROUP --help`."""
    of = {name: told for name, (_, told) in COMMANDS.items() if not group or name.startswith(f"{group} ")}
    width = max(map(len, of))
    head = f"{group} " if group else ""
    return "\n".join(
        [
            f"usage: tunesmith {head}COMMAND ...",
            *([] if group else ["", "Labelled text in, the right trained model out."]),
            "",
            "commands:",
            *(f"  {name:{width}}  {told}" for name, told in of.items()),
            "",
            f"`tunesmith {head}COMMAND --help` explains a command" + ("." if group else _MORE),
        ]
    )


def version() -> str:
    """The version of the installed package."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("tunesmith")
    except PackageNotFoundError:  # a source tree that was put on the path
        return "unknown"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0, 1 (work failed), 2 (usage), 130 (interrupted), 141 (reader went away)."""
    debug = os.environ.get("TUNESMITH_DEBUG", "") not in ("", "0")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        sys.stdout.flush()  # a reader that went away shows here, not at the interpreter's end
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except TunesmithError as error:
        if debug:
            raise
        from .wording import as_flags

        return _fail(f"error: {as_flags(str(error), words)}", 2 if isinstance(error, ConfigError | UnknownName) else 1)
    except Exception as error:
        if debug:
            raise
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _fail(f"error: {told} (TUNESMITH_DEBUG=1 shows where)", 1)


def _run(argv: list[str]) -> int:
    name = argv[0] if argv else "--help"
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    if name in ("-V", "--version", "version"):
        print(f"tunesmith {version()}")
        return 0
    words = 1
    group = {known.partition(" ")[2]: known for known in COMMANDS if known.startswith(f"{name} ")}
    itself = name in COMMANDS and all(word[:1] == "-" for word in argv[1:2])  # `tunesmith frameworks --json`
    if group and not itself:
        words, command = 2, argv[1] if len(argv) > 1 else "--help"
        if command in ("-h", "--help", "help"):
            print(usage(name))
            return 0 if len(argv) > 1 else 2
        if command not in group:
            raise UnknownName(f"command of {name}", command, group)
        name = group[command]
    elif name not in COMMANDS:
        raise UnknownName("command", name, dict.fromkeys(known.partition(" ")[0] for known in COMMANDS))
    module, _, function = COMMANDS[name][0].partition(":")
    run: Callable[[list[str]], int] = getattr(import_module(f".{module}", __name__), function)
    return run(argv[words:])


def _fail(message: str, code: int) -> int:
    lines = message.splitlines()
    if len(lines) > 2 and lines[-1].strip() == "^":  # it points into the line above, which one line has not
        lines = lines[:-2]
    print("tunesmith: " + " ".join(" ".join(lines).split()), file=sys.stderr)
    return code
