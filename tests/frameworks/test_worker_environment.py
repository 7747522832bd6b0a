"""Environments made by the real venv and pip, from a package that is made here."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tunesmith.cli import main
from tunesmith.errors import FrameworkError
from tunesmith.frameworks import worker_environment
from tunesmith.frameworks.worker_environment import Environment


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of locks with one lock, `small`, and of the wheels that it names."""
    monkeypatch.setattr(worker_environment, "WORKERS", tmp_path)
    (tmp_path / "small.txt").write_text("leaf==1.5\ntorch==2.13.0\n")
    for name, version in (("torch", "2.13.0"), ("leaf", "1.5")):
        told = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(tmp_path / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(f"{told}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{told}/RECORD", "")
    return tmp_path


INSTALL = """
import sys
from pathlib import Path
from tunesmith.frameworks import worker_environment
worker_environment.WORKERS = Path(sys.argv[1])
runs = []
run = worker_environment.Environment._run
worker_environment.Environment._run = lambda self, command: (runs.append(command), run(self, command))
worker_environment.Environment("small").install(["--no-index", "--find-links", sys.argv[1]])
print(len(runs))
"""


@pytest.mark.timeout(200)
def test_two_that_install_at_once_make_one_environment(shelf: Path) -> None:
    environment = Environment("small")
    environment.folder.mkdir(parents=True)
    (environment.folder / "half").touch()  # what an install that was cut short has left
    both = [
        subprocess.Popen([sys.executable, "-c", INSTALL, str(shelf)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sorted(int(each.communicate()[0]) for each in both) == [0, 3]
    assert environment.installed()
    assert not (environment.folder / "half").exists()
    found = subprocess.run(
        [environment.python, "-I", "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    )
    assert {"leaf==1.5", "torch==2.13.0"} <= set(found.stdout.split())
    environment.check()


@pytest.mark.timeout(200)
def test_an_install_that_fails_shows_what_pip_said_and_leaves_nothing_that_counts(shelf: Path) -> None:
    (shelf / "small.txt").write_text("leaf==9.9\ntorch==2.13.0\n")
    with pytest.raises(FrameworkError, match="environment of small was not made") as caught:
        Environment("small").install(["--no-index", "--find-links", str(shelf)])
    assert "leaf==9.9" in str(caught.value)
    assert not Environment("small").installed()


def test_another_lock_is_another_folder_and_versions_are_read_from_it(shelf: Path) -> None:
    before = Environment("small").folder
    assert Environment("small").versions(["leaf"]) == {"leaf": "1.5"}
    (shelf / "small.txt").write_text("torch==2.13.1\n")
    assert Environment("small").folder != before
    assert before.parent == Environment("small").folder.parent


@pytest.mark.parametrize("name", worker_environment.names())
def test_a_lock_pins_every_package_exactly(name: str) -> None:
    lines = Environment(name).lock.read_text(encoding="utf-8").splitlines()
    assert all(line.count("==") == 1 and "+" not in line and "@" not in line for line in lines)
    assert "torch==2.13.0" in lines
    assert Environment(name).script.is_file()


def test_the_command_tells_who_trains_what_and_refuses_what_needs_no_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["frameworks"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "its environment is not installed: tunesmith frameworks install span-marker" in told
    assert main(["frameworks", "install", "baseline"]) == 2
    assert "Known: autotrain, spacy-transformers, span-marker." in capsys.readouterr().err
    assert main(["frameworks", "instal"]) == 2
    assert "Did you mean 'install'?" in capsys.readouterr().err
