"""A sweep from the command line: from the first look at the graph to the exit code."""

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from flows.console import console
from tasks.runtime.imports import importing

CLOSED = Path("data/ratings/closed.json")
# Prefect and DVC take time to import: only a command that needs one pays for it.


def run(
    root: Path,
    targets: list[str],
    *,
    verbose: bool,
    waits: bool = False,
    home: Path | None = None,
    push: bool = False,
) -> int:
    """Sweeps `root`, and keeps the result in `home` as an experiment. Returns the exit code.

    What can be wrong is found here, before a server is started; and where there is nothing to run and nobody's server
    to tell it to, none is.
    """
    from flows import dag, dropped, meta, outcome, server, slots, workspace

    began = time.monotonic()
    survey = foresee(root, targets)
    if told := dropped.put_away(survey):
        print(told)
        survey = dag.survey(root)
    stages = dag.select(survey.stages, targets)
    metas = [meta.Meta.of(stage) for stage in stages]
    slots.Slots.of_this_machine(os.environ)
    names = [stage.name for stage in stages]
    if waits or not survey.unchanged().issuperset(names) or server.maybe_configured():
        return _run_flow(survey, targets, verbose=verbose, waits=waits, home=home, push=push)
    ended = dict.fromkeys(names, outcome.Result("cached"))
    print(f"{outcome.totals(ended, time.monotonic() - began)}\n{outcome.ending(root, metas)}".rstrip())
    if home is not None:
        workspace.finish(home, root, print, with_push=push)
    return 0


def foresee(root: Path, targets: Sequence[str]) -> Any:
    """A survey of the current folder `root`. Raises InputError for what a sweep of `targets` would refuse."""
    from flows import dag, references, refused

    references.check_tree(root, targets)
    survey = dag.survey(root)
    refused.check(survey, dag.select(survey.stages, targets))
    return survey


def _run_flow(survey: Any, targets: list[str], *, verbose: bool, waits: bool, home: Path | None, push: bool) -> int:
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from flows import server, workspace
    from flows.stopping import Stop
    from tasks.runtime import config

    server.be_patient()
    print("starting …", flush=True)
    with server.api(survey.root, import_flow):
        import_flow()
        from prefect.exceptions import Pause
        from prefect.flow_engine import run_flow

        from flows import runs, sweep

        _quiet_prefect()
        console.shown, console.verbose = True, verbose
        Stop.hard_exit = 9.0
        sweep.seen = survey
        params = config.read_params() if (survey.root / config.PARAMS_FILE).exists() else {}
        models = runs.models_of(params)
        name = runs.name_of(models, workspace.commit_of(survey.root, "HEAD"))
        kept = {"home": None if home is None else str(home), "push": push}
        parameters = {"targets": targets or None, "wait_for_ratings": waits, **kept}
        with runs.of_the_command_line(sweep.sweep, name, models, parameters) as run:
            while True:
                try:
                    state: Any = run_flow(sweep.sweep, flow_run=run, parameters=parameters, return_type="state")
                except Pause:
                    print("suspended in Prefect; `palms sweep` goes on from the finished stages", file=sys.stderr)
                    return 1
                if not state.is_paused():
                    return _exit_code(state)
                if signum := _await(survey.root / CLOSED):
                    print(f"stopped by {signal.Signals(signum).name}", file=sys.stderr)
                    return 128 + signum
                sweep.seen, run = None, runs.resumed(run)  # it looks again: there are ratings now


def _await(path: Path) -> int:
    """Waits until `path` is there; returns 0, or the signal that ended the waiting."""
    signals: list[int] = []
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, lambda number, _: signals.append(number))
    print("suspended; Ctrl-C ends the waiting, and the same command takes it up again", flush=True)
    while not (path.exists() or signals):
        time.sleep(1)
    stop_at_once()
    return signals[0] if signals else 0


def import_flow() -> None:
    """Imports the flow, and Prefect with it, which takes seconds."""
    with importing():
        import flows.runs
        import flows.sweep  # noqa: F401


def _exit_code(state: Any) -> int:
    from flows.stopping import EXIT_CODES
    from flows.sweep import INPUT_ERROR

    if state.is_completed():
        return 0
    if state.is_cancelled():
        return EXIT_CODES.get(state.message, 1)
    if state.is_crashed():
        print(f"error: the flow ended unexpectedly: {state.message}", file=sys.stderr)
    return 2 if state.name == INPUT_ERROR else 1


def stop_at_once() -> None:
    """Until there is a flow, a signal ends the process; but a shell has what it starts in the background ignore
    SIGINT."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, _stopped)


def _stopped(signum: int, _frame: FrameType | None) -> None:
    """Ends a sweep that has no flow yet, or none any more. An exception could come up anywhere in a library's code,
    and be taken for its error; the server dies with this process."""
    os.write(2, f"stopped by {signal.Signals(signum).name}\n".encode())
    os._exit(128 + signum)


def _quiet_prefect() -> None:
    """Of Prefect's own lines the console shows what warns and is not about a run: the sweep says that itself."""

    def warns(record: logging.LogRecord) -> bool:
        of_runs = record.name.startswith(("prefect.flow_runs", "prefect.task_runs"))
        return record.levelno >= logging.WARNING and not of_runs

    for handler in logging.getLogger().handlers:
        handler.addFilter(warns)
