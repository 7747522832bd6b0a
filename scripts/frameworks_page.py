"""Writes docs/frameworks.md from what each framework says it trains: run it after a change there (`make docs`)."""

from __future__ import annotations

from pathlib import Path

from tunesmith.cli.frameworks import HEADS, marks, matrix, reasons
from tunesmith.registry import frameworks, tasks

HEAD = """# Frameworks

This page is generated from what the frameworks say of themselves; `tunesmith frameworks` prints the same, with what is
installed here, and `tunesmith frameworks --json` gives it to scripts.

`framework="setfit"` in Python, or `--framework setfit`, trains with another library than transformers. A pair with
– is refused before any data is read, with the reason and the frameworks that can. The heads are names that `task`
takes.

"""


def page() -> str:
    rows = [row for row in matrix() if frameworks.resolve(row["framework"]) in frameworks.members]
    heads = [f"[{HEADS[task]}](tasks/{task}.md)" for task in tasks.members]
    text = HEAD + f"| | {' | '.join(heads)} |\n|---|{':-:|' * len(heads)}\n"
    for row in rows:
        text += f"| {row['framework']} | {' | '.join(marks(row)[: len(heads)])} |\n"
    text += "\n"
    for row in rows:
        own = "; it runs in [an environment of its own](workers.md)" if "environment" in row else ""
        needs = f"; {row['needs']}" if "needs" in row else ""
        text += f"- **{row['framework']}**: {reasons(row)}{needs}{own}\n"
    return text


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "docs" / "frameworks.md"
    target.write_text(page(), encoding="utf-8")
    print(f"wrote {target}")
