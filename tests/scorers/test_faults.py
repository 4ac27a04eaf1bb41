"""The service misbehaves in every way we know of: each text ends scored, or null with the right reason."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from tasks.runtime.errors import WorkError
from tasks.scorers import Score
from tests.support.analyzer_server import AnalyzerServer, true_score

Serve = Callable[..., AnalyzerServer]
Ask = Callable[..., dict[str, list[Score]]]
OTHER = [f"a kind text, number {i}" for i in range(6)]


TRANSIENT = {  # fault → reason
    "status=429": "RATE_LIMITED",
    "status=429,0": "RATE_LIMITED",
    "status=429,Wed, 21 Oct 2015 07:28:00 GMT": "RATE_LIMITED",
    "refuse=RATE_LIMIT_EXCEEDED": "RATE_LIMITED",
    "status=408": "HTTP_408",
    "status=500": "HTTP_500",
    "status=503": "HTTP_503",
    "status=503,0": "HTTP_503",
    "reset": "CONNECTION",
    "close": "CONNECTION",
    "hang": "TIMEOUT",
    "drip": "TIMEOUT",
    "short": "CUT_SHORT",
    "truncated": "NOT_JSON",
    "html": "NOT_JSON",
    "html=502": "HTTP_502",
    "raw=\udcff": "NOT_JSON",  # not UTF-8
    "raw=": "NOT_JSON",
    "raw=" + "[" * 100_000: "NOT_JSON",
}
IDS = [fault.encode("ascii", "backslashreplace").decode()[:20] for fault in TRANSIENT]


def short_timeout(fault: str) -> dict[str, float]:
    """A setting for a fault that ends by it."""
    return {"timeout": 0.3} if TRANSIENT.get(fault) == "TIMEOUT" else {}


@pytest.mark.parametrize(("fault", "reason"), TRANSIENT.items(), ids=IDS)
def test_a_failure_is_asked_again_and_null_with_its_reason_if_it_stays(
    serve: Serve, ask: Ask, fault: str, reason: str
) -> None:
    server = serve(faults={"passes": [fault] * 2, "stays": [fault] * 99})
    scores = ask(OTHER[0], "passes", "stays", *OTHER[1:], attempts=3, **short_timeout(fault))
    assert scores["passes"] == [Score(a, true_score("passes", a)) for a in ("TOXICITY", "INSULT")]
    assert [(s.score, s.error) for s in scores["stays"]] == [(None, reason)] * 2
    assert server.asked("passes") == server.asked("stays") == 3
    assert all(scores[text][0].score == true_score(text, "TOXICITY") for text in OTHER)
    server.behaviour.faults.clear()
    again = ask("stays", "passes", *OTHER)  # a failure is not stored: another run asks for this text only
    assert again["stays"][0].score == true_score("stays", "TOXICITY")
    assert server.asked("stays") == 4
    assert all(server.asked(text) == 1 for text in OTHER)


MALFORMED = {
    "missing": "MISSING_ATTRIBUTE", 'value="0.5"': "WRONG_TYPE", "value=true": "WRONG_TYPE", "value=null": "WRONG_TYPE",
    "value=[0.5]": "WRONG_TYPE", "value=NaN": "NOT_A_NUMBER", "value=Infinity": "NOT_A_NUMBER",
    "value=1.0001": "OUT_OF_RANGE", "value=-0.1": "OUT_OF_RANGE", "value=1e999": "NOT_A_NUMBER",
    "value=1" + "0" * 400: "OUT_OF_RANGE",
}  # fmt: skip


@pytest.mark.parametrize(("fault", "reason"), MALFORMED.items(), ids=[key[:20] for key in MALFORMED])
def test_a_malformed_score_is_asked_again_and_null_beside_its_neighbours_if_it_stays(
    serve: Serve, ask: Ask, fault: str, reason: str
) -> None:
    server = serve(faults={"passes": [fault] * 2, "stays": [fault] * 99})
    scores = ask("passes", "stays", *OTHER, attempts=3)
    assert scores["passes"] == [Score(a, true_score("passes", a)) for a in ("TOXICITY", "INSULT")]
    insult = Score("INSULT", true_score("stays", "INSULT"))
    assert scores["stays"] == [Score("TOXICITY", None, reason, permanent=False), insult]
    assert server.asked("passes") == server.asked("stays") == 3
    server.behaviour.faults.clear()
    assert ask("stays", *OTHER)["stays"][0].score == true_score("stays", "TOXICITY")
    assert list(server.queries[-1].body["requestedAttributes"]) == ["TOXICITY"]  # the sound one is stored


@pytest.mark.parametrize("body", ["[]", "3", "null", '"x"', '{"attributeScores": []}', '{"attributeScores": 3}'])
def test_an_answer_of_another_shape_is_null(serve: Serve, ask: Ask, body: str) -> None:
    serve(faults={"bad": [f"raw={body}"] * 99})
    assert [s.error for s in ask("bad")["bad"]] == ["WRONG_TYPE"] * 2


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0])
def test_the_ends_of_the_range_are_scores(serve: Serve, ask: Ask, value: float) -> None:
    serve(faults={"edge": [f"value={value}"]})
    assert ask("edge")["edge"][0] == Score("TOXICITY", float(value))


def test_retry_after_holds_for_everyone(serve: Serve, ask: Ask) -> None:
    texts = [f"text {i}" for i in range(40)]
    server = serve(faults={"text 10": ["status=429,1"]}, latency=0.01)
    assert all(s.score is not None for scores in ask(*texts).values() for s in scores)
    times = [query.at for query in server.queries]
    assert max(b - a for a, b in pairwise(times)) >= 0.9  # a second less what was under way
    after = [query for query in server.queries if query.text == "text 10"]
    assert after[1].at - after[0].at >= 1.0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("status=429,86400", r"asks to wait 24 h 00 min \(RATE_LIMITED\)"),
        ("status=503," + "9" * 400, r"asks to wait \d+ h \d\d min \(HTTP_503\)"),  # beyond all numbers
    ],
)
def test_a_pause_longer_than_allowed_ends_the_run(serve: Serve, ask: Ask, fault: str, message: str) -> None:
    server = serve(faults={"bad": [fault]})
    with pytest.raises(WorkError, match=message):
        ask("first", "bad")
    assert server.asked("bad") == 1
    ask("first", "bad")
    assert server.asked("first") == 1


@pytest.mark.parametrize("fault", ["status=500", "status=429", "hang", "value=NaN"])
def test_a_service_that_is_down_ends_the_run(serve: Serve, ask: Ask, fault: str) -> None:
    serve(always=fault)
    settings = {"attempts": 2, "give_up_after": 5, "attributes": ("TOXICITY",), **short_timeout(fault)}
    reason = (TRANSIENT | MALFORMED)[fault]
    with pytest.raises(WorkError, match=f"5 texts in a row got no score, the last for {reason}"):
        ask(*[f"text {i}" for i in range(50)], **settings)
