"""What `palms status` makes of a graph, of recorded durations and of what runs."""

import time
from pathlib import Path

import pytest

from flows import schedule, status
from flows.dag import Stage, Survey
from tasks.runtime import durations
from tasks.runtime.launchers.files import Holder
from tasks.runtime.launchers.slurm import Slurm

FETCH, A = Stage("fetch@m", "fetch"), Stage("train@m-a", "train", ("fetch@m",))
B = Stage("train@m-b", "train", ("fetch@m",))
LAST = Stage("last", "last", ("train@m-a", "train@m-b"))
STAGES = (FETCH, A, B, LAST)
CHANGES = {"train@m-a": ["params.yaml: lr was modified"], "train@m-b": ["output b is missing", "input x is new"]}


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return Survey(tmp_path, STAGES, CHANGES, {})


def test_every_stage_is_one_of_four_kinds(survey: Survey) -> None:
    kinds = status.kinds_of(survey, {})
    assert kinds == {"fetch@m": "done", "train@m-a": "stale", "train@m-b": "missing", "last": "stale"}
    assert status.kinds_of(survey, {"train@m-a": status.Run(1.0)})["train@m-a"] == "running"


def test_reasons_are_told_once(survey: Survey) -> None:
    lines = status.reasons(survey, status.kinds_of(survey, {}), {stage.name for stage in STAGES})
    assert lines[0] == "params.yaml: lr was modified: train@m-a"
    assert lines[-1] == "waits for others of these: last"


def test_a_stage_that_never_ran_has_that_one_reason(survey: Survey) -> None:
    lines = status.reasons(survey, status.kinds_of(survey, {}), {"fetch@m", "train@m-a"})
    assert lines == ["params.yaml: lr was modified: train@m-a", "never ran: train@m-b, last"]


def test_many_reasons_fit_on_a_screen() -> None:
    stages = tuple(Stage(f"s@{number}", "s") for number in range(60))
    changes = {stage.name: [f"input {stage.name} is new", "input same was modified"] for stage in stages}
    survey = Survey(Path(), stages, changes, {})
    lines = status.reasons(survey, status.kinds_of(survey, {}), {stage.name for stage in stages})
    assert len(lines) == 13
    assert lines[1] == "input same was modified: s@0, s@1, s@2 and 57 more"


def test_time_is_that_of_last_time_or_of_its_like(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path))
    durations.record("train@m-a", 50.0)
    durations.record("train@m-a", 60.0)
    kinds = status.kinds_of(survey, {})
    rest = schedule.usual_seconds(STAGES[1:])
    assert rest == {"train@m-a": 60.0, "train@m-b": 60.0, "last": None}
    lines = status.table(STAGES, kinds, rest)
    assert lines[2].split() == ["train", "-", "-", "1", "1", "2", "min", "00", "s"]
    assert lines[3].split() == ["last", "-", "-", "1", "-", "not", "timed", "yet"]


def test_a_running_stage_is_told_with_its_job(tmp_path: Path) -> None:
    folder = tmp_path / ".dvc/tmp/jobs/0123456789ab"
    Holder.here("train@m-a.0123456789ab", Slurm()).announce(folder, 1)
    runs = status.running_stages(tmp_path, {"train@m-a": time.time() - 60.0, "train@m-b": time.time()})
    assert {name: run.job for name, run in runs.items()} == {"train@m-a": "train@m-a.0123456789ab", "train@m-b": ""}
    assert 60.0 <= runs["train@m-a"].seconds < 70.0
