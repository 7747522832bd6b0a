"""SpanMarker: its training data, a Hugging Face data set of tagged words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..tasks.base import Example, Examples, RowId
from ..tasks.word_tags import Misfit
from . import base, tables


@dataclass(frozen=True)
class SpanMarkerFramework:
    """Data only, so far."""

    name: str = "span-marker"

    def why_not(self, task: str) -> str | None:
        """The reason: nothing is trained."""
        return base.trains_nothing(self.name)

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TOKENS,))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans give no tag for each token, by id."""
        return base.tag_misfits(task, examples)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `Dataset` or `DatasetDict`: see `tables.datasets_of`."""
        base.check_options(self.name, options)
        return tables.datasets_of(task, splits, labels)


FRAMEWORK = SpanMarkerFramework()
