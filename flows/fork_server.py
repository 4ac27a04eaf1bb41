"""Starts the processes of stages by forking one that has DVC imported: most of what a stage would otherwise cost.

The flow starts one such server (`python -m flows.fork_server FD`) and asks it for a process per stage. Over a socket
of its own, the process first learns its stage and environment; the flow then learns its process id and how it ended.
The server has one thread, so what it forks is whole. It ends with the flow, and its processes end with it.
"""

import contextlib
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from io import FileIO
from pathlib import Path
from typing import IO

from flows.processes import PARENT, adopt_orphans, alive, fork, name_process
from tasks.runtime.imports import importing

_START = 60.0  # seconds in which a server has imported DVC, wherever Python's packages lie
_PAUSE, _LONG = 0.05, 3600.0  # seconds


class StageProcess:
    """A process that runs a stage; what it prints is read from `stdout`. Made by `ForkServer.start`, for any thread."""

    def __init__(self, channel: socket.socket, stdout: IO[bytes]) -> None:
        self.stdout: IO[bytes] | None = stdout
        self._channel, self._from_server = channel, channel.makefile("r", encoding="ascii")
        self._guard = threading.Lock()
        self._orphan = False
        self._code: int | None = None
        self.pid = int(self._read() or 0) if self._ready(_START) else 0
        if not self.pid:
            raise ConnectionError("the fork server did not answer")

    def poll(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        with self._guard:
            if self._code is None and self._ready(0.0):
                said = self._read()
                self._orphan = not said
                if said:
                    self._code = int(said)
                elif not alive(self.pid):  # its server was killed, and so it has ended itself
                    self._code = -signal.SIGKILL
            return self._code

    def wait(self, timeout: float = math.inf) -> int | None:
        """The exit code, or None if it still runs after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None and (left := deadline - time.monotonic()) > 0:
            if self._orphan:
                time.sleep(_PAUSE)
            else:
                self._ready(min(left, _LONG))
        return code

    def terminate(self) -> None:
        """Sends SIGTERM if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def _ready(self, timeout: float) -> bool:
        return bool(select.select([self._channel], [], [], timeout)[0])

    def _read(self) -> str:
        """A line of the server's; "" where it is gone."""
        try:
            return self._from_server.readline()
        except OSError:
            return ""


class ForkServer:
    """The process that forks, seen from the flow. Started again where it was killed."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self._root, self._env = root, dict(env)
        self._control, self._process = self._start()

    def start(self, stage: str, env: Mapping[str, str]) -> StageProcess:
        """A process of its own session that runs `stage` with this environment. Not for two threads at once.

        Raises OSError where none can be had.
        """
        try:
            return self._ask(stage, env)
        except ConnectionError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PAUSE)
            if self._process.returncode is None:  # it lives, and with it what it has started
                raise
            self.close()
            self._control, self._process = self._start()
            return self._ask(stage, env)

    def close(self) -> None:
        """End the server. What it has started then ends by itself."""
        self._control.close()
        try:
            self._process.wait(_START)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.fork_server", str(theirs.fileno())],
                cwd=self._root,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for the flow, which ends the stages in order
            )
        return ours, process

    def _ask(self, stage: str, env: Mapping[str, str]) -> StageProcess:
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        output = FileIO(read)
        try:
            with theirs, FileIO(write, "w"):
                socket.send_fds(self._control, [b"."], [theirs.fileno(), write])
            ours.sendall(json.dumps([stage, dict(env)]).encode() + b"\n")
            return StageProcess(ours, output)
        except OSError:
            ours.close()
            output.close()
            raise


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, socket.socket] = {}  # by process id
        self._ended, self._wakeup = socket.socketpair()  # a byte comes when a process has ended
        for each in (self._ended, self._wakeup):
            each.setblocking(False)

    def serve(self) -> None:
        """Forks what is asked for until the flow is gone."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._control, self._ended], [], [])
            if self._ended in ready:
                self._ended.recv(4096)
                self._tell_ends()
            if self._control in ready:
                message, fds, _, _ = socket.recv_fds(self._control, 1, 2)
                if not message:
                    return
                self._fork(*fds)

    def end(self) -> None:
        """Ask all that was forked to end; where the kernel does not see to it, they would outlive this process."""
        for pid in self._channels:
            os.kill(pid, signal.SIGTERM)

    def _fork(self, channel_fd: int, output: int) -> None:
        channel = socket.socket(fileno=channel_fd)
        try:
            pid = fork(partial(self._run, channel, output, os.getpid()))
        except OSError as exc:  # no process or memory left, for this stage; the others go on
            print(f"no stage could be forked: {exc}", file=sys.stderr)
            channel.close()
            return
        finally:
            os.close(output)
        self._channels[pid] = channel
        self._tell(channel, pid)

    def _run(self, channel: socket.socket, output: int, server: int) -> int:
        from flows import run_stage

        name_process("palms-stage")
        os.setsid()  # DVC, forked from it in its turn, is killed as one group with it
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        with channel, channel.makefile("r", encoding="utf-8") as request:
            stage, env = json.loads(request.readline())
        for each in (self._control, self._ended, self._wakeup, *self._channels.values()):
            each.close()
        os.environ.clear()
        os.environ.update({**env, PARENT: str(server)})
        return run_stage.main(stage)

    def _tell_ends(self) -> None:
        with contextlib.suppress(ChildProcessError):  # of which none is left
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if channel := self._channels.pop(ended[0], None):
                    with channel:
                        self._tell(channel, os.waitstatus_to_exitcode(ended[1]))

    @staticmethod
    def _tell(channel: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):  # a flow that is gone
            channel.sendall(f"{number}\n".encode())


def main() -> None:
    """Serve on the socket whose file descriptor is given."""
    control = socket.socket(fileno=int(sys.argv[1]))
    name_process("palms-fork")
    adopt_orphans()
    with importing():
        from flows import run_stage

        run_stage.import_dvc()
    server = _Server(control)
    server.serve()
    server.end()


if __name__ == "__main__":
    main()
