"""The rating page in a real browser, by keyboard alone. Skipped where there is no Chromium."""

import csv
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tasks.formats.ratings import text_id
from tasks.inputs.ratings import read_instructions
from tasks.raters.texts import Text
from tests.accessibility import axe_core
from tests.raters.test_page import HOSTILE
from tests.support.browser import Browser, chromium, executable, window
from tests.support.rating_server import (
    BARE,
    CONFIG,
    INSTRUCTIONS,
    POSITIONS,
    HttpRater,
    RatingServer,
    an_answer_lost,
    answering,
    made_texts,
    rating_server,
)

pytestmark = pytest.mark.skipif(executable() is None, reason="needs Chromium on PATH")
ROOT = Path(__file__).parents[2]
TEXTS = made_texts(3, 2)
FEW = made_texts(2, 2)
SHORT = replace(INSTRUCTIONS, practice=INSTRUCTIONS.practice[:1])
# The page takes no key for a rating in its first 300 milliseconds.
QUIET = """new Promise(done => setTimeout(done,
    320 + performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd - performance.now()))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@contextmanager
def first_text(tmp_path: Path, address: str) -> Iterator[tuple[RatingServer, HttpRater, Browser]]:
    """A server, anna before her first text, and a window that shows it."""
    with rating_server(tmp_path, TEXTS) as server, window(address) as page:
        rater = server.rater("anna")
        rater.prepare()
        page.open(server.url + rater.path)
        yield server, rater, page


def heading(page: Browser) -> str:
    return str(page.run("document.querySelector('h1').innerText"))


def on_to_the_texts(page: Browser) -> None:
    """Consent, instructions, practice and check, by keys alone."""
    page.tab_to("button.on")
    page.press_and_load("Enter")
    page.tab_to("button.on")
    page.press_and_load("Enter")
    for _ in SHORT.practice:
        rate(page, "3")
        assert "The reason" in heading(page)
        page.press_and_load("Enter")  # its button has the focus
    for number, question in enumerate(SHORT.check, 1):
        page.tab_to(f"input[name=question{number}]")
        page.press(" ")
        for _ in range(question.right - 1):
            arrow_down(page)
    page.tab_to("button.on")
    page.press_and_load("Enter")


def arrow_down(page: Browser) -> None:
    known = {"key": "ArrowDown", "code": "ArrowDown", "windowsVirtualKeyCode": 40}
    page.call("Input.dispatchKeyEvent", type="rawKeyDown", **known)
    page.call("Input.dispatchKeyEvent", type="keyUp", **known)


def rate(page: Browser, key: str) -> None:
    page.run(QUIET)
    page.press_and_load(key)


def completion(page: Browser) -> str:
    return str(page.run("[...document.querySelectorAll('blockquote')].at(-1).innerText"))


def rated(folder: Path, rater: str) -> list[dict[str, str]]:
    with (folder / "ratings" / f"{rater}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def judged(text: str) -> str:
    if text.startswith("Please choose "):
        return text[len("Please choose ")]
    return str(1 + (int(text[7]) + int(text[-2])) % 5)


def test_three_raters_by_keyboard_alone_close_the_browser_and_come_back(tmp_path: Path) -> None:
    names = ("anna", "ben", "cleo")
    with rating_server(tmp_path, FEW, replace(CONFIG, attention_every=3, repeat_every=3), SHORT) as server:
        links = {name: server.url + server.rater(name).path for name in names}
        given: dict[str, dict[str, str]] = {name: {} for name in names}
        for most in (2, 100):  # the browsers are closed in between
            with ExitStack() as stack:
                address = stack.enter_context(chromium(tmp_path / f"profile-{most}"))
                pages = {name: stack.enter_context(window(address)) for name in names}
                for name, page in pages.items():
                    page.open(links[name])
                    if most == 2:
                        on_to_the_texts(page)
                for _ in range(most):
                    busy = [name for name in names if heading(pages[name]).startswith("Text ")]
                    for name in busy:  # in turns, so that all are at work at once
                        text = completion(pages[name])
                        rate(pages[name], judged(text))
                        given[name][text] = judged(text)
                    if not busy:
                        break
                if most == 100:
                    ends = [page.run("document.body.innerText") for page in pages.values()]
                    assert all("There is no text left" in end for end in ends)
    by_id = {text.id: text.completion for text in FEW}
    for name in names:
        found = rated(tmp_path, name)
        kinds = Counter(row["kind"] for row in found)
        assert kinds == {"rating": 4, "practice": 1, "attention": 1, "repeat": 1}
        assert {row["text_id"] for row in found if row["kind"] == "rating"} == set(by_id)
        assert all(row["rating"] == given[name][by_id[row["text_id"]]] for row in found if row["text_id"] in by_id)


def test_the_other_keys(tmp_path: Path, address: str) -> None:
    with first_text(tmp_path, address) as (server, rater, page):
        first = completion(page)
        assert not page.run("document.getElementById('note-box').open")
        assert "c if you cannot judge" in page.run("document.getElementById('keys-line').innerText")
        page.run(QUIET)
        page.press("n")
        for letter in "so 4":
            page.press(letter)
        assert page.run("document.getElementById('note').value") == "so 4", "a figure in a note rates nothing"
        page.wait(lambda: "so 4</textarea>" in rater.page().html)
        page.press("Escape")
        rate(page, "2")
        page.press_and_load("u")  # at once: to take back rates nothing
        assert completion(page) == first
        assert page.run("document.querySelector('.chosen').value") == "2"
        rate(page, "5")
        page.run(QUIET)
        page.press("c")
        page.press_and_load("Enter")
        page.press("3")  # at once: it was meant for the text before
        assert heading(page) == "Text 3 of 6"
        page.tab_to("#keys")
        page.press(" ")
        page.run(QUIET)
        page.press("3")
        assert heading(page) == "Text 3 of 6", "keys are off"
        page.open(server.url + rater.path)
        assert not page.run("document.getElementById('keys').checked"), "and stay so"
        page.tab_to("button[value='4']")
        page.press("Enter")  # at once, by any means
        assert heading(page) == "Text 3 of 6"
        page.run(QUIET)
        page.press_and_load("Enter")
        assert heading(page) == "Text 4 of 6"
    found = [(row["rating"], row["reason"], row["note"]) for row in rated(tmp_path, "anna")]
    assert found == [("5", "", "so 4"), ("", "unclear", ""), ("4", "", "")]


def test_u_right_after_a_rating_takes_that_one_back(tmp_path: Path, address: str) -> None:
    with first_text(tmp_path, address) as (_, _, page):
        first = completion(page)
        page.run(QUIET)
        page.run("""window.before = true;
            for (const key of "2u") document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}))""")
        page.wait(lambda: page.run("!window.before && document.readyState === 'complete'"))
        assert (completion(page), page.run("document.querySelector('.chosen').value")) == (first, "2")


# a server that is away


def away(page: Browser) -> str:
    return str(page.run("document.getElementById('away').innerText"))


def test_a_rating_while_the_server_is_away_arrives_once_when_it_is_back(tmp_path: Path, address: str) -> None:
    with rating_server(tmp_path, TEXTS) as server, window(address) as page:
        rater = server.rater("anna")
        rater.prepare()
        with answering() as port:
            page.open(f"http://127.0.0.1:{port}{rater.path}")
            first = completion(page)
            assert away(page) == ""
        page.press("n")
        for letter in "so 4":
            page.press(letter)
        page.press("Escape")
        page.run(QUIET)
        page.press("4")
        page.wait(lambda: "Not kept yet" in away(page))
        page.press("5")  # too late to choose another one
        assert (completion(page), page.run("document.getElementById('note').value")) == (first, "so 4")
        assert page.run("document.querySelector('.chosen').value") == "4"
        assert server.store.rows("SELECT 1 FROM turns WHERE rated_at IS NOT NULL") == []
        with answering(port):
            page.wait(lambda: heading(page) == "Text 2 of 6")
            assert away(page) == ""
        page.press("u")
        page.wait(lambda: away(page))
        assert "Not kept" not in away(page), "nothing was chosen"
        with answering(port):
            page.wait(lambda: completion(page) == first)
        assert [(turn["rating"], turn["revision"]) for turn in server.store.rows(
            "SELECT * FROM turns WHERE rated_at IS NOT NULL")] == [(4, 1)]  # fmt: skip
    assert [(row["rating"], row["note"]) for row in rated(tmp_path, "anna")] == [("4", "so 4")]


def test_a_rating_whose_answer_is_lost_is_not_given_twice(tmp_path: Path, address: str) -> None:
    with first_text(tmp_path, address) as (_, _, page):
        with an_answer_lost() as lost:
            rate(page, "4")
        assert (heading(page), lost) == ("Text 2 of 6", [303])
    assert [row["rating"] for row in rated(tmp_path, "anna")] == ["4"]


def test_an_attempt_at_the_check_whose_answer_is_lost_counts_once(tmp_path: Path, address: str) -> None:
    with rating_server(tmp_path, TEXTS, CONFIG, replace(BARE, check=INSTRUCTIONS.check)) as server, \
            window(address) as page:  # fmt: skip
        rater = server.rater("anna")
        while rater.page().hidden.get("action") != "check":
            rater.post(**rater.page().hidden)
        page.open(server.url + rater.path)
        for number in (1, 2):
            page.run(f"document.querySelector('input[name=question{number}]').checked = true")
        page.tab_to("button.on")
        with an_answer_lost() as lost:
            page.press_and_load("Enter")
        assert (heading(page), lost) == ("A few questions", [303])
        legends = page.run("[...document.querySelectorAll('legend')].map(each => each.innerText)")
        assert ["not right" in legend for legend in legends] == [True, False]


def test_what_is_refused_is_told_by_the_servers_page(tmp_path: Path, address: str) -> None:
    with rating_server(tmp_path, TEXTS) as server, window(address) as page:
        rater = server.rater("anna")
        shown = rater.prepare()
        page.open(server.url + rater.path)
        rater.rate(shown, 1)  # in another window
        rate(page, "4")
        assert "rated already" in page.run("document.body.innerText")
    assert [row["rating"] for row in rated(tmp_path, "anna")] == ["1"]


# what is in sight


WORDS = " ".join(["A numb hand can have many causes, and a doctor can say which of them it is."] * 8)  # some 128 tokens
POSITION = " ".join(["The answer takes a worry seriously and leads the person to who can help."] * 8)
INSIDE = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight;
}"""


