"""Attempts, giving up, addresses and keys: what every service that costs something is asked by."""

from types import SimpleNamespace

import pytest

from tasks.runtime.errors import InputError, WorkError
from tasks.runtime.remote import rate_limit
from tasks.runtime.remote.address import checked_url, key_for, place, redact
from tasks.runtime.remote.errors import TransientError
from tasks.runtime.remote.session import Session


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(rate_limit, "FIRST_PAUSE", 0.001)
    limits = SimpleNamespace(qps=100.0, attempts=3, max_wait=5.0, give_up_after=2)
    return Session("judge", limits, lacking="rating")


def test_a_malformed_answer_is_asked_for_again_and_the_last_one_stands(session: Session) -> None:
    answers = iter(["bad", "good", "never"])
    assert session.attempt(lambda: next(answers), lambda one: "BAD" if one == "bad" else None) == "good"
    answers = iter(["bad"] * 3)
    assert session.attempt(lambda: next(answers), lambda _: "BAD") == "bad"
    assert not list(answers)


def test_the_last_failure_is_told(session: Session) -> None:
    reasons = iter(["A", "B", "C"])

    def fail() -> str:
        raise TransientError(next(reasons))

    with pytest.raises(TransientError, match="C"):
        session.attempt(fail, lambda _: None)


def test_a_pause_that_is_too_long_ends_it_and_says_where_the_limit_stands(session: Session) -> None:
    def fail() -> str:
        raise TransientError("HTTP_503", wait=6.0)

    with pytest.raises(WorkError, match=r"asks to wait 6 s \(HTTP_503\), longer than judge\.max_wait"):
        session.attempt(fail, lambda _: None)


def test_only_misses_in_a_row_count(session: Session) -> None:
    for reason in ("A", None, "B"):
        session.count(reason)
    with pytest.raises(WorkError, match="2 texts in a row got no rating, the last for C; what was answered is kept"):
        session.count("C")


def test_addresses_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked_url("X", "https://api.example.org/v1", "e") == "https://api.example.org/v1/"
    assert place("https://api.example.org:8080/v1/") == "api.example.org:8080/v1"
    for url in ("ftp://x/", "x", "https://u:p@x/", "https://x/?key=1", "https://"):
        with pytest.raises(InputError, match="X: expected a URL such as e"):
            checked_url("X", url, "e")
    monkeypatch.setenv("K", " secret/1 ")
    assert key_for("https://x/", "K", "X") == "secret/1"
    assert key_for("http://127.0.0.1:1/", "K", "X") == "secret/1"
    with pytest.raises(InputError, match="X: a key is not sent over plain http"):
        key_for("http://x/", "K", "X")
    assert redact('{"a": "secret\\/1 secret%2F1 secret/1 ?key=abc&b"}', "secret/1") == '{"a": "*** *** *** ?key=***&b"}'
