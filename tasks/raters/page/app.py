"""The rating page: everything a rater sees, at one address, `/r/<token>`.

It is HTML that the server renders, with one small script for keys, drafts and a server that is away; all of it works
without the script. Who has no link is told so and nothing else: there is no list of raters, texts or addresses to find.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jinja2
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from tasks.inputs.ratings import Instructions
from tasks.raters.page.words import page_words
from tasks.raters.panel import LONGEST_NOTE, Panel, Step
from tasks.raters.turns import SECONDS, RefusedError
from tasks.text.shown import safe

HERE = Path(__file__).parent
LARGEST = 65_536  # bytes of a form; a note of 2000 characters, encoded, has at most 24,000
IDS = ("PROLIFIC_PID", "workerId", "participant")  # under which crowd platforms pass a person's id
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # an address holds a token
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
    "X-Robots-Tag": "noindex, nofollow",
}
FILES = {"page.css": "text/css; charset=utf-8", "keys.js": "text/javascript; charset=utf-8"}
log = logging.getLogger(__name__)
Form = Mapping[str, str]


def create_app(panel: Panel, at_end: Callable[[], object], now: Callable[[], float] = time.time) -> FastAPI:
    """The application; `at_end` is called when it is shut down, `now` gives the time in seconds since 1970."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        at_end()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    pages = _Pages(panel.instructions, panel)

    # All of these run on the event loop, one at a time, as the store wants it; each takes milliseconds.
    @app.get("/r/{token}")
    async def show(token: str) -> Response:
        return pages.step(panel.step(token, now()), token)

    @app.get("/r/{token}/back")
    async def back(token: str) -> Response:
        return pages.step(panel.last(token), token)

    @app.post("/r/{token}")
    async def act(token: str, request: Request) -> Response:
        form = await _form(request)
        _perform(panel, token, form, now())
        if form.get("action") == "draft":
            return Response(status_code=204)
        return RedirectResponse(f"/r/{token}", status_code=303)

    @app.get("/join/{token}")
    async def join(token: str, request: Request) -> Response:
        external = next((request.query_params[name] for name in IDS if name in request.query_params), "")
        return RedirectResponse(f"/r/{panel.join(token, external, now())}", status_code=303)

    @app.get("/{name}")
    async def file(name: str) -> Response:
        if name not in FILES:
            raise RefusedError(404, "no_link")
        return Response((HERE / name).read_bytes(), media_type=FILES[name])

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        known = error.status != 404 and request.url.path.startswith("/r/")
        return pages.message(error.words, error.status, request.path_params["token"] if known else None)

    @app.exception_handler(HTTPException)
    async def not_found(_request: Request, error: HTTPException) -> Response:
        return pages.message("no_link", error.status_code)

    @app.middleware("http")
    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            response = await call(request)
        except sqlite3.Error as error:
            log.error("a rating could not be kept: %s", error)
            response = pages.message("not_saved", 503)
        except Exception:
            log.exception("a page could not be made")
            response = pages.message("not_saved", 500)
        response.headers.update(HEADERS)
        return response

    return app


async def _form(request: Request) -> Form:
    """The fields of a posted form, each there once. Raises RefusedError for anything else, and for another site's."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusedError(403, "wrong")
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise RefusedError(415, "wrong")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise RefusedError(413, "long_note")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise RefusedError(400, "wrong") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise RefusedError(400, "wrong")
    return form


def _perform(panel: Panel, token: str, form: Form, now: float) -> None:
    """What a form asks for. Raises RefusedError where it is none of the page's forms."""
    match form.get("action"):
        case "rate":
            rating = None if "rating" not in form else _number(form, "rating")
            reason, note = form.get("reason"), form.get("note", "")
            panel.answer(token, _number(form, "turn"), _number(form, "revision"), now,
                         rating=rating, reason=reason, note=note)  # fmt: skip
        case "draft":
            panel.draft(token, _number(form, "turn"), form.get("note", ""))
        case "consent":
            panel.consent(token, _number(form, "version"), now)
        case "instructions" | "feedback" | "break" as page:
            panel.go_on(token, page, now)
        case "check":
            answers = [_number(form, f"question{number}") for number in range(1, len(panel.instructions.check) + 1)]
            panel.answer_check(token, _number(form, "attempt"), answers, now)
        case _:
            panel.step(token, now)  # an unknown token is told first
            raise RefusedError(400, "wrong")


def _number(form: Form, name: str) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise RefusedError(400, "wrong")
    return int(text)


class _Pages:
    """The templates, with the words that do not change."""

    def __init__(self, instructions: Instructions, panel: Panel) -> None:
        self._panel, self._words = panel, page_words(instructions)
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"safe_text": safe, "paragraphs": _paragraphs}
        environment.globals |= {"instructions": instructions, "words": self._words, "config": panel.config,
                                "longest_note": LONGEST_NOTE}  # fmt: skip
        self._templates = environment

    def step(self, step: Step, token: str) -> Response:
        """The page of a step."""
        position = self._panel.positions[step.item.category] if step.item else None
        work = self._work(step.total) if step.name == "consent" else None
        return self._html(step.name, step=step, position=position, address=f"/r/{token}", work=work)

    def _work(self, texts: int) -> str:
        """How much rating so many texts are."""
        minutes = texts * SECONDS / 60
        unit, amount = ("hours", f"{minutes / 60:.1f}") if minutes >= 90 else ("minutes", f"{ceil(minutes)}")
        time_ahead = self._words[unit].format(**{unit: amount})
        return self._words["work"].format(texts=texts, seconds=f"{SECONDS:.0f}", time=time_ahead)

    def message(self, words: str, status: int, token: str | None = None) -> Response:
        """A page that says why something was refused; with a token, how to go on."""
        address = f"/r/{token}" if token else None
        return self._html("message", status, message=self._words[words], address=address)

    def _html(self, name: str, status: int = 200, **facts: Any) -> Response:
        return HTMLResponse(self._templates.get_template(f"{name}.html.j2").render(facts), status)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
