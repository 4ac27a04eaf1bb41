"""A sweep in surroundings that are all odd at once: a path of odd characters, proxies that refuse, Prefect's settings
for other servers and quiet logs, a terminal of ASCII alone, and where the tests run as root, a user without a name."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.flow_trees import PALMS, Tree, environment
from tests.support.refusing_proxy import refusing_proxy

ODD = "we[1]rd %41 a#b?c=d 'q\"$HOME:memory:\n目录"
GRAPH = """
stages:
  one: {cmd: "python -c \\"print('…'); open('one.txt', 'w').write('1')\\"", outs: [one.txt]}
  two: {cmd: exit 3, deps: [one.txt], outs: [two.txt]}
"""
SETTINGS = {
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_API_AUTH_STRING": "admin:pass",
    "PREFECT_SERVER_API_BASE_PATH": "/elsewhere",
    "PREFECT_FLOWS_DEFAULT_RETRIES": "2",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "1",
    "TZ": "Mars/Olympus",
}
# A user that passwd lacks, who may write what is theirs and read all: Python may lie in root's home.
MAY = "caps=-all,+dac_read_search"
NAMELESS = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", f"--inh-{MAY}", f"--ambient-{MAY}"]


@pytest.fixture
def as_nobody() -> list[str]:
    """What runs a command as a user without an entry in passwd, where the tests may become one."""
    may = os.geteuid() == 0 and shutil.which("setpriv")
    works = may and subprocess.run([*NAMELESS, "true"], check=False, capture_output=True).returncode == 0
    return NAMELESS if works else []


def test_a_sweep_runs_and_says_so(
    new_tree: Callable[..., Tree], prefect_home: Path, as_nobody: list[str], tmp_path: Path
) -> None:
    tree = new_tree({"dvc.yaml": GRAPH})
    odd = tmp_path / ODD / "tree"
    shutil.copytree(tree.root, odd, symlinks=True)
    shutil.copytree(prefect_home, odd / ".dvc" / "tmp" / "prefect")
    if as_nobody:
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, 12345, 12345, follow_symlinks=False)
    nameless = {name: value for name, value in tree.env.items() if name not in ("HOME", "LOGNAME", "USER")}
    with refusing_proxy() as proxy:
        code, output = Tree(odd, nameless, tree.mark).run(
            *as_nobody, *PALMS, "sweep", "--verbose", **SETTINGS, **proxy.environ()
        )
        assert proxy.asked == []
    assert code == 1, output
    lines = output.splitlines()
    assert lines[0] == "starting \\u2026"
    assert lines[1].startswith("flow run '")
    assert "one: \\u2026" in lines  # the stage's own … came through the pipes whole
    assert "[2/2] two failed: its command exited with 3" in lines, output
    assert sum(line.startswith("flow run '") for line in lines) == 1  # not tried again
    assert "Traceback" not in output
    files = [path.name for path in tmp_path.rglob("*") if path.name.startswith("prefect.db")]
    assert len(files) == len([*(odd / ".dvc" / "tmp" / "prefect").glob("prefect.db*")]) >= 1
    assert {path.name for path in tmp_path.iterdir()} == {ODD}


ASK = """
import sys
from pathlib import Path
from flows import server
from flows.execute import stage_env
with server.api(Path(), lambda: None) as name:
    from prefect.client.orchestration import get_client
    with get_client(sync_client=True) as client:
        client.hello().raise_for_status()
    print(name, stage_env(server.users_environment(), {})["no_proxy"])
"""


def run(code: str, **env: str) -> tuple[int, str, str]:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(**env), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip(), done.stderr


def test_a_server_on_loopback_is_reached_past_every_proxy_and_stages_keep_theirs(
    prefect_url: str, tmp_path: Path
) -> None:
    with refusing_proxy() as proxy:
        code, output, errors = run(ASK, PREFECT_API_URL=prefect_url, PREFECT_HOME=str(tmp_path), **proxy.environ())
        assert proxy.asked == []
    assert (code, output) == (0, f"{prefect_url} example.com"), errors


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            {"PREFECT_API_URL": "http://prefect.example/api", "all_proxy": "nonsense://x"},
            "InputError: the proxies of the environment (http_proxy, all_proxy, …) cannot be used: ",
        ),
        ({"PREFECT_LOGGING_LEVEL": "LOUD"}, "InputError: Prefect cannot use its settings: "),
        ({"PREFECT_HOME": "/proc/nowhere"}, "InputError: /proc/nowhere: No such file or directory; set PREFECT_HOME"),
        ({"PREFECT_HOME": f"/tmp/{'x' * 200}/{'y' * 200}/{'z' * 200}"}, "bytes long, and SQLite"),
    ],
)
def test_settings_that_cannot_be_used_are_one_clear_error(env: dict[str, str], message: str) -> None:
    assert message in run(ASK, **env)[2].splitlines()[-1]
