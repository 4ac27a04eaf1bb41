"""Whatever text a person writes, in whatever style of YAML, is read whole or refused."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.inputs.dataset import read_categories, read_prompts
from tasks.inputs.probes import read_families
from tasks.inputs.strict_yaml import Problem
from tests.support import data_trees as trees

SETTINGS = settings(max_examples=400, deadline=None)
PIECES = [
    *"#:-?!&*%@`|>'\"\\,.()[]{}~=<^/_+ \t\n\r\u00a0\u0085\u2028\ufeff\x00",
    *(" #1", "#MeToo", " # ", ": ", "- ", "---", "...", "\n\n", "\n#", "\r#", "\u2028#", "\r\n", "''", '\\"', "\\n"),
    *("null", "yes", "no", "1e-3", "010", "12:30", "2026-01-31", "<<", "word", "Why", "é", "日本", "👩🏽‍⚕️", "&amp;"),
]
WORDS = st.lists(st.sampled_from(["two", "words", "country's", "#1", "#MeToo", "&", "a:", "-", "“yes”"]), min_size=1)
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join), WORDS.map(" ".join), WORDS.map("\n".join), st.text()
).map(lambda text: "".join(char for char in text if not "\ud800" <= char <= "\udfff"))


def lines(text: str, indent: int) -> str:
    return text.replace("\n", "\n" + " " * indent)


def block(sign: str) -> Callable[[str, int], str]:
    return lambda text, indent: f"{sign}\n{' ' * indent}{lines(text, indent)}"


STYLES: dict[str, Callable[[str, int], str]] = {
    "plain": lines,
    "plain, on the next line": lambda text, indent: f"\n{' ' * indent}{lines(text, indent)}",
    "single quotes": lambda text, indent: "'" + lines(text.replace("'", "''"), indent) + "'",
    "double quotes": lambda text, indent: '"' + lines(re.sub(r'(["\\])', r"\\\1", text), indent) + '"',
    "JSON": lambda text, _: json.dumps(text),
    "JSON with letters as they are": lambda text, _: json.dumps(text, ensure_ascii=False),
    **{sign: block(sign) for sign in ("|", "|-", ">", ">-", ">+")},
    "begun on the line of the sign": lambda text, indent: f">- {lines(text, indent)}",
}


def words(text: str) -> list[str]:
    """What must not be lost: YAML folds lines, and space around a text does not count."""
    return text.replace("\ufeff", "").split()


CATEGORY = """category: birds
title: {title}
position: {position}
samples:
  - id: a
    question: {question}
    answer: {answer}
    author: Ana  # a note may have a comment
"""
PROMPTS = """prompts:
  - id: a
    category: birds
    prompt: {prompt}
    pairs:
      - desired: {desired}
        undesired: {undesired}
"""
PROBES = """families:
  - id: f
    slot: who
    groups:
      Birds: {group}
      Fish: the fish
    templates:
      - {template}
      - The very {{who}} and
