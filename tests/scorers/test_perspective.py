"""The scorer `perspective` against a real HTTP server on loopback, through the real client."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from filelock import FileLock

from tasks.runtime.errors import InputError, WorkError
from tasks.scorers import Score, open_scorer
from tasks.scorers.scoring import score
from tasks.scorers.store import Store
from tasks.settings.toxicity import Toxicity
from tests.support.analyzer_server import AnalyzerServer, true_score

Serve = Callable[..., AnalyzerServer]
OTHER = [f"a kind text, number {i}" for i in range(6)]


def ask(settings: Toxicity, store: Store, *texts: str, language: str = "en") -> dict[str, list[Score]]:
    return score(open_scorer(settings), texts, language, store)


def test_scores_are_those_of_the_service(serve: Serve, settings: Toxicity, store: Store) -> None:
    server = serve()
    found = ask(settings, store, *OTHER)
    assert found == {t: [Score(a, true_score(t, a)) for a in ("TOXICITY", "INSULT")] for t in OTHER}
    assert len(server.queries) == len(OTHER)


def test_a_query_is_what_the_protocol_wants(
    serve: Serve, settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(key="secret-key-123")
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret-key-123")
    ask(settings, store, "one text", language="ar")
    (query,) = server.queries
    assert query.line == "POST /v1alpha1/comments:analyze?alt=json HTTP/1.1"
    assert query.headers["x-goog-api-key"] == "secret-key-123"
    assert query.body == {
        "comment": {"text": "one text", "type": "PLAIN_TEXT"},
        "requestedAttributes": {"TOXICITY": {}, "INSULT": {}},
        "languages": ["ar"],
        "doNotStore": True,
    }


def test_a_permanent_refusal_is_neither_asked_again_nor_paid_twice(
    serve: Serve, settings: Toxicity, store: Store
) -> None:
    server = serve(faults={"bad": ["refuse_text=COMMENT_TOO_LONG"] * 9})
    one = replace(settings, perspective=replace(settings.perspective, attributes=("TOXICITY",)))
    for _ in range(2):
        assert [s.error for s in ask(settings, store, "bad")["bad"]] == ["COMMENT_TOO_LONG"] * 2
        found = ask(one, store, "un texte", language="fr")["un texte"]
        assert [s.error for s in found] == ["LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"]
    assert [query.text for query in server.queries] == ["bad", "un texte"]


def test_an_attribute_that_the_service_lacks_spoils_nothing(serve: Serve, settings: Toxicity, store: Store) -> None:
    server = serve()
    wrong = replace(settings.perspective, attributes=("TOXICITY", "TOXICTY"), give_up_after=3, in_flight=1)
    with pytest.raises(WorkError, match=r"3 texts in a row .* INVALID_ARGUMENT .*Unknown requested attribute.*TOXICTY"):
        ask(replace(settings, perspective=wrong), store, *OTHER)
    assert len(server.queries) <= 4
    found = ask(settings, store, *OTHER)  # the service refused the pair, and not TOXICITY of these texts
    assert found == {t: [Score(a, true_score(t, a)) for a in ("TOXICITY", "INSULT")] for t in OTHER}


@pytest.mark.parametrize("kind", ["half \ud83d", "two words", "x" * 99, "lower"])
def test_a_refusal_in_strange_words_is_called_by_its_status(
    serve: Serve, settings: Toxicity, store: Store, kind: str
) -> None:
    serve(faults={"bad": [f"refuse_text={kind}"]})
    assert [s.error for s in ask(settings, store, "bad")["bad"]] == ["INVALID_ARGUMENT"] * 2


def test_what_the_service_calls_empty_is_empty(serve: Serve, settings: Toxicity, store: Store) -> None:
    serve()
    assert [s.error for s in ask(settings, store, "\u200b")["\u200b"]] == ["EMPTY"] * 2


@pytest.mark.parametrize("fault", ["refuse=", "status=401", "status=404", "status=405", "redirect=https://elsewhere/"])
def test_a_refused_key_or_address_stops_at_the_first_query(
    serve: Serve, settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret-key-123")
    server = serve(always=fault, latency=0.1)
    with pytest.raises(InputError, match=r"PERSPECTIVE_(API_KEY|ENDPOINT)") as caught:
        ask(settings, store, *OTHER)
    assert len(server.queries) == 1
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_invalid_key_stops_at_the_first_query(
    serve: Serve, settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(key="another", latency=0.1)
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret-key-123")
    with pytest.raises(InputError, match="PERSPECTIVE_API_KEY: the service refused the key: 400") as caught:
        ask(settings, store, *OTHER)
    assert len(server.queries) == 1
    assert "secret" not in str(caught.value)


def test_a_key_that_is_revoked_in_the_middle_stops_the_rest(serve: Serve, settings: Toxicity, store: Store) -> None:
    texts = [f"text {i}" for i in range(200)]
    server = serve(faults={"text 20": ["refuse="] * 9}, latency=0.01)
    with pytest.raises(InputError, match="refused the key"):
        ask(settings, store, *texts)
    asked = len(server.queries)
    assert asked < 60
    time.sleep(0.2)
    assert len(server.queries) <= asked + settings.perspective.in_flight
    server.behaviour.faults.clear()
    ask(settings, store, *texts)
    assert sorted(server.answered) == sorted(texts)  # what was under way when it stopped was kept too


def test_the_key_must_be_there_before_anything_is_asked(
    settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="PERSPECTIVE_API_KEY is not set"):
        ask(settings, store, "text")
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret\tkey")
    with pytest.raises(InputError, match="one word of plain ASCII") as caught:
        ask(settings, store, "text")
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("PERSPECTIVE_API_KEY", "secret")
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", "http://192.0.2.1/")
    with pytest.raises(InputError, match="not sent over plain http"):
        ask(settings, store, "text")


@pytest.mark.parametrize("url", ["ftp://x/", "x", "https://u:p@x/", "https://x/?key=1", "https://"])
def test_a_wrong_address_is_refused(
    settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", url)
    with pytest.raises(InputError, match="PERSPECTIVE_ENDPOINT"):
        ask(settings, store, "text")


def test_nothing_is_asked_where_everything_is_stored(
    serve: Serve, settings: Toxicity, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    first = ask(settings, store, *OTHER)
    assert "asking v1alpha1 127.0.0.1" in capsys.readouterr().err
    assert ask(settings, store, *OTHER) == first
    assert len(server.queries) == len(OTHER)
    assert "asking" not in capsys.readouterr().err


def test_a_further_attribute_is_asked_for_alone(serve: Serve, settings: Toxicity, store: Store) -> None:
    server = serve()
    ask(settings, store, "text")
    more = replace(settings.perspective, attributes=("TOXICITY", "INSULT", "THREAT"))
    found = ask(replace(settings, perspective=more), store, "text")
    assert found["text"] == [Score(a, true_score("text", a)) for a in more.attributes]
    assert list(server.queries[1].body["requestedAttributes"]) == ["THREAT"]


def test_the_cost_is_said_before_the_first_query(
    serve: Serve, settings: Toxicity, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(always="refuse=")
    with pytest.raises(InputError):
        ask(replace(settings, perspective=replace(settings.perspective, qps=0.05)), store, *OTHER)
    assert re.search(r"asking v1alpha1 127.0.0.1:\d+: 6 queries, 2 min 00 s at 0.05 a second", capsys.readouterr().err)


def test_nobody_at_the_address_ends_the_run(settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", "http://127.0.0.1:9/")
    some = replace(settings.perspective, give_up_after=3)
    with pytest.raises(WorkError, match="the last for CONNECTION"):
        ask(replace(settings, perspective=some), store, *OTHER)


def test_another_address_is_another_scorer(settings: Toxicity, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_scorer(settings).version() == "v1alpha1 commentanalyzer.googleapis.com"
    monkeypatch.setenv("PERSPECTIVE_ENDPOINT", "https://toxicity.example/api")
    assert open_scorer(settings).version() == "v1alpha1 toxicity.example/api"


def test_no_more_queries_in_a_second_than_allowed(serve: Serve, settings: Toxicity, store: Store) -> None:
    server = serve(latency=0.05)
    paced = replace(settings.perspective, qps=20.0)
    ask(replace(settings, perspective=paced), store, *[f"text {i}" for i in range(45)])
    times = sorted(query.at for query in server.queries)
    assert max(sum(start <= t < start + 1 for t in times) for start in times) <= 20
    assert 44 / (times[-1] - times[0]) >= 0.9 * 20  # the benchmark measures this without a test suite beside it


def test_a_run_that_waited_for_another_does_not_add_to_its_last_second(
    serve: Serve, settings: Toxicity, store: Store
) -> None:
    server, held, released = serve(), threading.Event(), []

    def other() -> None:
        with FileLock(store.path.with_name("perspective.lock")):
            held.set()
            time.sleep(0.2)
            released.append(time.monotonic())  # it may have sent a second's worth of queries just now

    threading.Thread(target=other).start()
    held.wait()
    ask(settings, store, "text")
    assert server.queries[0].at - released[0] >= 1.0


def test_a_connection_that_the_service_closed_meanwhile_costs_no_attempt(
    serve: Serve, settings: Toxicity, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.setattr(server.RequestHandlerClass, "timeout", 0.1)  # idle connections are closed
    slow = replace(settings.perspective, qps=4.0, in_flight=1, attempts=1)
    found = ask(replace(settings, perspective=slow), store, *OTHER[:4])
    assert all(scores[0].score is not None for scores in found.values())
    assert len(server.queries) == 4
