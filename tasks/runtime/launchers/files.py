"""The files of a run: they lie on a file system that the machine that waits and the job's nodes share.

All are made before the launch and then written in place: over NFS a machine that has once looked for a file goes on
taking it for absent for up to a minute, but sees new content whenever it opens one.
"""

import contextlib
import json
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tasks.runtime.launchers import Launcher

FOLDER = Path(".dvc/tmp/jobs")
BEAT = 2.0  # seconds between two renewals of a lease, and between two looks at it
HARD = 5.0  # seconds between SIGTERM and SIGKILL of a stage whose lease is over
STOP = "stop"
_WIDTH = 12  # characters of a lease, always as many, so that a full disk has room for them


@dataclass(frozen=True)
class Holder:
    """Who holds a run: the job's `name`, the launcher's settings, a process of `host` that `began` at a time."""

    name: str
    launcher: dict[str, Any]
    pid: int
    began: float
    host: str

    @classmethod
    def here(cls, name: str, launcher: Launcher) -> "Holder":
        """This process."""
        return cls(name, asdict(launcher), psutil.Process().pid, psutil.Process().create_time(), socket.gethostname())

    @classmethod
    def read(cls, folder: Path) -> "Holder | None":
        """The holder of a run; None where a kill cut the note off."""
        try:
            return cls(**json.loads((folder / "run.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def announce(self, folder: Path, tasks: int) -> None:
        """Leaves word of the run before there is one, so that it is found whatever becomes of its holder."""
        folder.mkdir(parents=True)
        for path in (folder / "lease", *(Task(folder, number).path for number in range(tasks))):
            path.touch()
        Lease(folder).renew(0)
        (folder / "run.json").write_text(json.dumps(asdict(self)), "utf-8")

    def alive(self, folder: Path) -> bool:
        """Whether the holder still waits: by its process here, by its lease where it is on another machine."""
        if self.host == socket.gethostname():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(self.pid)
                ended = process.status() == psutil.STATUS_ZOMBIE  # killed; nobody may ever ask how it ended
                return abs(process.create_time() - self.began) < 0.5 and not ended
            return False
        before = Lease(folder).read()
        time.sleep(2.5 * BEAT)
        return Lease(folder).read() != before


class Lease:
    """A counter that the holder renews and the job reads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lease"
        self._guard = threading.Lock()
        self._stopped = False

    def renew(self, count: int) -> None:
        """Writes; does nothing where that fails, or after `stop`."""
        with self._guard:
            if not self._stopped:
                self._write(str(count))

    def stop(self) -> None:
        """Tells the job to end."""
        with self._guard:
            self._stopped = True
            self._write(STOP)

    def read(self) -> str | None:
        """What is written there, `stop` where the file is gone, None where it cannot be read now."""
        try:
            return self._path.read_text("ascii").strip()
        except FileNotFoundError:
            return STOP
        except (OSError, ValueError):
            return None

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError), self._path.open("r+b", buffering=0) as file:
            file.write(text.ljust(_WIDTH).encode())


class Task:
    """The file in which a task says where it runs and how it ended."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"task.{number}"

    def read(self) -> dict[str, Any]:
        """`{}` before it has begun; else its `host` and `job` number, and at its end the `code` and the `paths` that it
        saw then."""
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(self.path.read_bytes() or b"{}")
            return content if isinstance(content, dict) else {}
        return {}

    def runs(self) -> bool:
        """Whether it has begun and has not said that it ended."""
        content = self.read()
        return bool(content) and "code" not in content

    def write(self, **content: Any) -> None:
        """Raises OSError where the run is gone."""
        with self.path.open("r+b") as file:
            file.write(json.dumps(content).encode())
            file.truncate()
