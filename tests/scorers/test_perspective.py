"""The scorer `perspective` against a real HTTP server on loopback, through the real client."""

import re
import threading
import time
from collections.abc import Callable
from types import ModuleType

import httplib2  # type: ignore[import-untyped]
import pytest
from filelock import FileLock

from tasks.runtime.errors import InputError, WorkError
from tasks.scorers import Score, open_scorer
from tasks.scorers.store import Store
from tasks.settings.toxicity import Toxicity
from tests.support.analyzer_server import AnalyzerServer, true_score
from tests.support.refusing_proxy import refusing_proxy

Serve = Callable[..., AnalyzerServer]
Ask = Callable[..., dict[str, list[Score]]]
OTHER = [f"a kind text, number {i}" for i in range(6)]


def test_a_query_is_what_the_protocol_wants(serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(key="secret-key-123")
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret-key-123")
    ask("one text", language="ar")
    (query,) = server.queries
    assert query.line == "POST /v1alpha1/comments:analyze?alt=json HTTP/1.1"
    assert query.headers["x-goog-api-key"] == "secret-key-123"
    assert query.body == {
        "comment": {"text": "one text", "type": "PLAIN_TEXT"},
        "requestedAttributes": {"TOXICITY": {}, "INSULT": {}},
        "languages": ["ar"],
        "doNotStore": True,
    }


def test_a_service_on_loopback_is_asked_past_every_proxy(
    serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_proxy() as proxy:
        for name, value in proxy.environ().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(httplib2, "socks", httplib2.socks or ModuleType("socks"))  # without it no proxy is used
        serve()
        assert ask("text")["text"] == [Score(a, true_score("text", a)) for a in ("TOXICITY", "INSULT")]
        assert proxy.asked == []


def test_a_permanent_refusal_is_neither_asked_again_nor_paid_twice(serve: Serve, ask: Ask) -> None:
    server = serve(faults={"bad": ["refuse_text=COMMENT_TOO_LONG"] * 9})
    for _ in range(2):
        assert [s.error for s in ask("bad")["bad"]] == ["COMMENT_TOO_LONG"] * 2
        scores = ask("un texte", language="fr", attributes=("TOXICITY",))["un texte"]
        assert [s.error for s in scores] == ["LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"]
    assert [query.text for query in server.queries] == ["bad", "un texte"]


def test_an_attribute_that_the_service_lacks_spoils_nothing(serve: Serve, ask: Ask) -> None:
    server = serve()
    with pytest.raises(WorkError, match=r"3 texts in a row .* INVALID_ARGUMENT .*Unknown requested attribute.*TOXICTY"):
        ask(*OTHER, attributes=("TOXICITY", "TOXICTY"), give_up_after=3, in_flight=1)
    assert len(server.queries) <= 4
    scores = ask(*OTHER)  # the service refused the pair, and not TOXICITY of these texts
    assert scores == {t: [Score(a, true_score(t, a)) for a in ("TOXICITY", "INSULT")] for t in OTHER}


@pytest.mark.parametrize("kind", ["half \ud83d", "two words", "x" * 99, "lower"])
def test_a_refusal_in_strange_words_is_called_by_its_status(serve: Serve, ask: Ask, kind: str) -> None:
    serve(faults={"bad": [f"refuse_text={kind}"]})
    scores = ask("bad", "\u200b")
    assert [s.error for s in scores["bad"]] == ["INVALID_ARGUMENT"] * 2
    assert [s.error for s in scores["\u200b"]] == ["EMPTY"] * 2  # the service's COMMENT_EMPTY


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"always": "refuse="}, "PERSPECTIVE_API_KEY: the service refused the key: 403"),
        ({"always": "status=401"}, "PERSPECTIVE_API_KEY: the service refused the key: 401"),
        ({"key": "another"}, "PERSPECTIVE_API_KEY: the service refused the key: 400"),
        ({"always": "status=404"}, "PERSPECTIVE_ENDPOINT: no Comment Analyzer there: 404"),
        ({"always": "status=405"}, "PERSPECTIVE_ENDPOINT: no Comment Analyzer there: 405"),
        ({"always": "redirect=https://elsewhere/"}, "PERSPECTIVE_ENDPOINT: no Comment Analyzer there: 308"),
    ],
)
def test_a_refused_key_or_address_stops_at_the_first_query(
    serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, str], message: str
) -> None:
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret-key-123")
    server = serve(**behaviour, latency=0.1)
    with pytest.raises(InputError, match=message) as caught:
        ask(*OTHER)
    assert len(server.queries) == 1
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_key_that_is_revoked_in_the_middle_stops_the_rest(serve: Serve, ask: Ask, settings: Toxicity) -> None:
    texts = [f"text {i}" for i in range(200)]
    server = serve(faults={"text 20": ["refuse="] * 9}, latency=0.01)
    with pytest.raises(InputError, match="refused the key"):
        ask(*texts)
    asked = len(server.queries)
    assert asked < 60
    time.sleep(0.2)
    assert len(server.queries) <= asked + settings.perspective.in_flight
    server.behaviour.faults.clear()
    ask(*texts)
    assert sorted(server.answered) == sorted(texts)  # what was under way when it stopped was kept too


