"""A proxy on a real port that refuses every request and remembers that it was asked."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """`asked` holds the first bytes of each request."""

    port: int
    asked: list[bytes] = field(default_factory=list)

    def environ(self) -> dict[str, str]:
        """Every variable that could lead to it; `no_proxy` names something else, and wins over `NO_PROXY`."""
        http = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY"), f"http://127.0.0.1:{self.port}")
        return {**http, "all_proxy": f"socks5://127.0.0.1:{self.port}", "no_proxy": "example.com", "NO_PROXY": "x.org"}


@contextmanager
def refusing_proxy() -> Iterator[Proxy]:
    """The proxy, for the block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed
                    return
                with connection:
                    proxy.asked.append(connection.recv(100))
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
