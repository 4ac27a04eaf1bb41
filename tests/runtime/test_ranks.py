"""The supervisor of ranks: the first failure ends all, in one line, with its exit code, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.runtime import launch, ranks
from tasks.runtime.errors import InputError

ROOT = Path(__file__).parents[2]
# The stage is a script that reads its rank, as `python -m tasks` would be; what a rank does stands in argv.
SUPERVISOR = """
import os, signal, sys, time
from pathlib import Path
from tasks.__main__ import _terminated
from tasks.runtime import ranks
sys.executable, ranks.SETTLE = sys.argv[1], 0.5
signal.signal(signal.SIGTERM, _terminated)
sys.exit(ranks.run(sys.argv[3:], int(sys.argv[2])))
"""
RANK = """#!{python}
import os, signal, sys, time
from pathlib import Path
rank = int(os.environ["RANK"])
def up(name):
    Path(f"{{name}}{{rank}}").write_text(str(os.getpid()))
up("pid")
def wait():
    time.sleep(60)
def fail(code, line):
    print(line, file=sys.stderr, flush=True)
    os._exit(code)
{work}
"""


class Stage:
    """A supervisor with two ranks that do `work`."""

    def __init__(self, folder: Path, work: str, count: int = 2) -> None:
        script = folder / "rank"
        script.write_text(RANK.format(python=sys.executable, work=work))
        script.chmod(0o755)
        self.folder, self.count = folder, count
        command = [sys.executable, "-c", SUPERVISOR, str(script), str(count), "finetune"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True)

    def pids(self, name: str = "pid") -> list[int]:
        """The ranks' process ids, once all have written them."""
        files = [self.folder / f"{name}{number}" for number in range(self.count)]
        deadline = time.monotonic() + 30
        while not all(file.exists() and file.read_text() for file in files):
            assert time.monotonic() < deadline, "the ranks did not start"
            time.sleep(0.02)
        return [int(file.read_text()) for file in files]

    def end(self) -> tuple[int, str, str]:
        """Exit code, output and errors; no rank is left."""
        out, err = self.process.communicate(timeout=30)
        gone(self.pids())
        return self.process.returncode, out, err


def gone(pids: list[int], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < deadline, "a rank is still there"
        time.sleep(0.05)


def test_rank_0_speaks_and_all_have_what_they_need(tmp_path: Path) -> None:
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMP_NUM_THREADS")
    stage = Stage(tmp_path, f"print(rank, sys.argv[1:], [os.environ[name] for name in {names}])")
    assert stage.end() == (0, "0 ['-m', 'tasks', 'finetune'] ['0', '0', '2', '2', '1']\n", "")


@pytest.mark.parametrize(
    ("work", "code", "line"),
    [
        ("fail(2, 'error: lower it') if rank == 0 else wait()", 2, "error: lower it"),
        ("print('noise'); fail(2, 'error: lower it') if rank == 1 else wait()", 2, "error: lower it (rank 1)"),
        ("fail(1, 'error: both')", 1, "error: both"),
        ("time.sleep(rank / 4); fail(1, 'error: both')", 1, "error: both"),
        ("time.sleep((1 - rank) / 4); fail(1, 'error: both')", 1, "error: both"),
        ("fail(3, 'no line') if rank == 1 else wait()", 3, "error: it ended with exit code 3 (rank 1)"),
        ("os.kill(os.getpid(), 9) if rank == 1 else wait()", 1, "error: rank 1 was ended by SIGKILL; was there memory"),
        ("os.kill(os.getpid(), 9) if rank == 0 else wait()", 1, "error: rank 0 was ended by SIGKILL; was there memory"),
        ("os.kill(os.getpid(), 11) if rank == 1 else wait()", 1, "error: rank 1 was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 15) if rank == 1 else wait()", 143, "error: rank 1 was ended by SIGTERM"),
    ],
)
def test_the_first_failure_ends_all_in_one_line(tmp_path: Path, work: str, code: int, line: str) -> None:
    began = time.monotonic()
    result, _, errors = Stage(tmp_path, work).end()
    assert result == code
    assert len(errors.splitlines()) == 1
    assert errors.startswith(line)
    assert time.monotonic() - began < 10


def test_an_unexpected_error_keeps_its_traceback_and_is_told_once(tmp_path: Path) -> None:
    work = """
if rank == 0: wait()
import traceback
try: 1 / 0
except ZeroDivisionError as error:
    traceback.print_exc(); fail(1, f"error: ZeroDivisionError: {error}")
"""
    code, _, errors = Stage(tmp_path, work).end()
    assert code == 1
    assert errors.count("Traceback") == errors.count("error: ") == 1
    assert errors.endswith("error: ZeroDivisionError: division by zero (rank 1)\n")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_the_supervisor_ends_all(tmp_path: Path, signum: int, code: int) -> None:
    stage = Stage(tmp_path, "wait()")
    stage.pids()
    stage.process.send_signal(signum)
    assert stage.end() == (code, "", "")


def test_a_rank_that_hears_no_sigterm_is_killed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN); up('deaf'); wait()")
    stage.pids("deaf")
    began = time.monotonic()
    stage.process.terminate()
    assert stage.end()[0] == 143
    assert time.monotonic() - began < 10


