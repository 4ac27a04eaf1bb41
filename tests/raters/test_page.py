"""The page over a real connection: what raters see, what is kept, and what is refused."""

import csv
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from tasks.formats.ratings import COLUMNS, text_id
from tasks.inputs.ratings import read_instructions
from tasks.raters import closing
from tasks.raters.page.words import page_words
from tasks.raters.texts import Text
from tasks.raters.turns import CLAIM
from tasks.runtime.errors import InputError
from tests.support.rating_server import (
    BARE,
    CONFIG,
    INSTRUCTIONS,
    PLAIN,
    HttpRater,
    Page,
    RatingServer,
    made_texts,
    rating_server,
)

TEXTS = made_texts(4, 3)
WRONG = "Your answer to this question was not right."
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RatingServer]:
    with rating_server(tmp_path, TEXTS) as running:
        yield running


@pytest.fixture
def full(tmp_path: Path) -> Iterator[RatingServer]:
    """With practice, check, attention items and repeats."""
    with rating_server(tmp_path, TEXTS, CONFIG, INSTRUCTIONS) as running:
        yield running


def rows(folder: Path, rater: str) -> list[dict[str, str]]:
    with (folder / "ratings" / f"{rater}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_three_raters_rate_all_and_the_files_have_exactly_their_rows(tmp_path: Path) -> None:
    judge = {text.completion: 1 + number % 5 for number, text in enumerate(TEXTS)}
    with rating_server(tmp_path, TEXTS, CONFIG, INSTRUCTIONS) as server:
        raters = {name: server.rater(name) for name in ("anna", "ben", "cleo")}
        answered = {name: rater.rate_all(judge.__getitem__) for name, rater in raters.items()}
        assert closing.counts(server.store, TEXTS, CONFIG, tmp_path / "ratings").missing == 0
    for name, rater in raters.items():
        found = rows(tmp_path, name)
        assert tuple(found[0]) == COLUMNS
        kinds = Counter(row["kind"] for row in found)
        assert (kinds["rating"], kinds["practice"], kinds["attention"], kinds["repeat"]) == (12, 2, 2, 3)
        assert len(found) == answered[name] + kinds["practice"]
        assert {row["text_id"] for row in found if row["kind"] == "rating"} == {text.id for text in TEXTS}
        by_id = {text.id: judge[text.completion] for text in TEXTS}
        assert all(int(row["rating"]) == by_id[row["text_id"]] for row in found if row["kind"] in ("rating", "repeat"))
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["rated_at"]) for row in found)
        assert len(rater.given) == 12 + 2 + 2


def test_the_way_to_the_first_text(full: RatingServer) -> None:
    rater = full.rater("anna")
    page = rater.page()
    assert ("unpleasant" in page.html, page.texts) == (True, [])
    assert rater.post(action="rate", turn=1, revision=0, rating=3).status == 409
    rater.post(**page.hidden)
    page = rater.page()
    assert "Rate each text by the position." in page.html
    rater.post(**page.hidden)
    page = rater.page()
    assert (page.heading, page.texts[-1]) == ("Practice 1 of 2", "No, it kills fish.")
    assert "It keeps water clean." not in page.html
    assert rater.rate(page, 3).status == 303
    page = rater.page()
    assert "This text should have a 5." in page.html
    assert "It keeps water clean." in page.html
    assert "You chose 3." in page.html
    rater.post(**page.hidden)
    page = rater.page()
    assert page.heading == "Practice 2 of 2"
    rater.rate(page, reason="unclear")
    assert "You chose that you cannot judge it." in rater.page().html
    rater.post(action="feedback")
    assert rater.page().hidden["action"] == "check"
    for _ in range(2):  # the same attempt, sent again
        assert rater.post(action="check", attempt=1, question1=1, question2=1).status == 303
    again = rater.page()
    assert "Not all answers were right" in again.html
    told = [WRONG in legend for legend in re.findall(r"<legend>.*?</legend>", again.html, re.DOTALL)]
    assert told == [True, False]
    assert "checked" not in again.html
    rater.post(action="check", attempt=2, question1=2, question2=1)
    assert rater.page().heading.startswith("Text 1 of ")


