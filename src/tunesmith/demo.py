"""`make demo`: the main job on a real sample, through the command line's own entry, then two new messages."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from . import samples

# Fewer epochs than tunesmith would choose are enough for this sample, and rows of like length in a batch halve the
# padding: both keep the demo under 90 seconds on two cores.
_QUICK = ("--num-train-epochs", "2", "--train-sampling-strategy", "group_by_length")
_MESSAGES = (
    "Congratulations! You have won a free cruise. Text CLAIM to 80086 now, 150p per message.",
    "Running ten minutes late, can you order me a coffee?",
)


def main(arguments: Sequence[str] = ()) -> int:
    """Trains into `demo-run`; `arguments` are further flags of `tunesmith train`. Returns the exit code."""
    splits = ("--validation", "0.1", "--test", "0.2")
    train = ("train", str(samples.path("sms_spam")), "--base", "minilm", *splits, *_QUICK, "--output-dir", "demo-run")
    return _run(*train, *arguments) or _run("predict", "demo-run", *_MESSAGES)


def _run(*words: str) -> int:
    """One command of the command line, shown as it would be typed."""
    from .cli import main as cli

    print(f"\n$ tunesmith {shlex.join(words)}\n", flush=True)
    return cli(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
