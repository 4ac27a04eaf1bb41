"""Outputs are whole or absent."""

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from tasks.runtime import files
from tasks.runtime.errors import InputError


def test_a_failure_keeps_the_old_file_and_leaves_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(FileNotFoundError), files.atomic_write(path) as temporary:
        temporary.write_text("half") and (tmp_path / "absent").read_text()
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("old", "new"):
        with files.atomic_write(path) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [p.name for p in path.iterdir()] == ["new"]


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_clear_line(full: Exception, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model: no space left on the disk"), files.atomic_write(tmp_path / "model"):
        raise full
    assert not list(tmp_path.iterdir())


def test_the_old_file_is_never_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.txt"
    files.write_text(path, "old")

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt(f"{self} before it became {target}")

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(path, "new")
    assert path.read_text() == "old"


def test_too_little_space_is_said_before_the_work(tmp_path: Path) -> None:
    files.require_space(tmp_path / "not" / "yet", 1, "the model")
    with pytest.raises(InputError, match=r"the model needs 1000000000\.0 GB, .* are free"):
        files.require_space(tmp_path, 10**18, "the model")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_line_separators_inside_a_text_do_not_break_jsonl(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b\x85c\nd"}, {"text": "e"}]
    files.write_jsonl(tmp_path / "x.jsonl", rows)
    assert files.read_jsonl(tmp_path / "x.jsonl") == rows


def test_text_that_is_not_utf8_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"ab\xff")
    with pytest.raises(InputError, match="not valid UTF-8 at byte 2"):
        files.read_text(tmp_path / "x")
