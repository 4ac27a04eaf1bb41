"""Completions of a sweep: those of different engines are never compared."""

from pathlib import Path
from typing import Any

import pytest

from tasks.formats.checkpoints import Checkpoint
from tasks.formats.completions import read_completions
from tasks.runtime.errors import InputError
from tasks.runtime.files import write_jsonl

LADDER = [Checkpoint("tiny", "base", "base", 0), Checkpoint("tiny", "values", "values", 1)]


def made(folder: Path, **engines: str) -> Path:
    for checkpoint in LADDER:
        row: dict[str, Any] = {"model": checkpoint.model, "arm": checkpoint.arm, "completion": "So."}
        engine = {"engine": engines[checkpoint.arm]} if checkpoint.arm in engines else {}
        write_jsonl(folder / checkpoint.model / f"{checkpoint.arm}.jsonl", [row | engine] * 2)
    return folder


def test_completions_of_one_engine_say_which(tmp_path: Path) -> None:
    assert set(read_completions(made(tmp_path, base="vllm", values="vllm"), LADDER)["engine"]) == {"vllm"}


@pytest.mark.parametrize("engines", [{}, {"base": "transformers"}])
def test_rows_made_before_there_was_a_choice_are_of_transformers(tmp_path: Path, engines: dict[str, str]) -> None:
    assert set(read_completions(made(tmp_path, **engines), LADDER)["engine"]) == {"transformers"}


@pytest.mark.parametrize("engines", [{"base": "transformers", "values": "vllm"}, {"values": "vllm"}])
def test_two_engines_are_one_line_that_names_both(tmp_path: Path, engines: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        read_completions(made(tmp_path, **engines), LADDER)
    assert "tiny/base by transformers and tiny/values by vllm" in str(caught.value)
    assert "\n" not in str(caught.value)
