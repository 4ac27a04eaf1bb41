"""A judge asked through the real client over a real server: each text ends rated, or null with the right reason."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tasks.raters.judge.rubric import case
from tasks.raters.judge.scorer import JudgeScorer, address_of
from tasks.runtime.errors import InputError, WorkError
from tasks.scorers import Question, Score
from tasks.scorers.store import Store
from tests.raters.judge.conftest import MODEL, RUBRIC, SETTINGS, SOURCES
from tests.support.judge_server import JudgeServer, true_rating

Serve = Callable[..., JudgeServer]
Ask = Callable[..., dict[str, list[Score]]]
OTHER = [f"a kind text, number {i}" for i in range(6)]
KEY = "sk-secret/key+123"


def both(text: str) -> list[Score]:
    """The rating of a text by the scale in each direction, as it was offered."""
    return [Score("ascending", float(true_rating(text))), Score("descending", float(6 - true_rating(text)))]


def test_a_query_is_what_the_protocol_wants(serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(key=KEY)
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    assert ask("one text")["one text"] == both("one text")
    first, second = server.queries
    assert first.line == "POST /v1/chat/completions HTTP/1.1"
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.body["temperature"] == 0
    assert first.body["max_tokens"] == 60
    assert first.body["model"] == "judge-model"
    schema = first.body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["rating"]["enum"] == [1, 2, 3, 4, 5, None]
    assert {first.turned, second.turned} == {False, True}


def test_nothing_is_asked_twice(serve: Serve, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve()
    first = ask(*OTHER)
    assert first == {text: both(text) for text in OTHER}
    said = re.search(r"12 queries, about (\d+) tokens in and at most 720 out, 1 s", capsys.readouterr().err)
    assert said
    assert int(said[1]) > 12 * len(RUBRIC.task) / 4
    assert ask(*OTHER) == first
    assert len(server.queries) == 12
    assert "asking" not in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"model": {"revision": "r2"}}, {"model": {"reply_tokens": 61}}])
def test_another_revision_or_rubric_is_another_judge(serve: Serve, ask: Ask, change: dict[str, object]) -> None:
    server = serve()
    ask("text")
    ask("text", **change)
    assert len(server.queries) == 4


@pytest.mark.parametrize(("fault", "reason"), {
    "status=429": "RATE_LIMITED", "status=429,0": "RATE_LIMITED", "status=500": "HTTP_500", "status=503,0": "HTTP_503",
    "reset": "CONNECTION", "close": "CONNECTION", "hang": "TIMEOUT", "drip": "TIMEOUT", "short": "CUT_SHORT",
    "truncated": "NOT_JSON", "html": "NOT_JSON", "html=502": "HTTP_502", "raw=": "NOT_JSON", "raw=[]": "WRONG_TYPE",
    "raw={}": "NO_CHOICE", 'raw={"choices": []}': "NO_CHOICE", 'raw={"choices": [{}]}': "NO_CHOICE",
    "error_in_answer": "ERROR_IN_ANSWER",
}.items())  # fmt: skip
def test_a_failure_is_asked_again_and_null_with_its_reason_if_it_stays(
    serve: Serve, ask: Ask, fault: str, reason: str
) -> None:
    server = serve(faults={"passes": [fault] * 2, "stays": [fault] * 99})
    quick = {"timeout": 0.3} if reason == "TIMEOUT" else {}
    ratings = ask(OTHER[0], "passes", "stays", *OTHER[1:], attempts=3, in_flight=1, **quick)
    assert ratings["passes"] == both("passes")
    assert [(one.score, one.error) for one in ratings["stays"]] == [(None, reason)] * 2
    assert all(ratings[text] == both(text) for text in OTHER)
    before = len(server.queries)
    server.behaviour.faults.clear()
    assert ask("stays", "passes", *OTHER)["stays"] == both("stays")  # a failure is not kept: it alone is asked again
    assert len(server.queries) == before + 2


JUNK = {
    "content=I would say four.": "NOT_JSON", "content=": "NO_TEXT", "cut": "CUT_OFF", "refusal": "REFUSED",
    "filtered": "REFUSED", "content=4": "NO_RATING", "content=[4]": "NO_RATING", 'content={"reason": "x"}': "NO_RATING",
    'content={"rating": "4"}': "WRONG_TYPE", 'content={"rating": true}': "WRONG_TYPE",
    'content={"rating": 4.5}': "WRONG_TYPE", 'content={"rating": 0}': "OUT_OF_SCALE",
    'content={"rating": 6}': "OUT_OF_SCALE", 'content={"rating": NaN}': "WRONG_TYPE",
    'content={"rating": 1, "rating": 5}': "NOT_JSON", 'content={"rating": 4} or maybe {"rating": 2}': "NOT_JSON",
    'content={"rating": null, "reason": "no text"}': "CANNOT_JUDGE", "content=" + "[" * 50_000: "NOT_JSON",
}  # fmt: skip


@pytest.mark.parametrize(("fault", "reason"), JUNK.items(), ids=[key[:30] for key in JUNK])
def test_a_reply_without_a_rating_is_kept_and_null(
    serve: Serve, ask: Ask, store: Store, fault: str, reason: str
) -> None:
    server = serve(faults={"bad": [fault] * 99})
    for _ in range(2):
        assert [(one.score, one.error) for one in ask("bad")["bad"]] == [(None, reason)] * 2
    assert len(server.queries) == 2  # at temperature 0 it would say the same again
    assert [json.loads(kept["raw"])["model"] for kept in store.answers()] == ["judge-model"] * 2


def test_a_fence_around_the_whole_reply_is_no_junk(serve: Serve, ask: Ask) -> None:
    serve(faults={"fenced": ['content=```json\n{"rating": 2, "reason": "x"}\n```'] * 2})
    assert [one.score for one in ask("fenced")["fenced"]] == [2.0, 2.0]


def test_a_text_that_the_service_cannot_take_is_null_for_good(serve: Serve, ask: Ask) -> None:
    server = serve(faults={"long": ["refuse_text=context_length_exceeded"] * 99})
    for _ in range(2):
        assert [one.error for one in ask("long")["long"]] == ["CONTEXT_LENGTH_EXCEEDED"] * 2
    assert len(server.queries) == 2


def test_a_form_that_the_service_does_not_know_spoils_nothing(serve: Serve, ask: Ask) -> None:
    server = serve(always="refuse_text=unsupported_value")
    with pytest.raises(WorkError, match=r"3 texts in a row got no rating, the last for UNSUPPORTED_VALUE \(400"):
        ask(*OTHER, give_up_after=3, in_flight=1)
    server.behaviour.always = None
    assert ask(*OTHER) == {text: both(text) for text in OTHER}


def test_a_judge_that_only_talks_is_given_up_and_what_it_said_is_kept(serve: Serve, ask: Ask, store: Store) -> None:
    server = serve(always="content=Well, it depends.")
    with pytest.raises(WorkError, match="4 texts in a row got no rating, the last for NOT_JSON"):
        ask(*OTHER, give_up_after=4, in_flight=1)
    assert len(server.queries) == len(list(store.answers())) == 4


@pytest.mark.parametrize(("behaviour", "message"), [
    ({"always": "denied"}, "JUDGE_API_KEY: the service refused the key: 401"),
    ({"key": "another"}, "JUDGE_API_KEY: the service refused the key: 401 invalid_api_key"),
    ({"always": "status=403"}, "JUDGE_API_KEY: the service refused the key: 403"),
    ({"always": "status=404"}, "JUDGE_ENDPOINT: no such model, or no OpenAI-compatible service there: 404"),
    ({"always": "redirect=https://elsewhere/"}, "JUDGE_ENDPOINT: no such model"),
])  # fmt: skip
def test_a_refused_key_or_address_stops_at_the_first_query(
    serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, str], message: str
) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    server = serve(**behaviour)
    with pytest.raises(InputError, match=message) as caught:
        ask(*OTHER)
    assert len(server.queries) == 1
    assert KEY not in str(caught.value)


def test_a_model_that_is_not_there_is_said(serve: Serve, ask: Ask) -> None:
    serve()
    with pytest.raises(InputError, match=r"no such model.*The model other does not exist"):
        ask("text", model={"model": "other"})


def test_an_account_without_money_ends_the_run(serve: Serve, ask: Ask) -> None:
    server = serve(faults={OTHER[1]: ["status=402"]})
    with pytest.raises(WorkError, match="this key is answered no more: 402"):
        ask(*OTHER, in_flight=1)
    ask(*OTHER)
    assert server.asked(OTHER[0]) == 2  # once in each direction


def test_a_relative_that_answers_in_the_judges_name_is_refused_at_once(serve: Serve, ask: Ask) -> None:
    server = serve(model="Tiny-70B-Chat")
    with pytest.raises(InputError, match="'Tiny-70B-Chat' answered, which is tiny"):
        ask(*OTHER)
    assert len(server.queries) == 1


def test_what_may_cost_more_than_is_allowed_is_not_begun(serve: Serve, ask: Ask) -> None:
    server = serve()
    with pytest.raises(InputError, match=r"judge.max_tokens: 500 allowed, \d+ may be needed: .*12 queries"):
        ask(*OTHER, max_tokens=500)
    assert not server.queries


def test_what_costs_more_than_was_reckoned_is_ended(serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.raters.judge.scorer.BYTES_PER_TOKEN", 1e9)  # a reckoning that is far too low
    server = serve()
    with pytest.raises(WorkError, match=r"judge.max_tokens: 880 tokens are spent; what was answered is kept"):
        ask(*OTHER, max_tokens=800, in_flight=1, model={"reply_tokens": 10})
    ask(*OTHER, max_tokens=800, in_flight=1, model={"reply_tokens": 10})
    assert len(server.queries) == 12


@pytest.mark.parametrize(("key", "url", "message"), [
    ("", "", "JUDGE_ENDPOINT is not set"),
    ("two words", "http://127.0.0.1:1/v1", "JUDGE_API_KEY: a key is one word"),
    ("secret", "http://192.0.2.1/v1", "JUDGE_ENDPOINT: a key is not sent over plain http"),
    ("", "ftp://x/", "JUDGE_ENDPOINT: expected a URL"),
    ("", "https://x/v1?key=1", "JUDGE_ENDPOINT: expected a URL"),
])  # fmt: skip
def test_key_and_address_are_looked_at_before_anything_is_asked(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, key: str, url: str, message: str
) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", key)
    monkeypatch.setenv("JUDGE_ENDPOINT", url)
    with pytest.raises(InputError, match=message):
        ask("text")


def test_no_key_is_shown_to_a_service_that_it_is_not_of(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = replace(MODEL, base_url="https://one.example/v1"), replace(MODEL, base_url="https://two.example/v1")
    assert address_of("a", {"a": one, "b": one}).variable == "JUDGE_API_KEY"
    assert address_of("a", {"a": one, "b": two}).variable == "JUDGE_A_API_KEY"
    monkeypatch.setenv("JUDGE_A_API_KEY", "x")
    assert address_of("a", {"a": one}).variable == "JUDGE_A_API_KEY"


def test_the_key_is_not_kept(serve: Serve, ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(faults={"text": ["echo"] * 2})
    monkeypatch.setenv("JUDGE_API_KEY", KEY)
    ask("text")
    kept = [row["raw"] for row in store.answers()]
    assert len(kept) == 2
    assert not any(KEY in raw or "sk-secret" in raw for raw in kept)


def test_the_cost_of_one_query_is_said() -> None:
    scorer = JudgeScorer("umpire", SETTINGS, RUBRIC, SOURCES)
    assert "1 query, about" in scorer.cost([Question(case("", "", ""), ("ascending",))])
