"""A process's output as clean lines: no progress-bar noise, no colours, no secrets."""

import re
from collections.abc import Mapping
from pathlib import Path

LONGEST = 4000  # characters of one line; Prefect refuses log entries past a megabyte
_PENDING = 65_536  # bytes held while no newline comes
_ANSI = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*(\x07|\x1b\\))")
SECRET_NAME = re.compile(r"(KEY(_ID)?|TOKEN|SECRET|PASS(WORD|WD|PHRASE)?|CREDENTIAL|AUTH_STRING)S?$", re.IGNORECASE)
_IN_URL = re.compile(r"(?<=://)[^\s/@'\"]+@")  # user and password of an index, a database, a remote
_SHORTEST_SECRET = 4  # characters; hiding a value of "1" would hide every 1


class Splitter:
    """Bytes in, lines out. Of a line that was redrawn with carriage returns only the last drawing counts."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completed, without those that are blank."""
        *done, rest = (self._pending + chunk).split(b"\n")
        if len(rest) > _PENDING:
            done.append(rest)
            rest = b""
        redrawn = rest.rfind(b"\r", 0, -1)  # a last "\r" may be half of a "\r\n"
        self._pending = rest[redrawn + 1 :] if redrawn >= 0 else rest
        return [line for line in map(_clean, done) if line]

    def rest(self) -> list[str]:
        """What was written after the last newline, at the end of the output."""
        line, self._pending = _clean(self._pending), b""
        return [line] if line else []


def _clean(raw: bytes) -> str:
    drawings = [text for text in raw.split(b"\r") if text.strip()]
    if not drawings:
        return ""
    text = _ANSI.sub("", drawings[-1].decode("utf-8", errors="replace")).expandtabs().rstrip()
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"


class Redactor:
    """Hides the values of variables named …KEY, …TOKEN, …SECRET, …PASSWORD and the like, and who logs in in a URL;
    the home folder becomes `~`."""

    def __init__(self, environ: Mapping[str, str], home: Path | None = None) -> None:
        secrets = {
            value.strip(): f"<{name}>"
            for name, value in environ.items()
            if SECRET_NAME.search(name) and len(value.strip()) >= _SHORTEST_SECRET
        }
        self._secrets = sorted(secrets.items(), key=lambda item: -len(item[0]))
        folder = str(home if home is not None else Path.home()).rstrip("/")
        self._home = re.compile(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])") if folder.startswith("/") else None

    def __call__(self, text: str) -> str:
        text = _IN_URL.sub("<hidden>@", text)
        for secret, name in self._secrets:
            text = text.replace(secret, name)
        return self._home.sub("~", text) if self._home else text