def test_before_agreeing_one_is_told_how_much_it_is(tmp_path: Path) -> None:
    with rating_server(tmp_path, made_texts(50, 5)) as server:
        anna, ben = server.rater("anna", most=30), server.rater("ben")
        assert "up to 30 texts for you, at about 25 seconds each: about 13 minutes" in anna.page().html
        assert "up to 250 texts for you, at about 25 seconds each: about 1.7 hours" in ben.page().html
        assert "by the same link" in ben.page().html
        assert "To withdraw later" in ben.page().html
    with rating_server(tmp_path, made_texts(50, 5), replace(PLAIN, consent_version=2)) as server:
        back = server.visitor(anna.token)
        assert back.rate(back.prepare(), 3).status == 303
    with rating_server(tmp_path, made_texts(50, 5), replace(PLAIN, consent_version=3)) as server:
        assert "up to 29 texts" in server.visitor(anna.token).page().html, "what is left"


def test_who_fails_the_check_twice_rates_nothing_and_is_shown_as_such(full: RatingServer) -> None:
    rater = full.rater("anna")
    page = rater.prepare(check=(1, 1))
    assert page.heading == "Thank you"
    assert rater.post(action="check", attempt=3, question1=2, question2=1).status == 409
    assert rater.page().texts == []
    assert closing.rater_lines(full.store, INSTRUCTIONS, CONFIG) == [
        "anna  failed the comprehension check 2 times, and rates nothing"
    ]


def test_who_fails_attention_items_is_shown_and_not_dropped(full: RatingServer, tmp_path: Path) -> None:
    rater = full.rater("anna")
    page = rater.prepare()
    while page.hidden.get("action") == "rate":
        rater.rate(page, 1)
        page = rater.prepare()
    (line,) = closing.rater_lines(full.store, INSTRUCTIONS, CONFIG)
    assert "12 rated, 2 of 2 attention items failed, FAILED attention" in line
    assert closing.counts(full.store, TEXTS, CONFIG, tmp_path / "ratings").ratings == 12


def test_attention_items_and_repeats_look_like_any_text(full: RatingServer) -> None:
    rater = full.rater("anna")
    page, shapes, numbers = rater.prepare(), set(), []
    while page.hidden.get("action") == "rate":
        numbers.append(int(re.findall(r"\d+", page.heading)[0]))
        shapes.add(shape(page) if len(numbers) > 1 else "")
        rater.rate(page, 3)
        page = rater.prepare()
    assert numbers == list(range(1, 18))
    assert len(shapes - {""}) == 1


def shape(page: Page) -> str:
    """A page without its texts, its position and its numbers."""
    html = re.sub(r'<section class="position">.*?</section>', "", page.html, flags=re.DOTALL)
    html = re.sub(r"<blockquote[^>]*>.*?</blockquote>", "", html, flags=re.DOTALL)
    return re.sub(r'Text \d+ of|value="\d+">|max="\d+" value="\d+"', "", html)


def test_an_answer_can_be_taken_back_and_only_the_last(server: RatingServer, tmp_path: Path) -> None:
    rater = server.rater("anna")
    first = rater.prepare()
    assert rater.page(back=True).status == 409
    rater.rate(first, 2, note="at first")
    second = rater.page()
    again = rater.page(back=True)
    assert (again.texts, again.rating) == (first.texts, "2")
    assert "at first" in again.html
    assert rater.rate(again, 4, note="then").status == 303
    assert rater.page().texts == second.texts
    assert rater.rate(again, 5).status == 409, "the same page, sent once more"
    rater.rate(second, 3)
    assert rater.post(**{**again.hidden, "revision": "2", "rating": "1"}).status == 409, "no longer the last"
    closing.export(server.store, tmp_path / "ratings")
    assert [(row["rating"], row["note"]) for row in rows(tmp_path, "anna")] == [("4", "then"), ("3", "")]


def test_cannot_judge_is_missing_with_its_reason_and_never_a_number(server: RatingServer, tmp_path: Path) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    assert rater.rate(page, reason="upsetting", note="no").status == 303
    closing.export(server.store, tmp_path / "ratings")
    (row,) = rows(tmp_path, "anna")
    assert (row["rating"], row["reason"], row["note"]) == ("", "upsetting", "no")
    assert closing.counts(server.store, TEXTS, PLAIN, tmp_path / "ratings").cannot_judge == 1


def test_a_note_is_kept_while_it_is_written(server: RatingServer) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    assert rater.post(action="draft", turn=page.hidden["turn"], note="half a <b>thought").status == 204
    again = rater.page()
    assert again.texts == page.texts
    assert "half a &lt;b&gt;thought</textarea>" in again.html


