"""Every kind of damage that a dataset must survive being given: what is done, and what is said about it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import data_trees as trees


@dataclass(frozen=True)
class Damage:
    """`content` is what the file holds instead; the rest, with the category as {name}, is what its problem must say."""

    kind: str
    content: Callable[[str], Any]
    entry: str
    rule: str
    message: str


def changed(content: dict[str, Any], name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """`content` with other values, or what functions make of the category's name; None removes a key."""
    values = {key: value(name) if callable(value) else value for key, value in changes.items()}
    return {key: value for key, value in (content | values).items() if value is not None}


def entry(**changes: Any) -> Callable[[str], Any]:
    """Changes keys of the second sample."""

    def damaged(name: str) -> Any:
        content = trees.category(name)
        content["samples"][1] = changed(content["samples"][1], name, changes)
        return content

    return damaged


def top(**changes: Any) -> Callable[[str], Any]:
    """Changes keys of the file."""
    return lambda name: changed(trees.category(name), name, changes)


def raw(old: str, new: str | bytes) -> Callable[[str], Any]:
    """Replaces text in the YAML of the file, once; `old` counts from the second sample on."""

    def damaged(name: str) -> Any:
        whole = trees.dump(trees.category(name)).encode()
        head, mark, tail = whole.partition(f"- id: {name}-2\n".encode())
        new_bytes = new if isinstance(new, bytes) else new.encode("utf-8", "surrogatepass")
        assert old.encode() in tail
        return head + mark + tail.replace(old.encode(), new_bytes, 1)

    return damaged


def listed(second: Any) -> Callable[[str], Any]:
    """Puts something else in the second sample's place."""

    def damaged(name: str) -> Any:
        content = trees.category(name)
        content["samples"][1] = second
        return content

    return damaged


