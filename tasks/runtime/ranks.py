"""The ranks of a stage that works as several processes: started on this machine, heard, and ended together.

Rank 0 speaks; what the others print is kept, and shown only if the failure is theirs. The first that fails ends all.
Over several nodes the cluster's launcher starts the ranks, and `adopt` gives them the same variables.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from tasks.runtime import launch
from tasks.runtime.errors import InputError
from tasks.runtime.parent import die_with_parent

Process = subprocess.Popen[bytes]
SETTLE = 1.0  # seconds after a failure in which another rank's that is alike, or was first, may come to light
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
SRUN = "srun --nodes={nodes} --ntasks={ntasks} --ntasks-per-node={processes} --kill-on-bad-exit=1"
# DeepSpeed would warn of its own calls in every step, torch of parameters that are all used
QUIET = {"PYTHONWARNINGS": "ignore::FutureWarning", "TORCH_CPP_LOG_LEVEL": "ERROR"}


def run(argv: Sequence[str], processes: int, nodes: int = 1) -> int:
    """Runs `python -m tasks` with `argv` as so many ranks; returns 0, or the exit code of the first that failed."""
    signal.signal(signal.SIGINT, _interrupted)
    command = [sys.executable, "-m", "tasks", *argv]
    with tempfile.TemporaryDirectory(prefix="palms-ranks-") as scratch:
        if nodes > 1:
            return _run_over_nodes(command, processes, nodes)
        logs = [Path(scratch) / f"{number}.log" for number in range(processes)]
        ranks: list[Process] = []
        try:
            for number, log in enumerate(logs):
                env = _environment(number, processes, processes, f"file://{scratch}/meeting")
                ranks.append(start(command, env, log if number else None))
            cause = _first_failure(ranks)
        finally:
            _end(ranks)
        return 0 if cause is None else _told(cause, ranks[cause].returncode, logs[cause])


def start(command: Sequence[str], env: Mapping[str, str], log: Path | None) -> Process:
    """Starts one rank, which ends with this process; its output goes to `log`, or where this process's own goes."""
    here = os.getpid()

    def before() -> None:
        die_with_parent(here)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for this process, which ends the ranks

    with contextlib.ExitStack() as files:
        out = files.enter_context(log.open("wb")) if log else None
        return subprocess.Popen(
            command, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=before
        )


def watch_parent() -> None:
    """Ends this rank soon after whoever started it, also where it waits for another and hears no signal."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def adopt() -> None:
    """Takes the variables of a rank from those of Slurm, in a process that `run` started over several nodes."""
    if os.environ.get(launch.MEETING) == "env://" and "SLURM_PROCID" in os.environ:
        names = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}
        os.environ.update({ours: os.environ[theirs] for ours, theirs in names.items()})
        os.environ["OMP_NUM_THREADS"] = str(launch.threads(int(os.environ["LOCAL_WORLD_SIZE"])))


def _environment(number: int, count: int, local: int, meeting: str) -> dict[str, str]:
    shared = {
        launch.MEETING: meeting,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(local),
        "OMP_NUM_THREADS": str(launch.threads(local)),
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform.startswith("linux") else "lo0",  # nothing listens beyond loopback
    }
    return {**QUIET, **shared, "RANK": str(number), "LOCAL_RANK": str(number)}


def _run_over_nodes(command: Sequence[str], processes: int, nodes: int) -> int:
    """The ranks by the launcher of the allocation that this process is in; all of them speak."""
    if "SLURM_JOB_NODELIST" not in os.environ or shutil.which("srun") is None:
        raise InputError(
            f"params.yaml: resources.finetune asks for {nodes} nodes, and this is no allocation of Slurm; "
            f"run it inside one, such as `salloc --nodes={nodes} --ntasks-per-node={processes} …`"
        )
    env = over_nodes(processes)
    launcher = shlex.split(SRUN.format(nodes=nodes, processes=processes, ntasks=nodes * processes))
    started = start([*launcher, *command], env, None)
    try:
        return started.wait()
    finally:
        _end([started])


def over_nodes(processes: int) -> dict[str, str]:
    """What the ranks of an allocation need to meet, so many on each node; `adopt` adds each one's number. Raises
    InputError where Slurm does not name the nodes."""
    listed = subprocess.run(["scontrol", "show", "hostnames"], capture_output=True, text=True, check=False)
    if not (hosts := listed.stdout.split()):
        raise InputError(f"`scontrol show hostnames` names no node: {listed.stderr.strip()}")
    return {
        **QUIET,
        launch.MEETING: "env://",
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": hosts[0],
        "MASTER_PORT": str(20_000 + int(os.environ.get("SLURM_JOB_ID", "0")) % 40_000),
    }


def _first_failure(ranks: Sequence[Process]) -> int | None:
    """Waits; the number of the rank whose failure is told, or None when all have ended well."""
    while True:
        codes = [rank.poll() for rank in ranks]
        if any(codes):
            first = next(number for number, code in enumerate(codes) if code)
            time.sleep(SETTLE)
            # what is wrong for all is told once, by rank 0, which speaks for itself
            return 0 if (codes[first] or 0) > 0 and ranks[0].poll() == codes[first] else first
        if all(code == 0 for code in codes):
            return None
        time.sleep(0.05)


def _told(number: int, code: int, log: Path) -> int:
    """Says why a rank failed, unless it has said so itself; returns the stage's exit code."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; was there memory enough?" if code == -signal.SIGKILL else ""
        print(f"error: rank {number} was ended by {name}{hint}", file=sys.stderr, flush=True)
        return 128 - code if -code in (signal.SIGTERM, signal.SIGINT) else 1
    if number > 0:
        text = log.read_text("utf-8", "replace")
        _, traceback, rest = text.rpartition("Traceback (most recent call last)")
        lines = [line for line in text.splitlines() if line.startswith("error: ")]
        if traceback:
            print(traceback + rest.rpartition("\nerror: ")[0], file=sys.stderr)
        why = lines[-1] if lines else f"error: it ended with exit code {code}"
        print(f"{why} (rank {number})", file=sys.stderr, flush=True)
    return code


def _end(ranks: Sequence[Process]) -> None:
    """Ends the ranks that still run: by SIGTERM, and by SIGKILL those that do not hear it."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        for rank in ranks:
            rank.send_signal(signum)  # does nothing to one that has ended
        until = time.monotonic() + GRACE
        for rank in ranks:
            with contextlib.suppress(subprocess.TimeoutExpired):
                rank.wait(max(0.0, until - time.monotonic()))


def _interrupted(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)
