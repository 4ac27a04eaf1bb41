"""A user without a name, a terminal without characters, places without rights or room."""

import errno
import getpass
import io
import os
import pwd
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from tasks.runtime import machine


def test_a_user_whom_passwd_lacks_gets_a_name_and_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", absent)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    machine.prepare()
    assert (getpass.getuser(), Path.home()) == (f"uid{os.getuid()}", Path("/"))
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("HOME", "/home/ann")
    machine.prepare()
    assert (getpass.getuser(), Path.home()) == ("ann", Path("/home/ann"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_can_be_printed(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    machine.prepare()
    print("é … 目 \udce9", flush=True)  # the last is how Python holds a byte of a file name that is no UTF-8
    assert written.getvalue().decode(encoding).endswith("\\udce9\n")


CASES = [
    (PermissionError(errno.EACCES, "", "/tree/data/x"), "/tree/data/x: permission denied; give user "),
    (OSError(errno.EROFS, "", b"/tree/x"), "/tree/x: its file system is read-only; give user "),
    (OSError(errno.ENOSPC, ""), "/given: no space left on the disk; free some"),
    (OSError(errno.EDQUOT, "", "/x"), "/x: the disk quota is used up; free some"),
    (NotADirectoryError(errno.ENOTDIR, "", "/x"), "/x: a file is where a folder should be; "),
    (PermissionError(errno.EACCES, "", "/hf/hub/x"), "/hf/hub/x: permission denied; set HF_HOME to a folder that you"),
    (PermissionError(errno.EACCES, "", "/home/a/.config"), "/home/a/.config: permission denied; set HOME to "),
    (SafetensorError("I/O error: Permission denied (os error 13)"), "/given: permission denied; "),
]


@pytest.mark.parametrize(("error", "message"), CASES)
def test_a_refusal_says_what_where_and_what_to_do(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", "/hf")
    monkeypatch.setenv("HOME", "/home/a")
    assert str(machine.refusal(error, Path("/given"))).startswith(message)


def test_a_place_in_the_tree_is_not_blamed_on_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tree").mkdir()
    monkeypatch.chdir(tmp_path / "tree")
    for place in ("data/x", str(tmp_path / "tree" / "data" / "x")):
        assert "HOME" not in str(machine.refusal(PermissionError(errno.EACCES, "", place)))


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "", "/x"), ValueError("no"), OSError("odd")])
def test_other_errors_are_no_refusals(error: Exception) -> None:
    assert machine.refusal(error) is None