def test_come_back_and_go_on_also_after_the_server_was_away(tmp_path: Path) -> None:
    with rating_server(tmp_path, TEXTS) as server:
        rater = server.rater("anna")
        rater.rate(rater.prepare(), 2)
        page = rater.page()
    with rating_server(tmp_path, TEXTS) as server:
        back = server.visitor(rater.token)
        assert (back.page().texts, back.page().heading) == (page.texts, "Text 2 of 12")


def test_a_break_is_advised_after_half_an_hour_and_not_after_one_that_was_taken(server: RatingServer) -> None:
    rater = server.rater("anna")
    rater.prepare()
    for _ in range(4):
        server.clock.ahead += 8 * 60
        page = rater.page()
    assert page.heading == "Time for a break"
    rater.post(**page.hidden)
    assert rater.page().heading == "Text 1 of 12"
    server.clock.ahead += 40 * 60
    assert rater.page().heading == "Text 1 of 12"


def test_consent_is_asked_anew_where_the_warning_changed(tmp_path: Path) -> None:
    with rating_server(tmp_path, TEXTS) as server:
        rater = server.rater("anna")
        page = rater.prepare()
    with rating_server(tmp_path, TEXTS, replace(PLAIN, consent_version=2)) as server:
        back = server.visitor(rater.token)
        assert back.rate(page, 3).status == 409
        assert back.page().hidden == {"action": "consent", "version": "2"}
        assert back.post(action="consent", version=1).status == 409
        back.post(action="consent", version=2)
        assert back.page().texts == page.texts


# several at once


def test_fifty_raters_at_once_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    texts = made_texts(10, 5)
    with rating_server(tmp_path, texts) as server:
        raters = {f"rater-{number}": server.rater(f"rater-{number}") for number in range(50)}
        threads = [
            threading.Thread(target=rater.rate_all, args=(lambda text, own=name: 1 + hash((own, text)) % 5,))
            for name, rater in raters.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    kept = {name: rows(tmp_path, name) for name, rater in raters.items() if rater.given}
    by_completion = {text.completion: text.id for text in texts}
    for name, rater in raters.items():
        acknowledged = {by_completion[completion]: rating for completion, rating in rater.given.items()}
        assert {row["text_id"]: row["rating"] for row in kept.get(name, [])} == acknowledged
    assert Counter(row["text_id"] for found in kept.values() for row in found) == {text.id: 3 for text in texts}


def test_a_text_before_a_raters_eyes_is_nobody_elses(tmp_path: Path) -> None:
    config = replace(PLAIN, raters_per_sample=1)
    with rating_server(tmp_path, TEXTS[:2], config) as server:
        anna, ben, cleo = (server.rater(name) for name in ("anna", "ben", "cleo"))
        one, two = anna.prepare(), ben.prepare()
        assert one.texts != two.texts
        assert cleo.prepare().heading == "Thank you"
        server.clock.ahead += CLAIM + 1
        ben.page()
        taken = cleo.page()
        assert taken.texts == one.texts
        assert cleo.rate(taken, 5).status == 303
        late = anna.rate(one, 1)
        assert (late.status, "Others have rated this text" in late.html) == (409, True)
        assert anna.page().heading == "Thank you"
        server.clock.ahead += CLAIM + 1
        assert ben.rate(two, 4).status == 303, "late, but nobody took its place"


def test_at_most_so_many_texts_a_rater(server: RatingServer) -> None:
    rater = server.rater("anna", most=3)
    assert rater.prepare().heading == "Text 1 of 3"
    assert rater.rate_all(lambda _: 3) == 3


# what is refused


def test_nothing_is_shown_without_a_token(server: RatingServer) -> None:
    rater = server.rater("anna")
    rater.prepare()
    pages = {}
    mine = f"/r/{rater.token}"
    for path in ("/", "/r", "/r/", "/r/x", mine[:-1], f"{mine}x", f"{mine}/", f"/r/ {rater.token}",
                 f"/r/{rater.token.upper()}", "/r/%00", "/r/..%2f..%2fetc%2fpasswd", "/..%2fratings.sqlite", "/app.py",
                 "/templates", "/words.yaml", "/%2e%2e/%2e%2e/etc/passwd", "/join/x?PROLIFIC_PID=abcdef", "/docs",
                 "/openapi.json", "/favicon.ico"):  # fmt: skip
        answer = rater.client.get(path)
        assert answer.status_code == 404, path
        pages[answer.text] = path
    assert len(pages) == 1, "all alike"
    form = {"action": "rate", "turn": "1", "revision": "0", "rating": "3"}
    assert rater.client.post("/r/x", data=form).status_code == 404
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert rater.client.request(method, rater.path).status_code == 405


def test_the_database_holds_no_token(server: RatingServer, tmp_path: Path) -> None:
    rater = server.rater("anna")
    rater.prepare()
    token = rater.token.encode()
    assert len(token) == 43
    assert not any(token in path.read_bytes() for path in tmp_path.glob("ratings.sqlite*"))
    links = [server.store.add_rater(f"other-{number}", 0.0) for number in range(50)]
    assert len({link[:6] for link in links}) == 50


def test_a_new_link_ends_the_old_one(server: RatingServer) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    other = server.visitor(server.store.new_link("anna"))
    assert rater.page().status == 404
    assert rater.rate(page, 3).status == 404
    assert other.page().texts == page.texts


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"rating": "0"}, 400), ({"rating": "6"}, 400), ({"rating": "3.5"}, 400), ({"rating": "-1"}, 400),
        ({"rating": ""}, 400), ({"rating": "٣"}, 400), ({"rating": "1" * 40}, 400), ({}, 400),
        ({"rating": "3", "reason": "unclear"}, 400), ({"reason": "because"}, 400), ({"reason": ""}, 400),
        ({"rating": "3", "turn": "2"}, 409), ({"rating": "3", "turn": "x"}, 400),
        ({"rating": "3", "turn": "99999999"}, 409),
        ({"rating": "3", "revision": "1"}, 409), ({"rating": "3", "revision": ""}, 400),
        ({"rating": "3", "note": "x" * 2001}, 400), ({"rating": "3", "action": "delete"}, 400),
        ({"rating": "3", "action": "practice"}, 400), ({"rating": "3", "action": "check"}, 400),
        ({"rating": "3", "action": "check", "attempt": "1"}, 409),
    ],
)  # fmt: skip
def test_a_forged_answer_changes_nothing(server: RatingServer, fields: dict[str, str], status: int) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    answer = rater.post(**{**page.hidden, "note": "", **fields})
    assert answer.status == status
    assert server.store.rows("SELECT 1 FROM turns WHERE rated_at IS NOT NULL") == []
    assert rater.page().texts == page.texts


