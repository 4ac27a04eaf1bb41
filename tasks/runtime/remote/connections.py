"""A connection for each thread, and what goes wrong on it in words."""

import functools
import http.client
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

import httplib2  # type: ignore[import-untyped]

from tasks.runtime.errors import InputError
from tasks.runtime.remote.errors import TransientError
from tasks.runtime.remote.rate_limit import RateLimiter
from tasks.runtime.remote.transport import Sender

T = TypeVar("T")


class Connections:
    """Sends queries in the turns that `limiter` gives, from any thread; each answer within `timeout` seconds.

    `setting` names the address in messages; `credentials` are headers that exist nowhere but on the connection.
    """

    def __init__(self, setting: str, limiter: RateLimiter, credentials: Mapping[str, str], timeout: float) -> None:
        self._setting = setting
        self.new = functools.partial(Sender, limiter, credentials, timeout)
        self._threads = threading.local()

    def exchange(self, send: Callable[[Sender], T], answered: type[Exception] | tuple[()] = ()) -> T:
        """What `send` gives; an error of the kind `answered` is an answer, too, and passes as it is.

        Raises TransientError, or InputError for a certificate that is not trusted.
        """
        sender: Sender = getattr(self._threads, "sender", None) or self.new()
        self._threads.sender = None  # an exchange that broke off leaves a connection that nobody may use again
        try:
            content = send(sender)
        except answered:
            self._threads.sender = sender
            raise
        except ssl.SSLCertVerificationError as error:
            raise InputError(f"{self._setting}: its certificate is not trusted: {error.verify_message}") from None
        except (OSError, http.client.HTTPException, httplib2.HttpLib2Error) as error:
            raise TransientError(sender.reason(error)) from None
        self._threads.sender = sender
        return content
