"""`palms deploy` on a real server with a real process worker. The tests build on each other, as a team's day does."""

import json
import logging
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.dag import Stage
from flows.deployment import Wish, schema
from tasks.runtime.errors import InputError
from tests.support.flow_trees import Api, Tree, environment, wait_for
from tests.support.prefect_services import Services

# A stage waits while the file `hold` is there; `log` and `hold` lie outside the trees.
GRAPH = """
stages:
  fetch:
    matrix: {model: "${sweep.models}"}
    cmd: >-
      echo fetch ${item.model} >> ${outside}/log; while [ -e ${outside}/hold ]; do sleep 0.1; done;
      echo ${item.model} ${seed} > ${item.model}.txt
    params: [seed]
    outs: ["${item.model}.txt"]
  last:
    cmd: echo "{\\"seed\\":" ${seed} "}" > figures.json
    params: [seed]
    deps: ["${sweep.models[0]}.txt"]
    metrics: [{figures.json: {cache: false}}]
"""
PARAMS = """\
outside: OUTSIDE
seed: 1   # of all
sweep: {models: [small], tuned: [values], arms: [base, values]}
models: {small: 1, large: 2}
arms: {values: {dataset: values, limit: null, seed: 1}}
studies: {both: {models: [small, large], arms: {}}}
"""
POOL = "ours"
LIMIT = 60.0


class Team:
    """A workspace with remotes, and what its people see of it."""

    def __init__(self, tree: Tree, services: Services, outside: Path) -> None:
        self.tree, self.services, self.outside, self.api = tree, services, outside, Api(services.url)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=b", *words]
        done = subprocess.run(
            command, cwd=cwd or self.tree.root, env=environment(), check=True, capture_output=True, text=True
        )
        return done.stdout

    def deploy(self, *words: str) -> str:
        code, output = self.tree.palms("deploy", "--pool", POOL, *words)
        assert code == 0, output
        return output

    def deployment(self, name: str) -> dict[str, Any]:
        (found,) = self.api.post("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        return found

    def ask(self, name: str, **parameters: Any) -> str:
        """What the form in the UI does; returns the run's id."""
        run = self.api.post(f"/deployments/{self.deployment(name)['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def ended(self, run_id: str, state: str = "COMPLETED") -> Mapping[str, Any]:
        def over() -> Mapping[str, Any] | None:
            run = self.api.flow_run(run_id)
            return run if run["state_type"] in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED") else None

        run = wait_for(over, LIMIT)
        assert run["state_type"] == state, f"{run['state']}\n{self.services.log('worker')[-3000:]}"
        return run

    def mark(self, run: Mapping[str, Any]) -> str:
        """What a deployed run's clone says of itself."""
        return (self.tree.root / ".cache/sweeps" / run["name"] / ".dvc/tmp/deployed").read_text()

    def lines(self, run_id: str) -> dict[str, int]:
        """The lines of a run's log that have come so far, and their levels."""
        return {line["message"]: line["level"] for line in self.api.logs({"id": run_id})}

    def log(self) -> list[str]:
        path = self.outside / "log"
        return path.read_text().splitlines() if path.exists() else []

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.tree.root.iterdir() if path.is_file()}

    def of_stages(self) -> list[Any]:
        return [process for process in self.tree.processes() if "cli" not in str(process.cmdline())]


@pytest.fixture(scope="module")
def team(
    new_tree: Callable[..., Tree], prefect_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    outside, folder = tmp_path_factory.mktemp("outside"), tmp_path_factory.mktemp("services")
    services = Services(folder, {})
    tree = new_tree(
        {"dvc.yaml": GRAPH, "params.yaml": PARAMS.replace("OUTSIDE", str(outside)), ".gitignore": "/.cache/\n*.txt\n"},
        PREFECT_API_URL=services.url,
    )
    services.env.update({name: value for name, value in tree.env.items() if name != "PREFECT_API_URL"})
    services.env["PALMS_TEST"] = tree.mark  # what the worker starts is found as the tree's own processes are
    team = Team(tree, services, outside)
    tree.dvc("remote", "add", "--default", "store", "../store")
    team.git("init", "-q", "--bare", "-b", "main", "origin", cwd=outside)
    team.git("remote", "add", "origin", str(outside / "origin"))
    team.git("add", "-A")
    team.git("commit", "-qm", "one")
    services.start_server(prefect_home)
    try:
        yield team
    finally:
        tree.kill()
        services.stop()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cron", "every day"], "--cron 'every day'"),
        (["--cron", "0 3 * * *", "--timezone", "Mars"], "--timezone Mars"),
        (["--set", "sed=2"], "params.yaml has no 'sed'"),
        (["--study", "nine"], "no study 'nine'"),
        (["fetsch"], "no stage is called 'fetsch'"),
    ],
)
def test_what_cannot_be_deployed_is_one_line(team: Team, words: list[str], message: str) -> None:
    code, output = team.tree.palms("deploy", *words)
    assert (code, output.count("\n")) == (2, 1), output
    assert message in output


def test_a_server_that_goes_with_the_command_is_none(team: Team) -> None:
    code, output = team.tree.palms("deploy", PREFECT_API_URL="")
    assert (code, output.count("\n")) == (2, 1), output
    assert "set PREFECT_API_URL" in output