def test_a_body_that_is_no_form_is_refused(server: RatingServer) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    form = f"action=rate&turn={page.hidden['turn']}&revision=0&rating=3&note="
    kind = {"content-type": "application/x-www-form-urlencoded"}

    def sent(content: bytes, headers: dict[str, str]) -> int:
        return rater.client.post(rater.path, content=content, headers=headers).status_code

    assert sent(b'{"rating": 3}', {"content-type": "application/json"}) == 415
    assert sent(form.encode(), {}) == 415
    assert sent(f"{form}&rating=4".encode(), kind) == 400
    assert sent(f"{form}%ff".encode(), kind) == 400
    assert sent(form.encode() + b"\xff", kind) == 400
    assert sent(form.encode() + b"x" * 70_000, kind) == 413
    assert sent("&".join(f"a{number}=1" for number in range(60)).encode(), kind) == 400
    assert sent(form.encode(), {**kind, "sec-fetch-site": "cross-site"}) == 403
    assert server.store.rows("SELECT 1 FROM turns WHERE rated_at IS NOT NULL") == []
    assert sent(form.encode(), {**kind, "sec-fetch-site": "same-origin"}) == 303


def test_a_duplicate_is_taken_once_and_another_value_is_refused(server: RatingServer, tmp_path: Path) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    assert [rater.rate(page, 2).status for _ in range(3)] == [303, 303, 303]
    refused = rater.rate(page, 5)
    assert (refused.status, "rated already" in refused.html) == (409, True)
    closing.export(server.store, tmp_path / "ratings")
    assert [row["rating"] for row in rows(tmp_path, "anna")] == ["2"]


def test_a_page_of_one_rater_does_nothing_under_anothers_token(server: RatingServer) -> None:
    anna, ben = server.rater("anna"), server.rater("ben")
    for _ in range(2):
        anna.rate(anna.prepare(), 1)
    page = anna.page()
    ben.prepare()
    assert ben.rate(page, 5).status == 409
    assert server.store.rows("SELECT 1 FROM turns WHERE rater = 2 AND rated_at IS NOT NULL") == []


