"""AutoTrain: its training data, a Hugging Face data set with the columns that its trainers read by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UnsupportedTask
from ..tasks.base import Example, Examples, RowId
from ..tasks.word_tags import Misfit
from . import base, tables


@dataclass(frozen=True)
class AutoTrainFramework:
    """Data only, so far."""

    name: str = "autotrain"

    def why_not(self, task: str) -> str | None:
        """The reason: nothing is trained."""
        return base.trains_nothing(self.name)

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TEXT, base.TOKENS))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans give no tag for each token, by id."""
        return base.tag_misfits(task, examples)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `Dataset` or `DatasetDict` as `tables.datasets_of` makes it, with columns `target` and `tags`.

        `target` and `tags` are class labels: AutoTrain's trainers take names and ids from the column's type.

        Raises:
            UnsupportedTask: multi-label texts; its text classification has one label a text.
        """
        base.check_options(self.name, options)
        if splits["train"].kind == "multi":
            why = "its text classification has one label a text, and these records have several"
            raise UnsupportedTask(
                self.name, task, why, ["transformers", "setfit", "spacy", "openai", "spark-nlp"], verb="prepare"
            )
        return tables.datasets_of(task, splits, labels, label="target", tags="tags")


FRAMEWORK = AutoTrainFramework()
