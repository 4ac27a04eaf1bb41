"""Characters and markup that have no place in a training text, and the reasons.

They would be invisible to a reviewer, reorder what is read (Boucher and Anderson 2021, "Trojan Source"), or
teach a model markup. Letters of every script pass, and so do joiners where a script or an emoji needs them.
"""

import unicodedata
from collections.abc import Iterator

import regex  # type: ignore[import-untyped]

from tasks.inputs.strict_yaml import STAND_INS, shown

_MEANT = {stand_in: code for code, stand_in in STAND_INS.items()}
_JOINER = regex.compile(r"\p{Join_Control}")
_JOINING_SCRIPTS = (
    "Arabic Syriac Nko Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala "
    "Tibetan Myanmar Khmer Javanese Balinese Meetei_Mayek"
)
_JOINED = regex.compile("|".join(rf"\p{{Script_Extensions={name}}}" for name in _JOINING_SCRIPTS.split()))
_STACKED = regex.compile(r"[\u0300-\u036f]{4}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}")
_REASONS = {  # the first that matches is the reason
    "tab; use spaces": r"\t",
    "control character": r"[\p{Cc}--\n]",
    "reverses or embeds the direction of text": r"[\p{Bidi_Control}--[\u061c\u200e\u200f]]",
    "invisible character": r"[\p{Default_Ignorable_Code_Point}--"
    r"[\p{Join_Control}\p{Variation_Selector}\u061c\u17b4\u17b5\u200e\u200f]]",
    "line or paragraph separator": r"[\p{Zl}\p{Zp}]",
    "replacement character: this text was once decoded wrongly": r"\ufffd",
    "no character of Unicode": r"[\p{Cs}\p{Noncharacter_Code_Point}]",
    "private-use character": r"\p{Co}",
}
_UNWELCOME = regex.compile("|".join(f"({pattern})" for pattern in _REASONS.values()), regex.V1)
_MARKUP = {
    "a model's special token": regex.compile(r"<\|[^<>|]*\|>|<<\s?/?\s?SYS\s?>>|\[/?INST\]"),
    "markup": regex.compile(r"<\s?/?\s?[A-Za-z][^<>]*>|<!--|<!\w+|<\?\w+"),
    "an HTML entity": regex.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"),
}


def faults(text: str) -> Iterator[tuple[str, str]]:
    """Yields (rule, what was found) for everything in `text` that does not belong in a dataset."""
    reasons = {ord(match[0]): [*_REASONS][match.lastindex - 1] for match in _UNWELCOME.finditer(text.translate(_MEANT))}
    for code in sorted(reasons, key=lambda code: STAND_INS.get(code, code)):
        yield "characters", f"holds U+{code:04X} ({reasons[code]})"
    if not all(_joins(text, match.start()) for match in _JOINER.finditer(text)):
        yield "characters", "holds U+200C or U+200D (invisible joiner) where no script or emoji needs it"
    if _STACKED.search(text):
        yield "characters", "holds combining marks or variation selectors stacked on one another"
    for what, pattern in _MARKUP.items():
        if match := pattern.search(text):
            yield "markup", f"holds {what}, {shown(match[0])}; write plain text"
            break


def visible(text: str) -> bool:
    """Whether `text` holds anything that a reader would see."""
    return any(unicodedata.category(char)[0] not in "ZC" for char in text)


def _joins(text: str, at: int) -> bool:
    """Whether the joiner at `at` does what it is for: shaping a script that joins, or building an emoji."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if _JOINED.match(before):
        return True
    emoji = before == "\ufe0f" or unicodedata.category(before or " ") in ("So", "Sk")
    return text[at] == "\u200d" and emoji and unicodedata.category(after or " ") == "So"
