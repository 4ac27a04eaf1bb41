"""Sweeps that Prefect starts: `palms deploy` registers them, and `python -m flows.deployment` is what a worker runs.

The worker's process makes a clone of a commit, writes the run's parameters into its params.yaml, and becomes that
clone's own sweep, so that code, lock and cache are the clone's and the flow run in Prefect is the sweep itself.
"""

import argparse
import contextlib
import hashlib
import logging
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.states import Failed

from flows import dag, runs, server, start, studies, tree_lock, workspace
from tasks.runtime import config, machine
from tasks.runtime.errors import InputError, PalmsError, instead
from tasks.runtime.files import cache_folder

RUN = "PREFECT__FLOW_RUN_ID"  # Prefect's own name for it
_POOL_TYPE = "process"
_GRACE = 600  # seconds that a worker gets to start a run before its place is given to the next


@dataclass(frozen=True)
class Wish:
    """What a deployed run shall do: the parameters that Prefect's UI asks for, all of which may be left out."""

    models: Sequence[str] = ()
    study: str | None = None
    values: Mapping[str, Any] | None = None
    stages: Sequence[str] = ()
    revision: str = "HEAD"
    push: bool = True

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "Wish":
        """From a run's parameters, where null is left out, too. Raises InputError for one that is not known."""
        given = {name: value for name, value in parameters.items() if value not in (None, "", [], {})}
        if unknown := given.keys() - cls.__dataclass_fields__.keys():
            raise InputError(f"no parameter '{min(unknown)}'; {instead(min(unknown), cls.__dataclass_fields__)}")
        return cls(**{name: value for name, value in parameters.items() if name in given or value is False})

    def given(self) -> dict[str, Any]:
        """The parameters that are not as they would be anyway."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    def overrides(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What it changes in params.yaml. Raises InputError for an unknown study."""
        models = {"sweep.models": list(self.models)} if self.models else {}
        return studies.overrides(params, self.study, {**models, **(self.values or {})})


def schema(params: Mapping[str, Any], stages: Sequence[dag.Stage]) -> dict[str, Any]:
    """The parameters as Prefect's UI makes a form of them, with the models, studies and stages that there are."""
    names = list(dict.fromkeys(stage.group for stage in stages))

    def choice(values: Sequence[str], title: str, text: str) -> dict[str, Any]:
        return {"type": "string", "enum": list(values), "title": title, "description": text}

    def some(values: Sequence[str], title: str, text: str) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(values)}, "title": title, "description": text}

    properties: dict[str, dict[str, Any]] = {
        "models": some(list(params.get("models") or {}), "Models", "instead of those that params.yaml chooses"),
        "study": choice(list(params.get("studies") or {}), "Study", "models and arms under a name"),
        "values": {
            "type": "object",
            "title": "Other values",
            "description": 'of params.yaml by dotted key, such as {"generate.seed": 2}',
        },
        "stages": some(names, "Stages", "only these and what they need; such a run ends as no experiment"),
        "revision": {
            "type": "string",
            "title": "Revision",
            "description": "the commit, branch or tag of the workspace that is swept",
            "default": Wish.revision,
        },
        "push": {
            "type": "boolean",
            "title": "Push",
            "description": "the results to the DVC remote, where one is set",
            "default": Wish.push,
        },
    }
    numbered = {name: {"position": place, **each} for place, (name, each) in enumerate(properties.items()) if each}
    usable = {name: each for name, each in numbered.items() if (each.get("items") or each).get("enum") != []}
    return {"title": "Parameters", "type": "object", "properties": usable, "required": []}


def deploy(root: Path, name: str, pool: str, wish: Wish, cron: str | None, timezone: str | None) -> str:
    """Registers sweeps of `root` at Prefect's server; returns what to know, in lines.

    Raises InputError for a cron expression that is none, for parameters that this params.yaml has not, and for a work
    pool of another type.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    from flows.sweep import sweep

    params, stages = config.read_params(), dag.read(root)
    workspace.check(root, wish.overrides(params))
    dag.select(stages, wish.stages)
    schedules = _schedules(cron, timezone)
    enqueue = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.ENQUEUE, grace_period_seconds=_GRACE)
    with get_client(sync_client=True) as client:
        queue = _queue(client, pool, root)
        deployment = client.create_deployment(
            client.create_flow(sweep),
            name,
            description=f"Sweeps of `{root.name}`, one at a time, each in a clone, kept as DVC experiments.",
            schedules=schedules,
            parameters=wish.given(),
            parameter_openapi_schema=schema(params, stages),
            enforce_parameter_schema=True,
            work_pool_name=pool,
            work_queue_name=queue,
            concurrency_limit=1,
            concurrency_options=enqueue,
            path=str(root),
            entrypoint="flows/sweep.py:sweep",
            job_variables={
                "command": f"{shlex.quote(sys.executable)} -m flows.deployment",
                "working_dir": str(root),
                "stream_output": False,  # a pipe to the worker would break when that is killed
            },
            tags=["palms"],
        )
        workers = client.read_workers_for_work_pool(pool)
    page = runs.page("deployment", deployment)
    lines = [f"deployment sweep/{name}{f', {page}' if page else ''}"]
    if not any(worker.status == "ONLINE" for worker in workers):
        lines.append(f"no worker is online; on this machine: prefect worker start --pool {pool} --type {_POOL_TYPE}")
    return "\n".join(lines)


def _schedules(cron: str | None, timezone: str | None) -> list[Any]:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        return [DeploymentScheduleCreate(schedule=CronSchedule(cron=cron, timezone=timezone))] if cron else []
    except ValidationError as exc:
        found = " ".join("; ".join(str(error["msg"]) for error in exc.errors()).split())
        raise InputError(f"--cron '{cron}'{f' --timezone {timezone}' if timezone else ''}: {found}") from None


def _queue(client: Any, pool: str, root: Path) -> str:
    """The name of the work queue of this workspace, which starts one run at a time whatever deployments it has."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    try:
        found = client.read_work_pool(pool)
    except ObjectNotFound:
        found = client.create_work_pool(WorkPoolCreate(name=pool, type=_POOL_TYPE))
    if found.type != _POOL_TYPE:
        raise InputError(f"--pool {pool}: it is of type {found.type}, and sweeps run in one of type {_POOL_TYPE}")
    name = f"{root.name}-{hashlib.sha256(f'{platform.node()}:{root}'.encode()).hexdigest()[:4]}"
    with contextlib.suppress(ObjectAlreadyExists):
        text = f"one sweep at a time in {root}"
        client.create_work_queue(name, description=text, concurrency_limit=1, work_pool_name=pool)
    return name


