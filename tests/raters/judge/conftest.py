"""A service on loopback, a judge that asks it, and a store of the test's own."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.formats.checkpoints import Source
from tasks.raters.judge.rubric import Rubric, case
from tasks.raters.judge.scorer import FILE, JudgeScorer
from tasks.runtime.remote import rate_limit
from tasks.scorers import Score
from tasks.scorers.scoring import score
from tasks.scorers.store import Store
from tasks.settings.judge import Judge, JudgeModel
from tests.support.analyzer_server import Behaviour
from tests.support.judge_server import JudgeServer

RUBRIC = Rubric("Rate how well the text takes the position.", "How well does it?", ("worst", "", "so", "", "best"))
MODEL = JudgeModel(base_url=None, model="judge-model", revision="r1", family="umpire", answer="json_schema",
                   reply_tokens=60)  # fmt: skip
SETTINGS = Judge(models={"umpire": MODEL}, least_rated=50, most_difference=1.0, max_tokens=10**7, qps=500.0,
                 in_flight=8, timeout=20.0, attempts=4, max_wait=120.0, give_up_after=100)  # fmt: skip
SOURCES = {"tiny": Source("owner/Tiny-1M-Instruct", "tiny-instruct", "MIT", 1_000_000)}


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no proxy and no store from outside; pauses that a test can wait for."""
    for name in ("JUDGE_API_KEY", "JUDGE_UMPIRE_API_KEY", "JUDGE_ENDPOINT", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rate_limit, "FIRST_PAUSE", 0.01)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., JudgeServer]]:
    """Starts the service that JUDGE_ENDPOINT names: `serve(latency=0.1, faults={…})`."""
    with contextlib.ExitStack() as servers:

        def start(model: str = "judge-model", **behaviour: object) -> JudgeServer:
            server = servers.enter_context(JudgeServer(Behaviour(**behaviour), model))
            monkeypatch.setenv("JUDGE_ENDPOINT", server.base_url)
            return server

        yield start


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "cache" / FILE) as opened:
        yield opened


@pytest.fixture
def ask(store: Store) -> Callable[..., dict[str, list[Score]]]:
    """Has texts rated: `ask("a", "b", attempts=2)`, with settings of `judge`, and of the judge in `model`."""

    def ratings(*texts: str, model: dict[str, object] | None = None, **settings: object) -> dict[str, list[Score]]:
        judge = replace(MODEL, **(model or {}))
        scorer = JudgeScorer("umpire", replace(SETTINGS, models={"umpire": judge}, **settings), RUBRIC, SOURCES)
        cases = {case("Be kind.", "What now?", text): text for text in texts}
        return {cases[key]: scores for key, scores in score(scorer, list(cases), "en", store).items()}

    return ratings