"""
PLACES = [
    *((CATEGORY, key) for key in ("title", "position", "question", "answer")),
    *((PROMPTS, key) for key in ("prompt", "desired", "undesired")),
    *((PROBES, key) for key in ("group", "template")),
]
KEYS = [key for _, key in PLACES]


def read(folder: Path, content: str, place: str) -> tuple[str | None, list[Problem]]:
    """What a reader makes of the text at `place` in a file, and every problem."""
    if content.startswith("families"):
        trees.write(folder / "probes.yaml", content)
        families, problems = read_families(folder / "probes.yaml")
        texts = [(family.groups["Birds"], family.templates[0]) for family in families]
        return (dict(zip(("group", "template"), texts[0], strict=True))[place] if texts else None), problems
    if content.startswith("prompts"):
        trees.write(folder / "prompts" / "test.yaml", content)
        trees.write(folder / "prompts" / "validation.yaml", trees.prompts("validation", ["birds"]))
        prompts, problems = read_prompts(folder / "prompts")
        entry = prompts[0] if prompts and place == "prompt" else prompts[0].pairs[0] if prompts else None
        return getattr(entry, place, None), problems
    trees.write(folder / "values" / "birds.yaml", content)
    (category,), problems = read_categories(folder / "values")
    entry = category if place in ("title", "position") else category.samples[0] if category.samples else None
    return getattr(entry, place, None), problems


def with_text(place: str, written: str) -> str:
    """A file that is right but for what is `written` at `place`."""
    content = next(content for content, key in PLACES if key == place)
    others = {key: f"the {key}" for _, key in PLACES} | {"template": "The {who} was"}
    return content.format(**(others | {place: written}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@SETTINGS
@given(text=TEXTS, style=st.sampled_from([*STYLES]), place=st.sampled_from(KEYS), deeper=st.integers(1, 4))
def test_a_text_is_read_whole_or_refused(folder: Path, text: str, style: str, place: str, deeper: int) -> None:
    """A quoted text on one line that a `# comment` follows is read as such a text, without its quotes."""
    text = "The {who} " + text if place == "template" else text
    depths = {"title": 0, "position": 0, "group": 6, "template": 6, "desired": 8, "undesired": 8}
    column = depths.get(place, 4)
    value, problems = read(folder, with_text(place, STYLES[style](text, column + deeper)), place)
    assert all(str(problem).isprintable() for problem in problems)
    if not problems:
        quoted = style.startswith("plain") and re.fullmatch(r"\s*(['\"]).*\1\s*(#\s.*)?", text, re.DOTALL)
        assert value is not None
        assert words(value) == words(text) or quoted


METOO = "What do you think of the hashtag #MeToo and the #1 priority: “yes”?"


@pytest.mark.parametrize("place", KEYS)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "begun on the line of the sign"])
def test_a_hash_in_a_text_is_kept_or_named(folder: Path, style: str, place: str) -> None:
    text = METOO if place != "template" else "The {who} has #1 priority"
    text = text.replace(": ", " ") if style.startswith("plain") else text
    value, problems = read(folder, with_text(place, STYLES[style](text, 10)), place)
    if style.startswith("plain"):
        assert len(problems) == 1
        assert f"is without {text[text.index('#') :]!r}, a comment to YAML" in problems[0].message
    elif place in ("group", "template") and style in (">", ">+", "|"):
        assert "has a line break" in problems[0].message
    else:
        assert (problems, value) == ([], text)


@pytest.mark.parametrize(
    ("written", "comment"),
    [
        ("half a text #1", "#1"),
        ("half a text\t# 1", "# 1"),
        ("half a text\n      #1 priority", "#1 priority"),
        ("half a text\n\n     # 1", "# 1"),
        ("#MeToo", "#MeToo"),
        ("\n      #MeToo", "#MeToo"),
        ("# 1\n      half a text", "# 1"),
        ("\n      #1 priority\n      half a text", "#1 priority"),
        (">- #1 priority\n      half a text", "#1 priority"),
        ("|2- # 1\n      half a text", "# 1"),
        (">\n       half a text\n      #1 priority", "#1 priority"),
        (">\n       half a text\n\n     #1 priority\n", "#1 priority"),
        ('"half a text" #1', "#1"),
    ],
)
def test_a_comment_where_a_text_could_go_on_is_shown(folder: Path, written: str, comment: str) -> None:
    _, (problem,) = read(folder, with_text("question", written), "question")
    assert problem.entry == "a"
    assert problem.rule == ("empty" if comment == "#MeToo" else "comment")
    assert f"is without {comment!r}, a comment to YAML; if that is text, put all of it in quotes" in problem.message


@pytest.mark.parametrize(
    "comment_at",
    [
        "category: birds  # as in the prompts",
        "samples:  # ten of them",
        "# a line of its own\nsamples:",
        "  - id: a  # the first",
        '    question: "a text"  # in quotes',
        "    question: # of the text\n      'a text'",
        "    question: a text\n    # at the key",
        "    question: >-\n      a text\n    # at the key",
        "    question: >-\n      a text with a #\n      # of its own\n  # at the list",
        "    notes:  # none",
        "    reviewed: 2026-01-31  # by Ana",
        "    author: Ana  # and others",
    ],
)
def test_a_comment_that_can_be_no_text_is_one(folder: Path, comment_at: str) -> None:
    """What stood there before is replaced; the notes are added."""
    key = re.search(r"[a-z]+(?=:)", comment_at)
    content = re.sub(rf"^ *(- )?{key[0]}:.*\n" if key else "$", lambda _: comment_at + "\n", CATEGORY, flags=re.M)
    content = content if comment_at in content else CATEGORY + comment_at + "\n"
    _, problems = read(folder, content.format(title="t", position="p", question="q", answer="a"), "question")
    assert problems == []


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(folder: Path, ending: str) -> None:
    content = with_text("answer", ">-\n      two\n      lines\n\n      and a paragraph").replace("\n", ending)
    assert read(folder, content, "answer") == ("two lines\nand a paragraph", [])


@pytest.mark.parametrize("char", ["\u0085", "\u2028", "\u2029", "\r"])
def test_a_line_end_that_no_reader_sees_is_named(folder: Path, char: str) -> None:
    """YAML would end a line there, and take the rest for a comment."""
    for text in (f"half a text{char}#1 priority", f"half a text{char}- a list"):
        _, problems = read(folder, with_text("question", text), "question")
        assert [problem.rule for problem in problems] == ["characters"]
        assert f"U+{ord(char):04X}" in problems[0].message
