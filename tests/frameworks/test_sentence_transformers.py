"""sentence-transformers: how alike two texts are, learned by a loss that the data's form decides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
import tunesmith
from tunesmith import Run
from tunesmith.errors import ArtifactError, ConfigError, DataError, TrainingFailed
from tunesmith.frameworks.sentence_transformers_pairs import scale_of

T = tiny.TEXTS
SCORED = [{"sentence1": T[i % 6], "sentence2": T[(i * 2 + 1) % 6], "score": i % 6} for i in range(24)]
PAIRS = [{"anchor": T[i % 6], "positive": f"{T[i % 6]} {i}"} for i in range(12)]
TRIPLETS = [{**row, "negative": T[(i + 1) % 6]} for i, row in enumerate(PAIRS)]
Events = list[tuple[str, Mapping[str, Any]]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> str:
    return str(tiny.bert(tmp_path_factory.mktemp("base")))


def fit(base: str, rows: Any, events: Events | None = None, **settings: Any) -> Run:
    return tunesmith.train(
        rows,
        task="sentence-similarity",
        framework="sentence-transformers",
        base=base,
        listener=None if events is None else lambda kind, values: events.append((kind, values)),
        **{"max_steps": 2, **settings},
    )


@pytest.mark.parametrize(
    ("rows", "loss"),
    [
        (SCORED, "CosineSimilarityLoss"),
        (PAIRS, "MultipleNegativesRankingLoss"),
        (TRIPLETS, "MultipleNegativesRankingLoss"),
    ],
)
def test_the_form_of_the_data_decides_the_loss(base: str, tmp_path: Path, rows: Any, loss: str) -> None:
    run = fit(base, rows, output_dir=tmp_path, test=rows[:6])
    assert run.folder.read_json("run.lock")["chosen"]["loss"] == loss
    assert set(run.metrics["test"]) >= ({"spearman"} if rows is SCORED else {"accuracy"})


def test_grades_are_learned_as_similarities_and_come_back_in_their_unit(base: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    events: Events = []
    run = fit(base, SCORED, events, output_dir=tmp_path, max_steps=60, learning_rate=5e-3)
    notes = [values["text"] for kind, values in events if kind == "note"]
    assert "scores from 0 to 5 are learned as similarities from 0 to 1: numbers, not classes" in notes
    opened = SentenceTransformer(str(tmp_path))
    one, other = opened.encode([T[0], T[1]])
    cosine = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    for each in (run, tunesmith.load(tmp_path)):
        assert each.predict([(T[0], T[1])])[0].value == pytest.approx(5 * cosine, abs=1e-4)
    assert run.evaluate(SCORED)["mae"] < 1.3, "learned; the mean alone is 1.5 off"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [((0, 5), (0, 5)), ((0.2, 4.8), (0, 5)), ((1, 5), (1, 5)), ((0, 0.9), (0, 1)), ((-1, 1), (0, 1)), ((3, 3), (3, 4))],
)
def test_the_unit_is_read_off_the_scores(scores: Any, expected: Any) -> None:
    assert scale_of(scores) == expected


def test_the_right_text_is_found_among_others_and_equal_ones_are_no_rivals(base: str) -> None:
    run = fit(base, PAIRS)
    twice = [{"anchor": text, "positive": text} for text in (*T, *T)]
    assert run.evaluate(twice) == {"accuracy": 1.0}
    swapped = [{"anchor": T[i], "positive": T[(i + 1) % 6]} for i in range(6)]
    assert run.evaluate(swapped) == {"accuracy": 0.0}
    right, wrong = {"anchor": T[0], "positive": T[0]}, {"anchor": T[0], "positive": T[1]}
    negative = [{**right, "negative": T[1]}, {**wrong, "negative": T[0]}]
    assert fit(base, TRIPLETS).evaluate(negative) == {"accuracy": 0.5}


def test_a_value_does_not_depend_on_the_other_pairs(base: str) -> None:
    run = fit(base, PAIRS)
    pairs = [(T[0], T[1]), (T[2], T[2]), (T[2], T[3])]
    whole = run.predict(pairs)
    alone = [run.predict([pair])[0].value for pair in pairs]
    assert [each.value for each in whole] == pytest.approx(alone, abs=1e-6)
    assert alone[1] == pytest.approx(1, abs=1e-6), "of equal texts"
    assert abs(alone[2] - alone[0]) > 1e-3
    assert whole[0].scores is None


def test_the_epoch_with_the_lowest_loss_on_validation_is_kept(base: str) -> None:
    events: Events = []
    settings = {"max_steps": -1, "num_train_epochs": 4, "learning_rate": 3e-2, "per_device_train_batch_size": 4}
    run = fit(base, SCORED[:12], events, validation=SCORED[12:], **settings)
    losses = [entry["eval_loss"] for entry in run.history if "eval_loss" in entry]
    assert len(losses) == 4
    scaled = run.evaluate(SCORED[12:])["mse"] / 25
    assert scaled == pytest.approx(min(losses), abs=2e-3)
    assert not [values for kind, values in events if kind == "saved"], "checkpoints are aside"


def test_another_loss_is_taken_where_it_fits(base: str) -> None:
    assert fit(base, SCORED, loss="CoSENTLoss").framework_model.chosen["loss"] == "CoSENTLoss"
    with pytest.raises(ConfigError, match="CosineSimilarityLoss or CoSENTLoss or AnglELoss, for the rows are scores"):
        fit(base, SCORED, loss="TripletLoss")


def test_a_loss_that_is_no_number_ends_the_run(base: str) -> None:
    with pytest.raises(TrainingFailed, match=r"the loss is nan at step \d+: lower the learning rate"):
        fit(base, SCORED, max_steps=6, learning_rate=1e30, logging_steps=1, max_grad_norm=0)


def test_settings_reach_the_trainer_and_the_model(base: str) -> None:
    events: Events = []
    run = fit(base, SCORED, events, logging_steps=1, max_seq_length=5, max_steps=3)
    steps = [values for kind, values in events if kind == "train"]
    assert [(each["step"], each["total"]) for each in steps] == [(1, 3), (2, 3), (3, 3)]
    assert run.model.max_seq_length == 5


def test_a_base_is_read_whole_from_the_cache_that_is_named(base: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    kept = tmp_path / "models--some--encoder"  # as the hub's cache lies on disk
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    first = Transformer(base)
    made = SentenceTransformer(modules=[first, Pooling(first.get_embedding_dimension(), "cls"), Normalize()])
    made.save_pretrained(str(kept / "snapshots" / ("0" * 40)))
    options = {"cache_dir": str(tmp_path), "local_files_only": True}
    opened = fit("some/encoder", SCORED, model_args=options, max_steps=1, learning_rate=0.0).model
    assert [type(each).__name__ for each in opened] == ["Transformer", "Pooling", "Normalize"]
    assert opened.encode(T[0]) == pytest.approx(made.encode(T[0]), abs=1e-6)


def test_without_leave_to_ask_the_hub_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    asked: list[Any] = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(type(get_session()), "send", lambda *given, **more: asked.append(given) or 1 / 0)
    with pytest.raises(ArtifactError, match="some/absent"):
        fit("some/absent", SCORED, model_args={"local_files_only": True})
    assert not asked


def test_a_folder_of_another_tool_is_no_model_of_it(base: str, tmp_path: Path) -> None:
    run = fit(base, SCORED)
    run.save(tmp_path)
    (tmp_path / "modules.json").unlink()
    with pytest.raises(ArtifactError, match=r"modules\.json is missing"):
        tunesmith.load(tmp_path)


def test_a_device_that_is_not_there_is_told_before_data_is_read(base: str) -> None:
    with pytest.raises(ConfigError, match="the number of a GPU"):
        fit(base, "no-such-file.csv", device=99)
    assert fit(base, SCORED, device="cpu").model.device.type == "cpu"


def test_a_text_alone_is_told_with_its_place(base: str) -> None:
    with pytest.raises(DataError, match="is empty: expected text"):
        fit(base, PAIRS).predict(["alone"])