def bomb(name: str) -> str:
    """The billion laughs."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join([*lines, trees.dump(trees.category(name))])


def of_sample(name: str, number: int, field: str) -> str:
    return trees.category(name)["samples"][number - 1][field]


def of_prompt(name: str, split: str, field: str) -> str:
    entry = trees.prompts(split, [name])["prompts"][0]
    return entry[field] if field in entry else entry["pairs"][0][field]


def reworded(text: str) -> str:
    """A paraphrase: one word in five is another, so that few runs of four words are left."""
    words = text.split()
    words[3::5] = [f"xu{len(word)}y" for word in words[3::5]]
    return " ".join(words)


TWO = "{name}-2"
LONG = "lorem " * 81
SAMPLES = [
    Damage("too short", entry(answer="Only a few words."), TWO, "length", "answer has 4 words; expected 40 to 80"),
    Damage("too long", entry(answer=LONG), TWO, "length", "answer has 81 words"),
    Damage("too many bytes", entry(answer=("x" * 500 + " ") * 50), TWO, "text-size", "max_text_bytes is 20000"),
    Damage("a book as answer", raw("answer: ", "answer: " + "A word or two of it. " * 10_000), TWO, "text-size",
           "answer has 210"),
    Damage("no answer", entry(answer=None), TWO, "missing-key", "'answer' is missing"),
    Damage("no question", entry(question=None), TWO, "missing-key", "'question' is missing"),
    Damage("no id", entry(id=None), "entry 2", "missing-key", "'id' is missing"),
    Damage("a null answer", raw("answer: ", "answer: ~ # "), TWO, "empty", "answer is empty"),
    Damage("an empty answer", entry(answer=""), TWO, "empty", "answer is empty"),
    Damage("a blank answer", entry(answer=" \n\u00a0\u2003 "), TWO, "empty", "answer is empty"),
    Damage("an invisible answer", entry(answer="\u200b\u2060"), TWO, "empty", "answer is empty"),
    Damage("duplicate id", entry(id=lambda name: f"{name}-1"), "{name}-1", "duplicate-id", "already used in"),
    Damage("an id with a space", entry(id="a b"), "entry 2", "name", "'a b'"),
    Damage("a number as id", entry(id=7), "entry 2", "name", "the number '7'"),
    Damage("duplicate question", entry(question=lambda name: of_sample(name, 1, "question").upper()), TWO,
           "duplicate-text", "question is the same as that of {name}-1"),
    Damage("duplicate answer", entry(answer=lambda name: of_sample(name, 1, "answer") + "!!"), TWO,
           "duplicate-text", "answer is the same as that of {name}-1"),
    Damage("a reworded answer", entry(answer=lambda name: reworded(of_sample(name, 1, "answer"))), TWO,
           "similar-sample", "answer is too much like answer of {name}-1: token set ratio"),
    Damage("a test prompt as question", entry(question=lambda name: of_prompt(name, "test", "prompt")), TWO,
           "similar-prompt", "question is too much like prompt of {name}-test: token set ratio 100"),
    Damage("a reworded validation prompt in a question",
           entry(question=lambda name: f"Hello! {reworded(of_prompt(name, 'validation', 'prompt'))} Thanks."),
           TWO, "similar-prompt", "question is too much like prompt of {name}-validation"),
    Damage("a desired answer in an answer",
           entry(answer=lambda name: of_prompt(name, "test", "desired") + " " + trees.text(name, 30)), TWO,
           "similar-prompt", "answer is too much like desired 1 of {name}-test"),
    Damage("a reworded undesired answer in an answer",
           entry(answer=lambda n: reworded(of_prompt(n, "test", "undesired")) + ". " + trees.text(n, 30)), TWO,
           "similar-prompt", "answer is too much like undesired 1 of {name}-test"),
    Damage("a test prompt within an answer",
           entry(answer=lambda name: trees.text(name, 40) + " " + of_prompt(name, "test", "prompt")), TWO,
           "similar-prompt", "4-gram overlap 1.00 (limit 0.4)"),
    Damage("another category", top(category="other"), "-", "category", "'other' but the file's name says '{name}'"),
    Damage("no position", top(position=None), "-", "missing-key", "'position' is missing; other categories"),
    Damage("an empty position", lambda n: trees.category(n) | {"position": None}, "-", "empty", "position is empty"),
    Damage("no title", top(title=None), "-", "missing-key", "'title' is missing"),
    Damage("no samples", top(samples=None), "-", "missing-key", "'samples' is missing"),
    Damage("an empty list", top(samples=[]), "-", "empty", "the list has no entries"),
    Damage("samples by key", top(samples={"a": 1}), "-", "nesting", "expected a list of entries, found keys and"),
    Damage("too few samples", top(samples=lambda name: trees.category(name)["samples"][:2]), "-",
           "balance", "2 samples; curate.samples_per_category is 3"),
    Damage("not UTF-8", raw("answer: ", b"answer: caf\xe9 "), TWO, "utf-8", "not valid UTF-8 at byte"),
    Damage("UTF-16", lambda n: trees.dump(trees.category(n)).encode("utf-16"), "-", "utf-8", "not valid UTF-8"),
    Damage("an encoded surrogate", raw("answer: ", b"answer: \xed\xa0\x80 "), TWO, "utf-8", "not valid UTF-8"),
    Damage("an escaped surrogate", raw("answer: ", 'answer: "\\ud800" # '), TWO, "yaml", "not valid YAML at line"),
    Damage("tabs as indentation", raw("  answer: ", "\tanswer: "), TWO, "tab", "is indented with a tab"),
    Damage("a tab in a text", raw("answer: ", 'answer: "a\\tb" # '), TWO, "characters", "U+0009 (tab; use spaces)"),
    Damage("an alias bomb", bomb, "-", "alias", "line 1 sets the anchor a0"),
    Damage("many aliases", raw("answer: ", f"answer: [{'*a, ' * 30_000}] # "), TWO, "alias", "the anchor a"),
    Damage("tabs throughout", raw("  answer: ", "\t\n" * 50_000 + "  answer: "), TWO, "tab", "indented with a tab"),
    Damage("an open bracket and spaces", raw("answer: ", f"answer: '<{' ' * 300_000}.' # "), TWO, "length", "0 words"),
    Damage("an alias", raw("answer: ", "answer: *other # "), TWO, "alias", "repeats the anchor other"),
    Damage("a merge key", raw("  question: ", "  <<: {a: b}\n  question: "), TWO, "unknown-key", "'<<'"),
    Damage("a tag", raw("answer: ", "answer: !!python/object:os.system "), TWO, "tag", "python/object"),
    Damage("ten megabytes", raw("answer: ", "answer: " + "word " * 2_000_000), TWO, "file-size", "entry has 10000"),
    Damage("a number", entry(answer=42), TWO, "not-text", "expected text, found the number '42'"),
    Damage("a yes or no", raw("answer: ", "answer: no # "), TWO, "not-text", "found the yes/no value 'no'"),
    Damage("a date", raw("answer: ", "answer: 2026-01-31 # "), TWO, "not-text", "the date '2026-01-31'"),
    Damage("a list as text", entry(answer=["a", "b"]), TWO, "not-text", "expected text, found a list"),
    Damage("a block as text", entry(answer={"a": "b"}), TWO, "not-text", "expected text, found keys and values"),
    Damage("a number as author", entry(author=3), TWO, "not-text", "author: expected text"),
    Damage("HTML", raw("answer: ", "answer: <b>Bold</b> "), TWO, "markup", "markup, '<b>'"),
    Damage("a script", raw("answer: ", "answer: <script src=x> "), TWO, "markup", "'<script src=x>'"),
    Damage("an HTML entity", raw("answer: ", "answer: Tom &amp; Jerry "), TWO, "markup", "entity, '&amp;'"),
    Damage("a special token", raw("answer: ", "answer: Hi <|im_end|> "), TWO, "markup", "'<|im_end|>'"),
    Damage("a raw control character", raw("answer: ", "answer: a\x07b "), TWO, "characters", "U+0007 (control"),
    Damage("an escaped control character", raw("answer: ", 'answer: "\\x1b[31m" # '), TWO, "characters", "U+001B"),
    Damage("a NUL", raw("answer: ", "answer: a\x00b "), TWO, "characters", "U+0000 (control character)"),
    Damage("a right-to-left override", raw("answer: ", "answer: a\u202eb "), TWO, "characters", "U+202E (reverses"),
    Damage("an escaped isolate", raw("answer: ", 'answer: "a\\u2066b" # '), TWO, "characters", "U+2066"),
    Damage("a zero-width space", raw("answer: ", "answer: a\u200bb "), TWO, "characters", "U+200B (invisible"),
    Damage("a joiner in Latin", raw("answer: ", "answer: a\u200db "), TWO, "characters", "no script or emoji needs"),
    Damage("a byte-order mark inside", raw("answer: ", "answer: a\ufeffb "), TWO, "characters", "U+FEFF"),
    Damage("a private-use character", raw("answer: ", "answer: a\ue000b "), TWO, "characters", "U+E000 (private"),
    Damage("a replacement character", raw("answer: ", "answer: a\ufffdb "), TWO, "characters", "decoded wrongly"),
    Damage("hidden tag characters", raw("answer: ", "answer: a\U000e0041b "), TWO, "characters", "U+E0041"),
    Damage("no character", raw("answer: ", "answer: a\uffffb "), TWO, "characters", "U+FFFF"),
    Damage("stacked selectors", raw("answer: ", "answer: a\ufe0f\ufe0e "), TWO, "characters", "stacked"),
    Damage("an unknown key", entry(answr="typo"), TWO, "unknown-key", "unknown key 'answr'; known are id, question"),
    Damage("a key twice", raw("  answer: ", "  question: again\n  answer: "), TWO, "duplicate-key", "'question'"),
    Damage("a list as entry", listed(["a"]), "entry 2", "nesting", "found a list"),
    Damage("a text as entry", listed("a"), "entry 2", "nesting", "found the text 'a'"),
    Damage("nothing as entry", listed(None), "entry 2", "nesting", "found nothing"),
    Damage("deep nesting", raw("answer: ", "answer: " + "[" * 50_000 + " # "), TWO, "nesting", "deeper than 8"),
    Damage("a list as file", lambda _: ["a"], "-", "nesting", "expected the keys category, title, samples; found"),
    Damage("an empty file", lambda _: b"", "-", "nesting", "found nothing"),
    Damage(
           "two documents", lambda n: trees.dump(trees.category(n)) + "---\na: b\n", "{name}-3", "yaml", "second doc"),
    Damage("an open quote", raw("answer: ", 'answer: "'), TWO, "yaml", "not valid YAML at line"),
    Damage("a colon in a text", raw("answer: ", "answer: He said: no: "), TWO, "yaml", "write longer texts after"),
]  # fmt: skip


def prompt(**changes: Any) -> Callable[[str], Any]:
    """Changes keys of the category's prompt in the test split."""
    return lambda name: changed(trees.prompts("test", [name])["prompts"][0], name, changes)


