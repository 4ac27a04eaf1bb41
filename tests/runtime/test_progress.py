"""Progress lines are sparse and say how much is left."""

import pytest

from tasks.runtime.progress import Progress


def test_lines_are_sparse_and_the_last_step_always_shows(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = Progress("train", 4, "steps", every=5, clock=lambda: now[0])
    for _ in range(4):
        now[0] += 3
        progress.step(note="loss 1.0")
    assert capsys.readouterr().err.splitlines() == [
        "train [##########..........] 2/4 steps, 6 s left, loss 1.0",
        "train [####################] 4/4 steps, 0 s left, loss 1.0",
    ]


def test_minutes_are_readable() -> None:
    progress = Progress("x", 100, "steps", clock=lambda: 0.0, done=10)
    assert progress.line(10.0).endswith("10/100 steps, 1 min 30 s left")
