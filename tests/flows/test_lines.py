from pathlib import Path

import pytest

from flows.lines import LONGEST, Redactor, Splitter


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntw", b"o\n"], ["one", "two"]),
        ([b"10%\r20%\r", b"30%\r100%\n"], ["100%"]),
        ([b"windows\r", b"\n"], ["windows"]),
        ([b"\n  \n\x1b[31mred\x1b[0m\n"], ["red"]),
        ([b"no newline"], ["no newline"]),
        ([b"\xff\xfe\n"], ["\ufffd\ufffd"]),
        ([b"caf\xc3", b"\xa9\n"], ["café"]),
    ],
)
def test_splits(chunks: list[bytes], lines: list[str]) -> None:
    splitter = Splitter()
    assert [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.rest() == lines


def test_endless_progress_takes_no_memory() -> None:
    splitter = Splitter()
    for step in range(10_000):
        assert splitter.feed(f"\rstep {step}".encode()) == []
    assert splitter.rest() == ["step 9999"]
    assert len(splitter.feed(b"x" * 100_000)[0]) < LONGEST + 10


def test_redacts_secrets_and_home() -> None:
    hide = Redactor(
        {"HF_TOKEN": "hf_abc", "PERSPECTIVE_API_KEY": "AIza-9", "PGPASSWORD": "hf_abc-long", "KEYBOARD": "qwerty"},
        Path("/home/ann"),
    )
    assert hide("GET ?key=AIza-9 with hf_abc-long, hf_abc") == (
        "GET ?key=<PERSPECTIVE_API_KEY> with <PGPASSWORD>, <HF_TOKEN>"
    )
    assert hide("/home/ann/x /home/anna qwerty file:///home/ann") == "~/x /home/anna qwerty file://~"
    keys = Redactor({"AWS_ACCESS_KEY_ID": "AKIA77", "DB_CREDENTIALS": "ann:secret", "MY_PASS": "hush"}, Path("/"))
    assert keys("AKIA77 ann:secret hush") == "<AWS_ACCESS_KEY_ID> <DB_CREDENTIALS> <MY_PASS>"
    assert keys("--index-url https://me:t0ken@host/simple a@b.org http://h/x@y") == (
        "--index-url https://<hidden>@host/simple a@b.org http://h/x@y"
    )
    assert Redactor({"A_KEY": "1"}, Path("/"))("/a 1") == "/a 1"
