"""The stage processes of one sweep: started, listened to, and ended to the last one."""

import contextlib
import os
import re
import signal
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from flows import server
from flows.fork_server import ForkServer, StageProcess
from flows.lines import Redactor
from flows.meta import Meta
from flows.outcome import Result
from flows.processes import GRACE, STAGE_MARK, TREE_MARK, kill, marked
from flows.run_stage import Verdict, lines
from flows.stopping import Stop
from tasks.runtime.errors import one_line

_LAST_LINES = 20
_CHILD_TIME = GRACE + 2.0  # seconds that a stage's process needs at most to end its own


class Execution:
    """Runs stages in `root`, from several threads, until it is stopped."""

    def __init__(self, root: Path, stop: Stop, redact: Redactor) -> None:
        self._root = root
        self._stop = stop
        self._redact = redact
        self._live: dict[str, StageProcess] = {}  # by run id
        self._server = ForkServer(root, self._environment({}))  # it imports DVC while Prefect gets ready
        self._guard = threading.Lock()  # no process starts once the stop has looked at those that live

    def run(self, stage: str, env: Mapping[str, str], log: Callable[[str], None]) -> Result:
        """Run `stage` to its end with `env` added to its environment; `log` gets each line it prints."""
        began = time.monotonic()
        run_id = uuid.uuid4().hex
        with self._guard:
            if self._stop.reason:
                return Result("stopped")
            try:
                child = self._server.start(stage, {**self._environment(env), STAGE_MARK: run_id})
            except OSError as exc:
                return Result("failed", code=1, error=f"no process could be started for it: {one_line(exc)}")
            self._live[run_id] = child
        try:
            verdict, error, last_lines = self._listen(stage, child, log)
            code = child.wait()
        finally:
            with self._guard:
                del self._live[run_id]
        assert code is not None
        if code < 0:  # killed, so that it could not end what it had started
            _kill_stage(run_id, child.pid)
        seconds = time.monotonic() - began
        if code == 0:
            return Result("cached" if verdict.outcome == "cached" else "done", seconds)
        if self._stop.reason:
            return Result("stopped", seconds)
        error = error or _reason(verdict, code, last_lines)
        return Result("failed", seconds, 2 if code == 2 else 1, error, last_lines)

    def end_all(self) -> None:
        """End every process of every stage: within about six seconds nothing is left."""
        with self._guard:
            live = dict(self._live)
        for child in live.values():
            child.terminate()
        deadline = time.monotonic() + _CHILD_TIME
        for run_id, child in live.items():
            if child.wait(max(0.0, deadline - time.monotonic())) is None or marked(STAGE_MARK, run_id):
                _kill_stage(run_id, child.pid)

    def close(self) -> None:
        """End what starts the stages."""
        self._server.close()

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {**stage_env(server.users_environment(), extra), TREE_MARK: str(self._root)}

    def _listen(
        self, stage: str, child: StageProcess, log: Callable[[str], None]
    ) -> tuple[Verdict, str, tuple[str, ...]]:
        """What DVC's lines say, the stage's last `error:` line ("" if none), and its last lines."""
        verdict, error = Verdict(stage), ""
        last: deque[str] = deque(maxlen=_LAST_LINES)
        for raw in lines(child):
            verdict.hear(raw)
            line = self._redact(raw)
            error = line if line.startswith("error: ") else error
            last.append(line)
            log(line)
        return verdict, error, tuple(last)


def load_keys(metas: Iterable[Meta], environ: Mapping[str, str]) -> dict[str, str]:
    """Variable → value of every Secret block that a stage's meta names and Prefect's server has.

    A variable that is set already wins. A block that is not there is no error here: only the stage knows
    whether it needs the key, and says so in its own words.
    """
    keys: dict[str, str] = {}
    for variable, block in [pair for meta in metas for pair in meta.secrets]:
        if not environ.get(variable):
            from prefect.blocks.system import Secret

            with contextlib.suppress(ValueError):  # Prefect's word for a block that does not exist
                keys[variable] = str(Secret.load(block).get())  # type: ignore[union-attr]
    return {variable: value for variable, value in keys.items() if value}


def stage_env(environ: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a stage: what the user set wins over `extra` and our defaults, but for the GPU."""
    env = {"TQDM_DISABLE": "1", "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", **extra}
    env |= {name: value for name, value in environ.items() if value or name not in extra}
    if "CUDA_VISIBLE_DEVICES" in extra:
        env["CUDA_VISIBLE_DEVICES"] = extra["CUDA_VISIBLE_DEVICES"]
    folder = str(Path(sys.executable).parent)  # a `python` in a cmd is this one, activated or not
    env["PATH"] = os.pathsep.join([folder, environ.get("PATH", os.defpath)])
    env["PYTHONIOENCODING"] = "utf-8:backslashreplace"  # of the pipes between them, whatever the terminal's is
    return env


def _reason(verdict: Verdict, code: int, last_lines: tuple[str, ...]) -> str:
    """In a line, why a stage without an `error:` line of its own failed."""
    ended = verdict.command_code or 0
    killed = -code if code < 0 else max(-ended, ended - 128)  # a stage that heard SIGTERM exits with 128 more
    if killed > 0:
        name = signal.Signals(killed).name if killed in set(signal.Signals) else f"signal {killed}"
        hint = "; was there memory enough?" if killed == signal.SIGKILL else ""
        return f"killed by {name}{hint}"
    if verdict.command_code is not None:
        return f"its command exited with {verdict.command_code}"
    errors = [line for line in last_lines if line.startswith("ERROR: ")]
    return re.sub(r"^ERROR: (failed to reproduce '[^']*': )?", "", errors[-1]) if errors else f"exit code {code}"


def _kill_stage(run_id: str, group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    kill(lambda: marked(STAGE_MARK, run_id))
