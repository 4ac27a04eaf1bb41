"""`palms sweep --wait-for-ratings`: suspended in Prefect until people are done, then the same run goes on."""

import signal
import subprocess
from collections.abc import Callable

from tests.support.flow_trees import PALMS, STEP, Api, Tree, wait_for

GRAPH = """
stages:
  draw: {cmd: python step.py draw 0 drawn.txt, outs: [drawn.txt]}
  rated:
    cmd: python step.py rated 0 rated.txt
    deps: [drawn.txt]
    outs: [rated.txt]
    meta: {awaits: data/ratings/closed.json}
  report: {cmd: python step.py report 0 report.txt, deps: [rated.txt], outs: [report.txt]}
  aside: {cmd: python step.py aside 0 aside.txt, outs: [aside.txt]}
"""


def started(tree: Tree) -> list[str]:
    return sorted(line.split()[1] for line in tree.log() if line.startswith("start "))


def until_suspended(process: "subprocess.Popen[str]") -> str:
    """What the sweep prints until it waits."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("suspended"):
            break
    return "".join(lines)


def test_it_is_suspended_and_goes_on(new_tree: Callable[..., Tree], prefect_url: str, api: Api) -> None:
    tree = new_tree({"dvc.yaml": GRAPH, "step.py": STEP}, PREFECT_API_URL=prefect_url)
    process = tree.start([*PALMS, "sweep", "--wait-for-ratings"])
    output = until_suspended(process)
    assert started(tree) == ["aside", "draw"], output
    assert "`palms rate close`" in output
    run = api.run_of(output)
    assert run["state"]["name"] == "Suspended"
    assert "`palms rate close`" in api.artifacts(run)["ratings"]["data"]
    code, other = tree.palms("status")
    assert (code, "a sweep is running" in other) == (0, False), "the tree is free meanwhile"
    tree.write({"data/ratings/closed.json": "{}"})
    output += process.communicate(timeout=90)[0]
    assert process.returncode == 0, output
    assert started(tree) == ["aside", "draw", "rated", "report"]
    wait_for(lambda: api.state(run["id"])["type"] == "COMPLETED", 10)
    code, output = tree.palms("sweep", "--wait-for-ratings")
    assert (code, "suspended" in output) == (0, False), "what is closed is not waited for"


def test_ctrl_c_ends_the_waiting(new_tree: Callable[..., Tree], prefect_url: str, api: Api) -> None:
    tree = new_tree({"dvc.yaml": GRAPH, "step.py": STEP}, PREFECT_API_URL=prefect_url)
    process = tree.start([*PALMS, "sweep", "--wait-for-ratings"])
    output = until_suspended(process)
    process.send_signal(signal.SIGINT)
    output += process.communicate(timeout=30)[0]
    assert process.returncode == 130, output
    assert output.endswith("stopped by SIGINT\n")
    run = api.run_of(output)
    assert run["state"]["name"] == "Suspended"
    assert run["name"] not in {each["name"] for each in api.post("/deployments/filter")}  # nothing is left in red


def test_a_stage_that_failed_ends_it(new_tree: Callable[..., Tree], prefect_url: str) -> None:
    broken = GRAPH.replace("python step.py aside 0 aside.txt", "exit 3")
    tree = new_tree({"dvc.yaml": broken, "step.py": STEP}, PREFECT_API_URL=prefect_url)
    code, output = tree.palms("sweep", "--wait-for-ratings")
    assert (code, "suspended" in output, "aside" in output) == (1, False, True), output
