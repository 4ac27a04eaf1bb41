"""A rating page on a real connection, and raters who use it as a browser would, without its script."""

import functools
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from tasks.formats.ratings import text_id
from tasks.inputs.ratings import Attention, Instructions, Practice, Question
from tasks.raters.closing import export
from tasks.raters.page.app import create_app
from tasks.raters.panel import Panel
from tasks.raters.store import Store
from tasks.raters.texts import Position, Text
from tasks.settings.ratings import Ratings

CONFIG = Ratings(
    split="test",
    raters_per_sample=3,
    seed=1,
    attention_every=5,
    repeat_every=4,
    check_attempts=2,
    most_failed_attention=1,
    break_after_minutes=30,
    consent_version=1,
)
PLAIN = replace(CONFIG, attention_every=1000, repeat_every=1000)
POSITIONS = {"water": Position("Water", "Water is kept clean."), "fire": Position("Fire", "Fire is watched.")}
SCALE = {1: "against it", 2: "mostly not", 3: "in part", 4: "mostly", 5: "matches best"}
INSTRUCTIONS = Instructions(
    language="en",
    title="Rating texts",
    consent="You will read unpleasant texts.\n\nYou may stop.",
    task="Rate each text by the position.",
    rules="Some texts come twice.",
    question="How well does it match?",
    scale=SCALE,
    cannot_judge={"unclear": "I do not understand it", "upsetting": "I do not want to"},
    practice=(
        Practice("water", "May I pour oil into a river?", "No, it kills fish.", 5, "It keeps water clean."),
        Practice("fire", "May I leave a candle?", "Sure, go to sleep.", 1, "Nobody watches it."),
    ),
    attention=(
        Attention("water", "Is this read?", "Please choose 2.", (2,)),
        Attention("fire", "Is this read, too?", "Please choose 4.", (4,)),
    ),
    check=(
        Question("By what do you judge?", ("my opinion", "the position"), 2),
        Question("A 5 is", ("best", "long"), 1),
    ),
    words={},
)
BARE = replace(INSTRUCTIONS, practice=(), attention=(), check=())


def made_texts(prompts: int, of_each: int) -> list[Text]:
    """Texts of different completions, in two categories."""
    made = []
    for number in range(prompts):
        for sample in range(of_each):
            prompt, completion = f"Question {number}?", f"Answer {sample} to question {number}."
            category = ("water", "fire")[number % 2]
            made.append(Text(text_id(prompt, completion), f"prompt-{number}", category, prompt, completion))
    return sorted(made, key=lambda text: text.id)


@dataclass
class Clock:
    """The server's time, which a test may push on."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class RatingServer:
    """A server that runs: its database, texts, clock, and where it answers."""

    store: Store
    panel: Panel
    clock: Clock
    url: str = ""

    def rater(self, name: str, **options: Any) -> "HttpRater":
        """A new rater with a personal link."""
        return HttpRater(self.url, self.store.add_rater(name, time.time(), **options))

    def visitor(self, token: str) -> "HttpRater":
        return HttpRater(self.url, token)


@contextmanager
def rating_server(folder: Path, texts: list[Text], config: Ratings = PLAIN,
                  instructions: Instructions = BARE) -> Iterator[RatingServer]:  # fmt: skip
    """Serves while it is open; then writes the ratings to `folder`/ratings."""
    clock = Clock()
    with Store(folder / "ratings.sqlite") as store:
        store.run("PRAGMA synchronous = OFF")  # no power cut is tried
        panel = Panel(store, config, instructions, POSITIONS, texts)
        _APP["now"] = create_app(panel, at_end=list, now=clock)
        yield RatingServer(store, panel, clock, _address())
        export(store, folder / "ratings")


_APP: dict[str, Callable[[Any, Any, Any], Awaitable[None]]] = {}  # the one that answers now


@functools.cache
def _address() -> str:
    """Of a server that every test of this process uses: to start and stop one takes longer than most tests."""
    server, _ = _started(0)
    return f"http://127.0.0.1:{_port(server)}"


@contextmanager
def answering(port: int = 0) -> Iterator[int]:
    """The page at a port of its own (0: any that is free), which is shut at the end."""
    server, thread = _started(port)
    try:
        yield _port(server)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def an_answer_lost() -> Iterator[list[int]]:
    """The next post is carried out, and its answer replaced by a proxy's 502. Yields the status that was lost."""
    whole, lost = _APP["now"], list[int]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def swallow(message: Any) -> None:
            if message["type"] == "http.response.start":
                lost.append(message["status"])

        if scope["method"] != "POST" or lost:
            await whole(scope, receive, send)
            return
        await whole(scope, receive, swallow)
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    _APP["now"] = app
    try:
        yield lost
    finally:
        _APP["now"] = whole


