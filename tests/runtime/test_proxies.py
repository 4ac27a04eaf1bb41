"""Which addresses are this machine, and how programs are told to go there directly."""

import urllib.request

import pytest

from tasks.runtime.proxies import on_loopback, past_proxies


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:4200/api", True),
        ("http://LOCALHOST/api", True),
        ("http://127.9.9.9", True),
        ("http://0.0.0.0:4200/api", True),
        ("https://[::1]:8443/", True),
        ("http://localhost.example/", False),
        ("http://127.0.0.1.example/", False),
        ("https://api.prefect.cloud/api", False),
        ("http://10.0.0.1/", False),
        ("localhost", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url: str, here: bool) -> None:
    assert on_loopback(url) is here


@pytest.mark.parametrize(
    ("environ", "direct", "by_proxy"),
    [
        ({}, [], ["example.com"]),
        ({"NO_PROXY": "example.com"}, ["example.com"], ["x.org"]),
        ({"no_proxy": "x.org", "NO_PROXY": "example.com"}, ["x.org"], ["example.com"]),
        ({"no_proxy": "", "NO_PROXY": "example.com"}, ["example.com"], ["x.org"]),
        ({"no_proxy": "*"}, ["x.org", "example.com"], []),
    ],
)
def test_loopback_is_added_to_what_the_user_exempts(
    environ: dict[str, str], direct: list[str], by_proxy: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in past_proxies(environ).items():
        monkeypatch.setenv(name, value)
    hosts = ["localhost", "127.0.0.1:80", *direct, *by_proxy]
    assert [bool(urllib.request.proxy_bypass_environment(host)) for host in hosts] == [
        *[True] * (2 + len(direct)),
        *[False] * len(by_proxy),
    ]
