"""Terminals of 40 and 80 columns: no line is too long, and no word is broken."""

import io

import pytest

from tasks.runtime import terminal

LINE = "finetune@smollm2-135m-values [########............] 32/80 samples, 2 min 05 s left, loss 2.31"
ROWS = [("smollm2-135m", "135M", "full, 8 processes, ZeRO-3", "yes"), ("pythia", "-", "-", "generation only")]
HEADER = ("model", "weights", "fine-tuning", "here")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_is_broken_between_words(width: int) -> None:
    text = "error: params.yaml: sweep.models: 'smollm2-135' is not in the catalogue\n  " + "and so on " * 12 + "\n\nend"
    broken = terminal.wrapped(text, width)
    assert max(map(len, broken.splitlines())) <= width
    assert broken.split() == text.split()
    assert broken.splitlines()[-1] == "end"


def test_a_pipe_gets_whole_lines() -> None:
    assert terminal.width_of(io.StringIO()) is None
    assert terminal.wrapped("a " * 300, None) == "a " * 300
    assert terminal.bar(LINE, None) == LINE


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (95, LINE),
        (83, "finetune@smollm2-135m-values [####......] 32/80 samples, 2 min 05 s left, loss 2.31"),
        (70, "finetune@smollm2-135m-values 32/80 samples, 2 min 05 s left, loss 2.31"),
        (60, "finetune@smollm2-135m-values 32/80 samples, 2 min 05 s left"),
        (50, "finetune@smollm2-135m-values 32/80 samples"),
        (40, "finetune@smollm2-135m-values 32/80 samp…"),
    ],
)
def test_a_bar_stays_one_line(width: int, line: str) -> None:
    assert terminal.bar(LINE, width) == line
    assert len(line) <= width


def test_a_table_that_fits() -> None:
    assert terminal.table(HEADER, ROWS, 80) == [
        "model         weights  fine-tuning                here",
        "smollm2-135m  135M     full, 8 processes, ZeRO-3  yes",
        "pythia        -        -                          generation only",
    ]


def test_a_table_whose_cells_are_broken_between_words() -> None:
    assert terminal.table(HEADER, ROWS, 55) == [
        "model         weights  fine-tuning      here",
        "smollm2-135m  135M     full, 8          yes",
        "                       processes,",
        "                       ZeRO-3",
        "pythia        -        -                generation only",
    ]


def test_a_table_that_becomes_a_list() -> None:
    assert terminal.table(HEADER, ROWS, 40) == [
        "smollm2-135m",
        "  weights 135M, fine-tuning full, 8",
        "    processes, ZeRO-3, here yes",
        "pythia",
        "  weights -, fine-tuning -, here",
        "    generation only",
    ]
