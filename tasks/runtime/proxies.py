"""Loopback is never reached through a proxy, whatever proxies the environment names."""

import ipaddress
import urllib.parse
from collections.abc import Mapping

VARIABLES = ("no_proxy", "NO_PROXY")  # where both are set, programs read the first
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def on_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine."""
    try:
        host = urllib.parse.urlsplit(url).hostname or ""
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """`no_proxy` as `environ` has it, with loopback's names."""
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = exempt if exempt.strip() == "*" else ",".join(filter(None, [exempt, *_LOOPBACK]))
    return dict.fromkeys(VARIABLES, names)
