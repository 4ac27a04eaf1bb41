"""Where a service is, and the key to it, both looked at before anything is asked."""

import os
import re
import urllib.parse

from tasks.runtime.errors import InputError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def checked_url(setting: str, url: str, example: str) -> str:
    """A service's root URL, with a slash at the end. Raises InputError if it is no plain http(s) URL."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or set("?#@") & set(url):
        raise InputError(f"{setting}: expected a URL such as {example}, with no user, query or fragment in it")
    return url.rstrip("/") + "/"


def place(root: str) -> str:
    """Host and path of a root URL: what tells two services of one protocol apart."""
    parts = urllib.parse.urlsplit(root)
    return f"{parts.netloc}{parts.path}".rstrip("/")


def key_for(root: str, variable: str, setting: str) -> str | None:
    """The key in an environment variable, or None. Raises InputError, never showing it."""
    value = os.environ.get(variable, "").strip()
    parts = urllib.parse.urlsplit(root)
    if not re.fullmatch(r"[!-~]*", value):
        raise InputError(f"{variable}: a key is one word of plain ASCII characters, and this one is not")
    if value and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise InputError(f"{setting}: a key is not sent over plain http; use https, or unset {variable}")
    return value or None


def redact(text: str, key: str | None) -> str:
    """`text` without the key, should anyone have put it there."""
    text = re.sub(r"(?i)\bkey=[^&\s\"'<>]+", "key=***", text)
    if key:
        for form in (key, urllib.parse.quote(key, safe=""), key.replace("/", "\\/")):
            text = text.replace(form, "***")
    return text
