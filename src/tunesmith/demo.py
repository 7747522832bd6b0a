"""`make demo`: the main job on a real sample, through the command line's own entry, then two new messages."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from . import samples

_MESSAGES = (
    "Congratulations! You have won a free cruise. Text CLAIM to 80086 now, 150p per message.",
    "Running ten minutes late, can you order me a coffee?",
)


def main(arguments: Sequence[str] = ()) -> int:
    """Trains into `demo-run`; `arguments` are further flags of `tunesmith train`. Returns the exit code."""
    from .cli import main as cli

    folder = "demo-run"
    data = ["--validation", "0.1", "--test", "0.2", "--output-dir", folder]
    code = cli(["train", str(samples.path("sms_spam")), "--base", "minilm", *data, *arguments])
    if code:
        return code
    print("\nTwo new messages:")
    return cli(["predict", folder, *_MESSAGES])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
