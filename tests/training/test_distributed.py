"""Two processes train, stop, score and save as one does. This file is also the program that torchrun starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tunesmith
from training_kit import classifier, encoding, equal, examples, trainer, weights
from tunesmith.data.labels import Labels
from tunesmith.errors import Diverged
from tunesmith.tasks.base import Account, Example, Examples
from tunesmith.training import arguments, checkpoints

PLAIN = {"optim": "sgd", "learning_rate": 0.05, "max_grad_norm": 0.0, "train_sampling_strategy": "sequential"}
ONE = PLAIN | {"per_device_train_batch_size": 8, "max_steps": 2}
TWO = PLAIN | {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "max_steps": 2}


def learned(folder, settings):
    """Losses and scores of a run of two steps of 8 rows, one of them with 6 real labels; and its weights."""
    it = trainer(folder, train=examples(16), valid=examples(7, start=500), per_device_eval_batch_size=2, **settings)
    it.train()
    scores = {key: value for key, value in it.evaluate().items() if key in ("eval_loss", "eval_f1", "eval_accuracy")}
    return [log["loss"] for log in it.state.log_history if "loss" in log], scores, weights(it.model)


def diverging(folder):
    """Row 103 is in the second batch of the first step, row 110 in the second process's of the second."""
    rows = [Example(row.id, text=row.text, label=1e30 if row.id == 110 else 0.5) for row in examples(16)]
    rows = Examples(rows, Labels("regression"), Account(16), "numbers", "regression")
    how = encoding("regression", Labels("regression"))
    return trainer(folder, train=rows, model=classifier(folder, labels=1), encoding=how, **TWO)


def resumed(folder, rank):
    """Whether a run stopped in its second epoch and gone on with ends in the weights of one that was not stopped."""
    settings = {"optim": "sgd", "learning_rate": 0.05, "num_train_epochs": 2, "save_strategy": "steps", "save_steps": 1}
    settings |= {"train_sampling_strategy": "group_by_length"}
    whole = trainer(folder / rank, train=examples(20), **settings)  # 5 steps an epoch
    whole.args.output_dir = str(folder / "shared-whole")
    whole.train()
    again = trainer(folder / rank, train=examples(20), **settings)
    again.args.output_dir = str(folder / "shared-again")
    again.train(resume_from_checkpoint=str(folder / "shared-whole" / "checkpoint-7"))
    return equal(weights(again.model), weights(whole.model))


def main(folder):
    rank = os.environ["RANK"]
    losses, scores, after = learned(folder / rank, TWO)
    told = {"losses": losses, "scores": scores, "resumed": resumed(folder, rank)}
    it = diverging(folder / rank)
    it.args.output_dir = str(folder / "shared")
    try:
        it.train()
    except Diverged as error:
        told |= {"step": error.step, "rows": error.rows, "kept": str(error)}
    with arguments.workspace("") as place:
        told["workspace"] = str(place)
    torch.save(after, folder / f"weights-{rank}.pt")
    (folder / f"told-{rank}.json").write_text(json.dumps(told))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes have left in a folder."""
    folder = tmp_path_factory.mktemp("two")
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(tunesmith.__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv-endpoint", "localhost:0"]
    done = subprocess.run(
        [*launch, "--rdzv-backend", "c10d", __file__, str(folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def told(folder):
    return [json.loads((folder / f"told-{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_go_on_with_the_rows_of_the_epoch_that_was_stopped(two):
    assert [each["resumed"] for each in told(two)] == [True, True]


def test_two_processes_learn_what_one_learns_and_log_its_loss(tmp_path, two):
    losses, scores, after = learned(tmp_path, ONE)
    for each in told(two):
        assert each["losses"] == pytest.approx(losses, rel=1e-4)
        assert each["scores"] == pytest.approx(scores, rel=1e-4)
    for rank in (0, 1):
        found = torch.load(two / f"weights-{rank}.pt", weights_only=True)
        for name, value in after.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


def test_both_processes_stop_at_a_loss_that_one_of_them_saw_and_keep_one_checkpoint(two):
    for each in told(two):
        assert (each["step"], each["rows"]) == (2, [110, 111])
        assert "the state after step 1 is kept in" in each["kept"]
    folder = two / "shared" / "checkpoint-1"
    assert checkpoints.verify(folder) == []
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in (two / "shared").iterdir()] == ["checkpoint-1"]


def test_both_processes_share_a_workspace_that_is_gone_after(two):
    first, second = (Path(each["workspace"]) for each in told(two))
    assert first == second
    assert not first.exists()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
