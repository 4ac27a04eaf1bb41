"""A real Slurm of two nodes on this machine, all of it in one folder: own munge key, own ports, nothing under /etc."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from tasks.runtime.parent import die_with_parent

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "squeue", "scancel", "scontrol")
MISSING = "needs Slurm: apt-get install -y --no-install-recommends slurm-wlm munge (missing: {})"
SBIN = "/usr/sbin"  # where Debian has the daemons, and a user's PATH has not
# Two nodes of one host need `config_overrides`, or one that claims more than the machine has is invalid; a limit of
# memory without cgroups needs OverMemoryKill.
CONF = """
ClusterName=palms
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SlurmdParameters=config_overrides
SwitchType=switch/none
ReturnToService=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=10
SlurmctldTimeout=20
KillWait=5
MinJobAge=300
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=8000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=low Nodes=n1,n2 Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=high Nodes=n1,n2 PriorityTier=10 MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What to install, where Slurm is not here; "" where it is."""
    lacking = [program for program in PROGRAMS if not shutil.which(program, path=_path())]
    return MISSING.format(", ".join(lacking)) if lacking else ""


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), SBIN])


class Cluster:
    """Nodes n1 and n2 of four CPUs and 8 GB each, partitions low and high."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="palms-slurm-", dir="/tmp"))  # a socket's path must be short
        self.env = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _path()}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        with _ports(3) as ports:
            host = socket.gethostname().split(".")[0]
            text = CONF.format(folder=self.folder, host=host, user=getpass.getuser(), ports=ports)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.folder.chmod(0o755)
        names = {"socket": "sock", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        munge = [f"--{option}={self.folder}/munge.{end}" for option, end in names.items()]
        self._start("munged", "--foreground", "--force", f"--key-file={key}", *munge)
        _until((self.folder / "munge.sock").exists)
        self.start_controller("-c")
        for node in ("n1", "n2"):
            self.start_node(node)
        _until(lambda: self.ask("sinfo", "-h", "-o", "%t %D") == "idle 2")

    def start_controller(self, *options: str) -> None:
        self._start("slurmctld", "-D", *options)

    def start_node(self, node: str) -> None:
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        self._start("slurmd", "-D", "-N", node)

    def end(self, name: str, signum: int = signal.SIGTERM) -> None:
        """Ends `slurmctld`, which keeps what it knows unless it is killed, or a node's `slurmd n1`."""
        daemon = self._daemons.pop(name)
        daemon.send_signal(signum)
        daemon.wait(20)

    def stop(self) -> None:
        self.run("scancel", "--user", getpass.getuser())
        for name in reversed(list(self._daemons)):
            daemon = self._daemons[name]
            daemon.send_signal(signal.SIGTERM)
        for daemon in self._daemons.values():
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in psutil.process_iter():  # slurmstepd outlives the daemon that started it
            with contextlib.suppress(psutil.Error, OSError):
                # its title has overwritten the block's beginning, at which psutil would stop to read
                if process.name() == "slurmstepd" and self._owns(Path(f"/proc/{process.pid}/environ").read_bytes()):
                    process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _owns(self, environ: bytes) -> bool:
        return f"SLURM_CONF={self.env['SLURM_CONF']}".encode() in environ

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, **self.env}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)

    def ask(self, *command: str) -> str:
        """What a command printed, in one line."""
        return " ".join(self.run(*command).stdout.split())

    def jobs(self) -> list[str]:
        """`name state node` of each job that is not over."""
        return self.run("squeue", "-h", "-o", "%j %T %N").stdout.splitlines()

    def job(self, stage: str, state: str = "RUNNING") -> str:
        """Waits for a job of the stage in this state; its number."""

        def number() -> str:
            lines = self.run("squeue", "-h", "-o", "%i %j %T").stdout.splitlines()
            here = [line.split() for line in lines]
            return next((number for number, name, now in here if name.startswith(f"{stage}.") and now == state), "")

        return _until(number, 40)

    def _start(self, program: str, *arguments: str) -> None:
        log = (self.folder / f"{program}.out").open("ab")
        name = " ".join([program, *(each for each in arguments if each in ("n1", "n2"))])
        command = [str(shutil.which(program, path=_path())), *arguments]
        env, here = {**os.environ, **self.env}, os.getpid()
        with log:
            self._daemons[name] = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(here),
            )


class _ports:  # noqa: N801
    """Free ports, held until the block ends."""

    def __init__(self, count: int) -> None:
        self._sockets = [socket.socket() for _ in range(count)]

    def __enter__(self) -> list[int]:
        for each in self._sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in self._sockets]

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()


def _until(what, seconds: float = 30.0):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.1)
    return value