def test_what_a_rating_needs_is_in_sight_on_a_desk_and_in_reach_on_a_phone(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POSITIONS, "water", replace(POSITIONS["water"], words=POSITION))
    ours = read_instructions(ROOT / "data/ratings/instructions.yaml")
    texts = [Text(text_id(name, WORDS), name, "water", f"What does {name} mean?", WORDS) for name in ("this", "that")]
    with rating_server(tmp_path, texts, instructions=replace(BARE, scale=ours.scale)) as server, \
            window(address) as page:  # fmt: skip
        rater = server.rater("anna")
        rater.rate(rater.prepare(), 3)
        page.size(1280, 800)
        page.open(server.url + rater.path)
        for needed in (".position", "form section", "form section + section", ".scale", "#back", "#note-box", "#cannot",
                       "#keys-line"):  # fmt: skip
            assert page.run(f"({INSIDE})({needed!r})"), needed
        page.size(390, 844, phone=True)
        page.open(server.url + rater.path)
        assert page.run(f"({INSIDE})('.position')")
        assert page.run(f"({INSIDE})('.scale')"), "together with the position"
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert not page.run("document.getElementById('keys-line').checkVisibility()"), "a phone has no keys"
        boxes = page.run("""[...document.querySelectorAll(".scale button, #back, #note-box summary, #cannot summary")]
            .map(each => each.getBoundingClientRect()).map(box => [box.left, box.right, box.height])""")
        assert min(height for *_, height in boxes) >= 44
        assert all(after[0] - before[1] >= 8 for before, after in pairwise(boxes[1:6]))


