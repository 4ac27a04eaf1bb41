"""A judge behind the server that transformers itself brings: nobody's stand-in, and a model that knows nothing."""

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.scorers import Score
from tests.fixtures.tiny import make_model

TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
NEEDED = ("openai", "fastapi", "uvicorn")
absent = [name for name in NEEDED if not importlib.util.find_spec(name)]
pytestmark = pytest.mark.skipif(bool(absent), reason=f"`transformers serve` needs {', '.join(absent)}")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a tiny random model that JUDGE_ENDPOINT serves."""
    folder = tmp_path / "umpire"
    make_model(folder, 1)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--host", "127.0.0.1",
               "--port", str(port), "--device", "cpu"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        monkeypatch.setenv("JUDGE_ENDPOINT", f"http://127.0.0.1:{port}/v1")
        deadline = time.monotonic() + 300
        while not answers(port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield str(folder)
        server.kill()


def answers(port: int) -> bool:
    """Whether the server is up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
            return True
    except OSError:
        return False


def test_a_model_that_knows_nothing_rates_nothing(served: str, ask: Callable[..., dict[str, list[Score]]]) -> None:
    model = {"model": served, "answer": "text", "reply_tokens": 16}
    for _ in range(2):
        ratings = ask("one text", "another", model=model, qps=50.0, in_flight=2, timeout=60.0)
        for scores in ratings.values():
            assert [one.score for one in scores] == [None, None]  # junk and half answers: no zero and no default
            assert all(one.error in ("CUT_OFF", "NOT_JSON", "NO_TEXT") for one in scores)
            assert all(one.permanent for one in scores)
    late = ask("a third", model=model, qps=50.0, in_flight=2, timeout=0.001, attempts=1)["a third"]
    assert [(one.score, one.permanent) for one in late] == [(None, False)] * 2
    assert {one.error for one in late} <= {"TIMEOUT", "CONNECTION"}