@pytest.mark.parametrize(
    ("key", "url", "message"),
    [
        ("", "", "PERSPECTIVE_API_KEY is not set"),
        ("secret\tkey", "", "PERSPECTIVE_API_KEY: a key is one word of plain ASCII"),
        ("secret", "http://192.0.2.1/", "PERSPECTIVE_ENDPOINT: a key is not sent over plain http"),
        *[
            ("", url, "PERSPECTIVE_ENDPOINT")
            for url in ("ftp://x/", "x", "https://u:p@x/", "https://x/?key=1", "https://")
        ],
    ],
)
def test_key_and_address_are_looked_at_before_anything_is_asked(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, key: str, url: str, message: str
) -> None:
    monkeypatch.setenv("PERSPECTIVE_API_KEY", key)
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", url)
    with pytest.raises(InputError, match=message) as caught:
        ask("text")
    assert "secret" not in str(caught.value)


def test_scores_are_those_of_the_service_and_asked_for_once(
    serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    first = ask(*OTHER)
    assert first == {t: [Score(a, true_score(t, a)) for a in ("TOXICITY", "INSULT")] for t in OTHER}
    assert "asking v1alpha1 127.0.0.1" in capsys.readouterr().err
    assert ask(*OTHER) == first
    assert len(server.queries) == len(OTHER)
    assert "asking" not in capsys.readouterr().err


def test_a_further_attribute_is_asked_for_alone(serve: Serve, ask: Ask) -> None:
    server = serve()
    ask("text")
    more = ("TOXICITY", "INSULT", "THREAT")
    assert ask("text", attributes=more)["text"] == [Score(a, true_score("text", a)) for a in more]
    assert list(server.queries[1].body["requestedAttributes"]) == ["THREAT"]


def test_the_cost_is_said_before_the_first_query(serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    serve(always="refuse=")
    with pytest.raises(InputError):
        ask(*OTHER, qps=0.05)
    assert re.search(r"asking v1alpha1 127.0.0.1:\d+: 6 queries, 2 min 00 s at 0.05 a second", capsys.readouterr().err)


def test_nobody_at_the_address_ends_the_run(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", "http://127.0.0.1:9/")
    with pytest.raises(WorkError, match="the last for CONNECTION"):
        ask(*OTHER, give_up_after=3)


def test_another_address_is_another_scorer(settings: Toxicity, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_scorer(settings).version() == "v1alpha1 commentanalyzer.googleapis.com"
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", "https://toxicity.example/api")
    assert open_scorer(settings).version() == "v1alpha1 toxicity.example/api"


def test_no_more_queries_in_a_second_than_allowed(serve: Serve, ask: Ask) -> None:
    server = serve(latency=0.05)
    ask(*[f"text {i}" for i in range(45)], qps=20.0)
    times = sorted(query.at for query in server.queries)
    assert max(sum(start <= t < start + 1 for t in times) for start in times) <= 20
    assert 44 / (times[-1] - times[0]) >= 0.9 * 20  # the benchmark measures this without a test suite beside it


def test_a_run_that_waited_for_another_does_not_add_to_its_last_second(serve: Serve, ask: Ask, store: Store) -> None:
    server, held, released = serve(), threading.Event(), []

    def other() -> None:
        with FileLock(store.path.with_name("perspective.lock")):
            held.set()
            time.sleep(0.2)
            released.append(time.monotonic())  # it may have sent a second's worth of queries just now

    threading.Thread(target=other).start()
    held.wait()
    ask("text")
    assert server.queries[0].at - released[0] >= 1.0


def test_a_connection_that_the_service_closed_meanwhile_costs_no_attempt(
    serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.setattr(server.RequestHandlerClass, "timeout", 0.1)  # idle connections are closed
    answers = ask(*OTHER[:4], qps=4.0, in_flight=1, attempts=1)
    assert all(scores[0].score is not None for scores in answers.values())
    assert len(server.queries) == 4
