"""What the command line prints of a sweep."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.console import Console

ROOT = Path(__file__).parents[2]
BAR = "toxicity [####................] 1/5 texts, 2 s left"


@pytest.mark.parametrize(
    ("shown", "verbose", "printed"),
    [
        (False, True, ""),
        (True, False, "[1/2] a done\na@b [####................] 1/5 texts, 2 s left\n"),
        (True, True, "[1/2] a done\na@b [####................] 1/5 texts, 2 s left\na@b: a line\n"),
    ],
)
def test_own_lines_bars_and_all(shown: bool, verbose: bool, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.shown, console.verbose = shown, verbose
    console.say("[1/2] a done")
    console.stage_says("a@b", BAR)
    console.stage_says("a@b", "a line")
    assert capsys.readouterr().out == printed


def test_a_sweep_goes_on_when_nobody_reads() -> None:
    code = """
import sys
from flows.console import console
console.shown = True
sys.stdin.readline()
for number in range(3):
    console.say(str(number))
print("went on", file=sys.stderr)
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.stderr.read() == b"went on\n"
    assert process.returncode == 0
