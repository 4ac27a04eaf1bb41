"""Stages that start in no time: a process that has imported torch and the rest once, and forks for each stage.

On a tiny model a stage is nine tenths import, and a ladder has fifty stages. Here a stage's own command, as DVC
starts it, hands its arguments, environment, folder and files 0 to 2 to that process; a fork of it then imports
`tasks` from the stage's folder and runs it as ever. Only what others wrote is in memory before.

`python warm_stages.py SOCKET` serves; stages find it by `environment(SOCKET)`. `dvc repro` in the end-to-end test
goes without, and must end in the same hashes.
"""

import importlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

from tasks.runtime.parent import die_with_parent

MARK = "PALMS_TEST_WARM"
REPO = Path(__file__).parents[2]


def environment(address: Path) -> dict[str, str]:
    """What makes `python -m tasks` go to the process at `address`."""
    return {MARK: str(address), "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "warm"), str(REPO)])}


def serve(address: str) -> None:
    """Forks for each connection, until whoever started it ends."""
    die_with_parent(os.getppid(), signal.SIGKILL)
    import_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits: a fork tells its exit code itself
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                run(connection)
            connection.close()


def import_all() -> None:
    """Imports every stage and what it needs, and forgets the project's own modules again."""
    from tasks import __main__ as entry
    from tasks.runtime.imports import importing

    os.environ |= entry.ENVIRONMENT
    with importing():
        for stage in entry.STAGES:
            importlib.import_module(f"tasks.{stage}")
        families = ("gpt2", "llama", "gemma3")
        models = [f"transformers.models.{family}.modeling_{family}" for family in families]
        for name in (*models, "matplotlib.backends.backend_svg"):
            importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] == "tasks"]:
        del sys.modules[name]


def run(connection: socket.socket) -> None:
    """Becomes the stage that is asked for, tells its exit code, and ends."""
    code = 1
    try:
        request, files, _, _ = socket.recv_fds(connection, 1_000_000, 3)
        job = json.loads(request)
        for here, file in enumerate(files):
            os.dup2(file, here)
        # the streams of a file cannot be those of a pipe
        sys.stdout, sys.stderr = (open(file, "w", buffering=1, closefd=False) for file in (1, 2))  # noqa: SIM115
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["env"])
        sys.path.insert(0, job["cwd"])
        sys.argv = ["tasks", *job["argv"]]
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        importlib.invalidate_caches()
        from tasks.__main__ import main

        code = main(job["argv"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(bytes([code]))
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