def test_the_ranks_die_with_the_supervisor(tmp_path: Path) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN) if rank else None"
    watch = f"sys.path.insert(0, {str(ROOT)!r}); from tasks.runtime import ranks; ranks.GRACE = 0.5"
    stage = Stage(tmp_path, f"{watch}; ranks.watch_parent(); {deaf}; up('deaf'); wait()")
    stage.pids("deaf")
    stage.process.kill()
    gone(stage.pids())
    stage.process.communicate()


@pytest.mark.parametrize(("wanted", "cores", "each"), [("", 16, 4), ("2", 16, 2), ("16", 16, 4), ("", 2, 1)])
def test_ranks_share_the_cores(monkeypatch: pytest.MonkeyPatch, wanted: str, cores: int, each: int) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    monkeypatch.setattr(launch, "cores", lambda: cores)
    assert launch.threads(4) == each


FAKE_SRUN = """#!{python}
# as srun does: so many tasks with their numbers, and the first bad exit ends all
import os, subprocess, sys
count = int(next(word for word in sys.argv if word.startswith("--ntasks=")).split("=")[1])
command = sys.argv[next(at for at, word in enumerate(sys.argv) if at and not word.startswith("--")):]
env = lambda n: {{**os.environ, "SLURM_PROCID": str(n), "SLURM_NTASKS": str(count), "SLURM_LOCALID": str(n % 2)}}
tasks = [subprocess.Popen(command, env=env(number)) for number in range(count)]
sys.exit(max(task.wait() for task in tasks))
"""


def test_over_nodes_slurm_starts_the_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in for srun: the variables are those of one machine, and the exit code comes back."""
    with pytest.raises(InputError, match="asks for 2 nodes, and this is no allocation of Slurm"):
        ranks.run(["finetune"], 2, nodes=2)
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", launch.MEETING)
    work = f"""
sys.path.insert(0, {str(ROOT)!r})
from tasks.runtime import ranks
ranks.adopt()
Path("rank" + os.environ["RANK"]).write_text(" ".join(os.environ[name] for name in {names}))
sys.exit(7)
""".replace("rank = int", "#")
    files = {
        "srun": FAKE_SRUN.format(python=sys.executable),
        "scontrol": "#!/bin/sh\necho n1; echo n2\n",
        "rank": f"#!{sys.executable}\nimport os, sys\nfrom pathlib import Path\n{work}",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "rank"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n[1-2]")
    monkeypatch.setenv("SLURM_JOB_ID", "41")
    before = signal.getsignal(signal.SIGINT)
    try:
        assert ranks.run(["finetune"], 2, nodes=2) == 7
    finally:
        signal.signal(signal.SIGINT, before)
    read = [(tmp_path / f"rank{number}").read_text() for number in range(4)]
    assert read == [f"{number} {number % 2} 4 2 n1 20041 env://" for number in range(4)]
