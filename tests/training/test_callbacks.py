"""What the loop says of itself: events of the run, and pushes to a hub that speaks the protocol."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from transformers import PrinterCallback, ProgressCallback

from training_kit import examples, trainer
from tunesmith.folder import RunFolder
from tunesmith.training.callbacks import FolderEvents, unprefixed


def test_training_and_evaluation_are_events_of_the_run(tmp_path):
    heard = []
    folder = RunFolder.create(tmp_path / "out", lambda kind, values: heard.append((kind, dict(values))))
    settings = {"num_train_epochs": 1, "eval_strategy": "epoch", "save_strategy": "epoch", "logging_steps": 3}
    it = trainer(tmp_path, valid=examples(4), folder=folder, callbacks=[FolderEvents(folder)], **settings)
    it.train()
    kinds = [kind for kind, _ in heard]
    assert kinds == ["train", "train", "evaluate", "saved"]
    first, scored, saved = heard[0][1], heard[2][1], heard[3][1]
    assert (first["step"], first["total"], first["epoch"]) == (3, 6, 0.5)
    assert {"loss", "learning_rate", "grad_norm"} <= set(first)
    assert scored["split"] == "validation"
    assert scored["metrics"]["loss"] > 0
    assert 0 <= scored["metrics"]["accuracy"] <= 1
    assert not [key for key in scored["metrics"] if "per_second" in key or key.startswith("eval_") or key == "epoch"]
    assert scored["epoch"] == 1
    assert saved["folder"] == str(tmp_path / "out" / "checkpoint-6")
    lines = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == kinds
    it.evaluate()
    assert (heard[-1][1]["final"], heard[-1][1].get("epoch")) == (True, None), "it may be an earlier epoch's model"


def test_nothing_is_printed(tmp_path, capsys):
    it = trainer(tmp_path, valid=examples(4), max_steps=2, eval_strategy="epoch")
    capsys.readouterr()
    it.train()
    assert capsys.readouterr().out == ""


def test_bars_are_shown_unless_they_are_turned_off_and_nothing_else_is_printed(tmp_path, capsys):
    for off in (False, True):
        it = trainer(tmp_path, valid=examples(4), max_steps=2, eval_strategy="epoch", disable_tqdm=off)
        capsys.readouterr()
        it.train()
        found = capsys.readouterr()
        assert found.out == ""
        assert ("2/2" in found.err) is not off


@pytest.mark.parametrize("kind", [PrinterCallback, ProgressCallback])
@pytest.mark.parametrize("off", [False, True])
def test_a_callback_of_the_users_own_may_print(tmp_path, capsys, kind, off):
    it = trainer(tmp_path, max_steps=2, disable_tqdm=off, callbacks=[kind()])
    capsys.readouterr()
    it.train()
    assert capsys.readouterr().out.count("train_runtime") == 1


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"eval_f1": 0.5, "eval_runtime": 1.0, "eval_samples_per_second": 9, "epoch": 2}, ("validation", {"f1": 0.5})),
        ({"eval_far_f1": 0.5, "eval_far_runtime": 1.0, "eval_far_steps_per_second": 9}, ("far", {"f1": 0.5})),
        ({"test_loss": 2.0, "test_runtime": 1.0}, ("test", {"loss": 2.0})),
    ],
)
def test_metrics_lose_their_prefix_and_their_timings(metrics, expected):
    assert unprefixed(metrics) == expected


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as creating a repository and committing to it takes."""

    commits: list = []  # noqa: RUF012

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({"id": "me/model", "modelId": "me/model", "sha": "0" * 40, "siblings": [], "private": False})

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"] or 0))
        base = f"http://{self.headers['Host']}/me/model"
        if "/preupload/" in self.path:
            files = json.loads(sent)["files"]
            self.answer({"files": [{**each, "uploadMode": "regular", "shouldIgnore": False} for each in files]})
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in sent.decode().splitlines()]
            self.commits.append(
                (lines[0]["value"]["summary"], {x["value"]["path"] for x in lines if x["key"] == "file"})
            )
            self.answer({"commitUrl": f"{base}/commit/{'0' * 40}", "commitOid": "0" * 40, "hookOutput": ""})
        else:
            self.answer({"url": base, "id": "me/model", "name": "me/model"})

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine; the client's constants, which it reads once, point to it."""
    from huggingface_hub import constants
    from transformers.utils import hub as client

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(client, "_hf_api", None)
    monkeypatch.setattr(Hub, "commits", [])
    yield Hub
    server.shutdown()
    server.server_close()


def test_checkpoints_are_pushed_without_pickle_or_optimizer_and_whole_where_that_is_asked_for(tmp_path, hub):
    settings = {"push_to_hub": True, "hub_model_id": "me/model", "hub_token": "hf_" + "x" * 20, "hub_always_push": True}
    settings |= {"max_steps": 2, "save_strategy": "steps", "save_steps": 1, "save_total_limit": 1}
    it = trainer(tmp_path, hub_strategy="all_checkpoints", **settings)
    it.train()
    it.save_model()
    said = dict(hub.commits)
    model = said["Training in progress, step 1"]
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= model
    assert not [path for path in model if "optimizer" in path or "rng_state" in path]
    assert "checkpoint-2/optimizer.pt" in said["Training in progress, step 2, checkpoint"]
    assert "model.safetensors" in said["Model save"]
    assert not [path for paths in said.values() for path in paths if path.endswith(".bin")]
    assert not list((tmp_path / "out").rglob("training_args.bin"))


def test_a_push_that_fails_does_not_stop_training(tmp_path, hub, monkeypatch, caplog):
    settings = {"push_to_hub": True, "hub_model_id": "me/model", "hub_token": "hf_" + "x" * 20}
    it = trainer(tmp_path, max_steps=1, save_strategy="steps", save_steps=1, **settings)
    monkeypatch.setattr(Hub, "do_POST", lambda self: self.send_error(403))
    it.train()
    assert it.state.global_step == 1
    assert "a checkpoint could not be pushed to me/model" in caplog.text