def test_after_closing_no_answer_is_taken(server: RatingServer, tmp_path: Path) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    rater.rate(page, 2)
    page, folder = rater.page(), tmp_path / "ratings"
    with pytest.raises(InputError, match="35 of 36 ratings are missing"):
        closing.close(server.store, TEXTS, PLAIN, 0.0, incomplete=False, folder=folder)
    assert rater.page().texts == page.texts
    closing.close(server.store, TEXTS, PLAIN, 1e9, incomplete=True, folder=folder)
    late = rater.rate(page, 4)
    assert (late.status, "No more ratings are taken" in rater.page().html) == (403, True)
    assert rater.page(back=True).status == 409
    assert [row["rating"] for row in rows(tmp_path, "anna")] == ["2"]
    with pytest.raises(InputError, match="were closed at 2001-09-09T01:46:40Z"):
        closing.close(server.store, TEXTS, PLAIN, 2e9, incomplete=True, folder=folder)
    found = (folder / "closed.json").read_text()
    assert '"ratings": 1' in found
    assert '"closed_at": "2001-09-09T01:46:40Z"' in found


def test_a_store_that_cannot_write_acknowledges_nothing(server: RatingServer) -> None:
    rater = server.rater("anna")
    page = rater.prepare()
    server.store.run("PRAGMA query_only = ON")
    answer = rater.rate(page, 3)
    assert (answer.status, "could not be kept" in answer.html) == (503, True)
    assert answer.headers["x-frame-options"] == "DENY"
    server.store.run("PRAGMA query_only = OFF")
    assert rater.rate(page, 3).status == 303


# what a page shows, and what it does not tell


HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "leaves the quote": "</blockquote></main><form action=https://evil.example><input name=rating>",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7}",
    "ansi": "\x1b[31mred\x1b]0;title\x07 and \x00 nul",
    "bidi": "safe \u202egnirts\u202c \u2066x\u2069",
    "emoji": "🎉👩‍👩‍👧🏳️‍🌈",
    "long": "word " * 20_000,
    "one long word": "x" * 100_000,
    "empty": "",
    "blank": " \n\t ",
    "half a surrogate pair": "\ufffd",
    "marks": "Z" + "\u0301" * 500,
    "entities": "&lt;b&gt; &amp; &#0; &copy;",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_completion_is_harmless_text(tmp_path: Path, name: str) -> None:
    text = HOSTILE[name]
    with rating_server(tmp_path, [Text(text_id("Q?", text), "q", "water", "Q?", text)]) as server:
        rater = server.rater("anna")
        page = rater.prepare()
        assert page.status == 200
        shown = page.texts[-1] if len(page.texts) == 2 else ""
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.html)
        tags = re.findall(r"<(\w+)", page.html)
        assert (tags.count("form"), tags.count("script"), tags.count("img")) == (1, 1, 0)
        assert page.html.count("</main>") == 1
        if name in ("script", "leaves the quote", "template", "emoji", "entities"):
            assert shown == text
        if name in ("empty", "blank"):
            assert "(The answer is empty.)" in page.html
        if name in ("long", "one long word"):
            assert shown == text.strip()
            assert 'tabindex="0" role="region"' in page.html
        assert rater.rate(page, 1).status == 303


def test_security_headers_on_every_answer(server: RatingServer) -> None:
    rater = server.rater("anna")
    rater.prepare()
    answers = [rater.client.get(path) for path in (rater.path, "/", "/page.css", "/keys.js")]
    answers += [rater.client.post(rater.path), rater.client.put(rater.path)]
    for answer in answers:
        assert {name: answer.headers[name] for name in SECURITY} == SECURITY
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not {"server", "set-cookie", "etag", "last-modified"} & set(answer.headers)
    page = rater.page().html
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=|https?://", page)


def test_nothing_that_is_sent_tells_the_arm(tmp_path: Path) -> None:
    """Texts of two arms, equally long: pages differ in the text alone, and their order does not tell the arm."""
    draw = np.random.default_rng(7)
    arm, texts = {}, []
    for number in range(20):
        for name in ("base", "values"):
            completion = "".join(draw.choice(list("abcdefgh "), 60)).strip().ljust(60, "x")
            texts.append(Text(text_id(f"Question {number:02}?", completion), f"prompt-{number}", "water",
                              f"Question {number:02}?", completion))  # fmt: skip
            arm[completion] = name == "values"
    texts.sort(key=lambda text: arm[text.completion])  # the worst order that they could be read in
    told, headers, shapes = [], set(), set()
    with rating_server(tmp_path, texts) as server:
        raters = [server.rater(f"rater-{number}") for number in range(3)]
        for rater in raters:
            page = rater.prepare()
            while page.hidden.get("action") == "rate":
                number = int(page.hidden["turn"])
                told.append((arm[page.texts[-1]], number, number % 2, len(page.html.encode()) - 2 * len(str(number))))
                headers.add(tuple((name, value) for name, value in page.headers.items()
                                  if name not in ("date", "content-length")))  # fmt: skip
                shapes.add(shape(page).replace(rater.token, "") if number > 1 else "")
                rater.rate(page, 3)
                page = rater.page()
    assert len(headers) == 1
    assert len(shapes - {""}) == 1
    truth, *features = np.array(told, dtype=float).T
    for feature in features:
        assert predicted(feature, truth) < 0.5 + 3 * 0.5 / np.sqrt(len(truth))