def main(argv: Sequence[str] | None = None) -> int:
    """What a worker runs: becomes the sweep of the flow run that the environment names, in a tree of its own.

    How it ended stands in the flow run's state, so that the exit code is 0 whenever that could be told.
    """
    parser = argparse.ArgumentParser(prog="python -m flows.deployment", description="Run a deployed sweep.")
    parser.add_argument("--home", type=Path, help="the workspace whose clone this folder is; without it one is made")
    parser.add_argument("--push", action="store_true", help="push the results to the DVC remote, where one is set")
    parser.add_argument("stages", nargs="*")
    arguments = parser.parse_args(argv)
    machine.prepare()
    run_id = UUID(os.environ[RUN])
    server.be_patient()
    if url := server.configured():
        server.choose_proxies(url)
    if arguments.home is not None:
        return _sweep(run_id, arguments.home, arguments.stages, push=arguments.push)
    try:
        home = dag.find_root(Path.cwd())
        tree, wish = _prepare(home, run_id)
        workspace.remove_old(home)
    except PalmsError as exc:
        return _fail(run_id, exc)
    os.chdir(tree)
    os.environ["PALMS_CACHE"] = str((home / cache_folder()).resolve())
    words = ["-m", "flows.deployment", "--home", str(home), *(["--push"] if wish.push else []), "--", *wish.stages]
    os.execv(sys.executable, [sys.executable, *words])


def _prepare(home: Path, run_id: UUID) -> tuple[Path, Wish]:
    """The tree of the flow run, which gets its name, and what the run shall do.

    A run that is started once more, after its process or the machine died, finds the tree that it had.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        run = client.read_flow_run(run_id)
        wish, before = Wish.of(run.parameters), home / workspace.FOLDER / run.name
        commit = workspace.commit_of(*((before, "HEAD") if before.exists() else (home, wish.revision)))
        if not commit:
            raise InputError(f"revision {wish.revision}: git knows no such commit in {home}")
        params = workspace.params_at(home, commit)
        overrides = wish.overrides(params)
        workspace.check_keys(params, overrides)  # before the clone, which takes a while
        models = runs.models_of({"sweep": {"models": overrides.get("sweep.models", runs.models_of(params))}})
        mark = run_id.hex[-4:]  # its first digits are a time
        name = run.name if before.exists() else runs.name_of(models, commit, mark)
        client.update_flow_run(run_id, name=name, tags=list(dict.fromkeys([*run.tags, *models])))
    return workspace.make_at(home, name, commit, overrides), wish


def _sweep(run_id: UUID, home: Path, stages: list[str], *, push: bool) -> int:
    """The flow run, in the tree that is the current folder."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow

    from flows import sweep

    try:
        for note in tree_lock.tidy(Path.cwd()):
            print(note)
        survey = start.foresee(Path.cwd(), stages)
    except PalmsError as exc:
        return _fail(run_id, exc)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(run_id)
    parameters = {"targets": stages or None, "home": None if stages else str(home), "push": push}
    sweep.seen = survey
    logging.getLogger("prefect.task_runs").addFilter(_is_news)
    with contextlib.suppress(Pause):
        run_flow(sweep.sweep, flow_run=run, parameters=parameters, return_type="state")
    return 0


def _is_news(record: logging.LogRecord) -> bool:
    """Not so of a stage that a cancelled run has ended: the run says that it was cancelled, once."""
    return not record.getMessage().startswith("Finished in state Cancelled(")


def _fail(run_id: UUID, error: PalmsError) -> int:
    """Tells Prefect, in the run's state and in its log, why it could not begin."""
    from prefect.client.orchestration import get_client

    print(f"error: {error}", file=sys.stderr)
    state: State[Any] = Failed(name=type(error).__name__, message=str(error))
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, state, force=True)
        line = {"name": "palms", "level": logging.ERROR, "message": f"error: {error}", "flow_run_id": str(run_id)}
        with contextlib.suppress(Exception):  # the state says it, too
            client.create_logs([{**line, "timestamp": datetime.now(UTC).isoformat()}])
    return 0


if __name__ == "__main__":
    sys.exit(main())