def test_a_deployment_has_a_form_a_schedule_and_a_worker_to_start(team: Team) -> None:
    output = team.deploy("--name", "nightly", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--study", "both")
    assert re.search(r"^deployment sweep/nightly, http://127.0.0.1:\d+/\S*deployments/deployment/", output)
    assert f"prefect worker start --pool {POOL} --type process" in output
    deployment = team.deployment("nightly")
    form = deployment["parameter_openapi_schema"]["properties"]
    assert form["models"]["items"]["enum"] == ["small", "large"]
    assert form["study"]["enum"] == ["both"]
    assert deployment["parameters"] == {"study": "both"}
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"


def test_a_scheduled_run_ends_as_a_pushed_experiment_and_leaves_the_tree_alone(team: Team) -> None:
    (team.tree.root / "params.yaml").write_text("half written")  # what nobody has committed is nothing to it
    before = team.files()
    team.services.start_worker(POOL)
    nightly = {"id": {"any_": [team.deployment("nightly")["id"]]}}
    of_deployment = {"deployments": nightly, "sort": "EXPECTED_START_TIME_ASC"}
    runs = wait_for(lambda: team.api.post("/flow_runs/filter", of_deployment), LIMIT)
    assert {run["auto_scheduled"] for run in runs} == {True}
    now = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
    team.api.post(f"/flow_runs/{runs[0]['id']}/set_state", {"state": now, "force": True})  # it is three o'clock
    run = team.ended(runs[0]["id"])
    commit = team.git("rev-parse", "HEAD")[:7]
    assert run["name"] == f"2-models-{commit}-{run['id'][-4:]}"
    assert {"small", "large"} <= set(run["tags"])
    assert set(team.api.tasks(run)) == {"fetch@small", "fetch@large", "last"}  # the stages are its own tasks
    assert team.files() == before
    team.git("checkout", "-q", "params.yaml")
    assert team.git("status", "--porcelain") == ""
    shown = json.loads(team.tree.dvc("exp", "show", "--json"))
    experiments = {each["name"] for row in shown for each in row.get("experiments") or []}
    assert experiments == {run["name"]}
    assert run["name"] in team.git("for-each-ref", "refs/exps", cwd=team.outside / "origin")
    assert any((team.tree.root.parent / "store").rglob("runs/*/*"))  # the run-cache, too
    assert team.mark(run) == "saved"  # so that its clone goes when three newer ones are there


def test_two_runs_queue_and_a_killed_worker_and_a_restarted_server_lose_nothing(team: Team) -> None:
    (team.outside / "hold").touch()
    lines = len(team.log())
    runs = [team.ask("nightly", models=["small"], values={"seed": seed}, push=False) for seed in (2, 3)]
    wait_for(lambda: len(team.log()) > lines, LIMIT)
    code, output = team.tree.palms("status")
    assert code == 0, output
    (line,) = [each for each in output.splitlines() if each.startswith("a sweep is running")]
    assert re.match(r"a sweep is running in \.cache/sweeps/small-\S+: flow run 'small-", line)
    states = {team.api.state(run)["name"] for run in runs}
    assert states & {"AwaitingConcurrencySlot", "Scheduled", "Late", "Pending"}, states
    assert "Running" in states
    team.services.kill("worker")
    team.services.kill("server")
    team.services.start_server()
    team.services.start_worker(POOL)
    (team.outside / "hold").unlink()
    names = {str(team.ended(run)["name"]) for run in runs}
    assert team.log()[lines:] == ["fetch small", "fetch small"]  # one each, one after the other
    experiments = team.tree.dvc("exp", "list", "--name-only").split()
    assert names <= set(experiments)
    trees = [team.tree.root / ".cache/sweeps" / name for name in names]
    assert {json.loads((tree / "figures.json").read_text())["seed"] for tree in trees} == {2, 3}


def test_cancel_ends_every_process_and_the_next_run_goes_on(team: Team) -> None:
    (team.outside / "hold").touch()
    lines = len(team.log())
    run = team.ask("nightly", models=["large"], values={"seed": 4})
    wait_for(lambda: len(team.log()) > lines, LIMIT)
    team.api.post(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    ended = team.ended(run, "CANCELLED")
    assert (ended["state"]["message"], team.mark(ended)) == ("cancelled", "")
    last = "Finished in state Cancelled('cancelled')"
    lines_of_run = wait_for(lambda: last in (found := team.lines(run)) and found, LIMIT)
    told = [line for line, level in lines_of_run.items() if level >= logging.ERROR or "SIGTERM" in line]
    assert told == [], lines_of_run  # that line alone says it: none of the stages does
    (team.outside / "hold").unlink()
    wait_for(lambda: not [p for p in team.tree.processes() if p.name() == "palms-stage"], 10)


def test_what_a_run_cannot_do_is_its_state(team: Team) -> None:
    run = team.ended(team.ask("nightly", values={"sed": 1}), "FAILED")
    message = "params.yaml has no 'sed'; did you mean 'seed'?"
    assert (run["state_name"], run["state"]["message"]) == ("InputError", message)
    assert team.lines(run["id"])[f"error: {message}"] == logging.ERROR  # beside what the worker says
    assert not (team.tree.root / ".cache/sweeps" / str(run["name"])).exists()  # it was told before a clone was made


def test_parameters() -> None:
    assert Wish.of({"models": None, "push": False, "study": ""}) == Wish(push=False)
    assert Wish.of({"stages": ["last"]}).given() == {"stages": ["last"]}
    with pytest.raises(InputError, match=r"no parameter 'model'; did you mean 'models'\?"):
        Wish.of({"model": ["a"]})
    stages = [Stage("fetch@a", "fetch"), Stage("fetch@b", "fetch"), Stage("last", "last")]
    form = schema({"models": {"a": 1, "b": 2}}, stages)["properties"]
    assert form["stages"]["items"]["enum"] == ["fetch", "last"]
    assert "study" not in form  # there is none to choose
