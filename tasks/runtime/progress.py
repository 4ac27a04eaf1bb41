"""Progress of a long stage as sparse lines: a bar, a rate and the time left, at most one in a few seconds."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.runtime.units import duration

WIDTH = 20


@dataclass
class Progress:
    """Counts steps of `total` and prints a line now and then; stages run without a terminal, so no `\\r`."""

    label: str
    total: int
    unit: str
    every: float = 5.0  # seconds between lines
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    _started: float = field(init=False)
    _printed: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self._printed = self.clock()

    def step(self, count: int = 1, note: str = "") -> None:
        """Counts `count` more; prints if the last line is old enough or this was the last step."""
        self.done += count
        now = self.clock()
        due = max(self.every, (now - self._started) / 50)  # a run of hours must not fill the log
        if now - self._printed >= due or self.done >= self.total:
            self._printed = now
            print(self.line(now, note), file=sys.stderr, flush=True)

    def line(self, now: float, note: str = "") -> str:
        """The bar as text."""
        share = min(1.0, self.done / self.total) if self.total else 1.0
        bar = "#" * round(share * WIDTH)
        elapsed = now - self._started
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = (self.total - self.done) / rate if rate else 0.0
        text = f"{self.label} [{bar:.<{WIDTH}}] {self.done}/{self.total} {self.unit}, {duration(left)} left"
        return f"{text}, {note}" if note else text
