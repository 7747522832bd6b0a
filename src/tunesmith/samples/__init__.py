"""Small, openly licensed data sets that ship with the package; README.md beside this file names their sources."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..errors import UnknownName

FILES = {
    "sms_spam": "sms_spam.csv",
    "banking77": "banking77.csv",
    "squad": "squad.json",
    "shakespeare": "shakespeare.txt",
}
"""Sample name -> file name."""


def names() -> tuple[str, ...]:
    """Every sample's name."""
    return tuple(FILES)


def path(name: str) -> Path:
    """The file of a sample, readable as the `train` data of a run.

    Raises:
        UnknownName: there is no such sample; the nearest is named.
    """
    if name not in FILES:
        raise UnknownName("sample", name, FILES)
    return Path(str(files(__package__) / FILES[name]))
