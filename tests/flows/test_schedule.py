"""A deployment with a cron schedule gets its runs: not every version of what Prefect stands on can make them."""

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.support.flow_trees import Api, wait_for


@flow
def nightly() -> None:
    """Never run here: only its schedule is looked at."""


def test_a_cron_schedule_makes_runs(prefect_url: str) -> None:
    with temporary_settings({PREFECT_API_URL: prefect_url}), get_client(sync_client=True) as client:
        schedule = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 3 * * *"), active=True)
        deployment = client.create_deployment(client.create_flow(nightly), "nightly", schedules=[schedule])
    of_deployment = {"deployments": {"id": {"any_": [str(deployment)]}}, "limit": 10}
    runs = wait_for(lambda: Api(prefect_url).post("/flow_runs/filter", of_deployment), 60)
    assert len(runs) >= 3
    assert {run["state_type"] for run in runs} == {"SCHEDULED"}
