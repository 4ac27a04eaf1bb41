"""The ways in which a sweep ends before its time, brought together in one place.

Prefect alone waits for the running stages after Ctrl-C, and takes no notice of a cancelled run that no worker
started. Here a signal and a look at the run's state every second set the same flag.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any
from uuid import UUID

from flows import server
from flows.tree_lock import Holder

_POLL = 1.0  # seconds between two looks at the flow run's state
CANCELLED, SUSPENDED = "cancelled", "suspended"  # reasons that come from Prefect
TERMINATED = "stopped by SIGTERM"
EXIT_CODES = {"stopped by SIGINT": 130, TERMINATED: 143, "stopped by SIGHUP": 129}


class Stop:
    """Set once, with the reason; `wake` is called then, from any thread or a signal handler."""

    # Seconds after which the process ends whatever Prefect still waits for (it sends 20,000 log lines for
    # half a minute). Set only where the process is ours to end.
    hard_exit: float | None = None

    def __init__(self, wake: Callable[[], object]) -> None:
        self.reason: str | None = None
        self._wake = wake
        self._requested, self._cancelled = threading.Event(), threading.Event()

    def request(self, reason: str) -> None:
        """Ask for the stop; a second request changes nothing, but that Prefect's Cancel is the reason why its worker
        sends SIGTERM."""
        if reason == CANCELLED and self.reason == TERMINATED and self.hard_exit is None:
            self.reason = reason
        if reason == CANCELLED:
            self._cancelled.set()
        if self.reason is None:
            self.reason = reason
            if self.hard_exit is not None:
                timer = threading.Timer(self.hard_exit, os._exit, [EXIT_CODES.get(reason, 1)])
                timer.daemon = True
                timer.start()
            self._requested.set()
            self._wake()

    def settle(self) -> None:
        """Wait for Prefect's word why a run that it has started gets SIGTERM."""
        if self.reason == TERMINATED and self.hard_exit is None:
            self._cancelled.wait(2 * _POLL)

    def wait(self, seconds: float) -> bool:
        """Wait for a request for `seconds` at most; whether one came."""
        return self._requested.wait(seconds)


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP ask for the stop instead of raising somewhere inside Prefect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, _frame: FrameType | None) -> None:
        stop.request(f"stopped by {signal.Signals(signum).name}")

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # `nohup` has the process ignore a signal, and means it.
    heard = [each for each in signals if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, handle) for each in heard}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler or signal.SIG_DFL)


@contextmanager
def on_lost_server(stop: Stop) -> Iterator[None]:
    """The sweep's own server that is gone for good asks for the stop; without it no stage starts."""
    server.when_lost = lambda: stop.request("Prefect's temporary server died (see .dvc/tmp/prefect-server.log)")
    try:
        yield
    finally:
        server.when_lost = None


@contextmanager
def on_cancellation(stop: Stop, flow_run_id: UUID) -> Iterator[None]:
    """A flow run that is cancelled or suspended, in the UI or through the API, asks for the stop."""
    over = threading.Event()
    threading.Thread(target=_watch, args=(stop, flow_run_id, over), daemon=True, name="watcher").start()
    try:
        yield
    finally:
        over.set()


def _watch(stop: Stop, flow_run_id: UUID, over: threading.Event) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        while not over.wait(_POLL):
            # A server that does not answer for a while is no reason to stop hours of training.
            with contextlib.suppress(Exception):
                state = client.read_flow_run(flow_run_id).state
                if over.is_set():  # the flow has ended meanwhile, and says itself how
                    return
                if state is not None and (state.is_cancelling() or state.is_cancelled()):
                    stop.request(CANCELLED)
                    return
                if state is not None and state.is_paused():
                    stop.request(SUSPENDED)
                    return


def mark_crashed(dead: Holder, warn: Callable[[str], object]) -> None:
    """Say of a run whose process was killed what it could not say itself; Prefect shows it running for ever."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.objects import State
    from prefect.states import Crashed

    run_id = UUID(dead.flow_run_id)
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    state: State[Any] = Crashed(message="its process was killed; found by the next sweep")
    try:
        with get_client(sync_client=True) as client:
            last = client.read_flow_run(run_id).state
            if last is None or not last.is_final():
                client.set_flow_run_state(run_id, state, force=True)
            for task_run in client.read_task_runs(flow_run_filter=of_run):
                if task_run.state is None or not task_run.state.is_final():
                    client.set_task_run_state(task_run.id, state, force=True)
    except Exception as exc:
        warn(f"flow run '{dead.flow_run}' could not be marked as crashed: {exc}")