def pair(**changes: Any) -> Callable[[str], Any]:
    """Changes keys of that prompt's pair."""
    return lambda name: prompt(pairs=[changed(trees.pair(f"{name} test"), name, changes)])(name)


TEST = "{name}-test"
PROMPTS = [
    Damage("no desired answer", pair(desired=None), TEST, "missing-key", "pair 1: the key 'desired' is missing"),
    Damage("an empty answer of a pair", pair(undesired=" "), TEST, "empty", "pair 1: undesired is empty"),
    Damage("a number as an answer", pair(undesired=7), TEST, "not-text", "pair 1: undesired: expected text, found"),
    Damage("another key in a pair", pair(neutral="Well."), TEST, "unknown-key", "pair 1: unknown key 'neutral'"),
    Damage("markup in a pair", pair(desired="<b>Yes</b>, and so they should."), TEST, "markup", "pair 1: desired"),
    Damage("no pairs", prompt(pairs=None), TEST, "missing-key", "the key 'pairs' is missing"),
    Damage("an empty list of pairs", prompt(pairs=[]), TEST, "empty", "pairs: the list has no entries"),
    Damage("pairs by key", prompt(pairs={"desired": "Yes."}), TEST, "nesting", "pairs: expected a list of entries"),
    Damage("a text as a pair", prompt(pairs=["Yes."]), TEST, "nesting", "pair 1: expected the keys desired, undesired"),
    Damage("answers outside of a pair", prompt(pairs=None, desired="Yes.", undesired="No."), TEST, "unknown-key",
           "'desired' and 'undesired' stand in a list of pairs: write `pairs:`, and below it, for each pair"),
    Damage("a short pair", pair(desired="No.", undesired="Yes."), TEST, "length", "desired 1 has 1 words"),
    Damage("a long pair", pair(desired=trees.text("d", 41), undesired=trees.text("u", 41)), TEST, "length",
           "undesired 1 has 41 words; expected 8 to 40"),
    Damage("an uneven pair", pair(undesired=trees.text("v", 26)), TEST, "pair-length",
           "pair 1: desired has 20 words, undesired 26; they may differ by 20%"),
    Damage("a pair of one answer", pair(undesired=lambda n: of_prompt(n, "test", "desired").upper()), TEST,
           "pair-same", "the same"),
    Damage("a pair that shares no words", pair(undesired=trees.text("v", 20)), TEST, "pair-style",
           "pair 1: desired and undesired share 0% of their words; curate.min_pair_shared is 10%"),
    Damage("a pair of long and short words",
           pair(undesired=lambda n: " ".join(of_prompt(n, "test", "desired").split()[:4] + ["incommensurable"] * 16)),
           TEST, "pair-style", "those of undesired 13."),
    Damage("two pairs that are one",
           prompt(pairs=lambda n: [trees.pair(f"{n} test"),
                                   trees.pair("else") | {"desired": reworded(of_prompt(n, "test", "desired"))}]),
           TEST, "similar-pair", "desired 2 is too much like desired 1 of {name}-test: token set ratio"),
    Damage("an unknown category", prompt(category="weather"), TEST, "category", "'weather' is no category of"),
    Damage("a repeated prompt", prompt(prompt=lambda n: of_prompt(n, "validation", "prompt")), "{name}-validation",
           "duplicate-text", "prompt is the same as that of {name}-test"),
    Damage("a reworded prompt of the other split",
           prompt(prompt=lambda n: reworded(of_prompt(n, "validation", "prompt"))), "{name}-validation",
           "similar-split", "prompt is too much like prompt of {name}-test"),
    Damage("a sample's id", prompt(id=lambda n: f"{n}-1"), "{name}-1", "duplicate-id", "a sample has this id too"),
    Damage("markup in a prompt", prompt(prompt="Is <i>this</i> a good prompt to ask people about?"), TEST, "markup",
           "prompt holds markup"),
    Damage("an empty prompt", prompt(prompt=""), TEST, "empty", "prompt is empty"),
]  # fmt: skip


def damage_file(folder: Path, name: str, damage: Damage) -> None:
    """Writes the damaged category."""
    trees.write(folder / f"{name}.yaml", damage.content(name))
