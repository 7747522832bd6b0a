"""`tunesmith choose`: several frameworks on one file, in one table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..config import arguments, settings
from ..registry import frameworks
from ..values import read_seconds
from . import flags, progress, quiet, tables, training

if TYPE_CHECKING:
    from ..evaluation.choice import Candidate, Choice

_OPTIONS = 'settings of single frameworks, in JSON: {"setfit": {"num_iterations": 5}}'


def choose(argv: Sequence[str]) -> int:
    """Print one row a framework, and which to take; the exit code, 1 where none has a score."""
    known = {name: each for name, each in settings().items() if each.group == "Data" and name != "train"}
    known |= {name: arguments()[name] for name in ("task", "device", "seed", "output_dir")}
    parser = flags.Parser("choose", "Train several frameworks on the same rows, and say which to take.")
    parser.add_argument("file", metavar="FILE", help="training data, as for `tunesmith train`")
    parser.add_argument("--frameworks", metavar="A,B", help=f"which, of {', '.join(frameworks.offered())}")
    parser.add_argument("--budget", metavar="TIME", help="for all of them: 90s, 5m, 1h [no end]")
    parser.add_argument("--options", metavar="JSON", default="{}", help=_OPTIONS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    for each in known.values():
        parser.add_argument(each.flag, dest=each.name, metavar="VALUE", default=argparse.SUPPRESS, help=_help(each))
    named = vars(parser.read(flags.spell_out(argv, known)))
    file, names, budget = named.pop("file"), named.pop("frameworks"), _budget(named.pop("budget"))
    options, as_json = _options(named.pop("options")), named.pop("json")
    if not names:
        raise flags.usage_error("--frameworks is missing: expected names, as baseline,setfit,transformers.")
    given = {name: flags.read_text(known[name], text) for name, text in named.items()}
    quiet.hush()
    from .. import choosing

    asked = choosing.listed(names)
    options = {choosing.plain(name): own for name, own in options.items()}
    options |= {name: {**training.drawn(name, own), **own} for name in asked for own in [options.get(name, {})]}
    with progress.watch() as listener:
        found = choosing.choose(file, frameworks=asked, budget=budget, options=options, listener=listener, **given)
    print(json.dumps(asdict(found), indent=2, ensure_ascii=False) if as_json else table(found))
    return 0 if found.taken is not None else 1


def table(choice: Choice) -> str:
    """One row a framework, the reasons of those without a score, and which to take."""
    header = ["framework", choice.metric, "95%", "behind the best", "training", "rows/s", "on disk"]
    scored = [each for each in choice.candidates if each.score is not None]
    lines = [f"{choice.task}: {choice.rows[0]:,} rows to train on, {choice.rows[1]:,} to score"]
    if scored:
        lines += ["", tables.grid(header, [_row(each) for each in scored])]
    lines += [f"{each.framework}: gives every row the label {each.constant!r}" for each in scored if each.constant]
    left = [each for each in choice.candidates if each.score is None]
    lines += ["", *(f"{each.framework}: no score: {each.reason}" for each in left)] if left else []
    taken = f"take {choice.taken}: {choice.why}." if choice.taken else f"{choice.why}."
    return "\n".join([*lines, "", taken])


def _row(each: Candidate) -> list[str]:
    assert each.score is not None
    gap = each.behind
    return [
        each.framework,
        f"{each.score.value:.4f}",
        f"{each.score.low:.3f} … {each.score.high:.3f}",
        "-" if gap is None else f"{gap.difference:+.3f} ({gap.low:+.3f} … {gap.high:+.3f})",
        f"{each.seconds or 0:.1f} s",
        f"{each.speed or 0:,.0f}",
        _size(each.size or 0),
    ]


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _budget(text: str | None) -> float | None:
    try:
        return None if text is None else read_seconds(text)
    except ValueError as error:
        raise flags.usage_error(f"--budget is {text!r}: expected a time above 0, as 90s, 5m or 1h.") from error


def _options(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise flags.usage_error(f"--options is {text!r}, which is no JSON: {error}.") from error
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise flags.usage_error(f"--options is {text!r}: expected a mapping of settings for each framework.")
    return found


def _help(each: Any) -> str:
    return str(each.help).replace("%", "%%")
