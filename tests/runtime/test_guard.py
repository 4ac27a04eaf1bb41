"""A stage whose parameters, modules or inputs change while it runs keeps nothing and says so."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW_STAGE = '''
import time
from pathlib import Path
from tasks import helper, page
from tasks.runtime.command import Command, Job

COMMAND = Command(help="slow", inputs={"data": "folder"}, outputs={"out": "file"}, params=("adherence",))

def main(job: Job) -> None:
    Path("started").touch()
    while not Path("go").exists():
        time.sleep(0.02)
    job.path("out").write_text(helper.TEXT)
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree whose `curate` waits for a file named `go`."""
    shutil.copytree(ROOT / "tasks", tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__", "stats"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "tasks" / "curate.py").write_text(SLOW_STAGE)
    (tmp_path / "tasks" / "helper.py").write_text("TEXT = 'done'\n")
    (tmp_path / "tasks" / "page" / "templates").mkdir(parents=True)
    (tmp_path / "tasks" / "page" / "__init__.py").touch()
    (tmp_path / "tasks" / "page" / "templates" / "style.css").write_text("h1 {}")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    return tmp_path


def stage(tree: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tasks", "curate", "--data", "in", "--out", "out.txt"]
    started = subprocess.Popen(command, cwd=tree, stderr=subprocess.PIPE, text=True, env={**os.environ})
    deadline = time.monotonic() + 20
    while not (tree / "started").exists():
        assert time.monotonic() < deadline
        assert started.poll() is None, started.stderr.read() if started.stderr else ""
        time.sleep(0.02)
    return started


def finish(tree: Path, started: subprocess.Popen[str]) -> tuple[int, str]:
    (tree / "go").touch()
    _, errors = started.communicate(timeout=20)
    return started.returncode, errors


def test_without_an_edit_the_output_stays(tree: Path) -> None:
    code, errors = finish(tree, stage(tree))
    assert (code, errors) == (0, "")
    assert (tree / "out.txt").read_text() == "done"


def test_an_edit_of_what_it_does_not_read_is_fine(tree: Path) -> None:
    started = stage(tree)
    params = tree / "params.yaml"
    params.write_text(params.read_text().replace("temperature: 0.8", "temperature: 0.9"))
    (tree / "tasks" / "report.py").write_text("# another stage's module\n")
    assert finish(tree, started)[0] == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("params.yaml", "\n  batch_size: 24 ", "\n  batch_size: 2 ", "params.yaml: adherence"),
        ("tasks/helper.py", "done", "undone", "tasks/helper.py"),
        ("tasks/page/templates/style.css", "h1", "h2", "tasks/page/templates/style.css"),
        ("in/a.txt", "a", "b", "in/a.txt"),
    ],
)
def test_an_edit_of_what_it_reads_fails_it(tree: Path, file: str, old: str, new: str, named: str) -> None:
    started = stage(tree)
    path = tree / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    code, errors = finish(tree, started)
    assert code == 1
    assert f"error: {named} changed while the stage was running" in errors
    assert not (tree / "out.txt").exists()


def test_a_new_input_file_fails_it_too(tree: Path) -> None:
    started = stage(tree)
    (tree / "in" / "b.txt").write_text("b")
    code, errors = finish(tree, started)
    assert code == 1
    assert "in/b.txt changed while the stage was running" in errors


def test_a_wrong_key_anywhere_in_params_is_refused_before_the_work(tree: Path) -> None:
    params = tree / "params.yaml"
    params.write_text(params.read_text().replace("top_p:", "topp:"))
    command = [sys.executable, "-m", "tasks", "curate", "--data", "in", "--out", "out.txt"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: params.yaml: generate: unknown key 'topp'; did you mean 'top_p'?\n"
        "params.yaml: probe: unknown key 'topp'; did you mean 'top_p'?\n"
    )
