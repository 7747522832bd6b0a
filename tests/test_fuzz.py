"""Property tests repeat: their examples are the same each time, unless others are asked for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fuzz

TESTS = Path(__file__).parent


def test_every_property_test_takes_its_settings_from_here() -> None:
    own = []
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "hypothesis":
                own += [path.name] * ("settings" in [name.name for name in node.names])
    assert sorted(own) == ["conftest.py", "fuzz.py"]


@pytest.mark.skipif(fuzz.TIMES > 0, reason="other examples are asked for")
def test_examples_are_the_same_each_time() -> None:
    def drawn() -> list[int]:
        found: list[int] = []

        @fuzz.examples(20)
        @given(st.integers())
        def draw(number: int) -> None:
            found.append(number)

        draw()
        return found

    first = drawn()
    assert len(first) == 20
    assert drawn() == first
