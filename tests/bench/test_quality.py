import json

import pytest

from bench import quality, records
from bench.reading import Rows
from bench.workloads import Workload

ROWS = Rows([{"text": "x", "label": "a"}], [{"text": str(i), "label": "ab"[i % 2]} for i in range(40)], ("a", "b"))
LOAD = Workload("small", "defaults", "text-classification", "single", lambda folder: ROWS, seeds=(3,))


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A bench of one load, whose sides answer from the gold; options that write below `tmp_path`."""
    monkeypatch.setattr(quality, "LOADS", {"small": LOAD})
    monkeypatch.setattr(quality, "read", lambda name: ROWS)
    right = [row["label"] for row in ROWS.test]
    sides = {"ours": lambda load, rows, seed: ["a"] * 40, "hf": lambda load, rows, seed: right}
    monkeypatch.setattr(quality, "SIDES", sides)
    words = ["--work", str(tmp_path / "work"), "--results", str(tmp_path / "quality.jsonl"), "--resamples", "50"]
    return quality.parser().parse_args(words)


def test_a_run_keeps_figures_with_their_circumstances_and_no_rows(bench):
    values = quality.run_one(LOAD, "hf", 3, bench.work, bench.results)
    assert values == {"accuracy": 1.0, "macro_f1": 1.0}
    [record] = records.read(bench.results)
    assert (record["load"], record["side"], record["seed"], record["scores"]) == ("small", "hf", 3, values)
    assert record["machine"]["cores"]
    assert record["versions"]["python"]
    assert record["peak_bytes"] > 1_000_000
    assert record["rows"] == {"train": 1, "test": 40, "sha256": ROWS.fingerprint()}
    assert '"text"' not in bench.results.read_text()


def test_a_score_below_the_peers_beyond_the_interval_is_said(bench):
    for side in ("ours", "hf"):
        quality.run_one(LOAD, side, 3, bench.work, bench.results)
    found = quality.compare([LOAD], bench)
    assert found[0]["metrics"]["accuracy"]["difference"] == -0.5
    assert found[0]["origin"]["ours"] == found[0]["origin"]["hf"]
    assert found[0]["origin"]["ours"]["commit"]
    assert quality.table(found).splitlines()[1].endswith("LOWER")
    assert json.loads(bench.results.read_text().splitlines()[-1])["what"] == "comparison"


def test_nothing_is_compared_where_one_side_is_missing(bench):
    quality.run_one(LOAD, "hf", 3, bench.work, bench.results)
    assert quality.compare([LOAD], bench) == []


def test_predictions_of_other_rows_are_refused(bench):
    path = records.predictions_path(bench.work, "small", "ours", 3)
    records.keep_predictions(path, ["a"], "other")
    with pytest.raises(ValueError, match="holds predictions of other rows"):
        records.load_predictions(path, ROWS.fingerprint())


def test_an_unknown_load_is_named_with_the_known_ones():
    with pytest.raises(SystemExit) as caught:
        quality.chosen(["sst3"])
    assert "unknown work load 'sst3'" in str(caught.value)
    assert "sst2" in str(caught.value)


def test_a_group_stands_for_its_loads_and_models_from_scratch_are_ours_alone():
    scratch = quality.chosen(["scratch", "gpt2-tiny"])
    assert [load.name for load in scratch] == ["gpt2-tiny", "bert-tiny", "t5-tiny", "electra-tiny"]
    assert [side for side in quality.ORDER if quality.applies(scratch[0], side)] == ["ours"]
    assert not quality.applies(quality.chosen(["sst2"])[0], "tfidf")
