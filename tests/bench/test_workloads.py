import gzip
import json

import pytest

from bench import reading, workloads
from bench.reading import Rows
from bench.workloads import WORKLOADS


def test_the_rows_drawn_and_their_order_are_fixed():
    rows = [{"text": str(i)} for i in range(100)]
    assert [row["text"] for row in reading.draw(rows, 5)] == ["67", "8", "94", "75", "15"]
    assert len(reading.draw(rows, 1000)) == 100


def test_equal_messages_stay_on_one_side(tmp_path):
    folder = tmp_path / "sms_spam"
    folder.mkdir()
    lines = [f'"message {i % 50}, again",0,ham' for i in range(100)]
    (folder / "all.csv").write_text("text,label,label_text\n" + "\n".join(lines) + "\n")
    rows = reading.sms(tmp_path)
    train, test = ({row["text"] for row in part} for part in (rows.train, rows.test))
    assert not train & test
    assert (len(rows.train), len(rows.test)) == (80, 20)


def test_a_sentence_ends_at_an_empty_line(tmp_path):
    folder = tmp_path / "conll2003"
    folder.mkdir()
    text = b"Anna NNP I-NP B-PER\nleft VBD I-VP O\n\nHi UH O O\n"
    for name in ("train", "test"):
        (folder / f"{name}.conll.gz").write_bytes(gzip.compress(text))
    rows = reading.conll2003(tmp_path)
    assert rows.test == [{"tokens": ["Anna", "left"], "tags": ["B-PER", "O"]}, {"tokens": ["Hi"], "tags": ["O"]}]
    assert rows.labels == ("B-PER", "O")


def test_every_accepted_answer_of_a_question_is_kept(tmp_path):
    folder = tmp_path / "squad_v1"
    folder.mkdir()
    answers = [{"text": "Paris", "answer_start": 3}, {"text": "in Paris", "answer_start": 0}]
    article = {"paragraphs": [{"context": "in Paris", "qas": [{"question": "Where?", "answers": answers}]}]}
    for name in ("train-v1.1-subset", "dev-v1.1"):
        packed = gzip.compress(json.dumps({"data": [article]}).encode())
        (folder / f"{name}.json.gz").write_bytes(packed)
    rows = reading.squad(tmp_path)
    assert workloads.gold("answers", rows.test) == [["Paris", "in Paris"]]
    assert rows.train[0]["answers"]["answer_start"] == [3, 0]


def test_another_row_or_order_is_another_fingerprint():
    one, two = {"text": "a"}, {"text": "b"}
    prints = {Rows([one], [two]).fingerprint(), Rows([two], [one]).fingerprint(), Rows([one, two], []).fingerprint()}
    assert len(prints) == 3


@pytest.mark.parametrize("name", [load.name for load in WORKLOADS.values() if load.group == "equal"])
def test_equal_loads_spell_out_every_setting_that_could_differ(name):
    spelled = {"learning_rate", "per_device_train_batch_size", "lr_scheduler_type", "warmup_steps", "weight_decay"}
    assert spelled | {"num_train_epochs"} == set(WORKLOADS[name].settings)
