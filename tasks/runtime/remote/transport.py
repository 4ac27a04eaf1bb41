"""HTTP connections of a client with a quota, on httplib2: with turns, deadlines and a key.

The turn is taken where the bytes leave, so that nothing above can send outside of it, and after the connection
stands, so that a handshake of several latencies does not let queries bunch up.
"""

import contextlib
import http.client
import select
import socket
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import httplib2  # type: ignore[import-untyped]

from tasks.runtime.proxies import on_loopback
from tasks.runtime.remote.rate_limit import RateLimiter


class Sender(httplib2.Http):  # type: ignore[misc]
    """One thread's connection; after an error it must be thrown away.

    An exchange that takes longer than `timeout` seconds as a whole is ended; a socket's own time-out limits each
    single wait only.
    """

    def __init__(self, limiter: RateLimiter, credentials: Mapping[str, str], timeout: float) -> None:
        super().__init__(timeout=timeout)
        self.follow_redirects = False  # a redirect would carry the key elsewhere
        self._connections = _connections(limiter, credentials, self._limit)
        self._timer: threading.Timer | None = None
        self._timed_out = False

    def request(self, uri: str, method: str = "GET", **options: Any) -> Any:
        """As httplib2 does it, by a connection that waits for its turn; to loopback past every proxy."""
        if on_loopback(uri):
            self.proxy_info = None
        options["connection_type"] = self._connections[urllib.parse.urlsplit(uri).scheme]
        try:
            return super().request(uri, method, **options)
        finally:
            if self._timer:
                self._timer.cancel()

    def reason(self, error: Exception) -> str:
        """Why an exchange failed."""
        if self._timed_out or isinstance(error, TimeoutError):
            return "TIMEOUT"
        return "CUT_SHORT" if isinstance(error, http.client.IncompleteRead) else "CONNECTION"

    def _limit(self, sock: socket.socket) -> None:
        """The time runs from now on."""

        def end() -> None:
            self._timed_out = True
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it

        self._timer = threading.Timer(self.timeout, end)
        self._timer.daemon = True
        self._timer.start()


def _closed(sock: socket.socket, used: bool) -> bool:
    """Whether the other side has hung up. A used connection has nothing more to say than that; on a new one
    TLS may have, so there only the end of the stream counts (read beneath TLS, and left there)."""
    if not select.select([sock], [], [], 0)[0]:
        return False
    try:
        return used or not socket.socket.recv(sock, 1, socket.MSG_PEEK)
    except OSError:
        return True


def _connections(
    limiter: RateLimiter, credentials: Mapping[str, str], sent: Callable[[socket.socket], None]
) -> dict[str, type]:
    """Connection classes by scheme; httplib2 makes the connections itself, so the classes hold what they need.
    `sent` is called with the socket when a query has left."""

    class Limited:
        debuglevel = 0  # debugging prints the headers, and with them the key
        _used = False

        def request(self: Any, method: str, url: str, body: Any = None, headers: Any = (), **options: Any) -> None:
            with limiter.turn():
                if _closed(self.sock, self._used):  # by the service, while we waited
                    self.close()
                    self.connect()
                self._used = True
                super().request(method, url, body, {**dict(headers), **credentials}, **options)  # type: ignore[misc]
                sent(self.sock)

        def getresponse(self: Any, *args: Any) -> Any:
            try:
                return super().getresponse(*args)  # type: ignore[misc]
            except http.client.BadStatusLine as error:  # httplib2 would send the query once more by itself
                raise ConnectionAbortedError("closed without an answer") from error

        def set_debuglevel(self, level: int) -> None:
            """Stays silent."""

    return {scheme: type(scheme, (Limited, base), {}) for scheme, base in httplib2.SCHEME_TO_CONNECTION.items()}
