"""Characters and markup that have no place in a training text, and the reasons.

They would be invisible to a reviewer, reorder what is read (Boucher and Anderson 2021, "Trojan Source"), or
teach a model markup. Letters of every script pass, and so do joiners where a script or an emoji needs them.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

from tasks.inputs.strict_yaml import STAND_INS, shown

_STOOD_FOR = {chr(stand_in): code for code, stand_in in STAND_INS.items()}
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u00ad\u034f\u115f\u1160\u180e\u200b\u2060\u2061\u2062\u2063\u2064\u3164\ufeff\uffa0")
_JOINER = re.compile("[\u200c\u200d]")
_JOINING_SCRIPTS = re.compile(
    "ARABIC|SYRIAC|NKO|MONGOLIAN|DEVANAGARI|BENGALI|GURMUKHI|GUJARATI|ORIYA|TAMIL|TELUGU|KANNADA|MALAYALAM|"
    "SINHALA|TIBETAN|MYANMAR|KHMER|JAVANESE|BALINESE|MEETEI"
)
_STACKED = re.compile("[\u0300-\u036f]{4}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}")
_MARKUP = {
    "a model's special token": re.compile(r"<\|[^<>|]*\|>|<<\s?/?\s?SYS\s?>>|\[/?INST\]"),
    "markup": re.compile(r"<\s?/?\s?[A-Za-z][^<>]*>|<!--|<!\w+|<\?\w+"),
    "an HTML entity": re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"),
}


def faults(text: str) -> Iterator[tuple[str, str]]:
    """Yields (rule, what was found) for everything in `text` that does not belong in a dataset."""
    for char in sorted(set(text)):
        if why := _unwelcome(char):
            yield "characters", f"holds {_code(char)} ({why})"
    if not all(_joins(text, match.start()) for match in _JOINER.finditer(text)):
        yield "characters", "holds U+200C or U+200D (invisible joiner) where no script or emoji needs it"
    if _STACKED.search(text):
        yield "characters", "holds combining marks or variation selectors stacked on one another"
    for what, pattern in _MARKUP.items():
        if found := pattern.search(text):
            yield "markup", f"holds {what}, {shown(found[0])}; write plain text"
            break


def visible(text: str) -> bool:
    """Whether `text` holds anything that a reader would see."""
    return any(unicodedata.category(char)[0] not in "ZC" for char in text)


def _code(char: str) -> str:
    return f"U+{_STOOD_FOR.get(char, ord(char)):04X}"


@functools.cache
def _unwelcome(char: str) -> str:
    """Why `char` may not stand in a text; empty if it may."""
    kind, code = unicodedata.category(char), ord(char)
    reasons = (
        ("", char == "\n"),
        ("tab; use spaces", char == "\t"),
        ("control character", kind == "Cc" or char in _STOOD_FOR),
        ("reverses or embeds the direction of text", char in _BIDI),
        ("invisible character", char in _INVISIBLE or 0xE0000 <= code <= 0xE007F),
        ("line or paragraph separator", kind in ("Zl", "Zp")),
        ("replacement character: this text was once decoded wrongly", char == "\ufffd"),
        ("no character of Unicode", kind == "Cs" or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF),
        ("private-use character", kind == "Co"),
    )
    return next((why for why, applies in reasons if applies), "")


def _joins(text: str, at: int) -> bool:
    """Whether the joiner at `at` does what it is for: shaping a script that joins, or building an emoji."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if before and _JOINING_SCRIPTS.match(unicodedata.name(before, "")):
        return True
    emoji = before == "\ufe0f" or unicodedata.category(before or " ") in ("So", "Sk")
    return text[at] == "\u200d" and emoji and unicodedata.category(after or " ") == "So"
