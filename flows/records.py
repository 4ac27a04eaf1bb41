"""Task runs of stages that start no process: each is told to Prefect in one event.

Prefect's engine takes a tenth of a second and several requests for a task, whatever it does; a sweep of five models has
ninety stages, most of them up to date. Its states are the client's to tell, and so is the last one alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from prefect.client.schemas.objects import FlowRun, State, TaskRun, TaskRunResult
from prefect.events import emit_event
from prefect.utilities.engine import emit_task_run_state_change_event

from flows.dag import Stage

FAILED = "palms.stage.failed"


def tell_end(run: FlowRun, stage: Stage, tags: Sequence[str], state: State[Any], upstreams: Iterable[UUID]) -> UUID:
    """Tells Prefect that `stage` ended in `state` before it began; returns the id of its task run.

    Call it in the flow's own thread: the event is of the flow run that runs there.
    """
    at: Any = state.timestamp  # a task run's times are of a type that depends on the version of Python
    task_run = TaskRun(
        id=uuid4(),
        name=stage.name,
        flow_run_id=run.id,
        task_key=stage.name,
        dynamic_key=str(uuid4()),
        flow_run_run_count=run.run_count,
        tags=list(tags),
        task_inputs={"wait_for": [TaskRunResult(id=each) for each in upstreams]},
        start_time=at,
        end_time=at,
        state=state,
        state_id=state.id,
        state_type=state.type,
        state_name=state.name,
    )
    state.state_details.task_run_id, state.state_details.flow_run_id = task_run.id, run.id
    emit_task_run_state_change_event(task_run=task_run, initial_state=None, validated_state=state)
    return task_run.id


def tell_failure(stage: Stage, error: str, last_lines: Sequence[str]) -> None:
    """Sends `failure`, related to the flow run and the task run in whose thread this is called."""
    emit_event(**failure(stage, error, last_lines))


def failure(stage: Stage, error: str, last_lines: Sequence[str]) -> dict[str, Any]:
    """The event of a failed stage: an automation can ask for its labels, which stage, of which model and arm."""
    labels = {f"palms.{key}": value for key, value in {"stage": stage.group, **stage.item, "error": error}.items()}
    return {
        "event": FAILED,
        "resource": {"prefect.resource.id": f"palms.stage.{stage.name}", "prefect.resource.name": stage.name, **labels},
        "payload": {"error": error, "last_lines": "\n".join(last_lines)},
    }
