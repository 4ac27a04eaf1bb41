"""What Prefect calls a sweep, and the deployment that a run of the command line belongs to while it runs."""

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.states import Pending
from prefect.types._datetime import now
from prefect.utilities.urls import url_for

DESCRIPTION = (
    "A run of `palms sweep` on a command line, which Prefect's UI can cancel because it stands here. It goes with the "
    "run, and starts nothing: for that there is `palms deploy`."
)
_POLL = 20.0  # seconds; after sixty without a look at it Prefect shows a deployment in red


def name_of(models: Sequence[str], commit: str, mark: str = "") -> str:
    """`smollm2-135m-1a2b3c4-0f3e`: the model, or how many there are, the commit, and four digits for this run alone."""
    what = models[0] if len(models) == 1 else f"{len(models)}-models" if models else "sweep"
    return f"{what}-{commit[:7] or 'no-commit'}-{mark or secrets.token_hex(2)}"


def models_of(params: Mapping[str, Any]) -> list[str]:
    """The models that a sweep is of; none in a tree whose params.yaml names none."""
    sweep = params.get("sweep")
    models = sweep.get("models") if isinstance(sweep, Mapping) else None
    return [str(model) for model in models] if isinstance(models, list) else []


def page(kind: Literal["flow-run", "deployment"], object_id: UUID) -> str | None:
    """Where Prefect's UI shows something: in that of its two UIs that the server opens; None where it serves none."""
    settings = get_current_settings()
    base = (settings.ui_url or str(settings.api.url).removesuffix("/").removesuffix("/api")).rstrip("/")
    address = url_for(kind, obj_id=object_id, default_base_url=base)
    with suppress(Exception):  # Prefect Cloud, and older servers, have one UI where it always was
        answer = httpx.get(f"{base}/ui-settings", timeout=5.0)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        found = answer.json()
        folder = found[f"{found['default_ui']}_base_url"].rstrip("/")
        return address.replace(base, f"{base}{folder}", 1) if address else None
    return address


def forget(run_id: str) -> None:
    """Removes the deployment that a run of the command line had, whose process was killed."""
    with suppress(Exception), get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(run_id))
        if run.deployment_id and client.read_deployment(run.deployment_id).name == run.name:
            client.delete_deployment(run.deployment_id)


@contextmanager
def of_the_command_line(
    flow: Flow[..., Any], name: str, models: Sequence[str], parameters: dict[str, Any]
) -> Iterator[FlowRun | None]:
    """A new, pending run of `flow` in a deployment of its own for the block, for without one Prefect's UI cancels no
    run: its button is grey. None where the server refuses that."""
    with get_client(sync_client=True) as client:
        try:
            deployment = client.create_deployment(client.create_flow(flow), name, description=DESCRIPTION)
            run = client.create_flow_run_from_deployment(
                deployment, name=name, parameters=parameters, state=Pending(), tags=list(models)
            )
        except PrefectHTTPStatusError as exc:
            print(f"Prefect refused a deployment ({exc.response.status_code}), so its UI cannot cancel this run")
            yield None
            return
        over = threading.Event()

        def keep_ready() -> None:
            with get_client(sync_client=True) as own:
                while True:
                    with suppress(Exception):  # a server that does not answer for a while
                        own.get_scheduled_flow_runs_for_deployments([deployment], scheduled_before=now("UTC"), limit=1)
                    if over.wait(_POLL):
                        return

        threading.Thread(target=keep_ready, daemon=True, name="ready").start()
        try:
            yield run
        finally:
            over.set()
            with suppress(Exception):  # else it stays, in red, until the next sweep of the tree
                client.delete_deployment(deployment)


def resumed(run: FlowRun | None) -> FlowRun | None:
    """A run that suspended itself, as it may be run again; None for a run that has to be a new one."""
    if run is None:
        return None
    with get_client(sync_client=True) as client:
        client.resume_flow_run(run.id)
        return client.read_flow_run(run.id)
