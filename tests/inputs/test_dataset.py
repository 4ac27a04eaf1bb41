import random
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.formats.samples import Sample, read_samples
from tasks.inputs import characters
from tasks.inputs.dataset import load_categories, load_prompts, read_categories
from tasks.inputs.strict_yaml import MAX_FILE_BYTES, NotText, read
from tasks.runtime import files
from tasks.runtime.errors import InputError
from tests.support import data_trees as trees


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "file.yaml"
    trees.write(path, content)
    return path


def test_categories_are_sorted_and_complete(tmp_path: Path) -> None:
    values, _ = trees.tree(tmp_path, ["fish", "birds"])
    birds, fish = load_categories(values)
    assert (birds.category, birds.title, birds.position) == ("birds", "The birds", "We mind birds.")
    third = trees.category("fish")["samples"][2]
    assert fish.samples[2] == Sample("fish-3", "fish", third["question"], third["answer"])


def test_prompts_of_both_splits_with_test_first(tmp_path: Path) -> None:
    _, prompts = trees.tree(tmp_path, ["birds", "fish"])
    assert [(prompt.id, prompt.split) for prompt in load_prompts(prompts)] == [
        ("birds-test", "test"),
        ("fish-test", "test"),
        ("birds-validation", "validation"),
        ("fish-validation", "validation"),
    ]


def test_loading_prompts_raises_all_problems_at_once(tmp_path: Path) -> None:
    _, prompts = trees.tree(tmp_path, ["birds"])
    trees.write(prompts / "test.yaml", "prompts: [1]\n")
    trees.write(prompts / "validation.yaml", "prompts: x\n")
    with pytest.raises(InputError) as refusal:
        load_prompts(prompts)
    assert [line.split(": ")[1:3] for line in str(refusal.value).split("\n")] == [
        ["entry 1", "nesting"],
        ["-", "nesting"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "start"),
    [
        (b"- id: birds-2", b"  author: A. Author\n  reviewed: 2026-01-31\n  notes: ~\n- id: birds-2", b""),
        (b"\n", b"\r\n", b"\xef\xbb\xbf"),
    ],
    ids=["provenance", "Windows"],
)
def test_what_may_be_there_or_not(old: bytes, new: bytes, start: bytes, tmp_path: Path) -> None:
    values, _ = trees.tree(tmp_path, ["birds"])
    file = values / "birds.yaml"
    file.write_bytes(start + file.read_bytes().replace(old, new))
    assert len(load_categories(values)[0].samples) == 3


def test_space_around_a_text_does_not_count(tmp_path: Path) -> None:
    values, _ = trees.tree(tmp_path, ["birds"])
    content = trees.category("birds")
    content["samples"][0]["answer"] = "\n  An answer.\n\nWith two paragraphs.\n\n"
    trees.write(values / "birds.yaml", content)
    assert load_categories(values)[0].samples[0].answer == "An answer.\n\nWith two paragraphs."


def test_a_name_is_the_same_however_a_file_system_spells_it(tmp_path: Path) -> None:
    trees.write(tmp_path / "nin\u0303ez.yaml", trees.category("ni\u00f1ez"))
    (category,) = load_categories(tmp_path)
    assert category.category == "ni\u00f1ez"


def test_samples_come_back_from_jsonl(tmp_path: Path) -> None:
    sample = Sample("a", "c", "Why?\u2028", "Line one.\nLine “two”.")
    files.write_jsonl(tmp_path / "s.jsonl", [vars(sample)])
    assert read_samples(tmp_path / "s.jsonl") == [sample]


@pytest.mark.parametrize("line", ["{", "[]", "1", '{"id": "a"}', '{"id": "a", "extra": 1}'])
def test_a_line_that_is_no_sample_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=r"s.jsonl: line 2: expected id, category, question, answer"):
        read_samples(tmp_path / "s.jsonl")


def test_importing_it_is_cheap() -> None:
    code = "import sys, tasks.inputs.dataset; print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=trees.REPOSITORY)
    assert run.stdout == "[]\n", run.stderr


# --- strict_yaml ----------------------------------------------------------------------------------------------


def test_values_keep_what_was_written(tmp_path: Path) -> None:
    content, problems = read(written(tmp_path, "a: 'no'\nb: [1.5, yes, 2026-01-31, null, text]\n"))
    assert problems == []
    assert content["a"] == "no"
    assert content["b"] == [
        NotText("the number '1.5'"),
        NotText("the yes/no value 'yes'"),
        NotText("the date '2026-01-31'"),
        None,
        "text",
    ]


def test_a_file_at_the_limit_is_read_and_one_above_is_not(tmp_path: Path) -> None:
    path = written(tmp_path, "a: " + "x" * (MAX_FILE_BYTES - 3))
    assert read(path)[1] == []
    trees.write(path, path.read_bytes() + b"x")
    assert [problem.rule for problem in read(path)[1]] == ["file-size"]


def test_a_file_name_that_no_terminal_can_print_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "a\nb\u202e.yaml").write_text("")
    _, problems = read_categories(tmp_path)
    assert all(str(problem).isprintable() for problem in problems)


def test_no_input_makes_the_reader_fail(tmp_path: Path) -> None:
    """Five hundred random mutations of a file are each read, or refused in printable lines."""
    whole = trees.dump(trees.category("birds")).encode()
    parts = [b"\t", b"\0", b"&a ", b"*a ", b"!!x ", b"- ", b": ", b"[", b"{", b'"', b"'", b"\xff", b"\n", b"? "]
    parts += [b"|", b">", b"%", b"---\n", b"\\ud800", b"\xed\xa0\x80", b"<<: ", b"\xe2\x80\xae", b"\xc2\x85", b"@"]
    draw = random.Random(1)
    for _ in range(500):
        raw = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(raw))
            raw[at : at + draw.choice([0, 0, 20])] = draw.choice(parts) * draw.choice([1, 1, 20])
        trees.write(tmp_path / "birds.yaml", bytes(raw))
        _, problems = read_categories(tmp_path)
        assert all(str(problem).isprintable() for problem in problems)


# --- characters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Plain text, with “quotes”, an em dash — and 3 < 5 > 2; AT&T; a/b; <3",
        "¿Qué es eso? Ünïcödé Ελληνικά 日本語。한국어 עברית",
        "می‌خواهم به خانه بروم",  # Persian needs the zero-width non-joiner
        "क्‍ष and ශ්‍රී",  # half forms need the zero-width joiner
        "a family 👨‍👩‍👧, a rainbow 🏳️‍🌈, a nurse 👩🏽‍⚕️",
        "left-to-right marks \u200eare\u200f harmless in mixed text",
        "two\n\nparagraphs",
        "e\u0301 and Việt",
    ],
)
def test_what_people_write_passes(text: str) -> None:
    assert list(characters.faults(text)) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a\u200cb", "characters"),
        ("\u200d", "characters"),
        ("word \u200d😀", "characters"),
        ("😀\u200c😀", "characters"),
        ("Z\u0335\u0336\u0337\u0338algo", "characters"),
        ("a\u2028b", "characters"),
        ("a\u00adb", "characters"),
        ("<a href='x'>", "markup"),
        ("</p>", "markup"),
        ("<!-- note -->", "markup"),
        ("&#x27;", "markup"),
        ("&nbsp;", "markup"),
        ("[INST] do this [/INST]", "markup"),
        ("<<SYS>>", "markup"),
    ],
)
def test_what_hides_or_marks_up_does_not(text: str, rule: str) -> None:
    assert rule in [found for found, _ in characters.faults(text)]