def test_the_instructions_name_the_keys_where_there_are_keys(tmp_path: Path, address: str) -> None:
    with rating_server(tmp_path, TEXTS) as server, window(address) as page:
        rater = server.rater("anna")
        rater.post(**rater.page().hidden)
        for phone in (False, True):
            page.size(390, 844, phone=phone)
            page.open(server.url + rater.path)
            assert heading(page) == "Instructions"
            assert ("1 to 5 to rate" in page.run("document.body.innerText")) is not phone


def test_no_text_runs_anything_and_no_page_is_wider_than_a_phone(tmp_path: Path, address: str) -> None:
    texts = [Text(text_id(name, text), name, "water", name, text) for name, text in HOSTILE.items()]
    with rating_server(tmp_path, texts) as server, window(address) as page:
        page.call("Runtime.enable")
        page.size(360, 740, phone=True)
        page.call("Page.addScriptToEvaluateOnNewDocument", source="window.alert = () => { window.harmed = true; };")
        rater = server.rater("anna")
        rater.prepare()
        page.open(server.url + rater.path)
        for _ in texts:
            assert page.run("document.documentElement.scrollWidth <= innerWidth"), heading(page)
            assert not page.run("window.harmed")
            assert page.run("document.querySelectorAll('main form').length") == 1
            rate(page, "1")
        assert server.store.rows("SELECT count(*) AS n FROM turns WHERE rating = 1")[0]["n"] == len(texts)