def predicted(feature: np.ndarray, truth: np.ndarray) -> float:
    """How often the best threshold on a feature, learnt from one half, tells the arms of the other half apart."""
    shares = []
    for half in (0, 1):
        learn, test = (np.arange(len(truth)) % 2 == half), (np.arange(len(truth)) % 2 != half)
        rules = [(cut, sign) for cut in np.unique(feature) for sign in (1, -1)]
        right = [np.mean((sign * (feature[learn] - cut) > 0) == truth[learn]) for cut, sign in rules]
        cut, sign = rules[int(np.argmax(right))]
        shares.append(np.mean((sign * (feature[test] - cut) > 0) == truth[test]))
    return float(np.mean(shares))


# a crowd platform


def test_people_of_a_crowd_come_by_one_link_and_leave_with_a_code(server: RatingServer, tmp_path: Path) -> None:
    link = server.store.add_crowd("panel", 2, "C0DE", most=2)
    client = httpx.Client(base_url=server.url, trust_env=False)

    def join(person: str) -> httpx.Response:
        return client.get(f"/join/{link}", params={"PROLIFIC_PID": person, "STUDY_ID": "s"})

    first, again, second, third = (join(f"5f3c{'ab' * 9}{last}") for last in "1123")
    assert first.headers["location"] == again.headers["location"] != second.headers["location"]
    assert (third.status_code, "All places are taken" in third.text) == (403, True)
    assert [join(wrong).status_code for wrong in ("", "x" * 65, "../etc", "{{%PROLIFIC_PID%}}", "a b")] == [400] * 5
    rater = HttpRater(server.url, first.headers["location"].removeprefix("/r/"))
    page = rater.prepare()
    assert "C0DE" not in page.html
    rater.rate_all(lambda _: 4)
    assert "C0DE" in rater.page().html
    closing.export(server.store, tmp_path / "ratings")
    assert [path.name for path in (tmp_path / "ratings").iterdir()] == ["panel-001.csv"]
    assert "5f3c" not in (tmp_path / "ratings" / "panel-001.csv").read_text()


# words


def test_a_page_in_another_language(tmp_path: Path) -> None:
    instructions = replace(BARE, language="ar", words={"text_of": "نص {number} من {total}", "answer": "الجواب"})
    with rating_server(tmp_path, TEXTS, instructions=instructions) as server:
        page = server.rater("anna").prepare()
    assert page.heading == "نص 1 من 12"
    assert '<html lang="ar" dir="rtl">' in page.html


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"anwser": "x"}, "the page has no 'anwser'"),
        ({"text_of": "Text {number}"}, "words.text_of: expected {number}, {total}"),
        ({"answer": "An {answer"}, "words.answer: expected no {…}"),
    ],
)
def test_words_that_the_page_cannot_use_are_named(words: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        page_words(replace(BARE, words=words))


def test_our_own_instructions_make_every_page(tmp_path: Path) -> None:
    ours = read_instructions(Path(__file__).parents[2] / "data/ratings/instructions.yaml")
    ours = replace(ours, practice=(replace(ours.practice[0], category="water"),), attention=())
    with rating_server(tmp_path, TEXTS[:2], instructions=ours) as server:
        rater = server.rater("anna")
        right = tuple(question.right for question in ours.check)
        page = rater.prepare(check=right)
        while page.hidden.get("action") == "rate":
            rater.rate(page, 5)
            page = rater.prepare(check=right)
        assert page.heading == "Thank you"


def test_the_templates_use_words_that_are_there() -> None:
    templates = Path(page_words.__code__.co_filename).parent.glob("templates/*.j2")
    used = {name for path in templates for name in re.findall(r"words\.(\w+)", path.read_text("utf-8"))}
    assert used <= page_words(BARE).keys() - set(dir(dict))  # Jinja would show the method of that name