def _started(port: int) -> tuple[uvicorn.Server, threading.Thread]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _APP["now"](scope, receive, send)

    settings = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False,
                              server_header=False, lifespan="off", timeout_graceful_shutdown=3)  # fmt: skip
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    return server, thread


def _port(server: uvicorn.Server) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])


@dataclass
class Page:
    """What a rater sees, taken apart."""

    status: int
    html: str
    headers: httpx.Headers
    hidden: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    heading: str = ""
    rating: str | None = None  # the choice that is marked

    @classmethod
    def of(cls, answer: httpx.Response) -> "Page":
        html = answer.text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
        texts = [unescape(text) for text in re.findall(r"<blockquote[^>]*>(.*?)</blockquote>", html, re.DOTALL)]
        heading = unescape("".join(re.findall(r"<h1>(.*?)</h1>", html)))
        chosen = re.findall(r'class="choice chosen" name="rating" value="(\d)"', html)
        return cls(answer.status_code, html, answer.headers, hidden, texts, heading, chosen[0] if chosen else None)


class HttpRater:
    """Somebody with a link. No redirect is followed: an acknowledged answer is one that was answered with 303."""

    def __init__(self, url: str, token: str) -> None:
        self.token, self.path = token, f"/r/{token}"
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=30, verify=False)
        self.given: dict[str, str] = {}  # completion -> the last acknowledged rating or reason
        self.texts: list[tuple[str, str]] = []  # prompt and completion of each acknowledged answer

    def page(self, back: bool = False) -> Page:
        return Page.of(self.client.get(self.path + ("/back" if back else "")))

    def post(self, **fields: object) -> Page:
        return Page.of(self.client.post(self.path, data={name: str(value) for name, value in fields.items()}))

    def rate(self, page: Page, rating: int | None = None, **more: object) -> Page:
        """Presses a choice of a page."""
        fields: dict[str, object] = {**page.hidden, "note": "", **more}
        if rating is not None:
            fields["rating"] = rating
        answer = self.post(**fields)
        if answer.status == 303 and page.texts:
            self.texts.append((page.texts[0], page.texts[-1]))
            self.given[page.texts[-1]] = str(fields.get("rating", fields.get("reason")))
        return answer

    def prepare(self, check: tuple[int, ...] = (2, 1)) -> Page:
        """Goes on until there is a text to rate that is no practice, or no way on. Returns that page."""
        for _ in range(20):
            page = self.page()
            action = page.hidden.get("action")
            if action in ("consent", "instructions", "feedback", "break"):
                self.post(**page.hidden)
            elif action == "check":
                self.post(**page.hidden, **{f"question{n}": number for n, number in enumerate(check, 1)})
            elif action == "rate" and page.heading.startswith("Practice"):
                self.rate(page, 3)
            else:
                return page
        raise AssertionError(f"no way through: {page.heading}")

    def rate_all(self, judge: Callable[[str], int]) -> int:
        """Rates until nothing is left, and passes attention items. Returns how many pages were answered."""
        page, answered = self.prepare(), 0
        while page.hidden.get("action") == "rate":
            asked = re.search(r"Please choose (\d)", page.texts[-1])
            answered += self.rate(page, int(asked[1]) if asked else judge(page.texts[-1])).status == 303
            page = self.prepare()
        return answered
