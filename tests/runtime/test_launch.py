"""How a stage's threads wait: set before OpenMP is loaded, and left alone where the user has chosen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runtime import launch

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, launch.WAITING),
        ({"OMP_WAIT_POLICY": "", "GOMP_SPINCOUNT": ""}, launch.WAITING),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {}),
        ({"GOMP_SPINCOUNT": "7"}, {}),
    ],
)
def test_the_users_choice_stays(
    chosen: dict[str, str], expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*launch.CHOICES, "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    environment = launch.environment()
    assert int(environment.pop("OMP_NUM_THREADS")) == launch.threads()
    assert environment == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch brings GNU's OpenMP on Linux alone")
def test_openmp_has_read_it_when_a_stage_imports_torch() -> None:
    neutral = {name: value for name, value in os.environ.items() if name not in launch.CHOICES}
    command = [sys.executable, "-m", "tasks", "generate", "--help"]
    run = subprocess.run(
        command, cwd=ROOT, env={**neutral, "OMP_DISPLAY_ENV": "VERBOSE"}, capture_output=True, text=True, check=True
    )
    displayed = dict(re.findall(r"(\w+) = '(.*)'", run.stderr))
    assert {name: displayed[name] for name in launch.WAITING} == launch.WAITING
