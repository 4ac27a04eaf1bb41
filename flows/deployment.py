"""The deployment that the runs of the command line belong to.

Prefect's UI cancels no run without one: its button is grey. This one has no work pool and starts nothing; a flow
that is served has a deployment of its own.
"""

from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Pending

NAME = "command-line"
DESCRIPTION = (
    "The runs that `palms sweep` started, which Prefect's UI can cancel because they stand here. "
    "A run that is asked for here is never started: for that, serve the flow."
)


def flow_run(flow: Flow[..., Any], parameters: dict[str, Any]) -> FlowRun | None:
    """A new, pending run of `flow`, made in the deployment; None where the server refuses that."""
    with get_client(sync_client=True) as client:
        try:
            deployment = client.create_deployment(client.create_flow(flow), NAME, description=DESCRIPTION)
            return client.create_flow_run_from_deployment(deployment, parameters=parameters, state=Pending())
        except PrefectHTTPStatusError as exc:
            print(f"Prefect refused a deployment ({exc.response.status_code}), so its UI cannot cancel this run")
            return None


def resumed(run: FlowRun | None) -> FlowRun | None:
    """A run that suspended itself, as it may be run again; None for a run that has to be a new one."""
    if run is None:
        return None
    with get_client(sync_client=True) as client:
        client.resume_flow_run(run.id)
        return client.read_flow_run(run.id)
