"""What a run's events look like: plain lines, and live bars at a terminal."""

import io

import pytest

from tunesmith.cli import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved: clock[0] seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def plain(*events):
    out = io.StringIO()
    with progress.watch(out) as listener:
        for kind, values in events:
            listener(kind, values)
    return out.getvalue().splitlines()


def test_notes_evaluations_and_folders_are_lines():
    lines = plain(
        ("note", {"text": "train: 40 rows"}),
        ("evaluate", {"split": "validation", "metrics": {"accuracy": 0.95, "f1_spam": 0.9}, "epoch": 2.0}),
        ("evaluate", {"split": "test", "metrics": {"accuracy": 0.9}}),
        ("evaluate", {"split": "validation", "metrics": {"accuracy": 0.96}, "final": True}),
        ("saved", {"folder": "model"}),
        ("unheard-of", {"value": 1}),
    )
    scores = ["validation after epoch 2: accuracy 0.95", "test: accuracy 0.9", "validation, final model: accuracy 0.96"]
    assert lines == ["train: 40 rows", *scores, "saved model"]


def test_steps_are_told_at_first_then_every_few_seconds_and_at_the_end(clock):
    out = io.StringIO()
    listener = progress.Plain(out)
    for step in range(0, 101, 10):
        listener("train", {"step": step, "total": 100, "loss": 0.5})
        clock[0] += 2
    assert out.getvalue().splitlines() == [
        "training  0/100 (0%)  loss 0.5",
        "training  30/100 (30%)  5 steps/s  0:14 left  loss 0.5",
        "training  60/100 (60%)  5 steps/s  0:08 left  loss 0.5",
        "training  90/100 (90%)  5 steps/s  0:02 left  loss 0.5",
        "training  100/100 (100%)  5 steps/s  loss 0.5",
    ]


def test_a_phase_that_begins_again_has_a_pace_of_its_own(clock):
    out = io.StringIO()
    listener = progress.Plain(out)
    for done in (0, 50, 10, 20):
        listener("features", {"done": done, "total": 50})
        clock[0] += 10
    assert out.getvalue().splitlines() == [
        "tokenizing  0/50 (0%)",
        "tokenizing  50/50 (100%)  5 rows/s",
        "tokenizing  10/50 (20%)",
        "tokenizing  20/50 (40%)  1 rows/s  0:30 left",
    ]


def test_a_stream_has_no_share_and_no_end(clock):
    out = io.StringIO()
    listener = progress.Plain(out)
    listener("features", {"done": 7, "total": None})
    assert out.getvalue() == "tokenizing  7\n"


def test_clock_has_hours_only_where_there_are_any():
    assert [progress.clock(s) for s in (5, 65, 3725)] == ["0:05", "1:05", "1:02:05"]


def test_a_terminal_gets_live_bars_with_notes_above():
    out = Terminal()
    with progress.watch(out) as listener:
        listener("note", {"text": "columns: [text] = 'message'"})
        listener("features", {"done": 20, "total": 40})
        listener("features", {"done": 40, "total": 40})
        listener("features", {"done": 4, "total": 8})
        listener("train", {"step": 1, "total": 10, "loss": 0.7, "learning_rate": 5e-5, "epoch": 0.1})
        listener("train", {"step": 10, "total": 10})
    shown = out.getvalue()
    assert "columns: [text] = 'message'" in shown  # brackets are no markup
    assert "4/8" in shown
    assert "10/10" in shown
    assert "loss 0.7" in shown
