"""A checkpoint is whole or absent, whatever happened while it was written."""

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tunesmith.errors import ArtifactError
from tunesmith.training import checkpoints


def written(run_dir, step, content=b"weights"):
    folder = Path(run_dir) / checkpoints.name(step)
    (folder / "inner").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "inner" / "rng_state.pth").write_bytes(b"state")
    checkpoints.write_manifest(folder, step=step)
    return folder


def test_a_manifest_holds_sizes_hashes_step_and_versions(tmp_path):
    told = json.loads((written(tmp_path, 3) / "manifest.json").read_text())
    assert told["step"] == 3
    digest = hashlib.sha256(b"weights").hexdigest()
    assert told["files"]["model.safetensors"] == {"size": 7, "sha256": digest}
    assert set(told["files"]) == {"model.safetensors", "inner/rng_state.pth"}
    assert {"torch", "transformers"} <= set(told["versions"])


def test_every_kind_of_damage_is_named_with_its_file(tmp_path):
    folder = written(tmp_path, 1)
    assert checkpoints.verify(folder) == []
    (folder / "model.safetensors").write_bytes(b"Weights")
    assert checkpoints.verify(folder) == ["model.safetensors has changed since it was written (SHA-256)"]
    (folder / "model.safetensors").write_bytes(b"weight")
    (folder / "inner" / "rng_state.pth").unlink()
    assert sorted(checkpoints.verify(folder)) == [
        "inner/rng_state.pth is missing",
        "model.safetensors has 6 bytes instead of 7",
    ]
    (folder / "manifest.json").write_text("{")
    assert "manifest.json cannot be read" in checkpoints.verify(folder)[0]
    (folder / "manifest.json").unlink()
    assert "manifest.json is missing: the save was not finished" in checkpoints.verify(folder)[0]
    assert "is no folder" in checkpoints.verify(tmp_path / "absent")[0]


def test_the_newest_is_the_one_of_the_most_steps_that_verifies(tmp_path, caplog):
    written(tmp_path, 9), written(tmp_path, 10), written(tmp_path, 100)
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-100"
    (tmp_path / "checkpoint-100" / "model.safetensors").write_bytes(b"Weights")
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-10"
    assert "checkpoint-100 is passed over: model.safetensors has changed" in caplog.text
    assert checkpoints.newest(tmp_path / "absent") is None


def test_what_a_killed_process_left_is_removed_and_no_checkpoint(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    staged = checkpoints.staging(tmp_path, 5, gone.pid)
    (staged / "checkpoint-5").mkdir(parents=True)
    (staged / "checkpoint-5" / "model.safetensors").write_bytes(b"half")
    living = checkpoints.staging(tmp_path, 6, os.getppid())
    living.mkdir()
    assert checkpoints.newest(tmp_path) is None
    assert not staged.exists()
    assert living.exists()  # it may be at work


def test_a_whole_checkpoint_that_only_waits_for_its_rename_is_put_in_place(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    written(checkpoints.staging(tmp_path, 5, gone.pid), 5, b"new")
    written(tmp_path, 5, b"old")
    found = checkpoints.newest(tmp_path)
    assert found is not None
    assert (found / "model.safetensors").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_a_checkpoint_of_the_same_step_is_replaced_whole(tmp_path):
    final = written(tmp_path, 5, b"old")
    fresh = written(checkpoints.staging(tmp_path, 5, 1), 5, b"new")
    checkpoints.publish(fresh, final)
    assert (final / "model.safetensors").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_resuming_from_true_without_a_checkpoint_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="there is no checkpoint to resume from") as caught:
        checkpoints.resolve(True, tmp_path)
    assert isinstance(caught.value, ArtifactError)
    with pytest.raises(ArtifactError, match="output_dir is empty"):
        checkpoints.resolve(True, "")
    assert checkpoints.resolve(None, tmp_path) is checkpoints.resolve(False, tmp_path) is None


def test_a_given_checkpoint_that_is_broken_is_an_error_that_names_the_file(tmp_path):
    folder = written(tmp_path, 2)
    assert checkpoints.resolve(str(folder), "elsewhere") == folder
    (folder / "inner" / "rng_state.pth").write_bytes(b"STATE")
    with pytest.raises(ArtifactError, match=r"the checkpoint is broken: inner/rng_state.pth has changed"):
        checkpoints.resolve(folder, "elsewhere")
    with pytest.raises(ValueError, match="is no checkpoint folder"):
        checkpoints.resolve(tmp_path / "absent", "")


def test_a_checkpoint_of_transformers_itself_is_taken_by_its_path_with_a_warning(tmp_path, caplog):
    folder = written(tmp_path, 2)
    (folder / "manifest.json").unlink()
    assert checkpoints.resolve(folder, "") == folder
    assert "cannot be verified" in caplog.text
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match="holds no model weights"):
        checkpoints.resolve(folder, "")


def test_rotation_removes_the_oldest_and_keeps_the_newest_and_the_best(tmp_path):
    for age, step in enumerate((100, 1, 2, 3)):  # checkpoint-100 is an earlier run's
        os.utime(written(tmp_path, step) / "manifest.json", ns=(age, age))
    checkpoints.rotate(tmp_path, 2, keep=(tmp_path / "checkpoint-3", str(tmp_path / "checkpoint-1")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-3"]
    checkpoints.rotate(tmp_path, 1, keep=(tmp_path / "checkpoint-3", str(tmp_path / "checkpoint-1")))
    assert len(list(tmp_path.iterdir())) == 2
    checkpoints.rotate(tmp_path, None, keep=())
    assert len(list(tmp_path.iterdir())) == 2


EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}


def _train(folder, resume, kill_at):
    """Four steps, a checkpoint after each, at most two kept; SIGKILL at the `kill_at`th change to a checkpoint."""
    from training_kit import trainer

    seen = 0

    def watch(event, args):
        nonlocal seen
        if event in EVENTS and args and "checkpoint-3" in str(args[0]):
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    it = trainer(folder, max_steps=4, save_strategy="steps", save_steps=1, save_total_limit=2)
    sys.addaudithook(watch)
    it.train(resume)
    (folder / "events").write_text(str(seen))


def _forked(*work):
    child = multiprocessing.get_context("fork").Process(target=_train, args=work)
    child.start()
    child.join()
    return child.exitcode


def _kill_and_resume(folder):
    """Run by the test below in a process of its own; its children are killed."""
    from training_kit import trainer

    trainer(folder / "warm")  # imports what the children need
    assert _forked(folder / "whole", None, 0) == 0
    events = int((folder / "whole" / "events").read_text())
    points = set(range(1, events + 1))
    for point in sorted(points):
        here = folder / str(point)
        assert _forked(here, None, point) == -signal.SIGKILL, point
        found = checkpoints.newest(here / "out")
        assert found is not None, point
        assert found.name in ("checkpoint-2", "checkpoint-3"), point
        assert not list((here / "out").glob("*.tmp-*")), point
        assert _forked(here, True, 0) == 0, point
        last = here / "out" / "checkpoint-4" / "model.safetensors"
        assert last.read_bytes() == (folder / "whole" / "out" / "checkpoint-4" / "model.safetensors").read_bytes(), (
            point
        )
        shutil.rmtree(here)
    print("points", sorted(points), "of", events)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_while_it_saves_is_resumed_to_the_weights_of_a_run_that_was_not(tmp_path):
    paths = [str(Path(__file__).parents[1]), str(Path(checkpoints.__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "points" in done.stdout


if __name__ == "__main__":
    _kill_and_resume(Path(sys.argv[1]))
