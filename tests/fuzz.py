"""The examples of property tests: the same ones each time, or with TUNESMITH_FUZZ=N others and N times as many.

`make fuzz` looks for what the usual examples do not show; a failure prints the line that repeats it.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

PROFILE = "tunesmith"
TIMES = int(os.environ.get("TUNESMITH_FUZZ") or 0)
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # of a busy machine, and of whole records

settings.register_profile(
    PROFILE,
    max_examples=100 * max(TIMES, 1),
    derandomize=TIMES == 0,
    database=None,
    deadline=None,
    print_blob=TIMES > 0,
    suppress_health_check=[*_SLOW, HealthCheck.function_scoped_fixture],
)


def examples(count: int, **options: Any) -> settings:
    """The settings of a property test that takes this many examples: `@examples(60)` above `@given(…)`."""
    return settings(settings.get_profile(PROFILE), max_examples=count * max(TIMES, 1), **options)
