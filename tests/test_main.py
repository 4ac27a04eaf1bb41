"""`python -m tasks`: what it says to wrong calls, and how it dies with its parent."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks import __main__ as command
from tasks import curate
from tasks.runtime import durations, launch
from tasks.settings.resources import finetune_resources

ROOT = Path(__file__).parents[1]
CHECKPOINT = ("--model", "a", "--arm", "x")
ADHERENCE = ["--checkpoint", "m", "--prompts", "data/prompts", "--scores", "s", "--pairs", "c"]
CHILD = """
import time
from tasks.runtime.parent import die_with_parent
die_with_parent()
print("up", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "error: expected a stage (adherence, capability, "),
        (["finetun"], "found 'finetun'"),
        (["adherence", "--model", "a.b", "--arm", "x", *ADHERENCE], "--model a.b"),
        (["adherence", *CHECKPOINT, *ADHERENCE], "m: no model"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert command.main(argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]


CURATE = ["curate", "--arm", "values", "--dataset", "data/values", "--prompts", "data/prompts"]


@pytest.mark.parametrize("cache", ["cache", "file"])
def test_a_stage_s_duration_is_kept_and_never_in_its_way(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path / cache))
    made = ["--samples", str(tmp_path / "made" / "samples"), "--statistics", str(tmp_path / "made" / "statistics")]
    assert command.main([*CURATE, *made]) == 0
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["samples", "statistics"]
    by_stage = durations.recorded()
    assert list(by_stage) == (["curate@values"] if cache == "cache" else [])
    assert all(duration.seconds > 0 for duration in by_stage.values())
    assert command.main([*CURATE, *made, "--dataset", "data/nowhere"]) == 2
    assert durations.recorded() == by_stage


def test_what_the_machine_refuses_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(job: object) -> None:
        raise PermissionError(errno.EACCES, f"{job}", "/x/y")

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(curate, "main", main)
    assert command.main([*CURATE, "--samples", str(tmp_path / "a"), "--statistics", str(tmp_path / "b")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: /x/y: permission denied; ")


def test_a_stage_keeps_the_docstrings_that_transformers_reads(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; print(sys.flags.optimize, flush=True)")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    for flags, optimized in (("", "0\n"), ("1", "1\n"), ("2", "2\n0\n")):
        env = {**os.environ, "PYTHONPATH": path, "PYTHONOPTIMIZE": flags}
        run = subprocess.run([sys.executable, "-m", "tasks"], cwd=ROOT, env=env, capture_output=True, text=True)
        assert (run.returncode, run.stdout) == (2, optimized)


def test_a_stage_dies_with_its_parent() -> None:
    """Killed outright, a parent cannot tell its children; the kernel does."""
    command_line = [sys.executable, "-c", PARENT, CHILD]
    started = subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ})
    assert started.stdout
    pid = int(started.stdout.readline())
    assert started.stdout.readline().strip() == "up"
    os.kill(started.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child is still there"
        time.sleep(0.05)
    started.wait()
    started.stdout.close()


STAGE = """
import sys, tempfile, time
from pathlib import Path
from tasks import __main__ as command, curate

def main(job):
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        print("up", flush=True)
        time.sleep(60)

curate.main = main
sys.exit(command.main(sys.argv[2:]))
"""


def test_a_stage_that_is_told_to_stop_removes_its_temporary_files(tmp_path: Path) -> None:
    made = ["--samples", str(tmp_path / "samples"), "--statistics", str(tmp_path / "statistics")]
    command_line = [sys.executable, "-c", STAGE, str(tmp_path), *CURATE, *made]
    started = subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert started.stdout
    assert started.stdout.readline().strip() == "up"
    assert len(list(tmp_path.iterdir())) == 1
    started.terminate()
    assert started.wait(10) == 128 + signal.SIGTERM
    started.stdout.close()
    assert not list(tmp_path.iterdir())


def test_resources_fall_back_to_the_default() -> None:
    params = {"resources": {"finetune": {"default": {"micro_batch_size": 4}, "big": {"micro_batch_size": 1}}}}
    assert finetune_resources(params, "big").micro_batch_size == 1
    assert finetune_resources(params, "small").micro_batch_size == 4


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert launch.threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "no")
    assert launch.threads() >= 1
