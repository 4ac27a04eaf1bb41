"""A service on loopback, settings for it, and a store of the test's own."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.runtime import config
from tasks.runtime.remote import rate_limit
from tasks.scorers import Score, open_scorer
from tasks.scorers.scoring import score
from tasks.scorers.store import FILE, Store
from tasks.settings.toxicity import Toxicity
from tests.support.analyzer_server import AnalyzerServer, Behaviour

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no proxy and no store from outside; pauses that a test can wait for."""
    for name in ("PERSPECTIVE_API_KEY", "PERSPECTIVE_ENDPOINT", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PALMS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # small models lose more than they gain by more
    monkeypatch.setattr(rate_limit, "FIRST_PAUSE", 0.01)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AnalyzerServer]]:
    """Starts the service that PERSPECTIVE_ENDPOINT names: `serve(latency=0.1, faults={…})`."""
    with contextlib.ExitStack() as servers:

        def start(**behaviour: object) -> AnalyzerServer:
            server = servers.enter_context(AnalyzerServer(Behaviour(**behaviour)))
            monkeypatch.setenv("PERSPECTIVE_ENDPOINT", server.url)
            return server

        yield start


@pytest.fixture(scope="session")
def settings() -> Toxicity:
    """params.yaml's section, with a quota and limits for tests; the time-out is long, since machines are busy."""
    section = config.section(config.read_params(REPOSITORY / "params.yaml"), "toxicity", Toxicity)
    fast = replace(section.perspective, qps=500.0, timeout=20.0, attempts=4, in_flight=8, give_up_after=100)
    return replace(section, scorer="perspective", perspective=replace(fast, attributes=("TOXICITY", "INSULT")))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "cache" / FILE) as opened:
        yield opened


@pytest.fixture
def ask(settings: Toxicity, store: Store) -> Callable[..., dict[str, list[Score]]]:
    """Scores texts by the service: `ask("a", "b", attempts=2)`, with settings of `toxicity.perspective`."""

    def scores(*texts: str, language: str = "en", **perspective: object) -> dict[str, list[Score]]:
        changed = replace(settings.perspective, **perspective)
        return score(open_scorer(replace(settings, perspective=changed)), texts, language, store)

    return scores