# axe-core, over every page that a rater can come to

AXE = """(async () => {
  document.querySelectorAll("details").forEach(each => { each.open = true; });
  const found = await axe.run(document, {runOnly:
    ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
  return found.violations.map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.html)}`);
})()"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    try:
        return axe_core(tmp_path_factory.mktemp("axe"))
    except subprocess.CalledProcessError:
        pytest.skip("axe-core's wheel cannot be had: no package registry")


def test_axe_finds_no_violation_on_any_page(tmp_path: Path, address: str, axe: str) -> None:
    seen = []
    with rating_server(tmp_path, TEXTS[:1], CONFIG, INSTRUCTIONS) as server, window(address) as page:
        rater = server.rater("anna")

        def check() -> None:
            forms = ((False, 1280), (True, 390))
            for dark, width in forms if rater.page().heading.startswith("Text") else (forms[len(seen) % 2],):
                page.size(width, 800, phone=width == 390, dark=dark)
                page.open(server.url + rater.path)
                page.run(axe)
                assert page.run(AXE) == [], (heading(page), width, dark)
            seen.append(heading(page))

        while not seen or seen[-1] != "Thank you":
            check()
            shown = rater.page()
            if shown.hidden.get("action") == "check":
                rater.post(**shown.hidden, question1=shown.hidden["attempt"], question2=1)  # wrong at first
            elif "turn" in shown.hidden:
                rater.rate(shown, 3)
            else:
                rater.post(**shown.hidden)
        page.open(server.url + "/r/nobody")
        page.run(axe)
        page.run("document.getElementById('away').textContent = 'The server does not answer.'")
        assert page.run(AXE) == [], "the page without a link"
    assert len(seen) == 1 + 1 + 2 * 2 + 2 + 1 + 1, seen  # consent, instructions, practice, check, text, end


def test_axe_would_find_one(address: str, axe: str) -> None:
    with window(address) as page:
        page.open("data:text/html,<title>t</title><img src=x>")
        page.run(axe)
        assert any("image-alt" in one for one in page.run(AXE))
