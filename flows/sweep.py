"""The Prefect flow: every stage of dvc.yaml as a task, started once its upstreams have ended.

It decides when and where. What is stale DVC decides, so Prefect's own caching is off: a stage that `dvc status`
finds nothing to do for, as for all its upstreams, starts no process, and every other one is DVC's to look at again
when its turn comes. Names, edges, tags, retries and results to show all come from dvc.yaml.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun, State, StateDetails, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import Pause
from prefect.futures import PrefectFuture
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Completed, Failed, Paused, Suspended
from prefect.tasks import Task

from flows import dag, outcome, rate, runs, server, tree_lock, workspace
from flows.artifacts import Progress, publish, publish_text
from flows.console import console
from flows.dag import Stage, Survey
from flows.execute import Execution, load_keys
from flows.lines import Redactor
from flows.meta import Meta
from flows.outcome import Result
from flows.records import tell_end, tell_failure
from flows.schedule import most_urgent_first, usual_seconds
from flows.slots import Needs, Slot, Slots
from flows.stopping import SUSPENDED, Stop, mark_crashed, on_cancellation, on_lost_server, on_signals
from tasks.runtime.errors import InputError, WorkError, one_line
from tasks.runtime.launchers.leftovers import end_leftovers

INPUT_ERROR = "InputError"  # the name of the failed state whose cause is the user's to mend
_SETTLE = 4.0  # seconds that Prefect gets to record how the stopped stages ended
_LAST_JOBS = 2.0  # seconds in which the stopped stages' jobs are looked for
_RESUBMITS, _BETWEEN = 5, 2.0  # times that a stage is handed to Prefect once more, and seconds before each


seen: Survey | None = None  # what the command line has found; the flow looks again only if it does not hold any more


@flow(name="sweep", retries=0, persist_result=False)
def sweep(
    targets: list[str] | None = None, wait_for_ratings: bool = False, home: str | None = None, push: bool = False
) -> State[Any]:
    """Run the stages of the working tree's dvc.yaml, or `targets` and their upstreams, each when it can.

    Ends Completed; Failed, naming the stages (named InputError where the user can mend it); or Cancelled,
    with the reason, if it is stopped. Suspended in Prefect it stops, too, and goes on when Prefect runs it again.

    Args:
        targets: stages, such as finetune or finetune@small-values; all without any
        wait_for_ratings: it suspends itself where all that is left awaits what people are still at
        home: the working tree that this one was made from, where the finished sweep is kept as a DVC experiment
        push: push that to the DVC remote, where one is set
    """
    logger = get_run_logger()
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    run = context.flow_run
    events: SimpleQueue[str | None] = SimpleQueue()  # unlike Queue it may be filled by a signal handler
    stop = Stop(lambda: events.put(None))
    api = _api_name()

    def say(text: str) -> None:
        for line in text.splitlines():
            logger.info(line)
            console.say(line)

    try:
        root = dag.find_root(Path.cwd())
        with (
            on_signals(stop),
            on_cancellation(stop, run.id),
            on_lost_server(stop),
            tree_lock.hold(root, run.name, str(run.id), api) as (record, dead),
        ):
            if dead is not None and dead.api == api:
                mark_crashed(dead, logger.warning)
                runs.forget(dead.flow_run_id)
            survey = seen if seen is not None and seen.holds(root) else dag.survey(root)
            stages = dag.select(survey.stages, targets or [])
            url = runs.page("flow-run", run.id) if api != server.EPHEMERAL else None
            say(f"flow run '{run.name}', {len(stages)} stages{f', {url}' if url else ''}")
            walk = _Sweep(root, run, stages, survey.unchanged(), stop, events, say, record, waits=wait_for_ratings)
            state = walk.run()
            if home is not None and state is not None and state.is_completed():
                name = workspace.finish(Path(home), root, say, with_push=push)
                return Completed(message=f"{state.message}, experiment {name}")
        # Suspended only here, where the run is no longer watched for that; Prefect resumes no run without a deployment.
        return state or (Suspended if run.deployment_id else Paused)(message="waits for people")
    except InputError as exc:
        say(f"error: {exc}")
        return Failed(name=INPUT_ERROR, message=str(exc))
    except WorkError as exc:  # of what follows the stages
        say(f"error: {exc}")
        return Failed(message=str(exc))
    except Exception as exc:  # ours to mend; Prefect keeps the traceback
        say(f"error: the flow ended unexpectedly: {type(exc).__name__}: {one_line(exc)}")
        raise


class _Sweep:
    """One walk over the graph. Only the flow's own thread changes it; tasks report through `events`."""

    def __init__(
        self,
        root: Path,
        flow_run: FlowRun,
        stages: tuple[Stage, ...],
        unchanged: set[str],
        stop: Stop,
        events: SimpleQueue[str | None],
        say: Callable[[str], None],
        record: tree_lock.Record,
        *,
        waits: bool,
    ) -> None:
        self._root, self._stop, self._events, self._say, self._record = root, stop, events, say, record
        self._flow_run, self._unchanged, self._waits = flow_run, unchanged, waits
        self._stages = {stage.name: stage for stage in stages}
        self._meta = {stage.name: Meta.of(stage) for stage in stages}
        self._needs = Needs.of(stages, root)
        self._slots = Slots.of_this_machine(os.environ, self._needs.at_once)
        self._keys = load_keys(self._meta.values(), os.environ)
        self._redact = Redactor({**os.environ, **self._keys})
        self._waiting = most_urgent_first(stages, usual_seconds(stages))
        self._running: dict[str, Slot] = {}
        self._began: dict[str, float] = {}
        self._task_runs: dict[str, UUID] = {}
        self._futures: dict[str, PrefectFuture[Any]] = {}
        self._results: dict[str, Result] = {}
        self._ended: dict[str, Result] = {}
        self._attempts: dict[str, int] = {}
        self._resubmits = 0
        self._execution = Execution(root, stop, self._redact)  # it has a process, so whatever can be wrong comes before

    def run(self) -> State[Any] | None:
        """Walk until every stage has ended or the stop comes; returns the flow run's final state, or None where what is
        left awaits people.

        Raises Pause if it was suspended: that leaves the state to Prefect, which may run the flow once more.
        """
        began = time.monotonic()
        progress = Progress(len(self._stages), self._say)
        self._say(self._slots.shortage(self._needs.processes))
        try:
            while not self._stop.reason:
                self._submit_ready()
                progress.show(len(self._ended))
                if not self._running:  # all have ended, or what is left awaits people
                    break
                if (name := self._next_event()) is not None:
                    self._end(name)
        except Pause:  # Prefect, which looks by itself at times, was the first to see it
            self._stop.request(SUSPENDED)
        except BaseException:
            self._stop.request("stopped by an error of the flow")
            raise
        finally:
            try:
                if self._stop.reason:
                    self._halt()
            finally:
                self._execution.close()
        self._say(outcome.totals(self._ended, time.monotonic() - began))
        if self._stop.reason == SUSPENDED:
            raise Pause
        if self._stop.reason:
            return Cancelled(message=self._stop.reason)
        if self._waiting and not any(result.outcome == "failed" for result in self._ended.values()):
            text = rate.progress(self._root)
            publish_text("ratings", text, self._say)
            self._say(text)
            return None
        return self._final()

    def _awaits(self, stage: Stage) -> list[str]:
        paths = self._meta[stage.name].awaits if self._waits else ()
        return [path for path in paths if not (self._root / path).exists()]

    def _final(self) -> State[Any]:
        failed = [name for name, result in self._ended.items() if result.outcome == "failed"]
        if failed:
            self._say(outcome.failures(self._stages, self._ended))
            wrong_input = any(self._ended[name].code == 2 for name in failed)
            return Failed(name=INPUT_ERROR if wrong_input else "Failed", message=f"failed: {', '.join(failed)}")
        self._say(outcome.ending(self._root, self._meta.values()))
        return Completed(message=f"{len(self._ended)} stages")

    def _next_event(self) -> str | None:
        try:
            return self._events.get(timeout=1.0)
        except Empty:
            return None

    def _submit_ready(self) -> None:
        """Start what can start, the most urgent first. Upstreams stand before what follows, so that a chain of stages
        without work ends in one go."""
        for stage in list(self._waiting):
            if not all(up in self._ended for up in stage.upstreams) or self._awaits(stage):
                continue
            if failed := self._failed_before(stage):
                self._skip(stage, Result("not run", error=f"{', '.join(failed)} failed"))
            elif stage.name in self._unchanged:
                self._skip(stage, Result("cached"))
            elif slot := self._slots.take(*self._needs.places(stage.name, self._meta[stage.name].slot)):
                self._waiting.remove(stage)
                self._running[stage.name], self._began[stage.name] = slot, time.time()
                self._note()
                self._submit(stage, partial(self._attempt, stage, slot))

    def _skip(self, stage: Stage, result: Result) -> None:
        """End a stage that starts no process."""
        self._waiting.remove(stage)
        self._ended[stage.name] = result
        task_run = tell_end(self._flow_run, stage, self._tags(stage), _state(result, self._stop), self._edges(stage))
        self._task_runs[stage.name] = task_run
        if result.outcome == "cached":
            warn = get_run_logger().warning
            publish(self._root, stage, self._meta[stage.name], self._redact, warn, task_run)
        self._tell_end(stage.name, result)

    def _edges(self, stage: Stage) -> list[UUID]:
        """The task runs of the upstreams that were run, or had no need to: Prefect draws no edge from another."""
        return [self._task_runs[up] for up in stage.upstreams if self._ended[up].outcome != "not run"]

    def _tags(self, stage: Stage) -> list[str]:
        """Stage, model, arm, and what meta adds: what Prefect finds, limits and notifies by."""
        return list(dict.fromkeys([stage.group, *stage.item.values(), *self._meta[stage.name].tags]))

    def _submit(self, stage: Stage, work: Callable[[], State[Any]]) -> None:
        """Hand the stage to Prefect."""
        meta = self._meta[stage.name]
        task: Task[[], State[Any]] = Task(
            lambda: work(),
            name=stage.name,
            task_run_name=lambda: stage.name,
            description=stage.desc or None,
            tags=self._tags(stage),
            retries=meta.retries,
            retry_delay_seconds=0,
            retry_condition_fn=lambda *_: self._results[stage.name].code != 2,
            cache_policy=NO_CACHE,
            persist_result=False,
        )
        ended = [StateDetails(task_run_id=up) for up in self._edges(stage)]  # this draws the edges in Prefect
        edges = [State(type=StateType.COMPLETED, data=True, state_details=details) for details in ended]
        future = task.submit(wait_for=edges, return_state=False)
        self._futures[stage.name], self._task_runs[stage.name] = future, future.task_run_id
        future.add_done_callback(lambda _: self._events.put(stage.name))

    def _attempt(self, stage: Stage, slot: Slot) -> State[Any]:
        """In the task's thread: run the stage once; returns the task run's state."""
        logger, meta = get_run_logger(), self._meta[stage.name]
        attempt = self._attempts[stage.name] = self._attempts.get(stage.name, 0) + 1
        if attempt == 1:
            self._say(f"{self._count()} {stage.name} started")
        else:
            self._say(f"{self._count()} {stage.name} failed; try {attempt} of {meta.retries + 1} follows")
            self._stop.wait(meta.retry_delay_seconds)  # Prefect's own delay cannot be interrupted
        keys = {name: self._keys[name] for name, _ in meta.secrets if name in self._keys}

        def log(line: str) -> None:
            logger.info(line)
            console.stage_says(stage.name, line)

        result = self._execution.run(stage.name, {**slot.env, **keys}, log)
        return self._finish(stage, result)

    def _finish(self, stage: Stage, result: Result) -> State[Any]:
        self._results[stage.name] = result
        if result.outcome in ("done", "cached"):
            publish(self._root, stage, self._meta[stage.name], self._redact, get_run_logger().warning)
        elif result.outcome == "failed":
            tell_failure(stage, result.error, result.last_lines)
        return _state(result, self._stop)

    def _failed_before(self, stage: Stage) -> tuple[str, ...]:
        """The failed stages that `stage` waits for, itself or through others that were not run."""
        failed: dict[str, None] = {}
        for up in stage.upstreams:
            if self._ended[up].outcome == "failed":
                failed[up] = None
            elif self._ended[up].outcome == "not run":
                failed |= dict.fromkeys(self._failed_before(self._stages[up]))
        return tuple(failed)

    def _end(self, name: str) -> None:
        self._slots.give_back(self._running.pop(name))
        result = self._results.get(name)
        if result is None and not self._stop.reason and self._resubmits < _RESUBMITS:
            self._resubmits += 1  # Prefect ended the task before its function ran: it does not always wait for a server
            self._stop.wait(_BETWEEN)
            self._waiting.insert(0, self._stages[name])
            return
        if result is None:
            result = Result("failed", code=1, error=str(self._futures[name].state.message))
        self._ended[name] = result
        self._tell_end(name, result)

    def _tell_end(self, name: str, result: Result) -> None:
        self._say(f"{self._count()} {name} {outcome.in_words(result)}{self._left()}")
        self._note()

    def _note(self) -> None:
        at_work = {name: self._began[name] for name in self._running}
        self._record(f"{len(self._ended)}/{len(self._stages)}", at_work)

    def _halt(self) -> None:
        """End every process, then let Prefect record it."""
        running, waiting = len(self._running), len(self._waiting)
        self._stop.settle()
        self._say(f"{self._stop.reason}: ending {running} stages, {waiting} are not started")
        self._execution.end_all()
        for job in end_leftovers(self._root, _LAST_JOBS):
            self._say(f"{job} may still run; the next sweep ends it, or `scancel --name={job}` now")
        deadline = time.monotonic() + _SETTLE
        while self._running and time.monotonic() < deadline:
            name = self._next_event()
            if name is not None:
                self._end(name)

    def _count(self) -> str:
        total = len(self._stages)
        return f"[{len(self._ended):>{len(str(total))}}/{total}]"

    def _left(self) -> str:
        left = len(self._stages) - len(self._ended)
        return f", {left} left" if left else ""


def _state(result: Result, stop: Stop) -> State[Any]:
    match result.outcome:
        case "done":
            return Completed(message=outcome.in_words(result))
        case "cached":
            return Completed(name="Cached", message="DVC found it up to date or restored it")
        case "not run":
            return Cancelled(name="NotRun", message=outcome.in_words(result))
        case "stopped":
            return Cancelled(message=stop.reason)
        case _:
            return Failed(message=outcome.message(result))


def _api_name() -> str:
    url = get_current_settings().api.url
    return server.EPHEMERAL if url == server.ours else str(url)
